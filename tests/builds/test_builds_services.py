from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds import formats, selectors, services
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import build_folder, cancel_build, create_build, write_build
from annotator.builds.writing import BuildRefused
from annotator.jobs.models import Job
from annotator.jobs.services import LEASE, JobLost, claim_job, run_job
from annotator.projects.models import Project
from tests.builds.scene import annotate, make_scene
from tests.cast import NOW, Bells, make_document

Status = Job.Status


@pytest.fixture(autouse=True)
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "builds"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(settings, "BUILDS_DIR", folder)
    return folder


@pytest.fixture
def build(project: Project, bob: User, dana: User) -> DatasetBuild:
    """Dana's build of the scene, not written yet."""
    make_scene(project, bob)
    return started(project, dana)


def started(project: Project, actor: User, name: str = "Clinic letters") -> DatasetBuild:
    return create_build(
        project=project, name=name, formats=["jsonl", "messages"], options=BuildOptions(), actor=actor, now=NOW
    )


def run(build: DatasetBuild, clock: Callable[[], datetime] = lambda: NOW) -> DatasetBuild:
    """The build as a worker leaves it."""
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=clock), clock=clock)
    return DatasetBuild.objects.select_related("job").get(pk=build.pk)


def test_create_rings_for_a_worker_and_is_audited(project: Project, bob: User, dana: User, bells: Bells) -> None:
    make_scene(project, bob)
    with bells.after_commit():
        build = started(project, dana, name="  Clinic \n letters ")
    assert (build.number, build.name, build.formats, build.manifest) == (1, "Clinic letters", ["jsonl", "messages"], {})
    assert ("annotator.run_build", (build.job.pk,), "main") in bells
    event = AuditEvent.objects.get(verb="build.create")
    assert (event.actor, event.object_id) == (dana, build.public_id)
    assert event.detail == {"formats": ["jsonl", "messages"], "options": BuildOptions().to_json()}
    assert started(project, dana).number == 2


@pytest.mark.parametrize(
    ("formats", "name", "reason"),
    [(["docx"], "N", "no format docx"), ([], "N", "at least one"), (["jsonl"], " ", "name")],
)
def test_create_refuses_what_cannot_be_built(
    project: Project, bob: User, dana: User, formats: list[str], name: str, reason: str
) -> None:
    make_scene(project, bob)
    with pytest.raises(BuildRefused, match=reason):
        create_build(project=project, name=name, formats=formats, options=BuildOptions(), actor=dana, now=NOW)
    assert not DatasetBuild.objects.exists()
    assert not Job.objects.exists()


def test_create_refuses_a_format_whose_package_is_missing(
    project: Project, bob: User, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    make_scene(project, bob)
    with pytest.raises(BuildRefused, match="needs pyarrow, which is not installed here: python -m pip install pyarrow"):
        create_build(
            project=project, name="N", formats=["jsonl", "parquet"], options=BuildOptions(), actor=dana, now=NOW
        )
    assert started(project, dana).formats == ["jsonl", "messages"]


def test_create_refuses_a_project_without_a_finished_note(project: Project, dana: User) -> None:
    make_document(project)
    with pytest.raises(BuildRefused, match="1 not submitted yet"):
        started(project, dana)
    assert not AuditEvent.objects.filter(verb="build.create").exists()


def test_a_worker_writes_the_files_the_manifest_and_the_event(build: DatasetBuild, dana: User) -> None:
    done = run(build)
    assert (done.job.status, done.job.n_done, done.job.n_total) == (Status.DONE, 5, 5)
    assert {path.name for path in build_folder(build).iterdir()} == {
        file["name"] for file in done.manifest["files"]
    } | {"manifest.json"}
    assert (done.manifest["number"], done.manifest["n_notes"]) == (1, 5)
    event = AuditEvent.objects.get(verb="build.finish")
    assert (event.actor, event.object_id) == (dana, build.public_id)
    assert event.detail["data_sha256"] == done.manifest["data_sha256"]


def test_two_builds_of_one_state_hold_the_same_data(build: DatasetBuild, dana: User) -> None:
    first, second = run(build), run(started(build.project, dana))
    assert first.manifest["data_sha256"] == second.manifest["data_sha256"]
    for path in build_folder(first).iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (build_folder(second) / path.name).read_bytes()


def test_a_finished_build_does_not_change_with_the_notes(build: DatasetBuild, bob: User) -> None:
    before = run(build).manifest
    annotate(make_document(build.project, external_id="later"), bob)
    assert run(build).manifest == before


def test_a_build_with_nothing_left_says_why(build: DatasetBuild, builds_dir: Path) -> None:
    from annotator.annotations.models import AnnotationSet

    AnnotationSet.objects.update(status=AnnotationSet.Status.OPEN, submitted_at=None)
    failed = run(build)
    assert (failed.job.status, failed.manifest) == (Status.FAILED, {})
    assert "no note is ready: 6 not submitted yet" in failed.job.error
    assert list(builds_dir.iterdir()) == []


def test_cancel_before_a_worker_comes(build: DatasetBuild, alice: User, builds_dir: Path) -> None:
    assert cancel_build(build=build, actor=alice, now=NOW)
    assert run(build).job.status == Status.CANCELLED
    assert list(builds_dir.iterdir()) == []
    assert AuditEvent.objects.get(verb="build.cancel").actor == alice


def test_cancel_while_a_worker_writes_leaves_no_file(
    build: DatasetBuild, alice: User, builds_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE", 1)
    n_partials: list[int] = []

    def clock() -> datetime:
        if Job.objects.get(pk=build.job.pk).n_done == 2:
            n_partials.append(len(list(builds_dir.glob("*.partial"))))
            cancel_build(build=build, actor=alice, now=NOW)
        return NOW

    cancelled = run(build, clock)
    assert n_partials
    assert n_partials[0] == 1
    assert (cancelled.job.status, cancelled.manifest) == (Status.CANCELLED, {})
    assert list(builds_dir.iterdir()) == []


def test_cancel_comes_too_late_for_a_finished_build(build: DatasetBuild, alice: User) -> None:
    run(build)
    assert not cancel_build(build=build, actor=alice, now=NOW)
    assert not AuditEvent.objects.filter(verb="build.cancel").exists()
    assert build_folder(build).is_dir()


def test_a_lost_build_leaves_the_other_workers_files_alone(build: DatasetBuild, builds_dir: Path) -> None:
    slow = claim_job(job_id=build.job.pk, now=NOW)
    assert slow is not None
    fast = run(build, lambda: NOW + LEASE + timedelta(seconds=1))
    assert fast.job.status == Status.DONE
    # The slow worker wakes up: it had not looked at the manifest yet, and must not touch what stands there.
    with pytest.raises(JobLost):
        write_build(job=slow, clock=lambda: NOW + LEASE + timedelta(seconds=2))
    assert run(build).manifest == fast.manifest
    assert build_folder(build).is_dir()
    assert len(list(builds_dir.iterdir())) == 1


def test_a_build_that_fails_is_tried_again_and_then_says_so(
    build: DatasetBuild, builds_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", no_space)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                run(build)
            assert Job.objects.get(pk=build.job.pk).status == Status.QUEUED
            assert list(builds_dir.iterdir()) == []
            assert DatasetBuild.objects.get(pk=build.pk).manifest == {}
    assert run(build).job.status == Status.DONE
    assert AuditEvent.objects.filter(verb="build.finish").count() == 1


def test_what_killed_workers_left_is_swept(build: DatasetBuild, builds_dir: Path) -> None:
    killed = builds_dir / f"{build.public_id}.{'0' * 32}.partial"
    unmanifested = build_folder(build)
    for folder in (killed, unmanifested):
        folder.mkdir()
        (folder / "train.jsonl").write_text("half a note")
    assert run(build).job.status == Status.DONE
    assert [path.name for path in builds_dir.iterdir()] == [build.public_id]
    assert "half a note" not in (build_folder(build) / "train.jsonl").read_text()


def test_files_of_a_build_that_ended_without_a_manifest_are_swept(
    build: DatasetBuild, dana: User, alice: User, builds_dir: Path
) -> None:
    other = started(build.project, dana)
    cancel_build(build=other, actor=alice, now=NOW)
    build_folder(other).mkdir()
    run(build)
    assert [path.name for path in builds_dir.iterdir()] == [build.public_id]


def test_a_partial_folder_of_a_running_build_is_not_swept(build: DatasetBuild, dana: User, builds_dir: Path) -> None:
    other = started(build.project, dana)
    held = claim_job(job_id=other.job.pk, now=NOW)
    assert held is not None
    folder = builds_dir / f"{other.public_id}.{held.run_token}.partial"
    folder.mkdir()
    run(build)
    assert folder.is_dir()


def test_download_is_audited(build: DatasetBuild, dana: User) -> None:
    services.record_download(build=build, file="train.jsonl", actor=dana, now=NOW)
    event = AuditEvent.objects.get(verb="build.download")
    assert (event.actor, event.object_id, event.detail) == (dana, build.public_id, {"file": "train.jsonl"})
