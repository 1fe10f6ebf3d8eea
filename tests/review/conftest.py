from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_next
from annotator.review.models import ReviewItem
from annotator.routing.services import route_job
from annotator.suggestions.models import LabelJob
from annotator.suggestions.recording import CandidateRow, NewSuggestion, add_candidates, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, TEXT, make_document

CHEST_PAIN, DIABETES, METFORMIN = Span.of(15, 25), Span.of(27, 35), Span.of(40, 49)


def suggest(
    document: Document,
    spans: Sequence[tuple[Span, str, float]],
    *,
    schema_version: SchemaVersion,
    labeler: str = "rules",
    backend: str = "import",
    attributes: dict[str, str] | None = None,
    candidates: Sequence[tuple[Span, str, float]] = (),
    is_routed: bool = True,
) -> LabelJob:
    """Route a finished run over one note: spans as (span, label, score), and what only its second reader found."""
    decoding = {"second": "spacy"} if candidates else {}
    found = [
        NewSuggestion(
            span=span,
            surface=span.surface(document.text),
            label=label,
            attributes=attributes or {},
            alignment="exact",
            score=score,
        )
        for span, label, score in spans
    ]
    run = import_run(
        project=document.project,
        labeler=labeler_for(
            project=document.project,
            schema_version=schema_version,
            spec=LabelerSpec(name=labeler, backend=backend, model_id=labeler, revision="1", decoding=decoding),
            now=NOW,
        ),
        suggestions=[(document.pk, [suggestion_row(new) for new in found])],
        actor=None,
        now=NOW,
    )
    job = run.jobs.get()
    add_candidates(
        job=job,
        rows=[
            CandidateRow(label, str(span), span.start, span.end, span.surface(document.text), score)
            for span, label, score in candidates
        ],
    )
    if is_routed:
        route_job(label_job_id=job.pk, now=NOW)
    return job


@dataclass
class Desk:
    """A note with three suggestions, held by Bob."""

    document: Document
    note_item: ReviewItem
    now: datetime = NOW
    n_keys: int = field(default=0)

    def item(self, span: Span) -> ReviewItem:
        """The span item of the newest run at `span`, as it is now."""
        return (
            ReviewItem.objects.select_related("suggestion")
            .filter(document=self.document, suggestion__fragments=str(span))
            .latest("pk")
        )

    def key(self) -> str:
        self.n_keys += 1
        return f"key-{self.n_keys}"


@pytest.fixture
def desk(project: Project, bob: User, schema_version: SchemaVersion, bells: object) -> Desk:
    document = make_document(project, text=TEXT)
    suggest(
        document,
        [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.7)],
        schema_version=schema_version,
    )
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    return Desk(document=document, note_item=note_item)
