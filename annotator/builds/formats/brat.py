"""brat standoff: a `.txt` and an `.ann` for each note, in zip files of some thousand notes.

A note's files are named by its public id; `notes.jsonl` says which note that is, and holds what brat has no place for.
`annotation.conf` holds the schema.
Offsets count code points. brat keeps no fragment with a line end in it: such a one is cut there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from annotator.builds.formats.lines import sorted_json
from annotator.builds.formats.names import PlainNames
from annotator.builds.formats.sources import known_attributes
from annotator.builds.formats.zips import PartZips
from annotator.builds.records import BuildContext, CommentRecord, NoteRecord, SpanRecord
from annotator.core.brat import write_ann
from annotator.core.foreign import ForeignRelation, ForeignSpan
from annotator.core.spans import Span

NAME = "brat"
TITLE = "brat standoff"
GROUP = "For annotation tools"
HINT = "a text and an annotation file a note; can be imported again"
OFFSETS = "code points"
READ = "unzip train.brat.zip -d data/clinic"
NEEDS = ""
LEAVES_OUT = ("provenance",)
KEEPS_PIECES = True
# All that Python, and so brat, takes for the end of a line.
_LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


class BratWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        schema = context.schema
        self._context = context
        self._labels = PlainNames(schema.label_names)
        self._attributes = PlainNames(attribute.name for attribute in schema.attributes)
        self._relations = PlainNames(relation.name for relation in schema.relations)
        self._zips = PartZips(folder=folder, suffix="brat.zip", shared=self._shared, index="notes.jsonl")

    def add(self, *, note: NoteRecord, part: str) -> None:
        spans = [self._span(note.text, found) for found in note.spans]
        relations = [
            ForeignRelation("", self._relations.of(found.type), found.head, found.tail) for found in note.relations
        ]
        ann = write_ann(text=note.text, spans=spans, relations=relations, notes=self._notes(note))
        self._zips.add(
            part=part,
            members={f"{note.public_id}.txt": note.text, f"{note.public_id}.ann": ann},
            row=_note_row(note),
        )

    def close(self) -> dict[str, int | None]:
        return self._zips.close()

    def _span(self, text: str, found: SpanRecord) -> ForeignSpan:
        lines = [
            (start + line.start(), start + line.end())
            for start, end in found.span.fragments
            for line in _LINE.finditer(text[start:end])
            if line[0].strip()
        ]
        place = Span(tuple(lines))
        if place != found.span:
            self._context.losses["spans across line ends, cut into pieces there"] += 1
        return ForeignSpan(
            where="",
            span=place,
            label=self._labels.of(found.label),
            attributes={
                self._attributes.of(name): value
                for name, value in known_attributes(found, self._context.schema, self._context.losses).items()
            },
        )

    def _notes(self, note: NoteRecord) -> list[tuple[int, str]]:
        """Comments about spans as they stand, by the span's place; others are counted."""
        if not self._context.options.has_comments:
            if note.comments:
                self._context.losses["comments, which were not asked for"] += len(note.comments)
            return []
        places = {(found.span, found.label): place for place, found in enumerate(note.spans)}
        found = []
        for comment in note.comments:
            place = places.get((comment.span, comment.label)) if comment.span else None
            if place is None:
                self._context.losses["comments about no span of the note"] += 1
            else:
                found.append((place, _said(comment)))
        return found

    def _shared(self) -> dict[str, str]:
        """brat's configuration: what the notes so far have, and what the schema allows."""
        schema = self._context.schema

        def labels(names: tuple[str, ...]) -> str:
            return "|".join(self._labels.of(name) for name in names)

        # Without the first line brat shows spans that overlap as mistakes.
        ties = ["<OVERLAP>\tArg1:<ENTITY>, Arg2:<ENTITY>, <OVL-TYPE>:<ANY>"]
        ties += [
            f"{self._relations.of(relation.name)}\tArg1:{labels(relation.heads)}, Arg2:{labels(relation.tails)}"
            for relation in schema.relations
        ]
        attributes = [
            f"{self._attributes.of(attribute.name)}\tArg:{labels(attribute.labels)}, "
            f"Value:{'|'.join(value.name for value in attribute.values)}"
            for attribute in schema.attributes
        ]
        sections = {"entities": [word for _, word in self._labels], "relations": ties, "events": []}
        sections["attributes"] = attributes
        lines = [line for title, found in sections.items() for line in (f"[{title}]", *found, "")]
        return {"annotation.conf": "\n".join(lines)}


open_writer = BratWriter


def _said(comment: CommentRecord) -> str:
    return " ".join(f"{comment.kind}: {comment.body}".split()).removesuffix(":")


def _note_row(note: NoteRecord) -> dict[str, Any]:
    return {
        "file": note.public_id,
        "id": note.id,
        "patient_id": note.patient_id,
        "note_type": note.note_type,
        "metadata": sorted_json(note.metadata),
        "document_labels": {found.name: found.value for found in note.document_labels},
    }
