"""Reading what is known of how far suggestions can be trusted: targets, tests, certificates, calibrators."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Max, QuerySet, Sum

from annotator.certificates.models import (
    AcceptanceTarget,
    Batch,
    BatchMember,
    Calibrator,
    Certificate,
    FitWish,
    Region,
    WatchedSuggestion,
)
from annotator.core.identifiers import FINDER
from annotator.core.second_reads import Disagreement
from annotator.projects.models import Project
from annotator.review.models import SecondRead
from annotator.routing.selectors import disagreements_of, newest_targets
from annotator.suggestions.models import Labeler, LabelJob

# Below so many audits no region can pass, whatever they say; a share of them would be read as more than it is.
FEWEST_AUDITS = 20
# How many certificates that are no longer live the page lists at once.
MOST_PAST = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """A label's target and its newest test, with the regions in the order of their sizes, its certificate, and how far
    its second reader disagrees; None where it has none.
    """

    label: str
    target: AcceptanceTarget | None
    batch: Batch | None = None
    regions: tuple[Region, ...] = ()
    certificate: Certificate | None = None
    last_audit_at: datetime | None = None
    second: Disagreement | None = None

    @property
    def is_on(self) -> bool:
        return self.target is not None and self.target.status == AcceptanceTarget.Status.ON

    @property
    def is_live(self) -> bool:
        return self.certificate is not None and self.certificate.status == Certificate.Status.LIVE

    @property
    def n_accepted(self) -> int:
        """Under its certificate, later suggestions included."""
        return self.certificate.n_accepted + self.certificate.n_extrapolated if self.certificate else 0

    @property
    def region(self) -> Region | None:
        """What the page tells of the test: the certified region, else of those that are next in their chains the one
        that has the most evidence. One behind these may have passed, and is not claimed before they have.
        """
        if self.certificate is not None:
            return next(each for each in self.regions if each.pk == self.certificate.region_id)
        following: dict[str, Region] = {}
        for each in self.regions:
            if each.passed_at is None:
                following.setdefault(each.chain, each)
        known = [each for each in following.values() if each.log_evidence is not None]
        return max(known, key=lambda each: each.log_evidence or 0.0) if known else next(iter(self.regions), None)


@dataclass(frozen=True, slots=True)
class Trust:
    """All that the lead's page tells of certificates; a fixed number of queries, however many suggestions there are."""

    labeler: Labeler | None
    calibrator: Calibrator | None
    offered: Calibrator | None
    wish: FitWish | None
    n_suggestions: int
    standings: Mapping[str, Standing] = field(default_factory=dict)


def trust_of(*, project: Project, labels: Iterable[str]) -> Trust:
    """What is known of the labeler that reads the project's notes now, for each label and ('') the others together.

    Thirteen queries.
    """
    labeler = current_labeler(project)
    calibrators = Calibrator.objects.filter(labeler=labeler).exclude(status=Calibrator.Status.REPLACED)
    by_status = {each.status: each for each in calibrators.select_related("created_by")}
    targets = newest_targets(project)
    batches = _newest_batches(project, labeler)
    regions: dict[int, list[Region]] = {}
    for region in Region.objects.filter(batch__in=[batch.pk for batch in batches.values()]).order_by("size"):
        regions.setdefault(region.batch_id, []).append(region)
    audited, second = _last_audits(batches.values()), disagreements_of(project)
    names = [*labels, ""]
    standings = {}
    for label in names:
        batch = batches.get(label)
        standings[label] = Standing(
            label=label,
            target=targets.get(label),
            batch=batch,
            regions=tuple(regions.get(batch.pk, ())) if batch else (),
            certificate=getattr(batch, "certificate", None) if batch else None,
            last_audit_at=audited.get(batch.pk) if batch else None,
            second=second.get(batch.pk) if batch else None,
        )
    return Trust(
        labeler=labeler,
        calibrator=by_status.get(Calibrator.Status.CURRENT),
        offered=by_status.get(Calibrator.Status.OFFERED),
        wish=FitWish.objects.filter(labeler=labeler).select_related("asked_by").first(),
        n_suggestions=n_suggested(labeler),
        standings=standings,
    )


def current_labeler(project: Project) -> Labeler | None:
    """The labeler of findings that read a note last; None where none has. One query."""
    done = LabelJob.for_review.filter(run__project=project, status=LabelJob.Status.DONE)
    newest = done.exclude(run__labeler__backend=FINDER).order_by("-run_id")
    found = newest.values_list("run__labeler_id", flat=True).first()
    return Labeler.objects.filter(pk=found).first() if found is not None else None


def n_suggested(labeler: Labeler | None) -> int:
    """How many suggestions the labeler has made, added up from its notes: counting them takes seconds among a million.
    One query.
    """
    done = LabelJob.for_review.filter(run__labeler=labeler, status=LabelJob.Status.DONE)
    return done.aggregate(n=Sum("n_suggestions"))["n"] or 0


def past_certificates(project: Project) -> list[Certificate]:
    """The newest certificates that are live no more. One query."""
    past = Certificate.objects.filter(project=project).exclude(status=Certificate.Status.LIVE)
    return list(past.select_related("batch", "region").order_by("-ended_at", "-pk")[:MOST_PAST])


def differing(project: Project) -> QuerySet[SecondRead]:
    """Audits that the second reader decided otherwise than the first, newest first, with their batch and note. One
    query.
    """
    decided = SecondRead.objects.filter(batch__project=project, suggestion__document__project=project)
    others = decided.exclude(outcome="").exclude(outcome=F("first"))
    found = others.select_related("batch", "suggestion__document").order_by("-pk")
    return found.defer("suggestion__signals", "suggestion__document__text", "suggestion__document__metadata")


def _last_audits(batches: Collection[Batch]) -> dict[int, datetime]:
    """When somebody last decided a member of each test, or what is watched for its certificate. Two queries."""
    decided = Max("suggestion__review_items__decisions__decided_at")
    tested = BatchMember.objects.filter(batch__in=batches).values_list("batch")
    watched = WatchedSuggestion.objects.filter(certificate__batch__in=batches).values_list("certificate__batch")
    found: dict[int, datetime] = {}
    for rows in (tested, watched):
        for batch, at in rows.exclude(outcome="").order_by().annotate(at=decided):
            if at is not None:
                found[batch] = max(at, found.get(batch, at))
    return found


def _newest_batches(project: Project, labeler: Labeler | None) -> dict[str, Batch]:
    """The newest test of each label, of the labeler. One query."""
    of_labeler = Batch.objects.filter(project=project, calibrator__labeler=labeler)
    newest = of_labeler.order_by().values("label").annotate(newest=Max("pk"))
    rows = Batch.objects.filter(pk__in=newest.values("newest")).select_related("certificate", "calibrator")
    return {batch.label: batch for batch in rows}
