from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from kombu import Connection
from kombu.exceptions import OperationalError

from annotator.jobs import bell


@pytest.fixture(autouse=True)
def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rung before in this process counts for nothing."""
    monkeypatch.setattr(bell, "_silent_until", 0.0)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Celery:
    """An application whose broker is in this process, with empty queues and nobody listening."""
    app = Celery("test", broker="memory://", set_as_current=False)
    app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr(bell, "current_app", app)
    with app.connection_for_read() as connection:
        for queue in (bell.MAIN_QUEUE, bell.LABEL_QUEUE):
            connection.default_channel.queue_declare(queue)
            connection.default_channel.queue_purge(queue)
    return app


@pytest.fixture
def dead_broker(broker: Celery, tmp_path: Path) -> Celery:
    """The same, with a broker whose socket is not there."""
    broker.conf.broker_url = f"redis+socket://{tmp_path / 'valkey.sock'}?virtual_host=0"
    return broker


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts to connect, without waiting them."""
    seconds: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", seconds.append)
    return seconds


@pytest.fixture
def connects(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The attempts to connect to a broker."""
    made: list[Connection] = []
    connect: Any = Connection._connection_factory

    def counted(connection: Connection) -> Any:
        made.append(connection)
        return connect(connection)

    monkeypatch.setattr(Connection, "_connection_factory", counted)
    return made


def waiting(app: Celery, queue: str) -> int:
    with app.connection_for_read() as connection:
        return int(connection.default_channel.queue_declare(queue, passive=True).message_count)


def test_a_bell_reaches_its_queue(broker: Celery) -> None:
    bell._send("annotator.run_import", (1,), bell.MAIN_QUEUE)
    bell._send("llm_labeler.label_run", (1,), bell.LABEL_QUEUE)
    bell._send("llm_labeler.label_run", (2,), bell.LABEL_QUEUE)
    assert (waiting(broker, "main"), waiting(broker, "label")) == (1, 2)


def test_a_dead_broker_holds_nobody_up(
    dead_broker: Celery, slept: list[float], connects: list[Connection], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="annotator"):
        bell._send("annotator.run_import", (7,), bell.MAIN_QUEUE)
    assert sum(slept) < 0.5
    assert 1 <= len(connects) <= 2
    assert [record.getMessage() for record in caplog.records] == [
        "bell not rung task=annotator.run_import ids=(7,) reason=OperationalError"
    ]


def test_no_other_bell_of_the_moment_is_tried(
    dead_broker: Celery, slept: list[float], connects: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    bell._send("annotator.run_import", (1,), bell.MAIN_QUEUE)
    n_connects = len(connects)
    for number in range(100):
        bell._send("annotator.route_jobs", (number,), bell.MAIN_QUEUE)
    assert len(connects) == n_connects
    later = bell._silent_until
    monkeypatch.setattr("annotator.jobs.bell.time.monotonic", lambda: later)
    bell._send("annotator.run_import", (1,), bell.MAIN_QUEUE)
    assert len(connects) == 2 * n_connects


def test_those_who_listen_keep_trying(dead_broker: Celery, slept: list[float]) -> None:
    bell._send("annotator.run_import", (1,), bell.MAIN_QUEUE)
    listening = dead_broker.connection_for_read()
    assert "max_retries" not in listening.transport_options
    with pytest.raises(OperationalError):
        listening.ensure_connection(max_retries=20)
    assert sum(slept) > 20


def test_a_bell_waits_for_the_commit(broker: Celery, db: None, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        bell.ring("annotator.run_build", 1)
        assert waiting(broker, "main") == 0
    assert waiting(broker, "main") == 1
