from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from annotator.core.foreign import ForeignNote, RowError, Voice
from annotator.core.xmi import parse_cas

NAMESPACES = (
    'xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:custom="http:///webanno/custom.ecore" '
    'xmlns:t="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore"'
)
SOFA = '<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" sofaString="😀 No chest pain.&#10;On metformin."/>'
SPANS = (
    '<t:NamedEntity xmi:id="3" sofa="1" begin="6" end="16" value="Problem" assertion="absent"/>'
    '<custom:Drug xmi:id="4" sofa="1" begin="21" end="30"/>'
)
META = '<t:DocumentMetaData xmi:id="2" sofa="1" begin="0" end="30" documentTitle="n-1.txt"/>'


def cas(*inside: str) -> str:
    return f'<xmi:XMI {NAMESPACES}><cas:NULL xmi:id="0"/>{"".join(inside)}<cas:View sofa="1" members="2 3"/></xmi:XMI>'


def read(content: str, file_name: str = "export.xmi") -> ForeignNote:
    (note,) = parse_cas(fromstring(content), where="export.xmi", has_spans=True, file_name=file_name)
    return note


def test_layers_are_labels_in_utf16_units() -> None:
    note = read(cas(SOFA, META, SPANS, '<t:Token xmi:id="9" sofa="1" begin="0" end="2"/>'))
    assert (note.external_id, note.text) == ("n-1", "😀 No chest pain.\nOn metformin.")
    found = [(each.label, each.span.surface(note.text or ""), dict(each.attributes)) for each in note.spans or ()]
    assert found == [("Problem", "chest pain", {"assertion": "absent"}), ("Drug", "metformin", {})]


@pytest.mark.parametrize("ends", ['Governor="4" Dependent="3"', 'source="4" target="3"'])
def test_a_layer_that_refers_to_two_spans_is_a_relation(ends: str) -> None:
    note = read(cas(SOFA, SPANS, f'<custom:Treats xmi:id="5" sofa="1" begin="6" end="16" {ends}/>'))
    assert [(each.type, each.head, each.tail) for each in note.relations] == [("Treats", 1, 0)]
    assert len(note.spans or ()) == 2


@pytest.mark.parametrize(
    ("file_name", "external_id", "voice"),
    [
        ("annotation/n-1.txt/anna.xmi", "n-1", Voice("anna")),
        ("annotation/ward/n-1.txt/anna/anna.xmi", "ward/n-1", Voice("anna")),
        ("curation/n-1.txt/CURATION_USER.xmi", "n-1", Voice("curation")),
        ("n-1.xmi", "n-1", Voice()),
    ],
)
def test_a_projects_folders_say_whose_it_is(file_name: str, external_id: str, voice: Voice) -> None:
    note = read(cas(SOFA, SPANS), file_name)
    assert (note.external_id, note.voice) == (external_id, voice)
    assert note.spans


def test_the_initial_cas_is_a_note_of_which_nobody_says_anything() -> None:
    assert read(cas(SOFA, SPANS), "annotation/n-1.txt/INITIAL_CAS.xmi").spans is None


def test_what_has_no_place_is_counted_by_name() -> None:
    second = '<cas:Sofa xmi:id="8" sofaNum="2" sofaID="other" sofaString="x"/>'
    bare = '<custom:Mark xmi:id="6"/>'
    stray = '<custom:Treats xmi:id="5" begin="0" end="1" Governor="4" Dependent="77"/>'
    assert {name: n for name, n in read(cas(SOFA, second, SPANS, bare, stray)).losses.items() if n} == {
        "further views of a document": 1,
        "annotations without a place: Mark": 1,
        "relations of annotations that are no spans": 1,
    }


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ((), "the CAS has no text"),
        ((SOFA, '<custom:D xmi:id="4" sofa="1" begin="1" end="3"/>'), "annotation 4 of layer D: offset 1, in UTF-16"),
        ((SOFA, '<custom:D xmi:id="4" sofa="1" begin="x" end="3"/>'), "must be whole numbers"),
    ],
)
def test_what_cannot_be_read_is_told(inside: tuple[str, ...], message: str) -> None:
    with pytest.raises(RowError) as caught:
        read(cas(*inside))
    assert message in str(caught.value)


def test_a_dataset_of_ours_keeps_pieces_and_what_is_said_of_the_note() -> None:
    ours = (
        '<m:Note xmi:id="2" sofa="1" begin="0" end="30" noteId="n 1" patientId="p-1" noteType="ED" '
        'metadata="{&quot;ward&quot;: 3}"/><m:Fragment xmi:id="3" sofa="1" begin="3" end="5"/>'
        '<m:Fragment xmi:id="4" sofa="1" begin="12" end="16"/>'
        '<m:Span xmi:id="5" sofa="1" begin="3" end="16" label="Problem" fragments="3 4" assertion="absent"/>'
        '<m:Span xmi:id="6" sofa="1" begin="21" end="30" label="Drug"/>'
        '<m:Relation xmi:id="7" label="treats" head="6" tail="5"/>'
        '<m:NoteLabel xmi:id="8" name="smoking" value="never"/>'
    )
    note = read(cas(ours, SOFA).replace("xmlns:custom", 'xmlns:m="http:///marginalia.ecore" xmlns:custom'))
    assert (note.external_id, note.patient_id, note.note_type, note.metadata) == ("n 1", "p-1", "ED", {"ward": 3})
    assert [(span.label, str(span.span)) for span in note.spans or ()] == [("Problem", "2 4;11 15"), ("Drug", "20 29")]
    assert [(each.type, each.head, each.tail) for each in note.relations] == [("treats", 1, 0)]
    assert note.document_labels == {"smoking": "never"}
