"""The settings of a project's streams, and which notes they put into the blind stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.readings import count_blind
from annotator.review.rounds import undo_round
from annotator.review.streams import Streams, StreamsRefused, set_streams, streams_of
from tests.cast import NOW, make_document, make_round
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest


@pytest.fixture
def documents(project: Project, schema_version: SchemaVersion, bells: object) -> list[Document]:
    """Ten routed notes at 0, .1, … .9 of the random order."""
    made = [make_document(project, external_id=f"{number}", blind_key=number / 10) for number in range(10)]
    for document in made:
        suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    return made


def set_percent(project: Project, lead: User, percent: int) -> int:
    streams = replace(streams_of(project), blind_percent=percent)
    return set_streams(project=project, streams=streams, actor=lead, now=NOW)


def blind_ids() -> str:
    """The external ids of the notes in the blind stream."""
    items = ReviewItem.objects.filter(unit="note", stream="blind").order_by("document__external_id", "slot")
    return "".join(items.values_list("document__external_id", flat=True))


def test_the_settings_are_kept_and_on_record(project: Project, alice: User) -> None:
    wanted = Streams(
        policy="random",
        blind_percent=10,
        watch_percent=3,
        audits="blind",
        decoy_percent=2,
        seconds="on",
        second_percent=20,
    )
    set_streams(project=project, streams=wanted, actor=alice, now=NOW)
    assert streams_of(Project.objects.get(pk=project.pk)) == wanted
    event = AuditEvent.objects.get(verb="project.streams")
    assert (event.actor, event.detail) == (
        alice,
        {
            "policy": "random",
            "blind_percent": 10,
            "watch_percent": 3,
            "audits": "blind",
            "decoy_percent": 2,
            "seconds": "on",
            "second_percent": 20,
            "n_notes": 0,
        },
    )
    set_streams(project=project, streams=wanted, actor=alice, now=NOW)
    assert AuditEvent.objects.filter(verb="project.streams").count() == 1, "nothing changed"


@pytest.mark.parametrize(
    "wrong",
    [{"policy": "best"}, {"audits": "sometimes"}, {"blind_percent": 101}, {"blind_percent": -1}, {"watch_percent": 0}],
)
def test_what_is_no_choice_is_refused(project: Project, alice: User, wrong: dict[str, Any]) -> None:
    with pytest.raises(StreamsRefused):
        set_streams(project=project, streams=replace(streams_of(project), **wrong), actor=alice, now=NOW)
    assert not AuditEvent.objects.filter(verb="project.streams").exists()


def test_the_first_in_the_random_order_are_read_blind(project: Project, alice: User, documents: object) -> None:
    assert set_percent(project, alice, 30) == 3
    assert blind_ids() == "012"
    assert set_percent(project, alice, 50) == 2
    assert set_percent(project, alice, 10) == 4
    assert blind_ids() == "0"
    assert set_percent(project, alice, 0) == 1
    assert blind_ids() == ""


def test_a_note_that_comes_later_is_in_the_stream_that_its_place_says(
    project: Project, schema_version: SchemaVersion, alice: User, bells: object
) -> None:
    set_percent(project, alice, 30)
    for name, key in (("a", 0.29), ("b", 0.3)):
        document = make_document(project, external_id=name, blind_key=key)
        suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    assert blind_ids() == "a"


def test_what_somebody_has_begun_stays_as_it_is(
    project: Project, alice: User, bob: User, documents: list[Document]
) -> None:
    take_note(document=documents[0], reviewer=bob, now=NOW)
    assert set_percent(project, alice, 20) == 1
    assert blind_ids() == "1"
    take_note(document=documents[1], reviewer=alice, now=NOW)
    assert set_percent(project, alice, 0) == 0
    assert blind_ids() == "1", "it is being read blind"


def test_a_note_of_which_one_reader_has_begun_stays_for_the_other(
    project: Project, alice: User, bob: User, documents: list[Document]
) -> None:
    ReviewItem.objects.create(project=project, document=documents[0], unit="note", slot=2, audit_key=0.0)
    take_note(document=documents[0], reviewer=bob, now=NOW)
    assert set_percent(project, alice, 10) == 0


@pytest.mark.parametrize("change", [{"status": "held"}, {"status": "certified"}, {"stream": "audit"}])
def test_a_note_that_a_test_rests_on_does_not_become_blind(
    project: Project, alice: User, documents: list[Document], change: dict[str, str]
) -> None:
    ReviewItem.objects.filter(document=documents[0], unit="span").update(**change)
    assert set_percent(project, alice, 20) == 1
    assert blind_ids() == "1"


def test_a_round_says_itself_who_reads_blind_and_gives_its_notes_back(
    project: Project, alice: User, bob: User, documents: list[Document]
) -> None:
    set_percent(project, alice, 20)
    made = make_round(project, alice, bob)
    assert blind_ids() == ""
    assert set_percent(project, alice, 40) == 0, "they are the round's"
    undo_round(round=made, actor=alice, now=NOW)
    assert blind_ids() == "0123"


def test_another_projects_notes_are_left_alone(
    project: Project, other_project: Project, alice: User, documents: list[Document]
) -> None:
    ReviewItem.objects.filter(document=documents[0]).update(project=other_project)
    assert set_percent(project, alice, 20) == 1


def test_blind_readings_are_counted_by_how_far_they_are(
    project: Project, alice: User, bob: User, documents: list[Document], django_assert_num_queries: Any
) -> None:
    set_percent(project, alice, 40)
    take_note(document=documents[0], reviewer=bob, now=NOW)
    ReviewItem.objects.filter(document=documents[1], unit="note").update(status="decided", leased_by=bob)
    with django_assert_num_queries(1):
        found = count_blind(project)
    assert (found.n_all, found.n_blind, found.n_done, found.n_waiting) == (10, 4, 1, 2)


def test_changing_the_share_costs_the_same_however_many_notes_there_are(
    project: Project, alice: User, schema_version: SchemaVersion, documents: object, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(13):
        set_percent(project, alice, 10)
    for number in range(10, 20):
        document = make_document(project, external_id=f"{number}", blind_key=number / 100)
        suggest(document, [(DIABETES, "Problem", 0.4)], schema_version=schema_version)
    with django_assert_max_num_queries(13):
        set_percent(project, alice, 90)
