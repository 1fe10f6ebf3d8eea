"""Faults of single processes and of the database while notes are labelled: nothing is lost, doubled or stuck.

`docs/reliability.md` lists them. Real programs, killed with -9; the supervisor's own faults are in `test_restarts.py`.
"""

from __future__ import annotations

import os
import signal

import pytest

from annotator.suggestions.models import LabelJob
from tests.faults import hooks, model
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.db, pytest.mark.slow]
Status = LabelJob.Status


def test_a_worker_killed_while_it_reads_loses_no_note(scene: Scene) -> None:
    scene.hold(hooks.READING)
    run = scene.start_run(marks={3: model.HELD})
    (worker,) = scene.held()
    os.kill(worker, signal.SIGKILL)
    scene.let_go()
    scene.wait_for(run)
    scene.assert_whole(run)
    assert run.jobs.get(document__external_id="note-3").attempts == 2


@pytest.mark.parametrize("is_all_lost", [False, True], ids=["its file kept", "all messages lost"])
def test_a_broker_killed_while_notes_are_read_loses_none(scene: Scene, is_all_lost: bool) -> None:
    scene.hold(hooks.READING)
    run = scene.start_run(marks={3: model.HELD, 9: model.HELD})
    scene.held(2)
    scene.kill_broker(is_all_lost=is_all_lost)
    scene.let_go()
    scene.wait_for(run)
    scene.assert_whole(run)


def test_every_message_sent_three_times_labels_each_note_once(scene: Scene) -> None:
    with scene.everything_thrice():
        run = scene.start_run()
        scene.wait_for(run)
    scene.assert_whole(run)


def test_a_note_read_for_longer_than_the_broker_waits_is_labelled_once(scene: Scene) -> None:
    scene.hold(hooks.READING)
    run = scene.start_run(marks={0: model.HELD})
    (worker,) = scene.held()
    message = scene.task_of(worker)
    until(lambda: scene.journal("task").count(message) > 1, "the message to come again")
    scene.let_go()
    scene.wait_for(run)
    scene.assert_whole(run)
    assert run.jobs.get(document__external_id="note-0").attempts == 1


def test_a_note_that_fails_every_time_is_failed_with_its_reason(scene: Scene) -> None:
    run = scene.start_run(marks={3: model.POISONED})
    scene.wait_for(run)
    scene.assert_whole(run, n_failed=1)
    failed = run.jobs.get(status=Status.FAILED)
    assert (failed.attempts, failed.error) == (3, "ValueError")
    status, page = scene.request(f"/p/{run.project.public_id}/runs/{run.public_id}/", scene.sign_in(scene.lead()))
    assert status == 200
    assert "The labeler stopped with ValueError" in page
    assert model.POISONED not in page


def test_a_note_that_kills_its_worker_every_time_is_failed(scene: Scene) -> None:
    run = scene.start_run(marks={3: model.DEADLY})
    scene.wait_for(run)
    scene.assert_whole(run, n_failed=1)
    failed = run.jobs.get(status=Status.FAILED)
    assert (failed.attempts, failed.error) == (3, "its worker died 3 times")


def test_a_database_that_goes_away_while_a_note_is_read_costs_nothing(scene: Scene) -> None:
    scene.hold(hooks.READING)
    run = scene.start_run(marks={3: model.HELD})
    scene.held()
    before = scene.n_logged("database away")
    with scene.database_away():
        scene.let_go()
        until(lambda: scene.n_logged("database away") > before, "the worker to notice")
    scene.wait_for(run)
    scene.assert_whole(run)
    assert run.jobs.get(document__external_id="note-3").attempts == 1
