"""What orders in a note do to the spans around them: the same note with an attempt, and without.

    PYTHONPATH=. python bench/injection.py --labeler spacy [--limit N] [--json]

Over the corpus of `tests/injection`. Compared are the spans outside the attempt, by fragments, in offsets of the note
without it; spans that touch the attempt's place are left out. *Lost*: fragments that only the note without it has.
*Added*: that only the note with it has. *Relabelled*: both, under other labels. *Changed* is the sum, over the spans
of the note without it. Any text that is put into a note changes what stands next to what, so each note is read with a
neutral text of the same length in the same place too: the attempt's effect is what it changes beyond that. Intervals:
95 %, percentiles over 2,000 resamples of whole attempts (a kind without any change has none).
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from llm_labeler import evaluate
from llm_labeler.pipeline import LabelResult, label_notes
from tests.injection.attempts import Attempt, attempts

NEUTRAL = "The form was put back in the drawer and the page was turned. "
RESAMPLES = 2_000
Labels = dict[Span, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of `n` spans of a note, and how many were found in the attempt itself or across its ends."""

    n: int
    n_lost: int
    n_added: int
    n_relabelled: int
    n_inside: int

    @property
    def n_changed(self) -> int:
        return self.n_lost + self.n_added + self.n_relabelled


def main() -> None:
    given = _arguments()
    asked = attempts()[: given.limit]
    notes = list(dict.fromkeys(one.note for one in asked))
    texts = [*notes, *(one.text for one in asked), *(_neutral(one) for one in asked)]
    schema = schema_from_json(json.loads(evaluate.SCHEMA.read_text(encoding="utf-8")))
    options = evaluate.parser().parse_args(["--gold", ".", "--labeler", given.labeler])
    with evaluate.opened(options) as (backend, runtime):
        found = dict(label_notes(texts=texts, schema=schema, backend=backend, decoding=evaluate.decoding_of(options)))
        model = {"labeler": given.labeler, "model": backend.model_id, "revision": backend.revision, **runtime}
    plain = {note: found[place] for place, note in enumerate(notes)}
    hostile = [_change(one, plain[one.note], found[len(notes) + k]) for k, one in enumerate(asked)]
    neutral = [_change(one, plain[one.note], found[len(notes) + len(asked) + k]) for k, one in enumerate(asked)]
    _print(asked, hostile, neutral)
    if given.json:
        whole = {"attempt": _figures(hostile), "neutral": _figures(neutral), "n_attempts": len(asked)}
        print(json.dumps(model | whole))


def _neutral(attempt: Attempt) -> str:
    """The note with a text of the attempt's length that gives no order and names nothing."""
    n = len(attempt.attempt)
    filler = (NEUTRAL * (n // len(NEUTRAL) + 1))[: n - 1] + ("\n" if attempt.attempt.endswith("\n") else " ")
    return attempt.note[: attempt.offset] + filler + attempt.note[attempt.offset :]


def _change(attempt: Attempt, without: LabelResult, having: LabelResult) -> Change:
    first, length = attempt.offset, len(attempt.attempt)
    before = _grouped([(span, label) for span, label in _placed(without) if not span.start < first < span.end])
    outside: list[tuple[Span, str]] = []
    n_inside = 0
    for span, label in _placed(having):
        moved = _moved(span, first, length)
        n_inside += moved is None
        if moved is not None:
            outside.append((moved, label))
    after = _grouped(outside)
    return Change(
        n=len(before),
        n_lost=len(before.keys() - after.keys()),
        n_added=len(after.keys() - before.keys()),
        n_relabelled=sum(before[span] != after[span] for span in before.keys() & after.keys()),
        n_inside=n_inside,
    )


def _moved(span: Span, first: int, length: int) -> Span | None:
    """The span in offsets of the note without the attempt; None where it touches the attempt."""
    if span.end <= first:
        return span
    if span.start >= first + length:
        return span.shift(-length)
    fragments = [(s, e) if e <= first else (s - length, e - length) for s, e in span.fragments]
    is_apart = all(end <= first or start >= first + length for start, end in span.fragments)
    return Span(tuple(fragments)) if is_apart else None


def _placed(result: LabelResult) -> list[tuple[Span, str]]:
    return [(labelled.span, labelled.label) for labelled in result.spans if labelled.span is not None]


def _grouped(pairs: Sequence[tuple[Span, str]]) -> Labels:
    labels: dict[Span, set[str]] = defaultdict(set)
    for span, label in pairs:
        labels[span].add(label)
    return {span: frozenset(found) for span, found in labels.items()}


def _figures(changes: Sequence[Change]) -> dict[str, object]:
    totals = Counter[str]()
    for change in changes:
        totals.update(
            n=change.n, lost=change.n_lost, added=change.n_added, relabelled=change.n_relabelled, inside=change.n_inside
        )
    n_changed = totals["lost"] + totals["added"] + totals["relabelled"]
    return dict(totals) | {
        "share": n_changed / totals["n"] if totals["n"] else None,
        "interval": _interval(changes) if n_changed else None,
    }


def _interval(changes: Sequence[Change]) -> tuple[float, float]:
    draw = random.Random(0)
    shares = []
    for _ in range(RESAMPLES):
        drawn = draw.choices(changes, k=len(changes))
        shares.append(sum(one.n_changed for one in drawn) / max(sum(one.n for one in drawn), 1))
    shares.sort()
    return shares[RESAMPLES // 40], shares[-RESAMPLES // 40]


def _print(asked: Sequence[Attempt], hostile: Sequence[Change], neutral: Sequence[Change]) -> None:
    print("| kind | attempts | spans | lost | added | relabelled | changed | neutral text | in the attempt |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in [*dict.fromkeys(one.kind for one in asked), ""]:
        places = [place for place, one in enumerate(asked) if kind in ("", one.kind)]
        ours, theirs = (_figures([changes[place] for place in places]) for changes in (hostile, neutral))
        cells = [kind or "all", len(places), *(ours[name] for name in ("n", "lost", "added", "relabelled"))]
        print("| " + " | ".join(map(str, [*cells, _share(ours), _share(theirs), ours["inside"]])) + " |")


def _share(figures: dict[str, object]) -> str:
    share, interval = figures["share"], figures["interval"]
    if not isinstance(share, float):
        return "–"
    return f"{share:.3f}" + (f" ({interval[0]:.3f}–{interval[1]:.3f})" if isinstance(interval, tuple) else "")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labeler", choices=("gemma", "gemma-base", "spacy"), default="spacy")
    parser.add_argument("--limit", type=int, help="the first so many attempts")
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
