"""Processor seconds that a thousand quotes of a 50,000-character note take to be placed, for four mixes of quotes.

    PYTHONPATH=. python bench/alignment.py

Quotes are one to six words long, the first of seven letters at least, and come from all over the note in its order.
In the misspelt a letter of that word is lost, put in, changed or swapped; nothing in the note is like the invented
ones; the repeated are the note's commonest words, each with many places. The best of three.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from annotator.core.tokens import token_spans
from llm_labeler.align import Alignment, Quote, align

N_CHARS, N_QUOTES = 50_000, 1_000
NOTES = Path(__file__).parent.parent / "annotator" / "demo" / "notes"
MIXES = {
    "as a model answers": {"copied": 90, "other case": 5, "misspelt": 3, "invented": 2},
    "all misspelt": {"misspelt": 100},
    "all invented": {"invented": 100},
    "all repeated": {"repeated": 100},
}


def copied(text: str, start: int, end: int, draw: random.Random) -> str:
    return text[start:end]


def other_case(text: str, start: int, end: int, draw: random.Random) -> str:
    return " ".join(text[start:end].swapcase().split())


def misspelt(text: str, start: int, end: int, draw: random.Random) -> str:
    """With one edit, inside its first word."""
    before, here, after = text[start : start + 3], text[start + 3 : start + 5], text[start + 5 : end]
    return before + draw.choice([here[0], here[0] + "q" + here[1], "q" + here[1], here[1] + here[0]]) + after


def invented(text: str, start: int, end: int, draw: random.Random) -> str:
    return " ".join("".join(draw.choices("abcdefghij", k=9)) for _ in range(draw.randint(1, 4)))


def repeated(text: str, start: int, end: int, draw: random.Random) -> str:
    return draw.choice([word for word, _ in Counter(text.split()).most_common(20)])


KINDS: dict[str, Callable[[str, int, int, random.Random], str]] = {
    "copied": copied,
    "other case": other_case,
    "misspelt": misspelt,
    "invented": invented,
    "repeated": repeated,
}


def quotes_of(text: str, mix: dict[str, int]) -> list[Quote]:
    draw = random.Random(7)
    spans = token_spans(text)
    long = [place for place, (start, end) in enumerate(spans[:-6]) if text[start:end].isalpha() and end - start >= 7]
    firsts = sorted(draw.choices(long, k=N_QUOTES))
    kinds = draw.choices(list(mix), list(mix.values()), k=N_QUOTES)
    found = []
    for first, kind in zip(firsts, kinds, strict=True):
        start, end = spans[first][0], spans[first + draw.randint(0, 5)][1]
        words = KINDS[kind](text, start, end, draw)
        found.append(Quote(pieces=(words,), key=words))
    return found


def main() -> None:
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted(NOTES.glob("*.txt")))
    text = (text * (N_CHARS // len(text) + 1))[:N_CHARS]
    print("| quotes | processor seconds | exact | normalised | near spelling | not found |\n|---|---|---|---|---|---|")
    for name, mix in MIXES.items():
        quotes = quotes_of(text, mix)
        seconds = []
        for _ in range(3):
            began = time.process_time()
            aligned = align(text, quotes)
            seconds.append(time.process_time() - began)
        counts = Counter(each.alignment for each in aligned)
        print(f"| {name} | {min(seconds):.2f} | " + " | ".join(str(counts[each]) for each in Alignment) + " |")


if __name__ == "__main__":
    main()
