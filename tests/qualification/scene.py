"""Notes with a reference, a qualification that asks for them, and someone new who reads them."""

from __future__ import annotations

import secrets
from typing import Any

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.projects.models import Project
from annotator.qualification.models import Qualification
from annotator.qualification.services import NewQualification, ask_to_qualify
from annotator.review.leases import take_next
from annotator.review.models import Decision, ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.services import Add, FinishNote, decide
from tests.adjudication.scene import said
from tests.cast import NOW, make_document, make_set

RIGHT = (("chest pain", "Problem"), ("Diabetes", "Problem"), ("metformin", "Medication"))
WRONG = (("chest pain", "Problem"), ("Diabetes", "Medication"), ("twice daily", "Medication"))


def make_references(project: Project, reader: User, n: int) -> list[AnnotationSet]:
    """Notes that one person has read and that wait for nobody."""
    found = []
    for number in range(n):
        document = make_document(project, external_id=f"reference-{number}", metadata={"title": f"Visit {number}"})
        found.append(make_set(document, reader, *said(document, *RIGHT)))
        ensure_note_items(document=document, n_slots=1, priority=1.0)
    return found


def ask(project: Project, references: list[AnnotationSet], *, everyone: bool = False, **changes: Any) -> Qualification:
    """What the lead asks: one note a try, two tries, strict F1 of .8 of labels with a span."""
    asked = {
        "matching": "strict",
        "threshold": 0.8,
        "min_spans": 1,
        "n_notes": 1,
        "n_tries": 2,
        "suggestions": "hidden",
    }
    return ask_to_qualify(
        project=project,
        new=NewQualification(**asked | changes),
        references=references,
        everyone=everyone,
        actor=User.objects.get(username="alice"),
        now=NOW,
    )


def read_next(project: Project, reader: User, *spans: tuple[str, str]) -> ReviewItem:
    """Take the next note, mark these spans and submit it."""
    note_item = take_next(project=project, reviewer=reader, now=NOW)
    assert note_item is not None
    for new in said(note_item.document, *spans):
        do(note_item, reader, Add(span=new.span, label=new.label))
    do(note_item, reader, FinishNote())
    note_item.refresh_from_db()
    return note_item


def do(note_item: ReviewItem, reader: User, act: Any) -> Decision:
    return decide(note_item=note_item, reviewer=reader, act=act, key=secrets.token_hex(8), now=NOW)
