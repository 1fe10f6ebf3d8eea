"""JSON and XML files are read item by item, whatever they hold."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.exchange import json_items as module
from annotator.exchange import xml_items as xml_module
from annotator.exchange.json_items import JsonItem, json_items
from annotator.exchange.xml_items import XmlFault, xml_items

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\{}[]:,é😀 \n'),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3), max_size=4)


def items(file: Path, content: str | bytes, *, key: str = "", max_chars: int = 10_000) -> list[JsonItem]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(json_items(file, key=key, max_chars=max_chars))


@given(
    objects=OBJECTS, is_ascii=st.booleans(), chunk=st.integers(1, 9), shape=st.sampled_from(["list", "key", "lines"])
)
def test_items_are_the_objects_of_the_list_wherever_pieces_of_the_file_end(
    tmp_path_factory: pytest.TempPathFactory, objects: list[Any], is_ascii: bool, chunk: int, shape: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "items.json"
    around = {"source": "documents", "infons": {"documents": [{"no": 1}]}, "documents": objects, "after": [{"no": 2}]}
    whole = {"list": objects, "key": around, "lines": None}[shape]
    content = json.dumps(whole, ensure_ascii=is_ascii) if whole is not None else "\n".join(map(json.dumps, objects))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        found = items(file, "\ufeff" + content, key="documents" if shape == "key" else "")
    assert [json.loads(item.text) for item in found] == objects
    assert [item.number for item in found] == list(range(1, len(objects) + 1))


def test_a_file_that_ends_too_early_is_told(tmp_path: Path) -> None:
    found = items(tmp_path / "n.json", '[{"a": 1}, {"b": ')
    assert [item.fault for item in found] == ["", "the file ends before its JSON does: was it copied whole?"]


def test_bytes_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    (first, fault) = items(tmp_path / "n.json", b'[{"a": 1}]' + b" " * module._CHUNK + b"\xff")
    assert (first.fault, fault.fault) == ("", "not UTF-8: save it as UTF-8; what follows was not read")


def test_an_endless_object_spoils_itself_only_and_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "n.json"
    file.write_text('[{"a": "' + "x" * 20_000_000 + '"}, {"b": 1}]')
    tracemalloc.start()
    found = list(json_items(file, key="", max_chars=1_048_576))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(item.text, item.fault) for item in found] == [("", "it is longer than 1 MB"), ('{"b": 1}', "")]
    assert peak < 5_000_000


BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><c><d>&b;</d></c>"""
OTHER_FILE = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]><c><d>&a;</d></c>"""
PARAMETER = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % a SYSTEM "file:///etc/hostname"> %a;]><c><d>x</d></c>"""


@pytest.mark.parametrize("content", [BOMB, OTHER_FILE, PARAMETER])
def test_xml_that_declares_entities_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "n.xml"
    file.write_text(content)
    with pytest.raises(XmlFault, match=r"it declares entities \(line 1\)"):
        list(xml_items(file, max_bytes=10_000))


def test_a_document_type_that_names_another_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "BioC.dtd").write_text("<!ENTITY a 'secret'>")
    file = tmp_path / "n.xml"
    file.write_text('<?xml version="1.0"?><!DOCTYPE c SYSTEM "BioC.dtd"><c><d>x</d><e f="&#10;"/></c>')
    assert [(item.tag, item.text, item.attrib) for item in xml_items(file, max_bytes=100)] == [
        ("d", "x", {}),
        ("e", None, {"f": "\n"}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<c><d></c>", r"not XML \(line 1, column 9: mismatched tag\)"),
        ("<c>" + "<d>" * 60, "nested more than 50 deep"),
        ("<c><d>" + "x" * 300_000, r"begins in byte 3 is longer than 0 MB"),
        ("", "no element found"),
    ],
)
def test_xml_that_cannot_be_read_is_told(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "n.xml"
    file.write_text(content)
    with pytest.raises(XmlFault, match=message):
        list(xml_items(file, max_bytes=1_000))


def test_elements_of_xml_are_handed_out_as_they_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_module, "_CHUNK", 64)
    file = tmp_path / "n.xml"
    file.write_text("<c>" + "".join(f"<d><t>{number} é</t></d>" for number in range(50)) + "</c>")
    assert [item.findtext("t") for item in xml_items(file, max_bytes=100)] == [f"{number} é" for number in range(50)]
