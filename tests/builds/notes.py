"""Notes with all that makes a format stumble, as writers get them, and how a test has them written."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotator.builds.formats import FORMATS
from annotator.builds.options import BuildOptions
from annotator.builds.records import (
    BuildContext,
    CertificateRecord,
    CommentRecord,
    LabelerRecord,
    NoteRecord,
    Origin,
    RelationRecord,
    SpanRecord,
    ValueRecord,
)
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from tests.cast import TIED_SCHEMA

GOLDEN = Path(__file__).parent / "golden_formats"
AT = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
SCHEMA = schema_from_json(TIED_SCHEMA)
BOB = "bobbobbobbobbob2"
MODEL = LabelerRecord("Gemma", "llamacpp", "gemma-3-270m", "1", "0" * 64)
CERTIFICATE = CertificateRecord(3, "certificatecert2", 0.95, 0.1)
FEVER = "Fever 🤒 since Monday.\nStiffness in the left and right knee.\nParacetamol ≥ 500 mg."
# A formula, a tab, a span over a line end, marks that combine, a joined emoji, right to left, a hard space, a bell.
ODD = (
    '=HYPERLINK("x")\tfever,\n"chest\npain" cafe\u0301 👩\u200d⚕️ '
    "\u05e9\u05dc\u05d5\u05dd\u00a050mg\u2028-DOCSTART- </note> & \x07end"
)
_Spans = tuple[SpanRecord, ...]


def span(text: str, *quotes: str, label: str, attributes: Mapping[str, str] | None = None, **fields: Any) -> SpanRecord:
    """The span of `quotes`, each sought behind the one before; decided by Bob unless `fields` say otherwise."""
    fragments, place = [], 0
    for quote in quotes:
        start = text.index(quote, place)
        place = start + len(quote)
        fragments.append((start, place))
    place_of_it = Span(tuple(fragments))
    said: dict[str, Any] = {"annotator": BOB, "stage": "base", "origin": None, "decided_at": AT}
    return SpanRecord(
        span=place_of_it,
        surface=place_of_it.surface(text),
        label=label,
        attributes=attributes or {},
        **said | fields,
    )


def note(
    text: str, *spans: SpanRecord, id: str = "n-1", public_id: str = "notenotenotenot2", **fields: Any
) -> NoteRecord:
    found: dict[str, Any] = {
        "patient_id": "p1",
        "note_type": "ED",
        "metadata": {},
        "relations": (),
        "document_labels": (),
    }
    return NoteRecord(
        id=id,
        public_id=public_id,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        spans=tuple(sorted(spans, key=lambda found: (found.span, found.label))),
        **found | fields,
    )


def fever_note() -> NoteRecord:
    """A suggestion accepted, a span in pieces, a suggestion corrected and certified, relations, a label, comments."""
    fever = span(
        FEVER, "Fever", label="Problem", attributes={"assertion": "present"}, origin=Origin(MODEL, 0.75, False)
    )
    knee = span(FEVER, "Stiffness in the left", "knee", label="Problem", attributes={"assertion": "possible"})
    drug = span(
        FEVER,
        "Paracetamol ≥ 500 mg",
        label="Medication",
        origin=Origin(MODEL, 0.99, True),
        annotator="",
        certificate=CERTIFICATE,
    )
    return note(
        FEVER,
        fever,
        knee,
        drug,
        id="a-1",
        public_id="aaaaaaaaaaaaaaa2",
        metadata={"ward": 3, "site": "north"},
        relations=(RelationRecord("seen with", 1, 0, BOB, AT), RelationRecord("treats", 2, 0, BOB, AT)),
        document_labels=(ValueRecord("smoking", "former", BOB, AT),),
        comments=(
            CommentRecord("discuss", "Since Monday\ttoo?\nAsk.", fever.span, "Problem", BOB, AT),
            CommentRecord("flag", "", None, "", BOB, AT),
        ),
    )


def odd_note() -> NoteRecord:
    return note(
        ODD,
        span(ODD, "fever", label="Problem", attributes={"assertion": "absent"}),
        span(ODD, "chest\npain", label="Problem", attributes={"assertion": "present"}),
        span(ODD, "pain", label="Problem", attributes={"assertion": "present"}),
        span(ODD, "cafe\u0301 👩\u200d⚕️", label="Medication"),
        span(ODD, "\u05e9\u05dc\u05d5\u05dd\u00a050", label="Medication"),
        span(ODD, "end", label="Problem", attributes={"assertion": "family"}),
        id="=cmd|b-1",
        public_id="bbbbbbbbbbbbbbb2",
        patient_id="p2",
        note_type="",
    )


def notes() -> list[tuple[str, NoteRecord]]:
    """Three notes with their parts, in the order of a build."""
    empty = note("Nothing new.", id="c-1", public_id="ccccccccccccccc2", patient_id="")
    return [("train", odd_note()), ("train", fever_note()), ("dev", empty)]


def write_notes(
    name: str,
    out: Path,
    given: Sequence[tuple[str, NoteRecord]] | None = None,
    *,
    schema: Schema = SCHEMA,
    **options: Any,
) -> tuple[dict[str, int | None], dict[str, int]]:
    """Have the notes written in a format; the files with their numbers of rows, and what did not fit."""
    out.mkdir(exist_ok=True)
    context = BuildContext(schema, BuildOptions(**options))
    writer = FORMATS[name].open_writer(folder=out, context=context)
    for part, found in notes() if given is None else given:
        writer.add(note=found, part=part)
    n_rows = writer.close()
    assert n_rows.keys() == {path.name for path in out.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    return n_rows, dict(sorted(context.losses.items()))


def check_golden(name: str, files: Mapping[str, str], losses: Mapping[str, int]) -> None:
    """The files and what did not fit are those of the golden folder; `GOLDEN=write pytest …` writes it anew."""
    folder = GOLDEN / name
    found = {**files, "losses.json": json.dumps(losses, indent=2) + "\n"}
    if os.environ.get("GOLDEN") == "write":
        for file, content in found.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content.encode())
    kept = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert found.keys() == kept.keys()
    for file, content in found.items():
        assert content == kept[file].read_bytes().decode(), file


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in sorted(folder.iterdir())}
