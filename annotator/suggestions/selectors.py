"""Reading runs: how far they are, how fast, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Sum

from annotator.projects.models import Project
from annotator.suggestions.models import (
    ExamplePool,
    Labeler,
    LabelJob,
    LabelRun,
    PoolWish,
    Promotion,
    PromptExample,
)

RATE_MINUTES = 60
PACE_MINUTES = 5
FEWEST_FOR_PACE = 3
Model = tuple[str, str]  # model id and revision
_SUMMED = ("n_suggestions", "n_unaligned", "n_truncated", "n_problems")


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Notes of a run by state; then suggestions, windows whose answer was cut off, and parts that were not readable."""

    n_total: int
    n_done: int
    n_failed: int
    n_running: int
    n_waiting: int
    n_cancelled: int
    n_suggestions: int
    n_unaligned: int
    n_truncated: int
    n_problems: int

    @property
    def is_finished(self) -> bool:
        return not self.n_running and not self.n_waiting


@dataclass(frozen=True, slots=True)
class FailureReason:
    """How many notes failed, or wait for another attempt, for one reason."""

    error: str
    n_documents: int
    example: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class RunPace:
    """Notes a minute of late: of the run (None where too few were read to say), and of each worker by name."""

    per_minute: float | None
    by_worker: dict[str, float]

    def seconds_left(self, n_left: int) -> float | None:
        """How long `n_left` notes will take at this pace; None where it is not known."""
        return 60 * n_left / self.per_minute if self.per_minute else None


@dataclass(frozen=True, slots=True)
class RunRate:
    """Notes a minute in equal steps, oldest first; each of `times` is the end of its step."""

    values: list[float]
    times: list[datetime]
    step: timedelta


@dataclass(frozen=True, slots=True)
class Promoted:
    """The labeler that was promoted last, where one was, and all that promotions were from or to.

    By name, labelers that differ in their prompts alone are one, as everywhere where one takes another's place.
    """

    current: Labeler | None
    former: tuple[Labeler, ...]

    @property
    def name(self) -> str:
        """Of the current one; "" where none was promoted."""
        return self.current.name if self.current else ""

    @property
    def former_names(self) -> set[str]:
        """Of those that the current one took the place of."""
        return {labeler.name for labeler in self.former} - {self.name}

    def is_over(self, labeler: Labeler) -> bool:
        """Whether another was promoted over this one."""
        if self.current is None or labeler.digest == self.current.digest:
            return False
        return labeler.name in self.former_names or labeler.digest in {found.digest for found in self.former}


def run_progress(*, run_id: int) -> RunProgress:
    """One query."""
    return progress_of_runs([run_id])[run_id]


def progress_of_runs(run_ids: Sequence[int]) -> dict[int, RunProgress]:
    """The progress of each run, by row id. One query however many runs."""
    rows = (
        LabelJob.objects.filter(run_id__in=run_ids)
        .order_by()
        .values_list("run_id", "status")
        .annotate(Count("pk"), *map(Sum, _SUMMED))
    )
    by_run: dict[int, dict[str, Sequence[int]]] = {run_id: {} for run_id in run_ids}
    for run_id, status, *counts in rows:
        by_run[run_id][status] = counts
    return {run_id: _progress(by_status) for run_id, by_status in by_run.items()}


def failure_reasons(*, run_id: int) -> list[FailureReason]:
    """Reasons with the most notes first; notes that will be tried again are counted apart. One query."""
    rows = (
        LabelJob.objects.filter(run_id=run_id, status__in=[LabelJob.Status.FAILED, LabelJob.Status.QUEUED])
        .exclude(error="")
        .values("error", "status")
        .annotate(n=Count("pk"), example=Min("document__public_id"))
        .order_by("-n", "error")
    )
    return [
        FailureReason(
            error=row["error"],
            n_documents=row["n"],
            example=row["example"],
            is_final=row["status"] == LabelJob.Status.FAILED,
        )
        for row in rows
    ]


def run_pace(*, run_id: int, now: datetime) -> RunPace:
    """How fast the run goes, from the last PACE_MINUTES minutes. One query."""
    since = now - timedelta(minutes=PACE_MINUTES)
    rows = (
        LabelJob.objects.filter(run_id=run_id, status=LabelJob.Status.DONE, finished_at__gt=since)
        .order_by()
        .values_list("worker")
        .annotate(n=Count("pk"), first=Min("started_at"))
    )
    found = {worker: (n, first) for worker, n, first in rows}
    if not found:
        return RunPace(per_minute=None, by_worker={})
    begun = max(since, min(first or since for _, first in found.values()))
    minutes = max((now - begun).total_seconds(), 1) / 60
    n_read = sum(n for n, _ in found.values())
    return RunPace(
        per_minute=n_read / minutes if n_read >= FEWEST_FOR_PACE else None,
        by_worker={worker: n / minutes for worker, (n, _) in found.items()},
    )


def is_behind(*, run_id: int, progress: RunProgress, pace: RunPace, now: datetime) -> bool:
    """Whether workers read notes of other runs, of whatever project, while all of the run's wait and none was read of
    late: where runs take turns every few seconds, this one goes on. One query at most.
    """
    if progress.n_running or not progress.n_waiting or pace.by_worker:
        return False
    held = LabelJob.objects.filter(status=LabelJob.Status.RUNNING, lease_expires_at__gt=now)
    return held.exclude(run_id=run_id).exists()


def run_rate(*, run: LabelRun, until: datetime) -> RunRate:
    """Notes a minute over the hour before `until`, or since the run began where that is less. One query.

    Steps are a minute long. Where the run is younger than ten minutes they are ten seconds, and each value is the mean
    of the minute before it. The newest step ends at `until`.
    """
    age = until - run.created_at
    step = timedelta(seconds=60 if age >= timedelta(minutes=10) else 10)
    n_steps = min(max(age // step, 1), RATE_MINUTES)
    since = until - n_steps * step
    finished = LabelJob.objects.filter(
        run=run, status=LabelJob.Status.DONE, finished_at__gt=since, finished_at__lte=until
    )
    counts = [0] * n_steps
    for at in finished.order_by().values_list("finished_at", flat=True).iterator(chunk_size=5000):
        if at is not None:
            counts[n_steps - 1 - (until - at) // step] += 1
    width = timedelta(minutes=1) // step
    return RunRate(
        values=[_mean(counts[max(place + 1 - width, 0) : place + 1]) * width for place in range(n_steps)],
        times=[since + (position + 1) * step for position in range(n_steps)],
        step=step,
    )


def runs_of(project: Project) -> QuerySet[LabelRun]:
    """The project's runs, newest first, with labeler, its schema version, and who started it. One query.

    `progress_of_runs` counts their notes.
    """
    return (
        LabelRun.objects.filter(project=project)
        .select_related("labeler__schema_version", "labeler__guideline", "labeler__pool", "created_by")
        .order_by("-number")
    )


def labelers_of(project: Project) -> QuerySet[Labeler]:
    """The project's labelers, newest first, with schema version, guideline and pool; `n_runs` counts their runs, and
    `n_examples_left` what the pool has left. One query.
    """
    left = PromptExample.objects.filter(pool=OuterRef("pool"), document__project=OuterRef("project")).order_by()
    return (
        project.labelers.select_related("schema_version", "guideline", "pool")
        .annotate(
            n_runs=Count("runs"),
            n_examples_left=Subquery(
                left.values("pool").annotate(n=Count("pk")).values("n"), output_field=IntegerField()
            ),
        )
        .order_by("-created_at", "-pk")
    )


def newest_promotion(project: Project) -> Promotion | None:
    """The one that holds; None where the project uses the installation's labeler. One query."""
    found = project.promotions.select_related("labeler__guideline", "labeler__pool", "labeler__schema_version")
    return found.order_by("-pk").first()


def promoted_of(project: Project) -> Promoted:
    """One query."""
    rows = list(project.promotions.select_related("labeler", "previous").order_by("-pk"))
    former = {found.pk: found for row in rows for found in (row.previous, row.labeler)}
    return Promoted(current=rows[0].labeler if rows else None, former=tuple(former.values()))


def removed_models(project: Project) -> set[Model]:
    """Models that the project trained, and whose weights a purge has taken. One query."""
    gone = Labeler.objects.filter(project=project, trainings__files_removed_at__isnull=False)
    return set(gone.values_list("model_id", "revision"))


def pools_of(project: Project) -> QuerySet[ExamplePool]:
    """The project's pools, newest first. One query."""
    return project.example_pools.select_related("schema_version").order_by("-number")


def counted_pools(project: Project) -> QuerySet[ExamplePool]:
    """The same with who froze them; `n_left` counts the examples that no purge took, `n_wished` those asked for."""
    left = Count("examples", filter=Q(examples__document__project=project), distinct=True)
    wished = Count("examples", filter=Q(examples__wishes__isnull=False), distinct=True)
    return pools_of(project).select_related("created_by").annotate(n_left=left, n_wished=wished)


def examples_in(pool: ExamplePool) -> QuerySet[PromptExample]:
    """Its examples in their order, but for those that a purge takes, with their notes; `n_wishes` counts who asked for
    each. One query.
    """
    rows = PromptExample.objects.filter(pool=pool, document__project=pool.project_id).select_related("document")
    return rows.defer("document__text", "document__metadata").annotate(n_wishes=Count("wishes")).order_by("position")


def waiting_wishes(project: Project) -> QuerySet[PoolWish]:
    """What is asked for among the examples of the project's next pool, the newest first. One query."""
    waiting = PoolWish.objects.filter(project=project, document__project=project, status=PoolWish.Status.WAITING)
    return waiting.order_by("-pk")


def _mean(counts: Sequence[int]) -> float:
    return sum(counts) / len(counts)


def _progress(by_status: Mapping[str, Sequence[int]]) -> RunProgress:
    """From the number of jobs in each state, and the sums of their `_SUMMED`."""

    def count(status: LabelJob.Status) -> int:
        return by_status.get(status, (0,))[0]

    sums = [sum(column) for column in zip(*by_status.values(), strict=True)] or [0] * (1 + len(_SUMMED))
    return RunProgress(
        n_total=sums[0],
        n_done=count(LabelJob.Status.DONE),
        n_failed=count(LabelJob.Status.FAILED),
        n_running=count(LabelJob.Status.RUNNING),
        n_waiting=count(LabelJob.Status.QUEUED),
        n_cancelled=count(LabelJob.Status.CANCELLED),
        **dict(zip(_SUMMED, sums[1:], strict=True)),
    )
