"""A calibrator, a frozen batch and a certificate, as rows: what `routing` makes of them is tested there."""

from __future__ import annotations

from typing import Any

from annotator.certificates.models import Batch, BatchMember, Calibrator, Certificate, Region
from annotator.projects.models import Project
from annotator.review.holding import certify_spans
from annotator.review.models import ReviewItem
from annotator.suggestions.models import Labeler, Suggestion
from tests.cast import NOW
from tests.routing.calibrated import make_calibrator


def make_certificate(labeler: Labeler, *suggestions: Suggestion, **fields: Any) -> Certificate:
    """A live certificate over a batch of these suggestions, the most confident first."""
    project = labeler.project
    calibrator = Calibrator.objects.filter(labeler=labeler, status="current").first() or make_calibrator(
        labeler, number=Calibrator.objects.filter(project=project).count() + 1
    )
    number = Batch.objects.filter(project=project).count() + 1
    batch = Batch.objects.create(
        project=project,
        calibrator=calibrator,
        number=number,
        label=f"of batch {number}" if number > 1 else "",
        target=0.95,
        delta=0.05,
        status=Batch.Status.SETTLED,
        plan={"labels": [], "expected_errors": [0.01], "claims": [0]},
        n_members=len(suggestions),
        frozen_at=NOW,
    )
    BatchMember.objects.bulk_create(
        BatchMember(batch=batch, suggestion=suggestion, rank=rank, confidence=0.97, audit_key=suggestion.audit_key)
        for rank, suggestion in enumerate(suggestions, start=1)
    )
    region = Region.objects.create(
        batch=batch, place=0, chain="A", size=max(len(suggestions), 1), threshold=0.9, passed_at=NOW
    )
    return Certificate.objects.create(
        **{
            "project": project,
            "batch": batch,
            "region": region,
            "number": number,
            "n_audited": 0,
            "n_wrong": 0,
            "granted_at": NOW,
            **fields,
        }
    )


def certify(project: Project, *items: ReviewItem, **fields: Any) -> Certificate:
    """A certificate of the first item's labeler under which these span items, come with suggestions, are accepted."""
    suggestions = [item.suggestion for item in items if item.suggestion is not None]
    certificate = make_certificate(suggestions[0].job.run.labeler, *suggestions, **fields)
    certify_spans(certificate=certificate, suggestions=[suggestion.pk for suggestion in suggestions], now=NOW)
    return certificate
