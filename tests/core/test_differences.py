from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.agreement import ALL_LABELS, note_cells
from annotator.core.differences import COSTS, Difference, DifferenceKind, differences
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.core.spans import Span

LABELS = ("Problem", "Test")


def span(start: int, end: int, label: str = "Problem", **attributes: str) -> ReadSpan:
    return ReadSpan(Span.of(start, end), label, attributes)


@pytest.mark.parametrize(
    ("a", "b", "kind", "labels", "place"),
    [
        (span(3, 13), span(3, 13, "Test"), "label", ("Problem", "Test"), (3, 13)),
        (span(3, 13), span(3, 8), "edges", ("Problem", "Problem"), (3, 13)),
        (span(3, 13), span(9, 15, "Test"), "label and edges", ("Problem", "Test"), (3, 15)),
        (span(3, 13, assertion="absent"), span(3, 13), "attributes", ("Problem", "Problem"), (3, 13)),
        (span(3, 13), None, "only one", ("Problem", ""), (3, 13)),
        (None, span(3, 13), "only one", ("", "Problem"), (3, 13)),
    ],
)
def test_what_two_readings_differ_in(
    a: ReadSpan | None, b: ReadSpan | None, kind: str, labels: tuple[str, str], place: tuple[int, int]
) -> None:
    found = differences(Reading([a] if a else []), Reading([b] if b else []))
    assert found == [Difference(DifferenceKind(kind), *labels, *place)]


def test_what_is_nearest_is_held_against_each_other() -> None:
    found = differences(Reading([span(0, 10), span(20, 24)]), Reading([span(5, 10, "Test"), span(1, 10), span(14, 21)]))
    assert [(each.kind, each.label_a, each.label_b, each.start) for each in found] == [
        ("edges", "Problem", "Problem", 0),
        ("only one", "", "Test", 5),
        ("edges", "Problem", "Problem", 14),
    ]


drawn = st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from(LABELS))
readings = st.lists(drawn.map(lambda each: span(each[0], each[0] + each[1], each[2])), max_size=6)


@given(a=readings, b=readings)
def test_costs_add_up_to_what_f1_loses(a: list[ReadSpan], b: list[ReadSpan]) -> None:
    note = ReadNote("1", "", "", {"a": Reading(a), "b": Reading(b)})
    tally = next(cell.tally for cell in note_cells(note) if cell.label == ALL_LABELS)
    found = differences(Reading(a), Reading(b))
    assert sum(COSTS[each.kind] for each in found) == tally.n_a + tally.n_b - 2 * tally.n_strict
    back = differences(Reading(b), Reading(a))
    assert sorted(each.kind for each in found) == sorted(each.kind for each in back)
