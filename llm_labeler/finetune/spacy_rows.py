"""What a dataset has to teach a spaCy pipeline: windows of its notes with their spans as whole tokens.

Read from spaCy's DocBin where the dataset has that format, else from JSONL. A pipeline gives spans and labels; what it
cannot give is counted by reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.util import filter_spans

from annotator.core.chunks import WINDOW, chunks
from annotator.core.identifiers import without_identifiers
from annotator.core.schema import schema_from_json
from llm_labeler.finetune import FinetuneError
from llm_labeler.finetune.datasets import Unpacked
from llm_labeler.finetune.spacy_recipe import MOST_TOKENS, NER, SpacyRecipe

# The one that spaCy's span categorizer reads unless told otherwise, and that datasets have.
SPANS_KEY = "sc"
_LONG_SHARE = 0.01
Place = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Windows:
    """A part's windows, each with the spans that are learnt; `left_out` counts what is not, by reason."""

    found: Sequence[Doc]
    n_notes: int
    n_spans: Counter[str]
    left_out: Counter[str]


def labels_of(dataset: Unpacked) -> list[str]:
    """The labels of the dataset's schema but for that of identifiers, which has a labeler of its own."""
    definition = dataset.manifest["schema"].get("definition")
    if definition is None:
        raise FinetuneError(f"the manifest in {dataset.folder} tells no schema any more: build the dataset again")
    return list(without_identifiers(schema_from_json(definition)).label_names)


def files_of(dataset: Unpacked, part: str) -> list[str]:
    """The names of the part's files in the format that is read; none where the dataset lacks the part."""
    for suffix in ("spacy", "jsonl"):
        pattern = re.compile(rf"{part}(?:-(\d+))?\.{suffix}")
        names = {name: int(found[1] or 1) for name in dataset.file_names if (found := pattern.fullmatch(name))}
        if names:
            return sorted(names, key=lambda name: names[name])
    return []


def windows_of(dataset: Unpacked, part: str, *, labels: Sequence[str], nlp: Language) -> Windows:
    """The part's windows with the spans of these labels in the group SPANS_KEY. Raises FinetuneError."""
    docs: list[Doc] = []
    left_out: Counter[str] = Counter()
    n_notes = 0
    for name in files_of(dataset, part):
        path = dataset.checked(name)
        for text, places in _docbin_notes(path) if path.suffix == ".spacy" else _jsonl_notes(path, left_out):
            n_notes += 1
            wanted = [place for place in places if place[2] in labels]
            docs += _windows(nlp, text, wanted, left_out)
    n_spans = Counter(span.label_ for doc in docs for span in doc.spans[SPANS_KEY])
    return Windows(docs, n_notes, n_spans, left_out)


def longest_of(windows: Windows, recipe: SpacyRecipe) -> int:
    """How many tokens a span may have that spancat is asked about."""
    lengths = sorted(len(span) for doc in windows.found for span in doc.spans[SPANS_KEY])
    place = min(int(len(lengths) * (1 - _LONG_SHARE)), len(lengths) - 1)
    return recipe.longest or min(lengths[place], MOST_TOKENS)


def example_of(nlp: Language, doc: Doc, recipe: SpacyRecipe, *, longest: int) -> Example:
    """What is asked and what is right, for the component that is trained."""
    right = doc.copy()
    spans = list(doc.spans[SPANS_KEY])
    if recipe.component == NER:
        right.set_ents(filter_spans(spans))
    right.spans[SPANS_KEY] = [span_in(right, span) for span in spans if len(span) <= longest]
    return Example(nlp.make_doc(doc.text), right)


def span_in(doc: Doc, span: Span) -> Span:
    """The same tokens of another doc."""
    return Span(doc, span.start, span.end, label=span.label)


def _windows(nlp: Language, text: str, places: Sequence[Place], left_out: Counter[str]) -> Iterator[Doc]:
    """The note in windows as a labeler reads it."""
    n_whole = 0
    for chunk in chunks(text, WINDOW):
        doc = nlp.make_doc(text[chunk.start : chunk.end])
        inside = [place for place in places if chunk.start <= place[0] and place[1] <= chunk.end]
        n_whole += len(inside)
        # One place may have a label once; another reading of a note may have told it twice.
        spans = [
            doc.char_span(start - chunk.start, end - chunk.start, label=label)
            for start, end, label in sorted(set(inside))
        ]
        whole = [span for span in spans if span is not None]
        left_out["spans that begin or end within a token"] += len(spans) - len(whole)
        doc.spans[SPANS_KEY] = whole
        yield doc
    left_out["spans across two windows"] += len(places) - n_whole


def _docbin_notes(path: Path) -> Iterator[tuple[str, list[Place]]]:
    import spacy

    for doc in DocBin().from_bytes(path.read_bytes()).get_docs(spacy.blank("en").vocab):
        yield doc.text, [(span.start_char, span.end_char, span.label_) for span in doc.spans.get(SPANS_KEY, ())]


def _jsonl_notes(path: Path, left_out: Counter[str]) -> Iterator[tuple[str, list[Place]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row: dict[str, Any] = json.loads(line)
                spans = [(len(one["fragments"]), (one["start"], one["end"], one["label"])) for one in row["spans"]]
                text: str = row["text"]
            except (ValueError, KeyError, TypeError):
                raise FinetuneError(f"{path.name}, line {number}: no note with spans") from None
            whole = [place for n_pieces, place in spans if n_pieces == 1]
            left_out["spans in pieces"] += len(spans) - len(whole)
            yield text, whole
