"""Seconds that the dictionaries and rules take for a note, and whether any text makes them slow.

    PYTHONPATH=. python bench/label_notes.py

The second table doubles each hostile text: a time that grows with the length doubles, one that grows with its square is
four times as long. Steady state: the first call, which loads the dictionaries, is not counted.
"""

from __future__ import annotations

import time

from annotator.core.schema import Schema, schema_from_json
from llm_labeler.backends import Backend, load_backend
from llm_labeler.pipeline import label_note

LABELS = ("Problem", "Medication", "Dosage", "Test", "Procedure", "Anatomy")
LINE = "No chest pain. Aspirin 81 mg daily, CXR clear, left knee swelling, BP 120/80 after cholecystectomy.\n"
HOSTILE = ("1 ", "1-", "a", "left ", "chest pain ", "500 mg ", "1,", "no ", "no\n", "? ", "family history ")
LENGTH = 25_000


def seconds(text: str, schema: Schema, backend: Backend) -> float:
    """The best of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        label_note(text=text, schema=schema, backend=backend)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    schema = schema_from_json({"labels": [{"name": name, "definition": name} for name in LABELS]})
    backend = load_backend("spacy")
    seconds(LINE, schema, backend)
    print("| note | seconds |\n|---|---|")
    for n_chars in (3_000, 50_000):
        text = (LINE * (n_chars // len(LINE) + 1))[:n_chars]
        print(f"| {n_chars:,} characters | {seconds(text, schema, backend):.3f} |")
    print("\n| repeated | 25,000 characters | 50,000 | ratio |\n|---|---|---|---|")
    for piece in HOSTILE:
        one, two = (seconds(piece * (n // len(piece)), schema, backend) for n in (LENGTH, 2 * LENGTH))
        print(f"| {piece!r} | {one:.2f} s | {two:.2f} s | {two / one:.1f} |")


if __name__ == "__main__":
    main()
