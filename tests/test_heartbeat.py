"""A worker's signs of life: a thread of its own, which a worker starts when it is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError

from annotator import heartbeat
from annotator.jobs import services
from annotator.jobs.models import WorkerBeat
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob
from tests.cast import Bells
from tests.suggestions.scene import WORKER, claim, make_run

pytestmark = pytest.mark.django_db(transaction=True)  # the thread has a connection of its own
Status = LabelJob.Status


class Beats:
    """Lets the test wait for a beat; `before` is called first, with the number of the beat."""

    def __init__(self) -> None:
        self.before: Callable[[int], None] = lambda number: None
        self.n_tried = 0
        self.is_written = threading.Event()

    def record(self, **beat: Any) -> None:
        self.n_tried += 1
        self.before(self.n_tried)
        _record_beat(**beat)
        self.is_written.set()


_record_beat = services.record_beat


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[Beats]:
    """The beats of this test, which end with it."""
    made, is_stopping = Beats(), threading.Event()
    monkeypatch.setattr(services, "record_beat", made.record)
    monkeypatch.setattr(heartbeat, "_is_stopping", is_stopping)
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "_reader", {})
    yield made
    is_stopping.set()
    for thread in threading.enumerate():
        if thread.name == heartbeat.THREAD:
            thread.join(20)


def worker(name: str = WORKER, *queues: str) -> Any:
    consumed = dict.fromkeys(queues or ("label", "route"))
    queues_of_app = SimpleNamespace(consume_from=consumed)
    return SimpleNamespace(hostname=name, app=SimpleNamespace(amqp=SimpleNamespace(queues=queues_of_app)))


def test_a_worker_that_is_ready_takes_back_what_it_held_when_it_died(
    project: Project, bells: Bells, beats: Beats
) -> None:
    run = make_run(project, n=2)
    (mine,), (others,) = claim(run, limit=1), claim(run, worker="label-2@here", limit=1)
    heartbeat.begin(worker())
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.status, others.status) == (Status.QUEUED, Status.RUNNING)


def test_a_worker_beats_until_it_stops(db: None, beats: Beats) -> None:
    heartbeat.begin(worker())
    assert beats.is_written.wait(20)
    beat = WorkerBeat.objects.get()
    assert (beat.name, beat.queues, beat.model_id) == (WORKER, "label,route", "marginalia-lexicon")
    assert beat.device == "", "nothing was read yet"
    assert beat.memory_bytes > 1 << 20
    assert beat.stopped_at is None
    (thread,) = (found for found in threading.enumerate() if found.name == heartbeat.THREAD)
    heartbeat.end(worker())
    thread.join(20)
    assert not thread.is_alive()
    assert WorkerBeat.objects.get().stopped_at is not None


def test_a_worker_tells_what_it_reads_with_and_where_that_computes(db: None, beats: Beats) -> None:
    heartbeat.begin(worker())
    assert beats.is_written.wait(20)
    heartbeat.reads_with(model_id="medgemma-27b", device="NVIDIA H200")
    for _ in range(2):  # one may have been on its way
        beats.is_written.clear()
        assert beats.is_written.wait(20)
    beat = WorkerBeat.objects.get()
    assert (beat.model_id, beat.device) == ("medgemma-27b", "NVIDIA H200")


def test_a_worker_without_the_label_queue_names_no_model(db: None, beats: Beats) -> None:
    heartbeat.begin(worker("main@here", "main", "route"))
    assert beats.is_written.wait(20)
    assert WorkerBeat.objects.get().model_id == ""


def test_a_worker_whose_database_is_away_beats_again(
    db: None, beats: Beats, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        if number == 1:
            raise InterfaceError("Zebrafever")

    def away(**_: Any) -> int:
        raise DatabaseError("Zebrafever")

    beats.before = fail
    monkeypatch.setattr("annotator.suggestions.services.release_worker", away)
    heartbeat.begin(worker())
    assert beats.is_written.wait(20)
    assert beats.n_tried > 1
    assert caplog.text.count("heartbeat not written reason=DatabaseError") == 1
    assert caplog.text.count("heartbeat not written reason=InterfaceError") == 1
    assert "Zebrafever" not in caplog.text
