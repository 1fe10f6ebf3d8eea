"""What the lead's page says of trust: its sentence and its table, or why there is no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from annotator.certificates.models import AcceptanceTarget, Batch, Certificate, Region
from annotator.core.evidence_plots import Bound, BoundAxis, BoundRow, bound_axis
from annotator.core.schema import Label
from annotator.core.second_reads import Disagreement
from annotator.core.wording import counted, day_words, spreadsheet_safe
from annotator.routing import ending, revoking
from annotator.trust.selectors import FEWEST_AUDITS, Standing, Trust
from annotator.web.pills import Pill

OTHERS = "Other labels together"
_REASONS = {
    ending.LABELER: "another labeler reads the notes",
    ending.PROMOTED: "another labeler was promoted",
    ending.SCHEMA: "the schema changed",
    ending.CALIBRATOR: "another calibrator took over",
    ending.TARGET: "its target was changed",
    ending.PURGED: "notes that it rested on were deleted",
    ending.NOT_CERTIFIED: "no region of its test met the target",
    ending.NO_GAIN: "nothing would be won at this target",
    ending.REVOKED: "its certificate was revoked",
    ending.NO_SECOND: "nobody is left for second readings",
    revoking.ASKED: "a lead withdrew it",
    revoking.DOUBTED: "too much of what people went on checking was wrong",
    revoking.CORRECTED: "corrected decisions prove it no more",
}


def others_words(trust: Trust) -> str:
    """What the labels without a target of their own are called together."""
    is_own = any(each.target is not None for label, each in trust.standings.items() if label)
    return OTHERS if is_own else "All labels together"


@dataclass(frozen=True, slots=True)
class Row:
    """One label in the table of certificates."""

    name: str
    colour: str
    label: str
    target: str
    lower: str
    bound: BoundRow
    n_audited: int | None
    n_wrong: int | None
    last_audit: str
    pill: Pill
    said: str
    note: str
    certificate: Certificate | None


def lead(trust: Trust) -> list[tuple[str, bool]]:
    """How much is accepted without review, and how much of it is expected to be wrong: (words, is strong)."""
    live = [each for each in trust.standings.values() if each.is_live]
    if trust.labeler is None:
        return [("No labeler has read a note yet.", False)]
    if not live and not any(each.is_on for each in trust.standings.values()):
        return [("Nothing is accepted without review", True), (": no label has a target that is on.", False)]
    if not live:
        said = " yet: what has a target is being tested, or waits for enough decisions."
        return [("Nothing is accepted without review", True), (said, False)]
    n_certified = sum(each.n_accepted for each in live)
    labels = {label for each in live if each.batch for label in each.batch.plan["labels"]}
    parts = [
        (f"{len(labels)} of {counted(len(trust.standings) - 1, 'label')}", True),
        (" may be accepted without review", False),
    ]
    if trust.n_suggestions:
        covered = f"{n_certified / trust.n_suggestions:.0%}"
        parts += [(". Certificates cover ", False), (covered, True), (" of suggestions", False)]
    wrong = _expected_wrong(live)
    if wrong is not None:
        parts += [(" at an estimated error of ", False), (f"{wrong:.1%}", True)]
    return [*parts, (".", False)]


def rows(trust: Trust, labels: Sequence[Label], *, now: datetime) -> tuple[list[Row], float]:
    """The table, a row a label and one for the others together; and the share that its axis begins with."""
    named = names_of(labels, trust)
    standings = [trust.standings[label] for label, _, _ in named]
    axis: BoundAxis = bound_axis([_bound(standing) for standing in standings])
    found = [
        _row(trust, standing, name, colour, bound, now)
        for (_, name, colour), standing, bound in zip(named, standings, axis.rows, strict=True)
    ]
    return found, axis.first


def names_of(labels: Sequence[Label], trust: Trust) -> list[tuple[str, str, str]]:
    """(label, name, colour) of each label and, last, of the others together."""
    return [(label.name, label.name, label.colour) for label in labels] + [("", others_words(trust), "stone")]


def statement(certificate: Certificate) -> str:
    """What a certificate says, in full."""
    batch, region = certificate.batch, certificate.region
    of_wrong = (
        "wrong and corrected" if batch.second_percent is None else "wrong, by their second reader where one decided"
    )
    what = f"{batch.label} suggestions" if batch.label else "suggestions of the labels without a target of their own"
    return (
        f"With {1 - batch.delta:.0%} confidence, at least {batch.target:.0%} of the {region.size:,} {what} of batch "
        f"{batch.number} with confidence {region.threshold:.3f} or more agree with what a reviewer following the "
        f"guideline would decide. {counted(certificate.n_audited, 'of them, drawn', 'of them, drawn')} at random, "
        f"were checked by people: {certificate.n_wrong:,} {of_wrong}. This is about review decisions on this "
        f"frozen batch, not about clinical truth."
    )


EVIDENCE_COLUMNS = (
    *("batch", "frozen_at", "labeler", "labeler_digest", "calibrator", "label", "target", "delta", "n_members"),
    *("chain", "size", "threshold", "n_audited", "n_wrong", "log_evidence", "lower_bound", "passed_at"),
    *("certificate", "certificate_status", "second_percent"),
    *(
        "n_wrong_read_again",
        "n_called_right",
        "n_right_read_again",
        "n_called_wrong",
        "n_second_waiting",
        "n_no_second",
    ),
)


def evidence_row(region: Region, second: Disagreement | None) -> list[Any]:
    """A region with its test and, where it is the certified one, its certificate, and what the test's second reader
    measured, which is of the test as a whole: the columns of EVIDENCE_COLUMNS.
    """
    batch = region.batch
    certificate = getattr(batch, "certificate", None)
    certified = certificate if certificate is not None and certificate.region_id == region.pk else None
    labeler = batch.calibrator.labeler
    return [
        batch.number,
        batch.frozen_at.isoformat(),
        spreadsheet_safe(labeler.name),
        labeler.digest,
        batch.calibrator.number,
        spreadsheet_safe(batch.label),
        batch.target,
        batch.delta,
        batch.n_members,
        region.chain.upper(),
        region.size,
        region.threshold,
        region.n_audited,
        region.n_wrong,
        region.log_evidence,
        region.lower_bound,
        region.passed_at.isoformat() if region.passed_at else "",
        certified.number if certified else "",
        certified.status if certified else "",
        *_second_columns(batch, second),
    ]


def _second_columns(batch: Batch, found: Disagreement | None) -> list[Any]:
    if found is None:
        return [""] * 7
    both = (found.wrong, found.right)
    measured = [n for direction in both for n in (direction.n, direction.n_changed)]
    return [batch.second_percent, *measured, found.n_waiting, found.n_alone]


def status_words(status: str) -> str:
    """What a target that was set does."""
    return "accepted under a certificate, once there is one" if status == AcceptanceTarget.Status.ON else "off"


def reason_words(code: str) -> str:
    """Why a test or a certificate ended."""
    return _REASONS.get(code, code.replace("_", " "))


def _expected_wrong(live: Sequence[Standing]) -> float | None:
    """Over live certificates, the share wrong of their regions' audits by now, weighed by what was accepted."""
    found = [(each.n_accepted, each.region) for each in live]
    audited = [(n, region) for n, region in found if region is not None and region.n_audited]
    total = sum(n for n, _ in audited)
    return sum(n * region.n_wrong / region.n_audited for n, region in audited) / total if total else None


def _bound(standing: Standing) -> Bound:
    region = standing.region
    target = standing.target.target if standing.target and standing.is_on else None
    if region is None or region.n_audited < FEWEST_AUDITS:
        return Bound(target=target)
    return Bound(target=target, value=1 - region.n_wrong / region.n_audited, low=region.lower_bound)


def _row(trust: Trust, standing: Standing, name: str, colour: str, bound: BoundRow, now: datetime) -> Row:
    region, certificate = standing.region, standing.certificate
    at = standing.last_audit_at
    has_bound = region is not None and region.n_audited >= FEWEST_AUDITS and region.lower_bound is not None
    pill, said = _state(trust, standing)
    return Row(
        name=name,
        colour=colour,
        label=standing.label,
        target=f"{standing.target.target:.0%}" if standing.target and standing.is_on else "–",
        lower=f"{region.lower_bound:.1%}" if has_bound and region and region.lower_bound is not None else "",
        bound=bound,
        n_audited=region.n_audited if region else None,
        n_wrong=region.n_wrong if region else None,
        last_audit=day_words((timezone.localdate(now) - timezone.localdate(at)).days) if at else "–",
        pill=pill,
        said=said,
        note=_note_words(standing, name, pill),
        certificate=certificate,
    )


def _note_words(standing: Standing, name: str, pill: Pill) -> str:
    """What is said below the table of a label that lost its certificate, or whose test is over without one."""
    if pill.tone == "bad":
        return f"{name} was revoked."
    batch = standing.batch
    if not standing.is_on or batch is None or batch.status == Batch.Status.TESTING or pill.tone or not batch.reason:
        return ""
    return f"{name} is below its target." if batch.reason == ending.NOT_CERTIFIED else f"{name} is not tested."


def _state(trust: Trust, standing: Standing) -> tuple[Pill, str]:
    """The state in a word, and what there is to say of it."""
    batch, certificate = standing.batch, standing.certificate
    if certificate is not None and certificate.status == Certificate.Status.LIVE:
        accepted = counted(standing.n_accepted, "span")
        return Pill("Certified", "ok", "check"), f"{accepted} accepted under certificate {certificate.number}"
    if certificate is not None and certificate.status in {Certificate.Status.REVOKING, Certificate.Status.REVOKED}:
        back = counted(standing.n_accepted, "span")
        return Pill("Revoked", "bad", "alert"), f"{reason_words(certificate.reason)}; {back} went back to review"
    if standing.target is None and standing.label and trust.standings[""].is_on:
        return Pill("With others", "", "layers"), "goes with the other labels that have no target of their own"
    if not standing.is_on:
        return Pill("Off", "", "minus"), "everything goes to people"
    if trust.calibrator is None:
        return Pill("Not calibrated", "", "minus"), "waits for enough decisions to calibrate confidence on"
    if batch is None:
        return Pill("No test", "", "minus"), "waits for enough suggestions"
    if batch.reason == ending.NOT_CERTIFIED:
        return Pill("Below target", "", "x"), reason_words(batch.reason)
    if batch.status != Batch.Status.TESTING:
        return Pill("No test", "", "minus"), reason_words(batch.reason) or "waits for enough suggestions"
    region = standing.region
    if region is None or region.n_audited < FEWEST_AUDITS:
        return Pill("Too few audits", "", "minus"), f"batch {batch.number} is being audited"
    return Pill("Collecting", "warn", "clock"), f"batch {batch.number} is being audited"
