"""The locked test set, near-duplicates beside it, verifying and resuming builds."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds import services, test_sets
from annotator.builds.models import DatasetBuild, LockedGroup
from annotator.builds.options import BuildOptions
from annotator.builds.preview import preview_build
from annotator.builds.selectors import default_options, locked_test_set
from annotator.builds.test_sets import LockRefused
from annotator.builds.verifying import ManifestError, verify_folder
from annotator.builds.writing import BuildRefused
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes
from tests.builds.scene import annotate, make_scene
from tests.builds.test_builds_comparing import built
from tests.cast import NOW, Bells, make_document, sign_in


@pytest.fixture(autouse=True)
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "builds"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(settings, "BUILDS_DIR", folder)
    return folder


def parts_in(build: DatasetBuild) -> dict[str, str]:
    """The part of each note, by its own id."""
    lines = (services.build_folder(build) / "notes.index").read_text().splitlines()
    return {row["id"]: row["part"] for row in map(json.loads, lines)}


def in_test(build: DatasetBuild) -> set[str]:
    return {name for name, part in parts_in(build).items() if part == "test"}


def add_patients(project: Project, reader: User, first: int, last: int, *, text: str = "Note {}.") -> None:
    for number in range(first, last):
        document = make_document(
            project, text=text.format(number), external_id=f"n{number:02}", patient_id=f"p{number:02}"
        )
        annotate(document, reader)


@pytest.fixture
def locked(project: Project, bob: User, alice: User) -> DatasetBuild:
    """The first of a project's datasets, 20 patients, whose two test patients are locked."""
    add_patients(project, bob, 0, 20)
    build = built(project, alice)
    test_sets.lock_test_set(build=build, actor=alice, now=NOW)
    return build


def test_locked_patients_stay_in_test_whatever_comes(locked: DatasetBuild, bob: User, dana: User) -> None:
    project, patients = locked.project, in_test(locked)
    assert len(patients) == 2
    event = AuditEvent.objects.get(verb="test_set.lock")
    assert event.detail == {"n_patients": 2}
    add_patients(project, bob, 20, 40)
    for seed in range(3):
        later = built(project, dana, shares=default_options(project, locked_test_set(project)).shares, seed=seed)
        assert in_test(later) == patients
        assert later.manifest["test_set"] == {"build": 1, "n_locked": 2, "n_new": 0}
        assert {"status": "ok", "text": "The part test holds locked patients only", "count": 2} in later.manifest[
            "checks"
        ]
    grown = built(project, dana)
    assert patients < in_test(grown)
    assert grown.manifest["test_set"]["n_new"] == 4
    name = sorted(patients)[0]
    annotate(make_document(project, external_id="later", patient_id=name.replace("n", "p")), bob)
    assert in_test(built(project, dana, shares=(90, 10, 0))) == patients | {"later"}


def test_a_test_part_too_small_to_compare_on_is_said_while_none_is_locked(
    project: Project, bob: User, alice: User
) -> None:
    def counts(**options: Any) -> list[int | None]:
        seen = preview_build(project=project, options=BuildOptions(**options), has_worker=True)
        return [check.count for check in seen.checks if check.text == "Few notes come to test"]

    add_patients(project, bob, 0, 20)
    assert counts() == [2]
    assert counts(shares=(90, 10, 0)) == []
    assert counts(shares=(0, 0, 100)) == []
    test_sets.lock_test_set(build=built(project, alice), actor=alice, now=NOW)
    assert counts() == []


def test_nothing_that_names_a_patient_is_stored(locked: DatasetBuild) -> None:
    digests = set(LockedGroup.objects.values_list("digest", flat=True))
    assert len(digests) == 2
    assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in digests)


def test_a_second_lock_waits_for_the_first_to_be_undone(locked: DatasetBuild, alice: User, dana: User) -> None:
    again = built(locked.project, dana, seed=9)
    with pytest.raises(LockRefused, match="unlock it first"):
        test_sets.lock_test_set(build=again, actor=alice, now=NOW)
    assert test_sets.unlock_test_set(project=locked.project, actor=alice, now=NOW)
    assert AuditEvent.objects.get(verb="test_set.unlock").detail == {"n_patients": 2, "build": 1}
    assert not LockedGroup.objects.exists()
    assert not test_sets.unlock_test_set(project=locked.project, actor=alice, now=NOW)
    test_sets.lock_test_set(build=again, actor=alice, now=NOW)


def test_only_a_dataset_with_files_and_a_test_part_can_be_locked(
    project: Project, bob: User, alice: User, builds_dir: Path
) -> None:
    add_patients(project, bob, 0, 3)
    empty = built(project, alice, shares=(90, 10, 0))
    with pytest.raises(LockRefused, match="nothing in its part test"):
        test_sets.lock_test_set(build=empty, actor=alice, now=NOW)
    full = built(project, alice)
    (services.build_folder(full) / "notes.index").unlink()
    with pytest.raises(LockRefused, match="before test sets could be locked"):
        test_sets.lock_test_set(build=full, actor=alice, now=NOW)
    services.withdraw_files(builds=DatasetBuild.objects.filter(pk=full.pk), now=NOW)
    full.refresh_from_db()
    with pytest.raises(LockRefused, match="no files"):
        test_sets.lock_test_set(build=full, actor=alice, now=NOW)


def test_a_purged_patient_leaves_the_test_set(locked: DatasetBuild, alice: User, bells: Bells) -> None:
    patient = sorted(in_test(locked))[0].replace("n", "p")
    purge_notes(project=locked.project, doomed=Doomed(patient_id=patient), actor=alice, now=NOW)
    assert LockedGroup.objects.count() == 1


def test_locking_is_a_leads_act(client: Client, project: Project, bob: User, alice: User, dana: User) -> None:
    add_patients(project, bob, 0, 10)
    build = built(project, dana)
    lock = reverse("builds:lock", args=[project.public_id, build.public_id])
    unlock = reverse("builds:unlock", args=[project.public_id])
    sign_in(client, dana)
    page = client.get(reverse("builds:build", args=[project.public_id, build.public_id])).content.decode()
    assert "Lock this test set" not in page
    assert (client.post(lock).status_code, client.post(unlock).status_code) == (403, 403)
    sign_in(client, alice)
    assert client.post(lock).status_code == 303
    refused = client.post(lock)
    assert refused.status_code == 409
    assert "Unlock it first" in refused.content.decode() or "unlock it first" in refused.content.decode()
    page = client.get(reverse("builds:builds", args=[project.public_id])).content.decode()
    assert "1 patient stays in the part test" in page
    assert 'value="90"' in page
    assert client.post(unlock).status_code == 303
    assert not LockedGroup.objects.exists()


def test_near_duplicates_are_told_of_kept_together_and_kept_away_from_locked_ones(
    project: Project, bob: User, alice: User
) -> None:
    words = " ".join(f"word{number}" for number in range(60))
    add_patients(project, bob, 0, 10)
    add_patients(project, bob, 10, 14, text=words + " signed {}")
    torn = built(project, alice, shares=(50, 25, 25))
    assert torn.manifest["twins"] == {"n_clusters": 1, "n_notes": 4, "n_in_two_parts": 1}
    assert any("stand in two parts" in check["text"] for check in torn.manifest["checks"] if check["status"] == "warn")
    whole = built(project, alice, shares=(50, 25, 25), keeps_twins=True)
    assert len({parts_in(whole)[f"n{number}"] for number in range(10, 14)}) == 1
    assert whole.manifest["twins"]["n_in_two_parts"] == 0

    one = next(build for seed in range(99) if len(in_test(build := built(project, alice, seed=seed)) & {"n10"}))
    test_sets.lock_test_set(build=one, actor=alice, now=NOW)
    kept = built(project, alice, shares=(90, 10, 0), keeps_twins=True)
    beside = {f"n{number}" for number in range(10, 14)} - in_test(one)
    assert not beside & parts_in(kept).keys()
    assert kept.manifest["left_out"]["near-duplicates of the locked test set"] == len(beside)


def test_verify_names_what_is_missing_altered_and_extra(
    client: Client, project: Project, bob: User, dana: User
) -> None:
    make_scene(project, bob)
    build = built(project, dana)
    folder = services.build_folder(build)
    n_files = len(list(folder.iterdir()))
    sign_in(client, dana)
    address = reverse("builds:verify", args=[project.public_id, build.public_id])
    assert client.get(address).status_code == 405
    assert client.post(address).status_code == 303
    build.refresh_from_db()
    assert build.verified == {"n_right": n_files, "missing": [], "altered": [], "extra": []}
    assert AuditEvent.objects.get(verb="build.verify").detail == {"n_right": n_files, "n_wrong": 0}

    (folder / "README.md").unlink()
    (folder / "train.messages.jsonl").write_text("{}")
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text().replace('"number": 1', '"number": 2'))
    (folder / "more.txt").write_text("x")
    found = services.verify_build(build=build, actor=dana, now=NOW)
    assert found.missing == ("README.md",)
    assert found.altered == ("train.messages.jsonl", "manifest.json")
    assert found.extra == ("more.txt",)
    page = client.get(reverse("builds:build", args=[project.public_id, build.public_id])).content.decode()
    for words in ("README.md is missing", "train.messages.jsonl is not what was written", "more.txt does not belong"):
        assert words in page
    with pytest.raises(CommandError, match="not the dataset"):
        call_command("verify_build", build.public_id, stdout=StringIO())


def test_verify_reads_a_folder_that_was_taken_elsewhere(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    folder = tmp_path / "taken"
    services.write_dataset(project=project, name="N", formats=["jsonl"], options=BuildOptions(), out=folder)
    out = StringIO()
    call_command("verify_build", str(folder), "--folder", stdout=out)
    assert "files are as they were written" in out.getvalue()
    (folder / "train.jsonl").open("a").write("\n")
    assert verify_folder(folder).altered == ("train.jsonl",)
    for said in ("[]", "{}", '{"files": [{"name": "../x", "sha256": "0"}]}', '{"files": [3]}', "nothing"):
        (folder / "manifest.json").write_text(said)
        with pytest.raises(ManifestError):
            verify_folder(folder)
    with pytest.raises(CommandError, match="no dataset"):
        call_command("verify_build", "nothing")


def test_a_dataset_without_files_is_not_verified(project: Project, bob: User, dana: User) -> None:
    make_scene(project, bob)
    build = built(project, dana)
    services.withdraw_files(builds=DatasetBuild.objects.filter(pk=build.pk), now=NOW)
    build.refresh_from_db()
    with pytest.raises(BuildRefused, match="no files"):
        services.verify_build(build=build, actor=dana, now=NOW)


@pytest.mark.parametrize("status", [Job.Status.FAILED, Job.Status.CANCELLED])
def test_a_build_that_ended_without_files_can_be_written_after_all(
    client: Client, project: Project, bob: User, dana: User, alice: User, bells: Bells, status: str
) -> None:
    make_scene(project, bob)
    build = services.create_build(
        project=project, name="N", formats=["jsonl"], options=BuildOptions(seed=3), actor=dana, now=NOW
    )
    assert build.job is not None
    Job.objects.filter(pk=build.job.pk).update(status=status, error="disk full", attempts=3, finished_at=NOW)
    sign_in(client, alice)
    assert (
        "Write it after all"
        in client.get(reverse("builds:build", args=[project.public_id, build.public_id])).content.decode()
    )
    with bells.after_commit():
        assert client.post(reverse("builds:resume", args=[project.public_id, build.public_id])).status_code == 303
    job = Job.objects.get(pk=build.job.pk)
    assert (job.status, job.error, job.attempts, job.asked_by) == (Job.Status.QUEUED, "", 0, alice)
    assert bells.tasks().count("annotator.run_build") == 1
    assert AuditEvent.objects.get(verb="build.resume").actor == alice
    assert not services.resume_build(build=build, actor=alice, now=NOW)


def test_another_dataset_is_asked_for_like_one_that_is_there(
    client: Client, project: Project, bob: User, dana: User
) -> None:
    make_scene(project, bob)
    build = built(project, dana, seed=77, shares=(60, 20, 20), licence="CC BY 4.0")
    sign_in(client, dana)
    page = client.get(reverse("builds:new", args=[project.public_id]), {"like": build.public_id}).content.decode()
    for value in ('value="77"', 'value="60"', 'value="CC BY 4.0"'):
        assert value in page


def test_a_download_can_be_taken_up_again_and_each_part_is_noted(
    client: Client, project: Project, bob: User, dana: User
) -> None:
    make_scene(project, bob)
    build = built(project, dana)
    name = "train.messages.jsonl"
    data = (services.build_folder(build) / name).read_bytes()
    address = reverse("builds:download", args=[project.public_id, build.public_id, name])
    sign_in(client, dana)
    digest = next(file["sha256"] for file in build.manifest["files"] if file["name"] == name)
    assert client.head(address)["ETag"] == f'"{digest}"'
    assert not AuditEvent.objects.filter(verb="build.download").exists()
    half: Any = client.get(address, headers={"Range": "bytes=100-", "If-Range": f'"{digest}"'})
    assert (half.status_code, b"".join(half.streaming_content)) == (206, data[100:])
    event = AuditEvent.objects.get(verb="build.download")
    assert event.detail == {"file": name, "bytes": f"100-{len(data) - 1}/{len(data)}"}
    behind = client.get(address, headers={"Range": f"bytes={len(data)}-"})
    assert (behind.status_code, behind["Content-Range"]) == (416, f"bytes */{len(data)}")
    assert client.get(address, headers={"If-None-Match": f'"{digest}"'}).status_code == 304
    assert AuditEvent.objects.filter(verb="build.download").count() == 1
