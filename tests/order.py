"""In which order the processes of pytest-xdist take the tests."""

from __future__ import annotations

import pytest


def dealt(items: list[pytest.Item], *, n_processes: int) -> list[pytest.Item]:
    """Cut into as many even shares as `--dist worksteal` hands out, each with its part of the `slow` tests before the
    others: these wait for programs and browsers while others work, and none of them is left to run alone in the end.

    The slow tests of a file stay together, since they may share a server, but for those that are one test with many
    values, marked itself.
    """
    long: dict[str, list[pytest.Item]] = {}
    others = []
    for item in items:
        if not item.get_closest_marker("slow"):
            others.append(item)
            continue
        is_apart = hasattr(item, "callspec") and any(mark.name == "slow" for mark in item.own_markers)
        long.setdefault(item.nodeid if is_apart else str(item.path), []).append(item)
    heads: list[list[pytest.Item]] = [[] for _ in range(n_processes)]
    for group in long.values():
        min(heads, key=len).extend(group)
    order: list[pytest.Item] = []
    for place, head in enumerate(heads):
        n_here = (len(items) - len(order)) // (n_processes - place)
        n_others = max(n_here - len(head), 0)
        order += head + others[:n_others]
        del others[:n_others]
    return order + others
