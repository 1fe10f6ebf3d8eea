"""A note that two people have read: they agree on one span, and differ over label, edges, and whether there is one."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from annotator.readings.selectors import readings_of
from annotator.review.queue import tell_read
from annotator.web.ids import new_public_id
from tests.cast import make_document, make_set

TEXT = (
    "Assessment: chest pain and nausea since Monday.\n"
    "Started on metformin 500 mg twice daily. No fever.\n"
    "Plan: continue metformin."
)
_Said = tuple[str, str] | tuple[str, str, str]
BOBS: tuple[_Said, ...] = (
    ("chest pain", "Problem"),
    ("nausea", "Problem"),
    ("metformin 500 mg", "Medication"),
    ("fever", "Problem", "absent"),
)
ADAMS: tuple[_Said, ...] = (
    ("chest pain", "Problem"),
    ("nausea", "Medication"),
    ("metformin", "Medication"),
)


def said(document: Document, *spans: _Said) -> list[NewAnnotation]:
    """Spans `(quote, label)` or `(quote, label, assertion)`; the quote's first place counts."""
    found = []
    for quote, label, *more in spans:
        start = document.text.index(quote)
        attributes = {"assertion": more[0]} if more else {}
        found.append(NewAnnotation(span=Span.of(start, start + len(quote)), label=label, attributes=attributes))
    return found


def make_adjudication(
    project: Project, *readings: tuple[User, tuple[_Said, ...]], name: str = "n1", text: str = TEXT
) -> Adjudication:
    """The adjudication of a note with these readings, of which the first is drawn as A."""
    document = make_document(project, text=text, external_id=name)
    for reader, spans in readings:
        make_set(document, reader, *said(document, *spans))
    tell_read(document_ids=[document.pk])
    found = Adjudication.objects.select_related("document__project").get(document=document)
    while readings_of(found)[0].reader != readings[0][0]:
        found.public_id = new_public_id()
    found.save()
    return found


def gold_of(adjudication: Adjudication) -> list[tuple[str, str, dict[str, str]]]:
    """What gold says: (surface, label, attributes), in the order of the text."""
    target = AnnotationSet.objects.get(document=adjudication.document, kind="gold")
    rows = target.annotations.filter(status="live").order_by("start", "-end", "label")
    return [(row.surface, row.label, row.attributes) for row in rows]
