"""What the lead's page says of trust: its sentence, its table, its charts, or why there is no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from annotator.certificates.models import AcceptanceTarget, Batch, Certificate, Region
from annotator.core.estimates import Sums, share_interval
from annotator.core.evidence_plots import (
    Binned,
    Bound,
    BoundAxis,
    BoundRow,
    Risk,
    Series,
    SeriesPlot,
    SquarePlot,
    bound_axis,
    reliability_plot,
    risk_plot,
    series_plot,
)
from annotator.core.schema import Label
from annotator.core.second_reads import Disagreement
from annotator.core.wording import ago_words, counted, spreadsheet_safe
from annotator.progress.label_pages import MOST_WEEKS
from annotator.progress.selectors import LabelCounts
from annotator.routing import ending, revoking
from annotator.suggestions.models import Labeler
from annotator.trust.selectors import Standing, Trust
from annotator.web.pills import Pill

# Below so many audits no region can pass, whatever they say; a share of them would be read as more than it is.
FEWEST_AUDITS = 20
OTHERS = "Other labels together"
# Older versions of a labeler are on the page of progress.
MOST_LABELERS = 3
_REASONS = {
    ending.LABELER: "another labeler reads the notes",
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
    certificate: Certificate | None


def lead(trust: Trust) -> list[tuple[str, bool]]:
    """How much is accepted without review, and how much of it is expected to be wrong: (words, is strong)."""
    live = [each for each in trust.standings.values() if _is_live(each)]
    if trust.labeler is None:
        return [("No labeler has read a note yet.", False)]
    if not live and not any(each.is_on for each in trust.standings.values()):
        return [("Nothing is accepted without review", True), (": no label has a target that is on.", False)]
    if not live:
        said = " yet: what has a target is being tested, or waits for enough decisions."
        return [("Nothing is accepted without review", True), (said, False)]
    n_certified, n = trust.coverage.n_certified, trust.coverage.n
    labels = {label for each in live if each.batch for label in each.batch.plan["labels"]}
    parts = [
        (f"{len(labels)} of {counted(len(trust.standings) - 1, 'label')}", True),
        (" may be accepted without review", False),
    ]
    if n:
        parts += [(". Certificates cover ", False), (f"{n_certified / n:.0%}", True), (" of suggestions", False)]
    wrong = _expected_wrong(live)
    if wrong is not None:
        parts += [(" at an estimated error of ", False), (f"{wrong:.1%}", True)]
    return [*parts, (".", False)]


def rows(trust: Trust, labels: Sequence[Label], *, now: datetime) -> tuple[list[Row], float]:
    """The table, a row a label and one for the others together; and the share that its axis begins with."""
    named = names_of(labels)
    standings = [trust.standings[label] for label, _, _ in named]
    axis: BoundAxis = bound_axis([_bound(standing) for standing in standings])
    found = [
        _row(trust, standing, name, colour, bound, now)
        for (_, name, colour), standing, bound in zip(named, standings, axis.rows, strict=True)
    ]
    return found, axis.first


def names_of(labels: Sequence[Label]) -> list[tuple[str, str, str]]:
    """(label, name, colour) of each label and, last, of the others together."""
    return [(label.name, label.name, label.colour) for label in labels] + [("", OTHERS, "stone")]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far confidence is a probability on decisions that the calibrator did not see, of all or of one label."""

    plot: SquarePlot | None
    ece: str
    raw_ece: str
    figures: tuple[tuple[str, str, str], ...]
    table: tuple[tuple[str, str, str, str], ...]
    n: int
    caveat: str


def reliability(report: Mapping[str, Any], *, label: str) -> Reliability | None:
    """Out of a calibrator's report; None where it has nothing of that label."""
    of_label = report.get("groups", {}).get("label", {}).get(label) if label else None
    found = of_label if label else report.get("overall")
    if not found:
        return None
    bins = [Binned(each["mean_confidence"], each["share_right"], each["n"], each["interval"]) for each in found["bins"]]
    raw = [Binned(each["mean_confidence"], each["share_right"], each["n"]) for each in found.get("raw_bins", ())]
    return Reliability(
        plot=reliability_plot(bins, raw, summary=_reliability_summary(bins)) if len(bins) > 1 else None,
        ece=_value(found["ece"]),
        raw_ece=_value(found["raw_ece"]),
        figures=tuple(
            (name, _figure(found[key]), meaning)
            for key, name, meaning in (
                ("ece", "Expected calibration error", "how far confidence and what was right lie apart, on average"),
                ("raw_ece", "The same, raw score", "before calibration"),
                ("brier", "Brier score", "0 is certain and right, 0.25 is a coin"),
                ("auroc", "AUROC", "how often a right one has more confidence than a wrong one"),
            )
        ),
        table=tuple(
            (
                f"{each.confidence:.2f}",
                f"{each.right:.0%}",
                f"{each.interval[0]:.0%} to {each.interval[1]:.0%}" if each.interval else "–",
                f"{each.n:,}",
            )
            for each in bins
        ),
        n=found["n"],
        caveat=found["caveat"],
    )


def group_rows(report: Mapping[str, Any], group: str) -> list[tuple[str, int, str, str, str]]:
    """How confidence tells in each label, section or type of note: name, decisions, ECE, Brier score, AUROC."""
    return [
        (name or "not said", found["n"], _figure(found["ece"]), _figure(found["brier"]), _figure(found["auroc"]))
        for name, found in sorted(report.get("groups", {}).get(group, {}).items())
    ]


def _reliability_summary(bins: Sequence[Binned]) -> str:
    if not bins:
        return ""
    first, last = bins[0], bins[-1]
    return (
        f"Share of suggestions that were right by confidence: {first.right:.0%} at {first.confidence:.2f}, "
        f"{last.right:.0%} at {last.confidence:.2f}; the table below says the same"
    )


def _value(estimate: Mapping[str, Any]) -> str:
    return "not known: not enough data" if estimate["value"] is None else f"{estimate['value']:.3f}"


def _figure(estimate: Mapping[str, Any]) -> str:
    """A figure and its interval, or why there is none."""
    low_high = estimate["interval"]
    return _value(estimate) + (f" ({low_high[0]:.3f} to {low_high[1]:.3f})" if low_high else "")


def risk_and_coverage(standing: Standing) -> tuple[SquarePlot, list[tuple[str, str, str, str]]] | None:
    """What the audits of a test say of each of its regions: error against the share of the batch that it would accept;
    with its table. None where no region has enough audits.
    """
    batch = standing.batch
    regions = [each for each in standing.regions if each.n_audited >= FEWEST_AUDITS]
    if batch is None or len(regions) < 2:
        return None
    risks = [_risk(each, batch.n_members) for each in regions]
    certified = standing.certificate.region_id if _is_live(standing) and standing.certificate else None
    chosen = next((place for place, each in enumerate(regions) if each.pk == certified), None)
    words = f"now: {risks[chosen].coverage:.0%} at {risks[chosen].wrong:.1%}" if chosen is not None else ""
    table = [
        (
            f"{region.threshold:.3f}",
            f"{risk.coverage:.0%}",
            f"{risk.wrong:.1%}",
            f"{risk.interval[0]:.1%} to {risk.interval[1]:.1%}",
        )
        for region, risk in zip(regions, risks, strict=True)
    ]
    summary = (
        f"Error among accepted suggestions: {risks[0].wrong:.1%} where {risks[0].coverage:.0%} are accepted, "
        f"{risks[-1].wrong:.1%} where {risks[-1].coverage:.0%} are; the table below says the same"
    )
    return risk_plot(risks, chosen=chosen, words=words, summary=summary), table


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
        region.chain,
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


def _is_live(standing: Standing) -> bool:
    return standing.certificate is not None and standing.certificate.status == Certificate.Status.LIVE


def _expected_wrong(live: Sequence[Standing]) -> float | None:
    """Over live certificates, the share wrong of audits weighed by what was accepted under each."""
    certificates = [each.certificate for each in live if each.certificate is not None and each.certificate.n_audited]
    n = sum(each.n_accepted + each.n_extrapolated for each in certificates)
    if not n:
        return None
    wrong = sum((each.n_accepted + each.n_extrapolated) * each.n_wrong / each.n_audited for each in certificates)
    return wrong / n


def _bound(standing: Standing) -> Bound:
    region = standing.region
    target = standing.target.target if standing.target else 0.95
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
        lower=f"{region.lower_bound:.1%}" if has_bound and region and region.lower_bound is not None else "–",
        bound=bound,
        n_audited=region.n_audited if region else None,
        n_wrong=region.n_wrong if region else None,
        last_audit=ago_words((now - at).total_seconds()) if at else "–",
        pill=pill,
        said=said,
        certificate=certificate,
    )


def _state(trust: Trust, standing: Standing) -> tuple[Pill, str]:
    """The state in a word, and what there is to say of it."""
    batch, certificate = standing.batch, standing.certificate
    if certificate is not None and certificate.status == Certificate.Status.LIVE:
        accepted = counted(certificate.n_accepted + certificate.n_extrapolated, "span")
        return Pill("Certified", "ok", "check"), f"{accepted} accepted under certificate {certificate.number}"
    if certificate is not None and certificate.status in {Certificate.Status.REVOKING, Certificate.Status.REVOKED}:
        back = counted(certificate.n_accepted + certificate.n_extrapolated, "span")
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


def _risk(region: Region, n_members: int) -> Risk:
    wrong = region.n_wrong / region.n_audited
    n, x = region.n_audited, region.n_wrong
    # A plain binomial interval: it says where the error of the region lies, and is no evidence for a certificate.
    interval = share_interval(Sums(n, x, n, x, x, n))
    return Risk(region.size / n_members, wrong, interval or (wrong, wrong))


def drift_plot(weeks: Mapping[int, LabelCounts], labelers: Mapping[int, Labeler], *, today: date) -> SeriesPlot | None:
    """Which share of decided suggestions was accepted, by week and labeler; None below two weeks with a figure."""
    last = max((week for week, found in weeks.items() if found.accepted), default=0)
    steps = range(min(last, MOST_WEEKS - 1), -1, -1)
    shares = {
        key: [_accepted(weeks[week].accepted.get(key)) if week in weeks else None for week in steps]
        for key in list(labelers)[-MOST_LABELERS:]
    }
    shares = {key: found for key, found in shares.items() if any(share is not None for share in found)}
    if len(steps) < 2 or not any(sum(share is not None for share in found) > 1 for found in shares.values()):
        return None
    series = [
        Series(f"{labelers[key].name} {labelers[key].digest[:6]}", found, is_quiet=key != max(shares))
        for key, found in shares.items()
    ]
    times = [f"{today - timedelta(days=7 * week + 6):%-d %b}" for week in steps]
    return series_plot(
        series, times=times, summary="Share of decided suggestions accepted by week; the table below says the same"
    )


def _accepted(sums: Sums | None) -> float | None:
    return sums.part / sums.whole if sums is not None and sums.is_enough else None
