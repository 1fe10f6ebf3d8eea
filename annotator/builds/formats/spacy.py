"""spaCy's DocBin, for `spacy train`: files of some thousand notes, tokenised by spaCy's English rules.

`doc.ents` has one label a token; every span, overlapping ones too, is in `doc.spans["sc"]`. Labels of the note are
`doc.cats`: for one that was given, each of its values with 1 or 0. `doc.user_data` names the note.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from annotator.builds.formats.flat import TokenSpan, token_spans_of, without_overlaps
from annotator.builds.formats.lines import end_file, new_binary_file
from annotator.builds.formats.sources import count_unsaid
from annotator.builds.records import BuildContext, NoteRecord

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, DocBin, Span

NAME = "spacy"
TITLE = "spaCy DocBin"
GROUP = "For training"
HINT = "for spaCy's train command: entities, overlapping spans and text categories"
OFFSETS = "tokens of spaCy; code points in `char_span`"
READ = 'docs = spacy.tokens.DocBin().from_disk("train.spacy").get_docs(spacy.blank("en").vocab)'
NEEDS = "spacy"
LEAVES_OUT = ("provenance", "metadata", "comments")
KEEPS_PIECES = False
# A DocBin is kept until it is written, and a vocabulary grows with what is read: both begin anew with each file.
NOTES_A_FILE, CHARACTERS_A_FILE = 2000, 10_000_000
SPANS_KEY = "sc"  # the one that spaCy's span categorizer reads unless told otherwise
_ATTRIBUTES = ("ENT_IOB", "ENT_TYPE")


class SpacyWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._folder = folder
        self._context = context
        self._bins: dict[str, DocBin] = {}
        self._n_characters: Counter[str] = Counter()
        self._n_files: dict[str, int] = {}
        self._n_rows: dict[str, int | None] = {}
        self._language = _language()

    def add(self, *, note: NoteRecord, part: str) -> None:
        from spacy.tokens import DocBin

        if part not in self._bins:
            self._bins[part] = DocBin(attrs=_ATTRIBUTES, store_user_data=True)
        self._bins[part].add(self._doc(note))
        self._n_characters[part] += len(note.text)
        if len(self._bins[part]) >= NOTES_A_FILE or self._n_characters[part] >= CHARACTERS_A_FILE:
            self._end(part)
            self._language = _language()

    def close(self) -> dict[str, int | None]:
        for part in list(self._bins):
            self._end(part)
        return self._n_rows

    def _end(self, part: str) -> None:
        ended = self._bins.pop(part)
        self._n_characters[part] = 0
        self._n_files[part] = number = self._n_files.get(part, 0) + 1
        name = f"{part}.spacy" if number == 1 else f"{part}-{number}.spacy"
        with new_binary_file(self._folder / name) as file:
            file.write(ended.to_bytes())
            end_file(file)
        self._n_rows[name] = len(ended)

    def _doc(self, note: NoteRecord) -> Doc:
        losses = self._context.losses
        count_unsaid(note, self._context.schema, losses)
        doc = self._language.make_doc(note.text)
        tokens = [(token.idx, token.idx + len(token)) for token in doc]
        words = [place for place, token in enumerate(doc) if not token.is_space]
        pieces = [
            TokenSpan(words[found.start], words[found.end - 1] + 1, found.label, found.length)
            for found in token_spans_of(spans=note.spans, tokens=[tokens[word] for word in words], losses=losses)
        ]
        kept = without_overlaps(pieces)
        if len(kept) < len(pieces):
            losses[f"spans or pieces that share a token with a longer one, in doc.spans['{SPANS_KEY}'] alone"] += len(
                pieces
            ) - len(kept)
        doc.set_ents([_span(doc, found) for found in kept])
        doc.spans[SPANS_KEY] = [_span(doc, found) for found in pieces]
        doc.cats = self._categories(note)
        doc.user_data.update(id=note.id, patient_id=note.patient_id, note_type=note.note_type)
        return doc

    def _categories(self, note: NoteRecord) -> dict[str, float]:
        said = {found.name: found.value for found in note.document_labels}
        known = {asked.name: asked.values for asked in self._context.schema.document_labels}
        if unknown := said.keys() - known.keys():
            self._context.losses["labels of whole notes that the schema no longer has"] += len(unknown)
        return {
            f"{name}: {value}": float(value == said[name])
            for name, values in known.items()
            if name in said
            for value in values
        }


open_writer = SpacyWriter


def _span(doc: Doc, found: TokenSpan) -> Span:
    from spacy.tokens import Span

    return Span(doc, found.start, found.end, label=found.label)


def _language() -> Language:
    import spacy

    return spacy.blank("en")
