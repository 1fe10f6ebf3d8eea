"""Trainings: asked for, done in the background by whoever can train, stopped, resumed; and their weights removed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.builds.folders import build_folder
from annotator.builds.models import DatasetBuild
from annotator.core.wording import sentence
from annotator.jobs.models import Job
from annotator.jobs.patience import patiently
from annotator.jobs.services import (
    JobCancelled,
    JobLost,
    JobRefused,
    advance_job,
    cancel_job,
    create_job,
    finish_job,
    restart_job,
    start_job,
)
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.models import Project
from annotator.projects.services import lock_projects
from annotator.suggestions.models import LabelRun
from annotator.suggestions.selectors import newest_promotion
from annotator.training.checks import why_not
from annotator.training.folders import is_begun, model_folder
from annotator.training.models import TrainingPoint, TrainingRun
from annotator.training.options import OptionRefused, checked_base, checked_recipe
from annotator.training.trained import labeler_of
from annotator.web.ids import new_public_id

PHASE = "Training"
RENEW_AFTER = timedelta(seconds=2)
_PURGED = "notes of its dataset were purged: build another dataset and train from that"
_OURS = re.compile(r"[a-z2-7]{16}")
_OPEN = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.CANCELLING)
_OF_POINT = ("epoch", "loss", "dev_loss", "dev_f1", "seconds")


class Point(Protocol):
    """What a training tells at one step."""

    @property
    def step(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def epoch(self) -> float | None: ...
    @property
    def loss(self) -> float | None: ...
    @property
    def dev_loss(self) -> float | None: ...
    @property
    def dev_f1(self) -> float | None: ...
    @property
    def seconds(self) -> float | None: ...


class Outcome(Protocol):
    """How a training ended: done, stopped, refused or failed, with a message that holds no note text."""

    @property
    def status(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def message(self) -> str: ...


class Train(Protocol):
    """Trains a model into the folder `out`, and tells as it goes. It stops where `may_go_on` says no.

    Above this package, since what trains models is in another one.
    """

    def __call__(
        self,
        *,
        kind: str,
        build: Path,
        out: Path,
        base: str,
        recipe: Mapping[str, Any],
        is_resumed: bool,
        on_point: Callable[[Any], None],
        may_go_on: Callable[[], bool],
    ) -> Outcome: ...


class TrainingRefused(ValueError):
    """A training that cannot be made as asked; the message says why, and holds no note text."""


@transaction.atomic
def start_training(
    *,
    project: Project,
    build: DatasetBuild,
    kind: str,
    base: str,
    recipe: Mapping[str, Any],
    actor: User,
    now: datetime,
) -> TrainingRun:
    """A training that a worker will do. Raises TrainingRefused where the dataset cannot be learnt from in this way."""
    if kind not in TrainingRun.Kind.values:
        raise TrainingRefused(f"there is no such kind of model: {', '.join(TrainingRun.Kind.values)} are known")
    try:
        asked, base = checked_recipe(kind, recipe), checked_base(kind, base)
    except OptionRefused as refusal:
        raise TrainingRefused(str(refusal)) from refusal
    lock_projects(project)
    build = DatasetBuild.objects.get(pk=build.pk, project=project)  # a purge may have taken its files meanwhile
    if reason := why_not(build=build, kind=kind, base=base):
        raise TrainingRefused(reason)
    newest = project.training_runs.order_by("-number").first()
    public_id = new_public_id()
    run = TrainingRun.objects.create(
        project=project,
        public_id=public_id,
        number=newest.number + 1 if newest else 1,
        build=build,
        kind=kind,
        base=base,
        recipe=asked,
        job=create_job(kind=Job.Kind.TRAINING, asked_by=actor, project=project.public_id, subject=public_id, now=now),
        created_by=actor,
        created_at=now,
    )
    _record(run, "start", actor, now, {"build": build.public_id, "kind": kind, "base": base, "recipe": asked})
    start_job(run.job)
    return run


def run_training(*, job: Job, clock: Callable[[], datetime], train: Train) -> None:
    """Have `train` make the job's model, and finish the job together with the labeler that comes of it.

    What a former attempt has left is gone on with. The model is made with no transaction open; its points and the lease
    are written as it goes, behind the job's fence. Raises JobRefused, JobCancelled, JobLost.
    """
    run = TrainingRun.objects.select_related("project", "build", "created_by").get(job=job)
    watch = _Watch(run, job, clock)
    _refuse_gone(run)
    outcome = train(
        kind=run.kind,
        build=build_folder(run.build),
        out=model_folder(run),
        base=run.base,
        recipe=run.recipe,
        is_resumed=is_begun(run),
        on_point=watch.take,
        may_go_on=watch.may_go_on,
    )
    watch.keep()
    if watch.reason is not None:
        raise watch.reason
    if outcome.status in {"refused", "failed"}:
        with transaction.atomic():
            _record(run, "fail", None, clock(), {"status": outcome.status})
        raise JobRefused(sentence(outcome.message))
    if outcome.status != "done":
        raise RuntimeError("the training stopped, and nobody had asked for it")
    _finish(run, job, outcome.facts, clock())


@transaction.atomic
def cancel_training(*, run: TrainingRun, actor: User, now: datetime) -> bool:
    """Ask the training to stop; False where it has ended already. It can be resumed from where it stops."""
    lock_projects(run.project)
    job = Job.objects.select_for_update().get(pk=run.job_id)
    if job.is_finished:
        return False
    cancel_job(job=job, now=now)
    _record(run, "cancel", actor, now)
    return True


@transaction.atomic
def resume_training(*, run: TrainingRun, actor: User, now: datetime) -> bool:
    """Go on with a training that failed or was cancelled; False for any other.

    Raises TrainingRefused where a purge has taken its dataset or what it had learnt.
    """
    lock_projects(run.project)
    run = TrainingRun.objects.select_related("project", "build", "job").get(pk=run.pk)
    if run.job.status not in {Job.Status.FAILED, Job.Status.CANCELLED}:
        return False
    if run.files_removed_at is not None or run.build.files_removed_at is not None:
        raise TrainingRefused("what it had learnt is removed, or its dataset: start a new training")
    restart_job(job=run.job, asked_by=actor)
    _record(run, "resume", actor, now)
    return True


@transaction.atomic
def remove_weights(*, run: TrainingRun, actor: User, now: datetime) -> bool:
    """Remove all files of a training for good; False where they are removed already.

    Its labeler reads nothing any more; what it has suggested stays. Raises TrainingRefused where it is still needed.
    """
    lock_projects(run.project)
    run = TrainingRun.objects.select_related("project", "job", "labeler").get(pk=run.pk)
    if run.files_removed_at is not None:
        return False
    if reason := why_kept(run):
        raise TrainingRefused(reason)
    _withdraw(run, "asked", actor, now)
    return True


def why_kept(run: TrainingRun) -> str:
    """Why the files of the training cannot be removed now, with what to do; "" where they can. Up to two queries."""
    if not run.job.is_finished:
        return "it is not finished: cancel it first"
    if run.labeler is None:
        return ""
    # In a newer schema its labeler is another row, of the same digest.
    newest = newest_promotion(run.project)
    if newest is not None and newest.labeler.digest == run.labeler.digest:
        return "new runs of the project use its labeler: promote another one first"
    reading = LabelRun.objects.filter(project=run.project_id, labeler__digest=run.labeler.digest)
    if reading.filter(status=LabelRun.Status.RUNNING).exists():
        return "its labeler is reading notes: wait for the run, or cancel it"
    return ""


@transaction.atomic
def withdraw_weights(*, runs: QuerySet[TrainingRun], now: datetime) -> int:
    """Have the files of these trainings removed because of a purge, since weights may hold what they have learnt from;
    those that are going on end. How many. `sweep_models` removes the files.
    """
    found = list(runs.filter(files_removed_at=None).select_related("project", "job"))
    for run in found:
        cancel_job(job=run.job, now=now)
        _withdraw(run, "purge", None, now)
    return len(found)


def sweep_models() -> None:
    """Remove folders that nobody may need any more: of trainings whose weights were removed, or that are gone."""
    # The folders first: one that comes later has its row before it is there.
    folders = [folder for folder in Path(settings.MODELS_DIR).iterdir() if _OURS.fullmatch(folder.name)]
    if not folders:
        return
    kept = set(TrainingRun.objects.filter(files_removed_at=None).values_list("public_id", flat=True))
    for folder in folders:
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


class _Watch:
    """What the trainer is given to tell and to ask: points are kept and the lease renewed every RENEW_AFTER.

    `reason` says why the training is to stop, once it is. What it tells after that is kept as well, so that the curve
    of a training that is resumed has no hole.
    """

    def __init__(self, run: TrainingRun, job: Job, clock: Callable[[], datetime]) -> None:
        self._run, self._job, self._clock = run, job, clock
        self._rows: dict[int, TrainingPoint] = {}
        self._n_done = self._n_total = 0
        self._is_told, self._is_first = False, True
        self._renewed_at: datetime | None = None
        self.reason: JobCancelled | JobLost | None = None

    def take(self, point: Point) -> None:
        """Two points of one step are one row. A step that comes again is of a training that was begun again."""
        if point.step < self._n_done:
            self._rows.clear()
            self._is_first = True
        row = self._rows.setdefault(point.step, TrainingPoint(run=self._run, step=point.step, epoch=0.0, seconds=0.0))
        for name in _OF_POINT:
            if (value := getattr(point, name)) is not None:
                setattr(row, name, value)
        self._n_done, self._n_total, self._is_told = point.step, point.n_steps, True

    def may_go_on(self) -> bool:
        now = self._clock()
        if self.reason is None and (self._renewed_at is None or now - self._renewed_at >= RENEW_AFTER):
            try:
                patiently(lambda: self._advance(now))
            except (JobCancelled, JobLost) as reason:
                self.reason = reason
                return False
            self._renewed_at = now
            self.keep()
        return self.reason is None

    def keep(self) -> None:
        """Write what was told since the last time, where the job is still ours."""
        if not self._is_told:
            return
        rows = list(self._rows.values())
        if patiently(lambda: _add_points(self._run, self._job, rows, n_total=self._n_total, is_first=self._is_first)):
            self._is_first = self._is_told = False
            self._rows = {rows[-1].step: rows[-1]}
        else:
            self.reason = self.reason or JobLost()

    def _advance(self, now: datetime) -> None:
        advance_job(job=self._job, now=now, phase=PHASE, n_done=self._n_done, n_total=self._n_total)


@transaction.atomic
def _add_points(run: TrainingRun, job: Job, rows: Sequence[TrainingPoint], *, n_total: int, is_first: bool) -> bool:
    """False where the job is another's by now. The first of an attempt take the place of what followed them before."""
    mine = Job.objects.filter(pk=job.pk, run_token=job.run_token, status__in=_OPEN)
    if not mine.update(n_done=rows[-1].step, n_total=n_total):
        return False
    if is_first:
        run.points.filter(step__gte=rows[0].step).delete()
    TrainingPoint.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["run", "step"], update_fields=list(_OF_POINT)
    )
    return True


@transaction.atomic
def _finish(run: TrainingRun, job: Job, facts: Mapping[str, Any], now: datetime) -> None:
    """The labeler, the row and the job in one. Raises JobRefused where a purge came in between, JobLost."""
    project = run.project
    lock_projects(project)
    run = TrainingRun.objects.select_related("project", "build", "created_by").get(pk=run.pk)
    _refuse_gone(run)
    finish_job(job=job, now=now)
    run.facts, run.revision = dict(facts), str(facts["revision"])
    run.labeler = labeler_of(run, now)
    run.save(update_fields=["facts", "revision", "labeler"])
    _record(run, "finish", run.created_by, now, {"revision": run.revision, "labeler": run.labeler.pk})
    notify(
        users=[job.asked_by_id],
        kind=Kind.TRAINING_DONE,
        project=project.public_id,
        subject=run.public_id,
        detail={"number": run.number, "kind": run.kind},
        actor=None,
        now=now,
    )


def _refuse_gone(run: TrainingRun) -> None:
    if run.files_removed_at is not None or run.build.files_removed_at is not None:
        raise JobRefused(sentence(_PURGED))


def _withdraw(run: TrainingRun, cause: str, actor: User | None, now: datetime) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(files_removed_at=now)
    _record(run, "remove", actor, now, {"cause": cause})
    transaction.on_commit(lambda: shutil.rmtree(model_folder(run), ignore_errors=True))


def _record(
    run: TrainingRun, verb: str, actor: User | None, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    record_event(
        project=run.project.public_id,
        actor=actor,
        verb=f"training.{verb}",
        object_id=run.public_id,
        now=now,
        detail=detail or {},
    )
