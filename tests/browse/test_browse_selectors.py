from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.browse.selectors import (
    NoteState,
    Tally,
    count_notes,
    count_spans,
    listed_notes,
    members_of,
    n_prelabelled,
    notes_with_state,
    projects_of,
    tallies,
)
from annotator.documents.models import Document
from annotator.documents.selectors import note_types
from annotator.projects.models import Membership, Project
from annotator.review.leases import put_back
from annotator.review.models import ReviewItem
from tests.browse.scene import make_states, review
from tests.cast import NOW, make_document
from tests.review.certified import certify

pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def states(project: Project, bob: User) -> Project:
    make_states(project, bob)
    return project


def state_of(document: Document) -> str:
    return notes_with_state(document.project).get(pk=document.pk).state


def test_every_note_is_in_the_state_that_it_is_named_after(states: Project) -> None:
    found = {note.external_id: note.state for note in notes_with_state(states)}
    assert found == {
        "1-waiting": "waiting",
        "2-failed": "failed",
        "3-to-review": "to_review",
        "4-in-review": "in_review",
        "5-reviewed": "reviewed",
    }
    assert count_notes(states) == dict.fromkeys(NoteState, 1) | {NoteState.CERTIFIED: 0}


def test_a_note_that_certificates_alone_have_finished_is_not_called_reviewed(states: Project) -> None:
    document = Document.objects.get(external_id="3-to-review")
    certify(states, *ReviewItem.objects.filter(document=document, unit="span").select_related("suggestion"))
    assert state_of(document) == NoteState.CERTIFIED
    spans = count_spans(states)
    assert spans.n_certified == ReviewItem.objects.filter(status="certified").count() > 0
    assert (spans.n_decided, spans.n_all) == (2, 6)


def test_a_note_that_was_put_back_is_still_in_review(states: Project, bob: User) -> None:
    item = ReviewItem.objects.get(document__external_id="4-in-review", unit="note")
    put_back(note_item=item, reviewer=bob, now=NOW)
    assert state_of(item.document) == NoteState.IN_REVIEW


def test_a_note_that_a_second_reader_has_left_is_in_review(states: Project) -> None:
    document = Document.objects.get(external_id="5-reviewed")
    ReviewItem.objects.create(project=document.project, document=document, unit="note", slot=2)
    assert state_of(document) == NoteState.IN_REVIEW


def test_a_note_that_came_with_annotations_is_reviewed(project: Project, bob: User) -> None:
    document = make_document(project)
    review(document, bob)
    assert state_of(document) == NoteState.REVIEWED


def test_a_note_that_failed_once_and_is_tried_again_waits(states: Project) -> None:
    document = Document.objects.get(external_id="2-failed")
    document.label_jobs.update(status="queued")
    assert state_of(document) == NoteState.WAITING


def test_list_counts_open_suggestions_and_what_is_submitted(states: Project, bob: User) -> None:
    counts = {note.external_id: (note.n_open, note.n_annotations) for note in listed_notes(states)}
    assert counts == {
        "1-waiting": (0, 0),
        "2-failed": (0, 0),
        "3-to-review": (2, 0),
        "4-in-review": (2, 0),
        "5-reviewed": (0, 1),
    }


def test_a_suggestion_counts_once_for_all_its_readers(states: Project) -> None:
    item = ReviewItem.objects.filter(document__external_id="3-to-review", unit="span").first()
    assert item is not None
    ReviewItem.objects.create(project=states, document=item.document, suggestion=item.suggestion, unit="span", slot=2)
    assert listed_notes(states, note=item.document.public_id).get().n_open == 2


def test_list_filters_by_state_type_and_note(states: Project, other_project: Project) -> None:
    make_document(other_project, note_type="Type 3")

    def names(**filters: Any) -> list[str]:
        return [note.external_id for note in listed_notes(states, **filters)]

    assert names(state=NoteState.FAILED) == ["2-failed"]
    assert names(note_type="Type 3") == ["3-to-review"]
    assert names(note_type="") == []
    assert names(note=Document.objects.get(external_id="4-in-review").public_id) == ["4-in-review"]
    assert names(state=NoteState.FAILED, note_type="Type 3") == []
    assert note_types(other_project) == ["Type 3"]


def test_list_is_one_query_without_the_text(states: Project, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        notes = list(listed_notes(states))
    assert "text" in notes[0].get_deferred_fields()


def test_spans_and_notes_are_counted_for_the_project_only(states: Project, other_project: Project) -> None:
    spans = count_spans(states)
    assert (spans.n_decided, spans.n_open, spans.n_all) == (2, 4, 6)
    assert n_prelabelled(states) == 3
    assert count_spans(other_project).n_all == n_prelabelled(other_project) == 0
    assert sum(count_notes(other_project).values()) == 0


def test_projects_are_mine_with_their_counts_in_one_query(
    states: Project, bob: User, charlie: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        rows: list[Any] = list(projects_of(bob))
    assert [(row.project, row.n_documents, row.last_at) for row in rows] == [(states, 5, NOW)]
    theirs: Any = projects_of(charlie).get()
    assert theirs.n_documents == 0


def test_what_people_did_in_the_project_is_two_queries(
    states: Project, alice: User, bob: User, dana: User, charlie: User, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        found = tallies(states, [alice, bob, dana, charlie])
    assert (found[bob.pk].n_done, found[bob.pk].n_in_hand, found[bob.pk].last_at) == (1, 1, NOW)
    assert (found[alice.pk].n_done, found[alice.pk].n_in_hand, found[alice.pk].last_at) == (0, 0, NOW)
    assert found[dana.pk] == found[charlie.pk] == Tally()


def test_leads_come_first(project: Project, dana: User, bob: User, adam: User) -> None:
    assert [member.role for member in members_of(project)] == list(Membership.Role)
