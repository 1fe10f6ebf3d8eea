"""Which of the finished notes a dataset is made of, and which of their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

# How a note was finished, and what was said of it: by which queue its readers came to it.
STATES = {"read": "Read by a person", "adjudicated": "Adjudicated", "certified": "Finished by certificates alone"}
STREAMS = {"uncertain": "With suggestions", "audit": "With audited spans", "blind": "Read blind"}


class FilterError(ValueError):
    """A filter that cannot be used; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What is empty filters nothing. Kept are notes that meet all that is given.

    `states` and `streams` are keys of STATES and STREAMS; a note has one state, and may have both *audit* and *blind*.
    `note_types` are `documents.selectors.type_key` of types, not their names. `since` and `until` are days, inclusive,
    on which a note was finished. `min_agreement`, in per cent, is the strict F1 that a note's readers must reach: a
    note with one reader is left out. `labels` are those whose spans go out; it leaves no note out.
    """

    states: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    note_types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    min_agreement: int = 0

    def __post_init__(self) -> None:
        for given, known in ((self.states, STATES), (self.streams, STREAMS)):
            if not set(given) <= set(known):
                raise FilterError(f"{len(set(given) - set(known))} not known: {', '.join(known)} are")
        if self.since and self.until and self.until < self.since:
            raise FilterError(f"the days are {self.since} to {self.until}: the first must not lie after the last")
        if not 0 <= self.min_agreement <= 100:
            raise FilterError(f"agreement is {self.min_agreement}: 0 to 100 per cent is wanted")

    @property
    def is_empty(self) -> bool:
        return self == NO_FILTERS

    def normal(self) -> Filters:
        """The same with each list sorted, so that equal wishes are equal values."""

        def sort(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(sorted(set(names)))

        return replace(
            self,
            states=sort(self.states),
            streams=sort(self.streams),
            note_types=sort(self.note_types),
            labels=sort(self.labels),
        )

    def to_json(self) -> dict[str, Any]:
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in found.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Filters:
        return cls(
            states=tuple(data.get("states", ())),
            streams=tuple(data.get("streams", ())),
            note_types=tuple(data.get("note_types", ())),
            labels=tuple(data.get("labels", ())),
            since=_day(data.get("since")),
            until=_day(data.get("until")),
            min_agreement=data.get("min_agreement", 0),
        )


NO_FILTERS = Filters()


def in_words(filters: Filters, type_names: Sequence[str]) -> list[str]:
    """What is asked for, a clause each; none where nothing is filtered."""
    said = []
    if filters.states:
        said.append("notes " + ", ".join(STATES[name].lower() for name in filters.states))
    if filters.streams:
        said.append("notes " + ", ".join(STREAMS[name].lower() for name in filters.streams))
    if filters.note_types:
        said.append("of type " + ", ".join(name or "(none)" for name in type_names))
    if filters.since:
        said.append(f"finished on {filters.since} or later")
    if filters.until:
        said.append(f"finished on {filters.until} or before")
    if filters.min_agreement:
        said.append(f"whose readers agree by {filters.min_agreement} % or more")
    if filters.labels:
        said.append("only the labels " + ", ".join(filters.labels))
    return said


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.isoformat() if isinstance(value, date) else value


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
