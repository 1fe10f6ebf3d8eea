"""What a project wants of acceptance without review, and what tests and certificates it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from annotator.certificates.models import AcceptanceTarget, Batch, BatchMember, Calibrator, Certificate, Region
from annotator.core.certificates import Ladder, Promise, Rung
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema


def newest_targets(project: Project) -> dict[str, AcceptanceTarget]:
    """What counts now, by label; "" is for all labels that have none of their own. One query."""
    return {target.label: target for target in project.acceptance_targets.select_related("created_by").order_by("pk")}


def labels_under(project: Project, label: str) -> list[str]:
    """The labels that the target of `label` is about: that one, or with "" all that have no target of their own, on or
    off. Two queries.
    """
    if label:
        return [label]
    own = newest_targets(project)
    return [name for name in current_schema(project).schema.label_names if name not in own]


def calibrators_in_use(project: Project) -> QuerySet[Calibrator]:
    """The current calibrators of the project's labelers, by number. One query."""
    found = Calibrator.objects.filter(project=project, status=Calibrator.Status.CURRENT)
    return found.select_related("labeler").order_by("number")


def open_batches(project: Project) -> QuerySet[Batch]:
    """Batches that are audited, or whose certificate is looked after; by number. One query."""
    found = Batch.objects.filter(project=project).exclude(status=Batch.Status.ENDED)
    return found.select_related("project", "calibrator__labeler").order_by("number")


def certificate_of(batch: Batch) -> Certificate | None:
    """What the batch has earned, with its region. One query."""
    return Certificate.objects.select_related("region").filter(batch=batch).first()


def regions_of(batch: Batch) -> list[Region]:
    """The rungs of the batch's ladder, smallest first. One query."""
    return list(batch.regions.order_by("place"))


def members_of(batch: Batch) -> QuerySet[BatchMember]:
    """The batch's members, but for those of notes that a purge has taken."""
    return BatchMember.objects.filter(batch=batch, suggestion__document__project=batch.project_id)


def ladder_of(batch: Batch, regions: Sequence[Region]) -> Ladder:
    """The ladder as it was planned; a region's place is its index."""
    expected = batch.plan["expected_errors"]
    rungs = (Rung(region.chain.upper(), region.size, error) for region, error in zip(regions, expected, strict=True))
    return Ladder(Promise(batch.target, batch.delta), tuple(rungs))


@dataclass(frozen=True, slots=True)
class Trust:
    """All that a project has of acceptance without review; `regions` and `certificates` by their batch's row id."""

    targets: list[AcceptanceTarget]
    calibrators: list[Calibrator]
    batches: list[Batch]
    regions: dict[int, list[Region]]
    certificates: dict[int, Certificate]


def trust_of(project: Project) -> Trust:
    """Targets that count, and every calibrator, batch, region and certificate, newest first. Five queries."""
    batches = Batch.objects.filter(project=project).select_related("calibrator__labeler").order_by("-number")
    regions: dict[int, list[Region]] = {}
    for region in Region.objects.filter(batch__project=project).order_by("batch", "place"):
        regions.setdefault(region.batch_id, []).append(region)
    certificates = Certificate.objects.filter(project=project).select_related("region", "batch")
    return Trust(
        targets=sorted(newest_targets(project).values(), key=lambda target: target.label),
        calibrators=list(project.calibrators.select_related("labeler").order_by("-number")),
        batches=list(batches),
        regions=regions,
        certificates={certificate.batch_id: certificate for certificate in certificates},
    )
