"""The task that trains: one job, its child, and what becomes of both when the worker is told to end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.worker import state
from django.utils import timezone

from annotator.jobs.models import Job
from annotator.jobs.services import advance_job, claim_job, create_job, finish_job
from llm_labeler import tasks
from llm_labeler.trainer import Outcome
from tests.cast import NOW
from tests.llm_labeler.datasets import notes, write_dataset

pytestmark = pytest.mark.django_db(transaction=True)
Status = Job.Status


@pytest.fixture
def job() -> Job:
    return create_job(kind=Job.Kind.TRAINING, now=NOW)


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Outcome]:
    """What came of trainings, each of a small dataset in one folder."""
    build = write_dataset(tmp_path / "build", {"train": notes(20)})
    found: list[Outcome] = []

    def run_training(*, job: Job, clock: Callable[[], Any], train: Callable[..., Outcome]) -> None:
        def may_go_on() -> bool:
            advance_job(job=job, now=clock(), phase="Training", n_done=0, n_total=20)
            return True

        outcome = train(
            kind="spacy",
            build=build,
            out=tmp_path / "run",
            base="",
            recipe={"steps": 20, "look_every": 10, "batch_words": 80},
            is_resumed=(tmp_path / "run").exists(),
            on_point=lambda point: None,
            may_go_on=may_go_on,
        )
        found.append(outcome)
        finish_job(job=job, now=clock())

    monkeypatch.setattr(tasks, "run_training", run_training)
    return found


def train(job: Job) -> Job:
    tasks.train.apply(args=[job.pk], throw=True)
    return Job.objects.get(pk=job.pk)


def test_a_job_is_trained_by_a_child(job: Job, outcomes: list[Outcome]) -> None:
    ended = train(job)
    assert (ended.status, ended.attempts) == (Status.DONE, 1)
    (outcome,) = outcomes
    assert (outcome.status, outcome.facts["kind"]) == ("done", "spacy")


def test_a_bell_that_comes_again_finds_the_job_in_other_hands(job: Job, outcomes: list[Outcome]) -> None:
    assert claim_job(job_id=job.pk, now=timezone.now() + timedelta(minutes=1)) is not None
    assert train(job).status == Status.RUNNING
    assert outcomes == []


def test_a_worker_that_is_told_to_end_puts_the_job_off_and_another_goes_on(
    job: Job, outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as told:
        told.setattr(state, "should_stop", 0)
        waiting = train(job)
    assert (waiting.status, waiting.attempts) == (Status.QUEUED, 0)
    assert outcomes == []
    assert train(job).status == Status.DONE
