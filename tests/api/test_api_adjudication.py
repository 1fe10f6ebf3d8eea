"""Adjudicating over the API: from what the readers say to gold, with their names nowhere."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from annotator.accounts.models import User
from annotator.adjudication.leases import LEASE
from annotator.adjudication.models import Choice
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import reopen_set
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from annotator.review.queue import ensure_note_items, tell_read
from tests.adjudication.scene import ADAMS, BOBS, TEXT, gold_of, make_adjudication
from tests.api.scene import Api, assert_problem, results

pytestmark = pytest.mark.django_db


@pytest.fixture
def adjudication(project: Project, bob: User, adam: User) -> Adjudication:
    return make_adjudication(project, (bob, BOBS), (adam, ADAMS))


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


@pytest.fixture
def held(api: Api, adjudication: Adjudication) -> dict[str, Any]:
    """The note in Alice's hands."""
    response = api.post("./adjudications/next/")
    assert response.status_code == 200, response.content
    return response.json()


def case_at(held: dict[str, Any], words: str) -> dict[str, Any]:
    start = TEXT.index(words)
    return next(case for case in held["cases"] if case["start"] <= start < case["end"])


def choose(api: Api, held: dict[str, Any], what: str, words: str = "", **given: Any) -> Any:
    body = {"key": uuid4().hex, "what": what}
    if words:
        case = case_at(held, words)
        body |= {"case": case["key"], "digest": case["digest"]}
    return api.post(f"./adjudications/{held['id']}/choices/", body | given)


def test_the_note_comes_with_its_cases_and_letters_for_its_readers(held: dict[str, Any], bob: User, adam: User) -> None:
    assert (held["text"], held["n_cases"], held["n_settled"]) == (TEXT, 3, 0)
    assert [case["kind"] for case in held["cases"]] == ["agreed", "label", "edges", "incomplete"]
    pain, nausea, *_ = held["cases"]
    assert (pain["stands"]["what"], pain["stands"]["spans"][0]["surface"]) == ("agreed", "chest pain")
    assert nausea["stands"] is None
    assert nausea["may_take_all"]
    said = {version["readers"][0]: version["spans"][0]["label"] for version in nausea["versions"]}
    assert said == {"A": "Problem", "B": "Medication"}
    assert bob.username not in str(held)
    assert adam.username not in str(held)
    assert AuditEvent.objects.filter(verb="note.read", object_id=held["document"]).count() == 1


def test_every_way_to_settle_makes_gold(api: Api, held: dict[str, Any], adjudication: Adjudication) -> None:
    metformin = case_at(held, "metformin")
    start = TEXT.index("metformin")
    third = [{"fragments": [[start, start + 13]], "label": "Medication"}]
    fever = next(each for each in case_at(held, "fever")["versions"] if each["spans"])
    assert_problem(api.post(f"./adjudications/{held['id']}/finish/"), 422, "refused")
    for answer in (
        choose(api, held, "all", "nausea"),
        choose(api, held, "undo"),
        choose(api, held, "redo"),
        choose(api, held, "neither", "fever", reason="Not said"),
        choose(api, held, "version", "fever", version=fever["digest"], reason="It is", active_seconds=4.5),
        choose(api, held, "edit", "metformin", version=metformin["versions"][0]["digest"], spans=third),
    ):
        assert answer.status_code == 201, answer.content
    answer = api.post(f"./adjudications/{held['id']}/finish/")
    assert answer.status_code == 200
    done = answer.json()
    assert (done["status"], done["n_settled"]) == ("done", 3)
    assert case_at(done, "metformin")["stands"]["spans"][0]["surface"] == "metformin 500"
    assert case_at(done, "fever")["stands"]["reason"] == "It is"
    assert [row[:2] for row in gold_of(adjudication)] == [
        ("chest pain", "Problem"),
        ("nausea", "Medication"),
        ("nausea", "Problem"),
        ("metformin 500", "Medication"),
        ("fever", "Problem"),
    ]
    (row,) = results(api.get("./adjudications/?status=done"))
    assert (row["id"], row["n_cases"]) == (held["id"], 3)
    assert results(api.get("./adjudications/?status=open")) == []
    assert api.post("./adjudications/next/").status_code == 204
    assert api.post(f"./adjudications/{held['id']}/reopen/").json()["status"] == "open"


def test_a_choice_that_is_sent_again_is_one_choice(api: Api, held: dict[str, Any]) -> None:
    first = choose(api, held, "all", "nausea", key="once-only")
    assert choose(api, held, "all", "nausea", key="once-only").json() == first.json()
    assert Choice.objects.filter(what=Choice.What.ALL).count() == 1
    assert_problem(choose(api, held, "neither", "nausea", key="once-only", reason="No"), 422, "refused")


def test_what_cannot_be_chosen_is_a_problem_that_says_nothing_of_the_note(api: Api, held: dict[str, Any]) -> None:
    version = case_at(held, "nausea")["versions"][0]["digest"]
    nowhere = [{"fragments": [[0, 10_000]], "label": "Problem"}]
    sound = [{"fragments": [[12, 22]], "label": "Problem"}]
    unknown = [{"fragments": [[0, 10]], "label": "Zebra"}]
    for answer, status in (
        (choose(api, held, "all", "fever"), 422),
        (choose(api, held, "edit", "nausea", version=version), 422),
        (choose(api, held, "edit", "nausea", version=version, spans=nowhere), 422),
        (choose(api, held, "edit", "nausea", version=version, spans=unknown), 422),
        (choose(api, held, "edit", "nausea", version=version, value="never"), 422),
        (choose(api, held, "edit", "nausea", version=version, value="never", spans=sound), 422),
        (choose(api, held, "all", "nausea", digest="0" * 16), 409),
        (choose(api, held, "version", "nausea", version="0" * 16), 409),
        (choose(api, held, "undo"), 422),
    ):
        assert_problem(answer, status, "refused" if status == 422 else "conflict")
        assert "Zebra" not in answer.content.decode()
    for answer in (
        choose(api, held, "neither", "nausea"),
        choose(api, held, "version", "nausea"),
        choose(api, held, "all", "nausea", spans=unknown),
        choose(api, held, "undo", "nausea"),
    ):
        assert_problem(answer, 400, "invalid")
    assert not Choice.objects.exclude(what=Choice.What.AGREED).exists()


def test_one_person_has_the_note_and_may_put_it_back(
    api: Api, held: dict[str, Any], adam: User, project: Project
) -> None:
    other = Api(adam, project=project)
    address = f"./adjudications/{held['id']}/"
    Adjudication.objects.update(lease_expires_at=timezone.now() + LEASE / 2)
    assert api.post(f"{address}renew/").status_code == 204
    assert Adjudication.objects.filter(lease_expires_at__gt=timezone.now() + LEASE * 0.9).exists()
    for answer in (
        other.get(address),
        other.post(f"{address}take/"),
        other.post(f"{address}renew/"),
        other.post(f"{address}finish/"),
        choose(other, held, "all", "nausea"),
    ):
        assert_problem(answer, 409, "conflict")
    assert api.post(f"{address}put-back/").status_code == 204
    assert_problem(api.post(f"{address}renew/"), 409, "conflict")
    assert other.post(f"{address}take/").status_code == 200
    assert_problem(api.get(address), 409, "conflict")


def test_while_a_reader_is_to_come_nobody_sees_what_the_others_say(
    api: Api, held: dict[str, Any], adjudication: Adjudication, bob: User
) -> None:
    document = adjudication.document
    reopen_set(target=AnnotationSet.objects.get(document=document, annotator=bob))
    ensure_note_items(document=document, n_slots=1, priority=0)
    tell_read(document_ids=[document.pk])
    (row,) = results(api.get("./adjudications/"))
    assert row["status"] == "waiting"
    for answer in (
        api.get(f"./adjudications/{held['id']}/"),
        api.post(f"./adjudications/{held['id']}/take/"),
        api.post(f"./adjudications/{held['id']}/renew/"),
        choose(api, held, "all", "nausea"),
    ):
        assert_problem(answer, 409, "conflict")
        assert "nausea" not in answer.content.decode()
