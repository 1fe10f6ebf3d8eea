"""Processor milliseconds of the copy grammar: to write it for a window, to compile it, and to mask a token.

    PYTHONPATH=. python bench/grammars.py --tokenizer tokenizer.json

The windows are those of the demo notes. Compiling and masks are llguidance's over the given tokenizer, for an answer
that quotes four words at every fifth token of the window.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from llguidance import LLMatcher, LLTokenizer

from annotator.core.chunks import chunks
from annotator.core.prompting import Item, answer_schema, render_answer
from annotator.core.schema import schema_from_json
from annotator.core.tokens import token_spans
from llm_labeler.copying import copy_gbnf, copy_lark

DEMO = Path(__file__).parent.parent / "annotator" / "demo"
MAX_WINDOWS = 12
T = TypeVar("T")
Times = dict[str, list[float]]


def timed(times: Times, name: str, work: Callable[[], T]) -> T:
    began = time.process_time()
    done = work()
    times.setdefault(name, []).append(1e3 * (time.process_time() - began))
    return done


def read(window: str, form: dict[str, object], tokenizer: LLTokenizer, times: Times) -> None:
    spans = token_spans(window)
    quotes = [window[start : spans[min(place + 3, len(spans) - 1)][1]] for place, (start, _) in enumerate(spans)]
    answer = render_answer(Item(quote, "Problem") for quote in quotes[::5])
    timed(times, "GBNF written", lambda: copy_gbnf(form, window))
    grammar = timed(times, "Lark written", lambda: copy_lark(form, window))
    matcher = timed(times, "Lark compiled", lambda: LLMatcher(tokenizer, grammar))
    for token in tokenizer.tokenize_str(answer):
        timed(times, "mask of a token", matcher.compute_bitmask)
        assert matcher.consume_token(token), matcher.get_error()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    tokenizer = LLTokenizer(str(parser.parse_args().tokenizer))
    form = answer_schema(schema_from_json(json.loads((DEMO / "schema.json").read_text(encoding="utf-8"))))
    print("| window | step | mean ms | 95 % | most |\n|---|---|---|---|---|")
    for size in (300, 1500):
        times: Times = {}
        for path in sorted((DEMO / "notes").glob("*.txt")):
            text = path.read_text(encoding="utf-8")
            for part in chunks(text, size)[:MAX_WINDOWS]:
                read(text[part.start : part.end], form, tokenizer, times)
        for name, taken in times.items():
            taken.sort()
            mean, most_of, most = sum(taken) / len(taken), taken[len(taken) * 95 // 100], taken[-1]
            print(f"| {size} | {name} | {mean:.2f} | {most_of:.2f} | {most:.2f} |")


if __name__ == "__main__":
    main()
