"""Checking one note from outside against the project: its text, its spans, their labels and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from annotator.core.foreign import ForeignNote, ForeignSpan
from annotator.core.schema import Schema, SchemaError
from annotator.core.spans import Span, SpanError, Utf16Offsets, checked_surface
from annotator.core.text import NormalText
from annotator.exchange.reports import ImportReport

MAX_FRAGMENTS_CHARS = 500  # Annotation.fragments and Suggestion.fragments
MAX_VALUE_CHARS = 60  # what an error may quote
MAX_SPANS_CHARS = 20_000_000  # of a note's spans together: each is stored with its text
NO_SCORE = 0.5  # of a span that comes without one: nothing says how sure its labeler was


class LabelMapError(ValueError):
    """A label map that names labels the schema does not have."""


@dataclass(frozen=True, slots=True)
class SpanRules:
    """What becomes of foreign labels: `label_map` goes first ("" leaves out), then labels of the same name.

    Raises LabelMapError where the map leads to a label that the schema does not have.
    """

    schema: Schema
    label_map: Mapping[str, str]

    def __post_init__(self) -> None:
        unknown = sorted({target for target in self.label_map.values() if target} - set(self.schema.label_names))
        if unknown:
            raise LabelMapError(
                f"the schema has no label {', '.join(map(repr, unknown))}; it has {', '.join(self.schema.label_names)}"
            )

    def label_of(self, foreign: str) -> str | None:
        """The schema's label, "" for one to leave out, None for one that nobody said anything about."""
        if foreign in self.label_map:
            return self.label_map[foreign]
        return foreign if foreign in self.schema.label_names else None

    def relation_of(self, foreign: str) -> str | None:
        """The schema's type of that name, in which "_" may stand for a space; None where it has none."""
        names = [relation.name for relation in self.schema.relations]
        return next((name for name in names if foreign in (name, name.replace(" ", "_"))), None)


@dataclass(frozen=True, slots=True)
class CheckedSpan:
    """A span of the stored text, under a label and with all attributes of the schema."""

    span: Span
    surface: str
    label: str
    attributes: Mapping[str, str]
    score: float


class CheckedRelation(NamedTuple):
    """A relation of the schema between two of a note's checked spans, by their places among these."""

    type: str
    head: int
    tail: int


@dataclass(frozen=True, slots=True)
class CheckedNote:
    """What is right and wanted of what a source says about a note."""

    spans: tuple[CheckedSpan, ...] = ()
    relations: tuple[CheckedRelation, ...] = ()
    document_labels: Mapping[str, str] = field(default_factory=dict)


def checked_note(
    *,
    note: ForeignNote,
    text: str,
    raw: NormalText | None,
    rules: SpanRules,
    is_annotating: bool,
    report: ImportReport,
) -> CheckedNote:
    """What may be written of the note; faults and what is left out are counted in `report`.

    Only annotations have relations and labels of the note. `text` is the stored text; `raw` maps offsets where the note
    came with a text of its own.
    """
    n_faults = report.n_errors
    spans, places = _checked_spans(note, text, raw, rules, report)
    if not is_annotating:
        report.n_relations_left_out += len(note.relations)
        report.n_document_labels_left_out += len(note.document_labels)
    if not is_annotating or report.n_errors > n_faults:
        return CheckedNote(spans)
    relations = _checked_relations(note, spans, places, rules, report)
    document_labels = dict(note.document_labels)
    if note.is_loose:
        known = {each.name for each in rules.schema.document_labels}
        report.lose(
            {f"labels of notes that the schema does not ask for: {name}": 1 for name in document_labels.keys() - known}
        )
        document_labels = {name: value for name, value in document_labels.items() if name in known}
    for name, value in document_labels.items():
        try:
            rules.schema.check_value(name, value)
        except SchemaError as error:
            report.fault(note.where, f"'document_labels': {error}")
    report.n_relations += len(relations)
    report.n_document_labels += len(document_labels)
    return CheckedNote(spans, relations, document_labels)


def _checked_spans(
    note: ForeignNote, text: str, raw: NormalText | None, rules: SpanRules, report: ImportReport
) -> tuple[tuple[CheckedSpan, ...], dict[int, int]]:
    """The spans, and by the place of each foreign one that is among them its place there."""
    found: dict[tuple[str, str], CheckedSpan] = {}
    keys: dict[int, tuple[str, str]] = {}
    utf16: Utf16Offsets | None = None
    n_chars = 0
    for place, foreign in enumerate(note.spans or ()):
        label = rules.label_of(foreign.label)
        if label == "":
            report.n_spans_left_out += 1
            continue
        n_chars += min(foreign.span.end, len(text)) - min(foreign.span.start, len(text))
        if n_chars > MAX_SPANS_CHARS:
            report.fault(note.spans_where or note.where, f"its spans cover more than {MAX_SPANS_CHARS:,} characters")
            return (), {}
        try:
            span = raw.span_from_raw(foreign.span) if raw else foreign.span
            surface = checked_surface(text=text, span=span, surface=foreign.surface)
            if label is None:
                report.count_unknown(foreign.label)
                continue
            checked = CheckedSpan(
                span=span,
                surface=surface,
                label=label,
                attributes=_attributes(foreign, label, rules.schema, report),
                score=NO_SCORE if foreign.score is None else foreign.score,
            )
            if len(str(span)) > MAX_FRAGMENTS_CHARS:
                raise SpanError(f"{len(span.fragments)} fragments are too many to be stored")
        except (SpanError, SchemaError) as error:
            utf16 = utf16 or Utf16Offsets(text if note.text is None else note.text)
            is_utf16 = isinstance(error, SpanError) and utf16.fits(foreign.span, foreign.surface or "")
            hint = "; counted in UTF-16 units, as JavaScript and Java do, they fit" if is_utf16 else ""
            report.fault(note.spans_where or note.where, f"{foreign.where}: {error}{hint}")
            continue
        keys[place] = (label, str(span))
        if found.setdefault(keys[place], checked) is not checked:
            report.n_spans_repeated += 1
    report.n_spans += len(found)
    order = {key: number for number, key in enumerate(found)}
    return tuple(found.values()), {place: order[key] for place, key in keys.items()}


def _checked_relations(
    note: ForeignNote, spans: Sequence[CheckedSpan], places: Mapping[int, int], rules: SpanRules, report: ImportReport
) -> tuple[CheckedRelation, ...]:
    found: dict[CheckedRelation, None] = {}
    for foreign in note.relations:
        type = rules.relation_of(foreign.type)
        is_unknown = type is None and foreign.may_be_left_out
        if is_unknown or foreign.head not in places or foreign.tail not in places:
            report.n_relations_left_out += 1
            continue
        checked = CheckedRelation(type or foreign.type, places[foreign.head], places[foreign.tail])
        try:
            rules.schema.check_relation(checked.type, head=spans[checked.head].label, tail=spans[checked.tail].label)
            if checked.head == checked.tail:
                raise SchemaError("a relation joins two spans, and this is one")
        except SchemaError as error:
            report.fault(note.spans_where or note.where, f"{foreign.where}: {error}")
            continue
        report.n_relations_left_out += checked in found
        found[checked] = None
    return tuple(found)


def _attributes(foreign: ForeignSpan, label: str, schema: Schema, report: ImportReport) -> dict[str, str]:
    allowed = {attribute.name for attribute in schema.attributes_of(label)}
    known = {name: value for name, value in foreign.attributes.items() if name in allowed}
    report.n_attributes_left_out += len(foreign.attributes) - len(known)
    for name, value in known.items():
        if len(value) > MAX_VALUE_CHARS:
            raise SchemaError(f"attribute {name!r} has no value of {len(value)} characters")
    return schema.checked_attributes(label=label, given=known)
