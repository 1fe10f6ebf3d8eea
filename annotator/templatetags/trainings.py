"""How lists show trainings, wherever they stand."""

from __future__ import annotations

from django import template

from annotator.core.curves import number_words
from annotator.training.models import TrainingRun
from annotator.training.pages import training_pill

register = template.Library()
register.filter("training_pill", training_pill)


@register.filter
def steps_done(run: TrainingRun) -> str:
    """`120 of 600`; an en dash where none is known."""
    job = run.job
    return f"{job.n_done:,} of {job.n_total:,}" if job.n_total else "–"


@register.filter
def measured(value: float | None) -> str:
    """With three figures; an en dash for None."""
    return "–" if value is None else number_words(value)
