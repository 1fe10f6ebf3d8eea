"""Every operation of the API, for everybody: who gets what, with which token, and nobody what is another project's.

The operations are read from the OpenAPI description: a new one fails here until it has a row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import Scope
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.token_access import _SCOPES
from tests.api.scene import CANARY, Api, assert_problem, make_objects, make_upload, token_of
from tests.cast import SCHEMA

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ROLES = ("anonymous", "outsider", "lead", "annotator", "adjudicator", "data_scientist")
Ids = Mapping[str, str]


def _nothing(ids: Ids) -> Any:
    return None


@dataclass(frozen=True)
class Row:
    """The status of the operation for ROLES, in their order; the scopes of which one is enough; what is sent."""

    statuses: str
    scopes: str
    body: Callable[[Ids], Any] = field(default=_nothing)

    def status(self, role: str) -> int:
        return int(self.statuses.split()[ROLES.index(role)])


ANY = " ".join(Scope)
_NOTE = {"id": "new-1", "text": "New note."}

# In the world below Bob holds the note, Alice adjudicates one, Dana has uploaded the import; Adam looks on.
#                          anonymous, outsider, lead, annotator, adjudicator, data scientist
OPERATIONS: dict[str, Row] = {
    "description_get": Row("401 200 200 200 200 200", ANY),
    "notices_list": Row("401 200 200 200 200 200", ANY),
    "notices_read": Row("401 404 404 204 404 404", ANY),
    "projects_list": Row("401 200 200 200 200 200", ANY),
    "projects_create": Row("401 201 201 201 201 201", "manage", lambda ids: {"name": "New", "schema": SCHEMA}),
    "projects_get": Row("401 404 200 200 200 200", ANY),
    "members_list": Row("401 404 200 200 200 200", ANY),
    "schema_get": Row("401 404 200 200 200 200", ANY),
    "documents_list": Row("401 404 200 403 200 200", "read"),
    "documents_get": Row("401 404 200 403 200 200", "read"),
    "documents_create": Row("401 404 201 403 403 201", "import", lambda ids: {"documents": [_NOTE]}),
    "imports_list": Row("401 404 200 403 403 200", "import"),
    "imports_create": Row("401 404 201 403 403 201", "import"),
    "imports_get": Row("401 404 200 403 403 200", "import"),
    "imports_preview": Row("401 404 404 403 403 200", "import"),
    "imports_start": Row("401 404 404 403 403 200", "import", lambda ids: {"spans_as": "nothing"}),
    "imports_cancel": Row("401 404 409 403 403 409", "import"),
    "imports_discard": Row("401 404 204 403 403 204", "import"),
    "runs_list": Row("401 404 200 403 200 200", "read run"),
    "runs_get": Row("401 404 200 403 200 200", "read run"),
    "runs_start": Row("401 404 201 403 403 403", "run"),
    "identifiers_look_for": Row("401 404 201 403 403 403", "run"),
    "runs_cancel": Row("401 404 200 403 403 403", "run"),
    "runs_retry": Row("401 404 200 403 403 403", "run"),
    "suggestions_list": Row("401 404 200 403 200 200", "read"),
    "annotations_list": Row("401 404 200 403 200 200", "read"),
    "relations_list": Row("401 404 200 403 200 200", "read"),
    "document_labels_list": Row("401 404 200 403 200 200", "read"),
    "decisions_list": Row("401 404 200 403 403 403", "manage read"),
    "comments_list": Row("401 404 200 200 200 200", "read review"),
    "comments_create": Row("401 404 409 201 409 403", "review", lambda ids: {"kind": "flag"}),
    "comments_withdraw": Row("401 404 404 204 404 403", "review"),
    "review_list": Row("401 404 200 200 200 403", "review"),
    "review_next": Row("401 404 204 200 204 403", "review"),
    "review_take": Row("401 404 409 200 409 403", "review", lambda ids: {"document": ids["document_id"]}),
    "review_get": Row("401 404 409 200 409 403", "review"),
    "review_renew": Row("401 404 409 204 409 403", "review"),
    "review_put_back": Row("401 404 409 204 409 403", "review"),
    "review_hand_back": Row("401 404 409 409 409 403", "review"),  # it is in no round
    "review_take_back": Row("401 404 409 409 409 403", "review"),
    "decisions_create": Row(
        "401 404 409 201 409 403",
        "review",
        lambda ids: {"key": uuid4().hex, "verdict": "add", "fragments": [[11, 14]], "label": "Problem"},
    ),
    "adjudications_list": Row("401 404 200 403 200 403", "review"),
    "adjudications_next": Row("401 404 200 403 204 403", "review"),
    "adjudications_get": Row("401 404 200 403 409 403", "review"),
    "adjudications_take": Row("401 404 200 403 409 403", "review"),
    "adjudications_renew": Row("401 404 204 403 409 403", "review"),
    "adjudications_put_back": Row("401 404 204 403 204 403", "review"),
    "adjudications_choose": Row("401 404 422 403 409 403", "review", lambda ids: {"key": uuid4().hex, "what": "undo"}),
    "adjudications_finish": Row("401 404 422 403 409 403", "review"),
    "adjudications_reopen": Row("401 404 409 403 409 403", "review"),
    "rounds_list": Row("401 404 200 403 403 403", "manage read"),
    "rounds_create": Row(
        "401 404 422 403 403 403", "manage", lambda ids: {"readers": [{"id": "a" * 16}], "n_readers": 1}
    ),
    "rounds_get": Row("401 404 200 403 403 403", "manage read"),
    "streams_get": Row("401 404 200 403 403 403", "manage read"),
    "streams_set": Row(
        "401 404 200 403 403 403",
        "manage",
        lambda ids: {
            "policy": "random",
            "blind_percent": 10,
            "watch_percent": 5,
            "audits": "shown",
            "decoy_percent": 0,
            "seconds": "on",
            "second_percent": 10,
        },
    ),
    "agreement_get": Row("401 404 200 403 403 200", "read"),
    "recall_get": Row("401 404 200 403 403 200", "read"),
    "effort_get": Row("401 404 200 403 403 200", "read"),
    "trust_get": Row("401 404 200 403 403 200", "read"),
    "targets_create": Row("401 404 201 403 403 403", "manage", lambda ids: {"target": 0.95}),
    "certificates_revoke": Row("401 404 200 403 403 403", "manage"),
    "comparisons_list": Row("401 404 200 403 403 200", "read"),
    "comparisons_start": Row("401 404 422 403 403 422", "build", lambda ids: {"candidate": "0" * 64}),
    "comparisons_get": Row("401 404 200 403 403 200", "read"),
    "comparisons_cancel": Row("401 404 200 403 403 200", "build"),
    "builds_list": Row("401 404 200 403 403 200", "build"),
    "builds_create": Row("401 404 201 403 403 201", "build", lambda ids: {"name": "Next"}),
    "builds_get": Row("401 404 200 403 403 200", "build"),
    "builds_cancel": Row("401 404 200 403 403 200", "build"),
    "builds_download": Row("401 404 200 403 403 200", "build"),
    "builds_resume": Row("401 404 200 403 403 200", "build"),
    "builds_verify": Row("401 404 200 403 403 200", "build"),
    "builds_compare": Row("401 404 422 403 403 422", "build"),  # there is no other
    "trainings_list": Row("401 404 200 403 403 200", "build"),
    "trainings_start": Row(
        "401 404 201 403 403 201", "build", lambda ids: {"build": ids["build_id"], "kind": "spacy", "recipe": {}}
    ),
    "trainings_get": Row("401 404 200 403 403 200", "build"),
    "trainings_cancel": Row("401 404 200 403 403 200", "build"),
    "trainings_resume": Row("401 404 200 403 403 200", "build"),
    "trainings_log": Row("401 404 404 403 403 404", "build"),  # it has said nothing yet
    "models_list": Row("401 404 200 403 403 200", "read"),
    "models_get": Row("401 404 200 403 403 200", "read"),
    "models_promote": Row(  # its model is not here
        "401 404 409 403 403 403", "manage", lambda ids: {"confirmation": "without a comparison"}
    ),
    "test_set_get": Row("401 404 404 403 403 404", "build"),  # none is locked
    "test_set_lock": Row("401 404 422 403 403 403", "manage", lambda ids: {"build": ids["build_id"]}),  # no part test
    "test_set_unlock": Row("401 404 204 403 403 403", "manage"),
}


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    parameters: frozenset[str]


@functools.cache
def _read_operations() -> tuple[Operation, ...]:
    description = SchemaGenerator().get_schema(request=None, public=True)
    return tuple(
        Operation(
            found["operationId"],
            method.upper(),
            path,
            frozenset(each["name"] for each in found.get("parameters", ()) if each["in"] == "path"),
        )
        for path, methods in description["paths"].items()
        for method, found in methods.items()
    )


def operations() -> list[Operation]:
    """The operations that have a row; that all have one is a test of its own."""
    return [found for found in _read_operations() if found.name in OPERATIONS]


@dataclass(frozen=True)
class World:
    people: Mapping[str, User | None]
    project: Project
    ids: Ids
    other_ids: Ids


@pytest.fixture
def world(
    project: Project, other_project: Project, alice: User, bob: User, adam: User, dana: User, charlie: User
) -> World:
    return World(
        people={
            "anonymous": None,
            "outsider": charlie,
            "lead": alice,
            "annotator": bob,
            "adjudicator": adam,
            "data_scientist": dana,
        },
        project=project,
        ids=make_objects(project, reader=bob, uploader=dana),
        other_ids=make_objects(other_project, reader=charlie, uploader=charlie),
    )


def ask(world: World, api: Api, operation: Operation, ids: Ids) -> Any:
    """The answer; what it wrote is rolled back. Imports are of a fresh upload, whose files a discard removes."""
    cache.clear()
    with transaction.atomic():
        if operation.name.startswith("imports_") and ids is world.ids:
            dana = world.people["data_scientist"]
            assert dana is not None
            ids = {**ids, "import_id": make_upload(world.project, dana)}
        address = operation.path.format(**ids).removeprefix("/api/v1/")
        if operation.name == "imports_create":
            file = SimpleUploadedFile("notes.txt", b"No fever.")
            response = api.upload(address, files=file)
        else:
            response = api.ask(operation.method, address, OPERATIONS[operation.name].body(ids))
        if getattr(response, "streaming", False):
            b"".join(response)
        transaction.set_rollback(True)
    return response


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    assert sorted(found.name for found in _read_operations()) == sorted(OPERATIONS)


@pytest.mark.parametrize("role", ROLES)
def test_everybody_gets_what_the_table_says(world: World, role: str) -> None:
    api = Api(world.people[role])
    wrong = []
    for operation in operations():
        status, expected = ask(world, api, operation, world.ids).status_code, OPERATIONS[operation.name].status(role)
        if status != expected:
            wrong.append(f"{operation.name}: {status}, not {expected}")
    assert wrong == []


def test_an_object_of_another_project_is_not_there(world: World) -> None:
    """The lead asks under the own project for each of the other project's objects, and the other way round."""
    lead, outsider = Api(world.people["lead"]), Api(world.people["outsider"])
    found = []
    for operation in operations():
        for key in operation.parameters - {"project_id", "name"}:
            for api, ids, theirs in (
                (lead, world.ids, world.other_ids),
                (outsider, world.other_ids, world.ids),
            ):
                status = ask(world, api, operation, {**ids, key: theirs[key]}).status_code
                if status != 404:
                    found.append(f"{operation.name} with another's {key}: {status}")
    assert found == []


def test_an_object_of_another_project_that_a_body_or_filter_names_is_not_there(world: World) -> None:
    api = Api(world.people["lead"], project=world.project)
    theirs = world.other_ids["document_id"]
    assert_problem(api.post("./review/take/", {"document": theirs}), 404, "not-found")
    for resource in ("suggestions", "annotations", "relations", "document-labels", "decisions", "comments"):
        assert_problem(api.get(f"./{resource}/?document={theirs}"), 404, "not-found")
    assert api.get(f"./suggestions/?run={world.other_ids['run_id']}").json()["results"] == []


@pytest.mark.slow
def test_an_object_that_does_not_exist_is_not_there(world: World) -> None:
    api = Api(world.people["lead"])
    found = []
    for operation in operations():
        for key in operation.parameters:
            for made_up in ("a" * 16, "1", "x' OR 1=1 --", "%2500", "%00", "é", "..%2F..%2Fkey"):
                status = ask(world, api, operation, {**world.ids, key: made_up}).status_code
                if status != 404:
                    found.append(f"{operation.name} with {key} {made_up!r}: {status}")
    assert found == []


@pytest.mark.slow
def test_an_operation_needs_its_scope_and_no_other(world: World) -> None:
    wrong = []
    for operation in operations():
        row = OPERATIONS[operation.name]
        enough = set(row.scopes.split())
        role = next((role for role in ("lead", "annotator", "data_scientist") if row.status(role) < 300), "lead")
        user = world.people[role]
        for scope in Scope:
            response = ask(world, Api(user, scopes=[scope]), operation, world.ids)
            is_refused = response.status_code == 403 and response.json()["type"].endswith(":scope")
            if is_refused == (scope in enough):
                wrong.append(f"{operation.name} with {scope}: {response.status_code}")
            if is_refused:
                assert all(name in response.json()["detail"] for name in enough), "it does not say which is missing"
    assert wrong == []


def test_every_action_has_a_scope() -> None:
    assert set(_SCOPES) == set(Action)


def test_a_token_for_one_project_sees_no_other(world: World, alice: User, other_project: Project) -> None:
    """Alice leads both projects; her token is for the other one."""
    other_project.memberships.create(user=alice, role="lead")
    api = Api(None, text=token_of(alice, project=other_project.public_id))
    for operation in operations():
        if "project_id" in operation.parameters:
            assert ask(world, api, operation, world.ids).status_code == 404, operation.name
    assert [each["id"] for each in api.get("projects/").json()["results"]] == [other_project.public_id]
    assert_problem(api.post("projects/", {"name": "Third", "schema": SCHEMA}), 403, "scope")


def test_a_token_outlives_no_membership(world: World, bob: User) -> None:
    api = Api(bob, project=world.project)
    assert api.get("./").status_code == 200
    world.project.memberships.filter(user=bob).delete()
    assert_problem(api.get("./"), 404, "not-found")


@pytest.mark.parametrize("case", ["revoked", "expired", "disabled"])
def test_a_token_that_is_over_opens_nothing(world: World, alice: User, case: str) -> None:
    api = Api(alice)
    assert api.get("projects/").status_code == 200
    if case == "revoked":
        ApiToken.objects.update(revoked_at=timezone.now())
    elif case == "expired":
        ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)
    for operation in operations():
        response = ask(world, api, operation, world.ids)
        assert_problem(response, 401, "unauthenticated")
        assert response["WWW-Authenticate"] == "Bearer"


def test_a_session_opens_nothing(world: World, alice: User) -> None:
    api = Api(None)
    api.client.force_login(alice)
    for operation in operations():
        assert ask(world, api, operation, world.ids).status_code == 401, operation.name


@pytest.mark.parametrize("role", ["anonymous", "outsider"])
def test_who_does_not_belong_reads_nothing_of_the_project(world: World, role: str) -> None:
    api = Api(world.people[role])
    for operation in operations():
        response = ask(world, api, operation, world.ids)
        body = b"" if response.streaming else response.content
        for secret in (CANARY, f"mrn-{world.project.slug}", world.project.name):
            assert secret not in body.decode() + str(response.headers), f"{operation.name} tells {secret}"


def test_answers_are_not_stored_and_run_nothing(world: World) -> None:
    api = Api(world.people["lead"])
    for operation in operations():
        response = ask(world, api, operation, world.ids)
        assert "no-store" in response["Cache-Control"], operation.name
        assert response["X-Content-Type-Options"] == "nosniff", operation.name
        kind = response.get("Content-Type", "").partition(";")[0]
        assert kind in {"", "application/json", "application/problem+json", "application/octet-stream"}, operation.name


def test_no_operation_returns_a_token(world: World, alice: User) -> None:
    api = Api(alice)
    for operation in operations():
        response = ask(world, api, operation, world.ids)
        body = b"".join(response) if response.streaming else response.content
        assert api.text.encode() not in body, operation.name
        assert ApiToken.objects.get().token_sha256.encode() not in body, operation.name
