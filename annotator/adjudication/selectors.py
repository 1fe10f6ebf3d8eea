"""Reading a note that is adjudicated: its cases, what was chosen in them, and what gold is to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase
from typing import Any

from django.db.models import Case as DbCase
from django.db.models import Count, Exists, IntegerField, OuterRef, QuerySet, Sum, Value, When

from annotator.accounts.models import User
from annotator.adjudication.models import Choice
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.cases import Case, SaidSpan, Version, compare, digest_of
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.selectors import current_schema
from annotator.readings.models import Adjudication
from annotator.readings.selectors import NoteReading, readings_of_several
from annotator.review.models import APART, Decision

SEPARATOR = " | "
_What = Choice.What
_Status = Adjudication.Status


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
    def n_cases(self) -> int:
        return len(self.differences)

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


def adjudications_of(project: Project) -> QuerySet[Adjudication]:
    """The project's adjudications, with their notes and who has them."""
    return Adjudication.objects.filter(document__project=project).select_related("document__project", "leased_by")


def may_see(*, adjudication: Adjudication, viewer: User) -> bool:
    """Whether the note's readings are for this person's eyes: it is in their hands, or finished. A lease that has run
    out leaves it there until another takes it; who has left the note has it no more.
    """
    if adjudication.status == _Status.DONE:
        return True
    is_held = adjudication.leased_by == viewer and adjudication.lease_expires_at is not None
    return adjudication.status == _Status.OPEN and is_held


def has_read(person: User) -> Exists:
    """Whether the person is one of the readers of the adjudication's note."""
    readings = AnnotationSet.objects.filter(kind=AnnotationSet.Kind.READING, annotator=person)
    return Exists(readings.filter(document=OuterRef("document")))


def case_file(adjudication: Adjudication) -> CaseFile:
    """The note as it stands now; the adjudication comes with its note and project. Six queries."""
    (file,) = case_files([adjudication], schema_version=current_schema(adjudication.document.project))
    return file


def case_files(adjudications: Sequence[Adjudication], *, schema_version: SchemaVersion) -> list[CaseFile]:
    """Several notes of a project as they stand now, in their order. Five queries."""
    readings = readings_of_several(adjudications)
    choices: dict[int, list[Choice]] = {adjudication.pk: [] for adjudication in adjudications}
    for choice in Choice.objects.filter(adjudication__in=choices).select_related("adjudicator").order_by("pk"):
        choices[choice.adjudication_id].append(choice)
    return [
        CaseFile(
            adjudication=adjudication,
            schema_version=schema_version,
            readings=readings[adjudication.document_id],
            cases=compare([reading.said for reading in readings[adjudication.document_id]]),
            choices=choices[adjudication.pk],
        )
        for adjudication in adjudications
    ]


def active_seconds_of(file: CaseFile) -> dict[int, float]:
    """How long the readers of the note were at work on it, by row id, as the review page measured it. One query."""
    measured = Decision.objects.filter(
        note_item__document=file.adjudication.document_id,
        project=file.adjudication.document.project_id,
        active_seconds__isnull=False,
    ).exclude(note_item__unit__in=APART)
    return dict(measured.order_by().values_list("reviewer").annotate(seconds=Sum("active_seconds")))


def counts_of(project: Project) -> dict[str, int]:
    """How many of the project's notes are in each state of adjudication. One query."""
    rows = Adjudication.objects.filter(document__project=project).order_by().values_list("status")
    return dict.fromkeys(Adjudication.Status.values, 0) | dict(rows.annotate(n=Count("pk")))


def listed_notes(*, project: Project, status: str, viewer: User) -> QuerySet[Any]:
    """The notes that several people have read, without their text, those to adjudicate first; with `is_read`, whether
    the viewer is one of their readers. One query.
    """
    found = adjudications_of(project).annotate(is_read=has_read(viewer)).defer("document__text")
    if status:
        found = found.filter(status=status)
    order = {_Status.OPEN: 0, _Status.WAITING: 1, _Status.DONE: 2}
    place = DbCase(*(When(status=name, then=Value(n)) for name, n in order.items()), output_field=IntegerField())
    return found.order_by(place, "pk")


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
    return digest_of(f"{case.key} {case.digest}" for case in cases if case.is_agreed)


def labels_between(case: Case) -> str:
    """The labels that the readings give in a case, as they are counted: in one order, whoever gives which."""
    return SEPARATOR.join(sorted({label for version in case.versions for label in version.labels}))


def letter(place: int) -> str:
    """What stands for a reader: their place in the order that is drawn for the note."""
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)


def in_words(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
