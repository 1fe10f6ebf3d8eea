"""Asking new annotators to qualify: its versions, their tries, and who is let in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.audit.services import record_event
from annotator.core.qualification import judge
from annotator.core.wording import counted
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import current_schema
from annotator.projects.services import lock_projects
from annotator.qualification.models import Admission, Qualification, ReferenceNote, Trial, TrialNote
from annotator.qualification.selectors import (
    admissions_under,
    counting_trials,
    current_qualification,
    free_notes,
    on_trial,
    read_notes,
    standings,
    trial_of,
    unread_notes,
)

_Reason = Admission.Reason


class QualificationError(ValueError):
    """A qualification that cannot be asked for, or an admission that cannot be given; the message says why."""


@dataclass(frozen=True, slots=True)
class NewQualification:
    """What a lead asks for; the fields are those of `Qualification`."""

    matching: str
    threshold: float
    min_spans: int
    n_notes: int
    n_tries: int
    suggestions: str
    thresholds: Mapping[str, float] = field(default_factory=dict)


@transaction.atomic
def ask_to_qualify(
    *,
    project: Project,
    new: NewQualification,
    references: Collection[AnnotationSet],
    everyone: bool,
    actor: User,
    now: datetime,
) -> Qualification:
    """The next version, which counts from now on. Who reads here now goes on, unless `everyone` is to pass (again).

    Raises QualificationError where the references do not suffice for all tries.
    """
    n_wanted = new.n_notes * new.n_tries
    if len(references) < n_wanted:
        tries = f"{counted(new.n_tries, 'try', 'tries')} of {counted(new.n_notes, 'note')}"
        raise QualificationError(
            f"{tries} take {counted(n_wanted, 'note')}, and {len(references)} are chosen: no note is tried twice"
        )
    lock_projects(project)
    before = current_qualification(project)
    readers = [] if everyone else _readers(project)
    version = _add_version(
        project=project,
        before=before,
        actor=actor,
        now=now,
        is_new_start=everyone,
        **asdict(new),
    )
    ReferenceNote.objects.bulk_create(
        ReferenceNote(qualification=version, document_id=found.document_id, reference=found)
        for found in sorted(references, key=lambda found: found.pk)
    )
    admitted = set(admissions_under(version).values_list("user_id", flat=True))
    Admission.objects.bulk_create(
        Admission(qualification=version, user_id=user_id, reason=_Reason.MEMBER, created_at=now)
        for user_id in readers
        if user_id not in admitted
    )
    return version


@transaction.atomic
def turn_off(*, project: Project, actor: User, now: datetime) -> None:
    """Ask nobody any longer: a version too, with what was asked before. Raises QualificationError where it is off."""
    lock_projects(project)
    before = current_qualification(project)
    if before is None or before.status == Qualification.Status.OFF:
        raise QualificationError("nobody is asked to qualify here")
    names = ("matching", "threshold", "thresholds", "min_spans", "n_notes", "n_tries", "suggestions")
    asked = {name: getattr(before, name) for name in names}
    asked["status"] = Qualification.Status.OFF
    version = _add_version(project=project, before=before, actor=actor, now=now, is_new_start=False, **asked)
    ReferenceNote.objects.bulk_create(
        ReferenceNote(qualification=version, document_id=note.document_id, reference_id=note.reference_id)
        for note in before.reference_notes.order_by("pk")
    )


@transaction.atomic
def begin_trial(*, project: Project, user: User, now: datetime) -> Trial | None:
    """The user's open try, begun where they have another one; None where a lead has to decide.

    A new try has notes that the user has not seen, in the same order for everyone.
    """
    lock_projects(project)
    _finish_read(project=project, user=user, now=now)
    standing = standings(user=user, projects=[project.pk]).get(project.pk)
    if standing is None or not standing.n_waiting:
        return None
    if standing.is_open:
        return standing.trial
    trial = Trial.objects.create(
        qualification=standing.qualification, user=user, number=standing.n_tries + 1, started_at=now
    )
    free = free_notes(user).filter(qualification=standing.qualification).order_by("pk")
    TrialNote.objects.bulk_create(
        TrialNote(trial=trial, document_id=note.document_id, reference_id=note.reference_id)
        for note in free[: standing.qualification.n_notes]
    )
    _record(project, "trial.begin", actor=user, user=user, now=now, number=trial.number)
    return trial


def trial_note_submitted(*, document_id: int, user: User, now: datetime) -> None:
    """End the try with its last note; call it in the transaction that submits the note."""
    trial = trial_of(document_id=document_id, user=user)
    if not unread_notes(user).filter(trial=trial).exists():
        _finish(trial, now=now)


@transaction.atomic
def let_in(*, project: Project, user: User, actor: User, now: datetime) -> None:
    """Let someone read who has not passed. Raises QualificationError where they are not asked to."""
    lock_projects(project)
    asked = on_trial(user=user, projects=[project.pk]).get(project.pk)
    if asked is None:
        raise QualificationError(f'the account "{user.get_username()}" may read here already')
    Admission.objects.create(qualification=asked, user=user, reason=_Reason.LEAD, created_at=now)
    _record(project, "qualification.let_in", actor=actor, user=user, now=now)


@transaction.atomic
def take_back(*, project: Project, user: User, actor: User, now: datetime) -> None:
    """Ask someone to qualify after all who was let in. Raises QualificationError for who was not let in by a lead."""
    lock_projects(project)
    given = Admission.objects.filter(qualification__project=project, user=user, reason=_Reason.LEAD)
    if not given.exists():
        raise QualificationError(f'the account "{user.get_username()}" was not let in by a lead')
    given.delete()
    _record(project, "qualification.take_back", actor=actor, user=user, now=now)


def _add_version(
    *,
    project: Project,
    before: Qualification | None,
    actor: User,
    now: datetime,
    is_new_start: bool,
    **fields: Any,
) -> Qualification:
    number = before.number + 1 if before else 1
    version = Qualification.objects.create(
        project=project,
        number=number,
        counts_from=number if before is None or is_new_start else before.counts_from,
        created_by=actor,
        created_at=now,
        **fields,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="qualification.set",
        object_id=project.public_id,
        now=now,
        detail={"number": number, "status": str(version.status), "counts_from": version.counts_from},
    )
    return version


def _readers(project: Project) -> list[int]:
    """The annotators who read the project's notes now, by row id. Two queries."""
    annotators = project.memberships.filter(role=Membership.Role.ANNOTATOR).values_list("user_id", flat=True)
    before = current_qualification(project)
    if before is None or before.status == Qualification.Status.OFF:
        return list(annotators)
    return list(annotators.filter(user__in=admissions_under(before).values("user")))


def _finish_read(*, project: Project, user: User, now: datetime) -> None:
    """End a try whose last notes were submitted at the same moment, or went in a purge."""
    asked = on_trial(user=user, projects=[project.pk])
    open_trials = counting_trials(asked.values()).filter(user=user, status=Trial.Status.OPEN)
    for trial in open_trials.exclude(pk__in=unread_notes(user).values("trial")):
        _finish(trial, now=now)


def _finish(trial: Trial, *, now: datetime) -> None:
    project, user = trial.qualification.project, trial.user
    notes = read_notes(trial)
    figures = judge(notes, current_schema(project).schema.label_names, trial.qualification.standard)
    has_passed = bool(notes) and all(figure.is_enough for figure in figures)
    status = Trial.Status.PASSED if has_passed else Trial.Status.FAILED
    finished = Trial.objects.filter(pk=trial.pk, status=Trial.Status.OPEN).update(
        status=status, figures=[asdict(figure) for figure in figures], finished_at=now
    )
    if not finished:
        return
    if has_passed:
        Admission.objects.get_or_create(
            qualification=trial.qualification, user=user, defaults={"reason": _Reason.PASSED, "created_at": now}
        )
    _record(project, f"trial.{status}", actor=user, user=user, now=now, number=trial.number)


def _record(project: Project, verb: str, *, actor: User, user: User, now: datetime, **detail: object) -> None:
    record_event(project=project.public_id, actor=actor, verb=verb, object_id=user.public_id, now=now, detail=detail)
