"""doccano and Prodigy, whose rows are JSONL."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.core import doccano, prodigy
from annotator.core.foreign import ForeignNote, RowError, Voice

TEXT = "😀 No chest pain. On metformin."


def read_doccano(row: dict[str, Any], stem: str = "anna", *, has_spans: bool = True) -> ForeignNote:
    (note,) = doccano.parse_row(row, where="row 1", has_spans=has_spans, file_stem=stem)
    return note


def read_prodigy(row: dict[str, Any], *, has_spans: bool = True) -> ForeignNote:
    (note,) = prodigy.parse_row(row, where="row 1", has_spans=has_spans)
    return note


def surfaces(note: ForeignNote) -> list[tuple[str, str]]:
    return [(span.span.surface(note.text or ""), span.label) for span in note.spans or ()]


def test_doccano_rows_are_read_in_code_points_for_whom_the_file_is_named_after() -> None:
    note = read_doccano({"id": 3, "text": TEXT, "label": [[5, 15, "P"], [20, 29, "D"]], "Comments": ["hm"], "ward": 3})
    assert surfaces(note) == [("chest pain", "P"), ("metformin", "D")]
    assert (note.external_id, note.voice, note.metadata) == ("3", Voice("anna"), {"ward": 3})
    assert note.losses == {"comments": 1}
    assert read_doccano({"id": 3, "text": TEXT, "label": []}, "all").voice == Voice()
    assert read_doccano({"id": 3, "text": TEXT, "label": []}, has_spans=False).spans is None


def test_doccano_relations_join_entities_by_their_ids() -> None:
    entities = [
        {"id": 10, "label": "P", "start_offset": 5, "end_offset": 15},
        {"id": 11, "label": "D", "start_offset": 20, "end_offset": 29},
    ]
    relations = [{"id": 1, "from_id": 11, "to_id": 10, "type": "treats"}]
    note = read_doccano({"id": 3, "text": TEXT, "entities": entities, "relations": relations})
    assert [(each.type, each.head, each.tail) for each in note.relations] == [("treats", 1, 0)]


def test_doccano_labels_of_whole_notes_are_counted() -> None:
    assert read_doccano({"id": 3, "text": TEXT, "label": ["urgent"]}).losses["labels of whole notes"] == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": 1}, "'text' must be a text"),
        ({"text": "x"}, "'id' is missing"),
        ({"id": 1, "text": "x", "label": "P"}, "'label' must be a list"),
        ({"id": 1, "text": "x", "label": [[0, 1]]}, "'label[0]' must be [start, end, label]"),
        ({"id": 1, "text": "x", "label": [[0.5, 1, "P"]]}, "'label[0]': a fragment is two whole numbers"),
        ({"id": 1, "text": "x", "entities": [], "relations": [{"from_id": 1}]}, "must join two of the 'entities'"),
    ],
)
def test_doccano_rows_that_cannot_be_read_are_told(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as caught:
        read_doccano(row)
    assert message in str(caught.value)


def prodigy_row(**more: Any) -> dict[str, Any]:
    spans = [{"start": 5, "end": 15, "label": "P", "token_start": 2, "token_end": 3}]
    return {"text": TEXT, "_input_hash": -77, "spans": spans, "answer": "accept"} | more


def test_prodigy_rows_are_read_in_code_points_for_who_answered() -> None:
    note = read_prodigy(prodigy_row(_annotator_id="notes-anna", _session_id="notes-x", meta={"ward": 3}))
    assert surfaces(note) == [("chest pain", "P")]
    assert (note.external_id, note.voice, note.metadata) == ("prodigy--77", Voice("notes-anna"), {"ward": 3})
    assert read_prodigy(prodigy_row(meta={"note_id": "n-1"})).external_id == "n-1"


@pytest.mark.parametrize("answer", ["reject", "ignore"])
def test_prodigy_spans_that_were_not_accepted_do_not_come_in(answer: str) -> None:
    note = read_prodigy(prodigy_row(answer=answer, _annotator_id="anna"))
    assert (note.spans, note.voice, dict(note.losses)) == (None, Voice(), {f"rows that were answered {answer}": 1})


def test_a_prodigy_row_that_was_accepted_without_spans_says_that_there_are_none() -> None:
    row = {"text": TEXT, "_input_hash": 1}
    assert read_prodigy(row | {"answer": "accept"}).spans == ()
    assert read_prodigy(row).spans is None


def test_prodigy_relations_join_spans_by_their_offsets() -> None:
    spans = [{"start": 5, "end": 15, "label": "P"}, {"start": 20, "end": 29, "label": "D"}]
    tie = {"head_span": spans[1], "child_span": spans[0], "head": 9, "child": 3, "label": "treats"}
    note = read_prodigy(prodigy_row(spans=spans, relations=[tie]))
    assert [(each.type, each.head, each.tail) for each in note.relations] == [("treats", 1, 0)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "x", "answer": "accept"}, "'text' must be a text"),
        (prodigy_row(answer="maybe"), "'answer' must be accept, reject or ignore"),
        ({"text": "x", "spans": []}, "neither an 'id'"),
        (prodigy_row(spans=[{"start": 3, "end": 3, "label": "P"}]), "'spans[0]': fragment 3-3 is empty"),
        (prodigy_row(relations=[{"label": "x"}]), "must join two of the 'spans'"),
    ],
)
def test_prodigy_rows_that_cannot_be_read_are_told(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as caught:
        read_prodigy(row)
    assert message in str(caught.value)
