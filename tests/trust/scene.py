"""Rows as the process of certificates writes them, for the pages that show them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from annotator.accounts.models import User
from annotator.certificates.models import AcceptanceTarget, Batch, Calibrator, Certificate, Region
from annotator.core.calibration import Case, fit_calibration
from annotator.projects.models import Project
from annotator.suggestions.models import Labeler
from tests.cast import NOW

# Decided suggestions of twenty notes: of those scored s about the share s is right.
CASES = [
    Case(label=label, score=score, note=f"n{note}", is_right=(note * 7 + place * 3) % 20 < score * 20)
    for note in range(20)
    for place, (label, score) in enumerate(
        [("Problem", 0.2), ("Problem", 0.5), ("Problem", 0.9), ("Medication", 0.4), ("Medication", 0.95)]
    )
]


def make_calibrator(labeler: Labeler, *, report: dict[str, Any] | None = None, **fields: Any) -> Calibrator:
    """In use, fitted on CASES."""
    calibration = fit_calibration(CASES)
    asked: dict[str, Any] = {
        "number": 1 + Calibrator.objects.filter(project=labeler.project).count(),
        "kind": calibration.kind,
        "status": Calibrator.Status.CURRENT,
        "created_at": NOW,
    }
    return Calibrator.objects.create(
        project=labeler.project,
        labeler=labeler,
        curves=calibration.to_json(),
        report=report or {},
        n_cases=calibration.n_cases,
        **asked | fields,
    )


def make_target(
    project: Project, actor: User, label: str = "", *, status: str = "on", target: float = 0.95, delta: float = 0.05
) -> AcceptanceTarget:
    return AcceptanceTarget.objects.create(
        project=project, label=label, status=status, target=target, delta=delta, created_by=actor, created_at=NOW
    )


def make_batch(
    calibrator: Calibrator,
    label: str = "",
    *,
    rungs: tuple[tuple[int, int, int, float | None], ...] = (
        (100, 60, 1, 3.4),
        (200, 110, 6, 0.8),
        (400, 200, 30, None),
    ),
    n_members: int = 500,
    target: float = 0.95,
    **fields: Any,
) -> Batch:
    """Tested, with rungs of (size, audited, wrong, log evidence); the first, of chain A, has passed where it has more
    than 3.1.
    """
    project = calibrator.project
    batch = Batch.objects.create(
        project=project,
        calibrator=calibrator,
        number=1 + Batch.objects.filter(project=project).count(),
        label=label,
        target=target,
        delta=0.05,
        n_members=n_members,
        frozen_at=NOW,
        **fields,
    )
    Region.objects.bulk_create(
        Region(
            batch=batch,
            place=place,
            chain=Region.Chain.A,
            size=size,
            threshold=0.99 - 0.05 * place,
            n_audited=n_audited,
            n_wrong=n_wrong,
            log_evidence=evidence,
            lower_bound=1 - (n_wrong + 3) / n_audited if evidence is not None and n_audited else None,
            passed_at=NOW if evidence is not None and evidence > 3.1 else None,
        )
        for place, (size, n_audited, n_wrong, evidence) in enumerate(rungs)
    )
    return batch


def make_certificate(batch: Batch, *, granted_at: datetime = NOW, **fields: Any) -> Certificate:
    """For the batch's first region."""
    region = batch.regions.order_by("place")[0]
    asked: dict[str, Any] = {"n_accepted": region.size - region.n_audited, "watched_at": NOW + timedelta(hours=1)}
    return Certificate.objects.create(
        project=batch.project,
        batch=batch,
        region=region,
        number=1 + Certificate.objects.filter(project=batch.project).count(),
        n_audited=region.n_audited,
        n_wrong=region.n_wrong,
        granted_at=granted_at,
        **asked | fields,
    )
