"""Every route, for everybody: who gets what, and nobody gets what is another project's.

A new route fails here until it has a row. `world` holds one object of each kind in Alice's project, and one of each in
Charlie's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.services import reset_link, sign_in_link
from annotator.annotations.services import NewAnnotation, add_annotation, open_set
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.purges.services import purge_project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.selectors import NAMED_BY
from tests.cast import NOW
from tests.objects import CANARY, EXTERNAL_ID, make_objects
from tests.route_table import ROLES, ROUTES

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

# Pages whose address holds an object of a person rather than of a project, or none at all.
WITHOUT_PROJECT = {name for name in ROUTES if name.startswith("accounts:")} | {
    *("healthz", "readyz", "metrics", "home", "browse:new_project", "projects:invitation"),
    *("browse:notices", "browse:open_notice", "browse:read_notices"),
}


@dataclass(frozen=True)
class World:
    people: Mapping[str, User | None]
    ids: Mapping[str, str]
    other_ids: Mapping[str, str]


Parameters = tuple[str, ...]


def routes_of(patterns: list[Any], prefix: str = "", above: Parameters = ()) -> Iterator[tuple[str, Parameters]]:
    """Every route by its full name (its pattern where it has none), with the parameters of its address."""
    for found in patterns:
        parameters = (*above, *found.pattern.converters)
        if isinstance(found, URLResolver):
            if found.namespace == "api":
                continue  # programs have a table of their own: tests/api/test_api_access.py
            namespace = f"{prefix}{found.namespace}:" if found.namespace else prefix
            yield from routes_of(found.url_patterns, namespace, parameters)
        else:
            yield f"{prefix}{found.name or found.pattern}", parameters


def known_routes() -> list[tuple[str, Parameters]]:
    """The routes that have a row; that all have one is a test of its own."""
    return [(name, parameters) for name, parameters in routes_of(get_resolver().url_patterns) if name in ROUTES]


@pytest.fixture
def world(
    project: Project,
    other_project: Project,
    alice: User,
    bob: User,
    adam: User,
    dana: User,
    charlie: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    monkeypatch.setattr(settings, "BUILDS_DIR", tmp_path)
    monkeypatch.setattr(settings, "MODELS_DIR", tmp_path / "models")
    people = dict(zip(ROLES, (None, charlie, alice, bob, adam, dana), strict=True))
    return World(
        people=people,
        ids=make_objects(project, reader=bob, uploader=dana),
        other_ids=make_objects(other_project, reader=charlie, uploader=charlie),
    )


def url_of(name: str, parameters: Parameters, ids: Mapping[str, str]) -> str:
    return reverse(name, kwargs={key: _token(name) if key == "token" else ids[key] for key in parameters})


def _token(name: str) -> str:
    now = timezone.now()
    is_reset = name == "accounts:reset"
    path = reset_link(username="bob", actor=None, now=now) if is_reset else sign_in_link(username="bob", now=now)
    return path.rstrip("/").rpartition("/")[2]


_session_keys: dict[int, str] = {}


@pytest.fixture(autouse=True)
def _forget_sessions() -> Iterator[None]:
    """A session ends with the transaction of its test."""
    yield
    _session_keys.clear()


def _session_key(user: User) -> str:
    """Of the session that the user has in this test: a sign-in costs as much as a page."""
    if user.pk not in _session_keys:
        client = Client()
        client.force_login(user)
        _session_keys[user.pk] = str(client.session.session_key)
    return _session_keys[user.pk]


def ask(user: User | None, method: str, url: str, form: Mapping[str, str] | None = None) -> Any:
    """The answer to `user`; what it wrote is rolled back."""
    client = Client(raise_request_exception=False, headers={"Host": "localhost"})
    if user is not None:
        client.cookies[settings.SESSION_COOKIE_NAME] = _session_key(user)
    with transaction.atomic():
        response = client.generic(method, url, urlencode(form or {}), content_type="application/x-www-form-urlencoded")
        if getattr(response, "streaming", False):
            b"".join(response)
        transaction.set_rollback(True)
    return response


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert sorted(name for name, _ in routes_of(get_resolver().url_patterns)) == sorted(ROUTES)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_everybody_gets_what_the_table_says(world: World, role: str) -> None:
    wrong = []
    for name, parameters in known_routes():
        for method in ("GET", "POST"):
            url = url_of(name, parameters, world.ids)
            expected = ROUTES[name].expected(method, role)
            status = ask(world.people[role], method, url).status_code
            if status != expected:
                wrong.append(f"{method} {name}: {status}, not {expected}")
    assert wrong == []


def test_who_is_not_signed_in_is_sent_to_sign_in(world: World) -> None:
    for name, parameters in known_routes():
        if name in WITHOUT_PROJECT:
            continue
        url = url_of(name, parameters, world.ids)
        for method in ("GET", "POST"):
            assert ask(None, method, url)["Location"].startswith(reverse("accounts:sign_in")), f"{method} {name}"


@pytest.mark.slow
def test_an_object_of_another_project_is_not_there(world: World) -> None:
    """The lead asks under the own project for each of the other project's objects, and the other way round."""
    found = []
    for name, parameters in known_routes():
        objects = [key for key in parameters if key in world.ids and key not in {"project_id", "name"}]
        for key in objects:
            for ids, theirs, user in (
                (world.ids, world.other_ids, world.people["lead"]),
                (world.other_ids, world.ids, world.people["outsider"]),
            ):
                url = url_of(name, parameters, {**ids, key: theirs[key]})
                for method in ("GET", "POST"):
                    status = ask(user, method, url).status_code
                    if status not in {404, 405}:
                        found.append(f"{method} {name} with another's {key}: {status}")
    assert found == []


@pytest.mark.slow
def test_an_object_that_does_not_exist_is_not_there(world: World) -> None:
    found = []
    for name, parameters in known_routes():
        for key in set(parameters) - {"token"}:
            for made_up in ("a" * 16, "1", "x' OR 1=1 --", "%00", "é"):
                url = url_of(name, parameters, {**world.ids, key: made_up})
                for method in ("GET", "POST"):
                    status = ask(world.people["lead"], method, url).status_code
                    if status not in {404, 405}:
                        found.append(f"{method} {name} with {key} {made_up!r}: {status}")
    assert found == []


def test_addresses_hold_no_external_id(world: World) -> None:
    for name, parameters in known_routes():
        assert EXTERNAL_ID not in url_of(name, parameters, world.ids)


@pytest.mark.parametrize("role", ["anonymous", "outsider"])
def test_who_does_not_belong_reads_nothing_of_the_project(world: World, role: str, project: Project) -> None:
    for name, parameters in known_routes():
        url = url_of(name, parameters, world.ids)
        for method in ("GET", "POST"):
            text = _text_of(ask(world.people[role], method, url))
            for secret in (CANARY, EXTERNAL_ID, project.name):
                assert secret not in text, f"{method} {name} tells {secret}"


def test_no_page_tells_a_reader_what_another_reads_in_an_unsubmitted_note(
    world: World, project: Project, bob: User, adam: User
) -> None:
    """Two people read one note: Bob has marked a span, and Adam, who holds the other slot, must not see it."""
    Project.objects.filter(pk=project.pk).update(n_readers=2)
    document = Document.objects.get(public_id=world.ids["document_id"])
    marked = add_annotation(
        target=open_set(document=document, annotator=bob),
        annotator=bob,
        text=document.text,
        schema_version=project.schema_versions.get(),
        new=NewAnnotation(span=Span.of(len(CANARY) + 5, len(CANARY) + 10), label="Problem", attributes={}),
        now=NOW,
    )
    ensure_note_items(document=document, n_slots=2, priority=1.0)
    adams = take_note(document=document, reviewer=adam, now=timezone.now())
    bobs = reverse("review:note", args=[world.ids["project_id"], world.ids["item_id"]])
    name_of_span = f'data-span="{f"a{marked.public_id}"[:NAMED_BY]}"'
    assert name_of_span in _text_of(ask(bob, "GET", bobs)), "pages name a span otherwise"
    ids = {**world.ids, "item_id": adams.public_id}
    for name, parameters in known_routes():
        response = ask(adam, "GET", url_of(name, parameters, ids))
        text = _text_of(response)
        assert marked.public_id not in text and name_of_span not in text, f"{name} shows Bob's span"
    assert ask(adam, "GET", reverse("review:note", args=[ids["project_id"], adams.public_id])).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_other_method_is_answered(world: World, role: str) -> None:
    """HEAD says what GET says, where it is there at all; nothing else is."""
    wrong = []
    for name, parameters in known_routes():
        if name == "healthz":
            continue
        url = url_of(name, parameters, world.ids)
        expected = {"HEAD": {ROUTES[name].expected("GET", role), 405}}
        for method in ("HEAD", "PUT", "PATCH", "DELETE", "TRACE"):
            status = ask(world.people[role], method, url).status_code
            if status not in expected.get(method, {302, 403, 404, 405}):
                wrong.append(f"{method} {name}: {status}")
    assert wrong == []


def assert_shut_out(world: World, user: User, as_role: str) -> None:
    """For `user` every route of the project answers as for `as_role`, and tells nothing."""
    wrong = []
    for name, parameters in known_routes():
        if "project_id" not in parameters:
            continue
        url = url_of(name, parameters, world.ids)
        for method in ("GET", "POST"):
            response = ask(user, method, url)
            if response.status_code != ROUTES[name].expected(method, as_role) or CANARY in _text_of(response):
                wrong.append(f"{method} {name}: {response.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", ROLES[2:])
def test_a_member_who_was_removed_is_an_outsider(world: World, role: str, project: Project) -> None:
    user = world.people[role]
    project.memberships.filter(user=user).delete()
    assert_shut_out(world, user, "outsider")


@pytest.mark.parametrize("role", ROLES[2:])
def test_a_disabled_user_is_nobody(world: World, role: str) -> None:
    user = world.people[role]
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert_shut_out(world, user, "anonymous")


@pytest.mark.parametrize("role", ROLES[2:])
def test_a_project_that_is_being_purged_is_not_there(world: World, role: str, project: Project) -> None:
    purge_project(project=project, actor=None, now=timezone.now())
    assert_shut_out(world, world.people[role], "outsider")


def test_an_object_of_another_project_in_a_form_is_not_there(world: World, other_project: Project) -> None:
    """What the address cannot hold, the body might: each of these names something of Charlie's."""
    note = Document.objects.get(public_id=world.other_ids["document_id"])
    theirs = ReviewItem.objects.get(document=note, unit="span")
    forms: list[tuple[str, str, dict[str, str]]] = [
        ("annotator", "review:decide", {"key": "k", "target": f"i{theirs.public_id}", "verdict": "accept"}),
        ("annotator", "review:comment", {"target": f"i{theirs.public_id}", "kind": "flag"}),
        ("lead", "purges:find", {"by": "note", "value": note.public_id}),
        ("lead", "purges:remove_notes", {"by": "note", "value": note.external_id, "word": "delete"}),
        ("lead", "purges:remove_project", {"word": other_project.slug}),
    ]
    parameters = dict(known_routes())
    for role, name, form in forms:
        response = ask(world.people[role], "POST", url_of(name, parameters[name], world.ids), form)
        assert response.status_code in {404, 409, 422}, f"{name}: {response.status_code}"
    theirs.refresh_from_db()
    assert theirs.status == ReviewItem.Status.OPEN


def test_answers_run_no_script_but_ours_and_are_not_stored(world: World) -> None:
    for name, parameters in known_routes():
        response = ask(world.people["lead"], "GET", url_of(name, parameters, world.ids))
        assert "no-store" in response["Cache-Control"], name
        assert response["X-Content-Type-Options"] == "nosniff", name
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert (
            re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", _text_of(response)) is None
        ), name


def _text_of(response: HttpResponse) -> str:
    body = b"" if response.streaming else response.content
    return body.decode() + str(response.headers)
