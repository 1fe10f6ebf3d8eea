"""Exports of other tools on the import pages, and by the API and the command line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.exchange.models import Import
from annotator.exchange.spool import folder_of
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.suggestions.models import Suggestion
from tests.api.scene import Api
from tests.cast import sign_in
from tests.exchange.files import write_files
from tests.exchange.test_move_in import TWO_PEOPLE_AND_A_MODEL, export
from tests.exchange.test_uploads import run, upload
from tests.exchange.test_views import url

EXPORT = {"export.json": json.dumps([TWO_PEOPLE_AND_A_MODEL])}
# Voices go by their keys: bob, eve, the model; labels by how often they are there: Problem, Drug.
MAPPED = {
    "voice_0": "suggestions:ner 2",
    "voice_1": "annotations:bob",
    "voice_2": "annotations:imported-eve",
    "label_0": "Problem",
    "label_1": "+Drug",
}


@pytest.fixture
def lead(client: Client, alice: User) -> Client:
    return sign_in(client, alice)


@pytest.fixture
def item(project: Project, alice: User, bob: User) -> Import:
    return upload(project, alice, EXPORT)


def test_the_preview_says_who_speaks_and_shows_the_marks(lead: Client, project: Project, item: Import) -> None:
    look = item.result["look"]
    assert look["voices"] == [
        ["model:ner 2", 1, 1],
        ["person:bob@ward.example", 1, 2],
        ["person:eve", 1, 1],
    ]
    assert (look["n_notes"], look["labels"], look["formats"]) == (
        1,
        [("Problem", 3), ("Drug", 1)],
        [("label-studio", 1)],
    )
    page = lead.get(url("import", project, item)).content.decode()
    assert "<mark>chest pain</mark><small>Problem</small>" in page
    assert "What it looks like: Label Studio JSON" in page
    assert "Import 1 note<" in page
    assert 'value="annotations:bob" selected' in page, "a member of the same name is suggested"
    assert 'value="annotations:imported-eve" selected' in page
    assert 'value="suggestions:ner 2" selected' in page


def test_what_is_lost_is_told_before_anything_is_written(lead: Client, project: Project, alice: User) -> None:
    item = upload(project, alice, {"a.txt": "No pain.", "a.ann": "T1\tProblem 3 7\tpain\n#1\tAnnotatorNotes T1\thm\n"})
    page = lead.get(url("import", project, item)).content.decode()
    assert "What has no place here" in page
    assert "Notes of annotators: 1" in page


def test_a_span_that_does_not_fit_is_told_in_the_preview(lead: Client, project: Project, alice: User) -> None:
    item = upload(project, alice, {"a.txt": "No pain.", "a.ann": "T1\tProblem 0 4\tpain\n"})
    (error,) = item.result["look"]["errors"]
    assert error["message"].startswith("line 1: characters 0 4 of the note do not read as the quoted text")


def test_an_export_is_mapped_and_comes_in(lead: Client, project: Project, item: Import) -> None:
    assert lead.post(url("start", project, item), MAPPED).status_code == 303
    job = run(Job.objects.get())
    assert job.status == Job.Status.DONE
    found = Annotation.objects.order_by("annotator__username", "start")
    assert [(row.person.username, row.label) for row in found] == [
        ("bob", "Problem"),
        ("bob", "Drug"),
        ("imported-eve", "Problem"),
    ]
    assert Suggestion.objects.get().job.run.labeler.name == "ner 2"
    page = lead.get(url("import", project, item)).content.decode()
    assert "annotations of imported-eve: 1 span in 1 note" in page
    assert "Version 2 of the schema has the new labels" in page


def test_who_does_not_lead_speaks_for_nobody_else(client: Client, project: Project, dana: User, bob: User) -> None:
    item = upload(project, dana, EXPORT)
    data = sign_in(client, dana)
    response = data.post(url("start", project, item), MAPPED)
    assert response.status_code == 422
    page = response.content.decode()
    assert "annotations:bob is not one of the available choices" in page
    assert "+Drug is not one of the available choices" in page
    item.refresh_from_db()
    assert item.job is None


def test_more_new_labels_than_there_is_room_for_are_refused(lead: Client, project: Project, alice: User) -> None:
    spans = "".join(f"T{n}\tLabel{n} 0 2\tNo\n" for n in range(1, 13))
    item = upload(project, alice, {"a.txt": "No pain.", "a.ann": spans})
    chosen = {f"label_{n}": f"+{label}" for n, (label, _) in enumerate(item.result["look"]["labels"])}
    response = lead.post(url("start", project, item), {"spans_as": "annotations", "annotator": "alice", **chosen})
    assert response.status_code == 422
    assert "The schema has room for 10 more labels, and these are 12." in response.content.decode()


def test_files_are_read_as_another_tools_where_that_is_chosen(lead: Client, project: Project, alice: User) -> None:
    row = '{"id": 1, "text": "No pain.", "label": [[3, 7, "Problem"]]}\n'
    item = upload(project, alice, {"anna.jsonl": row})
    assert item.result["look"]["formats"] == [("doccano", 1)]
    response = lead.post(url("format", project, item), {"source_format": "jsonl"})
    assert (response.status_code, response["Location"]) == (303, url("import", project, item))
    item.refresh_from_db()
    assert (item.source_format, item.result["look"]["n_spans"]) == ("jsonl", 0)
    assert lead.post(url("format", project, item), {"source_format": "xmi"}).status_code == 422
    response = lead.post(url("start", project, item), {"source_format": ""})
    assert response.status_code == 422, "what was not looked at does not come in"
    assert "Another tool was chosen" in response.content.decode()


def test_only_who_uploaded_chooses_the_tool(
    client: Client, project: Project, item: Import, dana: User, charlie: User
) -> None:
    for user in (dana, charlie):
        response = sign_in(Client(), user).post(url("format", project, item), {"source_format": "jsonl"})
        assert response.status_code == 404
    item.refresh_from_db()
    assert item.source_format == ""


def packed(**members: str) -> SimpleUploadedFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return SimpleUploadedFile("export.zip", stream.getvalue())


def test_an_archive_is_unpacked_in_the_spool(lead: Client, project: Project) -> None:
    file = packed(a_txt="No pain.", a_ann="T1\tProblem 3 7\tpain\n", x_conf="")
    lead.post(url("imports", project), {"paths": "", "notes": file})
    item = Import.objects.get()
    look = item.result["look"]
    assert (look["n_notes"], look["n_spans"], look["n_other_files"]) == (1, 1, 1)
    assert len(list(folder_of(item.public_id).iterdir())) == 3, "two files and the manifest"


def test_a_bomb_is_refused_and_leaves_nothing(lead: Client, project: Project, spool: Path) -> None:
    response = lead.post(url("imports", project), {"paths": "", "notes": packed(a_txt="\0" * 30_000_000)})
    assert response.status_code == 422
    assert "unpacks to more than 200 times its size" in response.content.decode()
    assert not Import.objects.exists()
    assert not list(spool.iterdir())


def command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("import_documents", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_looks_and_brings_in(project: Project, bob: User, tmp_path: Path) -> None:
    file = str(export(tmp_path, TWO_PEOPLE_AND_A_MODEL))
    look = command(project.slug, file, "--look")
    assert "1 notes in 1 files: Label Studio JSON" in look
    assert "person:eve: 1 spans in 1 notes" in look
    assert not Annotation.objects.exists()
    people = ["--person", "bob@ward.example=bob", "eve="]
    told = command(project.slug, file, "--spans", *people, "--new-label", "Drug", "--no-prelabel")
    assert "annotations of bob: 2 spans in 1 note" in told
    assert "1 reading left out" in told
    assert Suggestion.objects.count() == 1


def test_the_command_reads_archives(project: Project, tmp_path: Path, spool: Path) -> None:
    (tmp_path / "export.zip").write_bytes(packed(a_txt="No pain.", b_txt="B").read())
    assert "2 notes added" in command(project.slug, str(tmp_path / "export.zip"), "--no-prelabel")
    assert not list(spool.iterdir())


def test_the_command_wants_to_be_told_that_spans_come(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A"})
    with pytest.raises(CommandError, match="goes with --spans"):
        command(project.slug, str(tmp_path), "--person", "eve=bob")
    with pytest.raises(CommandError, match="not both"):
        command(project.slug, str(tmp_path), "--spans", "--annotator", "bob", "--labeler", "x")


def test_the_api_maps_voices_and_adds_labels(project: Project, alice: User, bob: User) -> None:
    api = Api(alice, project=project)
    item = upload(project, alice, EXPORT)
    look = api.get(f"./imports/{item.public_id}/").json()["look"]
    assert [each["voice"] for each in look["voices"]] == ["model:ner 2", "person:bob@ward.example", "person:eve"]
    assert look["formats"] == ["label-studio"]
    voices = {"person:bob@ward.example": {"annotator": "bob"}, "person:eve": {"labeler": "first pass"}}
    options = {"voices": voices, "new_labels": ["Drug"]}
    assert api.post(f"./imports/{item.public_id}/start/", options).status_code == 200
    assert run(Job.objects.get()).status == Job.Status.DONE
    report = api.get(f"./imports/{item.public_id}/").json()["report"]
    assert report["targets"]["suggestions of first pass"] == [1, 1]
    assert (report["schema_number"], report["n_spans"]) == (2, 4)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"voices": {"person:eve": {"annotator": "bob"}}}, 422),
        ({"voices": {"person:eve": {"annotator": "imported-eve"}}}, 422),
        ({"new_labels": ["Drug"]}, 422),
        ({"voices": {"eve": {}}}, 400),
        ({"voices": {"model:x": {"annotator": "dana"}}}, 400),
        ({"voices": {"person:eve": {"annotator": "dana", "labeler": "x"}}}, 400),
        ({"source_format": "word"}, 400),
    ],
)
def test_the_api_refuses_what_the_form_does_not_offer(
    project: Project, dana: User, bob: User, options: dict[str, Any], status: int
) -> None:
    item = upload(project, dana, EXPORT)
    api = Api(dana, project=project)
    assert api.post(f"./imports/{item.public_id}/start/", options).status_code == status
    item.refresh_from_db()
    assert item.job is None
