from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.order import dealt


def item(name: str, *, file: str = "test_a.py", is_slow: bool = False, values: int | None = None) -> Any:
    """A collected test; with `values` one of a test with many values, which is marked itself."""
    marks = [pytest.mark.slow.mark] if is_slow else []
    made = SimpleNamespace(
        nodeid=f"{file}::{name}[{values}]",
        path=Path(file),
        own_markers=marks if values is not None else [],
        get_closest_marker=lambda _: marks[0] if marks else None,
    )
    if values is not None:
        made.callspec = values
    return made


def shares(items: list[Any], n_processes: int) -> list[list[Any]]:
    """As pytest-xdist cuts them."""
    left, cut = dealt(items, n_processes=n_processes), []
    for place in range(n_processes):
        n_here = len(left) // (n_processes - place)
        cut.append(left[:n_here])
        left = left[n_here:]
    return cut


@pytest.mark.parametrize("n_processes", [1, 2, 4, 7])
@pytest.mark.parametrize("n_quick", [0, 1, 5, 40])
def test_every_test_is_taken_once(n_processes: int, n_quick: int) -> None:
    slow = [item("long", file=f"test_{number}.py", is_slow=True) for number in range(6)]
    items = slow + [item(f"quick_{number}") for number in range(n_quick)]
    order = dealt(items, n_processes=n_processes)
    assert sorted(map(id, order)) == sorted(map(id, items))


def test_each_process_begins_with_its_part_of_the_slow_ones() -> None:
    quick = [item(f"quick_{number}") for number in range(40)]
    one_test = [item("long", is_slow=True, values=number) for number in range(4)]
    for share in shares(quick + one_test, 4):
        assert [each for each in share if each in one_test] == share[:1]


def test_the_slow_ones_of_a_file_are_taken_by_one_process() -> None:
    quick = [item(f"quick_{number}") for number in range(40)]
    one_file = [item(f"long_{number}", file="test_b.py", is_slow=True) for number in range(3)]
    holders = [share for share in shares(quick + one_file, 4) if any(each in share for each in one_file)]
    assert [each for each in holders[0] if each in one_file] == holders[0][:3]
    assert len(holders) == 1


def test_the_others_keep_their_order() -> None:
    quick = [item(f"quick_{number}") for number in range(10)]
    slow = [item("long", file="test_b.py", is_slow=True)]
    assert [each for each in dealt(quick + slow, n_processes=3) if each in quick] == quick
