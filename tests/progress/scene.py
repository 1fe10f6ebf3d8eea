"""Notes that a labeler has read and Bob decides in, and days as they are counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from annotator.accounts.models import User
from annotator.core.estimates import sums_of
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import Act, decide
from annotator.routing.services import route_job
from annotator.suggestions.models import Labeler, LabelJob
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, TEXT, make_document

CHEST_PAIN, DIABETES, METFORMIN, PLAN = Span.of(15, 25), Span.of(27, 35), Span.of(40, 49), Span.of(70, 74)
SUGGESTED = (
    (CHEST_PAIN, "Problem", 0.9),
    (DIABETES, "Problem", 0.7),
    (METFORMIN, "Medication", 0.5),
    (PLAN, "Problem", 0.1),
)


def make_labeler(project: Project) -> Labeler:
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1")
    return labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)


def make_read_note(project: Project, name: str = "1", note_type: str = "Letter") -> Document:
    """A note with four suggestions, routed."""
    document = make_document(project, external_id=name, note_type=note_type)
    found = [
        suggestion_row(
            NewSuggestion(
                span=span, surface=span.surface(TEXT), label=label, attributes={}, alignment="exact", score=score
            )
        )
        for span, label, score in SUGGESTED
    ]
    import_run(project=project, labeler=make_labeler(project), suggestions=[(document.pk, found)], actor=None, now=NOW)
    route_job(label_job_id=LabelJob.objects.get(document=document).pk, now=NOW)
    return document


@dataclass
class Hand:
    """The note in a reviewer's hands."""

    document: Document
    reviewer: User
    now: datetime = NOW
    note_item: ReviewItem = field(init=False)
    n_keys: int = 0

    def __post_init__(self) -> None:
        self.note_item = take_note(document=self.document, reviewer=self.reviewer, now=self.now)

    def item(self, span: Span) -> ReviewItem:
        return ReviewItem.objects.get(document=self.document, suggestion__start=span.start)

    def do(self, act: Act, *, seconds: float | None = None) -> Decision:
        self.n_keys += 1
        key = f"{self.document.public_id}-{self.n_keys}"
        return decide(
            note_item=self.note_item, reviewer=self.reviewer, act=act, key=key, now=self.now, active_seconds=seconds
        )


def make_work_day(project: Project, user: User, day: date, *notes: tuple[int, int, float], **fields: object) -> None:
    """Notes of a thousand characters by (accepted, decided, seconds), all of them done; what was decided else was
    rejected.
    """
    accepts = sums_of([(accepted, decided) for accepted, decided, _ in notes])
    times = sums_of([(seconds, 1000) for *_, seconds in notes])
    WorkDay.objects.create(
        project=project, day=day, reviewer=user, n_notes=len(notes),
        n_accept=accepts.part, n_reject=accepts.whole - accepts.part,
        n_judged=accepts.n, n_accepted=accepts.part, n_decided=accepts.whole, accepted_squared=accepts.part_squared,
        accepted_decided=accepts.product, decided_squared=accepts.whole_squared,
        n_timed=times.n, seconds=times.part, chars=times.whole, seconds_squared=times.part_squared,
        seconds_chars=times.product, chars_squared=times.whole_squared, **fields,
    )  # fmt: skip


def make_label_day(
    project: Project, day: date, notes: Sequence[dict[str, int]], labeler: Labeler | None = None
) -> None:
    """The labels of each note; of a labeler, half of its suggestions were accepted and all have the score 0.5."""
    for label in ["", *sorted({label for note in notes for label in note})]:
        totals = [sum(note.values()) for note in notes]
        counts = [note.get(label, 0) if label else total for note, total in zip(notes, totals, strict=True)]
        sums = sums_of(list(zip(counts, totals, strict=True)))
        halves = sums_of([(n // 2, n) for n in counts]) if labeler else sums_of([])
        LabelDay.objects.create(
            project=project, day=day, labeler=labeler, label=label, n_notes=sums.n, n=sums.part,
            n_squared=sums.part_squared, n_all=sums.product, n_accepted=halves.part,
            accepted_squared=halves.part_squared, accepted_n=halves.product, score=0.5 * sums.part if labeler else 0,
        )  # fmt: skip


def make_worked(project: Project, user: User, today: date) -> None:
    """Eight weeks in which the user finished two notes a day: first half Problems, then mostly; none on Sundays."""
    labeler = make_labeler(project)
    for n_ago in range(56):
        day = today - timedelta(days=n_ago)
        if day.isoweekday() == 7:
            continue
        make_work_day(project, user, day, (3, 4, 60.0), (1, 2, 120.0))
        notes = [{"Problem": 8, "Medication": 2}, {"Problem": 7, "Medication": 3}]
        before = [{"Problem": 5, "Medication": 5}, {"Problem": 4, "Medication": 6}]
        make_label_day(project, day, notes if n_ago < 28 else before)
        make_label_day(project, day, notes, labeler)
    CountedProject.objects.create(project=project, day=today, counted_at=NOW)
