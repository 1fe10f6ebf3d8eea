"""What the pages of trainings say: states, sentences, curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotator.core.curves import CurveChart, Points, curve_chart, number_words
from annotator.core.wording import counted, duration_words, remaining_words
from annotator.jobs.models import Job
from annotator.training.models import TrainingPoint, TrainingRun
from annotator.training.options import OPTIONS
from annotator.web.pills import Pill

TABLE_ROWS = 200
_PILLS = {
    Job.Status.QUEUED: Pill("Waiting", "", "clock"),
    Job.Status.RUNNING: Pill("Training", "accent", "dot"),
    Job.Status.CANCELLING: Pill("Stopping", "warn", "clock"),
    Job.Status.DONE: Pill("Trained", "ok", "check"),
    Job.Status.FAILED: Pill("Failed", "bad", "x"),
    Job.Status.CANCELLED: Pill("Cancelled", "", "minus"),
}
_REMOVED = Pill("Weights removed", "", "trash")


@dataclass(frozen=True, slots=True)
class Lead:
    """The sentence under the title: its bold beginning, and the rest."""

    bold: str
    rest: str


def training_pill(run: TrainingRun) -> Pill:
    return _REMOVED if run.files_removed_at is not None else _PILLS[Job.Status(run.job.status)]


def training_lead(run: TrainingRun, points: Sequence[TrainingPoint]) -> Lead:
    """Where the training is, and how long it will take as far as that is known."""
    job = run.job
    step = f"step {job.n_done:,} of {job.n_total:,}"
    at = f"at {step}" if job.n_done else "before its first step"
    if run.files_removed_at is not None:
        return _removed_lead(run)
    if job.status == Job.Status.QUEUED:
        return Lead("Waits for a worker.", "")
    if job.status == Job.Status.CANCELLING:
        return Lead("Stops", f" after {step}." if job.n_done else " before its first step.")
    if job.status == Job.Status.RUNNING:
        if not job.n_done:
            return Lead("Reads the dataset", " before its first step.")
        left = _seconds_left(run, points)
        return Lead(f"{step[:1].upper()}{step[1:]}", f", {remaining_words(left)}." if left is not None else ".")
    if job.status == Job.Status.FAILED:
        return Lead("It failed", f" {at}. Resume tries it again.")
    if job.status == Job.Status.CANCELLED:
        onwards = "begins again from the start" if run.kind == TrainingRun.Kind.SPACY else "goes on from there"
        return Lead("Cancelled", f" {at}. Resume {onwards}.")
    return Lead(_learnt_words(run), f"{_best_words(points)}.")


def recipe_rows(run: TrainingRun) -> Iterator[tuple[str, str]]:
    """What was asked for, by name; what was not is as the command has it."""
    for option in OPTIONS[run.kind]:
        if option.name in run.recipe:
            value = run.recipe[option.name]
            yield option.label, f"{value:,}" if isinstance(value, int) else f"{value:g}"


def loss_chart(points: Sequence[TrainingPoint], *, n_steps: int) -> CurveChart | None:
    """The losses over the steps; None before there are two points."""
    train = [(float(point.step), point.loss) for point in points if point.loss is not None]
    dev = [(float(point.step), point.dev_loss) for point in points if point.dev_loss is not None]
    found = [(name, values) for name, values in (("train", train), ("dev", dev)) if values]
    if max((len(values) for _, values in found), default=0) < 2:
        return None
    said = ", ".join(f"{name} from {number_words(v[0][1])} to {number_words(v[-1][1])}" for name, v in found)
    return _chart(found, summary=f"Loss by step: {said}.", n_steps=n_steps)


def f1_chart(points: Sequence[TrainingPoint], *, n_steps: int) -> CurveChart | None:
    """F1 on the part dev over the steps; None before there are two points."""
    dev = [(float(point.step), point.dev_f1) for point in points if point.dev_f1 is not None]
    if len(dev) < 2:
        return None
    summary = f"F1 on the part dev by step: from {dev[0][1]:.2f} to {dev[-1][1]:.2f}."
    return _chart([("dev", dev)], summary=summary, n_steps=n_steps, top=1.0)


def _chart(series: Sequence[tuple[str, Points]], *, summary: str, n_steps: int, top: float | None = None) -> CurveChart:
    last = max(n_steps, *(int(points[-1][0]) for _, points in series), 1)
    return curve_chart(series, summary=summary, last_x=last, top=top)


def _removed_lead(run: TrainingRun) -> Lead:
    when = f" on {run.files_removed_at:%-d %b %Y}"
    if run.build.files_removed_at == run.files_removed_at:
        why = ", because a purge took notes that they were learnt from"
    else:
        why = ""
    reads = " Its labeler reads no note any more; what it suggested stays." if run.labeler_id else ""
    return Lead("The weights were removed", f"{when}{why}.{reads}")


def _seconds_left(run: TrainingRun, points: Sequence[TrainingPoint]) -> float | None:
    """At the pace of this attempt, as its newest point tells it."""
    job = run.job
    if not points or not points[-1].step or not points[-1].seconds:
        return None
    return points[-1].seconds / points[-1].step * max(job.n_total - job.n_done, 0)


def _learnt_words(run: TrainingRun) -> str:
    n_rows, seconds = run.facts.get("n_rows"), run.facts.get("seconds")
    noun = "note" if run.kind == TrainingRun.Kind.SPACY else "row"
    rows = f"Learnt from {counted(n_rows, noun)}" if isinstance(n_rows, int) else "Learnt"
    return rows + (f" in {duration_words(seconds)}" if isinstance(seconds, int | float) else "")


def _best_words(points: Sequence[TrainingPoint]) -> str:
    """How good the best look at the part dev was."""
    f1 = [(point.dev_f1, point.step) for point in points if point.dev_f1 is not None]
    if f1:
        value, step = max(f1, key=lambda each: (each[0], -each[1]))
        return f". F1 on the part dev was {value:.2f} at best, at step {step:,}"
    losses = [(point.dev_loss, point.step) for point in points if point.dev_loss is not None]
    if losses:
        value, step = min(losses)
        return f". The loss on the part dev was {number_words(value)} at best, at step {step:,}"
    return ". It was not looked at with the part dev"
