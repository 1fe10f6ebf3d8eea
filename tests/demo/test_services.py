"""The demo notes are as varied as promised, and their gold spans are right."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from annotator.core.brat import parse_ann
from annotator.core.spans import checked_surface
from annotator.core.text import normal_text
from annotator.demo.services import NOTES, demo_documents, demo_schema, ensure_demo
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob
from tests.cast import NOW, Bells, make_user

ROWS = [json.loads(line) for line in (NOTES / "index.jsonl").read_text().splitlines()]


def test_there_are_enough_notes_of_many_kinds_and_twelve_patients() -> None:
    assert len(ROWS) >= 24
    assert len({row["patient_id"] for row in ROWS}) == 12
    assert len({row["note_type"] for row in ROWS}) >= 8


def test_the_notes_hold_what_breaks_other_tools() -> None:
    raw = [(NOTES / row["file"]).read_bytes().decode() for row in ROWS]
    assert any("\r\n" in text for text in raw)
    assert any("\t" in text for text in raw)
    assert any(ord(character) > 0xFFFF for text in raw for character in text)
    assert any("µg" in text for text in raw) and any("≥" in text for text in raw)
    assert sum(45_000 <= len(text) <= 55_000 for text in raw) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_gold_spans_read_as_their_text_and_fit_the_schema(row: dict[str, str]) -> None:
    schema = demo_schema()
    raw = (NOTES / row["file"]).read_bytes().decode()
    normal = normal_text(raw)
    gold = parse_ann((NOTES / row["file"]).with_suffix(".ann").read_text())
    assert gold.spans
    for found in gold.spans:
        checked_surface(text=normal.text, span=normal.span_from_raw(found.span), surface=found.surface)
        schema.checked_attributes(label=schema.label(found.label).name, given=found.attributes)


def test_gold_has_every_label_assertion_and_shape() -> None:
    schema = demo_schema()
    spans = [span for row in ROWS for span in parse_ann((NOTES / f"{row['id']}.ann").read_text()).spans]
    assert {span.label for span in spans} == set(schema.label_names)
    assertions = Counter(span.attributes.get("assertion", "present") for span in spans if span.label == "Problem")
    assert set(assertions) == {value.name for value in schema.attributes[0].values}
    assert sum(span.span.is_discontinuous for span in spans) >= 8


@pytest.mark.django_db
def test_the_demo_is_made_once_and_its_labelling_starts(bells: Bells) -> None:
    make_user("lead")
    with bells.after_commit():
        run = ensure_demo(now=NOW)
    assert run is not None
    assert Document.objects.count() == len(ROWS) == LabelJob.objects.filter(status="queued").count()
    assert "llm_labeler.label_run" in bells.tasks()
    assert ensure_demo(now=NOW) is None
    assert Project.objects.get().memberships.get().role == "lead"


def test_documents_are_normal_text() -> None:
    assert not any("\r" in document.text for document in demo_documents())
