from __future__ import annotations

from typing import Any

import pytest

from annotator.core.foreign import ForeignNote, RowError, Voice
from annotator.core.label_studio import parse_task
from annotator.core.spans import Span

TEXT = "😀 No chest pain.\r\nOn metformin."


def region(id: str, start: int, end: int, *labels: str, text: str | None = None) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": list(labels)} | ({"text": text} if text else {})
    return {"id": id, "type": "labels", "from_name": "label", "to_name": "text", "value": value}


def answer(id: int, by: Any, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, "completed_by": by, "result": list(results)} | more


def task(*annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": TEXT}, "annotations": list(annotations)} | more


def read(given: dict[str, Any], *, has_spans: bool = True) -> list[ForeignNote]:
    return parse_task(given, where="task 1", has_spans=has_spans)


def losses(notes: list[ForeignNote]) -> dict[str, int]:
    return {name: n for note in notes for name, n in note.losses.items() if n}


def test_offsets_count_utf16_units_and_both_characters_of_a_line_end() -> None:
    (note,) = read(
        task(answer(1, "anna", region("a", 6, 16, "Problem", text="chest pain"), region("b", 22, 31, "Drug")))
    )
    assert [span.span for span in note.spans or ()] == [Span.of(5, 15), Span.of(21, 30)]
    assert [TEXT[span.span.start : span.span.end] for span in note.spans or ()] == ["chest pain", "metformin"]


def test_an_offset_in_the_middle_of_a_character_is_an_error() -> None:
    with pytest.raises(RowError, match="annotation 1, result 1: offset 1, in UTF-16 units, lies in the middle"):
        read(task(answer(1, "anna", region("a", 1, 4, "Problem"))))


def test_each_person_and_each_model_has_a_row_of_its_own() -> None:
    given = task(
        answer(1, {"id": 4, "email": "anna@ward.example"}),
        answer(2, 9, region("a", 6, 16, "Problem")),
        predictions=[{"id": 3, "model_version": "ner 2", "score": 0.7, "result": [region("p", 6, 16, "Problem")]}],
    )
    notes = read(given)
    assert [(note.voice, note.is_further, len(note.spans or ())) for note in notes] == [
        (Voice("anna@ward.example"), False, 0),
        (Voice("user 9"), True, 1),
        (Voice("ner 2", is_model=True), True, 1),
    ]
    assert [span.score for span in notes[2].spans or ()] == [0.7]
    assert [span.score for span in notes[1].spans or ()] == [None]
    assert {note.external_id for note in notes} == {"7"}


def test_a_region_with_two_labels_is_two_spans() -> None:
    (note,) = read(task(answer(1, "anna", region("a", 6, 16, "Problem", "Finding"))))
    assert [span.label for span in note.spans or ()] == ["Problem", "Finding"]


def test_choices_of_a_region_are_attributes_and_others_labels_of_the_note() -> None:
    chosen = {"type": "choices", "value": {"choices": ["absent"]}}
    (note,) = read(
        task(
            answer(
                1,
                "anna",
                region("a", 6, 16, "Problem"),
                {"id": "a", "from_name": "assertion", **chosen},
                {"id": "z", "from_name": "smoking", "type": "choices", "value": {"choices": ["never", "former"]}},
            )
        )
    )
    assert [span.attributes for span in note.spans or ()] == [{"assertion": "absent"}]
    assert note.document_labels == {"smoking": "never"}
    assert losses([note]) == {"further choices of one question": 1}


def test_relations_join_regions_in_their_direction() -> None:
    tie = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "left", "labels": ["treats"]}
    stray = {"type": "relation", "from_id": "a", "to_id": "gone", "direction": "right"}
    (note,) = read(task(answer(1, "anna", region("a", 6, 16, "P"), region("b", 22, 31, "D"), tie, stray)))
    assert [(each.type, each.head, each.tail) for each in note.relations] == [("treats", 1, 0)]
    assert losses([note]) == {"relations of regions that are no spans": 1}


def test_what_has_no_place_is_counted_by_name() -> None:
    given = task(
        answer(1, "anna", was_cancelled=True),
        answer(2, "anna", region("a", 6, 16, "P"), updated_at="2026-01-01"),
        answer(3, "anna", {"type": "rating", "value": {"rating": 3}}, updated_at="2026-01-02", ground_truth=True),
        drafts=[{}],
    )
    notes = read(given)
    assert [len(note.spans or ()) for note in notes] == [0], "the newest stands"
    assert losses(notes) == {
        "skipped annotations": 1,
        "earlier annotations of the same person": 1,
        "results of type rating": 1,
        "ground truth marks": 1,
        "drafts": 1,
    }


def test_a_task_that_nobody_answered_is_a_note_without_spans() -> None:
    assert [note.spans for note in read(task())] == [None]
    assert [note.spans for note in read(task(answer(1, "anna")), has_spans=False)] == [None]


def test_the_text_is_found_by_its_tag_and_the_id_in_the_data() -> None:
    given = {"id": 7, "data": {"note_id": "n-1", "body": TEXT, "ward": "W3", "patient_id": 12, "image": "x.png"}}
    given["annotations"] = [answer(1, "anna", {**region("a", 6, 16, "P"), "to_name": "body"})]
    (note,) = read(given)
    assert (note.external_id, note.patient_id, note.text) == ("n-1", "12", TEXT)
    assert note.metadata == {"ward": "W3", "image": "x.png"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"id": 1, "text": "x", "annotator": 1, "annotation_id": 2}, "JSON-MIN"),
        ({"id": 1}, "'data' must be an object"),
        ({"id": 1, "data": {"a": "x", "b": "y"}}, "which field of 'data' is the text"),
        ({"data": {"text": "x"}}, "'id' is missing"),
        (task({"result": "x"}), "'result' must be a list of objects"),
        (task(answer(1, "a", region("r", 5, 5, "P"))), "annotation 1, result 1: fragment 5-5 is empty"),
        (task(answer(1, "a", region("r", 0, 2))), "'labels' must be a list of labels"),
        (task(answer(1, "a", {"type": "labels", "value": {"start": "/p[1]", "end": 3}})), "regions of HTML are not"),
    ],
)
def test_what_cannot_be_read_is_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RowError) as caught:
        read(given)
    assert message in str(caught.value)
    assert "chest" not in str(caught.value)


def test_a_dataset_of_ours_keeps_pieces_attributes_and_metadata() -> None:
    chosen = {"type": "choices", "value": {"choices": ["absent"]}}
    tie = {"type": "relation", "from_id": "s0", "to_id": "s0-2", "direction": "right", "labels": ["(next piece)"]}
    results = [
        *(region("s0", 3, 5, "P", text="No"), region("s0-2", 12, 16, "P", text="pain"), tie),
        *({"id": "s0", "from_name": "span_assertion", **chosen}, {"id": "n0", "from_name": "note_smoking", **chosen}),
    ]
    given = {
        "data": {"text": TEXT, "id": "n-1", "metadata": {"ward": {"floor": 3}}},
        "annotations": [answer(1, "", *results)],
    }
    (note,) = read(given)
    assert [(str(span.span), span.surface) for span in note.spans or ()] == [("2 4;11 15", "No pain")]
    assert [span.attributes for span in note.spans or ()] == [{"assertion": "absent"}]
    assert (note.document_labels, note.relations) == ({"smoking": "absent"}, ())
    assert (note.external_id, note.metadata) == ("n-1", {"ward": {"floor": 3}})
