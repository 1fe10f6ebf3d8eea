"""Checking one note from outside against the project: its text, its spans, their labels and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class CheckedSpan:
    """A span of the stored text, under a label and with all attributes of the schema."""

    span: Span
    surface: str
    label: str
    attributes: Mapping[str, str]
    score: float


def checked_spans(
    *, note: ForeignNote, text: str, raw: NormalText | None, rules: SpanRules, report: ImportReport
) -> tuple[CheckedSpan, ...]:
    """The note's spans that are right and wanted; faults and what is left out are counted in `report`.

    `text` is the stored text; `raw` maps offsets where the note came with a text of its own.
    """
    found: dict[tuple[str, str], CheckedSpan] = {}
    utf16: Utf16Offsets | None = None
    n_chars = 0
    for foreign in note.spans or ():
        label = rules.label_of(foreign.label)
        if label == "":
            report.n_spans_left_out += 1
            continue
        n_chars += min(foreign.span.end, len(text)) - min(foreign.span.start, len(text))
        if n_chars > MAX_SPANS_CHARS:
            report.fault(note.spans_where or note.where, f"its spans cover more than {MAX_SPANS_CHARS:,} characters")
            return ()
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
        if found.setdefault((label, str(span)), checked) is not checked:
            report.n_spans_repeated += 1
    report.n_spans += len(found)
    return tuple(found.values())


def _attributes(foreign: ForeignSpan, label: str, schema: Schema, report: ImportReport) -> dict[str, str]:
    allowed = {attribute.name for attribute in schema.attributes_of(label)}
    known = {name: value for name, value in foreign.attributes.items() if name in allowed}
    report.n_attributes_left_out += len(foreign.attributes) - len(known)
    for name, value in known.items():
        if len(value) > MAX_VALUE_CHARS:
            raise SchemaError(f"attribute {name!r} has no value of {len(value)} characters")
    return schema.checked_attributes(label=label, given=known)
