"""Rows as the process of certificates writes them, for the pages that show them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from annotator.accounts.models import User
from annotator.certificates.models import AcceptanceTarget, Batch, Calibrator, Certificate, Region
from annotator.core.calibration import Case, fit_calibration
from annotator.core.reliability_curve import measure_calibration
from annotator.progress.models import LabelDay
from annotator.projects.models import Project
from annotator.review.models import FIRST_APART, ReviewItem, SecondRead
from annotator.suggestions.models import Labeler, Suggestion
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
        plan={"labels": [label] if label else []},
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


def _many_cases(labels: Sequence[str]) -> list[Case]:
    """Scores that are too high: of those scored s about the share s² is right."""
    rng = random.Random(1)
    found = []
    for note in range(80):
        for _ in range(12):
            score = rng.betavariate(2, 1)
            is_right = rng.random() < score * score
            found.append(Case(label=rng.choice(labels), score=score, note=f"n{note}", is_right=is_right))
    return found


def make_second_reads(batch: Batch, *, now: datetime, percent: int = 10, n: int = 12) -> None:
    """The batch has a second reader, who was asked about `n` of the project's suggestions: of the first third, called
    wrong, they take one back, of the others they call the last wrong; but for the very last, of which nobody was left.
    """
    Batch.objects.filter(pk=batch.pk).update(second_percent=percent)
    found = list(Suggestion.objects.filter(document__project=batch.project_id).order_by("pk")[:n])
    for number, suggestion in enumerate(found):
        item = ReviewItem.objects.create(
            project=batch.project,
            document_id=suggestion.document_id,
            suggestion=suggestion,
            unit="second_span",
            slot=FIRST_APART,
            status="decided",
        )
        first = "wrong" if number < n // 3 else "right"
        is_other = number in (0, n - 2)
        is_alone = number == n - 1
        SecondRead.objects.create(
            batch=batch,
            suggestion=suggestion,
            item=None if is_alone else item,
            first=first,
            outcome="" if is_alone else {"wrong": "right", "right": "wrong"}[first] if is_other else first,
            asked_at=now,
        )


def make_trusted(project: Project, labeler: Labeler, actor: User, *, now: datetime) -> Certificate:
    """A project whose labels are in every state: certified, revoked, being audited, below target, off; with thirteen
    weeks of decisions. The certificate is that of the first label.
    """
    cases = _many_cases(project.schema_versions.latest("number").schema.label_names)
    types = ["Ward" if int(case.note[1:]) % 3 else "Clinic" for case in cases]
    report = measure_calibration(cases, groups={"note_type": types}, n_resamples=100)
    calibrator = make_calibrator(labeler, report=json.loads(json.dumps(asdict(report))), created_at=now)
    labels = project.schema_versions.latest("number").schema.label_names
    certified, revoked, collecting, below, early = labels[:5]
    for label, target in ((certified, 0.95), (revoked, 0.95), (collecting, 0.9), (below, 0.98), (early, 0.95)):
        make_target(project, actor, label, target=target)
    growing = ((180, 92, 1, 3.6), (240, 118, 2, 3.3), (310, 160, 4, 1.9), (420, 214, 9, 0.4), (560, 290, 21, -2.0))
    batch = make_batch(calibrator, certified, rungs=growing, n_members=640)
    certificate = make_certificate(batch, granted_at=now - timedelta(days=3), n_extrapolated=212, n_watched=31)
    make_second_reads(batch, now=now)
    fallen = make_batch(calibrator, revoked, rungs=((150, 80, 1, 3.3), (220, 110, 9, -1.0)), status="ended")
    make_certificate(
        fallen,
        granted_at=now - timedelta(days=9),
        status="revoked",
        reason="doubted",
        ended_at=now - timedelta(days=1),
    )
    make_batch(calibrator, collecting, rungs=((300, 64, 4, 0.7), (400, 88, 8, 0.1)))
    make_batch(
        calibrator, below, rungs=((300, 140, 11, -3.0), (400, 200, 17, -4.0)), status="ended", reason="not_certified"
    )
    make_batch(calibrator, early, rungs=((120, 9, 0, 0.4), (160, 12, 0, 0.5)))
    rng = random.Random(0)
    LabelDay.objects.bulk_create(
        LabelDay(
            project=project,
            day=now.date() - timedelta(days=7 * week + 1),
            labeler=labeler,
            label="",
            n_notes=14,
            n=140,
            n_squared=1420,
            n_accepted=(accepted := 112 + 2 * (13 - week) // 2 + rng.randrange(-6, 6)),
            accepted_squared=accepted * accepted // 13,
            accepted_n=accepted * 10,
            score=100.0,
        )
        for week in range(13)
    )
    return certificate
