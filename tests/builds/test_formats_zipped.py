"""brat and XMI: a file for each note, in zip files."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cassis
import pytest

from annotator.builds.formats import zips
from annotator.core.brat import parse_ann
from tests.builds.notes import (
    CERTIFICATE,
    FEVER,
    MODEL,
    check_golden,
    fever_note,
    note,
    notes,
    odd_note,
    span,
    write_notes,
)

# What brat's own server takes, line by line, of kinds that are written.
_BRAT_LINES = {
    "T": r"T\d+\t\S+ \d+ \d+(?:;\d+ \d+)*\t.+",
    "A": r"A\d+\t\S+ T\d+ .+",
    "R": r"R\d+\t\S+ Arg1:T\d+ Arg2:T\d+",
    "#": r"#\d+\tAnnotatorNotes T\d+\t.+",
}


def members(path: Path) -> dict[str, str]:
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def unpacked(folder: Path) -> dict[str, str]:
    return {
        f"{path.name}/{name}": content for path in sorted(folder.iterdir()) for name, content in members(path).items()
    }


def strictly_read(text: str, ann: str, configuration: str) -> list[tuple[str, str]]:
    """The quoted texts and their types, after every check that brat's server makes, and that types are configured."""
    configured = {line.partition("\t")[0] for line in configuration.splitlines() if line and line[0] not in "[<"}
    ids: set[str] = set()
    found = []
    assert ann == "" or ann.endswith("\n")
    for line in ann.splitlines():  # brat, too, ends a line at each of these characters
        assert re.fullmatch(_BRAT_LINES[line[0]], line)
        id, data, *rest = line.split("\t", 2)
        assert id not in ids
        ids.add(id)
        assert set(re.findall(r"\bT\d+\b", data)) <= ids
        if line[0] == "T":
            type, _, places = data.partition(" ")
            fragments = [tuple(map(int, place.split(" "))) for place in places.split(";")]
            assert all(0 <= start < end <= len(text) for start, end in fragments)
            assert fragments == sorted(fragments)
            assert " ".join(text[start:end] for start, end in fragments) == rest[0]
            found.append((rest[0], type))
        if line[0] in "TAR":
            assert data.split(" ")[0] in configured
    return found


def test_brat_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("brat", tmp_path, has_comments=True)
    assert n_rows == {"train.brat.zip": 2, "dev.brat.zip": 1}
    check_golden("brat", unpacked(tmp_path), losses)


def test_brat_files_pass_the_checks_of_its_server(tmp_path: Path) -> None:
    _, losses = write_notes("brat", tmp_path, has_comments=True)
    found = members(tmp_path / "train.brat.zip")
    read = {
        row["id"]: strictly_read(found[f"{row['file']}.txt"], found[f"{row['file']}.ann"], found["annotation.conf"])
        for row in map(json.loads, found["notes.jsonl"].splitlines())
    }
    assert read["a-1"] == [
        ("Fever", "Problem"),
        ("Stiffness in the left knee", "Problem"),
        ("Paracetamol ≥ 500 mg", "Medication"),
    ]
    assert ("chest pain", "Problem") in read["=cmd|b-1"]
    assert losses == {
        "comments about no span of the note": 1,
        "spans across line ends, cut into pieces there": 1,
    }
    assert "#1\tAnnotatorNotes T1\tdiscuss: Since Monday too? Ask.\n" in found["aaaaaaaaaaaaaaa2.ann"]


def test_brat_files_come_back_through_the_import_reader(tmp_path: Path) -> None:
    write_notes("brat", tmp_path)
    found = members(tmp_path / "train.brat.zip")
    for given in (fever_note(), odd_note()):
        assert found[f"{given.public_id}.txt"] == given.text
        read = parse_ann(found[f"{given.public_id}.ann"])
        assert (read.losses, read.faults) == ({}, ())
        pieces = [" ".join(own.span.surface(given.text).split()) for own in read.spans]
        assert pieces == [" ".join(span.surface.split()) for span in given.spans]
        assert [(own.label, dict(own.attributes)) for own in read.spans] == [
            (span.label, span.attributes) for span in given.spans
        ]
        assert [(tie.type.replace("_", " "), tie.head, tie.tail) for tie in read.relations] == [
            (tie.type, tie.head, tie.tail) for tie in given.relations
        ]
    rows = {row["id"]: row for row in map(json.loads, found["notes.jsonl"].splitlines())}
    assert rows["a-1"]["document_labels"] == {"smoking": "former"}
    assert rows["a-1"]["metadata"] == {"site": "north", "ward": 3}


def test_brat_holds_comments_only_where_they_are_asked_for(tmp_path: Path) -> None:
    _, losses = write_notes("brat", tmp_path)
    assert losses["comments, which were not asked for"] == 2
    assert not any("Monday\ttoo" in content or "AnnotatorNotes" in content for content in unpacked(tmp_path).values())


def test_brat_configuration_has_labels_that_only_older_spans_have(tmp_path: Path) -> None:
    old = note("Fever.", span("Fever.", "Fever", label="Adverse event", attributes={"grade": "2"}))
    _, losses = write_notes("brat", tmp_path, [("train", old)])
    found = members(tmp_path / "train.brat.zip")
    assert "\nAdverse_event\n" in found["annotation.conf"]
    assert strictly_read(old.text, found[f"{old.public_id}.ann"], found["annotation.conf"])
    assert losses == {"attributes that the schema no longer has": 1}


# XMI


def cas_of(found: dict[str, str], public_id: str) -> Any:
    types = cassis.load_typesystem(io.BytesIO(found["TypeSystem.xml"].encode()))
    return cassis.load_cas_from_xmi(io.BytesIO(found[f"{public_id}.xmi"].encode()), typesystem=types)


def test_xmi_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("xmi", tmp_path)
    assert n_rows == {"train.xmi.zip": 2, "dev.xmi.zip": 1}
    assert losses == {"characters that XML cannot hold, written as U+FFFD": 1}
    check_golden("xmi", unpacked(tmp_path), losses)


@pytest.mark.parametrize("given", [fever_note(), odd_note()], ids=["fever", "odd"])
def test_xmi_opens_in_cassis_with_every_span_at_its_text(given: Any, tmp_path: Path) -> None:
    write_notes("xmi", tmp_path)
    cas = cas_of(members(tmp_path / "train.xmi.zip"), given.public_id)
    text = given.text.replace("\x07", "\ufffd")
    assert cas.sofa_string == text
    spans = cas.select("marginalia.Span")
    assert Counter((found.label, found.begin, found.end) for found in spans) == Counter(
        (found.label, found.span.start, found.span.end) for found in given.spans
    )
    for found in spans:
        pieces = found.fragments.elements if found.fragments else [found]
        quoted = " ".join(piece.get_covered_text() for piece in pieces)
        assert any(quoted == own.span.surface(text) and found.label == own.label for own in given.spans)


def test_xmi_holds_all_that_is_known_of_a_note(tmp_path: Path) -> None:
    write_notes("xmi", tmp_path)
    cas = cas_of(members(tmp_path / "train.xmi.zip"), "aaaaaaaaaaaaaaa2")
    (about,) = cas.select("marginalia.Note")
    assert (about.noteId, about.patientId, about.noteType) == ("a-1", "p1", "ED")
    assert json.loads(about.metadata) == {"ward": 3, "site": "north"}
    fever, knee, drug = sorted(cas.select("marginalia.Span"), key=lambda found: found.begin)
    assert (fever.assertion, knee.assertion, drug.assertion) == ("present", "possible", None)
    assert (fever.modelId, fever.score, fever.isEdited) == (MODEL.model_id, 0.75, False)
    assert (drug.decidedBy, drug.certificate, drug.target) == ("certificate", CERTIFICATE.public_id, 0.95)
    assert [piece.get_covered_text() for piece in knee.fragments.elements] == ["Stiffness in the left", "knee"]
    ties = {(tie.label, tie.head.begin, tie.tail.begin) for tie in cas.select("marginalia.Relation")}
    assert ties == {("seen with", knee.begin, fever.begin), ("treats", drug.begin, fever.begin)}
    (smoking,) = cas.select("marginalia.NoteLabel")
    assert (smoking.name, smoking.value) == ("smoking", "former")


def test_xmi_offsets_count_utf16_units_as_java_does(tmp_path: Path) -> None:
    write_notes("xmi", tmp_path)
    raw = members(tmp_path / "train.xmi.zip")["aaaaaaaaaaaaaaa2.xmi"]
    begin = len(FEVER[: FEVER.index("Paracetamol")].encode("utf-16-le")) // 2
    assert begin == FEVER.index("Paracetamol") + 1
    assert f'begin="{begin}"' in raw


def test_xmi_attributes_may_be_called_as_features_are(tmp_path: Path) -> None:
    odd = note("Fever.", span("Fever.", "Fever", label="Problem", attributes={"begin": "late", "seen by": "nurse"}))
    write_notes("xmi", tmp_path, [("train", odd)])
    (found,) = cas_of(members(tmp_path / "train.xmi.zip"), odd.public_id).select("marginalia.Span")
    assert (found.begin, found.end, found.begin_2, found.seen_by) == (0, 5, "late", "nurse")


# Zips


@pytest.mark.parametrize("name", ["brat", "xmi"])
def test_zips_never_hold_too_many_notes_and_tell_no_time(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "NOTES_A_FILE", 2)
    given = [
        ("train", replace(fever_note(), id=f"n-{number}", public_id=f"{number:016}")) for number in range(5)
    ] + notes()[2:]
    n_rows, _ = write_notes(name, tmp_path / "out", given)
    suffix = f"{name}.zip"
    assert n_rows == {f"train.{suffix}": 2, f"train-2.{suffix}": 2, f"train-3.{suffix}": 1, f"dev.{suffix}": 1}
    assert "annotation.conf" in members(tmp_path / "out" / f"train-3.{suffix}") or name == "xmi"
    for path in (tmp_path / "out").iterdir():
        with ZipFile(path) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100600}


def test_no_text_of_a_note_is_the_name_of_a_file(tmp_path: Path) -> None:
    write_notes("brat", tmp_path, [("train", replace(fever_note(), id="../../etc/passwd"))])
    assert set(members(tmp_path / "train.brat.zip")) == {
        *("annotation.conf", "notes.jsonl", "aaaaaaaaaaaaaaa2.txt", "aaaaaaaaaaaaaaa2.ann")
    }
