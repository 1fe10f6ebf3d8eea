"""The log of every process, as the settings set it up."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from gunicorn.config import Config

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.tasks import import_task
from annotator.web.logs import GunicornLogger, JsonFormatter, SafeFormatter
from tests.cast import sign_in

CANARY = "Zebrafever"


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the handlers write."""
    (handler,) = (found for found in logging.getLogger().handlers if isinstance(found.formatter, SafeFormatter))
    assert isinstance(handler, logging.StreamHandler)
    written = StringIO()
    before = handler.setStream(written)
    yield written
    handler.setStream(before)


def fail(*_: Any, **__: Any) -> Any:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        raise DatabaseError(CANARY) from error


def test_a_500_is_logged_by_route_and_class(
    client: Client, alice: User, log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.browse.selectors.projects_of", fail)
    client.raise_request_exception = False
    assert sign_in(client, alice).get("/").status_code == 500
    lines = log.getvalue().splitlines()
    assert lines[0].endswith("ERROR django.request 500 GET home")
    assert [line for line in lines if not line.startswith("  File ")][1:] == [
        "Traceback (most recent call last):",
        "ValueError",
        "which led to",
        "Traceback (most recent call last):",
        "django.db.utils.DatabaseError",
    ]
    assert any("test_logs.py" in line and line.endswith("in fail") for line in lines)
    assert CANARY not in log.getvalue()


@pytest.mark.django_db
def test_a_token_is_not_logged(log: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    address = reverse("accounts:first", args=[CANARY])
    client = Client(raise_request_exception=False, headers={"Host": "localhost"})
    assert client.get(address, REMOTE_ADDR="10.0.0.7").status_code == 404
    assert client.put(address).status_code == 405
    assert Client(enforce_csrf_checks=True).post(address).status_code == 403
    assert log.getvalue() == ""
    monkeypatch.setattr("annotator.accounts.selectors.link_of_token", fail)
    assert client.get(address).status_code == 500
    assert "500 GET accounts:first" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_a_refused_host_is_not_logged_by_name(client: Client, log: StringIO) -> None:
    assert client.get("/healthz", headers={"Host": f"{CANARY}.example"}).status_code == 400
    assert "400 GET no route" in log.getvalue()
    assert "DisallowedHost" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_a_task_that_fails_is_logged_by_class(log: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.tasks.run_job", fail)
    assert import_task.apply(args=[7]).failed()
    assert "ERROR celery.app.trace Task annotator.run_import" in log.getvalue()
    assert "raised unexpected: django.db.utils.DatabaseError\nTraceback" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_an_error_that_is_put_into_a_line_is_named_by_its_class(log: StringIO) -> None:
    logging.getLogger("celery.worker").critical("Unrecoverable error: %r", ValueError(CANARY))
    assert log.getvalue().endswith("CRITICAL celery.worker Unrecoverable error: 'ValueError'\n")


def test_a_warning_is_logged_by_its_place_and_class(log: StringIO) -> None:
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(RuntimeWarning(f"raised outside body: {CANARY}"), stacklevel=1)
    finally:
        logging.captureWarnings(False)
    assert CANARY not in log.getvalue()


def test_the_web_server_logs_no_address(log: StringIO) -> None:
    try:
        fail()
    except DatabaseError:
        logging.getLogger("gunicorn.error").exception("Error handling request %s %s", "GET", f"/first/{CANARY}")
    assert "ERROR gunicorn.error Error handling request\nTraceback" in log.getvalue()
    assert CANARY not in log.getvalue()


def test_our_own_lines_stand_as_they_are(log: StringIO) -> None:
    logging.getLogger("annotator.jobs").warning("bell not rung task=%s ids=%s", "annotator.run_import", (7,))
    assert log.getvalue().endswith("WARNING annotator.jobs bell not rung task=annotator.run_import ids=(7,)\n")


@pytest.fixture
def json_log() -> Iterator[StringIO]:
    """What a handler writes that LOG_FORMAT=json would give the root."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


def test_a_500_is_one_json_object_with_ids_and_classes(
    client: Client, project: Project, alice: User, json_log: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.browse.views.membership_for", fail)
    client.raise_request_exception = False
    response = sign_in(client, alice).get(f"/p/{project.public_id}/workers/?q={CANARY}")
    assert response.status_code == 500
    (line,) = json_log.getvalue().splitlines()
    facts = json.loads(line)
    assert facts["level"] == "ERROR"
    assert facts["logger"] == "django.request"
    assert facts["message"] == "500 GET browse:workers"
    assert facts["route"] == "browse:workers"
    assert facts["status"] == 500
    assert facts["project"] == project.public_id
    assert facts["user"] == alice.public_id
    assert facts["request_id"] == response["X-Request-ID"]
    assert [error["class"] for error in facts["errors"]] == ["ValueError", "django.db.utils.DatabaseError"]
    assert any(frame.endswith("in fail") for frame in facts["errors"][0]["frames"])
    assert CANARY not in line


def test_what_is_no_id_is_not_logged_as_one(client: Client, alice: User, json_log: StringIO) -> None:
    client.raise_request_exception = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotator.browse.views.membership_for", fail)
        assert sign_in(client, alice).get(f"/p/{CANARY}/workers/").status_code == 500
    assert "project" not in json.loads(json_log.getvalue())
    assert CANARY not in json_log.getvalue()


def test_a_token_is_not_logged_as_json(client: Client, json_log: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    client.raise_request_exception = False
    monkeypatch.setattr("annotator.accounts.selectors.link_of_token", fail)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotator.accounts.views.is_on_this_machine", lambda request: True)
        assert client.get(reverse("accounts:first", args=[CANARY])).status_code == 500
    assert json.loads(json_log.getvalue())["route"] == "accounts:first"
    assert CANARY not in json_log.getvalue()


def test_every_line_of_json_is_one_object(json_log: StringIO) -> None:
    logging.getLogger("annotator.jobs").warning("bell not rung task=%s\nids=%s", "annotator.run_import", (7,))
    try:
        fail()
    except DatabaseError:
        logging.getLogger("gunicorn.error").exception("Error handling request %s %s", "GET", f"/first/{CANARY}")
    logging.getLogger("celery.worker").critical("Unrecoverable error: %r", ValueError(CANARY))
    lines = [json.loads(line) for line in json_log.getvalue().splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert lines[0]["message"] == "bell not rung task=annotator.run_import\nids=(7,)"
    assert CANARY not in json_log.getvalue()


def test_the_process_that_starts_the_web_servers_logs_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    own = logging.getLogger("gunicorn.error")
    before = list(own.handlers)
    own.handlers.clear()
    try:
        made = GunicornLogger(Config())
        (handler,) = made.error_log.handlers
        written = StringIO()
        handler.setStream(written)
        made.error("Invalid request from ip=%s: %s", "10.0.0.7", CANARY)
    finally:
        own.handlers[:] = before
    assert json.loads(written.getvalue())["message"] == "Invalid request from ip=%s:"
    assert CANARY not in written.getvalue()
