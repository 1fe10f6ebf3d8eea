"""Notes of the grammar as windows with items: prompt and answer, as the labeler asks and as it should be answered."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from annotator.core.chunks import SMALL_WINDOW, chunks
from annotator.core.prompting import COMPACT, item_of, render_answer, render_messages
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from llm_labeler.synthetic.rules import ASSERTIONS, LABELS, Grammar, Marked

ASSERTION = "assertion"
# How often a note is written in one case, or wrapped like a terminal's lines.
_LOWERED, _RAISED, _WRAPPED = 0.06, 0.03, 0.08
_ALL_LABELS, _ONE_LABEL = 0.35, 0.4


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """A span with its label, and its assertion where that is not "present"."""

    span: Span
    label: str
    assertion: str = ""


@dataclass(frozen=True, slots=True)
class SyntheticNote:
    rule: str
    text: str
    spans: tuple[GoldSpan, ...]


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One prompt with its answer."""

    prompt: str
    answer: str


def notes(grammar: Grammar, seed: int) -> Iterator[SyntheticNote]:
    """Synthetic notes without end; the i-th depends on grammar, seed and i only."""
    names, weights = grammar.top_rules()
    number = 0
    while True:
        chance = random.Random(f"{seed} {number}")
        (rule,) = chance.choices(names, weights)
        yield note_of_rule(grammar, rule, chance)
        number += 1


def note_of_rule(grammar: Grammar, rule: str, chance: random.Random) -> SyntheticNote:
    """A note of one rule, with the noise of real ones."""
    text, marked = grammar.write(rule, chance)
    text = _noisy(text, chance)
    return SyntheticNote(rule, text, tuple(_spans(text, marked)))


def rows(found: Iterator[SyntheticNote], seed: int) -> Iterator[TrainingRow]:
    """The windows of the notes as prompts with answers; which labels are asked for varies from note to note."""
    for number, note in enumerate(found):
        chance = random.Random(f"{seed} {number} schema")
        schema = _schema(chance)
        for window in chunks(note.text, SMALL_WINDOW):
            part = note.text[window.start : window.end]
            if part.isspace():
                continue
            (message,) = render_messages(schema, part, template=COMPACT)
            inside = [
                replace(gold, span=gold.span.shift(-window.start))
                for gold in note.spans
                if window.start <= gold.span.start and gold.span.end <= window.end
            ]
            items = [
                item_of(
                    text=part,
                    span=gold.span,
                    label=gold.label,
                    attributes={ASSERTION: gold.assertion}
                    if gold.assertion and schema.attributes_of(gold.label)
                    else {},
                )
                for gold in inside
                if gold.label in schema.label_names
            ]
            yield TrainingRow(message["content"], render_answer(items, schema=schema))


def full_schema() -> Schema:
    """The labels of the grammar and the assertion of problems."""
    return _schema_of(list(LABELS.values()), has_assertion=True)


def _schema(chance: random.Random) -> Schema:
    labels = list(LABELS.values())
    drawn = chance.random()
    if drawn < _ONE_LABEL:
        labels = chance.choices(labels, [5, 1, 1, 1, 1, 1])
    elif drawn > _ONE_LABEL + _ALL_LABELS:
        kept = chance.sample(labels, chance.randint(2, 5))
        labels = [label for label in labels if label in kept]
    return _schema_of(labels, has_assertion="Problem" in labels and chance.random() < 0.7)


def _schema_of(labels: list[str], *, has_assertion: bool) -> Schema:
    values = ["present", *sorted(ASSERTIONS, key=_ASSERTION_ORDER.index)]
    attribute = {"name": ASSERTION, "values": values, "labels": ["Problem"]}
    return schema_from_json(
        {
            "labels": [{"name": label, "definition": label} for label in labels],
            "attributes": [attribute] if has_assertion else [],
        }
    )


_ASSERTION_ORDER = ("absent", "possible", "conditional", "hypothetical", "family")


def _noisy(text: str, chance: random.Random) -> str:
    """`text` with changes that keep its length."""
    drawn = chance.random()
    if drawn < _LOWERED:
        changed = text.lower()
    elif drawn < _LOWERED + _RAISED:
        changed = text.upper()
    elif drawn < _LOWERED + _RAISED + _WRAPPED:
        changed = _wrapped(text, chance.randint(60, 90))
    else:
        return text
    return changed if len(changed) == len(text) else text


def _wrapped(text: str, width: int) -> str:
    """`text` with a line end in place of the last space that fits into each line."""
    return re.sub(rf"([^\n]{{1,{width}}}) (?=[^\n])", r"\1\n", text)


def _spans(text: str, marked: list[Marked]) -> list[GoldSpan]:
    """The marked pieces as spans, by start and then longest first; a piece that goes over a line end is two."""
    groups: dict[int, list[Marked]] = {}
    for piece in marked:
        groups.setdefault(piece.group, []).append(piece)
    found = []
    for pieces in groups.values():
        fragments = [
            (piece.start + line.start(), piece.start + line.end())
            for piece in sorted(pieces, key=lambda piece: piece.start)
            for line in re.finditer(r"[^\s](?:[^\n]*[^\s])?", text[piece.start : piece.end])
        ]
        if fragments:
            found.append(GoldSpan(Span(tuple(fragments)), pieces[0].label, pieces[0].assertion))
    return sorted(found, key=lambda gold: (gold.span.start, -gold.span.end, gold.label))
