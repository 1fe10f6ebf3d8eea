"""From a posted form to an act, and from an open one to the third version that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import CaseFile
from annotator.adjudication.services import Act, ChoiceConflict, Redo, Settle, Undo
from annotator.core.cases import OUTSIDE, Case, SaidSpan, Version
from annotator.core.spans import Span, SpanError
from annotator.core.tokens import Edge, move_boundary, snap

_What = Choice.What
_ASKED = (
    *("take", "case", "digest", "edit", "part", "start", "end", "label", "value", "attributes", "reason"),
    "proposes_example",
)


@dataclass(frozen=True, slots=True)
class Third:
    """A third version that is being written: `base` with the span at `part` as it is now, or another value."""

    base: Version
    part: int
    spans: tuple[SaidSpan, ...]
    value: str

    @property
    def said(self) -> SaidSpan | None:
        """The span that is being changed; None for a label of the note."""
        return self.spans[self.part] if self.spans else None


def asked_of(data: Mapping[str, Any]) -> str:
    """What the checked form asks for, in words that are the same whenever it is sent again."""
    return ", ".join(f"{name} {data[name]}" for name in _ASKED if data[name] not in (None, "", False, {}))


def act_of(file: CaseFile, data: Mapping[str, Any]) -> Act:
    """What the checked form asks for. Raises ChoiceConflict, and SpanError for a third version without a place."""
    take, _, digest = data["take"].partition(":")
    if take in {"undo", "redo"}:
        return Undo() if take == "undo" else Redo()
    case = file.case(data["case"])
    if case is None:
        raise ChoiceConflict("What the readers say here has changed. This is how it stands now.")
    third = third_of(file, case, data) if take == _What.EDIT else None
    return Settle(
        case_key=case.key,
        digest=data["digest"],
        what=_What(take),
        version=third.base.digest if third else digest,
        spans=third.spans if third else (),
        value=third.value if third else "",
        reason=data["reason"],
        proposes_example=data["proposes_example"],
    )


def third_of(file: CaseFile, case: Case, data: Mapping[str, Any]) -> Third:
    """The third version as the checked form has it so far: it begins as the version named, else as the first that says
    anything. Raises SpanError for bounds that are none, or lie outside of the case.
    """
    base = case.version(data["edit"])
    if base is None or base.is_empty:
        base = next(version for version in case.versions if not version.is_empty)
    part = min(data["part"] or 0, max(len(base.spans) - 1, 0))
    if not base.spans:
        return Third(base, part, (), data["value"] or base.value)
    said = base.spans[part]
    span = _moved(file.text, _placed(file.text, said.span, data), data["move"])
    label = data["label"] or said.label
    allowed = {attribute.name for attribute in file.schema_version.schema.attributes_of(label)}
    attributes = {**dict(said.attributes), **data["attributes"]}
    others = (*base.spans[:part], *base.spans[part + 1 :])
    if not case.holds([span, *(other.span for other in others)]):
        raise SpanError(OUTSIDE)
    changed = replace(
        said,
        span=span,
        label=label,
        attributes=tuple(sorted((name, value) for name, value in attributes.items() if name in allowed)),
    )
    return Third(base, part, (*base.spans[:part], changed, *base.spans[part + 1 :]), "")


def _placed(text: str, span: Span, data: Mapping[str, Any]) -> Span:
    """The span, or another of one piece where the form gives bounds that are not its own."""
    start, end = data["start"], data["end"]
    if start is None or end is None or (start, end) == (span.start, span.end):
        return span
    return Span.of(*snap(text, start, end)) if data["snap"] else Span.of(start, end)


def _moved(text: str, span: Span, move: str) -> Span:
    if not move:
        return span
    edge, step = move.split(":")
    return move_boundary(text, span, cast(Edge, edge), cast(Literal[-1, 1], int(step)))
