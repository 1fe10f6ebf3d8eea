"""Which labelers may be promoted, on which comparisons that may rest, and what a promotion will do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotator.browse.selectors import NoteState, count_spans, notes_with_state
from annotator.certificates.models import Batch, Certificate
from annotator.core.identifiers import FINDER
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.review.blinding import blind_notes
from annotator.review.models import ReviewItem
from annotator.routing.selectors import open_batches
from annotator.suggestions.labelers import IMPORTED, Current, why_not
from annotator.suggestions.models import Labeler, LabelJob, LabelRun
from annotator.suggestions.selectors import Model, Promoted, promoted_of
from annotator.training.models import LabelerComparison

# Backends whose labelers never take the place of a project's: what was imported, and what finds identifiers alone.
_BESIDE = (IMPORTED, FINDER)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a promotion will do: suggested spans that keep their decision, open ones that wait for what the labeler says
    there, notes that it reads and how many of these nobody has read yet; live certificates and tests that end, and runs
    that are stopped.
    """

    n_decided: int
    n_open: int
    n_notes: int
    n_new: int
    certificates: list[Certificate]
    n_tests: int
    n_runs: int


def refusal_of(
    labeler: Labeler, *, current: Current, removed: Collection[Model], comparison: LabelerComparison | None = None
) -> str:
    """Why the labeler cannot be promoted, "" where it can. `removed` as in `why_not`."""
    if labeler.backend in _BESIDE:
        return "it reads nothing in the place of the project's labeler"
    if labeler.schema_version_id != current.schema_version.pk:
        number = labeler.schema_version.number
        return f"it was made for schema version {number}, and {current.schema_version.number} counts"
    if cannot := why_not(labeler, removed=removed):
        return f"{cannot[:1].lower()}{cannot[1:]}"
    if current.is_current(labeler):
        return "it is the project's labeler already"
    if comparison is None:
        return ""
    if comparison.job.status != Job.Status.DONE:
        return f"comparison {comparison.number} has not come to its end"
    sides = {comparison.candidate.digest, comparison.current.digest}
    if sides != {labeler.digest, current.spec.digest}:
        return f"comparison {comparison.number} is of other labelers"
    return ""


def comparisons_for(labeler: Labeler, *, current: Current) -> list[LabelerComparison]:
    """The finished comparisons of the labeler with the current one, the newest first. One query."""
    digest = current.spec.digest
    between = Q(candidate__digest=labeler.digest, current__digest=digest)
    between |= Q(candidate__digest=digest, current__digest=labeler.digest)
    found = LabelerComparison.objects.filter(between, project=labeler.project_id, job__status=Job.Status.DONE)
    return list(found.select_related("job", "candidate", "current").order_by("-number"))


def undecided_notes(project: Project) -> QuerySet[Document]:
    """The notes that a promoted labeler reads: those that nobody has read, and those with spans that wait for a
    decision. Not those that are finished, nor those that somebody is reading blind.
    """
    items = ReviewItem.objects.filter(project=project, document=OuterRef("pk"), status=ReviewItem.Status.OPEN)
    is_waiting = Exists(items.filter(unit=ReviewItem.Unit.SPAN))
    blind = blind_notes(project).filter(leased_by__isnull=False)
    return (
        notes_with_state(project)
        .exclude(state__in=[NoteState.REVIEWED, NoteState.CERTIFIED])
        .exclude(~is_waiting, state=NoteState.IN_REVIEW)
        .exclude(pk__in=blind.values("document"))
    )


def outlook_of(labeler: Labeler, *, current: Current) -> Outlook:
    """What promoting the labeler will do. Seven queries, which read every review item."""
    project = labeler.project
    promoted = promoted_of(project)
    after = Promoted(current=labeler, former=(*promoted.former, _row_of(current, project)))
    batches = [batch for batch in open_batches(project) if after.is_over(batch.calibrator.labeler)]
    live = Certificate.objects.filter(batch__in=batches, status=Certificate.Status.LIVE).select_related("batch")
    spans, notes = count_spans(project), undecided_notes(project)
    read = LabelJob.for_review.filter(run__project=project, status=LabelJob.Status.DONE).values("document")
    return Outlook(
        n_decided=spans.n_decided,
        n_open=spans.n_open,
        n_notes=notes.count(),
        n_new=notes.exclude(pk__in=read).count(),
        certificates=list(live.order_by("number")),
        n_tests=sum(batch.status == Batch.Status.TESTING for batch in batches),
        n_runs=sum(after.is_over(run.labeler) for run in running_runs(project)),
    )


def running_runs(project: Project) -> QuerySet[LabelRun]:
    """Runs for review that go on; those of a comparison are another's to stop."""
    going = project.label_runs.filter(status=LabelRun.Status.RUNNING, purpose=LabelRun.Purpose.WORK)
    return going.select_related("labeler", "project").order_by("pk")


def _row_of(current: Current, project: Project) -> Labeler:
    """The current labeler as a row, which is not stored where it is new."""
    spec = current.spec
    return Labeler(project=project, name=spec.name, backend=spec.backend, model_id=spec.model_id, digest=spec.digest)
