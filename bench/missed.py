"""What of hidden gold spans "Anything missed?" offers, on MACCROBAT and the NCBI disease corpus.

A fifth of each note's gold spans, by chance, is hidden: the rest is what its reader labelled. All other notes with all
of their gold are the project's finished ones, 40 of them, by chance, the sample. Offered are places until none is left,
each answered as gold says: labelled where just this span with this label is hidden, else dismissed. Then again with
what the dictionaries find, as if they were the second reader of a run whose model found what is not hidden.

    python bench/missed.py [--data ../shared/data] [--seed 1]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.matching import Labelled
from annotator.core.mentions import n_mentions
from annotator.core.missed import Found, Missed, Record, may_be_missed, open_phrases
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.core.surfaces import normal_surface
from bench.lexicon_priors import LABELS
from llm_labeler.backends import Backend, load_backend
from llm_labeler.evaluate import SCHEMA
from llm_labeler.gold import EVERY, GoldNote, read_gold
from llm_labeler.pipeline import label_note

CORPORA = {"maccrobat": LABELS, "ncbi_disease": {EVERY: "Problem"}}
HIDDEN = 0.2
SAMPLE, SHOWN = 40, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parent.parent.parent / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    dictionaries = load_backend("spacy")
    for corpus, labels in CORPORA.items():
        notes = read_gold(arguments.data / corpus, labels).notes
        beside = [found_in(note.text, set(labels.values()), dictionaries) for note in notes]
        for name, found in (("people's words", [[] for _ in notes]), ("with the dictionaries", beside)):
            tell(f"{corpus}, {name}", measure(notes, found, random.Random(arguments.seed)))


def found_in(text: str, labels: Set[str], reader: Backend) -> list[Found]:
    """What the reader finds of these labels, as the product's own labels define them; best scored first."""
    given = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema = schema_from_json({"labels": [label for label in given["labels"] if label["name"] in labels]})
    spans = label_note(text=text, schema=schema, backend=reader).spans
    found = [Found(one.span.start, one.span.end, one.label, one.score, "spacy") for one in spans if one.span]
    return sorted(found, key=lambda one: -one.score)


def tell(what: str, counts: Mapping[str, int]) -> None:
    n_offered, n_hidden = max(counts["offered"], 1), max(counts["hidden"], 1)
    n_found = max(counts["found"], 1)
    print(
        f"{what}: {counts['notes']} notes, {counts['hidden']} spans hidden, {counts['known']} of them with words "
        f"labelled elsewhere\n  offered {counts['offered']}, {counts['offered'] / counts['notes']:.1f} a note, "
        f"{counts['offered'] / n_found:.1f} for each found\n"
        f"  found {counts['found']}, {counts['found'] / n_hidden:.2f} of the hidden\n"
        f"  right {counts['found'] / n_offered:.2f} to the letter, {counts['near'] / n_offered:.2f} by overlap; "
        f"of the first {SHOWN} of a note {counts['found_first'] / max(counts['first'], 1):.2f} to the letter\n"
        f"  of a reader: {counts['read']} offered, {counts['read_found']} found"
    )


def measure(notes: Sequence[GoldNote], found: Sequence[Sequence[Found]], chance: random.Random) -> Counter[str]:
    """Counts over all notes, with what a second reader found in each; see the head of this file."""
    texts = [normal_surface(note.text) for note in notes]
    words = [[(normal_surface(one.span.surface(note.text)), one.label) for one in note.gold] for note in notes]
    counts: Counter[str] = Counter(notes=len(notes))
    for number, note in enumerate(notes):
        others = [other for other in range(len(notes)) if other != number]
        sample = chance.sample(others, min(SAMPLE, len(others)))
        hidden = {one for one in note.gold if chance.random() < HIDDEN}
        kept = [one for one in note.gold if one not in hidden]
        wanted = open_phrases(note.text, (place for one in kept for place in one.span.fragments)).keys()
        read = {normal_surface(note.text[one.start : one.end]) for one in found[number]}
        records = records_of(
            wanted, read, [words[other] for other in others], [(texts[other], words[other]) for other in sample]
        )
        known = {normal_surface(one.span.surface(note.text)) for one in kept}
        known |= {words for words, record in records.items() if record.n_spans}
        counts["hidden"] += len(hidden)
        counts["known"] += sum(normal_surface(one.span.surface(note.text)) in known for one in hidden)
        counts += answer(note, kept, hidden, records, found[number])
    return counts


def records_of(
    wanted: Set[str],
    read: Set[str],
    others: Sequence[Sequence[tuple[str, str]]],
    sample: Sequence[tuple[str, Sequence[tuple[str, str]]]],
) -> dict[str, Record]:
    """As `annotator.review.missed` reads them from the database: of `read` words also where nobody labelled them."""
    n_spans: Counter[tuple[str, str]] = Counter()
    n_notes: Counter[tuple[str, str]] = Counter()
    for spans in others:
        of_wanted = [pair for pair in spans if pair[0] in wanted]
        n_spans.update(of_wanted)
        n_notes.update(set(of_wanted))
    n_labelled = Counter(pair for _, spans in sample for pair in spans)
    most: dict[str, tuple[int, int, str]] = dict.fromkeys(read, (0, 0, ""))
    for (words, label), n in n_spans.items():
        most[words] = max(most.get(words, (0, 0, "")), (n_notes[words, label], n, label))
    return {
        words: Record(label, n, n_in, sum(n_mentions(text, words) for text, _ in sample), n_labelled[words, label])
        for words, (n_in, n, label) in most.items()
    }


def answer(
    note: GoldNote,
    kept: Sequence[Labelled],
    hidden: set[Labelled],
    records: Mapping[str, Record],
    beside: Sequence[Found],
) -> Counter[str]:
    """Go through what is offered in one note until nothing is."""
    counts: Counter[str] = Counter()
    mine, refused, left = list(kept), [], set(hidden)
    while True:
        here: dict[str, Counter[str]] = defaultdict(Counter)
        for one in mine:
            here[normal_surface(one.span.surface(note.text))][one.label] += 1
        places = open_phrases(note.text, (place for one in mine for place in one.span.fragments))
        read: dict[str, list[Found]] = defaultdict(list)
        for one in beside:
            if not any(Span.of(one.start, one.end).overlaps(gold.span) for gold in mine):
                read[normal_surface(note.text[one.start : one.end])].append(one)
        for words, ones in read.items():
            places.setdefault(words, [(one.start, one.end) for one in ones])
        for words in refused:
            places.pop(words, None)
        found = may_be_missed(
            places,
            here={words: labels.most_common(1)[0] for words, labels in here.items()},
            records=records,
            refused=[],
            found=read,
        )
        if not found:
            return counts
        first = found[0]
        match = next((gold for gold in left if _is(gold, first)), None)
        is_first = counts["offered"] < SHOWN
        counts.update(offered=1, first=is_first, found=match is not None, found_first=is_first and match is not None)
        counts.update(read=first.found is not None, read_found=first.found is not None and match is not None)
        counts["near"] += any(_is_near(gold, first) for gold in hidden)
        if match is None:
            refused.append(normal_surface(note.text[first.start : first.end]))
        else:
            mine.append(match)
            left.remove(match)


def _is(gold: Labelled, one: Missed) -> bool:
    return gold.label == one.label and gold.span.fragments == ((one.start, one.end),)


def _is_near(gold: Labelled, one: Missed) -> bool:
    return gold.label == one.label and gold.span.start < one.end and one.start < gold.span.end


if __name__ == "__main__":
    main()
