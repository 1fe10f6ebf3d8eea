"""Reading a project's labelers: what each is, where it comes from, and what became of what it suggested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.fields.json import KT

from annotator.builds.models import DatasetBuild
from annotator.core.labeler_comparison import CANDIDATE as CANDIDATE_SIDE
from annotator.core.labeler_comparison import CURRENT as CURRENT_SIDE
from annotator.jobs.models import Job
from annotator.progress.models import LabelDay
from annotator.projects.models import Project
from annotator.suggestions.labelers import Current, current_of
from annotator.suggestions.models import Labeler, LabelJob, LabelRun, Promotion
from annotator.suggestions.selectors import Model, Promoted, promoted_of, removed_models
from annotator.training.models import LabelerComparison, TrainingRun
from annotator.training.promotable import refusal_of

# What of a labeler a dataset's manifest names it by.
_NAMED = ("name", "backend", "model_id", "revision", "prompt_digest")
# Where a comparison's report has the figures of both sides, by what they are called in a query.
_F1 = {"f1_of_candidate": CANDIDATE_SIDE, "f1_of_current": CURRENT_SIDE}
# States: it reads new notes; it may be promoted; another was promoted over it; its weights are gone; it reads nothing
# in the current one's place, for whichever reason.
CURRENT, CANDIDATE, FORMER, REMOVED, BESIDE, OUTDATED = (
    *("current", "candidate", "former", "removed", "beside", "outdated"),
)
# Those whose labelers can be sent over notes.
READING = (CURRENT, CANDIDATE, FORMER)


@dataclass(frozen=True, slots=True)
class InDataset:
    """A dataset that holds spans which came from the labeler's suggestions, and how many."""

    build: DatasetBuild
    n_spans: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Strict F1 on the locked test set, as a comparison had it."""

    f1: float
    comparison: LabelerComparison


@dataclass(frozen=True, slots=True)
class Entry:
    """A labeler and its line: the training that it came from, its runs for review, the notes that these have read, what
    they suggested, what of that people decided by the last count, took unchanged and rejected (None where days were
    counted before rejections were), the datasets with its labels, and what the newest comparison measured.

    `cannot` says why it cannot be promoted, "" where it can.
    """

    labeler: Labeler
    state: str
    cannot: str
    training: TrainingRun | None
    n_runs: int
    n_notes: int
    n_suggestions: int
    n_decided: int
    n_accepted: int
    n_rejected: int | None
    datasets: tuple[InDataset, ...]
    measured: Measured | None

    @property
    def accepted(self) -> float | None:
        """The share of decided suggestions that was taken unchanged; None where none is decided."""
        return self.n_accepted / self.n_decided if self.n_decided else None

    @property
    def rejected(self) -> float | None:
        """The share that was rejected; None where it is not known."""
        return self.n_rejected / self.n_decided if self.n_rejected is not None and self.n_decided else None

    @property
    def edited(self) -> float | None:
        """The share of which label or place was changed; None where it is not known."""
        if self.accepted is None or self.rejected is None:
            return None
        return max(1 - self.accepted - self.rejected, 0.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What tells the state of a project's labelers: the current one, those before it, and models without weights."""

    current: Current
    promoted: Promoted
    removed: Collection[Model]

    def state_of(self, labeler: Labeler) -> str:
        is_newest = labeler.schema_version_id == self.current.schema_version.pk
        if (labeler.model_id, labeler.revision) in self.removed:
            return REMOVED
        if is_newest and self.current.is_current(labeler):
            return CURRENT
        if not refusal_of(labeler, current=self.current, removed=self.removed):
            return FORMER if self.promoted.is_over(labeler) else CANDIDATE
        return BESIDE if is_newest else OUTDATED


def standing_of(project: Project) -> Standing:
    """Four queries, five where the current one was trained."""
    return Standing(current=current_of(project), promoted=promoted_of(project), removed=removed_models(project))


def models_of(project: Project) -> QuerySet[Labeler]:
    """The project's labelers that have a run, a training or a promotion, the newest first. One query."""
    runs = LabelRun.objects.filter(labeler=OuterRef("pk"))
    trainings = TrainingRun.objects.filter(labeler=OuterRef("pk"))
    promotions = Promotion.objects.filter(Q(labeler=OuterRef("pk")) | Q(previous=OuterRef("pk")))
    found = project.labelers.filter(Exists(runs) | Exists(trainings) | Exists(promotions))
    return found.select_related("project", "schema_version", "guideline", "pool").order_by("-pk")


def entries_of(project: Project, labelers: Sequence[Labeler], *, standing: Standing) -> list[Entry]:
    """The labelers with their lines. Seven queries however many labelers; none reads suggestions or decisions, which
    are counted by job and by day.
    """
    runs = _by_labeler(
        LabelRun.objects.filter(labeler__in=labelers, purpose=LabelRun.Purpose.WORK), "labeler", n=Count("pk")
    )
    done = LabelJob.objects.filter(run__labeler__in=labelers, run__purpose=LabelRun.Purpose.WORK)
    read = _by_labeler(
        done.filter(status=LabelJob.Status.DONE),
        "run__labeler",
        n=Count("document", distinct=True),
        n_suggestions=Sum("n_suggestions"),
    )
    days = LabelDay.objects.filter(project=project, labeler__in=labelers, label="")
    decided = _by_labeler(
        days,
        "labeler",
        n=Sum("n"),
        n_taken=Sum("n_accepted"),
        n_refused=Sum("n_rejected"),
        n_untold=Count("pk", filter=Q(n_rejected=None)),
    )
    trainings = _trainings(project)
    datasets = _datasets(project)
    measured = _measured(project)
    return [
        Entry(
            labeler=labeler,
            state=standing.state_of(labeler),
            cannot=refusal_of(labeler, current=standing.current, removed=standing.removed),
            training=trainings.get((labeler.model_id, labeler.revision)),
            n_runs=runs[labeler.pk]["n"],
            n_notes=read[labeler.pk]["n"],
            n_suggestions=read[labeler.pk]["n_suggestions"],
            n_decided=decided[labeler.pk]["n"],
            n_accepted=decided[labeler.pk]["n_taken"],
            n_rejected=None if decided[labeler.pk]["n_untold"] else decided[labeler.pk]["n_refused"],
            datasets=tuple(datasets.get(tuple(getattr(labeler, name) for name in _NAMED), ())),
            measured=measured.get(labeler.digest),
        )
        for labeler in labelers
    ]


def promotions_of(labeler: Labeler) -> list[Promotion]:
    """Where the labeler was promoted, or another was over it, the newest first. One query."""
    mine = Q(labeler__digest=labeler.digest) | Q(previous__digest=labeler.digest)
    found = Promotion.objects.filter(mine, project=labeler.project_id)
    return list(found.select_related("labeler", "previous", "promoted_by").order_by("-pk"))


def newest_runs(labeler: Labeler, *, n: int) -> list[LabelRun]:
    """Its newest runs for review. One query."""
    return list(labeler.runs.filter(purpose=LabelRun.Purpose.WORK).order_by("-number")[:n])


def numbers_of(project: Project, public_ids: Collection[str]) -> Mapping[str, int]:
    """The numbers of these comparisons, by public id. One query."""
    found = LabelerComparison.objects.filter(project=project, public_id__in=public_ids)
    return dict(found.values_list("public_id", "number"))


def _by_labeler(rows: QuerySet[Any], key: str, **sums: Any) -> Mapping[int, Mapping[str, int]]:
    """The sums by the row id of the labeler; zero where there is none."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(sums, 0))
    for row in rows.order_by().values(key).annotate(**sums):
        found[row[key]] = {name: row[name] or 0 for name in sums}
    return found


def _trainings(project: Project) -> Mapping[Model, TrainingRun]:
    """The trainings that have ended, by the model that came of them: in a newer schema it is another row."""
    rows = TrainingRun.objects.filter(project=project, labeler__isnull=False).select_related("labeler", "build")
    return {(row.labeler.model_id, row.labeler.revision): row for row in rows.order_by("pk") if row.labeler}


def _datasets(project: Project) -> Mapping[tuple[str, ...], list[InDataset]]:
    """The datasets by the labelers that their manifests name, the newest first. Of one whose files were purged nothing
    is told.
    """
    found: dict[tuple[str, ...], list[InDataset]] = defaultdict(list)
    rows = DatasetBuild.objects.filter(project=project, files_removed_at=None).defer("manifest", "options")
    for build in rows.annotate(named=F("manifest__labelers")).order_by("-number"):
        for each in build.named or ():
            key = tuple(each.get("prompt_sha256" if name == "prompt_digest" else name, "") for name in _NAMED)
            found[key].append(InDataset(build=build, n_spans=each["n_spans"]))
    return found


def _measured(project: Project) -> Mapping[str, Measured]:
    """What the newest finished comparison of each labeler measured, by the labeler's digest."""
    rows = LabelerComparison.objects.filter(project=project, job__status=Job.Status.DONE).defer("report")
    rows = rows.annotate(**{name: KT(f"report__overall__strict__{side}__f1") for name, side in _F1.items()})
    found = {}
    for row in rows.select_related("candidate", "current").order_by("pk"):
        for name, side in _F1.items():
            if (f1 := getattr(row, name)) is not None:
                found[getattr(row, side).digest] = Measured(float(f1), row)
    return found
