"""Purges: a patient or a whole project is deleted, with every text that came of it.

Who asks puts the notes out of reach at once: they move to a project of their own without a member, named by the
tombstone; a whole project loses its members, its name and its short name. A job then deletes what is out of reach, in
batches. Each step can be done again, so that a purge that was killed goes on from where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotator.accounts.models import ApiToken, User
from annotator.adjudication.models import RuleRun
from annotator.audit.services import record_event
from annotator.builds.models import DatasetBuild
from annotator.builds.services import stop_builds, sweep_builds, withdraw_files
from annotator.builds.splits import group_of
from annotator.builds.test_sets import forget_groups
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.exchange.spool import remove_folder
from annotator.jobs.models import Job
from annotator.jobs.services import advance_job, create_job, finish_job, start_job
from annotator.notices.services import count_again
from annotator.progress.services import forget_types
from annotator.projects.models import Invitation, Membership, Project
from annotator.projects.services import lock_projects
from annotator.purges.deletion import delete_notes, delete_project, delete_work, lock_notes
from annotator.purges.disk import clear_disk
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed, builds_holding, doomed_notes
from annotator.purges.traces import forget_notes
from annotator.quality.models import AgreementReport
from annotator.review.models import Decision, ReviewItem, RoundJob
from annotator.routing.ending import end_all, end_purged
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.training.models import LabelerComparison, TrainingRun
from annotator.training.services import sweep_models, withdraw_weights

BATCH = 50
TRY_AGAIN_AFTER = timedelta(minutes=10)
NAME = "(being deleted)"


class PurgeRefused(Exception):
    """A purge that cannot be made as asked; the message says why."""


@transaction.atomic
def purge_notes(*, project: Project, doomed: Doomed, actor: User | None, now: datetime) -> Tombstone:
    """Have a patient's notes purged, or one note that names no patient. They are out of reach from now on.

    Who asks for what somebody has asked for already gets that purge. Raises PurgeRefused where there is no such note.
    """
    lock_projects(project)
    notes = doomed_notes(project=project, doomed=doomed)
    lock_notes(notes.values_list("pk", flat=True))
    if not notes.exists():
        asked = _asked_already(project, doomed)
        if asked is None:
            raise PurgeRefused("there is no such note in the project")
        return asked
    tombstone = _bury(project, doomed.subject, Tombstone.Cause.ASKED, actor, now, notes, doomed.patient_id)
    builds = list(builds_holding(project=project, notes=notes).values_list("pk", flat=True))
    n_trainings = withdraw_weights(runs=TrainingRun.objects.filter(build__in=builds), now=now)
    n_builds = withdraw_files(builds=DatasetBuild.objects.filter(pk__in=builds), now=now)
    _count(tombstone, Counter(n_builds=n_builds, n_trainings=n_trainings))
    stop_builds(project=project, now=now)
    names = notes.order_by().values_list("patient_id", "external_id")
    groups = {group_of(patient_id=patient_id, external_id=external_id) for patient_id, external_id in names}
    _count(tombstone, Counter(n_locked_groups=forget_groups(project=project, groups=groups)))
    end_purged(project=project, document_ids=list(notes.values_list("pk", flat=True)), now=now)
    _cancel_labelling(LabelJob.objects.filter(document__in=notes), now)
    _take(tombstone, notes, now)
    return tombstone


@transaction.atomic
def purge_project(
    *, project: Project, actor: User | None, now: datetime, cause: Tombstone.Cause = Tombstone.Cause.ASKED
) -> Tombstone:
    """Have the whole project purged. Nobody belongs to it any more from now on, and its short name is free.

    Who asks for what somebody has asked for already gets that purge. Raises PurgeRefused where the last day that is
    the cause has been put off meanwhile.
    """
    lock_projects(project)
    asked = Tombstone.objects.filter(project=project.public_id, subject=Tombstone.Subject.PROJECT).first()
    if asked is not None:
        return asked
    project.refresh_from_db(fields=["retain_until"])
    if cause == Tombstone.Cause.RETENTION and not _is_over(project, now):
        raise PurgeRefused("its last day has been put off")
    notes = Document.objects.filter(project=project)
    tombstone = _bury(project, Tombstone.Subject.PROJECT, cause, actor, now, notes)
    members = list(Membership.objects.filter(project=project).values_list("user", flat=True))
    Membership.objects.filter(project=project).delete()
    Invitation.objects.filter(project=project).delete()
    end_all(project=project, now=now)
    ApiToken.objects.filter(project=project.public_id, revoked_at=None).update(revoked_at=now)
    LabelRun.objects.filter(project=project, status=LabelRun.Status.RUNNING).update(
        status=LabelRun.Status.CANCELLED, finished_at=now
    )
    _cancel_labelling(LabelJob.objects.filter(run__project=project), now)
    withdraw_weights(runs=TrainingRun.objects.filter(project=project), now=now)
    Project.objects.filter(pk=project.pk).update(slug=_slug(tombstone), name=NAME, retain_until=None)
    count_again(users=members)
    return tombstone


@transaction.atomic
def set_retention(*, project: Project, until: date | None, actor: User, now: datetime) -> None:
    """Keep the project until the end of that day, or with None for as long as it is wanted.

    Raises PurgeRefused where the day is over already.
    """
    if until is not None and until <= timezone.localdate(now):
        raise PurgeRefused("the date must lie in the future")
    Project.objects.filter(pk=project.pk).update(retain_until=until)
    record_event(
        project=project.public_id,
        actor=actor,
        verb="retention.set",
        object_id=project.public_id,
        now=now,
        detail={"until": until.isoformat() if until else None},
    )


def start_due_purges(*, now: datetime) -> int:
    """Have the projects purged whose last day is over; how many. Each once: a purge takes the date away."""
    due = list(Project.objects.filter(retain_until__lt=timezone.localdate(now)).order_by("pk"))
    for project in due:
        with suppress(PurgeRefused):
            purge_project(project=project, actor=None, now=now, cause=Tombstone.Cause.RETENTION)
    return len(due)


def take_up_purges(*, now: datetime) -> int:
    """Queue again the purges whose job has failed some time ago; how many. A purge is never given up."""
    failed = Job.objects.filter(
        kind=Job.Kind.PURGE,
        status__in=[Job.Status.FAILED, Job.Status.CANCELLED],
        finished_at__lt=now - TRY_AGAIN_AFTER,
    )
    return failed.update(status=Job.Status.QUEUED, attempts=0, error="", finished_at=None, lease_expires_at=None)


def run_purge(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Do the purge that `job` stands for, from where a former attempt has left it.

    Raises JobLost where another worker has it, DiskBusy where the database's files cannot be emptied now.
    """
    tombstone = Tombstone.objects.get(job=job)

    def advance(phase: str) -> None:
        n_done = tombstone.counts.get("n_notes", 0)
        n_total = n_done + _buried_notes(tombstone).count()
        advance_job(job=job, now=clock(), phase=phase, n_done=n_done, n_total=n_total)

    advance("Uploads")
    _forget_uploads(tombstone, clock())
    while batch := _next_batch(tombstone):
        with transaction.atomic():
            advance("Notes")
            lock_projects(*_graves(tombstone))
            lock_notes(batch)
            _count(tombstone, delete_notes(batch))
    advance("Datasets")
    _delete_graves(tombstone)
    sweep_builds()
    sweep_models()
    Tombstone.objects.filter(pk=tombstone.pk).update(patient_id="")
    advance("Clearing the disk")
    clear_disk()
    with transaction.atomic():
        now = clock()
        finish_job(job=job, now=now)
        Tombstone.objects.filter(pk=tombstone.pk).update(purged_at=now)
        _record(tombstone, "finish", None, now, tombstone.counts)


def _bury(
    project: Project,
    subject: Tombstone.Subject,
    cause: Tombstone.Cause,
    actor: User | None,
    now: datetime,
    notes: QuerySet[Document],
    patient_id: str = "",
) -> Tombstone:
    """The tombstone of a purge that begins, with its job, which is rung for."""
    listed = notes.none() if subject == Tombstone.Subject.PROJECT else notes.order_by("pk")
    tombstone = Tombstone.objects.create(
        project=project.public_id,
        subject=subject,
        cause=cause,
        patient_id=patient_id,
        asked_by=actor,
        asked_at=now,
        job=create_job(kind=Job.Kind.PURGE, now=now),
        document_ids=list(listed.values_list("public_id", flat=True)),
    )
    _record(tombstone, "ask", actor, now, {"subject": subject, "cause": cause, "n_notes": notes.count()})
    start_job(tombstone.job)
    return tombstone


def _asked_already(project: Project, doomed: Doomed) -> Tombstone | None:
    """The unfinished purge that has taken just these notes."""
    running = Tombstone.objects.filter(project=project.public_id, subject=doomed.subject, purged_at=None)
    if doomed.patient_id:
        return running.filter(patient_id=doomed.patient_id).first()
    return running.filter(document_ids=[doomed.note]).first()


def _is_over(project: Project, now: datetime) -> bool:
    return project.retain_until is not None and project.retain_until < timezone.localdate(now)


def _slug(tombstone: Tombstone) -> str:
    return f"purge-{tombstone.public_id}"


def _take(tombstone: Tombstone, notes: QuerySet[Document], now: datetime) -> int:
    """Put the notes, which are locked, out of reach, with what is to be and was decided in them; how many notes."""
    grave, _ = Project.objects.get_or_create(slug=_slug(tombstone), defaults={"name": NAME, "created_at": now})
    Decision.objects.filter(note_item__document__in=notes).update(project=grave)
    ReviewItem.objects.filter(document__in=notes).update(project=grave)
    n_notes = notes.order_by().update(project=grave)
    forget_types(project_id=tombstone.project)
    return n_notes


def _graves(tombstone: Tombstone) -> list[Project]:
    """The projects that the purge deletes: with a whole project, also those of its patients' unfinished purges."""
    buried = [tombstone]
    if tombstone.subject == Tombstone.Subject.PROJECT:
        buried += Tombstone.objects.filter(project=tombstone.project, purged_at=None).exclude(pk=tombstone.pk)
    return list(Project.objects.filter(slug__in=[_slug(one) for one in buried]).order_by("pk"))


def _buried_notes(tombstone: Tombstone) -> QuerySet[Document]:
    return Document.objects.filter(project__in=_graves(tombstone))


def _next_batch(tombstone: Tombstone) -> list[int]:
    """Keys of the notes to delete next; empty where none is left, those of the patient included that came in late."""
    batch = list(_buried_notes(tombstone).order_by("pk").values_list("pk", flat=True)[:BATCH])
    if batch or not tombstone.patient_id:
        return batch
    # By an import that was being written when the purge was asked for.
    late = Document.objects.filter(project__public_id=tombstone.project, patient_id=tombstone.patient_id)
    if not late.exists():
        return []
    with transaction.atomic():
        lock_notes(late.values_list("pk", flat=True))
        _take(tombstone, late, tombstone.asked_at)
    return _next_batch(tombstone)


def _forget_uploads(tombstone: Tombstone, now: datetime) -> None:
    if tombstone.subject != Tombstone.Subject.PROJECT:
        forget_notes(
            project_id=tombstone.project,
            external_ids=set(_buried_notes(tombstone).values_list("external_id", flat=True)),
            patient_id=tombstone.patient_id,
            now=now,
        )
        return
    for project in _graves(tombstone):
        for public_id in project.imports.values_list("public_id", flat=True):
            remove_folder(public_id)
        with transaction.atomic():
            _count(tombstone, Counter(n_imports=delete_work(Import, project)))


def _delete_graves(tombstone: Tombstone) -> None:
    with transaction.atomic():
        for project in _graves(tombstone):
            Project.objects.select_for_update().get(pk=project.pk)  # wholly: nothing may come to refer to it now
            counts = Counter(
                n_rule_runs=delete_work(RuleRun, project),
                n_trainings=delete_work(TrainingRun, project),
                n_builds=delete_work(DatasetBuild, project),
                n_agreement_reports=delete_work(AgreementReport, project),
                n_round_jobs=delete_work(RoundJob, project),
                n_labeler_comparisons=delete_work(LabelerComparison, project),
            )
            counts += delete_project(project)
            if tombstone.subject == Tombstone.Subject.PROJECT:
                _count(tombstone, counts)


def _count(tombstone: Tombstone, counts: Counter[str]) -> None:
    """Add to what the tombstone says has gone, in the transaction that deletes it."""
    tombstone.counts = dict(Counter(tombstone.counts) + counts)
    tombstone.save(update_fields=["counts"])


def _cancel_labelling(jobs: QuerySet[LabelJob], now: datetime) -> None:
    jobs.filter(status=LabelJob.Status.QUEUED).update(status=LabelJob.Status.CANCELLED, finished_at=now)


def _record(tombstone: Tombstone, verb: str, actor: User | None, now: datetime, detail: Mapping[str, Any]) -> None:
    record_event(
        project=tombstone.project,
        actor=actor,
        verb=f"purge.{verb}",
        object_id=tombstone.public_id,
        now=now,
        detail=detail,
    )
