"""Label Studio: one list of tasks for each part, and the labelling configuration that shows them.

Offsets count UTF-16 units, as Label Studio does. It has no span in pieces: each piece is a region, and a relation goes
from one to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from annotator.builds.formats import xml
from annotator.builds.formats.lines import PartFiles, compact_json, end_file, new_file, sorted_json
from annotator.builds.formats.names import PlainNames
from annotator.builds.formats.sources import known_attributes
from annotator.builds.records import BuildContext, NoteRecord, SpanRecord
from annotator.core.spans import Utf16Offsets

NAME = "label-studio"
TITLE = "Label Studio JSON"
GROUP = "For annotation tools"
HINT = "tasks with their annotations, and the labelling configuration for them"
OFFSETS = "UTF-16 units"
READ = "label-studio: make a project with label-studio.xml, then import train.label-studio.json"
NEEDS = ""
LEAVES_OUT = ("who decided what and when", "models and certificates", "comments")
KEEPS_PIECES = True
CONFIGURATION = "label-studio.xml"
# No relation of a schema is called so: their names begin with a letter.
NEXT_PIECE = "(next piece)"
_LABEL, _TEXT = "label", "text"


class LabelStudioWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        schema = context.schema
        self._folder = folder
        self._context = context
        self._labels = dict.fromkeys(schema.label_names)  # in order
        self._relations = dict.fromkeys([relation.name for relation in schema.relations])
        self._names = PlainNames()
        self._files = PartFiles(folder=folder, suffix="label-studio.json", head="[\n", between=",\n", tail="\n]\n")

    def add(self, *, note: NoteRecord, part: str) -> None:
        task = {
            "data": {
                "text": note.text,
                "id": note.id,
                "patient_id": note.patient_id,
                "note_type": note.note_type,
                "metadata": sorted_json(note.metadata),
            },
            "annotations": [{"result": list(self._results(note))}],
        }
        self._files.write(part=part, text=compact_json(task))

    def close(self) -> dict[str, int | None]:
        n_rows = self._files.close()
        with new_file(self._folder / CONFIGURATION) as file:
            file.write(self._configuration())
            end_file(file)
        return n_rows | {CONFIGURATION: None}

    def _results(self, note: NoteRecord) -> Iterator[dict[str, Any]]:
        offsets = Utf16Offsets(note.text)
        for place, found in enumerate(note.spans):
            yield from self._regions(f"s{place}", found, note.text, offsets)
        for tie in note.relations:
            self._relations.setdefault(tie.type)
            yield _relation(f"s{tie.head}", f"s{tie.tail}", tie.type)
        known = {asked.name for asked in self._context.schema.document_labels}
        for place, said in enumerate(note.document_labels):
            if said.name in known:
                yield {
                    "id": f"n{place}",
                    "from_name": self._names.of(f"note {said.name}"),
                    "to_name": _TEXT,
                    "type": "choices",
                    "value": {"choices": [said.value]},
                }
            else:
                self._context.losses["labels of whole notes that the schema no longer has"] += 1

    def _regions(self, id: str, found: SpanRecord, text: str, offsets: Utf16Offsets) -> Iterator[dict[str, Any]]:
        """The span's pieces, its attributes on the first, and what joins them."""
        self._labels.setdefault(found.label)
        attributes = known_attributes(found, self._context.schema, self._context.losses)
        ids = [id, *(f"{id}-{number}" for number in range(2, len(found.span.fragments) + 1))]
        for region, (start, end) in zip(ids, found.span.fragments, strict=True):
            place = {"start": offsets.unit(start), "end": offsets.unit(end), "text": text[start:end]}
            base = {"id": region, "to_name": _TEXT, "origin": _origin(found)}
            yield {**base, "from_name": _LABEL, "type": "labels", "value": {**place, "labels": [found.label]}}
            for name, value in attributes.items() if region == id else ():
                yield {
                    **base,
                    "from_name": self._names.of(f"span {name}"),
                    "type": "choices",
                    "value": {**place, "choices": [value]},
                }
        for before, after in pairwise(ids):
            yield _relation(before, after, NEXT_PIECE)

    def _configuration(self) -> str:
        schema = self._context.schema
        lines = ["<View>", "  <Style>.htx-text { white-space: pre-wrap; }</Style>"]
        lines += _element("Labels", {"name": _LABEL, "toName": _TEXT}, "Label", self._labels)
        lines.append(f'  <Text name="{_TEXT}" value="$text"/>')
        lines += _element("Relations", {}, "Relation", [*self._relations, NEXT_PIECE])
        for attribute in schema.attributes:
            about = {
                "name": self._names.of(f"span {attribute.name}"),
                "toName": _TEXT,
                "perRegion": "true",
                "whenTagName": _LABEL,
                "whenLabelValue": ",".join(attribute.labels),
            }
            values = [value.name for value in attribute.values]
            lines += [_header(attribute.name), *_element("Choices", about, "Choice", values)]
        for asked in schema.document_labels:
            about = {"name": self._names.of(f"note {asked.name}"), "toName": _TEXT}
            lines += [_header(asked.name), *_element("Choices", about, "Choice", asked.values)]
        return "\n".join([*lines, "</View>", ""])


open_writer = LabelStudioWriter


def _origin(found: SpanRecord) -> str:
    """What Label Studio says of a region: made by hand, by a model, or by a model and then changed."""
    if found.origin is None:
        return "manual"
    return "prediction-changed" if found.origin.is_edited else "prediction"


def _relation(head: str, tail: str, label: str) -> dict[str, Any]:
    return {"type": "relation", "from_id": head, "to_id": tail, "direction": "right", "labels": [label]}


def _element(tag: str, about: dict[str, str], inner: str, values: Any) -> list[str]:
    attributes = "".join(xml.attribute(name, value) for name, value in about.items())
    return [
        f"  <{tag}{attributes}>",
        *(f"    <{inner}{xml.attribute('value', value)}/>" for value in values),
        f"  </{tag}>",
    ]


def _header(name: str) -> str:
    return f"  <Header{xml.attribute('value', name)}/>"
