from __future__ import annotations

import hashlib
import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import reopen_set, submit_set
from annotator.audit.models import AuditEvent
from annotator.builds import selectors
from annotator.builds.options import BuildOptions
from annotator.builds.selectors import readiness
from annotator.builds.services import write_dataset
from annotator.builds.writing import BuildRefused
from annotator.core.prompting import COMPACT, FULL
from annotator.projects.models import Project
from annotator.review.queue import ensure_note_items
from tests.builds.scene import annotate, asks_shortly, make_scene
from tests.cast import NOW, make_document

CommandOutput = tuple[str, Path]


def written(project: Project, out: Path, formats: tuple[str, ...] = ("jsonl",), **options: Any) -> dict[str, Any]:
    return write_dataset(
        project=project, name="Clinic letters", formats=formats, options=BuildOptions(**options), out=out
    )


def native_rows(folder: Path) -> dict[str, dict[str, Any]]:
    rows = [
        json.loads(line)
        for part in ("train", "dev", "test")
        if (folder / f"{part}.jsonl").exists()
        for line in (folder / f"{part}.jsonl").open(encoding="utf-8", newline="\n")
    ]
    return {row["id"]: row for row in rows}


def test_no_patient_is_in_two_parts(project: Project, bob: User, tmp_path: Path) -> None:
    for number in range(60):
        document = make_document(project, external_id=f"n{number}", patient_id=f"p{number % 7}", text=f"Note {number}.")
        annotate(document, bob)
    manifest = written(project, tmp_path / "out")
    seen: dict[str, str] = {}
    for part in ("train", "dev", "test"):
        for line in (tmp_path / "out" / f"{part}.jsonl").read_text().splitlines():
            assert seen.setdefault(json.loads(line)["patient_id"], part) == part
    assert len(seen) == 7
    assert {"status": "ok", "text": "No patient is in two parts", "count": 7} in manifest["checks"]
    assert [facts["n_patients"] for facts in manifest["parts"].values()] == [5, 1, 1]


def test_equal_texts_of_two_patients_in_two_parts_are_told(project: Project, bob: User, tmp_path: Path) -> None:
    for number in range(3):
        annotate(make_document(project, external_id=f"n{number}", patient_id=f"p{number}"), bob)
    checks = written(project, tmp_path / "out")["checks"]
    assert any("word for word" in check["text"] and check["count"] == 1 for check in checks)


def test_manifest_names_every_file_with_its_digest(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    manifest = written(project, tmp_path / "out", ("messages", "jsonl"))
    on_disk = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert on_disk.keys() == {file["name"] for file in manifest["files"]} | {"manifest.json"}
    for file in manifest["files"]:
        content = on_disk[file["name"]].read_bytes()
        assert (file["sha256"], file["n_bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert json.loads(on_disk["manifest.json"].read_text()) == manifest


def test_files_are_private(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    written(project, tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}


def test_data_digest_does_not_depend_on_the_name(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    first = written(project, tmp_path / "first")
    second = write_dataset(
        project=project, name="Other", formats=["jsonl"], options=BuildOptions(), out=tmp_path / "second"
    )
    assert first["data_sha256"] == second["data_sha256"]
    assert written(project, tmp_path / "third", seed=5)["data_sha256"] != first["data_sha256"]


def test_notes_that_are_not_submitted_are_left_out_and_counted(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    manifest = written(project, tmp_path / "out")
    assert "e-1" not in native_rows(tmp_path / "out")
    assert manifest["left_out"]["not submitted"] == 1
    assert manifest["n_notes"] == 5


def test_withdrawn_annotations_are_left_out(project: Project, bob: User, tmp_path: Path) -> None:
    annotate(make_document(project, text="Fever. Cough."), bob, ("Fever", "Problem"), ("Cough", "Problem"))
    Annotation.objects.filter(surface="Cough").update(status=Annotation.Status.WITHDRAWN)
    written(project, tmp_path / "out")
    assert [span["surface"] for span in native_rows(tmp_path / "out")["note-1"]["spans"]] == ["Fever"]


def test_a_note_read_twice_waits_unless_one_person_is_asked_for(
    project: Project, bob: User, adam: User, tmp_path: Path
) -> None:
    twice = make_document(project, text="Fever. Cough.", external_id="twice")
    annotate(twice, bob, ("Fever", "Problem"))
    annotate(twice, adam, ("Cough", "Problem"))
    annotate(make_document(project, text="Aspirin.", external_id="once"), bob, ("Aspirin", "Medication"))
    manifest = written(project, tmp_path / "both")
    assert native_rows(tmp_path / "both").keys() == {"once"}
    assert manifest["left_out"]["several people, waiting for adjudication"] == 1

    manifest = written(project, tmp_path / "adam", annotator=adam.public_id)
    assert [span["surface"] for span in native_rows(tmp_path / "adam")["twice"]["spans"]] == ["Cough"]
    assert manifest["left_out"]["submitted by others only"] == 1
    assert manifest["n_notes"] == 1


def test_a_note_goes_out_as_its_gold_says_and_not_while_a_reader_is_to_come(
    project: Project, bob: User, adam: User, alice: User, tmp_path: Path
) -> None:
    document = make_document(project, text="Fever. Cough.")
    annotate(document, bob, ("Fever", "Problem"))
    annotate(document, adam, ("Cough", "Problem"))
    gold = AnnotationSet.objects.create(document=document, annotator=alice, kind="gold")
    Annotation.objects.filter(surface="Cough").update(set=gold)
    assert readiness(project=project).n_several == 1
    submit_set(target=gold, now=NOW)
    assert readiness(project=project).sets[0].set_id == gold.pk
    written(project, tmp_path / "out")
    assert [span["surface"] for span in native_rows(tmp_path / "out")["note-1"]["spans"]] == ["Cough"]

    ensure_note_items(document=document, n_slots=3, priority=1.0)
    waiting = readiness(project=project)
    assert (waiting.n_ready, waiting.n_unread) == (0, 1)


def test_another_project_gives_nothing(
    project: Project, other_project: Project, bob: User, charlie: User, tmp_path: Path
) -> None:
    annotate(make_document(project, text="Ours.", external_id="ours"), bob)
    annotate(make_document(other_project, text="Theirs.", external_id="theirs"), charlie)
    assert written(project, tmp_path / "out")["left_out"]["not submitted"] == 0
    assert native_rows(tmp_path / "out").keys() == {"ours"}


def test_rows_stand_in_the_order_of_external_ids_across_pages(
    project: Project, bob: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE", 2)
    for external_id in ("b", "a10", "Z", "a9", "ä"):
        annotate(make_document(project, external_id=external_id, patient_id="p"), bob)
    told: list[tuple[str, int, int]] = []
    write_dataset(
        project=project,
        name="N",
        formats=["jsonl"],
        options=BuildOptions(),
        out=tmp_path / "out",
        progress=lambda phase, n_done, n_total: told.append((phase, n_done, n_total)),
    )
    assert list(native_rows(tmp_path / "out")) == ["Z", "a10", "a9", "b", "ä"]
    assert told == [("Looking for near-duplicates", 5, 5)] + [("Writing notes", n, 5) for n in (2, 4, 5)]


def test_a_page_of_notes_costs_six_queries(project: Project, bob: User, django_assert_num_queries: Any) -> None:
    for number in range(6):
        annotate(make_document(project, text="Fever.", external_id=f"n{number}"), bob, ("Fever", "Problem"))
    with django_assert_num_queries(3):
        sets = readiness(project=project).sets
    with django_assert_num_queries(1 + 6):
        (page,) = selectors.note_pages(project=project, sets=sets)
    assert len(page) == 6


def test_a_note_reopened_meanwhile_is_left_out_and_counted(
    project: Project, bob: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "PAGE", 1)
    for external_id in ("a", "b", "c"):
        annotate(make_document(project, external_id=external_id), bob, ("metformin", "Medication"))
    reopened, again = AnnotationSet.objects.filter(document__external_id__in="bc").order_by("document__external_id")

    def meddle(phase: str, n_done: int, n_total: int) -> None:
        if (phase, n_done) == ("Writing notes", 1):
            reopen_set(target=reopened)
            reopen_set(target=again)
            submit_set(target=again, now=NOW)

    manifest = write_dataset(
        project=project, name="N", formats=["jsonl"], options=BuildOptions(), out=tmp_path / "out", progress=meddle
    )
    assert native_rows(tmp_path / "out").keys() == {"a"}
    assert manifest["left_out"]["reopened while the dataset was written"] == 2
    assert manifest["n_notes"] == 1


def test_a_span_that_does_not_read_as_stored_stops_everything(project: Project, bob: User, tmp_path: Path) -> None:
    document = make_document(project, text="Fever. Secretword.")
    annotate(document, bob, ("Fever", "Problem"))
    Annotation.objects.update(start=7, end=12, fragments="7 12")
    with pytest.raises(BuildRefused, match=f"note {document.public_id}: characters 7 12") as raised:
        written(project, tmp_path / "out")
    assert "Secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_write_is_refused_with_what_the_notes_wait_for(
    project: Project, bob: User, adam: User, tmp_path: Path
) -> None:
    with pytest.raises(BuildRefused, match="no note yet"):
        written(project, tmp_path / "out")
    make_document(project, external_id="open")
    twice = make_document(project, external_id="twice")
    annotate(twice, bob)
    annotate(twice, adam)
    with pytest.raises(BuildRefused, match="1 not submitted yet; 1 submitted by several people"):
        written(project, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("formats", [(), ("docx",), ("jsonl", "jsonl")])
def test_formats_are_known_and_named_once(
    project: Project, bob: User, tmp_path: Path, formats: tuple[str, ...]
) -> None:
    make_scene(project, bob)
    with pytest.raises(BuildRefused):
        written(project, tmp_path / "out", formats)


def test_a_folder_with_something_in_it_is_left_alone(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(BuildRefused, match="not an empty folder"):
        written(project, tmp_path)
    with pytest.raises(BuildRefused, match="not an empty folder"):
        written(project, tmp_path / "kept")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept", "mine")]


def test_a_failure_half_way_leaves_nothing(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    (tmp_path / "out").mkdir()

    def fail(phase: str, n_done: int, n_total: int) -> None:
        if phase == "Writing notes":
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_dataset(
            project=project, name="N", formats=["jsonl"], options=BuildOptions(), out=tmp_path / "out", progress=fail
        )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert list((tmp_path / "out").iterdir()) == []


def run_command(*arguments: str) -> str:
    out = StringIO()
    call_command("build_dataset", *arguments, stdout=out)
    return out.getvalue()


def test_command_writes_to_a_new_folder_and_is_audited(project: Project, bob: User, tmp_path: Path) -> None:
    make_scene(project, bob)
    out = tmp_path / "deep" / "out"
    said = run_command(project.slug, "--format", "jsonl,messages", "--out", str(out), "--name", "Clinic")
    assert "5 notes of discharge-notes, 6 spans (train 3, dev 1, test 1)" in said
    assert "left out: 1 not submitted" in said
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["name"], manifest["formats"]) == ("Clinic", ["jsonl", "messages"])
    event = AuditEvent.objects.get(verb="build.export")
    assert event.chain.project == project.public_id
    assert event.detail["data_sha256"] == manifest["data_sha256"]


def test_command_asks_as_the_labeler_of_the_project_where_it_is_told_nothing_else(
    project: Project, bob: User, tmp_path: Path, settings: Any
) -> None:
    asks_shortly(settings)
    make_scene(project, bob)
    for name, arguments, asked in (
        ("own", [], (300, COMPACT)),
        ("told", ["--window", "800", "--template", FULL], (800, FULL)),
    ):
        run_command(project.slug, "--format", "messages", "--out", str(tmp_path / name), *arguments)
        options = json.loads((tmp_path / name / "manifest.json").read_text())["options"]
        assert (options["window"], options["template"]) == asked


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "no project 'nowhere'"),
        (["discharge-notes", "--format", "docx"], "no format docx"),
        (["discharge-notes", "--window", "5"], "window is 5"),
        (["discharge-notes", "--shares", "80/20"], "three whole numbers"),
        (["discharge-notes", "--shares", "80/30/10"], "make 100"),
        (["discharge-notes", "--annotator", "zoe"], "no user 'zoe'"),
        (["discharge-notes", "--name", " "], "name has 1 to 120"),
    ],
)
def test_command_says_what_is_wrong(
    project: Project, bob: User, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    make_scene(project, bob)
    with pytest.raises(CommandError, match=reason):
        run_command(*arguments, "--out", str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
    assert not AuditEvent.objects.filter(verb="build.export").exists()
