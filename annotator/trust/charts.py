"""The charts of the lead's page with their tables: reliability, calibration by group, risk and coverage, drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from annotator.certificates.models import Region
from annotator.core.estimates import Sums, share_interval
from annotator.core.evidence_plots import (
    Binned,
    Risk,
    Series,
    SeriesPlot,
    SquarePlot,
    reliability_plot,
    risk_plot,
    series_plot,
)
from annotator.core.wording import counted
from annotator.progress.label_pages import MOST_WEEKS
from annotator.progress.selectors import LabelCounts
from annotator.suggestions.models import Labeler
from annotator.trust.selectors import FEWEST_AUDITS, Standing, Trust

# What `routing.fitting` calls no heading and one that is not known; headings that are short for something.
_SECTIONS = {"none": "Before any heading", "other": "Other headings"}
_SHORT = frozenset(("a&p", "a/p", "fh", "fhx", "hpc", "hpi", "pe", "pmh", "pmhx", "psh", "ros", "sh", "shx"))
# Older versions of a labeler are on the page of progress.
MOST_LABELERS = 3
LONGEST_NAME = 23


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far confidence is a probability on decisions that the calibrator did not see, of all or of one label."""

    plot: SquarePlot | None
    ece: str
    raw_ece: str
    figures: tuple[tuple[str, str, str], ...]
    table: tuple[tuple[str, str, str, str], ...]
    words: str


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
        words=_too_few_words(found, label) if found["caveat"] else "",
    )


def _too_few_words(found: Mapping[str, Any], label: str) -> str:
    """Why there is no figure of a label ('' for all)."""
    known = f"{counted(found['n'], 'suggestion')} in {counted(found['n_notes'], 'note')}"
    return f"Too little is decided{f' of {label}' if label else ''} to measure it on notes held out: {known} so far."


@dataclass(frozen=True, slots=True)
class Grouped:
    """How confidence tells in each label, section or type of note: name, decisions, ECE, Brier score, AUROC. `n_left`
    more have too few decisions for a figure.
    """

    title: str
    rows: tuple[tuple[str, int, str, str, str], ...]
    n_left: int


def grouped(report: Mapping[str, Any]) -> list[Grouped]:
    """The groups of a calibrator's report of which there are figures."""
    found = [
        _grouped(title, report.get("groups", {}).get(key, {}), write)
        for key, title, write in (
            ("label", "Label", str),
            ("section", "Section", section_words),
            ("note_type", "Type of note", str),
        )
    ]
    return [each for each in found if each.rows]


def _grouped(title: str, groups: Mapping[str, Any], write: Callable[[str], str]) -> Grouped:
    rows = tuple(
        (write(name) or "not said", found["n"], *(_figure(found[key]) for key in ("ece", "brier", "auroc")))
        for name, found in sorted(groups.items())
        if found["ece"]["value"] is not None
    )
    return Grouped(title, rows, len(groups) - len(rows))


def section_words(key: str) -> str:
    """A heading of the report as it may stand in a note: `PMH`, `Family history`."""
    return _SECTIONS.get(key) or (key.upper() if key in _SHORT else key[:1].upper() + key[1:])


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


def charted(trust: Trust, chosen: str) -> Standing:
    """Whose test is drawn: the chosen label's, or that of the others together where it goes with them. With none chosen
    that of the others, or, where it tells nothing, of the label under whose certificate most was accepted, then of
    which most was audited.
    """
    others = trust.standings[""]
    if chosen:
        own = trust.standings[chosen]
        return own if own.target is not None or own.batch is not None else others
    telling = [each for each in (others, *trust.standings.values()) if len(_telling(each)) > 1]
    return others if others in telling else max(telling, key=_told, default=others)


def _told(standing: Standing) -> tuple[int, int]:
    return standing.n_accepted if standing.is_live else 0, max(each.n_audited for each in standing.regions)


def _telling(standing: Standing) -> list[Region]:
    return [each for each in standing.regions if each.n_audited >= FEWEST_AUDITS]


def risk_and_coverage(standing: Standing) -> tuple[SquarePlot, list[tuple[str, str, str, str]]] | None:
    """What the audits of a test say of each of its regions: error against the share of the batch that it would accept;
    with its table. None where no region has enough audits.
    """
    batch = standing.batch
    regions = _telling(standing)
    if batch is None or len(regions) < 2:
        return None
    risks = [_risk(each, batch.n_members) for each in regions]
    certified = standing.certificate.region_id if standing.is_live and standing.certificate else None
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
        Series(_series_name(labelers[key], [labelers[other].name for other in shares]), found, key != max(shares))
        for key, found in shares.items()
    ]
    times = [f"{today - timedelta(days=7 * week + 6):%-d %b}" for week in steps]
    return series_plot(
        series, times=times, summary="Share of decided suggestions accepted by week; the table below says the same"
    )


def _series_name(labeler: Labeler, names: Sequence[str]) -> str:
    """Short enough to stand beside its line; the digest tells versions of one name apart."""
    version = f" {labeler.digest[:6]}" if names.count(labeler.name) > 1 else ""
    room = LONGEST_NAME - len(version)
    return (labeler.name if len(labeler.name) <= room else f"{labeler.name[: room - 1].rstrip()}…") + version


def _accepted(sums: Sums | None) -> float | None:
    return sums.part / sums.whole if sums is not None and sums.is_enough else None
