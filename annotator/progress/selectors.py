"""How far a project's notes are, who did what, and what was labelled, out of the counts by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet, Subquery, Sum
from django.db.models.expressions import OuterRef

from annotator.accounts.models import User
from annotator.annotations.models import Comment
from annotator.browse.independence import comments_for
from annotator.browse.selectors import NoteState
from annotator.core.estimates import Sums
from annotator.progress.models import LabelDay, WorkDay
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.review.models import APART, ON_DECOY, Decision, ReviewItem
from annotator.suggestions.models import Labeler

KINDS = ("accept", "relabel", "bounds", "reject", "add", "skip", "other", "undo")
# Of a person's timed decisions the newest so many tell the median.
MOST_TIMES = 1000
_TIMED = [Decision.Verdict.ACCEPT, Decision.Verdict.REJECT, Decision.Verdict.EDIT, Decision.Verdict.ADD]
_Stream = ReviewItem.Stream


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked about: since which day (None: all), and notes of which type (None: all)."""

    project: Project
    since: date | None
    note_type: str | None

    def among(self, rows: QuerySet) -> QuerySet:
        """Those of the counts by day that are asked about."""
        found = rows.filter(project=self.project)
        if self.since is not None:
            found = found.filter(day__gte=self.since)
        return found if self.note_type is None else found.filter(note_type=self.note_type)


@dataclass(frozen=True, slots=True)
class Queue:
    """What is left: by type of note what `CountedProject.queue` says, and comments that wait for an answer.

    A note of several readers has several readings.
    """

    types: Mapping[str, Mapping[str, int]]
    n_discussed: int

    def count(self, *names: str) -> int:
        """The sum over all types; of a NoteState, or of what is to be read or audited."""
        return sum(counts.get(name, 0) for counts in self.types.values() for name in names)

    @property
    def n_uncertain(self) -> int:
        return self.count(f"to_read_{_Stream.UNCERTAIN}")

    @property
    def n_blind(self) -> int:
        return self.count(f"to_read_{_Stream.BLIND}")

    @property
    def n_audits(self) -> int:
        return self.count("audits")

    def n_left(self, n_readers: int) -> int:
        """Readings that are still to be finished, those of notes that have not come to readers among them."""
        return self.n_uncertain + self.n_blind + n_readers * self.count(NoteState.WAITING, NoteState.FAILED)


@dataclass(frozen=True, slots=True)
class Work:
    """What a person did: notes, decisions by kind, accepted by decided suggestions, seconds by characters."""

    n_notes: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    accepted: Sums = field(default_factory=Sums)
    pace: Sums = field(default_factory=Sums)

    @property
    def n_decisions(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Of some days: the notes that were done with all their spans, and each label's share of these; of each labeler's
    decided suggestions the labels, the accepted and the sum of scores.
    """

    notes: Sums
    given: Mapping[str, Sums]
    suggested: Mapping[str, int]
    accepted: Mapping[int, Sums]
    scores: Mapping[int, float]


def queue_of(membership: Membership, counts: Mapping[str, Mapping[str, int]], note_type: str | None) -> Queue:
    """What is left in notes of the type. One query."""
    comments = comments_for(membership).filter(kind=Comment.Kind.DISCUSS)
    if note_type is not None:
        comments = comments.filter(set__document__note_type=note_type)
        counts = {note_type: counts.get(note_type, {})}
    return Queue(counts, comments.count())


def notes_by_day(scope: Scope) -> Mapping[date, int]:
    """How many notes people finished, by day. One query."""
    rows = scope.among(WorkDay.objects.all()).order_by().values_list("day").annotate(n=Sum("n_notes"))
    return Counter(dict(rows))


def people_of(scope: Scope) -> list[User]:
    """Who reviews in the project, or did anything in it that is asked about; by name. Two queries."""
    roles = [role for role in Membership.Role if may(role=role, action=Action.REVIEW)]
    members = Membership.objects.filter(project=scope.project, role__in=roles).values("user")
    workers = list(scope.among(WorkDay.objects.all()).order_by().values_list("reviewer", flat=True).distinct())
    return list(User.objects.filter(Q(pk__in=members) | Q(pk__in=workers)).order_by("username"))


def work_of(scope: Scope, users: Iterable[User]) -> Mapping[int, Work]:
    """What each of the people did, by row id. One query."""
    names = ["n_notes", *(f"n_{kind}" for kind in KINDS)]
    accepted = ["n_judged", "n_accepted", "n_decided", "accepted_squared", "accepted_decided", "decided_squared"]
    pace = ["n_timed", "seconds", "chars", "seconds_squared", "seconds_chars", "chars_squared"]
    rows = scope.among(WorkDay.objects.filter(reviewer__in=list(users))).order_by().values("reviewer")
    return {
        row["reviewer"]: Work(
            n_notes=row["n_notes_sum"],
            kinds={kind: row[f"n_{kind}_sum"] for kind in KINDS},
            accepted=_sums(row[f"{name}_sum"] for name in accepted),
            pace=_sums(row[f"{name}_sum"] for name in pace),
        )
        for row in rows.annotate(**{f"{name}_sum": Sum(name) for name in (*names, *accepted, *pace)})
    }


def times_of(scope: Scope, users: Sequence[User], *, since: datetime | None) -> Mapping[int, list[list[float]]]:
    """The active seconds of each person's newest thousand decisions that were timed, a list a note. Two queries."""
    timed = Decision.objects.filter(project=scope.project, active_seconds__isnull=False, verdict__in=_TIMED)
    timed = timed.exclude(note_item__unit__in=APART).exclude(stream=ON_DECOY)
    if since is not None:
        timed = timed.filter(decided_at__gte=since)
    if scope.note_type is not None:
        timed = timed.filter(note_item__document__note_type=scope.note_type)
    newest = timed.filter(reviewer=OuterRef("pk")).order_by("-decided_at").values("decided_at")
    last = Subquery(newest[MOST_TIMES - 1 : MOST_TIMES])
    wanted = Q(pk__in=[])
    for user, at in User.objects.filter(pk__in=[user.pk for user in users]).annotate(at=last).values_list("pk", "at"):
        wanted |= Q(reviewer=user, project=scope.project, **({"decided_at__gte": at} if at else {}))
    notes: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for reviewer, item, seconds in (
        timed.filter(wanted).order_by().values_list("reviewer", "note_item", "active_seconds")
    ):
        notes[reviewer][item].append(float(seconds or 0))
    return {reviewer: list(found.values()) for reviewer, found in notes.items()}


def labels_by_week(scope: Scope, *, today: date) -> Mapping[int, LabelCounts]:
    """What was labelled and suggested, by how many whole weeks ago; the last seven days are 0. One query."""
    columns = ("n_notes", "n", "n_squared", "n_all", "n_accepted", "accepted_squared", "accepted_n", "score")
    rows = scope.among(LabelDay.objects.all()).order_by().values_list("day", "labeler", "label")
    weeks: dict[int, list[_Row]] = defaultdict(list)
    for day, labeler, label, *sums in rows.annotate(**{f"{name}_sum": Sum(name) for name in columns}):
        weeks[(today - day).days // 7].append(_Row(labeler, label, *map(float, sums)))
    return {week: _label_counts(found) for week, found in sorted(weeks.items())}


def labels_by_type(scope: Scope) -> Mapping[str, Mapping[str, int]]:
    """How often each label was given, by type of note. One query."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    rows = scope.among(LabelDay.objects.filter(labeler=None).exclude(label="")).order_by()
    for note_type, label, n in rows.values_list("note_type", "label").annotate(sum=Sum("n")):
        found[note_type][label] = n
    return found


def together(weeks: Iterable[LabelCounts]) -> LabelCounts:
    """Several weeks as one."""
    given: dict[str, Sums] = defaultdict(Sums)
    suggested: Counter[str] = Counter()
    accepted: dict[int, Sums] = defaultdict(Sums)
    scores: Counter[int] = Counter()
    found = list(weeks)
    for label in {label for week in found for label in week.given}:
        for week in found:
            given[label] += week.given.get(label, week.notes)
    for week in found:
        suggested.update(week.suggested)
        scores.update(week.scores)
        for labeler, sums in week.accepted.items():
            accepted[labeler] += sums
    return LabelCounts(sum((week.notes for week in found), Sums()), given, suggested, accepted, scores)


def labelers_named(labelers: Iterable[int]) -> Mapping[int, Labeler]:
    """The labelers by row id, in the order in which they were made. One query."""
    return {found.pk: found for found in Labeler.objects.filter(pk__in=list(labelers)).order_by("pk")}


def days_since(days: int | None, *, today: date) -> date | None:
    """The first of the last so many days, today among them."""
    return today - timedelta(days=days - 1) if days else None


@dataclass(frozen=True, slots=True)
class _Row:
    """The sums of LabelDay over some of its rows."""

    labeler: int | None
    label: str
    n_notes: float
    n: float
    n_squared: float
    n_all: float
    n_accepted: float
    accepted_squared: float
    accepted_n: float
    score: float


def _label_counts(rows: Sequence[_Row]) -> LabelCounts:
    """Rows of all days of one type or of several are added up, so that each label and labeler comes once."""
    by_key: dict[tuple[int | None, str], list[_Row]] = defaultdict(list)
    for row in rows:
        by_key[row.labeler, row.label].append(row)

    def total(key: tuple[int | None, str], name: str) -> float:
        return sum(getattr(row, name) for row in by_key[key])

    whole, whole_squared = (total((None, ""), name) for name in ("n", "n_squared"))
    notes = Sums(n=int(total((None, ""), "n_notes")), whole=whole, whole_squared=whole_squared)
    given, suggested, accepted, scores = {}, Counter[str](), {}, {}
    for labeler, label in list(by_key):
        key = labeler, label
        if labeler is None and label:
            part, squared, product = (total(key, name) for name in ("n", "n_squared", "n_all"))
            given[label] = Sums(notes.n, part, whole, squared, product, whole_squared)
        elif labeler is not None and label:
            suggested[label] += int(total(key, "n"))
        elif labeler is not None:
            accepted[labeler] = Sums(
                int(total(key, "n_notes")),
                *(total(key, name) for name in ("n_accepted", "n", "accepted_squared", "accepted_n", "n_squared")),
            )
            scores[labeler] = total(key, "score")
    return LabelCounts(notes, given, suggested, accepted, scores)


def _sums(values: Iterable[float]) -> Sums:
    n, *others = values
    return Sums(int(n), *map(float, others))
