"""Whatever a note reads, every format with offsets gives each piece of each span back."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import cassis
import pytest
from bioc import biocxml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.builds.records import NoteRecord
from annotator.core.spans import Span
from tests.builds.notes import note, span, write_notes

Quotes = list[str]
# Marks, an astral character, every kind of line end, controls, and what XML, CSV and JSON have a meaning for.
ALPHABET = "ab é\u0301😀\u200d\u2028\x85\x0b\x0c\x1c\t\n\x07\ufffe'=,;&<>]\"\\"


@st.composite
def odd_notes(draw: st.DrawFn) -> NoteRecord:
    text = draw(st.text(alphabet=ALPHABET, min_size=2, max_size=30).filter(str.strip))
    spans = []
    for _ in range(draw(st.integers(0, 3))):
        ends = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=4, unique=True)))
        found = Span(tuple(zip(ends[::2], ends[1::2], strict=False)))
        if found.surface(text).strip():
            spans.append(replace(span(text, text, label="Problem"), span=found, surface=found.surface(text)))
    return note(text, *spans)


def in_xmi(folder: Path) -> Iterator[tuple[str, Quotes]]:
    with ZipFile(folder / "train.xmi.zip") as archive:
        types = cassis.load_typesystem(io.BytesIO(archive.read("TypeSystem.xml")))
        cas = cassis.load_cas_from_xmi(io.BytesIO(archive.read("notenotenotenot2.xmi")), typesystem=types)
    for found in cas.select("marginalia.Span"):
        pieces = found.fragments.elements if found.fragments else [found]
        yield cas.sofa_string, [piece.get_covered_text() for piece in pieces]


def in_bioc(folder: Path) -> Iterator[tuple[str, Quotes]]:
    with biocxml.iterparse(str(folder / "train.bioc.xml")) as documents:
        ((passage,),) = (document.passages for document in documents)
    for found in passage.annotations:
        places = [(place.offset, place.offset + place.length) for place in found.locations]
        yield passage.text, [passage.text[start:end] for start, end in places]


def in_brat(folder: Path) -> Iterator[tuple[str, Quotes]]:
    with ZipFile(folder / "train.brat.zip") as archive:
        text, ann = (archive.read(f"notenotenotenot2.{kind}").decode() for kind in ("txt", "ann"))
    for line in ann.splitlines():
        id, place, quoted = line.split("\t", 2)
        assert re.fullmatch(r"T\d+", id)
        quotes = [text[int(start) : int(end)] for start, end in re.findall(r"(\d+) (\d+)", place)]
        assert " ".join(quotes) == quoted
        yield text, quotes


def in_label_studio(folder: Path) -> Iterator[tuple[str, Quotes]]:
    (task,) = json.loads((folder / "train.label-studio.json").read_text(encoding="utf-8"))
    text = task["data"]["text"]
    units = text.encode("utf-16-le")
    pieces: dict[str, Quotes] = {}
    for each in task["annotations"][0]["result"]:
        if each["type"] == "labels":
            quote = units[2 * each["value"]["start"] : 2 * each["value"]["end"]].decode("utf-16-le")
            assert quote == each["value"]["text"]
            pieces.setdefault(each["id"].partition("-")[0], []).append(quote)
    yield from ((text, quotes) for quotes in pieces.values())


def in_csv(folder: Path) -> Iterator[tuple[str, Quotes]]:
    tables = {}
    for name in ("notes", "spans"):
        with (folder / f"train.{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            tables[name] = list(csv.DictReader(file, strict=True))
    text = tables["notes"][0]["text"].removeprefix("'")
    for row in tables["spans"]:
        fragments = Span.parse(row["fragments"]).fragments
        assert row["surface"].removeprefix("'") == Span(fragments).surface(text)
        yield text, [text[start:end] for start, end in fragments]


def as_given(text: str, quotes: Quotes) -> tuple[str, Quotes]:
    return text, quotes


def as_xml(text: str, quotes: Quotes) -> tuple[str, Quotes]:
    without = str.maketrans(dict.fromkeys("\x07\x0b\x0c\x1c\ufffe", "\ufffd"))
    return text.translate(without), [quote.translate(without) for quote in quotes]


def as_lines(text: str, quotes: Quotes) -> tuple[str, Quotes]:
    return text, [line for quote in quotes for line in quote.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("name", "read", "expected"),
    [
        ("xmi", in_xmi, as_xml),
        ("bioc", in_bioc, as_xml),
        ("brat", in_brat, as_lines),
        ("label-studio", in_label_studio, as_given),
        ("csv", in_csv, as_given),
    ],
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(given=odd_notes())
def test_every_piece_of_every_span_comes_back(
    name: str,
    read: Callable[[Path], Iterator[tuple[str, Quotes]]],
    expected: Callable[[str, Quotes], tuple[str, Quotes]],
    given: NoteRecord,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_notes(name, Path(folder), [("train", given)])
        found = list(read(Path(folder)))
    wanted = [expected(given.text, [given.text[a:b] for a, b in own.span.fragments]) for own in given.spans]
    assert sorted(found) == sorted(wanted)
