"""Reviewing over the API: the notes of the caller, and decisions, which are those of the review page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.core.schema import Schema, schema_from_json
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.review.models import Decision, ReviewItem
from tests.api.scene import Api, assert_problem, queue, results, suggest
from tests.cast import TIED_SCHEMA, make_document, make_round, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(TIED_SCHEMA)


@pytest.fixture
def document(project: Project) -> Document:
    found = make_document(project)
    suggestions = suggest(project, found, "chest pain", "Diabetes")
    queue(found, suggestions)
    return found


@pytest.fixture
def api(bob: User, project: Project) -> Api:
    return Api(bob, project=project)


@pytest.fixture
def held(api: Api, document: Document) -> dict[str, Any]:
    """The note in Bob's hands."""
    response = api.post("./review/next/")
    assert response.status_code == 200
    return response.json()


def decide(api: Api, held: dict[str, Any], verdict: str, **given: Any) -> Any:
    body = {"key": uuid4().hex, "verdict": verdict, **given}
    return api.post(f"./review/{held['id']}/decisions/", body)


def test_the_note_comes_with_what_waits_in_it(held: dict[str, Any], document: Document, bob: User) -> None:
    assert (held["document"], held["status"], held["text"]) == (document.public_id, "open", document.text)
    assert [item["surface"] for item in held["items"]] == ["chest pain", "Diabetes"]
    for item in held["items"]:
        ((start, end),) = item["fragments"]
        assert (start, end) == (item["start"], item["end"])
        assert document.text[start:end] == item["surface"]
    assert AuditEvent.objects.filter(verb="note.read", actor=bob, object_id=document.public_id).count() == 1


def test_a_reader_does_not_learn_which_items_are_audits(held: dict[str, Any]) -> None:
    assert not {"stream", "audit_key", "priority"} & set(held["items"][0])


def test_a_note_that_is_held_comes_first_again(api: Api, held: dict[str, Any]) -> None:
    assert api.post("./review/next/").json()["id"] == held["id"]
    (row,) = results(api.get("./review/"))
    assert (row["id"], row["status"]) == (held["id"], "open")
    assert results(api.get("./review/?status=decided")) == []


def test_a_note_in_other_hands_is_a_conflict(held: dict[str, Any], adam: User, project: Project) -> None:
    other = Api(adam, project=project)
    for response in (
        other.get(f"./review/{held['id']}/"),
        other.post(f"./review/{held['id']}/renew/"),
        other.post(f"./review/{held['id']}/put-back/"),
        other.post("./review/take/", {"document": held["document"]}),
        decide(other, held, "note_done"),
    ):
        assert "chest pain" not in str(assert_problem(response, 409, "conflict"))
    assert other.post("./review/next/").status_code == 204
    assert results(other.get("./review/")) == []


def test_a_note_is_renewed_and_put_back(api: Api, held: dict[str, Any]) -> None:
    soon = timezone.now() + timedelta(seconds=5)
    ReviewItem.objects.filter(public_id=held["id"]).update(lease_expires_at=soon)
    assert api.post(f"./review/{held['id']}/renew/").status_code == 204
    assert ReviewItem.objects.filter(public_id=held["id"], lease_expires_at__gt=soon).exists()
    assert api.post(f"./review/{held['id']}/put-back/").status_code == 204
    assert ReviewItem.objects.get(public_id=held["id"]).lease_expires_at is None
    assert api.get(f"./review/{held['id']}/").status_code == 409
    assert api.post("./review/take/", {"document": held["document"]}).json()["id"] == held["id"]


def test_a_label_that_the_schema_has_not_is_not_repeated(api: Api, held: dict[str, Any]) -> None:
    answer = decide(api, held, "add", fragments=[[0, 4]], label="Zebrafever in it")
    assert answer.status_code == 422
    assert "Zebrafever" not in answer.content.decode()


def test_a_note_is_reviewed_to_its_end(api: Api, held: dict[str, Any], bob: User) -> None:
    first, second = held["items"]
    made = decide(api, held, "accept", item=first["id"])
    assert made.status_code == 201
    assert made.json()["made"]["surface"] == "chest pain"
    assert_problem(decide(api, held, "note_done"), 422, "refused")
    assert decide(api, held, "edit", item=second["id"], attributes={"assertion": "possible"}).status_code == 201
    added = decide(api, held, "add", fragments=[[43, 52]], label="Medication")
    assert added.json()["made"]["fragments"] == [[43, 52]]
    mine = api.get(f"./review/{held['id']}/").json()["annotations"]
    assert [each["surface"] for each in mine] == ["chest pain", "Diabetes", held["text"][43:52]]
    assert decide(api, held, "reject", annotation=added.json()["made"]["id"]).json()["withdrew"]
    assert decide(api, held, "note_done").status_code == 201
    done = AnnotationSet.objects.get()
    assert (done.annotator, done.status) == (bob, "submitted")
    live = Annotation.objects.filter(status="live").order_by("pk")
    assert [(each.surface, each.attributes["assertion"]) for each in live] == [
        ("chest pain", "present"),
        ("Diabetes", "possible"),
    ]


def test_spans_are_joined_and_the_note_is_labelled(api: Api, held: dict[str, Any]) -> None:
    head = decide(api, held, "add", fragments=[[40, 49]], label="Medication").json()["made"]["id"]
    tail = decide(api, held, "accept", item=held["items"][0]["id"]).json()["made"]["id"]
    made = decide(api, held, "relate", type="treats", head=head, tail=tail)
    assert (made.status_code, made.json()["made_relation"]["type"]) == (201, "treats")
    assert decide(api, held, "classify", document_label="smoking", value="former").json()["made_value"] == {
        "document_label": "smoking",
        "value": "former",
    }
    now = api.get(f"./review/{held['id']}/").json()
    (relation,) = now["relations"]
    assert (relation["id"], relation["head"], relation["tail"]) == (made.json()["made_relation"]["id"], head, tail)
    assert now["document_labels"] == {"smoking": "former"}
    assert_problem(decide(api, held, "relate", type="treats", head=tail, tail=head), 422, "refused")
    assert_problem(decide(api, held, "relate", type="treats", head=head, tail=head), 422, "refused")
    assert_problem(decide(api, held, "classify", document_label="smoking", value="often"), 422, "refused")
    assert decide(api, held, "unrelate", relation=relation["id"]).json()["withdrew_relation"]["id"] == relation["id"]
    assert_problem(decide(api, held, "unrelate", relation=relation["id"]), 409, "conflict")
    assert_problem(decide(api, held, "relate", type="treats", head=head, tail="a" * 16), 409, "conflict")
    assert decide(api, held, "classify", document_label="smoking", value="").json()["made_value"] is None


def test_a_repeat_is_answered_with_the_first_decision(api: Api, held: dict[str, Any]) -> None:
    body = {"key": "key-of-mine", "verdict": "accept", "item": held["items"][0]["id"]}
    address = f"./review/{held['id']}/decisions/"
    first, again = api.post(address, body), api.post(address, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Decision.objects.count() == Annotation.objects.count() == 1


def test_a_key_that_comes_back_with_another_wish_is_refused(api: Api, held: dict[str, Any]) -> None:
    first, second = held["items"]
    assert decide(api, held, "accept", key="key-of-mine", item=first["id"]).status_code == 201
    assert_problem(decide(api, held, "accept", key="key-of-mine", item=second["id"]), 422, "refused")
    assert_problem(decide(api, held, "reject", key="key-of-mine", item=first["id"]), 422, "refused")


def test_an_undo_takes_the_last_decision_back(api: Api, held: dict[str, Any]) -> None:
    item = held["items"][0]["id"]
    decide(api, held, "accept", item=item)
    assert_problem(decide(api, held, "accept", item=item), 409, "conflict")
    assert decide(api, held, "undo").json()["item"] == item
    assert decide(api, held, "skip", item=item).status_code == 201
    assert [each["id"] for each in api.get(f"./review/{held['id']}/").json()["items"]][-1] == item


def test_a_redo_does_it_again_until_something_new_is_decided(api: Api, held: dict[str, Any]) -> None:
    first, second = (item["id"] for item in held["items"][:2])
    decide(api, held, "accept", item=first, active_seconds=2.5)
    decide(api, held, "undo")
    assert decide(api, held, "redo").json()["verdict"] == "accept"
    assert_problem(decide(api, held, "redo"), 422, "refused")
    decide(api, held, "undo")
    decide(api, held, "skip", item=second)
    assert_problem(decide(api, held, "redo"), 422, "refused")
    assert Decision.objects.earliest("pk").active_seconds == 2.5


def test_one_decision_goes_for_all_mentions_alike(api: Api, held: dict[str, Any]) -> None:
    item = held["items"][0]["id"]
    n_before = Decision.objects.count()
    answer = decide(api, held, "accept", item=item, alike=True)
    assert (answer.status_code, answer.json()["verdict"]) == (201, "accept")
    made = answer.json()["made"]["id"]
    assert_problem(decide(api, held, "skip", item=held["items"][1]["id"], alike=True), 400, "invalid")
    assert_problem(decide(api, held, "accept", annotation=made), 400, "invalid")
    assert_problem(decide(api, held, "accept", annotation=made, alike=True), 422, "refused")
    assert Decision.objects.count() == n_before + 1


def test_page_and_api_share_their_decisions(
    api: Api, held: dict[str, Any], bob: User, project: Project, client: Any
) -> None:
    item = held["items"][0]["id"]
    page = reverse("review:decide", args=[project.public_id, held["id"]])
    form = {"key": uuid4().hex, "target": f"i{item}", "verdict": "accept"}
    assert sign_in(client, bob).post(page, form).status_code == 303
    assert_problem(decide(api, held, "accept", item=item), 409, "conflict")
    assert decide(api, held, "undo").status_code == 201


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"verdict": "certify"}, "verdict"),
        ({"verdict": "accept"}, "body"),
        ({"verdict": "accept", "annotation": "a" * 16}, "body"),
        ({"verdict": "accept", "item": "a" * 16, "label": "Problem"}, "body"),
        ({"verdict": "reject", "item": "a" * 16, "annotation": "a" * 16}, "body"),
        ({"verdict": "edit", "item": "a" * 16}, "body"),
        ({"verdict": "add", "label": "Problem"}, "body"),
        ({"verdict": "add", "fragments": [[0, 3]]}, "body"),
        ({"verdict": "undo", "item": "a" * 16}, "body"),
        ({"verdict": "relate", "type": "treats", "head": "a" * 16}, "body"),
        ({"verdict": "unrelate", "type": "treats", "relation": "a" * 16}, "body"),
        ({"verdict": "classify", "document_label": "smoking"}, "body"),
        ({"verdict": "accept", "item": "a" * 16, "value": "never"}, "body"),
        ({"verdict": "accept", "item": "x"}, "item"),
        ({"verdict": "add", "label": "Problem", "fragments": [[3, 3]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[5, 9], [1, 3]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[-1, 3]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[0.5, 3]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[True, 3]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [7]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": []}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": "0 3"}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[0, 10**40]]}, "fragments"),
        ({"verdict": "add", "label": "Problem", "fragments": [[n * 2, n * 2 + 1] for n in range(500)]}, "fragments"),
        ({"verdict": "add", "label": "P" * 50, "fragments": [[0, 3]]}, "label"),
        ({"verdict": "add", "label": "Problem", "fragments": [[0, 3]], "attributes": {"a" * 50: "x"}}, "attributes"),
        ({"verdict": "note_done", "key": "short"}, "key"),
        ({"verdict": "note_done", "key": "k" * 65}, "key"),
        ({"verdict": "note_done", "reviewer": "alice"}, "body"),
    ],
)
def test_a_decision_of_the_wrong_shape_is_a_400(
    api: Api, held: dict[str, Any], given: dict[str, Any], where: str
) -> None:
    body = {"key": uuid4().hex, **given}
    found = assert_problem(api.post(f"./review/{held['id']}/decisions/", body), 400, "invalid")
    assert [error["where"] for error in found["errors"]] == [where]
    assert not Decision.objects.exists()


@pytest.mark.parametrize(
    "given",
    [
        {"fragments": [[0, 100_000]], "label": "Problem"},
        {"fragments": [[0, 10]], "label": "Nothing"},
        {"fragments": [[0, 10]], "label": "Problem", "attributes": {"assertion": "maybe"}},
        {"fragments": [[0, 10]], "label": "Problem", "attributes": {"severity": "high"}},
    ],
    ids=["beyond the note", "no label", "no value", "no attribute"],
)
def test_a_decision_that_the_note_does_not_allow_is_a_422(
    api: Api, held: dict[str, Any], given: dict[str, Any]
) -> None:
    assert_problem(decide(api, held, "add", **given), 422, "refused")
    assert not Decision.objects.exists()


def test_an_item_of_another_note_is_not_decided(api: Api, held: dict[str, Any], project: Project) -> None:
    other = make_document(project, external_id="note-2")
    queue(other, suggest(project, other, "metformin", label="Medication"))
    item = ReviewItem.objects.get(document=other, unit="span")
    assert_problem(decide(api, held, "accept", item=item.public_id), 409, "conflict")
    assert_problem(decide(api, held, "accept", item=held["id"]), 409, "conflict")


def test_who_left_the_project_decides_nothing(api: Api, held: dict[str, Any], project: Project, bob: User) -> None:
    project.memberships.filter(user=bob).delete()
    assert_problem(decide(api, held, "accept", item=held["items"][0]["id"]), 404, "not-found")


def test_the_held_note_costs_the_same_however_much_is_in_it(
    api: Api, held: dict[str, Any], project: Project, django_assert_max_num_queries: Any
) -> None:
    document = Document.objects.get(public_id=held["document"])
    queue(document, suggest(project, document, *document.text.replace(".", "").split()[:10], score=0.4))
    with django_assert_max_num_queries(11):
        assert len(api.get(f"./review/{held['id']}/").json()["items"]) > 5


def test_a_dismissal_goes_with_a_place_and_a_label(api: Api, held: dict[str, Any]) -> None:
    decided = decide(api, held, "dismiss", fragments=[[15, 25]], label="Problem")
    assert (decided.status_code, decided.json()["verdict"], decided.json()["made"]) == (201, "dismiss", None)
    assert_problem(decide(api, held, "dismiss", label="Problem"), 400, "invalid")
    assert_problem(decide(api, held, "dismiss", fragments=[[15, 25]], label="Mood"), 422, "refused")


def test_a_comment_is_said_and_taken_back(api: Api, held: dict[str, Any], alice: User, project: Project) -> None:
    url, item = f"./review/{held['id']}/comments/", held["items"][0]
    said = api.post(url, {"kind": "discuss", "body": "Or not?", "item": item["id"]})
    assert said.status_code == 201
    comment = said.json()
    assert (comment["kind"], comment["body"], comment["author"]) == ("discuss", "Or not?", "bob")
    assert (comment["span"]["surface"], comment["span"]["annotation"]) == ("chest pain", None)
    assert api.post(url, {"kind": "flag"}).json()["span"] is None
    made = decide(api, held, "add", fragments=[[40, 49]], label="Medication").json()["made"]
    on_own = api.post(url, {"kind": "comment", "body": "Sure.", "annotation": made["id"]}).json()
    assert on_own["span"]["annotation"] == made["id"]
    assert [each["kind"] for each in results(api.get("./comments/"))] == ["comment", "flag", "discuss"]
    assert [each["id"] for each in results(api.get("./comments/?kind=discuss"))] == [comment["id"]]
    assert api.ask("DELETE", f"{url}{comment['id']}/").status_code == 204
    assert results(api.get("./comments/?kind=discuss")) == []
    assert_problem(Api(alice, project=project).post(url, {"kind": "flag"}), 409, "conflict")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "comment", "body": " "}, 422),
        ({"kind": "flag", "item": "a" * 16}, 422),
        ({"kind": "flag", "item": "a" * 16, "annotation": "a" * 16}, 400),
        ({"kind": "praise"}, 400),
    ],
)
def test_a_comment_that_cannot_be_kept_is_refused(
    api: Api, held: dict[str, Any], body: dict[str, str], status: int
) -> None:
    assert api.post(f"./review/{held['id']}/comments/", body).status_code == status


def test_a_note_of_a_round_is_handed_back_and_taken_back(api: Api, project: Project, alice: User, bob: User) -> None:
    document = make_document(project)
    make_round(project, alice, bob)
    address = f"./review/{ReviewItem.objects.get().public_id}/"
    assert api.post(f"{address}hand-back/").status_code == 204
    assert_problem(api.post(f"{address}hand-back/"), 409, "conflict")
    assert_problem(api.post("./review/take/", {"document": document.public_id}), 409, "conflict")
    assert api.post(f"{address}take-back/").status_code == 204
    assert api.post("./review/take/", {"document": document.public_id}).status_code == 200
    assert_problem(api.post(f"{address}take-back/"), 409, "conflict")
