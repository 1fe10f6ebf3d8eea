"""What ways to use suggestions take and give, on invented ones; and that services and arithmetic say the same."""

from __future__ import annotations

import random

import pytest

from annotator.core.certificates import Promise
from annotator.core.matching import Labelled
from annotator.core.spans import Span
from annotator.routing import freezing
from bench.effort import Setting, first_fit, gone_through, tell_labelers, tell_tests, tell_ways
from bench.effort_labelers import Corpus, Suggested, flat, folds, pieces_of
from bench.effort_policies import (
    Seeded,
    World,
    breaks,
    by_confidence,
    by_score,
    least_certain_first,
    result_of,
    trusted,
    world_of,
)
from bench.effort_services import differences, expected, run
from llm_labeler.gold import GoldNote

WORDS = [f"finding{number:02}" for number in range(20)]
TEXT = " ".join(WORDS)
PLACES = [Span.of(TEXT.index(word), TEXT.index(word) + len(word)) for word in WORDS]
PROMISE = Promise(0.8)


def invented(n_notes: int, *, seed: int = 0) -> tuple[Corpus, World]:
    """Notes of twenty suggestions; the better their scores the more often they are right. Of the wrong ones some only
    end too early, and each note has a span that was missed.
    """
    chance = random.Random(seed)
    notes, suggested = [], {}
    for number in range(n_notes):
        found, gold = [], []
        for place, span in enumerate(PLACES[:-1]):
            label = ("Problem", "Test")[place % 2]
            score = chance.random()
            if chance.random() < score**0.3:
                gold.append(Labelled(span, label))
            elif chance.random() < 0.5:
                gold.append(Labelled(Span.of(span.start, span.end - 1), label))
            found.append(Suggested(span, label, score, place % 10 != 0))
        name = f"n{number}"
        gold.append(Labelled(PLACES[-1], "Problem"))
        notes.append(GoldNote(name, TEXT, tuple(gold)))
        suggested[name] = found
    return Corpus("invented", ("Problem", "Test"), tuple(notes)), world_of(notes, suggested)


def a_world(gold: list[Labelled], found: list[Suggested]) -> World:
    return world_of([GoldNote("n", TEXT, tuple(gold))], {"n": found})


def test_what_is_wrong_becomes_the_gold_span_it_overlaps_and_no_two_the_same() -> None:
    wanted = Labelled(Span.of(0, 9), "Problem")
    world = a_world(
        [wanted, Labelled(Span.of(30, 39), "Test")],
        [Suggested(Span.of(0, 4), "Problem", 0.9, True), Suggested(Span.of(5, 9), "Test", 0.9, True)],
    )
    assert world.right == [False, False]
    assert world.becomes == [wanted, None]
    assert world.missed == [[Labelled(Span.of(30, 39), "Test")]]


def test_everything_reviewed_is_the_gold_itself() -> None:
    _, world = invented(5)
    result = result_of(world, ())
    assert result.n_decisions == len(world.found) == 95
    assert result.n_added == 5
    assert result.n_right == result.n_delivered == world.n_gold


def test_in_a_note_that_nobody_reads_nothing_is_put_right_or_added() -> None:
    world = a_world(
        [Labelled(Span.of(0, 9), "Problem"), Labelled(Span.of(30, 39), "Test")],
        [Suggested(Span.of(0, 4), "Problem", 0.9, True)],
    )
    result = result_of(world, {0})
    assert (result.n_decisions, result.n_added) == (0, 0)
    assert (result.n_delivered, result.n_right) == (1, 0)
    assert breaks(world, {0}, PROMISE)


def test_a_threshold_accepts_what_reaches_it_and_stands_in_the_note_word_for_word() -> None:
    _, world = invented(10)
    found = by_score(world, 0.9).accepted
    assert found
    assert all(world.found[place].score >= 0.9 and world.found[place].is_exact for place in found)
    by_calibrator = by_confidence(world, range(10), n_first=100, threshold=0.9)
    assert by_calibrator.calibration is not None
    assert by_calibrator.calibration.n_cases == 100
    assert by_calibrator.accepted.isdisjoint(range(100))
    assert by_confidence(world, range(10), n_first=5, threshold=0.9).accepted == frozenset()


def test_least_certain_first_leaves_the_best_scored() -> None:
    _, world = invented(30)
    result = least_certain_first(world, dict.fromkeys(range(len(world.found)), 0.0), target=0.9)
    assert 0 < len(result.accepted) < len(world.found)
    lowest = sorted(range(len(world.found)), key=lambda place: world.found[place].score)[:50]
    assert result.accepted.isdisjoint(lowest)
    assert result.calibration is not None
    confident = [
        result.calibration.confidence(label=world.found[place].label, score=world.found[place].score)
        for place in result.accepted
    ]
    assert sum(confident) / len(confident) > 0.88


def test_a_run_is_the_same_for_the_same_seed_and_says_what_it_accepts() -> None:
    _, world = invented(60)
    result = trusted(world, Seeded(world, 1), promise=PROMISE, n_first=100)
    assert result == trusted(world, Seeded(world, 1), promise=PROMISE, n_first=100)
    assert result != trusted(world, Seeded(world, 2), promise=PROMISE, n_first=100)
    last = result.tests[-1]
    assert 0 < len(result.accepted) < last.size <= result.oracle * 1.5
    assert result.n_decisions + len(result.accepted) == len(world.found)
    assert last.n_inside + last.n_wrong <= last.n_audits


def test_nothing_is_accepted_of_too_few_suggestions() -> None:
    _, world = invented(5)
    result = trusted(world, Seeded(world, 1), promise=Promise(0.95), n_first=50)
    assert (result.accepted, result.tests) == (frozenset(), ())


def test_the_tables_hold_each_way_against_each_promise() -> None:
    corpus, world = invented(40)
    promises = [Promise(0.95), PROMISE]
    found = [gone_through(Setting(corpus, "rules", world), promises, 3)]
    ways = [row.split(" | ") for row in tell_ways(found, promises).splitlines()[2:]]
    assert [row[2] for row in ways] == [
        "everything reviewed",
        "raw score 0.9",
        "confidence 0.9",
        "least certain first, 0.95",
        "least certain first, 0.8",
        "certificates, 0.95",
        "certificates, 0.8",
    ]
    assert ways[0][3:5] == ["1.000", "1.000"]
    assert {len(row) for row in ways} == {10}
    tests = [row.split(" | ") for row in tell_tests(found).splitlines()[2:]]
    assert [row[2:4] for row in tests] == [["0.95", "100"], ["0.8", "100"]]
    assert tests[1][-1].startswith("0/3 = 0.000")
    assert "| 40 | 712 | 760 |" in tell_labelers([found[0].setting])


def test_the_first_test_waits_for_a_twentieth_of_the_suggestions() -> None:
    assert [first_fit(n) for n in (300, 3_999, 4_000, 7_999, 8_000)] == [100, 100, 200, 200, 400]


@pytest.mark.db
@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize(("n_notes", "promise"), [(8, Promise(0.7)), (12, Promise(0.95))])
def test_services_and_arithmetic_say_the_same(n_notes, promise, bells, monkeypatch) -> None:
    chance = random.Random(7)
    monkeypatch.setattr(random, "SystemRandom", lambda: chance)
    monkeypatch.setattr(freezing, "_random", chance)
    monkeypatch.setattr(freezing.secrets, "randbelow", lambda below: 7)
    corpus, world = invented(n_notes)
    found = run(corpus, world, promise, n_first=50)
    result = trusted(world, found.draws, promise=promise, n_first=50)
    assert differences(expected(world, result), found.said) == []
    assert found.said["batches"]
    assert bool(found.said["accepted"]) == (promise.target == 0.7)


def test_folds_share_out_all_notes_the_same_way_in_any_order() -> None:
    corpus, _ = invented(12)
    found = folds(corpus.notes)
    assert found == folds(corpus.notes[::-1])
    assert sorted(found.values()) == sorted([0, 1, 2, 3, 4] * 2 + [0, 1])


def test_sentences_keep_their_places() -> None:
    text = "A cough. No fever at 38.5 C!\n\n  Aspirin given"
    pieces = list(pieces_of(text))
    assert [piece for _, piece in pieces] == ["A cough.", "No fever at 38.5 C!", "Aspirin given"]
    assert all(text[first : first + len(piece)] == piece for first, piece in pieces)


def test_of_overlapping_spans_the_best_scored_stay() -> None:
    spans = [
        Suggested(Span.of(a, b), "Problem", score, True) for a, b, score in ((0, 4, 0.6), (2, 8, 0.9), (9, 12, 0.5))
    ]
    assert [one.span.start for one in flat(spans)] == [2, 9]
