"""Reading who has to qualify, how far they are, and what their tries say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, When

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.selectors import has_certified
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import current_schema
from annotator.qualification.models import Admission, Qualification, ReferenceNote, Trial, TrialNote
from annotator.readings.notes import said_in_sets

MOST_OFFERED = 100
_Kind, _Submitted = AnnotationSet.Kind, AnnotationSet.Status.SUBMITTED


@dataclass(frozen=True, slots=True)
class Standing:
    """How far someone is who has to qualify: `trial` is their newest try that counts, `n_left` its notes that are not
    submitted, `n_free` the reference notes that they have not seen.
    """

    qualification: Qualification
    trial: Trial | None
    n_left: int
    n_free: int

    @property
    def is_open(self) -> bool:
        return self.trial is not None and self.trial.status == Trial.Status.OPEN

    @property
    def n_tries(self) -> int:
        return self.trial.number if self.trial else 0

    @property
    def n_waiting(self) -> int:
        """Notes to read: of the try that is open, or of the next; 0 where a lead has to decide."""
        if self.is_open:
            return self.n_left
        has_next = self.n_tries < self.qualification.n_tries and self.n_free >= self.qualification.n_notes
        return self.qualification.n_notes if has_next else 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a lead sees of an annotator: `trials` are those that count, `n_free` the reference notes left for them."""

    user: User
    admission: Admission | None
    trials: Sequence[Trial]
    n_free: int


@dataclass(frozen=True, slots=True)
class TriedNote:
    """A note of a try with what its reader says and what the reference says."""

    document: Document
    said: Sequence[ReadSpan]
    reference: Sequence[ReadSpan]


def current_qualification(project: Project) -> Qualification | None:
    """The newest version, on or off. One query."""
    return project.qualifications.select_related("created_by").order_by("-number").first()


def on_trial(*, user: User, projects: Collection[int]) -> dict[int, Qualification]:
    """Of these projects those that ask the user to qualify first, by row id, with what they ask. One query."""
    newer = Qualification.objects.filter(project=OuterRef("project"), number__gt=OuterRef("number"))
    annotates = Membership.objects.filter(project=OuterRef("project"), user=user, role=Membership.Role.ANNOTATOR)
    admitted = Admission.objects.filter(
        user=user,
        qualification__project=OuterRef("project"),
        qualification__number__gte=OuterRef("counts_from"),
    )
    asked = Qualification.objects.filter(
        ~Exists(newer), Exists(annotates), ~Exists(admitted), project__in=projects, status=Qualification.Status.ON
    )
    return {found.project_id: found for found in asked}


def is_on_trial(*, project: Project, user: User) -> bool:
    """Whether the user has to qualify before they read the project's notes. One query."""
    return bool(on_trial(user=user, projects=[project.pk]))


def standings(*, user: User, projects: Collection[int]) -> dict[int, Standing]:
    """How far the user is in each of these projects that ask them to qualify, by row id. One query where none does,
    else four.
    """
    asked = on_trial(user=user, projects=projects)
    if not asked:
        return {}
    trials = {trial.qualification.project_id: trial for trial in counting_trials(asked.values()).filter(user=user)}
    left = unread_notes(user).filter(trial__in=[trial.pk for trial in trials.values()])
    n_left = dict(left.order_by().values_list("trial").annotate(n=Count("pk")))
    free = free_notes(user).filter(qualification__in=asked.values())
    n_free = dict(free.order_by().values_list("qualification").annotate(n=Count("pk")))
    return {
        project_id: Standing(
            qualification=qualification,
            trial=(trial := trials.get(project_id)),
            n_left=n_left.get(trial.pk, 0) if trial else 0,
            n_free=n_free.get(qualification.pk, 0),
        )
        for project_id, qualification in asked.items()
    }


def counting_trials(qualifications: Collection[Qualification]) -> QuerySet[Trial]:
    """The tries that count under these current versions of as many projects, in their order, with their versions."""
    counts = Q(pk__in=[])
    for current in qualifications:
        counts |= Q(qualification__project=current.project_id, qualification__number__gte=current.counts_from)
    return Trial.objects.filter(counts).select_related("qualification").order_by("number")


def open_notes(*, project: Project, user: User) -> list[int]:
    """The notes of the user's open try that they have not submitted, by row id. Two queries."""
    counting = counting_trials(on_trial(user=user, projects=[project.pk]).values())
    trials = counting.filter(user=user, status=Trial.Status.OPEN)
    return list(unread_notes(user).filter(trial__in=trials.values("pk")).values_list("document", flat=True))


def unread_notes(user: User) -> QuerySet[TrialNote]:
    """The notes of the user's tries that they have not submitted, but for those that are being purged."""
    submitted = AnnotationSet.objects.filter(annotator=user, kind=_Kind.TRIAL, status=_Submitted)
    notes = TrialNote.objects.filter(trial__user=user, document__project=F("trial__qualification__project"))
    return notes.exclude(document__in=submitted.values("document"))


def free_notes(user: User) -> QuerySet[ReferenceNote]:
    """The reference notes that a try of the user may have: those of which they have no set of any kind and that no try
    of theirs has had, whose reference is submitted.
    """
    seen = Q(document__in=AnnotationSet.objects.filter(annotator=user).values("document"))
    seen |= Q(document__in=TrialNote.objects.filter(trial__user=user).values("document"))
    notes = ReferenceNote.objects.filter(document__project=F("qualification__project"), reference__status=_Submitted)
    return notes.exclude(seen)


def annotators(project: Project) -> QuerySet[Membership]:
    """The project's annotators by name, with their users. One query."""
    found = project.memberships.filter(role=Membership.Role.ANNOTATOR)
    return found.select_related("user").order_by("user__username")


def how_far(current: Qualification | None, users: Sequence[User]) -> list[Progress]:
    """How far each of the users is under the current version. Four queries."""
    if current is None:
        return [Progress(user, None, (), 0) for user in users]
    admissions = {found.user_id: found for found in admissions_under(current).filter(user__in=users).order_by("pk")}
    trials: dict[int, list[Trial]] = defaultdict(list)
    for trial in counting_trials([current]).filter(user__in=users):
        trials[trial.user_id].append(trial)
    references = set(current.reference_notes.values_list("document_id", flat=True))
    seen: dict[int, set[int]] = defaultdict(set)
    sets = AnnotationSet.objects.filter(annotator__in=users, document__in=references)
    for user_id, document_id in sets.values_list("annotator_id", "document_id"):
        seen[user_id].add(document_id)
    return [Progress(user, admissions.get(user.pk), trials[user.pk], len(references - seen[user.pk])) for user in users]


def admissions_under(current: Qualification) -> QuerySet[Admission]:
    """The admissions that count under a current version. One query."""
    return Admission.objects.filter(
        qualification__project=current.project_id, qualification__number__gte=current.counts_from
    )


def reference_counts(qualification: Qualification) -> Counter[str]:
    """How many spans of each label the reference notes of a version have. One query."""
    live = Annotation.objects.filter(
        set__in=qualification.reference_notes.values("reference"), status=Annotation.Status.LIVE
    )
    return Counter(dict(live.order_by().values_list("label").annotate(n=Count("pk"))))


def trial_for(*, project: Project, trial_id: str) -> Trial | None:
    """The try of that public id in the project, with its person and version. One query."""
    found = Trial.objects.filter(qualification__project=project, public_id=trial_id)
    return found.select_related("qualification__project", "user").first()


def trial_of(*, document_id: int, user: User) -> Trial:
    """The user's try that the note is part of: a note is tried once. One query."""
    return Trial.objects.select_related("qualification__project").get(user=user, notes__document=document_id)


def offered_sets(project: Project, *, chosen: Collection[int] = ()) -> QuerySet[Any]:
    """Sets that may be references, with note, reader and `n_spans`: gold, and the only submitted reading of a note
    without gold, if people decided all of it. The `chosen` first, then gold, then what has most spans; MOST_OFFERED at
    most beside those. One query.
    """
    submitted = AnnotationSet.objects.filter(
        ~has_certified() | Q(pk__in=chosen), document__project=project, status=_Submitted, annotator__isnull=False
    )
    gold = submitted.filter(kind=_Kind.GOLD)
    once = submitted.filter(kind=_Kind.READING).order_by().values("document").annotate(n=Count("pk")).filter(n=1)
    only = Q(kind=_Kind.READING, document__in=once.values("document")) & ~Q(document__in=gold.values("document"))
    rank = Case(When(pk__in=chosen, then=0), When(kind=_Kind.GOLD, then=1), default=2)
    return (
        submitted.filter(Q(kind=_Kind.GOLD) | only)
        .annotate(rank=rank, n_spans=Count("annotations", filter=Q(annotations__status=Annotation.Status.LIVE)))
        .select_related("document", "annotator")
        .defer("document__text")
        .order_by("rank", "-n_spans", "document__external_id")[: len(chosen) + MOST_OFFERED]
    )


def tried_notes(trial: Trial) -> list[TriedNote]:
    """The notes of a try in their order, with the spans of labels that the schema has. Five queries."""
    labels = set(current_schema(trial.qualification.project).schema.label_names)
    notes = list(
        trial.notes.filter(document__project=trial.qualification.project_id).select_related("document").order_by("pk")
    )
    sets = AnnotationSet.objects.filter(
        annotator=trial.user_id, kind=_Kind.TRIAL, document__in=[note.document_id for note in notes]
    )
    own = dict(sets.values_list("document_id", "pk"))
    said = said_in_sets([*own.values(), *(note.reference_id for note in notes)])

    def of_labels(set_id: int | None) -> list[ReadSpan]:
        return [span for span in said[set_id].spans if span.label in labels] if set_id else []

    return [
        TriedNote(note.document, said=of_labels(own.get(note.document_id)), reference=of_labels(note.reference_id))
        for note in notes
    ]


def read_notes(trial: Trial) -> list[ReadNote]:
    """The notes of a try for `core.qualification.judge`. Five queries."""
    return [
        ReadNote(
            document=note.document.public_id,
            patient=note.document.patient_id,
            text=note.document.text,
            annotators={"": Reading(note.said)},
            gold=Reading(note.reference),
        )
        for note in tried_notes(trial)
    ]
