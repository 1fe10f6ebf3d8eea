"""A locked test set of finished notes, a current labeler that has read them, and a candidate that has not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.builds.models import LockedGroup, LockedTestSet
from annotator.builds.selectors import digest_of
from annotator.core.evaluation import FoundSpan
from annotator.core.labeler_comparison import CANDIDATE, CURRENT, ComparedNote, Reading, compare_labelers
from annotator.core.matching import Labelled
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import create_job, run_job
from annotator.projects.models import Project
from annotator.projects.selectors import schema_for
from annotator.review.models import Decision, ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.suggestions.models import Labeler, LabelRun
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, begin_job, claim_jobs, commit_job, import_run, labeler_for
from annotator.training.comparing import run_comparison, start_comparison
from annotator.training.models import LabelerComparison
from tests.cast import NOW, make_document, make_set

# Of each note. Gold is the first two; the candidate finds both, the current labeler the first and a part of the second.
NOTE = "Assessment: no chest pain today.\nStill on metformin 500 mg, patient {}.\nPlan: return in a week."
PAIN, DRUG, PART, WRONG = Span.of(15, 25), Span.of(42, 51), Span.of(42, 45), Span.of(0, 10)
N_NOTES = 12


@dataclass(frozen=True, slots=True)
class Lab:
    project: Project
    documents: list[Document]
    candidate: Labeler
    current: Labeler


def make_labeler(project: Project, name: str, **fields: object) -> Labeler:
    spec = LabelerSpec(**({"name": name, "backend": "spacy", "model_id": name, "revision": "1"} | fields))  # type: ignore[arg-type]
    version = schema_for(project, backend=spec.backend)
    return labeler_for(project=project, schema_version=version, spec=spec, now=NOW)


def lock(project: Project, documents: Sequence[Document], lead: User) -> LockedTestSet:
    """As if a dataset had these notes' patients in its part test."""
    locked = LockedTestSet.objects.create(project=project, build_number=1, locked_by=lead, locked_at=NOW)
    digests = sorted({digest_of(project, found.patient_id, found.external_id) for found in documents})
    LockedGroup.objects.bulk_create(LockedGroup(test_set=locked, digest=digest) for digest in digests)
    return locked


def suggested(document: Document, span: Span | None, label: str, score: float = 0.8) -> NewSuggestion:
    return NewSuggestion(
        span=span,
        surface=span.surface(document.text) if span else "aspirin",
        label=label,
        attributes={},
        alignment="exact" if span else "unaligned",
        score=score,
    )


def found_by_current(document: Document) -> list[NewSuggestion]:
    """One right, one with other bounds, one false, and one that is invented."""
    return [
        suggested(document, PAIN, "Problem", 0.9),
        suggested(document, PART, "Medication", 0.6),
        suggested(document, WRONG, "Problem", 0.3),
        suggested(document, None, "Medication"),
    ]


def found_by_candidate(document: Document) -> list[NewSuggestion]:
    return [suggested(document, PAIN, "Problem", 0.9), suggested(document, DRUG, "Medication", 0.7)]


def make_lab(project: Project, *, lead: User, reader: User, n_notes: int = N_NOTES) -> Lab:
    """The notes as an import left them, locked; two notes a patient."""
    documents = [
        make_document(
            project, text=NOTE.format(number), external_id=f"note-{number:02}", patient_id=f"patient-{number // 2:02}"
        )
        for number in range(n_notes)
    ]
    for document in documents:
        make_set(
            document,
            reader,
            NewAnnotation(span=PAIN, label="Problem", attributes={}),
            NewAnnotation(span=DRUG, label="Medication", attributes={}),
        )
    lock(project, documents, lead)
    current = make_labeler(project, "Rules")
    rows = [(found.pk, [suggestion_row(new) for new in found_by_current(found)]) for found in documents]
    import_run(project=project, labeler=current, suggestions=rows, actor=None, now=NOW)
    return Lab(project, documents, make_labeler(project, "Trained"), current)


def start(lab: Lab, actor: User, *, now: datetime = NOW) -> LabelerComparison:
    return start_comparison(project=lab.project, candidate=lab.candidate, current=lab.current, actor=actor, now=now)


Finds = Callable[[Document], list[NewSuggestion]]


def now_and_then(document: Document) -> list[NewSuggestion]:
    """What the candidate finds, but for a few patients where it does worse than the current labeler."""
    if document.patient_id in ("patient-01", "patient-04"):
        places = ((Span.of(18, 25), 0.5), (Span.of(60, 67), 0.6))
        return [suggested(document, span, "Problem", score) for span, score in places]
    return found_by_candidate(document)


def read_all(
    run: LabelRun, *, now: datetime = NOW, failing: Sequence[int] = (), finds: Finds = found_by_candidate
) -> None:
    """As a worker reads; the notes `failing`, by row id, cannot be read."""
    while jobs := claim_jobs(run_id=run.pk, worker="label-1@here", now=now):
        for job in jobs:
            begin_job(job=job, now=now)
            if job.document_id in failing:
                job.__class__.objects.filter(pk=job.pk).update(status="failed", error="ValueError")
            else:
                commit_job(job=job, suggestions=finds(job.document), now=now)


def work(comparison: LabelerComparison, *, now: datetime = NOW) -> LabelerComparison:
    """What a worker of the main queue does for it."""
    run_job(job_id=comparison.job_id, work=lambda job: run_comparison(job=job, clock=lambda: now), clock=lambda: now)
    return LabelerComparison.objects.select_related("job").get(pk=comparison.pk)


def make_comparison(
    lab: Lab, actor: User, *, now: datetime = NOW, finds: Finds = found_by_candidate
) -> LabelerComparison:
    """One that is done."""
    comparison = start(lab, actor, now=now)
    assert comparison.candidate_run is not None
    read_all(comparison.candidate_run, now=now, finds=finds)
    return work(comparison, now=now)


def report_of_two() -> dict[str, Any]:
    """A report as a comparison keeps it, of two notes with one gold span, which the candidate alone found."""
    gold, found = Labelled(PAIN, "Problem"), FoundSpan(PAIN, "Problem", 0.9)
    notes = [ComparedNote(str(patient), [gold], Reading([found]), Reading([])) for patient in range(2)]
    return compare_labelers(notes, ["Problem", "Medication"], n_draws=20).to_json() | {
        "n_spans": 2,
        "n_finished": 2,
        "gold_sha256": "0" * 64,
        "schema": 1,
        "test_set": {"build": 1, "n_patients": 2},
        "seed": 0,
        "n_draws": 20,
        "scores": {side: {"calibrator": None, "n_fitted_here": 0} for side in (CANDIDATE, CURRENT)},
        "unread": {side: {"n": 0, "notes": []} for side in (CANDIDATE, CURRENT)},
        "assisted": {"n_notes": 0, "n_spans": 0, "labelers": [], "n_notes_alone": 2, "alone": None},
        "parted": {"won": 1, "lost": 0, "labels": {"Problem": {"won": 1, "lost": 0}}},
    }


def make_told(project: Project, actor: User) -> LabelerComparison:
    """A comparison that is done as `report_of_two` says, with one place; no run was needed."""
    job = create_job(kind=Job.Kind.COMPARISON, now=NOW)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.DONE)
    comparison = LabelerComparison.objects.create(
        project=project,
        number=1,
        candidate=make_labeler(project, "Candidate"),
        current=make_labeler(project, "Current"),
        job=job,
        report=report_of_two(),
        created_by=actor,
        created_at=NOW,
    )
    comparison.spans.create(
        document=project.documents.earliest("pk"),
        is_won=True,
        deed="found",
        label="Problem",
        fragments="0 5",
        around={"gold": [["0 5", "Problem"]], "candidate": [["0 5", "Problem"]], "current": []},
    )
    return comparison


def decide(document: Document, reader: User, stream: ReviewItem.Stream) -> None:
    """The reader read the note in that stream, and decided in it."""
    (item,) = ensure_note_items(document=document, n_slots=1, priority=1.0)
    ReviewItem.objects.filter(pk=item.pk).update(stream=stream, status="decided", leased_by=reader)
    Decision.objects.create(
        project=document.project,
        note_item=item,
        reviewer=reader,
        verdict=Decision.Verdict.NOTE_DONE,
        stream=stream,
        idempotency_key=document.public_id,
        asked_sha256="0" * 64,
        decided_at=NOW,
    )
