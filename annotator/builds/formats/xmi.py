"""UIMA CAS as XMI: a file for each note, in zip files of some thousand notes, each with its TypeSystem.xml.

Offsets count UTF-16 units, as Java does. A span in pieces has its hull, and its pieces as `fragments`. The types are
few and do not depend on the labels, which are a feature; attributes of the schema are features too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotator.builds.formats import xml
from annotator.builds.formats.lines import compact_json, sorted_json
from annotator.builds.formats.names import PlainNames
from annotator.builds.formats.sources import SOURCE_FIELDS, source_fields, utc
from annotator.builds.formats.zips import PartZips
from annotator.builds.records import BuildContext, NoteRecord, SpanRecord
from annotator.core.spans import Utf16Offsets

NAME = "xmi"
TITLE = "UIMA CAS XMI"
GROUP = "For annotation tools"
HINT = "a CAS a note with its type system, for INCEpTION, cTAKES and dkpro-cassis"
OFFSETS = "UTF-16 units"
READ = (
    'cassis.load_cas_from_xmi(open("NOTE.xmi", "rb"), typesystem=cassis.load_typesystem(open("TypeSystem.xml", "rb")))'
)
NEEDS = ""
LEAVES_OUT = ("comments",)
KEEPS_PIECES = True

_STRING, _DOUBLE, _BOOLEAN = "uima.cas.String", "uima.cas.Double", "uima.cas.Boolean"
_ANNOTATION, _TOP, _ARRAY = "uima.tcas.Annotation", "uima.cas.TOP", "uima.cas.FSArray"
_KINDS = {"score": _DOUBLE, "target": _DOUBLE, "delta": _DOUBLE, "is_edited": _BOOLEAN}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


_SOURCE = {name: _camel(name) for name in SOURCE_FIELDS}
_TAKEN = ("begin", "end", "sofa", "label", "fragments", *_SOURCE.values())
_Features = Mapping[str, str | int | Sequence[int]]


class XmiWriter:
    def __init__(self, *, folder: Path, context: BuildContext) -> None:
        self._losses = context.losses
        names = [attribute.name for attribute in context.schema.attributes]
        self._attributes = PlainNames(names, taken=_TAKEN, is_identifier=True)
        self._zips = PartZips(folder=folder, suffix="xmi.zip", shared=self._shared)

    def add(self, *, note: NoteRecord, part: str) -> None:
        cas = _Cas(note.text, self._losses)
        cas.add(
            "Note",
            {
                **cas.place(0, len(note.text)),
                "language": "x-unspecified",
                "noteId": note.id,
                "patientId": note.patient_id,
                "noteType": note.note_type,
                "metadata": compact_json(sorted_json(note.metadata)) if note.metadata else "",
            },
        )
        spans = [self._add_span(cas, found) for found in note.spans]
        for tie in note.relations:
            ends = {"head": spans[tie.head], "tail": spans[tie.tail]}
            cas.add(
                "Relation", {"label": tie.type, **ends, "annotator": tie.annotator, "decidedAt": utc(tie.decided_at)}
            )
        for said in note.document_labels:
            by_whom = {"annotator": said.annotator, "decidedAt": utc(said.decided_at)}
            cas.add("NoteLabel", {"name": said.name, "value": said.value, **by_whom})
        self._zips.add(part=part, members={f"{note.public_id}.xmi": cas.to_xml()})

    def close(self) -> dict[str, int | None]:
        return self._zips.close()

    def _add_span(self, cas: _Cas, found: SpanRecord) -> int:
        pieces = found.span.fragments if found.span.is_discontinuous else ()
        fragments = [cas.add("Fragment", cas.place(start, end)) for start, end in pieces]
        return cas.add(
            "Span",
            {
                **cas.place(found.span.start, found.span.end),
                "label": found.label,
                "fragments": fragments,
                **{self._attributes.of(name): value for name, value in sorted(found.attributes.items())},
                **{_SOURCE[name]: value for name, value in source_fields(found).items()},
            },
        )

    def _shared(self) -> dict[str, str]:
        own = {word: _STRING for _, word in self._attributes}
        source = {feature: _KINDS.get(name, _STRING) for name, feature in _SOURCE.items()}
        by_whom = {"annotator": _STRING, "decidedAt": _STRING}
        about = dict.fromkeys(("noteId", "patientId", "noteType", "metadata"), _STRING)
        types = [
            _type("Note", "uima.tcas.DocumentAnnotation", about),
            _type("Fragment", _ANNOTATION, {}),
            _type("Span", _ANNOTATION, {"label": _STRING, "fragments": _ARRAY, **own, **source}),
            _type(
                "Relation", _TOP, {"label": _STRING, "head": "marginalia.Span", "tail": "marginalia.Span", **by_whom}
            ),
            _type("NoteLabel", _TOP, {"name": _STRING, "value": _STRING, **by_whom}),
        ]
        return {
            "TypeSystem.xml": f'{xml.DECLARATION}<typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier">'
            f"\n<types>\n{''.join(types)}</types>\n</typeSystemDescription>\n"
        }


open_writer = XmiWriter


class _Cas:
    """One note as XMI. Ids are in the order in which things are added; 1 is the text."""

    def __init__(self, text: str, losses: Counter[str]) -> None:
        self._losses = losses
        self._offsets = Utf16Offsets(text)
        self._text = xml.storable(text, losses)
        self._lines: list[str] = []

    def place(self, start: int, end: int) -> dict[str, int]:
        return {"sofa": 1, "begin": self._offsets.unit(start), "end": self._offsets.unit(end)}

    def add(self, type: str, features: _Features) -> int:
        """The id of a new feature structure. A feature that is empty is left out."""
        id = len(self._lines) + 2
        written = [
            xml.attribute(name, xml.storable(_written(value), self._losses))
            for name, value in features.items()
            if value not in ("", [])
        ]
        self._lines.append(f'<marginalia:{type} xmi:id="{id}"{"".join(written)}/>\n')
        return id

    def to_xml(self) -> str:
        members = " ".join(str(id) for id in range(2, len(self._lines) + 2))
        return (
            f'{xml.DECLARATION}<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"'
            ' xmlns:marginalia="http:///marginalia.ecore" xmi:version="2.0">\n<cas:NULL xmi:id="0"/>\n'
            f'{"".join(self._lines)}<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text/plain"'
            f'{xml.attribute("sofaString", self._text)}/>\n<cas:View sofa="1" members="{members}"/>\n</xmi:XMI>\n'
        )


def _written(value: str | int | Sequence[int]) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else " ".join(map(str, value))


def _type(name: str, above: str, features: Mapping[str, str]) -> str:
    lines = "".join(
        f"<featureDescription><name>{feature}</name><description/><rangeTypeName>{kind}</rangeTypeName>"
        + ("<elementType>marginalia.Fragment</elementType>" if kind == _ARRAY else "")
        + "</featureDescription>\n"
        for feature, kind in features.items()
    )
    return (
        f"<typeDescription><name>marginalia.{name}</name><description/><supertypeName>{above}</supertypeName>"
        f"<features>\n{lines}</features></typeDescription>\n"
    )
