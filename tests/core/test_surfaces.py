from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.surfaces import head_word, normal_surface, similar_keys, surface_key


@pytest.mark.parametrize(
    ("surface", "normal"),
    [("Chest  Pain", "chest pain"), (" chest\npain\t", "chest pain"), ("STRASSE", "strasse"), ("Straße", "strasse")],
)
def test_case_and_white_space_make_no_difference(surface: str, normal: str) -> None:
    assert normal_surface(surface) == normal


@pytest.mark.parametrize(
    ("surface", "head"),
    [
        ("nausea", "nausea"),
        ("Chest Pain", "pain"),
        ("pain in the left knee", "pain"),
        ("metformin 500 mg", "metformin"),
        ("metformin 500mg twice daily", "metformin"),
        ("type 2 diabetes", "diabetes"),
        ("L1 compression fracture", "fracture"),
        ("x-ray", "ray"),
        ("in 2019", "in"),
        ("500 mg", "500 mg"),
        ("120/80", "120/80"),
        ("\U0001f469\u200d\u2695\ufe0f", "\U0001f469\u200d\u2695\ufe0f"),
    ],
)
def test_the_head_word_says_what_a_surface_is_about(surface: str, head: str) -> None:
    assert head_word(surface) == normal_surface(head)


def test_one_key_serves_the_same_surface_and_the_same_head_word() -> None:
    key = surface_key(project_id=1, surface="chest pain")
    assert surface_key(project_id=1, surface="Chest\nPAIN") == key
    first, last = similar_keys(key)
    assert first <= surface_key(project_id=1, surface="abdominal pain") <= last
    assert not first <= surface_key(project_id=1, surface="chest wall") <= last
    assert not first <= surface_key(project_id=2, surface="chest pain") <= last


@given(st.text(max_size=60), st.integers(min_value=1))
def test_any_surface_has_a_key_that_lies_among_its_similar_ones(surface: str, project_id: int) -> None:
    key = surface_key(project_id=project_id, surface=surface)
    first, last = similar_keys(key)
    assert len(key) == 32
    assert first <= key <= last
