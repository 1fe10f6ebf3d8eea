"""An agreement as JSON and in words, for the operator: it names people and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Any

from annotator.core.agreement import Agreement, Comparison, Kind, Pair, Score, Scores
from annotator.core.intervals import Estimate
from annotator.core.reliability import Coefficient, Reliability
from annotator.core.tallies import ALL_LABELS, Rated
from annotator.core.tokens import TOKENIZER
from annotator.core.wording import counted, spreadsheet_safe


def agreement_json(agreement: Agreement) -> dict[str, Any]:
    """All figures by name; null where one is not defined, and `caveat` says why. Intervals are 95 %, over patients.

    Of a pair `a` is the reference of precision and recall. `gold` is null where no note is adjudicated.
    """
    pairs, labelers, gold = (_of_kind(agreement, kind) for kind in (Kind.ANNOTATORS, Kind.LABELER, Kind.GOLD))
    labels = list(agreement.token_labels)
    return {
        "n_documents": agreement.n_documents,
        "n_patients": agreement.n_patients,
        **_pairs_json([_comparison_json(each) for each in pairs]),
        "labels": {
            label: _pairs_json([_scores_json(each.pair, each.labels[label]) for each in pairs]) for label in labels
        },
        "documents": {
            document: _pairs_json([_scores_json(pair, scores) for pair, scores in found])
            for document, found in agreement.documents.items()
        },
        "coefficients": {
            "tokenizer": TOKENIZER,
            "tokens": _reliability_json(agreement.tokens) if agreement.tokens else None,
            "labels": _each_reliability(agreement.token_labels),
        },
        "attributes": _each_reliability(agreement.attributes),
        "document_labels": _each_reliability(agreement.document_labels),
        "labelers": [_with_labels(each) for each in labelers],
        "gold": [_with_labels(each) for each in gold] or None,
    }


def agreement_lines(agreement: Agreement) -> Iterator[str]:
    """The same as tables for a terminal, without single notes; `-` where a figure is not defined."""
    several = counted(agreement.n_documents, "note")
    yield f"{several} of {counted(agreement.n_patients, 'patient')} with two readers or more"
    headings = {
        Kind.ANNOTATORS: "annotators, a against b",
        Kind.LABELER: "labelers (b) against annotators (a)",
        Kind.GOLD: "readers (b) against gold (a)",
    }
    for kind, heading in headings.items():
        found = _of_kind(agreement, kind)
        if found:
            yield from ("", *_comparison_table(heading, found))
        if kind == Kind.ANNOTATORS and found:
            strict, overlap = (each.scores.strict for each in found), (each.scores.overlap for each in found)
            yield f"mean F1 of the pairs: strict {_mean_words(strict)}, overlap {_mean_words(overlap)}"
    if agreement.tokens:
        rated = {
            "tokens, all labels": agreement.tokens,
            **{f"tokens, {name}": each for name, each in agreement.token_labels.items()},
            **{f"attribute {name}": each for name, each in agreement.attributes.items()},
            **{f"note's {name}": each for name, each in agreement.document_labels.items()},
        }
        yield from ("", *_reliability_table(rated))


def _of_kind(agreement: Agreement, kind: Kind) -> list[Comparison]:
    return [each for each in agreement.comparisons if each.pair.kind == kind]


def _pairs_json(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The pairs, and mean and population deviation of their F1 over those where it is defined."""
    found: dict[str, Any] = {"pairs": pairs}
    for scheme in ("strict", "overlap"):
        mean, deviation = _mean_and_sd([pair[scheme]["f1"] for pair in pairs])
        found |= {f"{scheme}_f1_mean": mean, f"{scheme}_f1_sd": deviation}
    return found


def _mean_and_sd(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    defined = [value for value in values if value is not None]
    return (fmean(defined), pstdev(defined)) if defined else (None, None)


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    numbers = {"n_documents": comparison.n_documents, "n_patients": comparison.n_patients}
    return _scores_json(comparison.pair, comparison.scores) | numbers


def _with_labels(comparison: Comparison) -> dict[str, Any]:
    labels = {label: _scores_json(comparison.pair, scores) for label, scores in comparison.labels.items()}
    return _comparison_json(comparison) | {"labels": labels}


def _scores_json(pair: Pair, scores: Scores) -> dict[str, Any]:
    return {"a": pair.a, "b": pair.b, **scores_json(scores)}


def scores_json(scores: Scores) -> dict[str, Any]:
    """How many spans there are, and precision, recall and F1 by both schemes."""
    return {
        "n_a": scores.tally.n_a,
        "n_b": scores.tally.n_b,
        "strict": _score_json(scores.strict),
        "overlap": _score_json(scores.overlap),
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "p": score.precision,
        "r": score.recall,
        "f1": score.f1.value,
        "interval": score.f1.interval,
        "caveat": score.f1.caveat,
    }


def _each_reliability(found: Mapping[str, Reliability]) -> dict[str, Any]:
    return {name: _reliability_json(each) for name, each in found.items()}


def _reliability_json(found: Reliability) -> dict[str, Any]:
    return {
        "krippendorff_alpha": coefficient_json(found.alpha),
        "fleiss_kappa": coefficient_json(found.fleiss),
        "cohen_kappa": [{"a": a, "b": b, **coefficient_json(kappa)} for (a, b), kappa in found.cohen.items()],
    }


def coefficient_json(found: Coefficient) -> dict[str, Any]:
    """Its value with what it is of."""
    return {
        "n_units": found.n_units,
        "value": found.estimate.value,
        "interval": found.estimate.interval,
        "caveat": found.estimate.caveat,
    }


def _comparison_table(heading: str, comparisons: Sequence[Comparison]) -> list[str]:
    head = (*("label", "a", "b", "notes", "of a", "of b"), *("strict P", "R", "F1", "95 %"), *("overlap P", "R", "F1"))
    rows = [
        (
            *(label, each.pair.a, each.pair.b),
            *(f"{n:,}" for n in (each.n_documents, scores.tally.n_a, scores.tally.n_b)),
            *_score_cells(scores.strict),
            _interval(scores.strict.f1),
            *_score_cells(scores.overlap),
            scores.strict.f1.caveat,
        )
        for each in comparisons
        for label, scores in {"all": each.scores, **each.labels}.items()
    ]
    return [heading, *_table((*head, ""), rows, n_names=3)]


def _reliability_table(rated: Mapping[str, Reliability]) -> list[str]:
    rows = []
    for name, found in rated.items():
        figures = {"Krippendorff's alpha": found.alpha, "Fleiss' kappa": found.fleiss}
        figures |= {f"Cohen's kappa, {a} and {b}": kappa for (a, b), kappa in found.cohen.items()}
        rows += [(name, figure, *_coefficient_cells(each)) for figure, each in figures.items()]
    return _table(("beyond chance", "", "units", "value", "95 %", ""), rows, n_names=2)


def _score_cells(score: Score) -> Iterable[str]:
    return map(_number, (score.precision, score.recall, score.f1.value))


def _coefficient_cells(found: Coefficient) -> tuple[str, ...]:
    estimate = found.estimate
    return f"{found.n_units:,}", _number(estimate.value), _interval(estimate), estimate.caveat


def _mean_words(scores: Iterable[Score]) -> str:
    mean, deviation = _mean_and_sd(score.f1.value for score in scores)
    return f"{_number(mean)} (sd {_number(deviation)})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.interval.low:.2f}-{estimate.interval.high:.2f}" if estimate.interval else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, n_names: int) -> list[str]:
    """Lines of aligned columns: the first `n_names` to the left, and the last, a remark; the others to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        last = len(cells) - 1
        return "  ".join(
            cell.ljust(width) if place < n_names or place == last else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()

    return [line(cells) for cells in (head, *rows)]


def report_json(data: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A stored report in the words of `agreement_json`, without single notes and the kappas of pairs."""
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in Kind}
    for pair in data["pairs"]:
        rows[pair["kind"]].append(
            {**{key: each for key, each in pair.items() if key not in {"id", "kind", "gap"}}, **_named(pair, names)}
        )
    people = data["pools"].get("people")
    return {
        "n_documents": data["n_documents"],
        "n_waiting": data["n_waiting"],
        **_pairs_json(rows[Kind.ANNOTATORS]),
        "labels": people["labels"] if people else {},
        "coefficients": {
            "tokenizer": TOKENIZER,
            "tokens": data["coefficients"][Rated.TOKENS].get(ALL_LABELS),
            "labels": data["coefficients"][Rated.LABEL],
        },
        "attributes": data["coefficients"][Rated.ATTRIBUTE],
        "document_labels": data["coefficients"][Rated.VALUE],
        "labelers": rows[Kind.LABELER],
        "gold": rows[Kind.GOLD] or None,
        "confusion": [{"a": label_a, "b": label_b, "n": n} for label_a, label_b, n in data["confusion"]],
        "weeks": [
            dict(zip(("week", "n_a", "n_b", "n_strict", "n_overlap"), week, strict=True)) for week in data["weeks"]
        ],
    }


def _named(pair: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    return {side: names[pair[side]] for side in ("a", "b")}


CSV_HEAD = (
    *("kind", "a", "b", "label", "n_documents", "n_patients", "n_a", "n_b"),
    *(f"{scheme}_{figure}" for scheme in ("strict", "overlap") for figure in ("p", "r", "f1", "low", "high", "caveat")),
    *("rated", "coefficient", "n_units", "value", "value_low", "value_high", "value_caveat"),
)
_NO_COEFFICIENT = ("",) * 7
_NO_SCORES = ("",) * (len(CSV_HEAD) - 5 - 7)


def csv_rows(data: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Sequence[Any]]:
    """A stored report as a table: each pair over all labels, then each label over all pairs of people, then the
    coefficients of what people rate.
    """
    yield CSV_HEAD
    for pair in data.get("pairs", ()):
        a, b = map(spreadsheet_safe, _named(pair, names).values())
        yield (pair["kind"], a, b, "", pair["n_documents"], pair["n_patients"], *_score_columns(pair), *_NO_COEFFICIENT)
    people = data.get("pools", {}).get("people")
    if people:
        for label, scores in people["labels"].items():
            yield (
                "annotators",
                "",
                "",
                label,
                data["n_documents"],
                people["n_patients"],
                *_score_columns(scores),
                *_NO_COEFFICIENT,
            )
    for rated, by_name in data.get("coefficients", {}).items():
        for name, figures in by_name.items():
            for figure, found in figures.items():
                low_high = found["interval"] or (None, None)
                told = (rated, figure, found["n_units"], found["value"], *low_high, found["caveat"])
                yield ("coefficients", "", "", spreadsheet_safe(name), data["n_documents"], *_NO_SCORES, *told)


def _score_columns(scores: Mapping[str, Any]) -> Iterator[Any]:
    yield from (scores["n_a"], scores["n_b"])
    for scheme in ("strict", "overlap"):
        found = scores[scheme]
        yield from (found["p"], found["r"], found["f1"], *(found["interval"] or (None, None)), found["caveat"])
