"""A dataset to learn from, and a trainer that learns nothing: it writes what the real one would, and tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.training.models import TrainingRun
from annotator.training.services import run_training, start_training
from tests.builds.scene import annotate
from tests.cast import NOW, make_document

REVISION = "ab" * 32


@dataclass(frozen=True)
class Point:
    step: int
    n_steps: int = 40
    epoch: float | None = 0.5
    loss: float | None = None
    dev_loss: float | None = None
    dev_f1: float | None = None
    seconds: float | None = 2.0
    seconds_left: float | None = None


@dataclass(frozen=True)
class Outcome:
    status: str = "done"
    facts: Mapping[str, Any] = field(default_factory=lambda: {"revision": REVISION, "n_rows": 8, "seconds": 61.0})
    message: str = ""


@dataclass
class FakeTrain:
    """Tells `points`, and asks after each whether it may go on; `before` is called with each. Ends as `outcome` says,
    as stopped where it may not go on. `asked` is what it was given.
    """

    points: Sequence[Point] = (
        Point(10, loss=4.0),
        Point(10, dev_f1=0.25),
        Point(20, loss=2.0, dev_f1=0.5),
        Point(40, loss=1.0, dev_f1=0.75, seconds=8.0),
    )
    outcome: Outcome = field(default_factory=Outcome)
    before: Callable[[Point], None] = lambda point: None
    asked: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *, out: Path, on_point: Any, may_go_on: Any, **asked: Any) -> Outcome:
        self.asked = asked
        out.mkdir(mode=0o700, exist_ok=True)
        with (out / "log.txt").open("a") as log:
            for point in self.points:
                self.before(point)
                (out / "run.json").write_text("{}")
                log.write(f"step {point.step}/{point.n_steps} <b>\n")
                on_point(point)
                if not may_go_on():
                    return Outcome("stopped", {}, "")
        if self.outcome.status == "done":
            (out / "training.json").write_text(json.dumps(self.outcome.facts))
            (out / "pipeline").mkdir(exist_ok=True)
            (out / "pipeline" / "model").write_bytes(b"weights")
        return self.outcome


def make_build(
    project: Project, annotator: User, actor: User, *, formats: Sequence[str] = ("jsonl", "messages"), **options: Any
) -> DatasetBuild:
    """A dataset that is written, of ten notes of ten patients, eight of them in train."""
    for number in range(10):
        found = project.documents.filter(external_id=f"n{number}").first()
        if found is None:
            annotate(
                make_document(project, external_id=f"n{number}", patient_id=f"p{number}"),
                annotator,
                ("metformin", "Medication"),
                ("chest pain", "Problem"),
            )
    build = create_build(
        project=project, name="Ward <b>", formats=formats, options=BuildOptions(**options), actor=actor, now=NOW
    )
    assert build.job is not None
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    build.refresh_from_db()
    assert build.manifest
    return build


def begin(build: DatasetBuild, actor: User, **asked: Any) -> TrainingRun:
    """A training of a pipeline from the dataset, or of what is asked for."""
    given: dict[str, Any] = {"kind": "spacy", "base": "", "recipe": {"steps": 40}, "now": NOW, **asked}
    return start_training(project=build.project, build=build, actor=actor, **given)


def work(run: TrainingRun, train: FakeTrain | None = None, clock: Callable[[], datetime] = lambda: NOW) -> TrainingRun:
    """The training as a worker leaves it."""
    run_job(
        job_id=run.job.pk,
        work=lambda job: run_training(job=job, clock=clock, train=train or FakeTrain()),
        clock=clock,
    )
    return TrainingRun.objects.select_related("job", "labeler", "build", "project").get(pk=run.pk)
