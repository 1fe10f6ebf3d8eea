"""What the labeler of identifiers finds in synthetic notes that are full of them, and in real ones that have few.

    python bench/identifiers.py [--notes 700] [--data ../shared/data]

Recall is the share of seeded identifiers that are covered, to the last character, and the share that is touched. Of
finds it says how many touch none, and how many have another kind than what they touch. On the real notes, which are
published case reports and abstracts, each find is counted for 1,000 words, by rule.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.identifiers import KINDS
from bench.identifier_notes import Gold, SeededNote, write_note
from llm_labeler.backends.presidio import Found, PresidioBackend, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=700)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parent.parent.parent / "shared" / "data")
    arguments = parser.parse_args()
    began = time.perf_counter()
    finder = load()
    finder.find("Mrs Jane Hollis")
    n_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"loaded in {time.perf_counter() - began:.1f} s after its imports, {n_mb} MB in all\n")
    notes = [write_note(seed) for seed in range(arguments.notes)]
    began = time.perf_counter()
    found = [finder.find(note.text) for note in notes]
    seconds = time.perf_counter() - began
    n_chars = sum(len(note.text) for note in notes)
    print(
        f"{len(notes)} notes, {n_chars:,} characters: {len(notes) / seconds:.0f} notes and "
        f"{n_chars / seconds / 1000:,.0f} thousand characters a second\n"
    )
    tell_seeded(notes, found)
    if arguments.data.is_dir():
        tell_real(finder, sorted(arguments.data.rglob("*.txt")))


def tell_seeded(notes: Sequence[SeededNote], found: Sequence[Sequence[Found]]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    for note, finds in zip(notes, found, strict=True):
        for gold in note.gold:
            counts["n", gold.kind] += 1
            counts["covered", gold.kind] += is_covered(note.text, gold, finds)
            counts["touched", gold.kind] += any(touch(gold, find) for find in finds)
        for find in finds:
            touched = [gold for gold in note.gold if touch(gold, find)]
            counts["finds", find.kind] += 1
            counts["right", find.kind] += bool(touched)
            counts["same kind", find.kind] += any(gold.kind == find.kind for gold in touched)
    print("| kind | seeded | covered | touched | finds | touch one | of its kind |\n|---|---|---|---|---|---|---|")
    for kind in (*(kind for kind in KINDS if counts["n", kind]), "all"):
        of = {what: sum(n for (w, k), n in counts.items() if w == what and kind in (k, "all")) for what, _ in counts}
        print(
            f"| {kind} | {of['n']:,} | {of['covered'] / of['n']:.3f} | {of['touched'] / of['n']:.3f} | {of['finds']:,} "
            f"| {of['right'] / max(of['finds'], 1):.3f} | {of['same kind'] / max(of['finds'], 1):.3f} |"
        )


def tell_real(finder: PresidioBackend, files: Sequence[Path]) -> None:
    by_kind: Counter[str] = Counter()
    n_words = 0
    for file in files:
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n")
        n_words += len(text.split())
        by_kind.update(f"{find.kind}, {find.rule.replace('_', ' ')}" for find in finder.find(text))
    n_finds = sum(by_kind.values())
    rate = 1000 * n_finds / n_words
    print(f"\n{len(files)} published notes, {n_words:,} words: {n_finds} finds, {rate:.2f} in 1,000 words")
    print("\n".join(f"- {name}: {n}" for name, n in by_kind.most_common()))


def touch(gold: Gold, find: Found) -> bool:
    return find.start < gold.end and gold.start < find.end


def is_covered(text: str, gold: Gold, finds: Sequence[Found]) -> bool:
    """Whether every letter and digit of it lies in a find."""
    return all(
        any(find.start <= place < find.end for find in finds)
        for place in range(gold.start, gold.end)
        if text[place].isalnum()
    )


if __name__ == "__main__":
    main()
