"""BioC XML: one collection for each part, a note as a document of one passage.

Offsets count code points from the note's beginning. Everything said of a span or note is an infon: attributes under
their own names, where a span comes from under `source.…`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from annotator.builds.formats import xml
from annotator.builds.formats.lines import PartFiles, compact_json, sorted_json
from annotator.builds.formats.sources import source_fields, utc
from annotator.builds.records import BuildContext, NoteRecord, RelationRecord, SpanRecord

NAME = "bioc"
TITLE = "BioC XML"
GROUP = "For annotation tools"
HINT = "the format of biomedical text mining, one file a part; INCEpTION reads it"
OFFSETS = "code points, with lengths for ends"
READ = 'with bioc.biocxml.iterparse("train.bioc.xml") as documents: first = next(documents)'
NEEDS = ""
LEAVES_OUT = ("comments",)
KEEPS_PIECES = True
_HEAD = (
    f"{xml.DECLARATION}<collection><source>Marginalia</source><date></date>"
    "<key>Offsets and lengths count Unicode code points of the note. The infon 'type' is a label.</key>\n"
)
# What an attribute may not be called by, since spans have it already.
_TYPE = "type"


class BiocWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._losses = context.losses
        self._files = PartFiles(folder=folder, suffix="bioc.xml", head=_HEAD, tail="</collection>\n")

    def add(self, *, note: NoteRecord, part: str) -> None:
        infons = {"patient_id": note.patient_id, "note_type": note.note_type}
        if note.metadata:
            infons["metadata"] = compact_json(sorted_json(note.metadata))
        for found in note.document_labels:
            infons[f"label.{found.name}"] = found.value
            infons[f"label.{found.name}.annotator"] = found.annotator
            infons[f"label.{found.name}.decided_at"] = utc(found.decided_at)
        lines = [
            f"<document><id>{self._content(note.id)}</id>{self._infons(infons)}",
            f"<passage><offset>0</offset><text>{self._content(note.text)}</text>\n",
            *(self._annotation(place, found) for place, found in enumerate(note.spans)),
            *(self._relation(place, found) for place, found in enumerate(note.relations)),
            "</passage></document>\n",
        ]
        self._files.write(part=part, text="".join(lines))

    def close(self) -> dict[str, int | None]:
        return self._files.close()

    def _annotation(self, place: int, found: SpanRecord) -> str:
        infons = {_TYPE: found.label}
        for name, value in sorted(found.attributes.items()):
            infons[f"attribute.{name}" if name == _TYPE else name] = value
        infons |= {f"source.{name}": value for name, value in source_fields(found).items()}
        places = "".join(f'<location offset="{start}" length="{end - start}"/>' for start, end in found.span.fragments)
        # The surface is part of the text, whose characters are counted already.
        surface = xml.content(xml.storable(found.surface, Counter()))
        return f'<annotation id="T{place}">{self._infons(infons)}{places}<text>{surface}</text></annotation>\n'

    def _relation(self, place: int, found: RelationRecord) -> str:
        infons = {_TYPE: found.type, "source.annotator": found.annotator, "source.decided_at": utc(found.decided_at)}
        nodes = f'<node refid="T{found.head}" role="head"/><node refid="T{found.tail}" role="tail"/>'
        return f'<relation id="R{place}">{self._infons(infons)}{nodes}</relation>\n'

    def _infons(self, infons: Mapping[str, str]) -> str:
        return "".join(
            f"<infon{xml.attribute('key', key)}>{self._content(value)}</infon>"
            for key, value in infons.items()
            if value
        )

    def _content(self, text: str) -> str:
        return xml.content(xml.storable(text, self._losses))


open_writer = BiocWriter
