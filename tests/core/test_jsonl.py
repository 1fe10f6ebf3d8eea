from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.core.foreign import MAX_METADATA, ForeignNote, ForeignRelation, ForeignSpan, RowError
from annotator.core.jsonl import parse_row
from annotator.core.spans import Span


def row(**fields: Any) -> str:
    return json.dumps({"id": "n-1", "text": "No chest pain."} | fields)


def with_span(**fields: Any) -> str:
    return row(spans=[{"start": 3, "end": 13, "label": "Problem"}, {"start": 0, "end": 2, "label": "X"} | fields])


def with_relation(**fields: Any) -> str:
    spans = [{"start": 3, "end": 13, "label": "Problem"}, {"start": 0, "end": 2, "label": "X"}]
    return row(spans=spans, relations=[{"type": "secret", "head": 0, "tail": 1} | fields])


_WITHOUT_SPANS = "'relations' and 'document_labels' go with 'spans': write [] where the note has none"
_DOCUMENT_LABELS = "'document_labels' must be an object of texts of 1 to 100 printable characters"


def parse(line: str) -> Any:
    return parse_row(line, where="row 1", has_spans=True)


def test_reads_every_field() -> None:
    note = parse(
        row(
            patient_id="p-1",
            note_type="ED",
            metadata={"ward": 3},
            spans=[
                {
                    "start": 3,
                    "end": 13,
                    "fragments": [[3, 8], [9, 13]],
                    "surface": "chest pain",
                    "label": "Problem",
                    "attributes": {"assertion": "absent"},
                    "score": 0.25,
                    "source": {"kind": "person"},
                }
            ],
            relations=[{"type": "seen with", "head": 0, "tail": 0, "source": {}}],
            document_labels={"smoking": "former"},
            document_label_sources={"smoking": {}},
        )
    )
    assert note.relations == (ForeignRelation(where="'relations[0]'", type="seen with", head=0, tail=0),)
    assert note.document_labels == {"smoking": "former"}
    assert (note.external_id, note.text, note.patient_id, note.note_type) == ("n-1", "No chest pain.", "p-1", "ED")
    assert (note.metadata, note.where, note.n_ignored) == ({"ward": 3}, "row 1", 0)
    assert note.spans == (
        ForeignSpan(
            where="'spans[0]'",
            span=Span(((3, 8), (9, 13))),
            label="Problem",
            surface="chest pain",
            attributes={"assertion": "absent"},
            score=0.25,
        ),
    )


def test_only_an_id_is_wanted_and_other_keys_are_counted() -> None:
    note = parse('{"id": 7, "Comments": [], "cats": {}}')
    assert (note.external_id, note.text, note.spans, note.n_ignored) == ("7", None, None, 2)


def test_no_spans_is_another_thing_than_an_empty_list_of_them() -> None:
    assert parse(row()).spans is None
    assert parse(row(spans=[])).spans == ()


def test_spans_that_are_not_asked_for_are_not_looked_at() -> None:
    assert parse_row(row(spans="wrong"), where="row 1", has_spans=False).spans is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "secret", x}', "not JSON (column 18: a key in double quotes is wanted here)"),
        ("", "not JSON (column 1: a value is wanted here)"),
        (
            '{"id": "secret"} secret',
            "not JSON (column 18: the object has ended before, and one line holds one object)",
        ),
        ('{"id": "secret}', "not JSON (column 8: the text that begins here is not closed on its line)"),
        ('{"id": "\0secret"}', "not JSON (column 9: a control character in a text is written with a backslash)"),
        ('{"id": "\\secret"}', "not JSON (column 9: this backslash begins none of JSON's escapes)"),
        ('{"id": "\\uxsecret"}', "not JSON (column 10: four hexadecimal digits are wanted here)"),
        ('{"id" "secret"}', "not JSON (column 7: a colon is wanted here)"),
        ('{"id": "a" "secret"}', "not JSON (column 12: a comma, or the end of the object or list, is wanted here)"),
        ('\ufeff{"id": "secret"}', "not JSON (column 1: a byte order mark inside the file)"),
        (
            '[{"id": "secret"}]',
            "a JSON list, where JSONL has one object a line: write each of its objects on a line of its own",
        ),
        ('{"id": "a", "id": "secret"}', "an object gives a key twice, so that nobody can tell which value is meant"),
        ('{"id": "a", "metadata": {"a": 1e999}}', "not JSON that can be read: a number is too large"),
        ('{"id": "a", "metadata": ' + '{"a":' * 21 + "1" + "}" * 22, "'metadata' is nested more than 20 deep"),
        ('{"id": NaN, "text": "secret"}', "not JSON: NaN is not a number"),
        ("[" * 200_000, "not JSON that can be read: nested too deeply"),
        ('{"id": ' + "9" * 5000 + "}", "not JSON that can be read: a number is too long"),
        ('"secret"', 'a row is an object, {"id": …, "text": …}'),
        ('{"text": "secret"}', "'id' is missing"),
        (row(id=""), "'id' is missing"),
        (row(id=True), "'id' must be a text"),
        (row(id="a\nb"), "'id' must be 1 to 200 printable characters"),
        (row(id="a" * 201), "'id' must be 1 to 200 printable characters"),
        (row(patient_id=["secret"]), "'patient_id' must be a text"),
        (row(note_type="s" * 101), "'note_type' must be 1 to 100 printable characters"),
        (row(text=["secret"]), "'text' must be a text"),
        (row(metadata="secret"), "'metadata' must be an object"),
        (row(metadata={"a": "\0"}), "'metadata' has a NUL character or half of a surrogate pair"),
        (row(metadata={"a": "\ud800"}), "'metadata' has a NUL character or half of a surrogate pair"),
        (row(metadata={"a": "s" * MAX_METADATA}), "'metadata' has 65545 characters, at most 65536 are kept"),
        (row(spans={"secret": 1}), "'spans' must be a list"),
        (row(spans=["secret"]), "'spans[0]' must be an object"),
        (with_span(end="secret"), "'spans[1].end' must be a whole number"),
        (with_span(end=2.0), "'spans[1].end' must be a whole number"),
        (with_span(start=True), "'spans[1].start' must be a whole number"),
        (with_span(end=0), "'spans[1]': fragment 0-0 is empty or negative: 0 <= start < end is wanted"),
        (with_span(fragments="secret"), "'spans[1].fragments' must be a list of [start, end]"),
        (with_span(fragments=[["secret", 1]]), "'spans[1]': a fragment is two whole numbers, start and end"),
        (with_span(fragments=[]), "'spans[1]': a span needs at least one fragment"),
        (with_span(fragments=[[0, 1]]), "'spans[1].end' is not that of its fragments (1)"),
        (with_span(label=""), "'spans[1].label' must be 1 to 100 printable characters"),
        (with_span(label=None), "'spans[1].label' must be 1 to 100 printable characters"),
        (with_span(surface=["secret"]), "'spans[1].surface' must be a text"),
        (with_span(attributes={"assertion": 1}), "'spans[1].attributes' must be an object of texts"),
        (with_span(score=1.5), "'spans[1].score' must be a number from 0 to 1"),
        (with_span(score="secret"), "'spans[1].score' must be a number from 0 to 1"),
        (with_span(score=True), "'spans[1].score' must be a number from 0 to 1"),
        (row(relations=[{"type": "secret"}]), _WITHOUT_SPANS),
        (row(document_labels={"secret": "secret"}), _WITHOUT_SPANS),
        (row(spans=[], relations={"secret": 1}), "'relations' must be a list"),
        (row(spans=[], relations=["secret"]), "'relations[0]' must be an object"),
        (with_relation(head="secret"), "'relations[0].head' must be a whole number"),
        (with_relation(tail=2), "'relations[0].tail' must be the place of one of the 2 'spans', counted from 0"),
        (with_relation(head=-1), "'relations[0].head' must be the place of one of the 2 'spans', counted from 0"),
        (with_relation(type=None), "'relations[0].type' must be 1 to 100 printable characters"),
        (row(spans=[], document_labels=["secret"]), _DOCUMENT_LABELS),
        (row(spans=[], document_labels={"secret": 1}), _DOCUMENT_LABELS),
        (row(spans=[], document_labels={"secret\n": "secret"}), _DOCUMENT_LABELS),
    ],
)
def test_a_wrong_row_is_explained_and_not_quoted(line: str, message: str) -> None:
    with pytest.raises(RowError) as caught:
        parse(line)
    assert str(caught.value) == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from(
    ["id", "text", "patient_id", "note_type", "metadata", "spans", "relations", "document_labels", "more"]
)
SPAN_KEYS = st.sampled_from(["start", "end", "fragments", "label", "surface", "attributes", "score"])


@given(st.dictionaries(KEYS, JSON), st.lists(st.dictionaries(SPAN_KEYS, JSON), max_size=2))
def test_any_json_is_read_or_refused(fields: dict[str, Any], spans: list[dict[str, Any]]) -> None:
    for line in (json.dumps(fields), json.dumps({"id": "a", "spans": spans}), str(fields)):
        with contextlib.suppress(RowError):
            assert isinstance(parse(line), ForeignNote)
