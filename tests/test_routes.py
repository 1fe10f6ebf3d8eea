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

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ROLES = ("anonymous", "outsider", "lead", "annotator", "adjudicator", "data_scientist")


@dataclass(frozen=True)
class Row:
    """The status of each method for ROLES, in their order."""

    get: str
    post: str

    def expected(self, method: str, role: str) -> int:
        line = self.get if method == "GET" else self.post
        return int(line.split()[ROLES.index(role)])


NO = "302 405 405 405 405 405"  # the method is not there; who is not signed in is sent to sign in first

# In the world below Bob holds the note, Alice the one to adjudicate, and Dana has uploaded the import; the others look
# on.
#                          anonymous, outsider, lead, annotator, adjudicator, data scientist
ROUTES: dict[str, Row] = {
    "healthz": Row(get="200 200 200 200 200 200", post="200 200 200 200 200 200"),
    "readyz": Row(get="503 503 503 503 503 503", post="405 405 405 405 405 405"),  # no worker runs here
    "metrics": Row(get="200 200 200 200 200 200", post="405 405 405 405 405 405"),  # asked for on this machine
    "home": Row(get="302 200 200 200 200 200", post=NO),
    "accounts:sign_in": Row(get="200 302 302 302 302 302", post="422 302 302 302 302 302"),
    "accounts:sign_out": Row(get=NO, post="302 303 303 303 303 303"),
    "accounts:first": Row(get="200 200 200 200 200 200", post="303 303 303 303 303 303"),
    "accounts:code": Row(get="302 302 302 302 302 302", post="302 302 302 302 302 302"),
    "accounts:reset": Row(get="200 200 200 200 200 200", post="422 422 422 422 422 422"),
    "accounts:account": Row(get="302 200 200 200 200 200", post=NO),
    "accounts:idle": Row(get="302 200 200 200 200 200", post="302 200 200 200 200 200"),
    "accounts:sessions": Row(get="302 200 200 200 200 200", post=NO),
    "accounts:end_session": Row(get=NO, post="302 404 404 303 404 404"),
    "accounts:end_other_sessions": Row(get=NO, post="302 303 303 303 303 303"),
    "accounts:two_factor": Row(get="302 200 200 200 200 200", post=NO),
    "accounts:set_up_two_factor": Row(get="302 200 200 200 200 200", post="302 422 422 422 422 422"),
    "accounts:two_factor_qr": Row(get="302 404 404 404 404 404", post=NO),
    "accounts:turn_off_two_factor": Row(get=NO, post="302 422 422 422 422 422"),
    "accounts:renew_recovery_codes": Row(get=NO, post="302 303 303 303 303 303"),
    "accounts:tokens": Row(get="302 200 200 200 200 200", post="302 422 422 422 422 422"),
    "accounts:revoke_token": Row(get=NO, post="302 404 404 303 404 404"),
    # For administrators, whom no project knows as such: tests/accounts/test_people_views.py.
    "accounts:people": Row(get="302 404 404 404 404 404", post=NO),
    "accounts:new_person": Row(get="302 404 404 404 404 404", post="302 404 404 404 404 404"),
    "accounts:person": Row(get="302 404 404 404 404 404", post=NO),
    "accounts:change_person": Row(get=NO, post="302 404 404 404 404 404"),
    "accounts:reset_link": Row(get=NO, post="302 404 404 404 404 404"),
    "accounts:set_password": Row(get="302 200 200 200 200 200", post="302 422 422 422 422 422"),
    "browse:notices": Row(get="302 200 200 200 200 200", post=NO),
    "browse:open_notice": Row(get=NO, post="302 404 404 303 404 404"),
    "browse:read_notices": Row(get=NO, post="302 303 303 303 303 303"),
    "browse:new_project": Row(get="302 200 200 200 200 200", post="302 422 422 422 422 422"),
    "browse:overview": Row(get="302 404 200 200 200 200", post=NO),
    "browse:documents": Row(get="302 404 200 403 200 200", post=NO),
    "browse:comments": Row(get="302 404 200 200 200 200", post=NO),
    "browse:workers": Row(get="302 404 200 403 200 200", post=NO),
    "browse:rounds": Row(get="302 404 200 403 403 403", post=NO),
    "browse:streams": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "browse:new_round": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "browse:preview_round": Row(get=NO, post="302 404 200 403 403 403"),
    "browse:round": Row(get="302 404 200 403 403 403", post=NO),
    "browse:round_due": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:round_reader": Row(get=NO, post="302 404 422 403 403 403"),
    "browse:reassign": Row(get=NO, post="302 404 422 403 403 403"),
    "browse:round_go_on": Row(get=NO, post="302 404 409 403 403 403"),
    "browse:undo_round": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:people": Row(get="302 404 200 403 403 403", post=NO),
    "browse:invite": Row(get=NO, post="302 404 422 403 403 403"),
    "browse:revoke": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:set_role": Row(get=NO, post="302 404 422 403 403 403"),
    "browse:set_away": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:remove": Row(get="302 404 200 403 403 403", post="302 404 303 403 403 403"),
    "browse:guideline": Row(get="302 404 200 200 200 200", post=NO),
    "browse:new_guideline": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "browse:new_example": Row(get="302 404 200 403 403 403", post=NO),
    "browse:wish": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:differences": Row(get="302 404 200 403 403 200", post=NO),
    "browse:difference": Row(get="302 404 200 403 403 200", post=NO),
    "browse:difference_example": Row(get="302 404 200 403 403 403", post=NO),
    "browse:pools": Row(get="302 404 200 403 403 403", post=NO),
    "browse:pool": Row(get="302 404 200 403 403 403", post=NO),
    "browse:withdraw_wish": Row(get=NO, post="302 404 303 403 403 403"),
    "browse:labelers": Row(get="302 404 200 403 403 403", post=NO),
    "browse:new_labeler": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "browse:read_with": Row(get=NO, post="302 404 422 403 403 403"),
    "projects:invitation": Row(get="410 410 410 410 410 410", post="410 410 410 410 410 410"),  # not a link of ours
    "review:start": Row(get="302 404 200 200 200 403", post=NO),
    "review:next": Row(get=NO, post="302 404 303 303 303 403"),
    "review:next_span": Row(get=NO, post="302 404 303 303 303 403"),
    "review:take": Row(get=NO, post="302 404 303 303 303 403"),
    "review:note": Row(get="302 404 409 200 409 403", post=NO),
    "review:new_span": Row(get="302 404 409 422 409 403", post=NO),
    "review:decide": Row(get=NO, post="302 404 409 422 409 403"),
    "review:renew": Row(get=NO, post="302 404 409 204 409 403"),
    "review:put_back": Row(get=NO, post="302 404 303 303 303 403"),
    "review:round": Row(get="302 404 404 200 404 403", post=NO),
    "review:hand_back": Row(get=NO, post="302 404 404 404 404 403"),  # Bob's note is in no round
    "review:take_back": Row(get=NO, post="302 404 404 404 404 403"),
    "review:comment": Row(get=NO, post="302 404 422 422 422 403"),
    "review:remove_comment": Row(get=NO, post="302 404 404 303 404 403"),
    "adjudication:notes": Row(get="302 404 200 403 200 403", post=NO),
    "adjudication:next": Row(get=NO, post="302 404 303 403 303 403"),
    "adjudication:rules": Row(get="302 404 200 403 403 403", post=NO),
    "adjudication:apply_rule": Row(get=NO, post="302 404 303 403 403 403"),
    "adjudication:cancel_rule": Row(get=NO, post="302 404 303 403 403 403"),
    "adjudication:note": Row(get="302 404 200 403 409 403", post=NO),
    "adjudication:renew": Row(get=NO, post="302 404 204 403 409 403"),
    "adjudication:take": Row(get=NO, post="302 404 303 403 303 403"),
    "adjudication:choose": Row(get=NO, post="302 404 422 403 409 403"),
    "adjudication:finish": Row(get=NO, post="302 404 303 403 303 403"),
    "adjudication:reopen": Row(get=NO, post="302 404 303 403 303 403"),
    "adjudication:put_back": Row(get=NO, post="302 404 303 403 303 403"),
    "exchange:imports": Row(get="302 404 200 403 403 200", post="302 404 422 403 403 422"),
    "exchange:import": Row(get="302 404 200 403 403 200", post=NO),
    "exchange:columns": Row(get=NO, post="302 404 404 403 403 303"),
    "exchange:format": Row(get=NO, post="302 404 404 403 403 303"),
    "exchange:start": Row(get=NO, post="302 404 404 403 403 303"),
    "exchange:cancel": Row(get=NO, post="302 404 303 403 403 303"),
    "exchange:discard": Row(get=NO, post="302 404 303 403 403 303"),
    "suggestions:runs": Row(get="302 404 200 403 200 200", post=NO),
    "suggestions:look": Row(get=NO, post="302 404 303 403 403 403"),
    "suggestions:start": Row(get=NO, post="302 404 303 403 403 403"),
    "suggestions:run": Row(get="302 404 200 403 200 200", post=NO),
    "suggestions:cancel": Row(get=NO, post="302 404 303 403 403 403"),
    "suggestions:retry": Row(get=NO, post="302 404 303 403 403 403"),
    "quality:blind": Row(get="302 404 200 403 403 200", post=NO),
    "quality:agreement": Row(get="302 404 200 403 403 200", post=NO),
    "quality:agreement_csv": Row(get="302 404 200 403 403 200", post=NO),
    "trust:trust": Row(get="302 404 200 403 403 200", post=NO),
    "trust:measured": Row(get="302 404 200 403 403 200", post=NO),
    "trust:evidence": Row(get="302 404 200 403 403 200", post=NO),
    "trust:second": Row(get="302 404 200 403 403 200", post=NO),
    "trust:target": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "trust:outlook": Row(get="302 404 200 403 403 403", post=NO),
    "trust:calibrate": Row(get=NO, post="302 404 303 403 403 403"),
    "trust:adopt": Row(get=NO, post="302 404 303 403 403 403"),
    "trust:certificate": Row(get="302 404 200 403 403 200", post=NO),
    "trust:revoke": Row(get=NO, post="302 404 303 403 403 403"),
    "quality:quality": Row(get="302 404 200 403 403 200", post=NO),
    "qualification:qualification": Row(get="302 404 200 403 403 403", post=NO),
    "qualification:new": Row(get="302 404 200 403 403 403", post="302 404 422 403 403 403"),
    "qualification:off": Row(get=NO, post="302 404 303 403 403 403"),
    "qualification:let_in": Row(get=NO, post="302 404 409 403 403 403"),
    "qualification:take_back": Row(get=NO, post="302 404 409 403 403 403"),
    "qualification:trial": Row(get="302 404 200 200 404 404", post=NO),
    "progress:progress": Row(get="302 404 200 403 403 403", post=NO),
    "progress:people_csv": Row(get="302 404 200 403 403 403", post=NO),
    "builds:builds": Row(get="302 404 200 403 403 200", post=NO),
    "builds:new": Row(get="302 404 200 403 403 200", post=NO),
    "builds:create": Row(get=NO, post="302 404 422 403 403 422"),
    "builds:build": Row(get="302 404 200 403 403 200", post=NO),
    "builds:cancel": Row(get=NO, post="302 404 303 403 403 303"),
    "builds:download": Row(get="302 404 200 403 403 200", post=NO),
    "builds:resume": Row(get=NO, post="302 404 303 403 403 303"),
    "builds:verify": Row(get=NO, post="302 404 303 403 403 303"),
    "builds:compare": Row(get="302 404 200 403 403 200", post=NO),
    "builds:lock": Row(get=NO, post="302 404 409 403 403 403"),
    "training:comparisons": Row(get="302 404 200 403 403 200", post=NO),
    "training:new_comparison": Row(get="302 404 200 403 403 200", post=NO),
    "training:start_comparison": Row(get=NO, post="302 404 422 403 403 422"),
    "training:comparison": Row(get="302 404 200 403 403 200", post=NO),
    "training:cancel_comparison": Row(get=NO, post="302 404 303 403 403 303"),
    "training:comparison_csv": Row(get="302 404 200 403 403 200", post=NO),
    "builds:unlock": Row(get=NO, post="302 404 303 403 403 403"),
    "training:trainings": Row(get="302 404 200 403 403 200", post=NO),
    "training:new": Row(get="302 404 200 403 403 200", post="302 404 422 403 403 422"),
    "training:run": Row(get="302 404 200 403 403 200", post=NO),
    "training:cancel": Row(get=NO, post="302 404 303 403 403 303"),
    "training:resume": Row(get=NO, post="302 404 303 403 403 303"),
    "training:remove": Row(get="302 404 200 403 403 403", post="302 404 409 403 403 403"),  # it is not finished
    "training:log": Row(get="302 404 404 403 403 404", post=NO),  # it has said nothing yet
    "training:models": Row(get="302 404 200 403 403 200", post=NO),
    "training:model": Row(get="302 404 200 403 403 200", post=NO),
    "training:promote": Row(get="302 404 200 403 403 403", post="302 404 409 403 403 403"),  # its model is not here
    "purges:data": Row(get="302 404 200 403 403 403", post=NO),
    "purges:retention": Row(get=NO, post="302 404 303 403 403 403"),
    "purges:find": Row(get=NO, post="302 404 422 403 403 403"),
    "purges:remove_notes": Row(get=NO, post="302 404 422 403 403 403"),
    "purges:remove_project": Row(get=NO, post="302 404 422 403 403 403"),
}
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
