"""The elements right below the root of an XML file one after the other, each bounded, without holding the file.

Nothing but the file itself is ever read, and a file that declares entities is refused: what it stands for could be
endless, or another file of this machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from annotator.exchange.lines import megabytes

_CHUNK = 64 * 1024
_MAX_DEPTH = 50


class XmlFault(Exception):
    """Why an XML file is not read further; the message says where, never what it reads."""


def xml_items(path: Path, *, max_bytes: int) -> Iterator[Element]:
    """The elements below the root; names as ElementTree has them, `{namespace}name`.

    Memory is bounded by `max_bytes`, the size of one element. Raises XmlFault, and OSError.
    """
    reader = _Reader(max_bytes)
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(_CHUNK):
                reader.parser.Parse(chunk, False)
                yield from reader.take()
            reader.parser.Parse(b"", True)
            yield from reader.take()
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code) or "it cannot be parsed"
            raise XmlFault(f"not XML (line {error.lineno}, column {error.offset + 1}: {reason})") from None


class _Reader:
    """Builds a tree for each element below the root, and hands it out when that ends."""

    def __init__(self, max_bytes: int) -> None:
        self.parser = parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.EntityDeclHandler = self._refuse_entities
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._max_bytes = max_bytes
        self._depth = self._began_at = 0
        self._builder: TreeBuilder | None = None
        self._found: list[Element] = []

    def take(self) -> list[Element]:
        found, self._found = self._found, []
        if self._builder is not None and self.parser.CurrentByteIndex - self._began_at > self._max_bytes:
            raise XmlFault(
                f"the element that begins in byte {self._began_at} is longer than {megabytes(self._max_bytes)}"
            )
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise XmlFault(f"elements are nested more than {_MAX_DEPTH} deep (line {self.parser.CurrentLineNumber})")
        if self._depth == 2:
            self._builder, self._began_at = TreeBuilder(), self.parser.CurrentByteIndex
        if self._builder is not None:
            self._builder.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._builder is not None:
            self._builder.end(_name(name))
            if self._depth == 1:
                self._found.append(self._builder.close())
                self._builder = None

    def _data(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _refuse_entities(self, *declaration: Any) -> NoReturn:
        raise XmlFault(
            f"it declares entities (line {self.parser.CurrentLineNumber}), which are not read: save it without them"
        )


def _name(name: str) -> str:
    return f"{{{name}" if "}" in name else name
