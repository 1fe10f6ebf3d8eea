from __future__ import annotations

import pytest

from llm_labeler.circles import Circles

CHUNK = "Pain and pain and more pain; gait steady, V2–V4."


def item(quote: str, label: str = "Problem") -> str:
    return f'{{"text":"{quote}","label":"{label}"}}'


def n_until_it_closes(answer: str, size: int, chunk: str = CHUNK) -> int | None:
    """Characters of the answer taken when the circle is seen."""
    circles = Circles(chunk)
    for start in range(0, len(answer), size):
        if circles.closes_with(answer[start : start + size]):
            return start + size
    return None


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_an_item_that_never_ends_is_seen_however_it_comes(size: int):
    answer = "[" + ",".join([item("V2–V4")] * 200)
    seen = n_until_it_closes(answer, size)
    assert seen is not None
    assert size > 7 or seen <= len("[" + ",".join([item("V2–V4")] * 4)) + size


def test_a_circle_of_several_items_is_seen():
    answer = "[" + ",".join([item("gait"), item("V2–V4"), item("steady")] * 30)
    assert n_until_it_closes(answer, 5) is not None


def test_a_mention_may_come_as_often_as_the_chunk_has_it():
    assert n_until_it_closes("[" + ",".join([item("pain")] * 4) + "]", 3) is None
    assert n_until_it_closes("[" + ",".join([item("pain")] * 5), 3) is not None


def test_different_items_are_no_circle():
    answer = "[" + ",".join(item("pain", label) for label in "ABCDEFGHIJ") + "]"
    assert n_until_it_closes(answer, 4) is None


@pytest.mark.parametrize("piece", ['{"text":["pain","gait"],"label":"A"}', '{"text": 5}', "{]}", '{"label":"x"}', "}"])
def test_any_form_of_item_may_repeat_a_little_and_not_for_ever(piece: str):
    circles = Circles(CHUNK)
    assert not circles.closes_with(piece * 2)
    assert circles.closes_with(piece * 60)


def test_an_empty_quote_is_no_excuse():
    assert n_until_it_closes("[" + ",".join([item("")] * 60), 4) is not None
