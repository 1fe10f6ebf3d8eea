"""What two labelers suggest on corpora with gold spans, for `bench/effort.py`: read once, kept in a folder.

`spancat` is spaCy's span categorizer, trained here on the gold of the other folds: what it labels it was never trained
on. `gemma` is the small model as the application runs it. Each note's answer is a line of a file that is named by all
that it depends on, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from bench.evaluate_labelers import MAPS
from llm_labeler import evaluate
from llm_labeler.backends import load_backend
from llm_labeler.finetune.spacy_recipe import SpacyRecipe
from llm_labeler.gold import GoldNote, read_gold
from llm_labeler.pipeline import label_notes

_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|$)", re.MULTILINE)
if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
LABELERS = ("spancat", "gemma")
# Of the span categorizer: chosen before anything was measured, and the same for every corpus.
N_FOLDS, N_UPDATES, LONGEST, THRESHOLD = 5, 2400, 6, 0.5
SEED, DROPOUT, PIECES_A_BATCH = 0, 0.2, 8
NOTES_A_GROUP = 4


@dataclass(frozen=True, slots=True)
class Suggested:
    """A span as a labeler gave it; `is_exact` where it stands in the note word for word."""

    span: Span
    label: str
    score: float
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Corpus:
    """Notes with gold, by name, and the labels that it has."""

    name: str
    labels: tuple[str, ...]
    notes: tuple[GoldNote, ...]


def read_corpus(data: Path, name: str) -> Corpus:
    """The notes of a folder under the labels of `bench/evaluate_labelers.py`. Raises GoldError."""
    labels = dict(pair.split("=") for pair in MAPS[name])
    return Corpus(name, tuple(dict.fromkeys(labels.values())), read_gold(data / name, labels).notes)


def suggestions(corpus: Corpus, labeler: str, notes: Sequence[GoldNote], cache: Path) -> dict[str, list[Suggested]]:
    """What the labeler suggests in each of these notes of the corpus, from the cache or made now."""
    make: Callable[[Corpus, Sequence[GoldNote]], Iterator[tuple[str, list[Suggested]]]]
    make, conditions = (_by_gemma, _of_gemma()) if labeler == "gemma" else (_by_spancat, _of_spancat())
    told = json.dumps([corpus.name, corpus.labels, conditions], sort_keys=True)
    path = cache / f"{corpus.name}-{labeler}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.jsonl"
    known = _read(path)
    missing = [note for note in notes if _key(note) not in known]
    began = time.perf_counter()
    with path.open("a", encoding="utf-8") as file:
        for n_done, (name, found) in enumerate(make(corpus, missing) if missing else (), 1):
            note = next(each for each in missing if each.name == name)
            known[_key(note)] = found
            file.write(json.dumps({"note": _key(note), "found": [_to_json(one) for one in found]}) + "\n")
            file.flush()
            seconds = time.perf_counter() - began
            print(f"{corpus.name}, {labeler}: {n_done} of {len(missing)} notes, {seconds:.0f} s", file=sys.stderr)
    return {note.name: known[_key(note)] for note in notes}


def _of_gemma() -> dict[str, Any]:
    return {"revision": evaluate.small_revision(has_adapter=True), "decoding": str(evaluate.SMALL)}


def _by_gemma(corpus: Corpus, notes: Sequence[GoldNote]) -> Iterator[tuple[str, list[Suggested]]]:
    whole = schema_from_json(json.loads(evaluate.SCHEMA.read_text(encoding="utf-8")))
    schema = evaluate.schema_of(whole, corpus.labels)
    given = evaluate.parser().parse_args(["--gold", corpus.name, "--labeler", "gemma"])
    second = load_backend("spacy")
    with evaluate.opened(given) as (backend, _):
        for first in range(0, len(notes), NOTES_A_GROUP):
            group = notes[first : first + NOTES_A_GROUP]
            texts = [note.text for note in group]
            for place, result in label_notes(
                texts=texts, schema=schema, backend=backend, decoding=evaluate.SMALL, second=second
            ):
                placed = [one for one in result.spans if one.span is not None]
                yield (
                    group[place].name,
                    [Suggested(one.span, one.label, one.score, one.alignment == "exact") for one in placed if one.span],
                )


def _read(path: Path) -> dict[str, list[Suggested]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {row["note"]: [_from_json(one) for one in row["found"]] for row in map(json.loads, lines)}


def _key(note: GoldNote) -> str:
    return f"{note.name} {hashlib.sha256(note.text.encode()).hexdigest()[:12]}"


def _to_json(one: Suggested) -> list[Any]:
    return [str(one.span), one.label, one.score, one.is_exact]


def _from_json(row: Sequence[Any]) -> Suggested:
    return Suggested(Span.parse(row[0]), row[1], row[2], row[3])


def _of_spancat() -> dict[str, Any]:
    return {"folds": N_FOLDS, "updates": N_UPDATES, "longest": LONGEST, "threshold": THRESHOLD, "seed": SEED}


def _by_spancat(corpus: Corpus, notes: Sequence[GoldNote]) -> Iterator[tuple[str, list[Suggested]]]:
    fold_of = folds(corpus.notes)
    for fold in range(N_FOLDS):
        held = [note for note in notes if fold_of[note.name] == fold]
        if held:
            model = _trained([note for note in corpus.notes if fold_of[note.name] != fold], corpus.labels)
            for note in held:
                yield note.name, _found(model, note)


def folds(notes: Sequence[GoldNote]) -> dict[str, int]:
    """The fold of each note, by its name."""
    names = sorted(note.name for note in notes)
    random.Random(SEED).shuffle(names)
    return {name: place % N_FOLDS for place, name in enumerate(names)}


def _trained(notes: Sequence[GoldNote], labels: Sequence[str]) -> Language:
    """A span categorizer of these notes' gold. Spans that are in pieces, longer than LONGEST or no whole tokens are not
    shown to it.
    """
    import spacy
    from spacy.util import minibatch, registry
    from thinc.api import fix_random_seed

    fix_random_seed(SEED)
    registry.misc.register("marginalia.between_words.v1", func=between_words)
    suggester = {"@misc": "marginalia.between_words.v1", "longest": LONGEST}
    model = spacy.blank("en")
    part: Any = model.add_pipe("spancat", config={"spans_key": "sc", "threshold": THRESHOLD, "suggester": suggester})
    for label in labels:
        part.add_label(label)
    examples = [example for note in notes for example in _examples(model, note)]
    optimizer = model.initialize(lambda: examples[:100])
    chance = random.Random(SEED)
    n_updates = 0
    while n_updates < N_UPDATES:
        chance.shuffle(examples)
        for batch in islice(minibatch(examples, size=PIECES_A_BATCH), N_UPDATES - n_updates):
            model.update(batch, sgd=optimizer, drop=DROPOUT)
            n_updates += 1
    return model


def _examples(model: Language, note: GoldNote) -> Iterator[Any]:
    """The sentences of a note as examples."""
    from llm_labeler.finetune.spacy_rows import SPANS_KEY, example_of

    for first, line in pieces_of(note.text):
        doc = model.make_doc(line)
        places = [
            (place.start - first, place.end - first, label) for place, label in note.gold if not place.is_discontinuous
        ]
        inside = [place for place in places if place[0] >= 0 and place[1] <= len(line)]
        spans = [doc.char_span(start, end, label=label) for start, end, label in inside]
        doc.spans[SPANS_KEY] = [span for span in spans if span is not None]
        yield example_of(model, doc, SpacyRecipe(), longest=LONGEST)


def _found(model: Language, note: GoldNote) -> list[Suggested]:
    found = []
    for first, line in pieces_of(note.text):
        doc = model(line)
        group = doc.spans["sc"]
        found += [
            Suggested(Span.of(first + one.start_char, first + one.end_char), one.label_, float(score), True)
            for one, score in zip(group, group.attrs["scores"], strict=True)
        ]
    return flat(found)


def between_words(longest: int) -> Callable[..., Any]:
    """What gives the spans of at most so many tokens that neither begin nor end with punctuation or a stop word."""

    def suggest(docs: Sequence[Doc], *, ops: Any = None) -> Any:
        from thinc.api import Ragged, get_current_ops

        ops = ops or get_current_ops()
        rows: list[tuple[int, int]] = []
        lengths = []
        for doc in docs:
            is_edge = [not (token.is_punct or token.is_space or token.is_stop) for token in doc]
            found = [
                (start, end + 1)
                for start in range(len(doc))
                if is_edge[start]
                for end in range(start, min(start + longest, len(doc)))
                if is_edge[end]
            ]
            rows += found
            lengths.append(len(found))
        spans = ops.asarray2i(rows) if rows else ops.xp.zeros((0, 2), dtype="i")
        return Ragged(spans, ops.asarray1i(lengths))

    return suggest


def pieces_of(text: str) -> Iterator[tuple[int, str]]:
    """The sentences, each of one line, with the offsets of their starts."""
    for found in _SENTENCE.finditer(text):
        yield found.start(), found[0]


def flat(found: Sequence[Suggested]) -> list[Suggested]:
    """Of spans that share a character the best scored, in the order of the text."""
    kept: list[Suggested] = []
    for one in sorted(found, key=lambda one: (-one.score, one.span, one.label)):
        if not any(one.span.overlaps(other.span) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: one.span)
