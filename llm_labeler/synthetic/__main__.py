"""`python -m llm_labeler.synthetic`: look at the grammar's notes, check it, or write training rows as JSON lines."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from itertools import islice

from llm_labeler.synthetic.notes import SyntheticNote, note_of_rule, notes, rows
from llm_labeler.synthetic.rules import Grammar, GrammarError, load_grammar


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_labeler.synthetic", description=__doc__)
    parser.add_argument("--check", action="store_true", help="read the grammar, tell its faults and what it gives")
    parser.add_argument("--show", type=int, metavar="N", help="print N notes with their spans")
    parser.add_argument("--note", metavar="RULE", help="of this rule only")
    parser.add_argument("--rows", type=int, metavar="N", help="print N training rows: prompt and answer")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        grammar = load_grammar()
    except GrammarError as error:
        print(error, file=sys.stderr)
        return 1
    if given.check:
        return _check(grammar, given.seed)
    if given.show:
        chance = random.Random(given.seed)
        chosen = (
            (note_of_rule(grammar, given.note, chance) for _ in range(given.show))
            if given.note
            else islice(notes(grammar, given.seed), given.show)
        )
        for note in chosen:
            _show(note)
    for row in islice(rows(notes(grammar, given.seed), given.seed), given.rows or 0):
        print(json.dumps({"prompt": row.prompt, "answer": row.answer}, ensure_ascii=False))
    return 0


def _check(grammar: Grammar, seed: int) -> int:
    faults = grammar.faults()
    for fault in faults:
        print(fault)
    drawn = list(islice(notes(grammar, seed), 500))
    labels = Counter(f"{gold.label} {gold.assertion}".strip() for note in drawn for gold in note.spans)
    answers = [row.answer for row in islice(rows(iter(drawn), seed), 100_000)]
    print(f"500 notes of {len({note.rule for note in drawn})} rules: {len(answers)} windows")
    print(f"{sum(answer == '[]' for answer in answers) / len(answers):.1%} of windows without a span")
    for label, n_spans in labels.most_common():
        print(f"{n_spans:6} {label}")
    return 1 if faults else 0


def _show(note: SyntheticNote) -> None:
    print(f"--- {note.rule}, {len(note.text)} characters\n{note.text}\n")
    for gold in note.spans:
        print(f"  {gold.label:11}{gold.assertion:13}{gold.span.surface(note.text)!r}")
    print()


if __name__ == "__main__":
    sys.exit(main())
