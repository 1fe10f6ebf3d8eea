"""Malformed files of every kind: a clear error that holds no note text, and nothing written."""

from __future__ import annotations

import gzip
import io
import json
import logging
import tracemalloc
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.documents.models import Document
from annotator.exchange import sources
from annotator.exchange.previews import first_rows
from annotator.exchange.services import ImportRefused, SpanTarget
from annotator.exchange.sources import SUFFIXES, source_at
from annotator.exchange.uploads import source_of
from annotator.projects.models import Project
from annotator.suggestions.models import Suggestion
from tests.exchange.files import write_files, write_rows
from tests.exchange.scene import add, errors_of
from tests.exchange.test_uploads import upload

SECRET = "Zebrafever"


def office(folder: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "")
        archive.writestr(f"{folder}/document.xml", SECRET)
    return stream.getvalue()


def refusal(project: Project, folder: Path, files: Mapping[str, str | bytes], **options: Any) -> list[tuple[str, str]]:
    """The errors of an import of these files, after checking that it left nothing and told no note text."""
    with pytest.raises(ImportRefused) as caught:
        add(project, write_files(folder, files), **{"target": SpanTarget(labeler="x"), **options})
    assert not Document.objects.exists()
    assert SECRET not in str(caught.value.report.to_json())
    json.dumps(caught.value.report.to_json(), ensure_ascii=False).encode()
    return errors_of(caught)


SAVE = "save it as UTF-8"
ANN = "T1\tProblem {} {}\tfever\n"
DEEP = "[" * 100_000
FILES: dict[str, tuple[Mapping[str, str | bytes], tuple[str, str]]] = {
    "Latin-1 text": ({"a.txt": f"{SECRET} é.".encode("latin-1")}, ("a.txt", f"not UTF-8 (at byte 11): {SAVE}")),
    "a mixed encoding": (
        {"a.txt": f"{SECRET} é".encode() + b" \xe9 " + "é".encode()},
        ("a.txt", f"not UTF-8 (at byte 14): {SAVE}"),
    ),
    "a cut character": (
        {"a.txt": f"{SECRET} 😀".encode()[:-1]},
        ("a.txt", "the file ends in the middle of a character: was it copied whole?"),
    ),
    "UTF-16": ({"a.txt": SECRET.encode("utf-16")}, ("a.txt", f"this looks like UTF-16 and not UTF-8: {SAVE}")),
    "UTF-16 without mark": (
        {"a.jsonl": json.dumps({"id": 1, "text": SECRET}).encode("utf-16-be")},
        ("a.jsonl", f"this looks like UTF-16 and not UTF-8: {SAVE}"),
    ),
    "UTF-16 annotations": (
        {"a.txt": "fever", "a.ann": ANN.format(0, 5).encode("utf-16")},
        ("a.ann", f"this looks like UTF-16 and not UTF-8: {SAVE}"),
    ),
    "NUL in text": ({"a.txt": f"{SECRET}\0x"}, ("a.txt", "'text' has a NUL character at offset 10")),
    "NUL in a cell": ({"a.csv": f"id,text\n1,{SECRET}\0\n"}, ("row 2", "'text' has a NUL character at offset 10")),
    "NUL in metadata": (
        {"a.jsonl": '{"id": 1, "text": "x", "metadata": {"a": ["\\u0000"]}}'},
        ("row 1", "'metadata' has a NUL character or half of a surrogate pair"),
    ),
    "NUL in a label": (
        {"a.txt": "fever", "a.ann": "T1\tPro\0blem 0 5\tfever\n"},
        ("a.ann", "line 1: a label has 1 to 100 printable characters, this one 8"),
    ),
    "a lone surrogate": (
        {"a.jsonl": f'{{"id": 1, "text": "{SECRET}\\ud83d"}}'},
        ("row 1", "'text' has half of a surrogate pair at offset 10"),
    ),
    "a lone surrogate of UTF-16": (
        {"a.csv": "id,text\n1,x".encode("utf-16") + b"\x00\xd8"},
        ("row 2", "'text' has half of a surrogate pair at offset 1"),
    ),
    "surrogates in UTF-8": (
        {"a.jsonl": b'{"id": 1, "text": "\xed\xa0\x80"}'},
        ("row 1", f"not UTF-8 (at byte 19 of the file): {SAVE}"),
    ),
    "deep JSON": (
        {"a.jsonl": f'{{"id": 1, "text": "x", "metadata": {{"a": {DEEP}'},
        ("row 1", "not JSON that can be read: nested too deeply"),
    ),
    "deep metadata": (
        {"a.jsonl": f'{{"id": 1, "text": "x", "metadata": {{"a": {"[" * 300}{"]" * 300}}}}}'},
        ("row 1", "'metadata' is nested more than 20 deep"),
    ),
    "a long number": (
        {"a.jsonl": f'{{"id": 1, "text": "x", "metadata": {{"a": {"7" * 10_000}}}}}'},
        ("row 1", "not JSON that can be read: a number is too long"),
    ),
    "a large number": (
        {"a.jsonl": f'{{"id": 1, "text": "x", "metadata": {{"a": {"7" * 10_000}.0}}}}'},
        ("row 1", "not JSON that can be read: a number is too large"),
    ),
    "not a number": (
        {"a.jsonl": '{"id": 1, "text": "x", "metadata": {"a": -Infinity}}'},
        ("row 1", "not JSON: -Infinity is not a number"),
    ),
    "a key twice": (
        {"a.jsonl": '{"id": 1, "text": "x", "metadata": {"Zebrafever": 1, "Zebrafever": 2}}'},
        ("row 1", "an object gives a key twice, so that nobody can tell which value is meant"),
    ),
    "a JSON list": (
        {"a.jsonl": f'\ufeff [\n  {{"id": 1, "text": "{SECRET}"}}\n]\n'},
        (
            "a.jsonl",
            "this is a JSON list, where JSONL has one object a line: write each of its objects on a line of its own",
        ),
    ),
    "an object over several lines": (
        {"a.jsonl": f'{{\n  "id": 1, "text": "{SECRET}"\n}}\n'},
        ("a.jsonl", "its first object goes over several lines, where JSONL has one object a line: write each on one"),
    ),
    "a span that ends beyond the note": (
        {"a.txt": "No fever", "a.ann": ANN.format(3, 9)},
        ("a.ann", "line 1: ends at 9, but the note has 8 characters"),
    ),
    "a wrong surface": (
        {"a.txt": SECRET, "a.ann": ANN.format(0, 5)},
        (
            "a.ann",
            "line 1: characters 0 5 of the note do not read as the quoted text "
            "(offsets count Unicode code points, the end is exclusive)",
        ),
    ),
    "offsets in UTF-16 units": (
        {"a.txt": "😀\r\n😀 fever 😀", "a.ann": ANN.format(7, 12)},
        (
            "a.ann",
            "line 1: characters 6 11 of the note do not read as the quoted text "
            "(offsets count Unicode code points, the end is exclusive); "
            "counted in UTF-16 units, as JavaScript and Java do, they fit",
        ),
    ),
    "offsets in UTF-16 units beyond the end": (
        {"a.txt": "😀😀 fever", "a.ann": ANN.format(5, 10)},
        (
            "a.ann",
            "line 1: ends at 10, but the note has 8 characters; counted in UTF-16 units, as JavaScript and Java do, "
            "they fit",
        ),
    ),
    "annotations without a text": ({"a.ann": ANN.format(0, 5)}, ("a.ann", "there is no .txt file of this name")),
    "a long name": (
        {"/".join(["n" * 99] * 3) + ".txt": "x"},
        (
            f"{'/'.join(['n' * 99] * 3)[:120]}…",
            "the name must be at most 200 printable characters: it becomes the id",
        ),
    ),
    "a name that spoils a terminal": (
        {"a\x1b[2J\u202e.txt": "x"},
        ("a▯[2J▯.txt", "the name must be at most 200 printable characters: it becomes the id"),
    ),
    "an empty text": ({"a.txt": ""}, ("a.txt", "'text' is empty")),
    "a text of spaces": ({"a.txt": " \t\r\n\u3000"}, ("a.txt", "'text' is empty")),
    "an empty JSONL file": ({"a.jsonl": " \n\n"}, ("source", "there is no note in it")),
    "an empty CSV file": ({"a.csv": ""}, ("source", "there is no note in it")),
    "a header alone": ({"a.csv": "id,text\n"}, ("source", "there is no note in it")),
    "a PDF": (
        {"a.txt": f"%PDF-1.4 {SECRET}"},
        ("a.txt", "this is a PDF: save it as plain text (UTF-8)"),
    ),
    "a Word document": (
        {"a.txt": office("word")},
        ("a.txt", "this is a Word document (.docx), not text: save it as plain text (UTF-8)"),
    ),
    "an Excel workbook": (
        {"a.csv": office("xl")},
        ("a.csv", "this is an Excel workbook (.xlsx), not text: save the sheet as CSV UTF-8"),
    ),
    "a gzip archive": (
        {"a.jsonl": gzip.compress(SECRET.encode())},
        ("a.jsonl", "this is a gzip archive: unpack it"),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_malformed_file_is_explained(project: Project, tmp_path: Path, kind: str) -> None:
    files, error = FILES[kind]
    assert refusal(project, tmp_path, files) == [error]


def test_metadata_may_hold_what_only_looks_like_nul(project: Project, tmp_path: Path) -> None:
    metadata = {"path": "\\u0000", "n": 10**4000, "control": "\x01\x1f\x7f", "wide": "😀\u202e"}
    write_rows(tmp_path / "n.jsonl", {"id": 1, "text": "x", "metadata": metadata})
    assert add(project, tmp_path).n_added == 1
    assert Document.objects.get().metadata == metadata


ODD_TEXT = "\ufeffA\u202eb\u2066c\u200bd\u00ade\x0cf\x1bg\x85h\u2028i\tj"


def test_odd_characters_are_kept_to_the_letter(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": f"x{ODD_TEXT}\ry\r\nz", "b.csv": f"id,text\nb,x{ODD_TEXT}\n"})
    write_rows(tmp_path / "c.jsonl", {"id": "c", "text": f"x{ODD_TEXT}"})
    assert add(project, tmp_path).n_added == 3
    stored = dict(Document.objects.values_list("external_id", "text"))
    assert stored == {"a": f"x{ODD_TEXT}\ny\nz", "b": f"x{ODD_TEXT}", "c": f"x{ODD_TEXT}"}


def test_the_preview_shows_no_character_that_spoils_it(project: Project, alice: User) -> None:
    source = source_of(upload(project, alice, {"a.txt": f"x{ODD_TEXT}", "b.txt": "plain\n"}))
    assert source is not None
    odd, plain = first_rows(source)
    assert odd.excerpt == "x\ufeffA▯b▯c\u200bd\u00ade f▯g h i j"
    assert (odd.n_unseen, plain.n_unseen) == (8, 0)


@pytest.mark.parametrize("line_end", ["\r", "\n", "\r\n"])
def test_jsonl_lines_end_as_they_like(project: Project, tmp_path: Path, line_end: str) -> None:
    rows = [json.dumps({"id": number, "text": "x"}) for number in range(3)]
    write_files(tmp_path, {"n.jsonl": line_end.join(rows)})
    assert add(project, tmp_path).n_added == 3


def test_every_fault_of_an_annotation_file_is_told(project: Project, tmp_path: Path) -> None:
    ann = "T1\tProblem x 5\tfever\nboo\nT2\tProblem 0 9\tx\nA1\tassertion T9 no\n"
    assert [
        message.partition(":")[0] for _, message in refusal(project, tmp_path, {"a.txt": "fever", "a.ann": ann})
    ] == [
        "line 1",
        "line 2",
        "line 4",
    ]


def test_spans_that_cover_a_note_again_and_again_are_stopped(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.exchange.checks.MAX_SPANS_CHARS", 1000)
    spans = [{"start": 0, "end": 100 - number, "label": "Problem"} for number in range(20)]
    write_rows(tmp_path / "n.jsonl", {"id": 1, "text": "x" * 100, "spans": spans})
    assert refusal(project, tmp_path, {}) == [("row 1", "its spans cover more than 1,000 characters")]


@pytest.mark.parametrize("name", ["n.jsonl", "n.csv", "n.txt", "n.ann"])
def test_memory_is_bounded_whatever_a_line_holds(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sources, "MAX_NOTE_BYTES", 1024 * 1024)
    monkeypatch.setattr(sources, "MAX_LINE_BYTES", 1024 * 1024)
    with (tmp_path / name).open("wb") as stream:
        stream.write(b'id,text\n"')
        stream.seek(80_000_000)
        stream.write(b"end")
    tracemalloc.start()
    assert len(refusal(project, tmp_path, {})) == (2 if name == "n.jsonl" else 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_no_note_text_reaches_the_log(project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for number, (files, _) in enumerate(FILES.values()):
            (tmp_path / str(number)).mkdir()
            refusal(project, tmp_path / str(number), files)
    assert SECRET not in caplog.text


NASTY = st.text(alphabet='a1é😀,;\t|"\r\n\0\\{}[]: ', max_size=60).map(str.encode)
KEYS = (
    *(
        "id",
        "data",
        "text",
        "annotations",
        "predictions",
        "result",
        "value",
        "type",
        "labels",
        "choices",
        "start",
        "end",
    ),
    *("from_id", "to_id", "completed_by", "score", "passages", "documents", "infons", "locations", "offset", "length"),
    *("spans", "label", "entities", "relations", "answer", "_input_hash", "meta", "from_name", "to_name"),
)
SHAPED = {
    ".txt": st.just(b""),
    ".ann": st.text(alphabet="TAME#* \t019;x\r\n\0é", max_size=60).map(lambda text: f"T1\t{text}".encode()),
    ".jsonl": st.text(max_size=20).map(
        lambda text: json.dumps({"id": text, "text": text, "metadata": {text: text}}).encode()
    ),
    ".csv": st.text(max_size=40).map(lambda text: f"id,text\n{text}".encode("utf-8", "surrogatepass")),
    ".json": st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.sampled_from(["labels", "choices", "relation", "fever"]),
        lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=6),
        max_leaves=20,
    ).map(lambda value: json.dumps([{"id": 1, "data": {"text": "fever"}, "annotations": [value]}, value]).encode()),
    ".xmi": st.text(alphabet='<>/="ab :x&;', max_size=60).map(lambda text: f"<x>{text}</x>".encode()),
    ".xml": st.text(max_size=40).map(
        lambda text: f"<collection><document><id>1</id>{text}</document></collection>".encode("utf-8", "surrogatepass")
    ),
}


@pytest.mark.parametrize("suffix", SHAPED)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_come_in_or_are_refused(
    project: Project, tmp_path_factory: pytest.TempPathFactory, suffix: str, data: st.DataObject
) -> None:
    content = data.draw(st.binary(max_size=80) | NASTY | SHAPED[suffix])
    folder = write_files(tmp_path_factory.mktemp("any"), {f"a{suffix}": content})
    if suffix == ".ann":
        write_files(folder, {"a.txt": "fever, no fever"})
    with transaction.atomic():
        try:
            report = add(project, folder, target=SpanTarget(annotator="gold", label_map={}))
        except ImportRefused as refused:
            report = refused.report
            n_added = 0
        else:
            n_added = report.n_added
        assert bool(report.n_errors) == (n_added == 0)
        assert Document.objects.count() == n_added
        n_spans = Annotation.objects.count() + Suggestion.objects.count()
        assert n_spans == (report.n_spans if n_added else 0)
        transaction.set_rollback(True)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80) | NASTY, suffix=st.sampled_from(sorted(SUFFIXES)))
def test_any_bytes_can_be_looked_at(
    project: Project, alice: User, tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    source = source_at(write_files(tmp_path_factory.mktemp("any"), {f"a{suffix}": content}))
    assert len(first_rows(source)) <= 5
    with transaction.atomic():
        item = upload(project, alice, {f"a{suffix}": content})
        item.refresh_from_db()
        assert item.result["look"]["n_files"] == 1
        transaction.set_rollback(True)
