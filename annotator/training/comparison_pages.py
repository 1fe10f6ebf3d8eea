"""What the pages of comparisons say: the verdict, the rows of the tables, and the places where two labelers part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from annotator.core.labeler_comparison import CANDIDATE, CURRENT
from annotator.core.schema import Schema
from annotator.core.spans import Span
from annotator.core.wording import counted, sentence
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.suggestions.models import LabelRun
from annotator.suggestions.pages import Lead
from annotator.suggestions.selectors import RunProgress, progress_of_runs
from annotator.training.models import ComparedSpan, LabelerComparison
from annotator.web.pills import Pill

NONE = "–"
_BEFORE, _AFTER = 70, 90
_WIDTH, _EDGE = 120, 4
_PILLS = {
    Job.Status.QUEUED: Pill("Reading", "accent", "clock"),
    Job.Status.RUNNING: Pill("Comparing", "accent", "dot"),
    Job.Status.CANCELLING: Pill("Stopping", "warn", "clock"),
    Job.Status.FAILED: Pill("Failed", "bad", "x"),
    Job.Status.CANCELLED: Pill("Cancelled", "", "minus"),
}
_BETTER = Pill("Candidate is better", "ok", "check")
_WORSE = Pill("Current is better", "bad", "x")
_EQUAL = Pill("No difference shown", "", "minus")


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One line of the list; `difference` is that of strict F1."""

    comparison: LabelerComparison
    pill: Pill
    difference: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A difference and its interval in units of the drawing, 0 in its middle; the edges are those of all rows."""

    zero: float
    low: float
    high: float
    x: float
    is_clear: bool


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One line of the table of a scheme: figures of both, and their difference."""

    name: str
    colour: str
    n_gold: int
    current: Mapping[str, str]
    candidate: Mapping[str, str]
    difference: str
    interval: str
    drawn: Drawn | None
    caveat: str


@dataclass(frozen=True, slots=True)
class PairRow:
    """A figure of both: its name and what it means."""

    name: str
    meaning: str
    current: str
    candidate: str


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """How far one labeler is with the notes; `run` is None where it had read them all before."""

    name: str
    role: str
    run: LabelRun | None
    progress: RunProgress | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the note; in a span it has a colour, and behind its end the labels of what ends there."""

    text: str
    colour: str = ""
    labels: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A place where only one does well: in words, and as gold and both labelers mark it."""

    span: ComparedSpan
    words: str
    colour: str
    gold: list[Piece]
    current: list[Piece]
    candidate: list[Piece]
    note: str
    note_id: str


def comparison_row(comparison: LabelerComparison) -> ComparisonRow:
    difference = comparison.report["overall"]["strict"]["difference"]["value"] if comparison.report else None
    return ComparisonRow(comparison, pill_of(comparison), signed(difference))


def pill_of(comparison: LabelerComparison) -> Pill:
    """How far it is; of one that is done, who is better."""
    status = Job.Status(comparison.job.status)
    if not comparison.report:
        return _PILLS.get(status, _PILLS[Job.Status.RUNNING])
    low, high = comparison.report["overall"]["strict"]["difference"]["interval"] or (0, 0)
    return _BETTER if low > 0 else _WORSE if high < 0 else _EQUAL


def verdict(report: Mapping[str, Any]) -> Lead:
    """Who is better, in a sentence: strict F1 over all labels decides."""
    strict = report["overall"]["strict"]
    difference = strict["difference"]
    figures = f"strict F1 {share(strict[CANDIDATE]['f1'])} against {share(strict[CURRENT]['f1'])}"
    over = f"over {counted(report['n_patients'], 'patient')}"
    if difference["value"] is None:
        return Lead("Nothing to compare", f": {difference['caveat']}.")
    if difference["interval"] is None:
        return Lead("No difference shown", f": {figures}, {over}; {difference['caveat']}.")
    low, high = difference["interval"]
    bold = "The candidate is better" if low > 0 else "The candidate is worse" if high < 0 else "No difference shown"
    rough = f"; {difference['caveat']}" if difference["caveat"] else ""
    return Lead(
        bold,
        f": {figures}, difference {signed(difference['value'])} (95 % {signed(low)} to {signed(high)}), {over}{rough}.",
    )


def chance_words(report: Mapping[str, Any]) -> str:
    chance = report["overall"]["strict"]["difference"]["chance_better"]
    if chance is None:
        return ""
    n_draws = report["n_draws"]
    return f"The candidate is better in {round(chance * n_draws):,} of {n_draws:,} draws of the patients."


def measure_rows(report: Mapping[str, Any], scheme: str, *, schema: Schema) -> list[MeasureRow]:
    """The labels that occur, and all of them together first."""
    colours = {label.name: label.colour for label in schema.labels}
    found = {"All labels": report["overall"][scheme]}
    found |= {label: row[scheme] for label, row in report["labels"].items() if _occurs(row[scheme])}
    ends = [abs(end) for row in found.values() for end in row["difference"]["interval"] or ()]
    most = max([0.01, *ends])
    return [_measure_row(name, row, colours.get(name, ""), most) for name, row in found.items()]


def quote_rows(report: Mapping[str, Any]) -> list[PairRow]:
    sides = report["sides"]

    def row(name: str, meaning: str, key: str) -> PairRow:
        cells = {side: _rate(found[key], found["n_quotes"]) for side, found in sides.items()}
        return PairRow(name, meaning, cells[CURRENT], cells[CANDIDATE])

    numbers = {side: f"{found['n_quotes']:,}" for side, found in sides.items()}
    return [
        PairRow("Quotes", "spans, and quotes without a place", numbers[CURRENT], numbers[CANDIDATE]),
        row("Without a place", "could not be found where it read", "n_unaligned"),
        row("Invented", "stand nowhere in their note", "n_invented"),
    ]


def score_rows(report: Mapping[str, Any]) -> list[PairRow]:
    """How far each one's score can be believed."""
    told = {side: _score_name(found) for side, found in report["scores"].items()}
    of = {side: found["score"] for side, found in report["sides"].items()}
    rows = [PairRow("What stands for it", "", told[CURRENT], told[CANDIDATE])]
    for name, meaning, key in (
        ("Brier score", "mean squared distance from the truth; lower is better", "brier"),
        ("Calibration error", "mean distance of score and share right (ECE); lower is better", "ece"),
        ("AUROC", "how often a right span is scored above a wrong one; .50 is chance", "auroc"),
    ):
        rows.append(PairRow(name, meaning, share(of[CURRENT][key]), share(of[CANDIDATE][key])))
    return rows


def score_caveat(report: Mapping[str, Any]) -> str:
    """That a calibrator was fitted on decisions in these very notes."""
    fitted = [
        f"{found['n_fitted_here']:,} for {side}" for side, found in report["scores"].items() if found["n_fitted_here"]
    ]
    return (
        f"Its calibrator was fitted on decisions in these notes ({', '.join(fitted)}), which flatters it."
        if fitted
        else ""
    )


def assisted_words(report: Mapping[str, Any]) -> str:
    """How much of gold was made with suggestions in view."""
    assisted, n_spans = report["assisted"], report["n_spans"]
    if not assisted["n_notes"]:
        return "None of these labels was made with suggestions in view."
    of = f"{assisted['n_spans']:,} of {counted(n_spans, 'test label')} ({_percent(assisted['n_spans'], n_spans)})"
    return (
        f"{of} are assisted: they were made with suggestions in view, in {counted(assisted['n_notes'], 'note')}. "
        "People tend to keep what they are shown, so these labels favour the labeler that made them."
    )


def alone_words(report: Mapping[str, Any]) -> str:
    """The same verdict on the notes that were read without suggestions, or why there is none."""
    assisted = report["assisted"]
    if not assisted["n_notes"]:
        return ""
    notes = counted(assisted["n_notes_alone"], "note was", "notes were")
    if assisted["alone"] is None:
        return f"Only {notes} read without suggestions: too few to measure on them alone."
    found = verdict(assisted["alone"])
    alone = counted(assisted["n_notes_alone"], "note")
    return f"On the {alone} read without suggestions: {found.bold.lower()}{found.rest}"


def unread_words(report: Mapping[str, Any]) -> list[tuple[str, list[str], int]]:
    """By labeler that could not read all: its role, ids of notes, and how many more there are."""
    return [
        (side, found["notes"], found["n"] - len(found["notes"]))
        for side, found in report["unread"].items()
        if found["n"]
    ]


def reading_rows(comparison: LabelerComparison) -> list[ReadingRow]:
    """How far both are. One query, none where both had read all before."""
    runs = [run for run in (comparison.candidate_run, comparison.current_run) if run is not None]
    progress = progress_of_runs([run.pk for run in runs]) if runs else {}
    pairs = (
        ("Candidate", comparison.candidate, comparison.candidate_run),
        ("Current", comparison.current, comparison.current_run),
    )
    return [ReadingRow(labeler.name, role, run, progress[run.pk] if run else None) for role, labeler, run in pairs]


def examples_of(spans: Sequence[ComparedSpan], *, schema: Schema) -> list[Example]:
    """The places in their lines. One query for the notes."""
    notes = Document.objects.only("text", "public_id", "external_id").in_bulk([span.document_id for span in spans])
    colours = {label.name: label.colour for label in schema.labels}
    return [_example(span, notes[span.document_id], colours) for span in spans]


def csv_rows(report: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The table as numbers, both schemes, a line for each label; empty where there is no figure."""
    figures = ("precision", "recall", "f1")
    yield [
        *("label", "scheme", "n_gold"),
        *(f"{side}_{name}" for side in (CURRENT, CANDIDATE) for name in ("n_found", "n_right", *figures)),
        *("difference", "low", "high", "chance_better", "caveat"),
    ]
    for label, row in {"": report["overall"], **report["labels"]}.items():
        for scheme, found in row.items():
            difference = found["difference"]
            low, high = difference["interval"] or ("", "")
            yield [
                *(label, scheme, found[CURRENT]["n_gold"]),
                *(found[side][name] for side in (CURRENT, CANDIDATE) for name in ("n_found", "n_right", *figures)),
                *(_blank(difference["value"]), low, high, _blank(difference["chance_better"]), difference["caveat"]),
            ]


def share(value: float | None) -> str:
    """`.72`, `1.00`."""
    return NONE if value is None else f"{value:.2f}".removeprefix("0")


def signed(value: float | None) -> str:
    """`+.07`, `−.03`; a difference that rounds to nothing has no sign."""
    if value is None:
        return NONE
    if f"{abs(value):.2f}" == "0.00":
        return ".00"
    return f"{'+' if value > 0 else '−'}{share(abs(value))}"


def _measure_row(name: str, row: Mapping[str, Any], colour: str, most: float) -> MeasureRow:
    difference = row["difference"]
    interval = difference["interval"]
    return MeasureRow(
        name=name,
        colour=colour,
        n_gold=row[CURRENT]["n_gold"],
        current={key: share(row[CURRENT][key]) for key in ("precision", "recall", "f1")},
        candidate={key: share(row[CANDIDATE][key]) for key in ("precision", "recall", "f1")},
        difference=signed(difference["value"]),
        interval=f"{signed(interval[0])} to {signed(interval[1])}" if interval else NONE,
        drawn=_drawn(difference["value"], interval, most) if interval else None,
        caveat=sentence(difference["caveat"]) if difference["caveat"] else "",
    )


def _drawn(value: float, interval: Sequence[float], most: float) -> Drawn:
    def x(at: float) -> float:
        return round(_WIDTH / 2 + at / most * (_WIDTH / 2 - _EDGE), 1)

    low, high = interval
    return Drawn(zero=_WIDTH / 2, low=x(low), high=x(high), x=x(value), is_clear=low > 0 or high < 0)


def _occurs(row: Mapping[str, Any]) -> bool:
    return any(row[side][key] for side in (CURRENT, CANDIDATE) for key in ("n_gold", "n_found"))


def _score_name(found: Mapping[str, Any]) -> str:
    number = found["calibrator"]
    return "raw score" if number is None else f"confidence, calibrator {number}"


def _example(span: ComparedSpan, note: Document, colours: Mapping[str, str]) -> Example:
    own = Span.parse(span.fragments)
    around = {who: [(Span.parse(place), label) for place, label in found] for who, found in span.around.items()}
    every = [own, *(place for found in around.values() for place, _ in found)]
    start, end = min(each.start for each in every), max(each.end for each in every)
    first = max(note.text.rfind("\n", 0, start) + 1, start - _BEFORE)
    line_end = note.text.find("\n", end)
    last = min(line_end if line_end >= 0 else len(note.text), end + _AFTER)

    def pieces(who: str) -> list[Piece]:
        return list(_pieces(note.text, first, last, around.get(who, []), colours))

    who = "candidate" if span.is_won == (span.deed == ComparedSpan.Deed.FOUND) else "current labeler"
    words = (
        f"Only the {who} found it"
        if span.deed == ComparedSpan.Deed.FOUND
        else f"Only the {who} made it, and it is wrong"
    )
    return Example(
        span=span,
        words=words,
        colour=colours.get(span.label, ""),
        gold=pieces("gold"),
        current=pieces(CURRENT),
        candidate=pieces(CANDIDATE),
        note=note.external_id,
        note_id=note.public_id,
    )


def _pieces(
    text: str, first: int, last: int, spans: Sequence[tuple[Span, str]], colours: Mapping[str, str]
) -> Iterator[Piece]:
    """The stretch cut where a span begins or ends; of spans over one another the first gives its colour."""
    bounds = {first, last} | {at for span, _ in spans for fragment in span.fragments for at in fragment}
    ordered = sorted(bounds)
    for begin, end in pairwise(ordered):
        inside = [label for span, label in spans if any(a <= begin and end <= b for a, b in span.fragments)]
        ending = [label for span, label in spans if span.end == end]
        yield Piece(text[begin:end], colours.get(inside[0], "stone") if inside else "", ", ".join(ending))


def _rate(n: int, of: int) -> str:
    return f"{n:,} ({n / of:.1%})" if of else NONE


def _percent(n: int, of: int) -> str:
    return f"{n / of:.0%}" if of else NONE


def _blank(value: float | None) -> float | str:
    return "" if value is None else value
