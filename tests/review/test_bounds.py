"""Bounds and selections that a hand sets: what they come to, and what is refused."""

from __future__ import annotations

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.review.models import Decision
from tests.cast import NOW, TEXT, body, sign_in
from tests.review.conftest import CHEST_PAIN, Desk
from tests.review.test_filters import HTMX, key, post, target, url


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW)


@pytest.fixture
def at_desk(client: Client, desk: Desk, bob: User) -> Client:
    return sign_in(client, bob)


def test_bounds_are_an_edit_of_the_span(at_desk: Client, desk: Desk) -> None:
    html = body(post(at_desk, desk, CHEST_PAIN, bounds="12:20"))
    made = Annotation.objects.get(status="live")
    assert (made.surface, made.label, made.origin_id) == (
        "no chest",
        "Problem",
        desk.item(CHEST_PAIN).suggestion_id,
    )
    assert target(html) == f"a{made.public_id}"
    again = at_desk.post(
        url(desk, "decide"), {"key": desk.key(), "target": f"a{made.public_id}", "bounds": "16:19"}, **HTMX
    )
    assert again.status_code == 200
    assert Annotation.objects.get(status="live").surface == "hes"
    assert list(Decision.objects.values_list("verdict", flat=True)) == ["edit", "edit"]


@pytest.mark.parametrize(
    "bounds",
    ["25:15", "15:15", f"15:{len(TEXT) + 1}", "14:15", "15:25", "-1:4", "15", "15:x", "15:25:30", "9999999999:1", ":"],
)
def test_bounds_that_are_no_other_span_save_nothing(at_desk: Client, desk: Desk, bounds: str) -> None:
    assert post(at_desk, desk, CHEST_PAIN, bounds=bounds).status_code == 422
    assert post(at_desk, desk, bounds="1:5").status_code == 422, "of no span"
    assert post(at_desk, desk, CHEST_PAIN, bounds="15:20", verdict="accept").status_code == 422, "two things at once"
    assert not Decision.objects.exists()
    assert not Annotation.objects.exists()


def test_a_key_that_comes_back_with_other_bounds_is_refused(at_desk: Client, desk: Desk) -> None:
    data = {"key": "once", "target": key(desk, CHEST_PAIN)}
    assert at_desk.post(url(desk, "decide"), {**data, "bounds": "15:20"}, **HTMX).status_code == 200
    assert at_desk.post(url(desk, "decide"), {**data, "bounds": "15:20"}, **HTMX).status_code == 200
    assert at_desk.post(url(desk, "decide"), {**data, "bounds": "15:19"}, **HTMX).status_code == 422
    assert Annotation.objects.get().surface == "chest"


def test_a_bound_moves_by_a_word_or_by_a_character(at_desk: Client, desk: Desk) -> None:
    assert post(at_desk, desk, CHEST_PAIN, move="end:-1:exact").status_code == 200
    made = Annotation.objects.get(status="live")
    assert made.surface == "chest pai"
    data = {"key": desk.key(), "target": f"a{made.public_id}"}
    assert at_desk.post(url(desk, "decide"), {**data, "move": "end:-1:whole"}, **HTMX).status_code == 422
    assert at_desk.post(url(desk, "decide"), {**data, "move": "end:-1"}, **HTMX).status_code == 200
    assert Annotation.objects.get(status="live").surface == "chest"


def test_an_exact_selection_is_taken_to_the_character(at_desk: Client, desk: Desk) -> None:
    place = {"start": 41, "end": 50, "exact": "true"}  # "etformin "
    html = body(at_desk.get(url(desk, "new_span"), place, **HTMX))
    assert 'name="fragments" value="41 49"' in html
    assert "Whole words" in html and "exact=false" in html
    html = body(at_desk.get(url(desk, "new_span"), {**place, "exact": "false"}, **HTMX))
    assert 'name="fragments" value="40 49"' in html
    assert "Exactly as selected" in html and "exact=true" in html
    blank = at_desk.get(url(desk, "new_span"), {"start": 14, "end": 15, "exact": "true"}, **HTMX)
    assert blank.status_code == 422
