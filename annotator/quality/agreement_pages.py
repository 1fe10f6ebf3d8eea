"""What the page of agreement says: its sentence, its tables and charts, or why there is no figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from annotator.core.agreement import GOLD, Kind
from annotator.core.chart import IntervalPlot, LineChart, Measured, interval_plot, line_chart
from annotator.core.schema import Label
from annotator.core.tallies import ALL_LABELS, ALPHA, Rated
from annotator.core.wording import counted
from annotator.projects.models import Guideline
from annotator.quality.forms import AgreementForm, cell_key
from annotator.quality.measuring import NONE, PEOPLE, is_labeler
from annotator.quality.pages import interval_words, share

# Of fewer spans, those of both readers together, no figure is told.
FEWEST_SPANS = 20
TARGET = 0.8
# A table of more readers is read by nobody: the others come on further pages.
MOST_READERS = 12
# With more the matrix does not stand beside the other figures.
MOST_BESIDE = 6
_STEPS = 6
Names = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence; what answers is strong, and `query` leads to what it names."""

    words: str
    is_strong: bool = False
    query: str = ""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One pair in the matrix: F1 above the diagonal, how many spans were compared below it. `step` is its tint, 0 to 6;
    `query` is None where it rings nothing.
    """

    words: str = ""
    title: str = ""
    step: int = 0
    is_figure: bool = False
    is_own: bool = False
    is_current: bool = False
    query: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Readers against readers; `page` of `n_pages` where there are more than one table holds."""

    readers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    page: int
    n_pages: int

    @property
    def is_large(self) -> bool:
        """Whether it needs the width of the page."""
        return len(self.readers) > MOST_BESIDE

    @property
    def previous(self) -> int:
        return self.page - 1

    @property
    def next(self) -> int:
        return self.page + 1


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label: F1 of people and of the labeler beside them, or why there is none."""

    name: str
    colour: str
    words: str
    interval: str
    other: str
    n_spans: int


@dataclass(frozen=True, slots=True)
class CoefficientRow:
    """What is rated, and its coefficients beyond chance: words and interval of each, or why there is none."""

    name: str
    colour: str
    n_units: int
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class GuidelineRow:
    """F1 of people while a version of the guideline was the newest; `number` is 0 before the first."""

    number: int
    words: str
    interval: str
    n_spans: int


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    words: str
    title: str
    step: int
    is_current: bool
    query: str | None
    key: str


def figures(found: Mapping[str, Any], form: AgreementForm) -> Mapping[str, Any]:
    """The score of the chosen scheme."""
    return found["strict" if form.is_strict else "overlap"]


def n_spans(found: Mapping[str, Any]) -> int:
    """How many spans were compared: those of both, equal ones once."""
    return found["n_a"] + found["n_b"] - round((found["strict"]["p"] or 0) * found["n_b"])


def is_enough(found: Mapping[str, Any]) -> bool:
    return found["n_a"] + found["n_b"] >= FEWEST_SPANS


def lead(data: Mapping[str, Any], names: Names, form: AgreementForm) -> list[Part]:
    """How far people agree, and where they do not: in two sentences."""
    people = data["pools"].get(PEOPLE)
    if people is None:
        return [Part("No note has two readers yet.")]
    basis = f" on {counted(data['n_documents'], 'double-read note')}"
    if not is_enough(people):
        return [Part("Not enough data", True), Part(f"{basis}: {counted(people['n_a'] + people['n_b'], 'span')}.")]
    parts = [Part("People agree at "), Part(f"F1 {share(figures(people, form)['f1'])}", True), Part(f"{basis}.")]
    pairs = [pair for pair in _of_people(data) if is_enough(pair)]
    if len(pairs) < 2:
        return parts
    weakest = min(pairs, key=lambda pair: (figures(pair, form)["f1"], -n_spans(pair)))
    who = f"{names[weakest['a']]} and {names[weakest['b']]}"
    parts += [Part(" The weakest pair is "), Part(who, True, form.asked(pair=weakest["id"], cell=None))]
    if weakest["gap"]:
        label_a, label_b, n, n_all = weakest["gap"]
        most = "; most of their gap is " if 2 * n > n_all else "; what differs most often is "
        what = f"{label_b} that only one marks" if label_a == NONE else f"{label_a} against {label_b}"
        parts += [Part(most), Part(what, True)]
    return [*parts, Part(".")]


def matrix(data: Mapping[str, Any], names: Names, form: AgreementForm, page: int) -> Matrix:
    """The readers of the page, labelers and gold against one another. Of more than one page the weakest come first."""
    of_pair = {frozenset((pair["a"], pair["b"])): pair for pair in data["pairs"]}
    everybody = {name for pair in data["pairs"] for name in (pair["a"], pair["b"])}
    people = sorted((name for name in everybody if name.isdigit()), key=lambda name: names[name].casefold())
    if len(people) > MOST_READERS:
        people.sort(key=_weakness(data, form))
    n_pages = max(1, -(-len(people) // MOST_READERS))
    page = min(max(page, 1), n_pages)
    shown = people[(page - 1) * MOST_READERS : page * MOST_READERS]
    shown += sorted(filter(is_labeler, everybody)) + [name for name in (GOLD,) if name in everybody]
    rows = tuple(
        (
            names[row],
            tuple(_matrix_cell(of_pair, names, form, (row, place), (column, at)) for at, column in enumerate(shown)),
        )
        for place, row in enumerate(shown)
    )
    return Matrix(tuple(names[name] for name in shown), rows, page, n_pages)


def label_rows(data: Mapping[str, Any], labels: Sequence[Label], form: AgreementForm, labeler: str) -> list[LabelRow]:
    """All labels, those on which people agree best first; where data do not suffice, last."""
    people, model = _labels_of(data, PEOPLE), _labels_of(data, labeler)
    rows = []
    for label in labels:
        own, other = people.get(label.name), model.get(label.name)
        if own:
            has_figure = is_enough(own)
            f1 = figures(own, form)["f1"]
            rows.append(
                (
                    -f1 if has_figure else 1,
                    LabelRow(
                        name=label.name,
                        colour=label.colour,
                        words=share(f1) if has_figure else "not enough data",
                        interval=_interval(figures(own, form)) if has_figure else "–",
                        other=share(figures(other, form)["f1"]) if other and is_enough(other) else "–",
                        n_spans=n_spans(own),
                    ),
                )
            )
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def label_plot(
    data: Mapping[str, Any], rows: Sequence[LabelRow], form: AgreementForm, labeler: str
) -> IntervalPlot | None:
    """The rows that have a figure, drawn; None where none has."""
    people, model = _labels_of(data, PEOPLE), _labels_of(data, labeler)
    measured = []
    for row in rows:
        own, other = people[row.name], model.get(row.name)
        if is_enough(own):
            found = figures(own, form)
            beside = figures(other, form)["f1"] if other and is_enough(other) else None
            measured.append(Measured(row.name, row.colour, found["f1"], found["interval"], beside))
    return interval_plot(measured, target=TARGET) if measured else None


def confusion_rows(
    data: Mapping[str, Any], labels: Sequence[Label], form: AgreementForm
) -> list[tuple[Label | None, list[ConfusionCell]]]:
    """Which label the first reader gives where the second gives which; None for no label."""
    counts = {(label_a, label_b): n for label_a, label_b, n in data["confusion"]}
    most = max(counts.values(), default=1)
    sides = [(label, label.name) for label in labels] + [(None, NONE)]

    def cell(row: str, column: str) -> ConfusionCell:
        n = counts.get((row, column), 0)
        is_current = form.chosen_cell == (row, column)
        return ConfusionCell(
            words=f"{n:,}" if n else "",
            title=f"{row or 'none'} against {column or 'none'}: {n:,}",
            step=round(_STEPS * (n / most) ** 0.5) if n else 0,
            is_current=is_current,
            query=form.asked(cell=None if is_current else cell_key(row, column)) if n else None,
            key=f"{row or 'none'}-{column or 'none'}".replace(" ", "_"),
        )

    return [(label, [cell(name, column) for _, column in sides]) for label, name in sides]


def week_chart(data: Mapping[str, Any], guidelines: Sequence[Guideline], form: AgreementForm) -> LineChart | None:
    """F1 of people by week, in hundredths, with a mark where a guideline came to be; None below two weeks with data."""
    weeks = [week for week in data["weeks"] if week[1] + week[2] >= FEWEST_SPANS]
    if len(weeks) < 2:
        return None
    values = [round(200 * (week[3] if form.is_strict else week[4]) / (week[1] + week[2]), 1) for week in weeks]
    times = [f"{date.fromisoformat(week[0]):%-d %b %Y}" for week in weeks]
    marks: dict[int, str] = {}
    for guideline in guidelines:
        after = [place for place, week in enumerate(weeks) if _ends_after(week[0], guideline.created_at)]
        if after and after[0]:
            marks[after[0]] = f"guideline {guideline.number}"
    return line_chart(
        values=values,
        times=times,
        summary=f"F1 of people by week, in hundredths: {values[0]:.0f} in the first week, {values[-1]:.0f} in the last",
        unit="F1, hundredths",
        last_label=f"{values[-1]:.0f}",
        marks=sorted(marks.items()),
    )


def guideline_rows(data: Mapping[str, Any], form: AgreementForm) -> list[GuidelineRow]:
    """What was read under each version of the guideline, the first first; empty where all was under one."""
    rows = [
        GuidelineRow(
            number=number,
            words=share(figures(scores, form)["f1"]) if is_enough(scores) else "not enough data",
            interval=_interval(figures(scores, form)) if is_enough(scores) else "–",
            n_spans=n_spans(scores),
        )
        for number, scores in data["guidelines"]
    ]
    return rows if len(rows) > 1 else []


def narrowed(data: Mapping[str, Any], of_pair: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The data with what is told of labels narrowed to one pair, where one is chosen."""
    if of_pair is None:
        return data
    figures_of = {"confusion": of_pair["confusion"], "coefficients": of_pair["coefficients"]}
    return {**data, "pools": {**data["pools"], PEOPLE: of_pair}, **figures_of}


def coefficient_rows(data: Mapping[str, Any], labels: Sequence[Label]) -> list[CoefficientRow]:
    """Alpha and Fleiss' kappa of what people rate, or Cohen's of a pair: tokens, by label too, attributes, and labels
    of the note.
    """
    found, people = data["coefficients"], _labels_of(data, PEOPLE)
    rows = [
        _coefficient_row("All labels, the same set", "", figures, has_enough=True)
        for figures in found.get(Rated.TOKENS, {}).values()
    ]
    for label in labels:
        figures = found.get(Rated.LABEL, {}).get(label.name)
        if figures:
            own = people.get(label.name)
            rows.append(_coefficient_row(label.name, label.colour, figures, has_enough=bool(own and is_enough(own))))
    for rated, noun in ((Rated.ATTRIBUTE, "Attribute"), (Rated.VALUE, "Label of the note")):
        for name, figures in found.get(rated, {}).items():
            n_units = next(iter(figures.values()))["n_units"]
            rows.append(_coefficient_row(f"{noun}: {name}", "", figures, has_enough=n_units >= FEWEST_SPANS))
    return rows


def _coefficient_row(name: str, colour: str, figures: Mapping[str, Any], *, has_enough: bool) -> CoefficientRow:
    return CoefficientRow(
        name=name,
        colour=colour,
        n_units=next(iter(figures.values()))["n_units"],
        figures=tuple(_coefficient_words(each, has_enough=has_enough) for each in figures.values()),
    )


def _coefficient_words(found: Mapping[str, Any], *, has_enough: bool) -> tuple[str, str]:
    if not has_enough:
        return "not enough data", "–"
    if found["value"] is None:
        return "not defined", "–"
    return share(found["value"]), _interval(found)


def alpha_words(data: Mapping[str, Any]) -> tuple[str, str]:
    """Krippendorff's alpha and its interval, or why there is none."""
    found = data["coefficients"][Rated.TOKENS].get(ALL_LABELS, {}).get(ALPHA)
    if found is None or found["value"] is None:
        return "not enough data", ""
    low_high = found["interval"]
    interval = f"95% interval {share(low_high[0])} to {share(low_high[1])}" if low_high else found["caveat"]
    return share(found["value"]), interval


def newest_labeler(data: Mapping[str, Any]) -> str:
    """Of the labelers that people are compared with the one that was made last; empty where there is none."""
    return max(filter(is_labeler, data["pools"]), key=lambda name: int(name.rpartition("-")[2]), default="")


def _labels_of(data: Mapping[str, Any], pool: str) -> Mapping[str, Any]:
    """Scores by label of what is summed up under that name; of the labels that there were when they were counted."""
    return data["pools"].get(pool, {}).get("labels", {})


def _of_people(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [pair for pair in data["pairs"] if pair["kind"] == Kind.ANNOTATORS]


def _weakness(data: Mapping[str, Any], form: AgreementForm) -> Any:
    """By what people are sorted: F1 over all their pairs with people, the lowest first."""
    sums: dict[str, list[float]] = {}
    for pair in _of_people(data):
        n = pair["n_a"] + pair["n_b"]
        for name in (pair["a"], pair["b"]):
            own = sums.setdefault(name, [0, 0])
            own[0] += (figures(pair, form)["f1"] or 0) * n
            own[1] += n
    return lambda name: (sums[name][0] / sums[name][1] if sums.get(name, [0, 0])[1] else 2, int(name))


def _matrix_cell(
    of_pair: Mapping[frozenset[str], Mapping[str, Any]],
    names: Names,
    form: AgreementForm,
    row: tuple[str, int],
    column: tuple[str, int],
) -> MatrixCell:
    pair = of_pair.get(frozenset((row[0], column[0])))
    if pair is None or row[0] == column[0]:
        return MatrixCell(is_own=row[0] == column[0])
    spans = counted(n_spans(pair), "span")
    is_current = pair["id"] == form.chosen_pair
    if row[1] > column[1]:
        return MatrixCell(words=f"{n_spans(pair):,}", title=f"{spans} in {counted(pair['n_documents'], 'note')}")
    found = figures(pair, form)
    who = f"{names[row[0]]} and {names[column[0]]}"
    has_figure = is_enough(pair)
    why = f"F1 {share(found['f1'])}, {_interval(found)}" if has_figure else "not enough data"
    return MatrixCell(
        words=f"{found['f1']:.2f}" if has_figure else "–",
        title=f"{who}: {why}; {spans} in {counted(pair['n_documents'], 'note')}",
        step=_tint(found["f1"]) if has_figure else 0,
        is_figure=True,
        is_current=is_current,
        query=form.asked(pair=None if is_current else pair["id"], cell=None) if not is_labeler(pair["b"]) else None,
        key=pair["id"],
    )


def _tint(f1: float) -> int:
    """0 below .5, 6 at 1."""
    return max(0, round(_STEPS * (f1 - 0.5) / 0.5))


def _ends_after(monday: str, moment: datetime) -> bool:
    return date.fromisoformat(monday) + timedelta(days=7) > moment.date()


def _interval(found: Mapping[str, Any]) -> str:
    return interval_words(found["interval"]) if found["interval"] else "–"
