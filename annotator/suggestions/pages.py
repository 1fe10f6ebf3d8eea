"""What the pages of runs say: states, sentences and shapes for the templates."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone

from annotator.core.chart import LineChart, Segment, line_chart, segments
from annotator.core.identifiers import FINDER
from annotator.core.wording import counted, duration_words, remaining_words, sentence
from annotator.jobs.bell import LABEL_QUEUE, MAIN_QUEUE, ROUTE_QUEUE, TRAIN_QUEUE
from annotator.jobs.selectors import WorkerHealth
from annotator.suggestions.labelers import CONSTRAINTS, IMPORTED, WAY_OUT, Current, why_not
from annotator.suggestions.models import Labeler, LabelRun
from annotator.suggestions.selectors import FailureReason, Model, RunPace, RunProgress, RunRate
from annotator.web.pills import Pill

FEWEST_STEPS = 3
Run = LabelRun.Status


@dataclass(frozen=True, slots=True)
class Lead:
    """The sentence under the title: its bold beginning, and the rest."""

    bold: str
    rest: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One line of the list of runs; `seconds` until now where the run is not finished."""

    run: LabelRun
    progress: RunProgress
    pill: Pill
    seconds: int


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One line of the table of failures; see `FailureReason`."""

    words: str
    n_documents: int
    example: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One line of the table of workers: what it works on, and how fast it was of late in the run that is shown."""

    worker: WorkerHealth
    pill: Pill
    work: str
    per_minute: str


_WORKER_PILLS = {
    "healthy": Pill("Healthy", "ok", "check"),
    "silent": Pill("No heartbeat", "bad", "x"),
    "stopped": Pill("Stopped", "", "minus"),
}

_WORK = {
    MAIN_QUEUE: "Imports, datasets",
    LABEL_QUEUE: "Pre-labelling",
    ROUTE_QUEUE: "routing",
    TRAIN_QUEUE: "Training",
}


WaitsFor = Literal["", "a worker", "its turn"]
_WAITS: dict[str, Pill] = {
    "a worker": Pill("Waiting for a worker", "warn", "clock"),
    "its turn": Pill("Waiting for its turn", "", "clock"),
}


@dataclass(frozen=True, slots=True)
class LabelerRow:
    """One line of the list of labelers; `cannot` says why it reads no note now, "" where it can."""

    labeler: Labeler
    prompt: str
    windows: str
    answers: str
    n_runs: int
    cannot: str


def labeler_row(labeler: Labeler, *, removed: Collection[Model], schema_number: int) -> LabelerRow:
    """A row of `labelers_of`; `removed` as in `why_not`, `schema_number` that of the schema that counts."""
    decoding = labeler.decoding
    template = decoding.get("template", "")
    n_passes = decoding.get("n_passes", 0)
    constraint = CONSTRAINTS.get(decoding.get("constraint", ""), "")
    return LabelerRow(
        labeler=labeler,
        prompt=f"{template} {labeler.prompt_digest[:8]}".strip(),
        windows=f"{decoding['window']:,} characters, {decoding['overlap']:,} shared" if "window" in decoding else "",
        answers=", ".join(filter(None, [constraint, counted(n_passes, "further reading") if n_passes else ""])),
        n_runs=labeler.n_runs,  # type: ignore[attr-defined]
        cannot=_why_not(labeler, removed, schema_number),
    )


def _why_not(labeler: Labeler, removed: Collection[Model], schema_number: int) -> str:
    if labeler.backend == FINDER:
        return "It looks for identifiers: the page of runs sends it"
    if labeler.backend != IMPORTED and labeler.schema_version.number != schema_number:
        return f"Has schema version {labeler.schema_version.number}; {schema_number} counts"
    if cannot := why_not(labeler, removed=removed):
        return cannot
    n_left = labeler.n_examples_left or 0  # type: ignore[attr-defined]
    if labeler.pool is not None and n_left < labeler.pool.n_examples:
        return f"Pool {labeler.pool.number} has lost examples to a purge"
    return ""


def cannot_words(current: Current) -> str:
    """Why no run can be started with the project's labeler, and the way out; "" where one can."""
    if not current.cannot:
        return ""
    return f"No run can be started with “{current.spec.name}”. {current.cannot}. {sentence(WAY_OUT)}"


def run_pill(run: LabelRun, progress: RunProgress, *, waits_for: WaitsFor = "") -> Pill:
    """The run's state; `waits_for` says why nobody reads its notes."""
    if not progress.is_finished:
        if run.status == Run.CANCELLED:
            return Pill("Stopping", "warn", "clock")
        if waits_for:
            return _WAITS[waits_for]
        return Pill("Waiting for the model", "warn", "clock") if run.trouble else Pill("Running", "accent", "dot")
    if run.status == Run.CANCELLED:
        return Pill("Cancelled", "", "minus")
    if progress.n_failed:
        return Pill(f"Done, {progress.n_failed:,} failed", "warn", "alert")
    return Pill("Done", "ok", "check")


def run_row(run: LabelRun, progress: RunProgress, *, now: datetime) -> RunRow:
    seconds = int(((run.finished_at or now) - run.created_at).total_seconds())
    return RunRow(run=run, progress=progress, pill=run_pill(run, progress), seconds=max(seconds, 0))


def run_lead(run: LabelRun, progress: RunProgress, pace: RunPace) -> Lead:
    """Where the run is, and when it will be done, as far as that is known."""
    n_done, n_total = progress.n_done, progress.n_total
    failed = f" {progress.n_failed:,} failed, none is lost." if progress.n_failed else ""
    if n_done == n_total:
        bold, verb = (f"All {counted(n_total, 'note')}", "are") if n_total > 1 else ("The note", "is")
        return Lead(bold, f" {verb} done{_took(run)}.")
    bold = f"{n_done:,} of {counted(n_total, 'note')}"
    if progress.is_finished:
        stopped = " The run was cancelled; what it found stays." if run.status == Run.CANCELLED else ""
        return Lead(bold, f" are done{_took(run)}.{failed}{stopped}")
    if run.status == Run.CANCELLED:
        n_last = counted(progress.n_running, "note that is", "notes that are")
        return Lead(bold, f" are done. The run stops after the {n_last} being read.{failed}")
    seconds = pace.seconds_left(progress.n_running + progress.n_waiting)
    left = f", {remaining_words(seconds)}" if seconds is not None else ""
    return Lead(bold, f" are done{left}.{failed}")


def run_parts(progress: RunProgress) -> tuple[Segment, ...]:
    """The bar: what is done, failed, being read, waiting and cancelled; of a finished run, what there is of them."""
    parts = [
        ("done", "Done", progress.n_done),
        ("failed", "Failed", progress.n_failed),
        ("running", "Being read", progress.n_running),
        ("waiting", "Waiting", progress.n_waiting),
    ]
    if progress.n_cancelled:
        parts.append(("cancelled", "Cancelled", progress.n_cancelled))
    if progress.is_finished:
        parts = [part for part in parts if part[2]]
    return segments(parts)


def yield_words(progress: RunProgress) -> str:
    """`41,207 suggestions, 6.1% more were not found in their notes`."""
    if not progress.n_unaligned:
        return counted(progress.n_suggestions, "suggestion")
    share = 100 * progress.n_unaligned / (progress.n_suggestions + progress.n_unaligned)
    return f"{counted(progress.n_suggestions, 'suggestion')}; {share:.1f}% of all quotes are not in their notes"


def loss_words(progress: RunProgress) -> str:
    """What the answers did not give: `3 windows were cut off, and 12 parts of answers were not readable`; "" where
    nothing is lost.
    """
    parts = []
    if progress.n_truncated:
        parts.append(f"the answers to {counted(progress.n_truncated, 'window')} were cut off")
    if progress.n_problems:
        parts.append(f"{counted(progress.n_problems, 'part')} of answers could not be read")
    return sentence(" and ".join(parts)) + " What could be read is kept." if parts else ""


def trouble_words(run: LabelRun, progress: RunProgress) -> str:
    """Why the notes wait where the model is away, and what happens; "" where it answers."""
    if not run.trouble or not progress.n_waiting:
        return ""
    return f"{sentence(run.trouble)} {_waiting(progress.n_waiting)} read as soon as the model answers; none is lost."


def waiting_words(progress: RunProgress, waits_for: WaitsFor) -> str:
    """What it means that nobody reads the run's notes, and what to do about it; "" where it waits for nothing."""
    waits = _waiting(progress.n_waiting + progress.n_running)
    if waits_for == "its turn":
        return f"The labelling workers read notes of other runs now, and runs take turns. {waits} read then."
    if waits_for:
        return f"No labelling worker is running. {waits} read when one starts: make run starts one with this server."
    return ""


def _waiting(n_notes: int) -> str:
    return "1 note waits and is" if n_notes == 1 else f"{n_notes:,} notes wait and are"


def rate_chart(rate: RunRate) -> LineChart | None:
    """The chart of the rate; None where the run is too short for a line."""
    if len(rate.values) < FEWEST_STEPS:
        return None
    pattern = "%H:%M" if rate.step >= timedelta(minutes=1) else "%H:%M:%S"
    times = [timezone.localtime(at).strftime(pattern) for at in rate.times]
    latest = counted(round(rate.values[-1]), "note")
    return line_chart(
        values=rate.values,
        times=times,
        summary=f"Notes a minute from {times[0]} to {times[-1]}: {latest} at the end, {max(rate.values):,.0f} at most.",
        unit="Notes a minute",
        last_label=f"{latest} a minute",
    )


def rate_words(rate: RunRate, *, is_finished: bool) -> str:
    """What time the chart shows."""
    span = rate.step * len(rate.values)
    if span >= timedelta(hours=1):
        return "notes a minute, last hour of the run" if is_finished else "notes a minute, last hour"
    whole = duration_words(span.total_seconds())
    return f"notes a minute, {whole} in all" if is_finished else f"notes a minute, {whole} so far"


def failure_row(failure: FailureReason) -> FailureRow:
    """The reason as a sentence; an exception is named by its class, which is all that the database keeps of it."""
    is_class = failure.error.isidentifier()
    words = f"The labeler stopped with {failure.error}" if is_class else failure.error[:1].upper() + failure.error[1:]
    return FailureRow(words=words, n_documents=failure.n_documents, example=failure.example, is_final=failure.is_final)


def worker_row(worker: WorkerHealth, per_minute: float | None = None) -> WorkerRow:
    shown = "–" if per_minute is None else f"{per_minute:,.1f}" if per_minute < 10 else f"{per_minute:,.0f}"
    work = [_WORK.get(queue, queue) for queue in worker.queues.split(",")]
    return WorkerRow(worker=worker, pill=_WORKER_PILLS[worker.state], work=", ".join(work), per_minute=shown)


def _took(run: LabelRun) -> str:
    """How long the run took, where it has come to its end."""
    if run.finished_at is None or run.status != Run.DONE:
        return ""
    return f" after {duration_words((run.finished_at - run.created_at).total_seconds())}"
