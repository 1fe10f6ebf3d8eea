"""Reading a note that is adjudicated: its cases, what was chosen in them, and what gold is to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase

from annotator.adjudication.models import Choice
from annotator.annotations.models import Annotation
from annotator.core.cases import Case, SaidSpan, Version, compare
from annotator.core.spans import Span
from annotator.projects.models import SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.readings.models import Adjudication
from annotator.readings.selectors import NoteReading, readings_of

_What = Choice.What


@dataclass(frozen=True, slots=True)
class WantedSpan:
    """A span that gold is to have: of which case and choice, and the readers' annotations behind it."""

    case_key: str
    choice: Choice
    said: SaidSpan
    sources: tuple[Annotation, ...]


@dataclass(frozen=True)
class CaseFile:
    """A note with its readings, their cases, and the choices made so far, oldest first."""

    adjudication: Adjudication
    schema_version: SchemaVersion
    readings: Sequence[NoteReading]
    cases: Sequence[Case]
    choices: Sequence[Choice]

    def with_choice(self, choice: Choice) -> CaseFile:
        return replace(self, choices=[*self.choices, choice])

    @property
    def text(self) -> str:
        return self.adjudication.document.text

    def case(self, key: str) -> Case | None:
        return next((case for case in self.cases if case.key == key), None)

    @cached_property
    def differences(self) -> list[Case]:
        """The cases that somebody has to settle."""
        return [case for case in self.cases if not case.is_agreed]

    @cached_property
    def standing(self) -> dict[str, Choice]:
        """What counts in each case that was settled by itself, by its key."""
        digests = {case.key: case.digest for case in self.cases}
        undone = {choice.undoes_id for choice in self.choices if choice.undoes_id}
        return {
            choice.case_key: choice
            for choice in self.choices
            if choice.case_key and choice.pk not in undone and digests.get(choice.case_key) == choice.digest
        }

    @cached_property
    def agreed(self) -> Choice | None:
        """The choice that took what all readings agree on; None where it is still to be taken."""
        digest = agreed_digest(self.cases)
        return next((each for each in self.choices if each.what == _What.AGREED and each.digest == digest), None)

    @property
    def n_settled(self) -> int:
        return sum(case.key in self.standing for case in self.differences)

    @property
    def last(self) -> Choice | None:
        """What Undo takes back: the newest choice that counts or would count, not undone."""
        return max(self.standing.values(), key=lambda choice: choice.pk, default=None)

    @property
    def redoable(self) -> Choice | None:
        """The undo that may be done again: none was already, and nothing new was chosen since."""
        for choice in reversed(self.choices):
            if choice.what == _What.UNDO:
                if not any(each.redoes_id == choice.pk for each in self.choices):
                    return choice
            elif choice.what != _What.AGREED and choice.redoes_id is None:
                return None
        return None

    def letters(self, version: Version) -> str:
        """Who says it, by the letters that stand for the readers: "A", "B and C"."""
        return in_words([letter(place) for place in version.readers])

    def taken(self, case: Case) -> tuple[Choice | None, Version | None]:
        """The choice that counts in a case, and what it took; None for what is still open."""
        choice = self.standing.get(case.key)
        if choice is not None:
            return choice, content_of(choice, case)
        return (self.agreed, case.versions[0]) if case.is_agreed and self.agreed else (None, None)

    def wanted(self) -> list[WantedSpan]:
        """The spans that gold is to have, in the order of their cases."""
        found = []
        for case in self.cases:
            choice, version = self.taken(case)
            if choice is not None and version is not None:
                found += [
                    WantedSpan(case.key, choice, said, tuple(self._sources(case, choice, said)))
                    for said in version.spans
                ]
        return found

    def _sources(self, case: Case, choice: Choice, said: SaidSpan) -> Iterable[Annotation]:
        """The annotations that say so, or of a third version those that it was made from."""
        exact = [
            (place, each)
            for version in case.versions
            for place in version.readers
            for each in version.spans
            if each == said
        ]
        base = case.version(choice.version)
        if not exact and base is not None:
            exact = [(place, each) for place in base.readers for each in base.spans]
        for place, each in exact:
            yield self.readings[place].rows[str(each.span), each.label]


def case_file(adjudication: Adjudication) -> CaseFile:
    """The note as it stands now; the adjudication comes with its note and project. Six queries."""
    readings = readings_of(adjudication)
    choices = adjudication.choices.select_related("adjudicator").order_by("pk")
    return CaseFile(
        adjudication=adjudication,
        schema_version=current_schema(adjudication.document.project),
        readings=readings,
        cases=compare([reading.said for reading in readings]),
        choices=list(choices),
    )


def content_of(choice: Choice, case: Case) -> Version:
    """What a choice that holds has gold say in its case."""
    if choice.what == _What.VERSION:
        return case.version(choice.version) or Version()
    if choice.what == _What.ALL:
        return case.both or Version()
    if choice.what == _What.EDIT:
        spans = (
            SaidSpan(Span.parse(fragments), label, tuple(sorted(attributes.items())))
            for fragments, label, attributes in choice.edited["spans"]
        )
        return Version(spans=tuple(spans), value=choice.edited["value"])
    return Version()


def agreed_digest(cases: Iterable[Case]) -> str:
    """What names all that readings of a note agree on."""
    agreed = Version(value=" ".join(f"{case.key} {case.digest}" for case in cases if case.is_agreed))
    return agreed.digest


def letter(place: int) -> str:
    """What stands for a reader: their place in the order that is drawn for the note."""
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)


def in_words(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
