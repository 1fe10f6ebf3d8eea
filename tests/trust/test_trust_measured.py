from __future__ import annotations

import random
import re

from django.template.loader import render_to_string

from annotator.core.effort import TimedNote, measure_effort
from annotator.core.matching import Labelled
from annotator.core.recall import BlindNote, measure_recall
from annotator.core.spans import Span
from annotator.trust import measured_pages

LABELS = ["Problem", "Medication"]


def blind_notes() -> list[BlindNote]:
    """Twenty notes with five spans each, of which one problem was never suggested."""
    gold = [Labelled(Span.of(10 * at, 10 * at + 5), LABELS[at % 2]) for at in range(5)]
    return [BlindNote(f"p{number}", gold, gold[1:]) for number in range(20)]


def timed_notes() -> list[TimedNote]:
    """Fifteen notes in each arm; those with suggestions take half the time."""
    rng = random.Random(0)
    return [
        TimedNote(f"p{number}", is_assisted, 2000, 10, (60 if is_assisted else 120) * rng.uniform(0.9, 1.1), 12)
        for number in range(30)
        for is_assisted in [number % 2 == 0]
    ]


def test_recall_and_time_saved_are_told_with_their_intervals_and_drawn() -> None:
    recall = measured_pages.recall(measure_recall(blind_notes(), LABELS, n_resamples=50))
    effort = measured_pages.effort(measure_effort(timed_notes(), n_resamples=50))
    assert recall.value == "80.0%" and "of what blind readers marked was suggested" in recall.said
    assert [row[:3] for row in recall.table] == [("Medication", "40", "100.0%"), ("Problem", "60", "66.7%")]
    assert recall.plot is not None and [row.name for row in recall.plot.rows] == ["Medication", "Problem"]
    saved = float(effort.value.removesuffix("%"))
    assert 40 < saved < 60 and "95% interval" in effort.said
    assert effort.plot is not None and [row.is_quiet for row in effort.plot.rows] == [True, False]
    page = render_to_string(
        "trust/measured_panels.html", {"recall": recall, "effort": effort, "project": {"public_id": "a" * 16}}
    )
    assert page.count('role="img"') == 2 and page.count("As a table") == 2
    assert len(re.findall('data-part="whisker"', page)) == 4


def test_too_few_notes_give_no_figure() -> None:
    recall = measured_pages.recall(measure_recall(blind_notes()[:3], LABELS, n_resamples=50))
    effort = measured_pages.effort(measure_effort(timed_notes()[:4], n_resamples=50))
    assert recall.value == "–" and recall.plot is None
    assert recall.caveat == "not enough data: 3 blind notes were gone through, 10 are wanted"
    assert effort.value == "–" and effort.plot is None and effort.caveat
