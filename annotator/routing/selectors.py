"""What a project wants of acceptance without review, and what tests and certificates it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet

from annotator.certificates.models import (
    AcceptanceTarget,
    Batch,
    BatchMember,
    Calibrator,
    Certificate,
    Region,
    WatchedSuggestion,
)
from annotator.core.certificates import Ladder, Promise, Rung
from annotator.core.second_reads import Changed, Disagreement
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.review.models import ReviewItem, SecondRead

_Outcome = BatchMember.Outcome


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


def disagreements_of(project: Project) -> dict[int, Disagreement]:
    """How far second readers disagree with the first, by the row id of the batch, of those that have a second reader.
    Four queries, one where none has.
    """
    batches = Batch.objects.filter(project=project, second_percent__isnull=False)
    found = {pk: Counter[str]() for pk in batches.values_list("pk", flat=True)}
    if not found:
        return {}
    reads = SecondRead.objects.filter(batch__in=found).order_by()
    waits = Q(outcome="", item__status=ReviewItem.Status.OPEN)
    for pk, first, outcome, *n in reads.values_list("batch", "first", "outcome").annotate(
        n=Count("pk"), n_waiting=Count("pk", filter=waits), n_alone=Count("pk", filter=Q(item=None))
    ):
        found[pk].update({f"{first} {outcome}": n[0], "waiting": n[1], f"{first} alone": n[2]})
    decided = Q(outcome=_Outcome.RIGHT) | Q(outcome=_Outcome.WRONG)
    members = BatchMember.objects.filter(decided, batch__in=found).order_by()
    watched = WatchedSuggestion.objects.filter(decided, certificate__batch__in=found).order_by()
    for rows in (members.values_list("batch"), watched.values_list("certificate__batch")):
        for pk, n_final in rows.annotate(n=Count("pk")):
            found[pk]["final"] += n_final
    return {pk: _disagreement(counts) for pk, counts in found.items()}


def _disagreement(counts: Mapping[str, int]) -> Disagreement:
    right, wrong = _Outcome.RIGHT, _Outcome.WRONG
    of_wrong = counts[f"{wrong} {right}"] + counts[f"{wrong} {wrong}"]
    of_right = counts[f"{right} {right}"] + counts[f"{right} {wrong}"]
    n_alone = counts[f"{wrong} alone"] + counts[f"{right} alone"]
    return Disagreement(
        wrong=Changed(of_wrong, counts[f"{wrong} {right}"]),
        right=Changed(of_right, counts[f"{right} {wrong}"]),
        n_right=max(counts["final"] - of_wrong - counts[f"{wrong} alone"], of_right),
        n_waiting=counts["waiting"],
        n_alone=n_alone,
    )


def differing_of(project: Project) -> dict[int, int]:
    """Of how many members of certified regions the label is the second reader's and not the first's, whose decision
    stands in the note; by the row id of the batch. One query.
    """
    others = SecondRead.objects.filter(batch__project=project).exclude(outcome="").exclude(outcome=F("first"))
    members = BatchMember.objects.filter(
        batch__project=project,
        rank__lte=F("batch__certificate__region__size"),
        suggestion__in=others.values("suggestion"),
    )
    return dict(members.order_by().values_list("batch").annotate(n=Count("pk")))


@dataclass(frozen=True, slots=True)
class Trust:
    """All that a project has of acceptance without review; by their batch's row id `regions`, `certificates`, `second`
    and `differing`: how far second readers disagree, and how many labels of its certified region are not what stands in
    the notes.
    """

    targets: list[AcceptanceTarget]
    calibrators: list[Calibrator]
    batches: list[Batch]
    regions: dict[int, list[Region]]
    certificates: dict[int, Certificate]
    second: dict[int, Disagreement]
    differing: dict[int, int]


def trust_of(project: Project) -> Trust:
    """Targets that count, and every calibrator, batch, region and certificate, newest first. Seven queries, three
    more where a batch has a second reader.
    """
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
        second=disagreements_of(project),
        differing=differing_of(project),
    )
