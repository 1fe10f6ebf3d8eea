"""Notes that a labeler has read and people have finished, with known right and wrong spans."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.models import Decision, ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.suggestions.models import Labeler
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, TEXT, make_document, make_set

# Of TEXT. The labeler finds the first, a part of the second, and one that is nothing; it invents a drug.
CHEST_PAIN, METFORMIN, PART, WRONG = Span.of(15, 25), Span.of(40, 49), Span.of(40, 43), Span.of(0, 10)
SIGNALS: dict[str, float | int | str] = {"label_logprob": -0.1, "alignment": "exact"}


def make_labeler(project: Project, name: str = "Rules") -> Labeler:
    spec = LabelerSpec(name=name, backend="spacy", model_id="m", revision="1")
    return labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)


def read(project: Project, labeler: Labeler, documents: list[Document], *found: NewSuggestion) -> None:
    """A finished run of the labeler that found the same in every note."""
    rows = [(document.pk, [suggestion_row(each) for each in found]) for document in documents]
    import_run(project=project, labeler=labeler, suggestions=rows, actor=None, now=NOW)


def suggested(span: Span | None, label: str, score: float, quote: str = "") -> NewSuggestion:
    return NewSuggestion(
        span=span,
        surface=span.surface(TEXT) if span else quote,
        label=label,
        attributes={},
        alignment="exact" if span else "unaligned",
        score=score,
        signals={**SIGNALS, "label_logprob": score},
    )


FOUND = (
    suggested(CHEST_PAIN, "Problem", 0.9),
    suggested(PART, "Medication", 0.6),
    suggested(WRONG, "Problem", 0.2),
    suggested(None, "Medication", 0.8, "aspirin"),
)


def finish(document: Document, annotator: User) -> None:
    """The note with its gold, as an import leaves it."""
    make_set(
        document,
        annotator,
        NewAnnotation(span=CHEST_PAIN, label="Problem", attributes={}),
        NewAnnotation(span=METFORMIN, label="Medication", attributes={}),
    )


def review(document: Document, reviewer: User) -> None:
    """The same note, decided in on the page."""
    finish(document, reviewer)
    (item,) = ensure_note_items(document=document, n_slots=1, priority=1.0)
    Decision.objects.create(
        project=document.project,
        note_item=item,
        reviewer=reviewer,
        verdict=Decision.Verdict.NOTE_DONE,
        stream=ReviewItem.Stream.UNCERTAIN,
        idempotency_key=document.public_id,
        asked_sha256="0" * 64,
        decided_at=NOW,
    )


def make_notes(project: Project, n: int) -> list[Document]:
    return [make_document(project, external_id=f"note-{number:03}") for number in range(n)]


def make_measured(project: Project, *, importer: User, reviewer: User, n_imported: int, n_reviewed: int) -> Labeler:
    """So many finished notes that one labeler has read."""
    documents = make_notes(project, n_imported + n_reviewed)
    labeler = make_labeler(project)
    read(project, labeler, documents, *FOUND)
    for document in documents[:n_imported]:
        finish(document, importer)
    for document in documents[n_imported:]:
        review(document, reviewer)
    return labeler
