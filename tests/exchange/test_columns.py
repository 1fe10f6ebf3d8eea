"""The columns of a CSV upload: guessed, shown, changed, and imported as they were shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.core.csv_rows import CsvLayout
from annotator.documents.models import Document
from annotator.exchange import uploads
from annotator.exchange.models import Import
from annotator.jobs.models import Job
from annotator.projects.models import Project
from tests.cast import HTMX, NOW, Bells, body
from tests.exchange.test_uploads import options, run, started, upload

CSV = "ROW_ID,SUBJECT_ID,WARD,TEXT\n7,p-1,W3,No <b>pain</b>.\n8,p-2,W4,No \u202efever.\n"
CHOSEN: dict[str, Any] = {
    "csv_encoding": "utf-8",
    "csv_delimiter": ",",
    "csv_has_header": "on",
    "csv_text": "3",
    "csv_external_id": "0",
    "csv_patient_id": "1",
    "csv_note_type": "",
}


@pytest.fixture
def item(project: Project, alice: User) -> Import:
    return upload(project, alice, {"n.csv": CSV})


def address(name: str, project: Project, item: Import) -> str:
    return reverse(f"exchange:{name}", args=[project.public_id, item.public_id])


def layout_of(item: Import) -> CsvLayout | None:
    item.refresh_from_db()
    return uploads.layout_of(item)


def test_the_columns_are_guessed_and_shown(alice_client: Client, project: Project, item: Import) -> None:
    assert layout_of(item) == CsvLayout(text=3, external_id=0, patient_id=1)
    assert "ROW_ID" not in str(item.csv_layout), "the first row may be a note"
    page = alice_client.get(address("import", project, item))
    form = page.context["layout_form"]
    assert [name for _, name in form.fields["csv_text"].choices] == ["ROW_ID", "SUBJECT_ID", "WARD", "TEXT"]
    assert (form["csv_external_id"].value(), form["csv_delimiter"].value()) == (0, ",")
    assert "No &lt;b&gt;pain&lt;/b&gt;." in body(page)
    assert "1 invisible or direction-changing character, kept as it is" in body(page)
    assert "\u202e" not in body(page)


def test_other_columns_are_read_again(alice_client: Client, project: Project, item: Import) -> None:
    chosen = CHOSEN | {"csv_external_id": "", "csv_note_type": "2", "csv_metadata": ["0", "1"]}
    response = alice_client.post(address("columns", project, item), chosen)
    assert (response.status_code, response["Location"]) == (303, address("import", project, item))
    assert layout_of(item) == CsvLayout(text=3, patient_id=1, note_type=2, metadata=(0, 1))
    page = body(alice_client.get(response["Location"]))
    for shown in ("n-2", "W3", "ROW_ID: <bdi>7</bdi>"):
        assert shown in page


def test_a_script_gets_the_rows_at_once(alice_client: Client, project: Project, item: Import) -> None:
    part = alice_client.post(address("columns", project, item), CHOSEN | {"csv_note_type": "2"}, headers=HTMX)
    assert part.status_code == 200
    assert body(part).startswith('<div id="import"')
    assert "<td>W4</td>" in body(part)


def test_another_delimiter_or_encoding_makes_other_columns(alice_client: Client, project: Project, alice: User) -> None:
    item = upload(project, alice, {"n.csv": "id,text\n1,µ;x\n".encode("cp1252")})
    chosen = CHOSEN | {"csv_text": "1", "csv_patient_id": ""}
    assert item.result["look"]["n_errors"] == 1
    alice_client.post(address("columns", project, item), chosen | {"csv_encoding": "cp1252"})
    assert layout_of(item) == CsvLayout(encoding="cp1252", text=1, external_id=0)
    assert item.result["look"]["n_errors"] == 0
    alice_client.post(address("columns", project, item), chosen | {"csv_encoding": "cp1252", "csv_delimiter": "\t"})
    assert layout_of(item) == CsvLayout(encoding="cp1252", delimiter="\t", text=0, has_header=False)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"csv_text": "4"}, "Select a valid choice"),
        ({"csv_text": "x"}, "Select a valid choice"),
        ({"csv_encoding": "rot13"}, "Select a valid choice"),
        ({"csv_delimiter": "x"}, "Select a valid choice"),
        ({"csv_note_type": "3"}, "The text column is used for something else as well."),
        ({"csv_text": "2", "csv_metadata": ["2"]}, "The text column is used for something else as well."),
    ],
)
def test_columns_that_do_not_fit_come_back(
    alice_client: Client, project: Project, item: Import, chosen: dict[str, Any], message: str
) -> None:
    before = layout_of(item)
    for name in ("columns", "start"):
        response = alice_client.post(address(name, project, item), CHOSEN | chosen)
        assert response.status_code == 422
        assert message in body(response)
    part = alice_client.post(address("columns", project, item), CHOSEN | chosen, headers=HTMX)
    assert body(part).startswith('<div id="import"')
    assert layout_of(item) == before
    assert not Job.objects.exists()


def test_an_import_runs_as_the_columns_were_shown(
    alice_client: Client, project: Project, item: Import, bells: Bells
) -> None:
    alice_client.post(address("columns", project, item), CHOSEN | {"csv_metadata": ["2"]})
    response = alice_client.post(address("start", project, item), CHOSEN | {"csv_metadata": ["2"]})
    assert response.status_code == 303
    run(Job.objects.get())
    note = Document.objects.get(external_id="8")
    assert (note.text, note.patient_id, note.metadata) == ("No \u202efever.", "p-2", {"WARD": "W4"})


def test_columns_that_were_not_looked_at_are_shown_first(alice_client: Client, project: Project, item: Import) -> None:
    response = alice_client.post(address("start", project, item), CHOSEN | {"csv_note_type": "2"})
    assert response.status_code == 422
    assert "The columns have changed: look at the first rows again, then import." in body(response)
    assert "<td>W3</td>" in body(response)
    assert not response.context["form"]["is_prelabelled"].value(), "what was chosen below stays"
    assert not Job.objects.exists()
    assert alice_client.post(address("start", project, item), CHOSEN | {"csv_note_type": "2"}).status_code == 303


def test_an_import_without_a_text_column_is_not_started(alice_client: Client, project: Project, item: Import) -> None:
    response = alice_client.post(address("start", project, item), CHOSEN | {"csv_text": ""})
    assert response.status_code == 422
    assert "Say which column is the text." in body(response)


def test_columns_of_a_started_import_stay(alice_client: Client, project: Project, item: Import, bells: Bells) -> None:
    started(item)
    alice_client.post(address("columns", project, item), CHOSEN | {"csv_note_type": "2"})
    assert layout_of(item) == CsvLayout(text=3, external_id=0, patient_id=1)
    assert "started already" in body(alice_client.get(address("import", project, item)))


def test_an_upload_without_csv_has_no_columns(alice_client: Client, project: Project, alice: User) -> None:
    item = upload(project, alice, {"a.txt": "A"})
    assert item.csv_layout == {}
    assert "Delimiter" not in body(alice_client.get(address("import", project, item)))
    assert alice_client.post(address("columns", project, item), CHOSEN).status_code == 303
    assert layout_of(item) is None


def test_a_binary_file_shows_no_columns(alice_client: Client, project: Project, alice: User) -> None:
    item = upload(project, alice, {"a.csv": b"PK\x03\x04xl/"})
    page = body(alice_client.get(address("import", project, item)))
    assert "Delimiter" not in page
    assert "this is an Excel workbook (.xlsx)" in page


def test_callers_of_the_services_may_say_the_columns(project: Project, item: Import, bells: Bells) -> None:
    layout = CsvLayout(text=3, patient_id=0)
    run(uploads.start_import(item=item, options=options(csv_layout=layout), actor=item.created_by, now=NOW))
    assert sorted(Document.objects.values_list("external_id", flat=True)) == ["n-2", "n-3"]


def test_the_preview_takes_as_many_queries_for_many_rows(
    alice_client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    item = upload(project, alice, {"n.csv": CSV + "".join(f"{n},p,W,text\n" for n in range(100, 400))})
    alice_client.get(address("import", project, item))
    with django_assert_num_queries(8):
        alice_client.get(address("import", project, item))
    with django_assert_num_queries(6):
        alice_client.post(address("columns", project, item), CHOSEN | {"csv_note_type": "2"})
