"""What changed between two versions of a text, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

CONTEXT = 2
Change = Literal["same", "added", "removed", "skipped"]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line, and what happened to it; one that is "skipped" stands for `n_lines` equal ones and has no text."""

    change: Change
    text: str = ""
    n_lines: int = 1


def line_diff(before: str, after: str) -> list[DiffLine]:
    """The lines of `after` with those of `before` that went, removed before added; of equal lines only `CONTEXT` beside
    a change.
    """
    old, new = before.splitlines(), after.splitlines()
    found: list[DiffLine] = []
    blocks = SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes()
    for number, (kind, first, last, new_first, new_last) in enumerate(blocks):
        if kind == "equal":
            found += _context(old[first:last], is_first=number == 0, is_last=number == len(blocks) - 1)
        else:
            found += [DiffLine("removed", line) for line in old[first:last]]
            found += [DiffLine("added", line) for line in new[new_first:new_last]]
    return found


def _context(lines: list[str], *, is_first: bool, is_last: bool) -> list[DiffLine]:
    """Equal lines: those at the ends that touch a change, and a count of the others."""
    head = 0 if is_first else CONTEXT
    tail = 0 if is_last else CONTEXT
    n_skipped = len(lines) - head - tail
    if n_skipped < 2:
        return [DiffLine("same", line) for line in lines]
    shown = [DiffLine("same", line) for line in lines]
    return [*shown[:head], DiffLine("skipped", n_lines=n_skipped), *shown[len(lines) - tail :]]
