from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds.models import DatasetBuild
from annotator.builds.services import build_folder, withdraw_files
from annotator.core.prompting import COMPACT, template_digest
from annotator.core.schema import with_labels
from annotator.jobs.models import Job
from annotator.jobs.services import LEASE, claim_job, run_job
from annotator.notices.models import Kind
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.suggestions.labelers import spec_of
from annotator.suggestions.models import LabelRun, Promotion
from annotator.suggestions.services import labeler_for
from annotator.training import services
from annotator.training.models import TrainingRun
from annotator.training.services import (
    TrainingRefused,
    cancel_training,
    remove_weights,
    resume_training,
    run_training,
    sweep_models,
    withdraw_weights,
)
from tests.cast import NOW, Bells
from tests.training.scene import REVISION, FakeTrain, Outcome, Point, begin, make_build, work

Status = Job.Status


def steps(run: TrainingRun) -> list[tuple[int, float | None, float | None]]:
    return list(run.points.order_by("step").values_list("step", "loss", "dev_f1"))


def verbs(run: TrainingRun) -> list[str]:
    found = AuditEvent.objects.filter(object_id=run.public_id, verb__startswith="training.")
    return [verb.removeprefix("training.") for verb in found.order_by("number").values_list("verb", flat=True)]


def ticking(step: timedelta = timedelta(seconds=3)) -> Callable[[], datetime]:
    """A clock that goes on each time it is looked at."""
    moments = iter(NOW + number * step for number in range(1000))
    return lambda: next(moments)


def test_start_rings_for_the_training_worker_and_is_audited(build: DatasetBuild, dana: User, bells: Bells) -> None:
    with bells.after_commit():
        run = begin(build, dana)
    assert (run.number, run.kind, run.base, run.recipe) == (1, "spacy", "", {"steps": 40})
    assert ("llm_labeler.train", (run.job.pk,), "train") in bells
    event = AuditEvent.objects.get(verb="training.start")
    assert (event.actor, event.object_id, event.detail["build"]) == (dana, run.public_id, build.public_id)
    assert begin(build, dana).number == 2


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"kind": "forest"}, "no such kind"),
        ({"base": "gemma"}, "has no base"),
        ({"kind": "lora", "base": "../key", "recipe": {}}, "id of the hub"),
        ({"kind": "lora", "base": "--out=x/y", "recipe": {}}, "id of the hub"),
        ({"kind": "lora", "base": "gemma", "recipe": {}}, "marginalia-compact-1"),
        ({"recipe": {"dtype": 1}}, "no option dtype"),
        ({"recipe": {"steps": 0}}, "steps is 0: 1 to 1,000,000 is wanted"),
        ({"recipe": {"steps": 1.5}}, "whole number"),
        ({"recipe": {"seed": True}}, "whole number"),
        ({"kind": "lora", "base": "org/model", "recipe": {"batch_size": 3}}, "even number"),
    ],
)
def test_start_refuses_what_cannot_be_asked_for(
    build: DatasetBuild, dana: User, asked: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainingRefused, match=reason):
        begin(build, dana, **asked)
    assert not TrainingRun.objects.exists()


def test_start_refuses_a_dataset_without_the_format(project: Project, bob: User, dana: User) -> None:
    build = make_build(project, bob, dana, formats=["csv"])
    with pytest.raises(TrainingRefused, match="build it with spacy or jsonl"):
        begin(build, dana)
    with pytest.raises(TrainingRefused, match="build it with messages"):
        begin(build, dana, kind="lora", base="org/model", recipe={})


def test_start_refuses_a_dataset_that_is_not_written(build: DatasetBuild, dana: User) -> None:
    build.manifest = {}
    build.save()
    with pytest.raises(TrainingRefused, match="not written yet"):
        begin(build, dana)


def test_start_refuses_a_dataset_whose_files_a_purge_took(build: DatasetBuild, dana: User) -> None:
    withdraw_files(builds=DatasetBuild.objects.all(), now=NOW)
    with pytest.raises(TrainingRefused, match="removed by a purge"):
        begin(build, dana)  # although it knows the dataset as it was


def test_start_refuses_a_dataset_with_nothing_to_learn_from(project: Project, bob: User, dana: User) -> None:
    build = make_build(project, bob, dana, shares=(0, 50, 50))
    with pytest.raises(TrainingRefused, match="part train is empty"):
        begin(build, dana)


def test_a_worker_trains_and_a_labeler_comes_of_it(training: TrainingRun, dana: User, models_dir: Path) -> None:
    train = FakeTrain()
    done = work(training, train, ticking())
    assert train.asked == {
        "kind": "spacy",
        "build": build_folder(training.build),
        "base": "",
        "recipe": {"steps": 40},
        "is_resumed": False,
    }
    assert (done.job.status, done.job.n_done, done.job.n_total) == (Status.DONE, 40, 40)
    assert steps(done) == [(10, 4.0, 0.25), (20, 2.0, 0.5), (40, 1.0, 0.75)]
    assert (done.revision, done.facts["n_rows"]) == (REVISION, 8)
    labeler = done.labeler
    assert labeler is not None
    assert (labeler.backend, labeler.revision) == ("trained", REVISION)
    assert (labeler.name, labeler.model_id) == ("spaCy pipeline, training 1", f"spacy+{done.public_id}")
    assert labeler.decoding["config"] == {"kind": "spacy", "run": done.public_id, "base": ""}
    assert labeler.schema_version == training.project.schema_versions.get()
    assert (models_dir / done.public_id / "pipeline" / "model").exists()
    assert verbs(done) == ["start", "finish"]
    assert dana.notices.latest("pk").kind == Kind.TRAINING_DONE


def test_an_adapter_is_asked_as_its_dataset_asked(project: Project, bob: User, dana: User) -> None:
    build = make_build(project, bob, dana, template=COMPACT, window=300)
    labeler = work(begin(build, dana, kind="lora", base="gemma", recipe={"epochs": 0.5})).labeler
    assert labeler is not None
    decoding = labeler.decoding
    assert (decoding["template"], decoding["window"], decoding["overlap"]) == (COMPACT, 300, 0)
    assert decoding["config"]["base"] == "gemma"
    assert labeler.prompt_digest == template_digest(COMPACT)
    assert labeler.name == "LoRA adapter, training 1"


def test_the_page_can_see_how_far_it_is_while_it_trains(training: TrainingRun) -> None:
    seen: list[tuple[str, int, int, int]] = []

    def look(point: Point) -> None:
        job = Job.objects.get(pk=training.job.pk)
        seen.append((job.phase, job.n_done, job.n_total, training.points.count()))

    work(training, FakeTrain(before=look), ticking())
    assert seen == [("", 0, 0, 0), ("Training", 10, 40, 1), ("Training", 10, 40, 1), ("Training", 20, 40, 2)]


def test_the_lease_is_renewed_no_more_often_than_it_takes(
    training: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[int] = []
    advance = services.advance_job

    def counted(**asked: Any) -> None:
        renewed.append(asked["n_done"])
        advance(**asked)

    monkeypatch.setattr(services, "advance_job", counted)
    points = [Point(step, loss=1.0) for step in range(1, 9)]
    work(training, FakeTrain(points=points), ticking(timedelta(seconds=0.5)))
    assert renewed == [1, 5]  # at the first question, then after two seconds
    assert training.points.count() == 8


def test_a_refusal_says_why_and_is_told(training: TrainingRun, dana: User) -> None:
    failed = work(training, FakeTrain(outcome=Outcome("refused", {}, "torch is not installed: make it so")))
    assert (failed.job.status, failed.job.error) == (Status.FAILED, "Torch is not installed: make it so.")
    assert failed.labeler is None
    assert verbs(failed) == ["start", "fail"]
    assert dana.notices.latest("pk").kind == Kind.TRAINING_FAILED


def test_an_error_of_the_trainer_hands_the_job_back(training: TrainingRun) -> None:
    def break_down(point: Point) -> None:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        work(training, FakeTrain(before=break_down))
    training.job.refresh_from_db()
    assert training.job.status == Status.QUEUED


def test_a_cancelled_training_stops_keeps_its_points_and_is_resumed(training: TrainingRun, dana: User) -> None:
    def cancel(point: Point) -> None:
        if point.step == 20:
            assert cancel_training(run=training, actor=dana, now=NOW)

    stopped = work(training, FakeTrain(before=cancel), ticking())
    assert (stopped.job.status, stopped.labeler) == (Status.CANCELLED, None)
    assert steps(stopped) == [(10, 4.0, 0.25), (20, 2.0, 0.5)], "what it told last is lost"
    assert not cancel_training(run=training, actor=dana, now=NOW)
    assert resume_training(run=stopped, actor=dana, now=NOW)
    again = FakeTrain(points=[Point(20, loss=3.0), Point(40, loss=1.5)])
    done = work(stopped, again, ticking())
    assert again.asked["is_resumed"]
    assert steps(done) == [(10, 4.0, 0.25), (20, 3.0, None), (40, 1.5, None)]
    assert verbs(done) == ["start", "cancel", "resume", "finish"]
    assert not resume_training(run=done, actor=dana, now=NOW)


def test_a_training_that_begins_again_begins_its_curve_again(training: TrainingRun, dana: User) -> None:
    """The trainer may tell what it finds of the attempt before, until the new one has begun its file anew."""
    work(training, FakeTrain(outcome=Outcome("failed", {}, "it was killed")), ticking())
    resume_training(run=training, actor=dana, now=NOW)
    points = [Point(10, loss=4.0), Point(40, loss=1.0), Point(5, loss=6.0), Point(15, loss=5.0)]
    assert steps(work(training, FakeTrain(points=points), ticking())) == [(5, 6.0, None), (15, 5.0, None)]


def test_a_training_that_nobody_has_begun_is_cancelled_at_once(training: TrainingRun, dana: User) -> None:
    assert cancel_training(run=training, actor=dana, now=NOW)
    assert work(training).job.status == Status.CANCELLED
    assert not training.points.exists()


def test_a_worker_that_has_lost_the_training_writes_nothing_more(training: TrainingRun) -> None:
    def lose(point: Point) -> None:
        if point.step == 20:
            claimed = claim_job(job_id=training.job.pk, now=NOW + LEASE + timedelta(hours=1), worker="other")
            assert claimed is not None

    lost = work(training, FakeTrain(before=lose), ticking())
    assert (lost.job.status, lost.job.worker, lost.labeler) == (Status.RUNNING, "other", None)
    assert steps(lost) == [(10, 4.0, 0.25)]
    assert verbs(lost) == ["start"]


def test_a_stop_that_nobody_asked_for_is_no_end(training: TrainingRun) -> None:
    with pytest.raises(RuntimeError):
        work(training, FakeTrain(outcome=Outcome("stopped", {}, "")))
    training.job.refresh_from_db()
    assert training.job.status == Status.QUEUED


def test_a_purge_while_it_trains_leaves_neither_labeler_nor_weights(
    training: TrainingRun, models_dir: Path, django_capture_on_commit_callbacks: Any
) -> None:
    def purge(point: Point) -> None:
        if point.step == 40:
            withdraw_weights(runs=TrainingRun.objects.all(), now=NOW)

    with django_capture_on_commit_callbacks(execute=True):
        gone = work(training, FakeTrain(before=purge), ticking())
    assert gone.job.status == Status.CANCELLED
    assert gone.labeler is None
    sweep_models()
    assert list(models_dir.iterdir()) == []
    assert verbs(gone) == ["start", "remove"]


def test_a_purge_between_its_end_and_its_row_refuses_it(training: TrainingRun, build: DatasetBuild) -> None:
    def train(**asked: Any) -> Outcome:
        DatasetBuild.objects.filter(pk=build.pk).update(files_removed_at=NOW)
        return Outcome()

    run_job(
        job_id=training.job.pk,
        work=lambda job: run_training(job=job, clock=lambda: NOW, train=train),
        clock=lambda: NOW,
    )
    training.job.refresh_from_db()
    assert (training.job.status, training.job.error[:5]) == (Status.FAILED, "Notes")
    with pytest.raises(TrainingRefused, match="start a new training"):
        resume_training(run=training, actor=training.created_by or User(), now=NOW)


def test_removed_weights_are_gone_and_the_labeler_stays(
    training: TrainingRun, alice: User, models_dir: Path, django_capture_on_commit_callbacks: Any
) -> None:
    done = work(training)
    with django_capture_on_commit_callbacks(execute=True):
        assert remove_weights(run=done, actor=alice, now=NOW)
    assert list(models_dir.iterdir()) == []
    done.refresh_from_db()
    assert (done.files_removed_at, done.revision) == (NOW, REVISION)
    assert done.labeler is not None
    assert verbs(done)[-1] == "remove"
    assert not remove_weights(run=done, actor=alice, now=NOW)


def test_weights_that_are_needed_are_not_removed(training: TrainingRun, alice: User, models_dir: Path) -> None:
    with pytest.raises(TrainingRefused, match="cancel it first"):
        remove_weights(run=training, actor=alice, now=NOW)
    done = work(training)
    assert done.labeler is not None
    run = LabelRun.objects.create(project=done.project, number=1, labeler=done.labeler, created_at=NOW)
    with pytest.raises(TrainingRefused, match="reading notes"):
        remove_weights(run=done, actor=alice, now=NOW)
    LabelRun.objects.filter(pk=run.pk).update(status=LabelRun.Status.DONE)
    Promotion.objects.create(
        project=done.project, labeler=done.labeler, previous=done.labeler, promoted_by=alice, promoted_at=NOW
    )
    with pytest.raises(TrainingRefused, match="promote another one first"):
        remove_weights(run=done, actor=alice, now=NOW)
    assert (models_dir / done.public_id).is_dir()


def test_weights_that_a_labeler_of_a_newer_schema_uses_are_not_removed(training: TrainingRun, alice: User) -> None:
    done = work(training)
    assert done.labeler is not None
    project = done.project
    schema = with_labels(project.schema_versions.get().schema, ["Device"])
    newer = add_schema_version(project=project, schema=schema, actor=alice, now=NOW)
    again = labeler_for(project=project, schema_version=newer, spec=spec_of(done.labeler), now=NOW)
    assert again != done.labeler
    run = LabelRun.objects.create(project=project, number=1, labeler=again, created_at=NOW)
    with pytest.raises(TrainingRefused, match="reading notes"):
        remove_weights(run=done, actor=alice, now=NOW)
    LabelRun.objects.filter(pk=run.pk).update(status=LabelRun.Status.DONE)
    Promotion.objects.create(project=project, labeler=again, previous=again, promoted_by=alice, promoted_at=NOW)
    with pytest.raises(TrainingRefused, match="promote another one first"):
        remove_weights(run=done, actor=alice, now=NOW)


def test_the_sweep_keeps_what_is_needed_and_what_is_not_ours(
    training: TrainingRun, dana: User, models_dir: Path
) -> None:
    done = work(training)
    (models_dir / ("a" * 16)).mkdir()
    (models_dir / "lost+found").mkdir()
    sweep_models()
    assert {path.name for path in models_dir.iterdir()} == {done.public_id, "lost+found"}
    TrainingRun.objects.update(files_removed_at=timezone.now())
    sweep_models()
    assert [path.name for path in models_dir.iterdir()] == ["lost+found"]
