from __future__ import annotations

import random

from django.template.loader import render_to_string

from annotator.core.effort import Effort, TimedNote, measure_effort
from annotator.core.matching import Labelled
from annotator.core.recall import BlindNote, Recall, measure_recall
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.quality.blind_pages import figures_context
from annotator.trust import measured_pages
from tests.cast import SCHEMA

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


def test_recall_and_time_saved_are_drawn_with_their_intervals_words_and_tables() -> None:
    recall, effort = (
        measure_recall(blind_notes(), LABELS, n_resamples=50),
        measure_effort(timed_notes(), n_resamples=50),
    )
    drawn_recall, drawn_effort = measured_pages.recall(recall), measured_pages.effort(effort)
    assert drawn_recall.plot is not None and drawn_effort.plot is not None
    assert (drawn_recall.value, drawn_recall.sure) == ("80.0%", "95% interval 80 to 80, 20 notes")
    assert drawn_effort.sure.endswith(", 15 notes without, 15 with")
    assert [row.name for row in drawn_recall.plot.rows] == ["Medication", "Problem"]
    assert 40 < float(drawn_effort.value.removesuffix("%")) < 60
    assert [row.is_quiet for row in drawn_effort.plot.rows] == [True, False]
    page = panels(recall, effort)
    assert page.count('role="img"') == 2 and page.count("In words and as a table") == 2
    assert page.count('data-part="whisker"') == 4
    assert "The labeler had 80.0 % of 100 spans" in page and "With suggestions 1,000 characters take" in page


def test_too_few_notes_give_no_figure_but_say_why() -> None:
    recall, effort = measure_recall(blind_notes()[:3], LABELS), measure_effort(timed_notes()[:4])
    assert (measured_pages.recall(recall).value, measured_pages.effort(effort).value) == ("–", "–")
    page = panels(recall, effort)
    assert 'role="img"' not in page
    assert "Not enough data: 3 blind notes were gone through, 10 are wanted." in page


def panels(recall: Recall, effort: Effort) -> str:
    """Both, as the page of trust has them."""
    context = {
        **figures_context(recall, effort, schema_from_json(SCHEMA)),
        "drawn_recall": measured_pages.recall(recall),
        "drawn_effort": measured_pages.effort(effort),
        "project": {"public_id": "a" * 16},
    }
    return render_to_string("trust/measured_panels.html", context)
