from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from annotator.annotations.models import Annotation
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import LabelRun, Suggestion
from tests.cast import Bells, make_document
from tests.exchange.files import write_files, write_rows


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def call(name: str, *arguments: str | Path, out: StringIO | None = None) -> str:
    stream = out or StringIO()
    call_command(name, *map(str, arguments), stdout=stream)
    return stream.getvalue()


def test_import_documents_tells_what_came_in(project: Project, bells: Bells, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.ann": "", "b.txt": "B", "readme.md": ""})
    assert call("import_documents", project.slug, tmp_path).splitlines() == [
        "2 notes added",
        "1 file of other types, not read",
        "Run 1 started: a model reads what it has not read yet",
    ]
    assert call("import_documents", project.slug, tmp_path).splitlines()[:2] == [
        "0 notes added",
        "2 notes skipped: here already, the same",
    ]


def test_import_documents_without_pre_labelling(project: Project, tmp_path: Path) -> None:
    call("import_documents", project.slug, write_files(tmp_path, {"a.txt": "A"}), "--no-prelabel")
    assert not LabelRun.objects.exists()


def test_a_refusal_lists_its_rows(project: Project, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "n.jsonl", *({"id": f"n-{number}", "text": ""} for number in range(102)))
    with pytest.raises(CommandError) as caught:
        call("import_documents", project.slug, file)
    lines = str(caught.value).splitlines()
    assert lines[:2] == ["nothing was imported: 102 errors in 102 rows", "  row 1: 'text' is empty"]
    assert lines[-2:] == ["  row 100: 'text' is empty", "  and 2 more"]
    assert not Document.objects.exists()


NOTES_CSV = "ROW_ID;SUBJECT_ID;WARD;TEXT\n7;p-1;W3;No pain.\n8;p-2;W4;No fever.\n"


def test_import_documents_tells_how_it_reads_csv(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": NOTES_CSV})
    assert call("import_documents", project.slug, tmp_path, "--no-prelabel").splitlines() == [
        "CSV: UTF-8, semicolon, a header; text from TEXT, id from ROW_ID, patient from SUBJECT_ID",
        "2 notes added",
    ]
    assert Document.objects.get(external_id="7").patient_id == "p-1"


def test_import_documents_takes_the_columns_that_are_named(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": NOTES_CSV.replace(";", "|").replace("No pain", "Größe").encode("cp1252")})
    columns = ["--text-column", "4", "--id-column", "SUBJECT_ID", "--patient-column", "row id", "--type-column", "WARD"]
    more = ["--metadata-column", "ROW_ID", "--metadata-column", "WARD", "--delimiter", "pipe", "--encoding", "cp1252"]
    call("import_documents", project.slug, tmp_path, "--no-prelabel", *columns, *more)
    found = Document.objects.get(external_id="p-1")
    assert (found.text, found.patient_id, found.note_type) == ("Größe.", "7", "W3")
    assert found.metadata == {"ROW_ID": "7", "WARD": "W3"}


def test_import_documents_numbers_rows_without_a_header(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"n.csv": "7,No pain was felt.\n8,No fever was seen.\n"})
    shown = call("import_documents", project.slug, tmp_path, "--no-prelabel", "--no-header", "--number-rows")
    assert "CSV: UTF-8, comma, no header; text from column 2" in shown
    assert sorted(Document.objects.values_list("external_id", flat=True)) == ["n-1", "n-2"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--text-column", "NOTE"], "none of the 4 columns is 'NOTE'; they are ROW_ID, SUBJECT_ID, WARD, TEXT"),
        (["--metadata-column", "TEXT"], "the text column is used for something else as well"),
        (["--delimiter", "x"], "--delimiter is one of comma, semicolon, tab, pipe"),
    ],
)
def test_a_column_or_delimiter_that_is_none_is_refused(
    project: Project, tmp_path: Path, option: list[str], message: str
) -> None:
    write_files(tmp_path, {"n.csv": NOTES_CSV})
    with pytest.raises(CommandError, match=message):
        call("import_documents", project.slug, tmp_path, *option)


def test_spans_are_read_beside_csv_files(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    write_files(tmp_path, {"a.ann": "T1\tProblem 3 7\tpain\n", "n.csv": "1,2\n"})
    shown = call("import_annotations", project.slug, tmp_path, "--annotator", "gold")
    assert "1 span added" in shown
    assert "1 file of other types, not read" in shown


def test_progress_is_shown_on_a_terminal(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A"})
    shown = call("import_documents", project.slug, tmp_path, "--no-prelabel", out=Terminal())
    assert "\rchecking 0 of 1\rchecking 1 of 1\n" in shown
    assert "\rwriting 1 of 1\n1 note added" in shown


def test_import_annotations_maps_labels(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain. Aspirin. x=1")
    ann = "T1\tDisease 3 7\tpain\nT2\tAge 0 2\tNo\nT3\tx=y 18 21\tx=1\n"
    write_files(tmp_path, {"a.ann": ann})
    arguments = ["--annotator", "gold", "--map", "Disease=Problem", "Age=", "--map", "x=y=Problem"]
    shown = call("import_annotations", project.slug, tmp_path, *arguments)
    assert shown.splitlines() == [
        "1 note with spans",
        "2 spans added",
        "1 span left out: label mapped to nothing",
    ]
    assert Annotation.objects.count() == 2


def test_import_annotations_lists_unknown_labels(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    write_files(tmp_path, {"a.ann": "T1\tDisease 3 7\tpain\n"})
    with pytest.raises(CommandError, match=r"labels: not in the schema: Disease \(1\)"):
        call("import_annotations", project.slug, tmp_path, "--annotator", "gold")


def test_import_suggestions_makes_a_run(project: Project, bells: Bells, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    spans = [{"start": 3, "end": 7, "label": "Problem", "score": 0.5}]
    file = write_rows(tmp_path / "s.jsonl", {"id": "a", "spans": spans})
    assert "1 span added" in call("import_suggestions", project.slug, file, "--labeler", "clinspan")
    assert Suggestion.objects.get().score == 0.5


@pytest.mark.parametrize("pair", ["Disease", "=Problem"])
def test_a_map_of_another_form_is_refused(project: Project, tmp_path: Path, pair: str) -> None:
    write_files(tmp_path, {"a.ann": ""})
    with pytest.raises(CommandError, match="--map wants A=B"):
        call("import_annotations", project.slug, tmp_path, "--annotator", "gold", "--map", pair)


def test_a_label_mapped_twice_is_refused(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.ann": ""})
    with pytest.raises(CommandError, match="two labels"):
        call("import_annotations", project.slug, tmp_path, "--annotator", "gold", "--map", "A=Problem", "A=")


def test_a_project_or_path_that_is_not_there_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="there is no project 'nowhere'"):
        call("import_documents", "nowhere", tmp_path)
    with pytest.raises(CommandError, match="has no"):
        call("import_documents", project.slug, tmp_path)
