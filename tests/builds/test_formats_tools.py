"""BioC and Label Studio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from bioc import biocxml

from annotator.builds.formats.label_studio import NEXT_PIECE
from annotator.builds.records import NoteRecord
from tests.builds.notes import CERTIFICATE, FEVER, check_golden, fever_note, note, odd_note, span, texts_of, write_notes

GIVEN = {one.id: one for one in (odd_note(), fever_note())}


def test_bioc_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("bioc", tmp_path)
    assert n_rows == {"train.bioc.xml": 2, "dev.bioc.xml": 1}
    assert losses == {"characters that XML cannot hold, written as U+FFFD": 1}
    check_golden("bioc", texts_of(tmp_path), losses)


def test_bioc_opens_in_its_library_with_every_span_at_its_text(tmp_path: Path) -> None:
    write_notes("bioc", tmp_path)
    with (tmp_path / "train.bioc.xml").open("rb") as file:
        collection = biocxml.load(file)
    assert "code points" in collection.key
    assert [document.id for document in collection.documents] == list(GIVEN)
    for document in collection.documents:
        (passage,) = document.passages
        given = GIVEN[document.id]
        text = given.text.replace("\x07", "\ufffd")
        assert (passage.offset, passage.text) == (0, text)
        for own, found in zip(given.spans, passage.annotations, strict=True):
            places = tuple((place.offset, place.offset + place.length) for place in found.locations)
            assert (places, found.infons["type"]) == (own.span.fragments, own.label)
            assert " ".join(text[start:end] for start, end in places) == found.text
            assert found.infons.get("assertion") == own.attributes.get("assertion")
        ties = [(tie.infons["type"], *(node.refid for node in tie.nodes)) for tie in passage.relations]
        assert ties == [(tie.type, f"T{tie.head}", f"T{tie.tail}") for tie in given.relations]


def test_bioc_can_be_read_note_by_note_and_names_certificates(tmp_path: Path) -> None:
    write_notes("bioc", tmp_path)
    with biocxml.iterparse(str(tmp_path / "train.bioc.xml")) as documents:
        _, fever = documents
    infons = fever.passages[0].annotations[2].infons
    assert (infons["source.decided_by"], infons["source.certificate"]) == ("certificate", CERTIFICATE.public_id)
    assert (fever.infons["label.smoking"], json.loads(fever.infons["metadata"])) == (
        "former",
        {"site": "north", "ward": 3},
    )


def test_bioc_keeps_an_attribute_that_is_called_type(tmp_path: Path) -> None:
    odd = note("Fever.", span("Fever.", "Fever", label="Problem", attributes={"type": "high"}))
    write_notes("bioc", tmp_path, [("train", odd)])
    (document,) = biocxml.loads((tmp_path / "train.bioc.xml").read_text(encoding="utf-8")).documents
    infons = document.passages[0].annotations[0].infons
    assert (infons["type"], infons["attribute.type"]) == ("Problem", "high")


# Label Studio


def tasks(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))


def strictly_read(task: dict[str, Any], configuration: ElementTree.Element) -> dict[str, Any]:
    """Labelled regions by id, attributes, values of the note and ties, after all that Label Studio wants of a task."""
    controls = {
        element.get("name"): {choice.get("value") for choice in element}
        for element in configuration
        if element.tag in ("Labels", "Choices")
    }
    relations = {element.get("value") for element in configuration.iter("Relation")}
    text = task["data"]["text"].encode("utf-16-le")
    found: dict[str, Any] = {"regions": {}, "attributes": {}, "values": {}, "ties": []}
    ((result),) = (annotation["result"] for annotation in task["annotations"])
    for each in result:
        if each["type"] == "relation":
            assert {each["from_id"], each["to_id"]} <= found["regions"].keys()
            assert set(each["labels"]) <= relations
            found["ties"].append((each["from_id"], each["to_id"], *each["labels"]))
            continue
        value, (chosen,) = each["value"], each["value"][each["type"]]
        assert each["to_name"] == "text"
        assert chosen in controls[each["from_name"]]
        if "start" in value:
            assert text[2 * value["start"] : 2 * value["end"]].decode("utf-16-le") == value["text"]
            assert each["origin"] in ("manual", "prediction", "prediction-changed")
        if each["type"] == "labels":
            assert each["id"] not in found["regions"]
            found["regions"][each["id"]] = (value["text"], chosen, each["origin"])
        elif "start" in value:
            assert each["id"] in found["regions"]
            found["attributes"][each["id"], each["from_name"]] = chosen
        else:
            found["values"][each["from_name"]] = chosen
    return found


def spans_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The spans again, from their pieces."""
    after = {head: tail for head, tail, label in found["ties"] if label == NEXT_PIECE}
    spans = []
    for id, (quote, label, _) in found["regions"].items():
        if id in after.values():
            continue
        quotes = [quote]
        while id in after:
            id = after[id]
            quotes.append(found["regions"][id][0])
        spans.append((" ".join(quotes), label))
    return spans


def test_label_studio_files_are_those_of_the_golden_folder(tmp_path: Path) -> None:
    n_rows, losses = write_notes("label-studio", tmp_path)
    assert n_rows == {"train.label-studio.json": 2, "dev.label-studio.json": 1, "label-studio.xml": None}
    check_golden("label-studio", texts_of(tmp_path), losses)


@pytest.mark.parametrize("given", GIVEN.values(), ids=["odd", "fever"])
def test_label_studio_tasks_pass_a_strict_reader_and_come_back(given: NoteRecord, tmp_path: Path) -> None:
    write_notes("label-studio", tmp_path)
    configuration = ElementTree.fromstring((tmp_path / "label-studio.xml").read_text(encoding="utf-8"))
    (task,) = (task for task in tasks(tmp_path / "train.label-studio.json") if task["data"]["id"] == given.id)
    assert task["data"]["text"] == given.text
    found = strictly_read(task, configuration)
    assert spans_of(found) == [(own.surface, own.label) for own in given.spans]
    assert found["attributes"] == {
        (f"s{place}", "span_assertion"): own.attributes["assertion"]
        for place, own in enumerate(given.spans)
        if own.attributes
    }
    assert [tie for tie in found["ties"] if tie[2] != NEXT_PIECE] == [
        (f"s{tie.head}", f"s{tie.tail}", tie.type) for tie in given.relations
    ]
    assert list(found["values"].values()) == [said.value for said in given.document_labels]


def test_label_studio_offsets_count_utf16_units(tmp_path: Path) -> None:
    write_notes("label-studio", tmp_path, [("train", fever_note())])
    ((task),) = tasks(tmp_path / "train.label-studio.json")
    (drug,) = (
        each for each in task["annotations"][0]["result"] if each.get("value", {}).get("labels") == ["Medication"]
    )
    assert drug["value"]["start"] == FEVER.index("Paracetamol") + 1
    assert drug["origin"] == "prediction-changed"


def test_label_studio_configuration_has_labels_that_only_older_spans_have(tmp_path: Path) -> None:
    old = note("Fever.", span("Fever.", "Fever", label="Adverse event", attributes={"grade": "2"}))
    _, losses = write_notes("label-studio", tmp_path, [("train", old)])
    configuration = ElementTree.fromstring((tmp_path / "label-studio.xml").read_text(encoding="utf-8"))
    (task,) = tasks(tmp_path / "train.label-studio.json")
    assert spans_of(strictly_read(task, configuration)) == [("Fever", "Adverse event")]
    assert losses == {"attributes that the schema no longer has": 1}
