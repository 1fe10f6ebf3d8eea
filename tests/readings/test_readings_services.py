from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import submit_set
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from annotator.readings.selectors import readings_of
from annotator.readings.services import notes_read
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items, fill_slots
from annotator.review.services import FinishNote, Undo, decide
from tests.cast import NOW, make_document, make_set

pytestmark = pytest.mark.django_db
migration = importlib.import_module("annotator.migrations.0015_gold")


def read(document: Document, reader: User) -> ReviewItem:
    """The reader takes the note and submits it as it is."""
    item = take_note(document=document, reviewer=reader, now=NOW)
    decide(note_item=item, reviewer=reader, act=FinishNote(), key=f"{document.pk}-{reader.pk}", now=NOW)
    return item


def status_of(document: Document) -> str:
    return Adjudication.objects.get(document=document).status


def test_a_note_is_adjudicated_once_the_last_of_several_readers_has_submitted_it(
    project: Project, bob: User, adam: User, alice: User
) -> None:
    document = make_document(project)
    ensure_note_items(document=document, n_slots=3, priority=1.0)
    read(document, bob)
    assert not Adjudication.objects.exists()
    read(document, adam)
    assert status_of(document) == "waiting"
    item = read(document, alice)
    assert status_of(document) == "open"

    decide(note_item=item, reviewer=alice, act=Undo(), key="undo", now=NOW)
    assert status_of(document) == "waiting"
    decide(note_item=item, reviewer=alice, act=FinishNote(), key="again", now=NOW)
    assert status_of(document) == "open"


def test_gold_is_taken_back_when_a_reader_takes_the_note_back(project: Project, bob: User, adam: User) -> None:
    document = make_document(project)
    ensure_note_items(document=document, n_slots=2, priority=1.0)
    item = read(document, bob)
    read(document, adam)
    gold = AnnotationSet.objects.create(document=document, annotator=adam, kind="gold")
    submit_set(target=gold, now=NOW)
    Adjudication.objects.update(status="done", done_at=NOW)
    notes_read(document_ids=[document.pk], waiting=[])
    assert status_of(document) == "done"

    decide(note_item=item, reviewer=bob, act=Undo(), key="undo", now=NOW)
    gold.refresh_from_db()
    assert (status_of(document), gold.status, gold.submitted_at) == ("waiting", "open", None)


def test_imported_readings_wait_as_long_as_a_slot_does(
    project: Project, bob: User, adam: User, django_assert_num_queries: Any
) -> None:
    notes = [make_document(project, external_id=f"n{number}") for number in range(4)]
    for document in notes:
        make_set(document, bob)
        make_set(document, adam)
    ensure_note_items(document=notes[0], n_slots=3, priority=1.0)
    fill_slots(sets=AnnotationSet.objects.filter(document__project=project))
    assert [status_of(document) for document in notes] == ["waiting", "open", "open", "open"]
    ids = [document.pk for document in notes]
    # Of the adjudications nothing is written: two queries, those of the transactions, and all that is compared.
    with django_assert_num_queries(2 + 2 + 14):
        notes_read(document_ids=ids, waiting=ids[:1])


def test_readers_come_in_an_order_of_their_own_in_each_note(project: Project, bob: User, adam: User) -> None:
    document = make_document(project)
    for reader in (bob, adam):
        make_set(document, reader)
    notes_read(document_ids=[document.pk], waiting=[])
    adjudication = Adjudication.objects.get()
    firsts = []
    for number in range(40):
        adjudication.public_id = f"{number}"
        firsts.append(readings_of(adjudication)[0].reader)
        assert readings_of(adjudication)[0].reader == firsts[-1]
    assert set(firsts) == {bob, adam}


def test_notes_that_several_had_read_before_are_found_by_the_migration(project: Project, bob: User, adam: User) -> None:
    notes = [make_document(project, external_id=f"n{number}") for number in range(3)]
    for document in notes:
        make_set(document, bob)
    for document in notes[:2]:
        make_set(document, adam)
    ensure_note_items(document=notes[0], n_slots=3, priority=1.0)
    Adjudication.objects.all().delete()
    migration.find_notes_read_by_several(apps, SimpleNamespace(connection=connection))
    assert [status_of(document) for document in notes[:2]] == ["waiting", "open"]
    assert Adjudication.objects.count() == 2
