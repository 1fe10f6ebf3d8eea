"""Files of other tools: which tool a file is from by what it holds, and the notes in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from annotator.core import bioc, doccano, label_studio, prodigy, xmi
from annotator.core.file_kinds import HEAD_BYTES
from annotator.core.foreign import ForeignNote, RowError, RowFault
from annotator.core.jsonl import json_object, parse_row
from annotator.exchange.json_items import json_items
from annotator.exchange.lines import read_lines
from annotator.exchange.xml_items import XmlFault, xml_items

MAX_LINE_BYTES = 8 * 1024 * 1024
MAX_ITEM_BYTES = 16 * 1024 * 1024  # of a task or a document: it holds what all its readers say
_LOOK_ROWS = 50
_CHUNK = 1024 * 1024
_DOCUMENTS = re.compile(r'^[\s\ufeff]*\{.*"documents"\s*:\s*\[', re.DOTALL)
_ROOT = re.compile(r"<(?![?!])(?:[\w.-]+:)?([\w.-]+)")


class Format(StrEnum):
    """What a file's notes are written as. BRAT_INDEX has none: it says of a folder's `.txt` files what brat cannot."""

    JSONL = "jsonl"
    LABEL_STUDIO = "label-studio"
    DOCCANO = "doccano"
    PRODIGY = "prodigy"
    BIOC_JSON = "bioc-json"
    BIOC_XML = "bioc-xml"
    XMI = "xmi"
    BRAT_INDEX = "brat-index"


FORMAT_NAMES: Mapping[Format, str] = {
    Format.JSONL: "Marginalia JSONL",
    Format.LABEL_STUDIO: "Label Studio JSON",
    Format.DOCCANO: "doccano JSONL",
    Format.PRODIGY: "Prodigy JSONL",
    Format.BIOC_JSON: "BioC JSON",
    Format.BIOC_XML: "BioC XML",
    Format.XMI: "UIMA XMI (INCEpTION, WebAnno)",
    Format.BRAT_INDEX: "index of brat files",
}
SUFFIX_FORMATS: Mapping[str, tuple[Format, ...]] = {
    ".jsonl": (Format.JSONL, Format.DOCCANO, Format.PRODIGY, Format.LABEL_STUDIO, Format.BIOC_JSON),
    ".json": (Format.LABEL_STUDIO, Format.BIOC_JSON, Format.JSONL, Format.DOCCANO, Format.PRODIGY),
    ".xml": (Format.BIOC_XML, Format.XMI),
    ".xmi": (Format.XMI,),
}


def found_format(path: Path, suffix: str) -> Format | None:
    """What the file's notes are written as, by what it holds; None where it is of no known tool. Raises OSError."""
    if suffix == ".xmi":
        return Format.XMI
    if suffix == ".xml":
        root = _ROOT.search(_head(path))
        names = {"collection": Format.BIOC_XML, "XMI": Format.XMI}
        return names.get(root[1]) if root else None
    if suffix == ".json":
        if _DOCUMENTS.match(_head(path)):
            return Format.BIOC_JSON
        items = (item.text for item in json_items(path, key="", max_chars=MAX_ITEM_BYTES))
    else:
        items = (line.text for line in read_lines(path, encoding="utf-8", max_chars=MAX_LINE_BYTES))
    found = [_format_of(item) for item in islice(items, _LOOK_ROWS) if item.strip()]
    # Rows without anything said of them look like those of any tool.
    likely = [each for each in found if each not in (None, Format.JSONL)]
    if likely:
        return likely[0]
    return Format.JSONL if suffix == ".jsonl" or Format.JSONL in found else None


def _head(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    return head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")


def _format_of(item: str) -> Format | None:
    try:
        row = json_object(item)
    except RowError:
        return None
    if "passages" in row or isinstance(row.get("documents"), list):
        return Format.BIOC_JSON
    if isinstance(row.get("data"), dict) or {"annotation_id", "annotator"} <= row.keys():
        return Format.LABEL_STUDIO
    if row.keys() & {"_input_hash", "_task_hash", "_session_id", "_annotator_id", "answer"}:
        return Format.PRODIGY
    if {"file", "id"} <= row.keys() and "text" not in row:
        return Format.BRAT_INDEX
    if "text" not in row:
        return Format.JSONL if {"id", "spans"} <= row.keys() else None
    if row.keys() & {"patient_id", "note_type", "metadata"}:
        return Format.JSONL
    if isinstance(row.get("label", row.get("labels")), list) or _is_doccano(row.get("entities")):
        return Format.DOCCANO
    return Format.JSONL if "id" in row or "spans" not in row else Format.PRODIGY


def _is_doccano(entities: Any) -> bool:
    return isinstance(entities, list) and all(isinstance(each, dict) and "start_offset" in each for each in entities)


def read_index(path: Path) -> dict[str, ForeignNote]:
    """What the index says of each file, by its name without suffix. A row that is wrong is passed over: the file of
    which nothing is said goes by its own name. Raises OSError.
    """
    found = {}
    for line in read_lines(path, encoding="utf-8", max_chars=MAX_LINE_BYTES):
        try:
            row = json_object(line.text)
            found[str(row.get("file"))] = parse_row(json.dumps(row | {"spans": []}), where="", has_spans=True)
        except RowError:
            continue
    return found


def count_notes(path: Path, format: Format) -> int:
    """About how many notes the file has. Reads it once."""
    if format in (Format.XMI, Format.BIOC_XML):
        return 1 if format == Format.XMI else _count(path, b"</document>")
    return sum(1 for _ in json_items(path, key=_key(path, format), max_chars=MAX_ITEM_BYTES))


def read_file(
    path: Path, *, name: str, format: Format, has_spans: bool, prefix: str
) -> Iterator[ForeignNote | RowFault]:
    """Every note of a file that is not one of lines, once for each voice that speaks of it, or why it is none.

    `name` is the file's path below the source; `prefix` is what errors begin with. Raises OSError.
    """
    if format == Format.XMI:
        where = prefix.strip() or name
        yield from parsed(where, lambda: _read_cas(path, where=where, has_spans=has_spans, file_name=name))
    elif format == Format.BIOC_XML:
        yield from _read_bioc_xml(path, has_spans=has_spans, prefix=prefix)
    else:
        parse = parser_of(format, name=name, has_spans=has_spans)
        what = {Format.LABEL_STUDIO: "task", Format.BIOC_JSON: "document"}.get(format, "row")
        for item in json_items(path, key=_key(path, format), max_chars=MAX_ITEM_BYTES):
            where = f"{prefix}{what} {item.number}"
            if item.fault:
                yield RowFault(where, item.fault)
            else:
                yield from parsed(where, partial(parse, item.text, where))


def _key(path: Path, format: Format) -> str:
    return "documents" if format == Format.BIOC_JSON and _DOCUMENTS.match(_head(path)) else ""


# What makes notes of an object's text and the place where it stands.
Parser = Callable[[str, str], list[ForeignNote]]


def parser_of(format: Format, *, name: str, has_spans: bool) -> Parser:
    """What reads one object of such a file, which is called `name`. It raises RowError."""
    stem = Path(name).stem

    def parse(text: str, where: str) -> list[ForeignNote]:
        if format == Format.JSONL:
            return [parse_row(text, where=where, has_spans=has_spans)]
        row = json_object(text)
        if format == Format.LABEL_STUDIO:
            return label_studio.parse_task(row, where=where, has_spans=has_spans)
        if format == Format.DOCCANO:
            return doccano.parse_row(row, where=where, has_spans=has_spans, file_stem=stem)
        if format == Format.PRODIGY:
            return prodigy.parse_row(row, where=where, has_spans=has_spans)
        documents = row["documents"] if isinstance(row.get("documents"), list) else [row]
        return [
            note for document in documents for note in bioc.parse_document(document, where=where, has_spans=has_spans)
        ]

    return parse


def parsed(where: str, read: Callable[[], list[ForeignNote]]) -> list[ForeignNote] | list[RowFault]:
    """What `read` gives, or its error as the fault of the row."""
    try:
        return read()
    except (RowError, XmlFault) as error:
        return [RowFault(where, str(error))]


def _read_cas(path: Path, *, where: str, has_spans: bool, file_name: str) -> list[ForeignNote]:
    items = xml_items(path, max_bytes=MAX_ITEM_BYTES)
    return xmi.parse_cas(items, where=where, has_spans=has_spans, file_name=file_name)


def _read_bioc_xml(path: Path, *, has_spans: bool, prefix: str) -> Iterator[ForeignNote | RowFault]:
    number = 0
    try:
        for element in xml_items(path, max_bytes=MAX_ITEM_BYTES):
            if element.tag != "document":
                continue
            number += 1
            where = f"{prefix}document {number}"
            read = partial(bioc.parse_document, bioc.document_of_element(element), where=where, has_spans=has_spans)
            yield from parsed(where, read)
    except XmlFault as error:
        yield RowFault(f"{prefix}document {number + 1}", f"{error}; what follows was not read")


def _count(path: Path, mark: bytes) -> int:
    """How often the mark stands in the file."""
    n_found, kept = 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            piece = kept + chunk
            n_found += piece.count(mark)
            kept = piece[-(len(mark) - 1) :]
    return n_found
