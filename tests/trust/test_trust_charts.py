"""Charts whose words depend on what is drawn."""

from __future__ import annotations

from datetime import date

from annotator.core.estimates import Sums
from annotator.progress.selectors import LabelCounts
from annotator.suggestions.models import Labeler
from annotator.trust.charts import drift_plot, section_words


def names_of(*labelers: tuple[str, str]) -> list[str]:
    """What stands beside the lines of these labelers, by name and digest."""
    found = {place: Labeler(name=name, digest=digest) for place, (name, digest) in enumerate(labelers)}
    accepted = {place: Sums(14, 98, 140, 700, 1000, 1420) for place in found}
    counts = LabelCounts(Sums(), {}, {}, accepted, {})
    plot = drift_plot({0: counts, 1: counts}, found, today=date(2027, 3, 1))
    assert plot is not None
    return sorted(each.name for each in plot.series)


def test_a_labeler_stands_beside_its_line_by_name_and_versions_of_a_name_by_digest() -> None:
    assert names_of(("Dictionaries and rules", "a" * 64)) == ["Dictionaries and rules"]
    assert names_of(("Dictionaries and rules", "a" * 64), ("Dictionaries and rules", "b" * 64)) == [
        "Dictionaries an… aaaaaa",
        "Dictionaries an… bbbbbb",
    ]


def test_sections_are_called_as_notes_call_them() -> None:
    words = [section_words(key) for key in ("pmhx", "family history", "none", "other")]
    assert words == ["PMHX", "Family history", "Before any heading", "Other headings"]
