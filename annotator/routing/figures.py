"""What a project accepts without review, for programs and for the terminal. Counts and ids: nothing of a note."""

from __future__ import annotations

from datetime import datetime
from math import isfinite, log
from typing import Any

from annotator.certificates.models import Batch, Certificate, Region
from annotator.core.certificates import Ladder, delivered_precision, unchecked_precision
from annotator.core.second_reads import Changed, Disagreement
from annotator.routing.selectors import Trust, ladder_of


def trust_json(trust: Trust) -> dict[str, Any]:
    """As `manage.py trust --json` and the API have it."""
    return {
        "targets": [
            {
                "label": target.label,
                "status": target.status,
                "target": target.target,
                "delta": target.delta,
                "created_at": _time(target.created_at),
            }
            for target in trust.targets
        ],
        "calibrators": [
            {
                "id": calibrator.public_id,
                "number": calibrator.number,
                "labeler": calibrator.labeler.name,
                "kind": calibrator.kind,
                "status": calibrator.status,
                "n_cases": calibrator.n_cases,
                "report": calibrator.report,
                "created_at": _time(calibrator.created_at),
            }
            for calibrator in trust.calibrators
        ],
        "batches": [_batch(trust, batch) for batch in trust.batches],
    }


def trust_lines(trust: Trust) -> list[str]:
    """The same in a few lines, for people."""
    lines = []
    for target in trust.targets:
        wanted = f"{target.target:g}, delta {target.delta:g}" if target.status == "on" else "off"
        lines.append(f"target {target.label or '(all other labels)'}: {wanted}")
    lines += [
        f"calibrator {calibrator.number} of {calibrator.labeler.name}: {calibrator.status}, {calibrator.kind}, "
        f"{calibrator.n_cases:,} cases"
        for calibrator in trust.calibrators
    ]
    for batch in trust.batches:
        reason = f" ({batch.reason})" if batch.reason else ""
        lines.append(f"batch {batch.number}: {batch.status}{reason}, {batch.n_members:,} suggestions")
        for region in trust.regions.get(batch.pk, []):
            said = "nothing yet" if region.log_evidence is None else f"evidence {region.log_evidence:.2f}"
            passed = ", passed" if region.passed_at else ""
            lines.append(
                f"  {region.size:,} from {region.threshold:.4f}: {region.n_audited:,} audited, "
                f"{region.n_wrong:,} wrong, {said}{passed}"
            )
        certificate = trust.certificates.get(batch.pk)
        if certificate is not None:
            reason = f" ({certificate.reason})" if certificate.reason else ""
            lines.append(
                f"  certificate {certificate.number}: {certificate.status}{reason}, {certificate.region.size:,} at "
                f"{batch.target:g}; {certificate.n_accepted:,} accepted, {certificate.n_extrapolated:,} later ones, "
                f"{certificate.n_watched_wrong:,} of {certificate.n_watched:,} watched wrong"
            )
        if found := trust.second.get(batch.pk):
            lines.append(
                f"  second reader: of {found.wrong.n:,} called wrong {found.wrong.n_changed:,} are right, of "
                f"{found.right.n:,} called right {found.right.n_changed:,} are wrong; {found.n_waiting:,} waiting, "
                f"{found.n_alone:,} without one"
            )
        else:
            lines.append("  no second reader")
    return lines or ["nothing is accepted without review, and no calibrator is fitted"]


def _batch(trust: Trust, batch: Batch) -> dict[str, Any]:
    regions = trust.regions.get(batch.pk, [])
    certificate = trust.certificates.get(batch.pk)
    ladder = ladder_of(batch, regions) if regions else None
    return {
        "id": batch.public_id,
        "number": batch.number,
        "calibrator": batch.calibrator.number,
        "labeler": batch.calibrator.labeler.name,
        "label": batch.label,
        "labels": batch.plan.get("labels", []),
        "target": batch.target,
        "delta": batch.delta,
        "status": batch.status,
        "reason": batch.reason,
        "n_members": batch.n_members,
        "expected": batch.plan.get("expected", {}),
        "frozen_at": _time(batch.frozen_at),
        "looked_at": _time(batch.looked_at),
        "ended_at": _time(batch.ended_at),
        "regions": [_region(region, ladder) for region in regions if ladder is not None],
        "certificate": _certificate(certificate, batch, trust.differing.get(batch.pk, 0)) if certificate else None,
        "second_reader": _second(batch, trust.second.get(batch.pk)),
    }


def _second(batch: Batch, found: Disagreement | None) -> dict[str, Any] | None:
    """None where the batch has no second reader."""
    if found is None:
        return None
    overlooked = found.expected_overlooked
    return {
        "percent": batch.second_percent,
        "wrong_to_right": _changed(found.wrong),
        "right_to_wrong": _changed(found.right)
        | {
            "n_right": found.n_right,
            "expected": overlooked[0] if overlooked else None,
            "expected_interval": list(overlooked[1]) if overlooked else None,
        },
        "share_differing": found.share,
        "n_waiting": found.n_waiting,
        "n_alone": found.n_alone,
    }


def _changed(found: Changed) -> dict[str, Any]:
    interval = found.interval
    return {
        "n": found.n,
        "n_changed": found.n_changed,
        "share": found.share,
        "interval": list(interval) if interval else None,
    }


def _region(region: Region, ladder: Ladder) -> dict[str, Any]:
    return {
        "place": region.place,
        "chain": region.chain,
        "size": region.size,
        "threshold": region.threshold,
        "n_audited": region.n_audited,
        "n_wrong": region.n_wrong,
        # Finite, or what JSON has no number for: none where nothing speaks for it, or where it is sure.
        "log_evidence": _finite(region.log_evidence),
        "log_evidence_wanted": ladder.threshold(region.place),
        "is_passed": region.passed_at is not None,
    }


def _certificate(certificate: Certificate, batch: Batch, n_differing: int) -> dict[str, Any]:
    region = certificate.region
    n_audited, n_wrong = certificate.n_audited, certificate.n_wrong
    return {
        "id": certificate.public_id,
        "number": certificate.number,
        "status": certificate.status,
        "reason": certificate.reason,
        "size": region.size,
        "threshold": region.threshold,
        "n_audited": n_audited,
        "n_wrong": n_wrong,
        "unchecked_precision": unchecked_precision(
            n_audited=n_audited, n_wrong=n_wrong, size=region.size, target=batch.target
        ),
        "n_differing": n_differing,
        "delivered_precision": delivered_precision(
            n_wrong=n_wrong, size=region.size, target=batch.target, n_differing=n_differing
        ),
        "n_accepted": certificate.n_accepted,
        "n_extrapolated": certificate.n_extrapolated,
        "n_watched": certificate.n_watched,
        "n_watched_wrong": certificate.n_watched_wrong,
        "log_watch": _finite(certificate.log_watch),
        "log_watch_limit": -log(batch.delta),
        "granted_at": _time(certificate.granted_at),
        "extended_at": _time(certificate.extended_at),
        "ended_at": _time(certificate.ended_at),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
