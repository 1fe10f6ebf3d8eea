"""A second reader of an audit cannot tell by the API that it is one, nor read what the first said; others find nothing
of the second reading.
"""

from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project
from annotator.purges.deletion import delete_notes
from annotator.review.models import ReviewItem, SecondRead
from annotator.review.seconding import ask_second
from tests.api.scene import Api, results
from tests.cast import NOW, make_document, make_user
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest
from tests.trust.scene import make_batch, make_calibrator


@pytest.fixture
def carol(project: Project) -> User:
    """May read notes and what is said in them, and has read none."""
    carol = make_user("carol")
    Membership.objects.create(project=project, user=carol, role="adjudicator")
    return carol


@pytest.fixture
def note(project: Project, schema_version: Any, bells: object, bob: User, carol: User) -> Document:
    """Bob has finished it: he rejected the first span, which somebody is to decide again."""
    document = make_document(project)
    spans = [(CHEST_PAIN, "Problem", 0.9), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.9)]
    suggest(document, spans, schema_version=schema_version)
    api = Api(bob, project=project)
    held = api.post("./review/next/").json()
    for number, item in enumerate(held["items"]):
        verdict = "reject" if item["surface"] == "chest pain" else "accept"
        body = {"key": f"first-{number}-key", "verdict": verdict, "item": item["id"]}
        assert api.post(f"./review/{held['id']}/decisions/", body).status_code == 201
    assert (
        api.post(f"./review/{held['id']}/decisions/", {"key": "first-done", "verdict": "note_done"}).status_code == 201
    )
    first = ReviewItem.objects.get(unit="span", suggestion__surface="chest pain")
    ReviewItem.objects.filter(pk=first.pk).update(stream="audit")
    assert first.suggestion is not None
    batch = make_batch(make_calibrator(first.suggestion.job.run.labeler), "Problem", second_percent=0)
    asked = ask_second(batch=batch, keys={first.suggestion.pk: 0.5}, first={first.suggestion.pk: False}, now=NOW)
    assert asked == (1, 0)
    return document


def test_it_is_taken_as_any_note_with_one_audit(note: Document, project: Project, bob: User, carol: User) -> None:
    held = Api(carol, project=project).post("./review/next/").json()
    assert [(item["surface"], item["label"], item["reason"]) for item in held["items"]] == [
        ("chest pain", "Problem", "audit")
    ]
    assert {item["surface"] for item in held["held"]} == {"Diabetes", "metformin"}
    assert held["annotations"] == [] and held["decoys"] == []
    assert "second" not in str({name: value for name, value in held.items() if name != "text"})
    assert Api(bob, project=project).post("./review/next/").status_code == 204


def test_what_the_first_said_is_not_to_be_read_until_it_is_decided(
    note: Document, project: Project, carol: User, alice: User, dana: User
) -> None:
    for reader in (carol, alice):
        assert results(Api(reader, project=project).get("./annotations/")) == []
    assert results(Api(alice, project=project).get("./decisions/")) == []
    assert len(results(Api(dana, project=project).get("./annotations/"))) == 2  # who cannot review


def test_what_the_second_says_is_their_own_alone(
    note: Document, project: Project, carol: User, dana: User, alice: User
) -> None:
    api = Api(carol, project=project)
    held = api.post("./review/next/").json()
    body = {"key": "second-key-1", "verdict": "accept", "item": held["items"][0]["id"]}
    made = api.post(f"./review/{held['id']}/decisions/", body)
    assert made.status_code == 201
    assert [row["status"] for row in results(api.get("./review/"))] == ["decided"]
    own = [row for row in results(api.get("./annotations/")) if row["annotator"] == "carol"]
    assert [(row["surface"], row["set_kind"]) for row in own] == [("chest pain", "reading")]
    for reader in (dana, alice):
        found = results(Api(reader, project=project).get("./annotations/"))
        assert {row["surface"] for row in found} == {"Diabetes", "metformin"}
    assert {row["reviewer"] for row in results(Api(alice, project=project).get("./decisions/"))} == {"bob"}


def test_a_blind_audit_is_hidden_from_its_second_reader_as_well(note: Document, project: Project, carol: User) -> None:
    Project.objects.filter(pk=project.pk).update(audits="blind")
    api = Api(carol, project=project)
    held = api.post("./review/next/").json()
    assert [(item["label"], item["score"]) for item in held["items"]] == [(None, None)]
    suggestions = results(api.get("./suggestions/"))
    assert "chest pain" not in {row["surface"] for row in suggestions}
    path = f"./review/{held['id']}/decisions/"
    item = held["items"][0]["id"]
    assert api.post(path, {"key": "blind-accept", "verdict": "accept", "item": item}).status_code == 422
    body = {"key": "blind-edit-1", "verdict": "edit", "item": item, "label": "Problem"}
    assert api.post(path, body).json()["verdict"] == "accept"


def test_an_outsider_and_who_cannot_review_get_nothing(
    note: Document, project: Project, charlie: User, dana: User
) -> None:
    item = ReviewItem.objects.get(unit="second").public_id
    assert Api(charlie, project=project).get(f"./review/{item}/").status_code == 404
    assert Api(dana, project=project).get(f"./review/{item}/").status_code == 403


def test_a_purged_note_takes_its_second_reading_along(note: Document, project: Project, carol: User) -> None:
    counts = delete_notes([note.pk])
    assert (counts["n_second_reads"], counts["n_barred"]) == (1, 1)
    assert not SecondRead.objects.exists()
