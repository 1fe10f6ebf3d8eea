"""Identifiers that come to notes: asked about in those that are done, and counted for whoever exports."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.core.identifiers import FINDER, LABEL, with_identifiers
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.review import services
from annotator.review.decoys import free_labels
from annotator.review.identifiers import IdentifierState, identifier_state
from annotator.review.leases import take_next
from annotator.review.models import ASKED_AGAIN, LATE, REVEALED, UNSEEN, ReviewItem
from annotator.suggestions.models import LabelJob
from tests.cast import NOW, TEXT, make_document
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

PLACE = Span.of(50, 56)


@pytest.fixture
def both(project: Project, schema_version: SchemaVersion) -> SchemaVersion:
    """The next schema, with the label for identifiers."""
    schema = with_identifiers(schema_version.schema)
    return add_schema_version(project=project, schema=schema, actor=None, now=NOW)


def look(document: Document, *spans: Span, both: SchemaVersion, **options: Any) -> LabelJob:
    """A run of the identifier labeler over the note that finds these."""
    found = [(span, LABEL, 0.6) for span in spans]
    return suggest(document, found, schema_version=both, labeler="finder", backend=FINDER, **options)


def finish(desk: Desk, bob: User) -> None:
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        desk_accepts(desk, bob, span)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.FinishNote(), key=desk.key(), now=NOW)


def desk_accepts(desk: Desk, bob: User, span: Span) -> None:
    act = services.Accept(desk.item(span))
    services.decide(note_item=desk.note_item, reviewer=bob, act=act, key=desk.key(), now=NOW)


def states(document: Document) -> list[tuple[str, str]]:
    """Status and reason of the note, then of its identifiers."""
    items = ReviewItem.objects.filter(document=document)
    return [
        *items.filter(unit="note").values_list("status", "reason"),
        *items.filter(suggestion__label=LABEL).order_by("pk").values_list("status", "reason"),
    ]


def test_identifiers_leave_what_another_labeler_found_in_its_place(desk: Desk, both: SchemaVersion) -> None:
    look(desk.document, PLACE, DIABETES, both=both)
    items = ReviewItem.objects.filter(document=desk.document, unit="span")
    assert sorted(items.values_list("suggestion__label", "status")) == [
        *[(LABEL, "open")] * 2,
        ("Medication", "open"),
        *[("Problem", "open")] * 2,
    ]


def test_identifiers_are_uncertain_and_have_no_confidence(desk: Desk, both: SchemaVersion) -> None:
    look(desk.document, PLACE, both=both)
    item = desk.item(PLACE)
    assert (item.stream, item.confidence, item.reason) == ("uncertain", None, "unproven")


def test_identifiers_open_a_note_that_was_done_and_it_is_done_again_when_they_are_decided(
    desk: Desk, bob: User, both: SchemaVersion
) -> None:
    finish(desk, bob)
    look(desk.document, PLACE, both=both)
    assert states(desk.document) == [("open", ASKED_AGAIN), ("open", LATE)]
    assert AnnotationSet.objects.get(document=desk.document).status == AnnotationSet.Status.OPEN

    desk.note_item.refresh_from_db()
    desk_accepts(desk, bob, PLACE)
    assert states(desk.document)[0][0] == "decided"
    assert AnnotationSet.objects.get(document=desk.document).status == AnnotationSet.Status.SUBMITTED


def test_a_note_without_identifiers_stays_done(desk: Desk, bob: User, both: SchemaVersion) -> None:
    finish(desk, bob)
    look(desk.document, both=both)
    assert states(desk.document) == [("decided", "")]


def test_other_labelers_open_no_note_that_is_done(desk: Desk, bob: User, both: SchemaVersion) -> None:
    finish(desk, bob)
    suggest(desk.document, [(PLACE, "Problem", 0.6)], schema_version=both, labeler="others")
    assert ReviewItem.objects.get(pk=desk.note_item.pk).status == "decided"
    assert desk.item(PLACE).reason == LATE


@pytest.fixture
def blind(project: Project, bob: User, schema_version: SchemaVersion, bells: object) -> Desk:
    """A note that Bob reads without suggestions."""
    Project.objects.filter(pk=project.pk).update(blind_percent=100)
    project.refresh_from_db()
    document = make_document(project, text=TEXT)
    suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None and note_item.stream == "blind"
    return Desk(document=document, note_item=note_item)


def submit(desk: Desk, bob: User) -> None:
    desk.note_item = ReviewItem.objects.select_related("document__project").get(pk=desk.note_item.pk)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.FinishNote(), key=desk.key(), now=NOW)


def test_identifiers_of_a_blind_reading_wait_until_its_reader_goes_through_it(
    blind: Desk, bob: User, both: SchemaVersion
) -> None:
    submit(blind, bob)
    look(blind.document, PLACE, both=both)
    assert states(blind.document) == [("decided", REVEALED), ("closed", UNSEEN)]
    assert identifier_state(project=blind.document.project, documents=[blind.document.pk]) == {
        blind.document.pk: IdentifierState(is_read=True, n_open=0, n_unseen=1)
    }


def test_identifiers_open_a_blind_reading_that_was_gone_through(blind: Desk, bob: User, both: SchemaVersion) -> None:
    submit(blind, bob)
    blind.note_item.refresh_from_db()
    services.decide(note_item=blind.note_item, reviewer=bob, act=services.Undo(), key=blind.key(), now=NOW)
    blind.note_item.refresh_from_db()
    desk_accepts(blind, bob, CHEST_PAIN)
    submit(blind, bob)
    look(blind.document, PLACE, both=both)
    assert states(blind.document) == [("open", REVEALED), ("open", LATE)]
    blind.note_item.refresh_from_db()
    desk_accepts(blind, bob, PLACE)
    submit(blind, bob)
    assert states(blind.document)[0] == ("decided", REVEALED)


def test_identifier_state_tells_what_is_read_and_what_waits(
    desk: Desk, bob: User, project: Project, both: SchemaVersion, django_assert_num_queries: Any
) -> None:
    unread, unrouted = (make_document(project, external_id=name) for name in ("unread", "unrouted"))
    look(desk.document, PLACE, both=both)
    look(unrouted, PLACE, both=both, is_routed=False)
    asked = [desk.document.pk, unread.pk, unrouted.pk]
    with django_assert_num_queries(2):
        found = identifier_state(project=project, documents=asked)
    assert found == {
        desk.document.pk: IdentifierState(is_read=True, n_open=1),
        unread.pk: IdentifierState(),
        unrouted.pk: IdentifierState(),
    }
    assert not any(state.is_settled for state in found.values())
    desk_accepts(desk, bob, PLACE)
    assert identifier_state(project=project, documents=asked)[desk.document.pk].is_settled


def test_no_decoy_is_an_identifier(both: SchemaVersion) -> None:
    assert free_labels(both.schema) == {"Problem", "Medication"}
