"""Recall on notes that were read blind and gone through, by the services that the pages use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command

from annotator.accounts.models import User
from annotator.core.identifiers import FINDER, LABEL, with_identifiers
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.quality.recall import blind_readings, missed_in, recall_of
from annotator.review.models import ReviewItem
from annotator.review.services import Add
from tests.cast import NOW
from tests.quality.blind_scene import DIABETES, Reading, make_notes, read_blind
from tests.review.conftest import suggest

pytestmark = pytest.mark.usefixtures("bells")


def test_a_planted_share_is_found_and_what_was_missed_is_told(project: Project, bob: User) -> None:
    documents = read_blind(project, bob, n=10)
    recall = recall_of(project, n_resamples=20)
    assert (recall.n_notes, recall.n_patients, recall.n_waiting) == (10, 5, 0)
    assert (recall.overall.n_gold, recall.overall.n_strict, recall.overall.n_overlap) == (30, 10, 20)
    by_label = {each.label: (each.strict.value, each.overlap.value) for each in recall.labels}
    assert by_label == {"Problem": (0.5, 0.5), "Medication": (0.0, 1.0)}
    missed = missed_in(blind_readings(project))
    assert {(each.document_id, each.span, each.label) for each in missed} == {
        (document.pk, DIABETES, "Problem") for document in documents
    }


def test_a_note_that_is_not_gone_through_waits(project: Project, bob: User) -> None:
    read_blind(project, bob, n=2, is_gone_through=False)
    recall = recall_of(project, n_resamples=20)
    assert (recall.n_notes, recall.n_waiting) == (0, 2)
    assert recall.caveat == "not enough data: 0 blind notes were gone through, 10 are wanted"


def test_a_note_that_is_open_again_does_not_count_until_it_is_submitted(project: Project, bob: User) -> None:
    (document,) = read_blind(project, bob, n=1)
    assert recall_of(project, n_resamples=0).n_notes == 1
    ReviewItem.objects.filter(document=document, unit="note").update(status="open")
    assert recall_of(project, n_resamples=0).n_notes == 0


def test_a_note_read_with_suggestions_says_nothing_of_recall(project: Project, bob: User) -> None:
    (document,) = make_notes(project, 1, is_blind=False)
    Reading(document, bob).read_with_suggestions()
    assert blind_readings(project).readings == ()


def test_what_was_suggested_after_the_note_was_shown_does_not_count(
    project: Project, schema_version: SchemaVersion, bob: User
) -> None:
    (document,) = read_blind(project, bob, n=1)
    before = blind_readings(project)
    job = suggest(document, [(DIABETES, "Problem", 0.9)], schema_version=schema_version, is_routed=False)
    type(job).objects.filter(pk=job.pk).update(routed_at=NOW.replace(year=NOW.year + 1))
    assert blind_readings(project) == before


def test_a_later_labeler_that_was_there_when_the_note_was_shown_counts(
    project: Project, schema_version: SchemaVersion, bob: User
) -> None:
    (document,) = make_notes(project, 1, is_blind=True)
    suggest(document, [(DIABETES, "Problem", 0.9)], schema_version=schema_version)
    reading = Reading(document, bob)
    reading.read_blind()
    reading.go_through()
    (found,) = blind_readings(project).readings
    assert [each.span for each in found.note.suggested] == [DIABETES]


def test_another_projects_notes_do_not_count(project: Project, other_project: Project, bob: User) -> None:
    read_blind(project, bob, n=1)
    assert blind_readings(other_project).readings == ()


def test_recall_costs_the_same_however_many_notes_there_are(
    project: Project, bob: User, django_assert_num_queries: Any
) -> None:
    read_blind(project, bob, n=3)
    with django_assert_num_queries(8):
        recall_of(project, n_resamples=0)


def test_the_command_tells_all_as_json_and_in_words(project: Project, bob: User, capsys: Any) -> None:
    read_blind(project, bob, n=1)
    call_command("measure_trust", project.slug, "--json", "--resamples", "20")
    data = json.loads(capsys.readouterr().out)
    assert data["recall"]["overall"]["n_gold"] == 3
    assert data["effort"]["control"]["n_notes"] == 1
    call_command("measure_trust", project.slug, "--resamples", "20")
    assert "Not enough data: 1 blind note was gone through, 10 are wanted." in capsys.readouterr().out


def test_findings_and_identifiers_count_against_the_labeler_that_is_asked_for_them(
    project: Project, schema_version: SchemaVersion, bob: User
) -> None:
    both = add_schema_version(project=project, schema=with_identifiers(schema_version.schema), actor=None, now=NOW)
    place = Span.of(50, 56)
    sought, other = make_notes(project, 2, is_blind=True)
    suggest(sought, [(place, LABEL, 0.6)], schema_version=both, labeler="finder", backend=FINDER)
    for document in (sought, other):
        reading = Reading(document, bob)
        reading.do(Add(place, LABEL))
        reading.read_blind()
        reading.go_through()
    recall = recall_of(project, n_resamples=0)
    assert {each.label: (each.n_gold, each.n_strict) for each in recall.labels}[LABEL] == (1, 1)
    assert (recall.n_notes, recall.overall.n_gold) == (2, 7)
