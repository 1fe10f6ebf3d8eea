from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import NewAnnotation, add_annotation, open_set, withdraw
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project
from annotator.review.models import ReviewItem
from annotator.review.similar import AFTER_CHARS, BEFORE_CHARS, SimilarDecision, similar_decisions
from tests.cast import NOW, make_document, make_member, make_set
from tests.review.conftest import Desk

WORDS = "abdominal pain"


def a_note(project: Project, name: str, surface: str = WORDS) -> Document:
    return make_document(project, external_id=name, text=f"Seen at home with {surface} since Monday.")


def new(document: Document, surface: str = WORDS, label: str = "Problem") -> NewAnnotation:
    start = document.text.index(surface)
    return NewAnnotation(span=Span.of(start, start + len(surface)), label=label, attributes={})


def assert_span(
    document: Document, reader: User, *, surface: str = WORDS, label: str = "Problem", days: int = 1
) -> Annotation:
    """A live annotation in an open set."""
    return add_annotation(
        target=open_set(document=document, annotator=reader),
        annotator=reader,
        text=document.text,
        schema_version=document.project.schema_versions.get(),
        new=new(document, surface, label),
        now=NOW - timedelta(days=days),
    )


def found(desk: Desk, reader: User, surface: str = WORDS, **given: Any) -> list[SimilarDecision]:
    return similar_decisions(note_item=desk.note_item, reader=reader, surface=surface, **given)


def wait_for_reader(document: Document, *, slot: int = 2) -> ReviewItem:
    return ReviewItem.objects.create(project=document.project, document=document, unit=ReviewItem.Unit.NOTE, slot=slot)


def test_own_decisions_on_the_same_words_come_newest_first_with_their_context(
    desk: Desk, project: Project, bob: User
) -> None:
    for days in (3, 1, 2):
        assert_span(a_note(project, f"n{days}", "Abdominal\nPAIN"), bob, surface="Abdominal\nPAIN", days=days)
    decisions = found(desk, bob)
    assert [decision.made_at for decision in decisions] == [NOW - timedelta(days=days) for days in (1, 2, 3)]
    first = decisions[0]
    assert (first.before, first.surface, first.after) == ("Seen at home with ", "Abdominal\nPAIN", " since Monday.")
    assert (first.label, first.is_own, first.is_same) == ("Problem", True, True)


def test_the_same_words_come_before_the_same_head_word(desk: Desk, project: Project, bob: User) -> None:
    assert_span(a_note(project, "head", "back pain"), bob, surface="back pain", days=1)
    assert_span(a_note(project, "same"), bob, days=9)
    assert_span(a_note(project, "none", "back brace"), bob, surface="back brace", days=1)
    assert [(decision.surface, decision.is_same) for decision in found(desk, bob)] == [
        (WORDS, True),
        ("back pain", False),
    ]


def test_another_label_on_the_same_words_has_a_place_among_many(desk: Desk, project: Project, bob: User) -> None:
    assert_span(a_note(project, "odd"), bob, label="Medication", days=30)
    for days in range(1, 5):
        assert_span(a_note(project, f"n{days}"), bob, days=days)
    assert [(decision.label, (NOW - decision.made_at).days) for decision in found(desk, bob)] == [
        ("Problem", 1),
        ("Problem", 2),
        ("Medication", 30),
    ]


def test_what_was_withdrawn_and_what_it_stands_beside_are_left_out(desk: Desk, project: Project, bob: User) -> None:
    gone = assert_span(a_note(project, "gone"), bob)
    withdraw(gone)
    shown = assert_span(a_note(project, "shown"), bob)
    assert found(desk, bob, leave_out=shown) == []
    assert len(found(desk, bob)) == 1


def test_only_a_window_of_the_other_note_is_read(desk: Desk, project: Project, bob: User) -> None:
    document = make_document(project, external_id="long", text="é" * 900 + f" {WORDS} " + "ü" * 900)
    assert_span(document, bob)
    (decision,) = found(desk, bob)
    assert decision.before == "é" * (BEFORE_CHARS - 1) + " "
    assert decision.after == " " + "ü" * (AFTER_CHARS - 1)


def test_what_others_submitted_is_seen_once_the_note_waits_for_no_reader(
    desk: Desk, project: Project, bob: User, adam: User
) -> None:
    document = a_note(project, "adams")
    make_set(document, adam, new(document))
    (decision,) = found(desk, bob)
    assert (decision.annotator, decision.is_own) == (adam, False)
    waiting = wait_for_reader(document)
    assert found(desk, bob) == [], "Bob may become its second reader"
    assert len(found(desk, adam)) == 1, "his own"
    ReviewItem.objects.filter(pk=waiting.pk).update(status=ReviewItem.Status.DECIDED)
    assert len(found(desk, bob)) == 1


def test_what_others_have_not_submitted_is_not_seen(desk: Desk, project: Project, bob: User, adam: User) -> None:
    assert_span(a_note(project, "adams"), adam)
    assert found(desk, bob) == []
    assert len(found(desk, adam)) == 1
    AnnotationSet.objects.filter(annotator=adam).update(status=AnnotationSet.Status.SUBMITTED)
    assert len(found(desk, bob)) == 1


def test_nothing_of_others_is_seen_of_a_note_that_one_is_reading(
    desk: Desk, project: Project, bob: User, adam: User
) -> None:
    document = a_note(project, "both")
    make_set(document, adam, new(document))
    own = open_set(document=document, annotator=bob)
    assert found(desk, bob) == []
    AnnotationSet.objects.filter(pk=own.pk).update(status=AnnotationSet.Status.SUBMITTED)
    assert len(found(desk, bob)) == 1


def test_the_reader_of_a_blind_note_sees_nothing(desk: Desk, project: Project, bob: User) -> None:
    assert_span(a_note(project, "own"), bob)
    assert len(found(desk, bob)) == 1
    desk.note_item.stream = ReviewItem.Stream.BLIND
    assert found(desk, bob) == []


def test_other_projects_are_another_world(desk: Desk, other_project: Project, charlie: User, bob: User) -> None:
    """Also for somebody who belongs to both."""
    Membership.objects.create(project=other_project, user=bob, role=Membership.Role.ANNOTATOR)
    document = a_note(other_project, "theirs")
    assert_span(document, bob)
    make_set(document, charlie, new(document))
    assert found(desk, bob) == []
    there = wait_for_reader(a_note(other_project, "there"), slot=1)
    assert [decision.is_own for decision in similar_decisions(note_item=there, reader=bob, surface=WORDS)] == [True]


def test_a_note_that_is_being_purged_is_found_no_more(
    desk: Desk, project: Project, other_project: Project, bob: User
) -> None:
    document = a_note(project, "n1")
    assert_span(document, bob)
    assert found(desk, bob)
    Document.objects.filter(pk=document.pk).update(project=other_project)  # as a purge moves it, at once
    assert found(desk, bob) == []


def test_the_text_around_what_others_marked_is_not_shown(desk: Desk, project: Project, bob: User, adam: User) -> None:
    document = a_note(project, "n1")
    make_set(document, adam, new(document))
    (decision,) = found(desk, bob)
    assert (decision.before, decision.surface, decision.after) == ("", WORDS, "")


def test_own_ones_come_before_newer_ones_of_others(desk: Desk, project: Project, bob: User, adam: User) -> None:
    document = a_note(project, "adams")
    make_set(document, adam, new(document))
    assert_span(a_note(project, "own"), bob, days=400)
    assert [decision.is_own for decision in found(desk, bob)] == [True, False]


def test_newest_ones_of_others_that_may_not_be_seen_do_not_hide_own_ones(
    desk: Desk, project: Project, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.review.similar._LOOKED_AT", 2)
    eve = make_member(project, "eve", Membership.Role.ANNOTATOR)
    for n in range(4):
        assert_span(a_note(project, f"eve-{n}"), eve, days=0)
    assert_span(a_note(project, "own"), bob, days=400)
    assert [decision.is_own for decision in found(desk, bob)] == [True]


def test_two_queries_however_many_there_are(
    desk: Desk, project: Project, bob: User, adam: User, django_assert_num_queries: Any
) -> None:
    assert desk.note_item.document.project_id == project.pk  # read once, as the page has it
    with django_assert_num_queries(1):
        assert found(desk, bob) == []
    for n in range(12):
        document = a_note(project, f"n{n}")
        make_set(document, adam, new(document))
        assert_span(document, bob)
    with django_assert_num_queries(2):
        decisions = found(desk, bob)
        assert [(decision.annotator.username, decision.label) for decision in decisions] == [("bob", "Problem")] * 3
