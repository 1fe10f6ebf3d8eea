"""A small project with all that a dataset can hold: edited suggestions, attributes, a span in pieces, an emoji."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.core.chunks import SMALL_WINDOW
from annotator.core.prompting import COMPACT
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import Suggestion
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, make_document, make_set

FEVER = "Fever 🤒 since Monday.\nStiffness in the left and right knee.\nParacetamol ≥ 500 mg."


def asks_shortly(settings: Any) -> None:
    """Lets the installation's labeler ask as the small model does: the compact prompt, windows of 300."""
    name = settings.LABELER
    asked = {"template": COMPACT, "window": SMALL_WINDOW}
    settings.LABELERS = settings.LABELERS | {name: settings.LABELERS[name] | asked}


def annotate(document: Document, annotator: User, *spans: tuple[str, str], **origins: Suggestion) -> AnnotationSet:
    """A submitted set with `(quote, label)` spans; the quote's first place counts. `origins` by quote."""
    news = []
    for quote, label in spans:
        start = document.text.index(quote)
        origin = origins.get(quote)
        news.append(
            NewAnnotation(
                span=Span.of(start, start + len(quote)),
                label=label,
                attributes={},
                origin_id=origin.pk if origin else None,
            )
        )
    return submit(document, annotator, *news)


def submit(document: Document, annotator: User, *news: NewAnnotation) -> AnnotationSet:
    return make_set(document, annotator, *news, now=NOW + timedelta(hours=1))


def suggest(project: Project, document: Document, *found: tuple[str, str, float]) -> list[Suggestion]:
    """Suggestions `(quote, label, score)` of the dictionary labeler, in the order of their places."""
    labeler = labeler_for(
        project=project,
        schema_version=project.schema_versions.get(),
        spec=LabelerSpec(
            name="Dictionaries and rules",
            backend="spacy",
            model_id="marginalia-lexicon",
            revision="1",
            prompt_digest="0" * 64,
        ),
        now=NOW,
    )
    news = []
    for quote, label, score in found:
        start = document.text.index(quote)
        span = Span.of(start, start + len(quote))
        news.append(NewSuggestion(span=span, surface=quote, label=label, attributes={}, alignment="exact", score=score))
    rows = [suggestion_row(new) for new in news]
    import_run(project=project, labeler=labeler, suggestions=[(document.pk, rows)], actor=None, now=NOW)
    return list(Suggestion.objects.filter(document=document).order_by("start"))


def make_scene(project: Project, bob: User) -> None:
    """Four patients, five submitted notes, one note not submitted."""
    first = make_document(
        project, text=FEVER, external_id="a-1", patient_id="p1", note_type="ED", metadata={"ward": 3, "site": "north"}
    )
    fever, drug = suggest(project, first, ("Fever", "Problem", 0.75), ("Paracetamol", "Medication", 0.5))
    stiff, knee = first.text.index("Stiffness in the left"), first.text.index("knee")
    dose = first.text.index("Paracetamol")
    submit(
        first,
        bob,
        NewAnnotation(span=Span.of(0, 5), label="Problem", attributes={}, origin_id=fever.pk),
        NewAnnotation(
            span=Span(((stiff, stiff + 21), (knee, knee + 4))), label="Problem", attributes={"assertion": "possible"}
        ),
        NewAnnotation(
            span=Span.of(dose, first.text.index(".", dose)), label="Medication", attributes={}, origin_id=drug.pk
        ),
    )
    annotate(
        make_document(project, text="Metformin.", external_id="a-2", patient_id="p1"), bob, ("Metformin", "Medication")
    )
    annotate(
        make_document(project, text="Chest pain.", external_id="b-1", patient_id="p2"), bob, ("Chest pain", "Problem")
    )
    annotate(make_document(project, text="Nothing new.", external_id="c-1", patient_id="p3"), bob)
    annotate(make_document(project, text="Aspirin.", external_id="d-1"), bob, ("Aspirin", "Medication"))
    make_document(project, text="Not read yet.", external_id="e-1", patient_id="p4")
