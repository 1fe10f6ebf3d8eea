from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from annotator.core.line_diff import DiffLine, line_diff

TEXTS = st.lists(st.sampled_from(["a", "b", "", "c d"]), max_size=12).map("\n".join)


def test_removed_lines_stand_before_added_ones_and_far_lines_are_counted():
    before = "1\n2\n3\n4\n5\nold\n6"
    assert line_diff(before, before.replace("old", "new")) == [
        DiffLine("skipped", n_lines=3),
        DiffLine("same", "4"),
        DiffLine("same", "5"),
        DiffLine("removed", "old"),
        DiffLine("added", "new"),
        DiffLine("same", "6"),
    ]


def test_a_first_version_is_all_added():
    assert line_diff("", "a\nb") == [DiffLine("added", "a"), DiffLine("added", "b")]


@given(TEXTS, TEXTS)
def test_both_versions_can_be_read_out_of_it(before: str, after: str):
    diff = line_diff(before, after)
    n_skipped = sum(line.n_lines for line in diff if line.change == "skipped")
    for version, gone in ((before, "added"), (after, "removed")):
        shown = [line.text for line in diff if line.change not in (gone, "skipped")]
        assert len(shown) + n_skipped == len(version.splitlines())
    assert (before.splitlines() == after.splitlines()) == all(line.change in ("same", "skipped") for line in diff)
