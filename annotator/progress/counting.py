"""What was done on one day of a project, as rows to be stored, in five queries; and what is left, in three."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum, Value
from django.db.models.functions import Concat
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.browse.selectors import notes_with_state
from annotator.core.estimates import sums_of
from annotator.progress.models import LabelDay, WorkDay
from annotator.progress.selectors import KINDS
from annotator.projects.models import Project
from annotator.review.models import APART, ON_DECOY, Decision, ReviewItem

_Verdict = Decision.Verdict
_Place = tuple[Any, ...]  # label and fragments
_OTHERS = {_Verdict.RELATE, _Verdict.UNRELATE, _Verdict.CLASSIFY, _Verdict.DISMISS}
_JUDGED = {_Verdict.ACCEPT, _Verdict.REJECT, _Verdict.EDIT}
# Of a decision: whose, where, what; the span before, by what it was changed from or by who suggested it, and after.
_COLUMNS = (
    *("reviewer", "note_item", "note_item__document__note_type", "note_item__document__n_chars", "verdict"),
    *("withdrew__label", "withdrew__fragments", "made__label", "made__fragments", "item__suggestion__label"),
    *("item__suggestion__fragments", "item__suggestion__score", "item__suggestion__job__run__labeler"),
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a project, from `start` on and before `end`."""

    project: Project
    day: date
    start: datetime
    end: datetime


def day_of(project: Project, day: date) -> Day:
    """The day by the installation's clock."""
    start, end = (
        timezone.make_aware(datetime.combine(one, time.min), timezone.get_default_timezone())
        for one in (day, day + timedelta(days=1))
    )
    return Day(project, day, start, end)


def decisions_of(project: Project) -> QuerySet[Decision]:
    """The project's decisions but for those in tries, of second readers and on decoys; by whomever, so that the index
    on project, reviewer and time is used.
    """
    people = list(User.objects.values_list("pk", flat=True))
    made = Decision.objects.filter(project=project, reviewer__in=people)
    return made.exclude(note_item__unit__in=APART).exclude(stream=ON_DECOY)


def count_queue(project: Project) -> dict[str, dict[str, int]]:
    """What is left, as `CountedProject.queue` has it. Three queries, which read every note."""
    queue: dict[str, dict[str, int]] = defaultdict(dict)
    open_items = ReviewItem.objects.filter(project=project, status=ReviewItem.Status.OPEN).order_by()
    spans = open_items.filter(unit__in=[ReviewItem.Unit.SPAN, ReviewItem.Unit.SECOND_SPAN])
    audits = spans.filter(skipped_at=None, stream=ReviewItem.Stream.AUDIT)
    readings = open_items.filter(unit=ReviewItem.Unit.NOTE)
    for rows in (
        notes_with_state(project).order_by().values_list("note_type", "state"),
        readings.values_list("document__note_type", Concat(Value("to_read_"), "stream")),
        audits.values_list("document__note_type", Value("audits")),
    ):
        for note_type, name, n in rows.annotate(n=Count("pk")):
            queue[note_type][name] = n
    return queue


def count_day(day: Day) -> tuple[list[WorkDay], list[LabelDay]]:
    """The rows of the day. A decision that was taken back does not count; what undid it counts as an undo."""
    notes: dict[tuple[int, int], _Note] = {}
    suggested: dict[tuple[int, str], dict[int, _Suggested]] = defaultdict(lambda: defaultdict(_Suggested))
    # Row by row: a GROUP BY draws SQLite, once it has statistics, to reading every decision.
    rows = decisions_of(day.project).filter(decided_at__gte=day.start, decided_at__lt=day.end, undone_by=None)
    for reviewer, item, note_type, n_chars, verdict, *rest in rows.order_by().values_list(*_COLUMNS).iterator():
        *spans, label, fragments, score, labeler = rest
        note = notes.setdefault((reviewer, item), _Note(note_type, n_chars))
        note.counts[_kind(verdict, tuple(spans[:2]), tuple(spans[2:]), (label, fragments))] += 1
        if verdict in _JUDGED and label is not None:
            is_accepted = verdict == _Verdict.ACCEPT
            note.n_decided += 1
            note.n_accepted += is_accepted
            suggested[labeler, note_type][item].add(label, score, verdict)
    done = {key for key, note in notes.items() if note.counts["note_done"]}
    seconds = _seconds(done)
    people: dict[tuple[int, str], list[_Note]] = defaultdict(list)
    for key, note in notes.items():
        note.seconds = seconds.get(key)
        people[key[0], note.note_type].append(note)
    work = [_work_day(day, *key, found) for key, found in people.items()]
    return work, [*_given_labels(day, {item for _, item in done}), *_suggested_labels(day, suggested)]


@dataclass(slots=True)
class _Note:
    """What a person did in a note on the day; `seconds` is None where it was not done then, or nothing was timed."""

    note_type: str
    n_chars: int
    counts: Counter[str] = field(default_factory=Counter)
    n_decided: int = 0
    n_accepted: int = 0
    seconds: float | None = None


@dataclass(slots=True)
class _Suggested:
    """What was suggested in a note and decided on the day, by label."""

    counts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)

    def add(self, label: str, score: float, verdict: str) -> None:
        self.counts[label] += 1
        self.accepted[label] += verdict == _Verdict.ACCEPT
        self.rejected[label] += verdict == _Verdict.REJECT
        self.scores[label] += score  # type: ignore[assignment]


def _kind(verdict: str, before: _Place, after: _Place, suggested: _Place) -> str:
    """What the decision counts as: an edit as what it changed, the label before the bounds."""
    if verdict in _OTHERS:
        return "other"
    if verdict != _Verdict.EDIT:
        return verdict
    label, fragments = before if before[0] else suggested
    if after[0] != label:
        return "relabel"
    return "bounds" if after[1] != fragments else "other"


def _seconds(done: Iterable[tuple[int, int]]) -> Mapping[tuple[int, int], float]:
    """How long each person was at each note that is done, on whichever days."""
    items = {item for _, item in done}
    timed = Decision.objects.filter(note_item__in=items, active_seconds__isnull=False)
    timed = timed.exclude(stream=ON_DECOY).order_by()
    rows = timed.values_list("reviewer", "note_item").annotate(seconds=Sum("active_seconds"))
    return {(reviewer, item): seconds for reviewer, item, seconds in rows}


def _work_day(day: Day, reviewer: int, note_type: str, notes: list[_Note]) -> WorkDay:
    counts = sum((note.counts for note in notes), Counter[str]())
    accepts = sums_of([(note.n_accepted, note.n_decided) for note in notes if note.n_decided])
    times = sums_of([(note.seconds, note.n_chars) for note in notes if note.seconds is not None])
    return WorkDay(
        project=day.project,
        day=day.day,
        reviewer_id=reviewer,
        note_type=note_type,
        n_notes=counts["note_done"],
        **{f"n_{kind}": counts[kind] for kind in KINDS},
        n_judged=accepts.n,
        n_accepted=accepts.part,
        n_decided=accepts.whole,
        accepted_squared=accepts.part_squared,
        accepted_decided=accepts.product,
        decided_squared=accepts.whole_squared,
        n_timed=times.n,
        seconds=times.part,
        chars=times.whole,
        seconds_squared=times.part_squared,
        seconds_chars=times.product,
        chars_squared=times.whole_squared,
    )


def _given_labels(day: Day, done: Iterable[int]) -> list[LabelDay]:
    """What people gave in the sets that were submitted that day with the notes that were done."""
    sets = AnnotationSet.objects.filter(
        document__review_items__in=list(done),
        kind=AnnotationSet.Kind.READING,
        status=AnnotationSet.Status.SUBMITTED,
        submitted_at__gte=day.start,
        submitted_at__lt=day.end,
    )
    types = dict(sets.order_by().values_list("pk", "document__note_type"))
    live = Annotation.objects.filter(set__in=types, certificate=None, status=Annotation.Status.LIVE).order_by()
    counts: dict[int, Counter[str]] = {found: Counter() for found in types}
    for found, label, n in live.values_list("set", "label").annotate(n=Count("pk")):
        counts[found][label] = n
    by_type: dict[str, list[Counter[str]]] = defaultdict(list)
    for found, note_type in types.items():
        by_type[note_type].append(counts[found])
    return [row for note_type, notes in by_type.items() for row in _label_days(day, note_type, None, notes)]


def _suggested_labels(day: Day, suggested: Mapping[tuple[int, str], Mapping[int, _Suggested]]) -> list[LabelDay]:
    found = []
    for (labeler, note_type), by_note in suggested.items():
        notes = list(by_note.values())
        for row in _label_days(day, note_type, labeler, [note.counts for note in notes]):
            sums = sums_of([(_of(note.accepted, row.label), _of(note.counts, row.label)) for note in notes])
            row.n_accepted, row.accepted_squared, row.accepted_n = sums.part, sums.part_squared, sums.product
            row.n_rejected = sum(_of(note.rejected, row.label) for note in notes)
            row.score = sum(_of(note.scores, row.label) for note in notes)
            found.append(row)
    return found


def _label_days(day: Day, note_type: str, labeler: int | None, notes: list[Counter[str]]) -> list[LabelDay]:
    """A row for each label that the notes have, and one for all."""
    labels = sorted(set().union(*notes))
    rows = []
    for label in ["", *labels]:
        sums = sums_of([(_of(counts, label), counts.total()) for counts in notes])
        rows.append(
            LabelDay(
                project=day.project,
                day=day.day,
                note_type=note_type,
                labeler_id=labeler,
                label=label,
                n_notes=sums.n,
                n=sums.part,
                n_squared=sums.part_squared,
                n_all=sums.product,
            )
        )
    return rows


def _of(counts: Counter[str], label: str) -> float:
    """What the counts have of the label, or of all where there is none."""
    return counts[label] if label else counts.total()
