"""What is known of how good a project's labels are, for the card of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from annotator.certificates.models import Calibrator
from annotator.projects.models import Project
from annotator.quality.measuring import PEOPLE
from annotator.quality.recall import recall_of
from annotator.quality.services import agreement_standing


def evidence_of(project: Project, now: datetime) -> dict[str, Any]:
    """Agreement of the readers, calibration of the labelers in use, and what they miss; over the project, as its pages
    have it. A key is there where its figure is. Names no person.
    """
    return _agreement(project, now) | _calibration(project) | _recall(project)


def _agreement(project: Project, now: datetime) -> dict[str, Any]:
    """Strict and overlap F1 of the annotators' pairs. From the newest report, which is made now where that is quick."""
    report = agreement_standing(project=project, days=0, now=now).report
    pool = report.data.get("pools", {}).get(PEOPLE) if report else None
    if report is None or pool is None:
        return {}
    found = {name: _estimate(pool[name]["f1"], pool[name]["interval"]) for name in ("strict", "overlap")}
    return {"agreement": {"n_notes": report.data["n_documents"], "n_patients": pool["n_patients"], **found}}


def _calibration(project: Project) -> dict[str, Any]:
    calibrators = Calibrator.objects.filter(project=project, status=Calibrator.Status.CURRENT).select_related("labeler")
    rows = [
        {
            "labeler": found.labeler.name,
            "calibrator": found.number,
            "n_cases": found.n_cases,
            **{name: found.report["overall"][name]["value"] for name in ("ece", "brier", "auroc")},
        }
        for found in calibrators.order_by("number")
        if "overall" in found.report
    ]
    return {"calibration": rows} if rows else {}


def _recall(project: Project) -> dict[str, Any]:
    found = recall_of(project)
    if not found.n_notes:
        return {}
    estimates = {"strict": found.overall.strict, "overlap": found.overall.overlap}
    measured = {name: _estimate(each.value, each.interval) for name, each in estimates.items()}
    return {"recall": {"n_notes": found.n_notes, "n_spans": found.overall.n_gold, **measured}}


def _estimate(value: float | None, interval: Any) -> Mapping[str, Any]:
    return {"value": value, "interval": list(interval) if interval else None}
