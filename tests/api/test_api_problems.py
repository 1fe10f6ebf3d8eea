"""How the API says no to what is wrong or hostile: a problem of the right kind, never a 500, and nothing echoed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import TooManyFieldsSent
from django.test import Client, RequestFactory

from annotator.accounts.models import User
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.web.api_bodies import MAX_BODY_BYTES
from annotator.web.api_problems import problem_response, server_error
from tests.api.scene import CANARY, Api, assert_problem, results, token_of
from tests.cast import SCHEMA, make_document

pytestmark = pytest.mark.django_db

DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"null",
        b"[]",
        b'"text"',
        b'{"name": "A"',
        b"\xff\xfe{}",
        b'{"name": NaN, "schema": {}}',
        b'{"name": ' + b"9" * 5000 + b', "schema": {}}',
        b'{"name": "A\\u0000", "schema": {}}',
        b'{"name": "A\\ud800", "schema": {}}',
        b'{"name": "A", "schema": {"labels": [{"name": "L", "definition": "\\ud800"}]}}',
        b'{"name": "A", "schema": {"labels": [{"name": "L", "definition": "d", "\\u0000": 1}]}}',
        b'{"name": {"a": 1}, "schema": {}}',
        b'{"name": "A", "schema": {}, "lead": "charlie"}',
        b'{"name": "A", "schema": ' + DEEP + b"}",
        DEEP,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_no_good_is_a_400(api: Api, body: bytes) -> None:
    found = assert_problem(api.post("projects/", body), 400, "invalid")
    assert found["detail"]
    assert Project.objects.count() == 1


def test_an_error_says_where_and_does_not_quote(api: Api) -> None:
    note = f"{CANARY} and cough"
    for body in (
        {"name": "A", "formats": [note]},
        {"name": "A", "window": note},
        {"name": note, note: 1},
        {"name": [note], "shares": {"train": note}},
    ):
        found = assert_problem(api.post("./builds/", body), 400, "invalid")
        assert CANARY not in json.dumps(found), "an error quotes what was sent"
        assert found["errors"][0]["where"]
    found = api.post("./builds/", {"name": "A", "shares": {"train": 1, "dev": 2}}).json()
    assert [error["where"] for error in found["errors"]] == ["shares.test"]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "?", ""],
)
def test_another_content_type_is_a_415(api: Api, kind: str) -> None:
    body = json.dumps({"name": "A", "schema": SCHEMA}).encode()
    assert_problem(api.post("projects/", body, content_type=kind), 415, "media-type")


def test_a_content_type_may_name_its_charset(api: Api) -> None:
    body = {"name": "A", "schema": SCHEMA}
    assert api.post("projects/", body, content_type="Application/JSON; charset=utf-8").status_code == 201


def test_a_body_that_is_too_long_is_a_413(api: Api) -> None:
    body = json.dumps({"name": "A" * MAX_BODY_BYTES}).encode()
    assert_problem(api.post("projects/", body), 413, "too-large")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer mgn_",
        "Bearer mgn_" + "a" * 43,
        "Bearer " + "a" * 1_000_000,
        "Bearer mgn_" + "é" * 43,
        "Bearer \x00",
        "Basic YWxpY2U6cGFzc3dvcmQ=",
        "Token mgn_" + "a" * 43,
    ],
    ids=lambda given: repr(given[:20]),
)
def test_what_is_no_token_is_a_401(db: None, django_assert_max_num_queries: Any, authorization: str) -> None:
    with django_assert_max_num_queries(1):
        response = Client().get("/api/v1/projects/", headers={"Authorization": authorization})
    assert_problem(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_token_in_the_address_or_a_cookie_opens_nothing(alice: User) -> None:
    text = token_of(alice)
    client = Client()
    client.cookies["token"] = client.cookies["Authorization"] = f"Bearer {text}"
    assert_problem(client.get(f"/api/v1/projects/?token={text}"), 401, "unauthenticated")


def test_an_address_that_is_none_is_a_404_and_no_redirect(api: Api) -> None:
    for address in ("", "nothing", "projects", "projects/x/", "./nothing/", "%00/", "schema/../../p/", "./%FF/"):
        assert_problem(api.get(address), 404, "not-found")
        assert_problem(api.post(address), 404, "not-found")
    assert_problem(Api(None).get("nothing"), 401, "unauthenticated")


def test_a_method_that_is_not_there_is_a_405(api: Api) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        response = api.ask(method, "projects/")
        assert_problem(response, 405, "no-method")
        assert response["Allow"] == "GET, POST, HEAD"


@pytest.mark.parametrize(
    "parameter",
    [
        "document__text__startswith=Z",
        "document__project__memberships__user__password__regex=^a",
        "updated_by__active_organization__active_users__password=x",
        "ordering=created_by__password",
        "order_by=?",
        "sort=text",
        "fields=text",
        "search=Zebra",
        "format=api",
        "page=1",
        "project=1",
        "label__in=Problem",
        "label=Problem&label=Medication",
        "id=1",
        "limit=0",
        "limit=201",
        "limit=99999999999999999999999",
        "limit=x",
        "limit=",
        "cursor=",
        "cursor=x",
        "cursor=gaytemzugu3gcytd",
        "cursor=" + "a" * 1000,
        "label=%00",
        "label=" + "a" * 1000,
        "document=1",
        "document=%00",
        "document[]=" + "a" * 16,
    ],
)
@pytest.mark.parametrize("resource", ["suggestions", "annotations"])
def test_a_parameter_that_is_not_allowed_is_a_400(api: Api, project: Project, resource: str, parameter: str) -> None:
    """What CVE-2023-47117 was: filters that reach through relations, and tell by the number of rows."""
    found = assert_problem(api.get(f"./{resource}/?{parameter}"), 400, "invalid")
    assert found["errors"]


def test_every_list_refuses_a_lookup(api: Api, project: Project) -> None:
    make_document(project)
    for address in ("projects/", *(f"./{name}/" for name in LISTS)):
        assert api.get(address).status_code == 200, address
        for parameter in ("id__gt=0", "project__memberships__user__password__startswith=a", "o=pk"):
            assert_problem(api.get(f"{address}?{parameter}"), 400, "invalid")


LISTS = (
    "members",
    "documents",
    "imports",
    "runs",
    "suggestions",
    "annotations",
    "decisions",
    "review",
    "builds",
)


def test_an_operation_without_parameters_refuses_any(api: Api) -> None:
    found = assert_problem(api.get("./?fields=name"), 400, "invalid")
    assert [error["where"] for error in found["errors"]] == ["query"]
    assert_problem(api.post("./runs/?labeler=x"), 400, "invalid")


def test_an_outsider_learns_nothing_from_a_wrong_body(charlie: User, project: Project) -> None:
    api = Api(charlie, project=project)
    assert_problem(api.post("./builds/", {"nothing": 1}), 404, "not-found")
    assert_problem(api.post("./documents/", b"\xff"), 404, "not-found")


def test_a_role_that_may_not_is_told_which(bob: User, project: Project) -> None:
    found = assert_problem(Api(bob, project=project).get("./documents/"), 403, "role")
    assert "annotator" in found["detail"]


def test_too_many_fields_are_a_413() -> None:
    response = problem_response(TooManyFieldsSent("fields"), {})
    assert response is not None
    assert response.status_code == 413


def test_what_nobody_expected_is_a_500_without_a_trace(
    api: Api, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("annotator.projects.api.current_schema", fail)
    api.client.raise_request_exception = False
    response = api.get("./schema/")
    assert_problem(response, 500, "failed")
    assert CANARY not in response.content.decode()


def test_a_page_that_fails_stays_a_page() -> None:
    assert server_error(RequestFactory().get("/p/x/"))["Content-Type"].startswith("text/html")


def test_a_note_of_any_text_comes_out_as_it_came_in(api: Api, project: Project) -> None:
    text = "</script><script>alert(1)</script> 😀 \u202e {{ x }} \\u0000 \x85"
    assert api.post("./documents/", {"documents": [{"id": "n", "text": text}]}).status_code == 201
    (row,) = results(api.get("./documents/"))
    response = api.get(f"./documents/{row['id']}/")
    assert response.json()["text"] == text == Document.objects.get().text
    assert response["Content-Type"] == "application/json"
