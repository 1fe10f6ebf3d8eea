"""Trainings in every state, from the datasets of the tour."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.jobs.models import Job
from annotator.jobs.services import claim_job, record_beat
from annotator.projects.models import Project
from annotator.training.folders import LOG, model_folder
from annotator.training.models import TrainingPoint, TrainingRun
from tests.training.scene import FakeTrain, Outcome, Point, begin, work

N_STEPS = 4000


def trainings(project: Project, dana: User, build_id: str, now: datetime) -> dict[str, str]:
    """One that is done, one that failed, and one that a worker is at."""
    record_beat(
        name="train-1@ward",
        queues="train",
        model_id="",
        device="CPU",
        memory_bytes=96_000_000,
        started_at=now - timedelta(hours=5),
        now=now - timedelta(seconds=5),
    )
    build = DatasetBuild.objects.get(public_id=build_id)
    made = {
        name: begin(build, dana, now=now - timedelta(minutes=minutes), **asked)
        for name, minutes, asked in (
            ("done", 60, {"recipe": {"steps": N_STEPS, "look_every": 200, "patience": 5, "seed": 0}}),
            ("failed", 30, {"kind": "lora", "base": "google/medgemma-4b-it", "recipe": {"epochs": 1.0, "rank": 16}}),
            ("moving", 4, {"recipe": {"steps": N_STEPS, "learning_rate": 0.001, "seed": 7}}),
        )
    }
    points = [_point(step) for step in range(200, N_STEPS + 1, 200)]
    facts = {"revision": "5f" * 32, "n_rows": build.manifest["parts"]["train"]["n_notes"], "seconds": 372.0}
    work(made["done"], FakeTrain(points=points, outcome=Outcome(facts=facts)), lambda: now)
    refusal = "torch is not installed: make .venv/torch.stamp brings what trains models"
    work(made["failed"], FakeTrain(points=(), outcome=Outcome("refused", {}, refusal)), lambda: now)
    _move(made["moving"], points[:12], now)
    for name in ("done", "moving"):
        _log(made[name], points if name == "done" else points[:12])
    return {
        "training_id": made["done"].public_id,
        "training_moving": made["moving"].public_id,
        "training_failed": made["failed"].public_id,
    }


def _point(step: int) -> Point:
    """As of a pipeline that learns quickly at first; its loss goes up and down a little."""
    way = step / N_STEPS
    return Point(
        step=step,
        n_steps=N_STEPS,
        epoch=step / 160,
        loss=round(620 * math.exp(-4 * way) + 40 + 18 * math.sin(step / 90), 1),
        dev_f1=round(0.78 * (1 - math.exp(-5 * way)) + 0.012 * math.sin(step / 170), 4),
        seconds=step * 0.093,
    )


def _move(run: TrainingRun, points: list[Point], now: datetime) -> None:
    """Twelve looks, by a worker that holds it."""
    assert claim_job(job_id=run.job.pk, now=now, worker="train-1@ward") is not None
    Job.objects.filter(pk=run.job.pk).update(phase="Training", n_done=points[-1].step, n_total=N_STEPS)
    TrainingPoint.objects.bulk_create(
        TrainingPoint(
            run=run,
            step=point.step,
            epoch=point.epoch or 0,
            loss=point.loss,
            dev_f1=point.dev_f1,
            seconds=point.seconds,
        )
        for point in points
    )


def _log(run: TrainingRun, points: list[Point]) -> None:
    model_folder(run).mkdir(mode=0o700, exist_ok=True)
    lines = [f"step {each.step}/{N_STEPS}: loss {each.loss:g}, dev F1 {each.dev_f1:.4g}" for each in points]
    (model_folder(run) / LOG).write_text("\n".join(["reads the dataset", *lines]) + "\n")
