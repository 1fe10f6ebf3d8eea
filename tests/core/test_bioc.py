from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from annotator.core.bioc import document_of_element, parse_document
from annotator.core.foreign import ForeignNote, RowError, Voice

XML = """<document><id>d-1</id><infon key="patient_id">p-1</infon>
<passage><offset>0</offset><text>No chest pain.</text>
<annotation id="A"><infon key="type">Problem</infon><infon key="assertion">absent</infon>
<location offset="3" length="10"/><text>chest pain</text></annotation></passage>
<passage><offset>16</offset><text>On metformin.</text>
<annotation id="B"><infon key="type">Drug</infon><infon key="annotator">ben</infon>
<location offset="19" length="9"/><text>metformin</text></annotation></passage>
<relation id="R"><infon key="type">treats</infon><node refid="B" role="x"/><node refid="A" role="y"/></relation>
</document>"""


def document(text: str, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "d", "passages": [{"offset": 0, "text": text, "annotations": list(annotations)}]} | more


def annotation(offset: int, length: int, text: str | None, **infons: str) -> dict[str, Any]:
    quoted = {} if text is None else {"text": text}
    return {"id": "1", "infons": {"type": "P"} | infons, "locations": [{"offset": offset, "length": length}]} | quoted


def read(given: dict[str, Any]) -> list[ForeignNote]:
    return parse_document(given, where="document 1", has_spans=True)


def test_passages_stand_at_their_offsets_and_annotations_with_them() -> None:
    notes = read(document_of_element(fromstring(XML)))
    assert {note.text for note in notes} == {"No chest pain.\n On metformin."}
    assert [(note.voice, note.is_further, note.patient_id) for note in notes] == [
        (Voice(), False, "p-1"),
        (Voice("ben"), True, "p-1"),
    ]
    spans = [span for note in notes for span in note.spans or ()]
    assert [(span.label, span.span.surface(notes[0].text or ""), dict(span.attributes)) for span in spans] == [
        ("Problem", "chest pain", {"assertion": "absent"}),
        ("Drug", "metformin", {}),
    ]


@pytest.mark.parametrize(("offset", "unit"), [(2, "code points"), (3, "UTF-16 units"), (5, "bytes of UTF-8")])
def test_the_unit_is_the_one_in_which_quoted_texts_fit(offset: int, unit: str) -> None:
    (note,) = read(document("😀 pain é", annotation(offset, 4, "pain")))
    assert [span.span.start for span in note.spans or ()] == [2], unit


def test_a_text_that_stands_nowhere_is_an_error() -> None:
    with pytest.raises(RowError, match="does not read as its quoted text; offsets were tried as code points, UTF-16"):
        read(document("No pain.", annotation(0, 4, "pain")))


def test_text_in_sentences_is_read_where_the_passage_has_none() -> None:
    sentences = [
        {"offset": 0, "text": "No pain."},
        {"offset": 9, "text": "Fever.", "annotations": [annotation(9, 5, "Fever")]},
    ]
    (note,) = read({"id": 3, "passages": [{"offset": 0, "sentences": sentences}]})
    assert (note.text, len(note.spans or ())) == ("No pain.\nFever.", 1)


def test_what_has_no_place_is_counted_by_name() -> None:
    bare = annotation(0, 2, None) | {"locations": []}
    many = {"id": "R", "infons": {"type": "x"}, "nodes": [{"refid": "1"}] * 3}
    (note,) = read(document("No pain.", annotation(3, 4, "pain", score="7"), bare, relations=[many]))
    assert {name: n for name, n in note.losses.items() if n} == {
        "annotations without a place": 1,
        "relations of other than two annotations": 1,
        "scores that are not between 0 and 1": 1,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"passages": []}, "'id' is missing"),
        (document("x", annotation(0, 1, "x", type="")), "the infon 'type' must be a label"),
        ({"id": 1, "passages": [{"offset": "a", "text": "x"}]}, "'offset' of passage 1 must be a whole number"),
        ({"id": 1, "passages": [{"offset": 0, "text": "long"}, {"offset": 1, "text": "x"}]}, "before the one ahead"),
        ({"id": 1, "passages": [{"offset": 9**9, "text": "x"}]}, "more than a million"),
        (document("pain", annotation(0, 9, None)), ""),
    ],
)
def test_what_cannot_be_read_is_told(given: dict[str, Any], message: str) -> None:
    if not message:
        (note,) = read(given)
        assert (note.spans or ())[0].span.end == 9, "its bounds are the importer's to check"
        return
    with pytest.raises(RowError) as caught:
        read(given)
    assert message in str(caught.value)


def test_a_dataset_of_ours_keeps_labels_of_the_note_and_metadata() -> None:
    infons = {"label.smoking": "never", "label.smoking.annotator": "x", "metadata": '{"ward": 3}', "note_type": "ED"}
    (note,) = read(document("No pain.", annotation(3, 4, "pain", **{"source.annotator": "x"}), infons=infons))
    assert (note.document_labels, note.metadata, note.note_type) == ({"smoking": "never"}, {"ward": 3}, "ED")
    assert (note.spans or ())[0].attributes == {}
    assert note.losses == {"infons that say where a span is from": 1}
