"""/readyz, and what each thing that is missing makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from annotator import health
from annotator.jobs.models import Job
from annotator.jobs.services import create_job, record_beat, record_stop
from tests.cast import NOW

pytestmark = pytest.mark.django_db


def beat(name: str, queues: str, *, ago: timedelta = timedelta()) -> None:
    facts: dict[str, Any] = {"model_id": "", "device": "CPU", "memory_bytes": 1 << 20, "started_at": NOW}
    record_beat(name=name, queues=queues, now=timezone.now() - ago, **facts)


@pytest.fixture
def workers(db: None) -> None:
    beat("main@here", "main,route")
    beat("label-1@here", "label,route")


def test_an_installation_that_has_everything_is_ready(client: Client, workers: None) -> None:
    response = client.get("/readyz")
    assert (response.status_code, response.content.decode()) == (200, "ready\n")
    assert response["Content-Type"] == "text/plain"


def test_each_queue_needs_a_worker_that_beats(client: Client) -> None:
    beat("main@here", "main,route", ago=timedelta(seconds=36))
    beat("label-1@here", "label,route")
    record_stop(name="label-1@here", now=timezone.now())
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content.decode().splitlines() == [
        f"no worker serves the queue {q}" for q in ("main", "label", "route")
    ]


@pytest.mark.parametrize(("waited", "lines"), [(59, []), (61, ["a job has waited for 61 minutes"])])
def test_a_job_that_nobody_takes_is_told(workers: None, waited: int, lines: list[str]) -> None:
    now = timezone.now()
    create_job(kind=Job.Kind.IMPORT, now=now - timedelta(minutes=waited))
    assert health.what_is_missing(now=now) == lines


def test_a_training_may_wait_for_hours_for_the_one_before_it_but_not_for_nobody(workers: None) -> None:
    now = timezone.now()
    create_job(kind=Job.Kind.TRAINING, now=now - timedelta(hours=5))
    assert health.what_is_missing(now=now) == ["no worker serves the queue train"]
    beat("train-1@here", "train")
    assert health.what_is_missing(now=now) == []


def test_a_migration_that_waits_is_told(client: Client, workers: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    assert client.get("/readyz").content.decode() == "1 migrations are not applied\n"


def test_a_database_that_is_away_is_told_by_class_only(
    client: Client, workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseError("Zebrafever")

    monkeypatch.setattr(connection, "cursor", away)
    response = client.get("/readyz")
    monkeypatch.undo()
    assert response.status_code == 503
    assert response.content.decode() == "the database does not answer (DatabaseError)\n"


def test_a_broker_that_is_away_is_told(workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.current_app, "connection_for_write", _raiser(ConnectionRefusedError))
    assert health.what_is_missing(now=timezone.now()) == ["the broker does not answer (ConnectionRefusedError)"]


def test_a_full_disk_is_told(workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 1 << 60)
    (line,) = health.what_is_missing(now=timezone.now())
    assert line.startswith("the data folder's disk has ")


def test_a_data_folder_that_takes_no_file_is_told(workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA_DIR", settings.DATA_DIR / "gone")
    assert health.what_is_missing(now=timezone.now()) == ["the data folder takes no file (No such file or directory)"]


def test_asking_leaves_nothing_behind(workers: None, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    before = sorted(os.listdir(settings.DATA_DIR))
    with django_assert_max_num_queries(10):
        health.what_is_missing(now=timezone.now())
    assert sorted(os.listdir(settings.DATA_DIR)) == before


@pytest.mark.django_db(transaction=True)
def test_a_database_that_others_write_to_is_well_and_is_not_waited_for() -> None:
    from annotator import copying

    with copying.opened("other", connection.settings_dict) as other:
        from django.db import connections, transaction

        with transaction.atomic(using=other), connections[other].cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = name")
            assert health.database_trouble() == ""


def _raiser(error: type[Exception]) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
