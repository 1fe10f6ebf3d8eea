"""CSV and Parquet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from annotator.builds.formats import parquet
from tests.builds.notes import FEVER, ODD, check_golden, fever_note, note, odd_note, texts_of, write_notes


def rows(path: Path) -> list[dict[str, str]]:
    """As a program reads them: one apostrophe less where a cell begins with any."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{key: cell.removeprefix("'") for key, cell in row.items()} for row in csv.DictReader(file, strict=True)]


def test_csv_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("csv", tmp_path)
    assert n_rows == {
        "train.notes.csv": 2,
        "train.spans.csv": 9,
        "train.relations.csv": 2,
        "dev.notes.csv": 1,
        "dev.spans.csv": 0,
        "dev.relations.csv": 0,
    }
    check_golden("csv", texts_of(tmp_path), losses)


def test_csv_rows_come_back_as_the_notes_and_spans_were(tmp_path: Path) -> None:
    write_notes("csv", tmp_path)
    found = {row["id"]: row for row in rows(tmp_path / "train.notes.csv")}
    given = {one.id: one for one in (odd_note(), fever_note())}
    assert {id: row["text"] for id, row in found.items()} == {id: one.text for id, one in given.items()}
    assert json.loads(found["a-1"]["metadata"]) == {"ward": 3, "site": "north"}
    assert (found["a-1"]["label.smoking"], found["a-1"]["label.pregnant"]) == ("former", "")
    for row in rows(tmp_path / "train.spans.csv"):
        one = given[row["note_id"]]
        own = one.spans[int(row["span"])]
        assert (row["fragments"], row["surface"], row["label"]) == (str(own.span), own.surface, own.label)
        assert (int(row["start"]), int(row["end"])) == (own.span.start, own.span.end)
        assert row["attribute.assertion"] == own.attributes.get("assertion", "")
        assert row["certificate"] == (own.certificate.public_id if own.certificate else "")
    ties = [(row["type"], int(row["head"]), int(row["tail"])) for row in rows(tmp_path / "train.relations.csv")]
    assert ties == [(tie.type, tie.head, tie.tail) for tie in fever_note().relations]


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "＝1", "＋1", "－1", "＠1", "'=1", "\n=1"])
def test_no_cell_of_a_csv_file_begins_like_a_formula(begin: str, tmp_path: Path) -> None:
    text = f"{begin} and fever"
    _, losses = write_notes("csv", tmp_path, [("train", note(text, id=f"{begin.strip()}id"))])
    with (tmp_path / "train.notes.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n＝＋－＠")]
    assert rows(tmp_path / "train.notes.csv")[0]["text"] == text
    assert losses["cells that begin like a formula, behind an apostrophe"] >= 1


def test_csv_columns_are_the_same_in_every_part(tmp_path: Path) -> None:
    write_notes("csv", tmp_path)
    for table in ("notes", "spans", "relations"):
        heads = {(tmp_path / f"{part}.{table}.csv").read_bytes().split(b"\r\n")[0] for part in ("train", "dev")}
        assert len(heads) == 1


# Parquet


def table(path: Path) -> list[dict[str, Any]]:
    return pyarrow.parquet.read_table(path).to_pylist()


def test_parquet_rows_are_those_of_the_golden_files(tmp_path: Path) -> None:
    n_rows, losses = write_notes("parquet", tmp_path)
    assert n_rows == {"train.parquet": 2, "dev.parquet": 1}
    told = {
        f"{path.name}.json": json.dumps(table(path), ensure_ascii=False, indent=1) + "\n"
        for path in sorted(tmp_path.iterdir())
    }
    schema = pyarrow.parquet.read_schema(tmp_path / "train.parquet").to_string()
    check_golden("parquet", {**told, "schema.txt": schema + "\n"}, losses)


def test_parquet_says_all_that_jsonl_says(tmp_path: Path) -> None:
    write_notes("parquet", tmp_path / "parquet")
    write_notes("jsonl", tmp_path / "jsonl")
    lines = (tmp_path / "jsonl" / "train.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    for row, line in zip(table(tmp_path / "parquet" / "train.parquet"), map(json.loads, lines), strict=True):
        native = {
            **row,
            "metadata": json.loads(row["metadata"]),
            "spans": [
                {**found, "attributes": {each["name"]: each["value"] for each in found["attributes"]}}
                for found in row["spans"]
            ],
            "document_labels": {each["name"]: each["value"] for each in row["document_labels"]},
            "document_label_sources": {each["name"]: each["source"] for each in row["document_labels"]},
        }
        assert without_nothing(native) == without_nothing(line)


def test_parquet_opens_in_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    write_notes("parquet", tmp_path / "out")
    found = datasets.load_dataset(
        "parquet",
        data_files={"train": str(tmp_path / "out" / "train.parquet"), "dev": str(tmp_path / "out" / "dev.parquet")},
        cache_dir=str(tmp_path / "cache"),
    )
    assert {part: found[part].num_rows for part in found} == {"train": 2, "dev": 1}
    by_id = {row["id"]: row for row in found["train"]}
    assert by_id["a-1"]["text"] == FEVER
    assert by_id["=cmd|b-1"]["text"] == ODD
    assert [span["surface"] for span in by_id["a-1"]["spans"]] == [own.surface for own in fever_note().spans]
    assert found["dev"][0]["spans"] == []


def test_parquet_is_written_before_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_NOTES", 2)
    write_notes("parquet", tmp_path, [("train", fever_note())] * 5)
    assert pyarrow.parquet.ParquetFile(tmp_path / "train.parquet").num_row_groups == 3
    assert len(table(tmp_path / "train.parquet")) == 5


def without_nothing(value: Any) -> Any:
    """The value without keys that have nothing to say."""
    if isinstance(value, dict):
        kept = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, [], {})}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value
