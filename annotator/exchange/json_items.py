"""The objects of a large JSON file one after the other, each bounded, without holding the file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotator.exchange.lines import megabytes

_CHUNK = 64 * 1024
_IN_TEXT = re.compile(r'["\\]')
_OUTSIDE = re.compile(r'["{}\[\]:,]')
_MAX_PIECES = 10  # of a key: one that comes in more is not the one


@dataclass(frozen=True, slots=True)
class JsonItem:
    """One object as it stands in the file, counted from 1; `fault` says why there is none."""

    number: int
    text: str
    fault: str = ""


def json_items(path: Path, *, key: str, max_chars: int) -> Iterator[JsonItem]:
    """The objects of the file's list; where the file is an object, those of its list `key`, else the object itself.

    Objects one behind the other, as in JSONL, are items too. Memory is bounded by `max_chars`, whatever the file holds.
    Raises OSError.
    """
    scanner = _Scanner(key, max_chars)
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        try:
            while chunk := stream.read(_CHUNK):
                yield from scanner.feed(decoder.decode(chunk))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            yield JsonItem(scanner.number + 1, "", "not UTF-8: save it as UTF-8; what follows was not read")
            return
    if scanner.is_open:
        yield JsonItem(scanner.number + 1, "", "the file ends before its JSON does: was it copied whole?")


class _Scanner:
    """Follows brackets and texts, and cuts out the objects at one depth."""

    def __init__(self, key: str, max_chars: int) -> None:
        self.number = 0
        self._key, self._max_chars = key, max_chars
        self._stack = ""  # the brackets that are open
        self._is_in_text = self._is_escaped = False
        self._text: list[str] | None = None  # a text of the outermost object, which may be a key
        self._is_key = self._is_wanted = False  # the key was read, and its list is open
        self._parts: list[str] | None = None  # of the item that is open
        self._n_open = self._n_chars = 0  # brackets around the item, and its size
        self._is_at_start = True

    @property
    def is_open(self) -> bool:
        return bool(self._stack) or self._is_in_text

    def feed(self, chunk: str) -> Iterator[JsonItem]:
        """The items that end in this piece of the file."""
        if self._is_at_start and chunk:
            chunk, self._is_at_start = chunk.removeprefix("\ufeff"), False
        at, kept_to = int(self._is_escaped), 0
        self._is_escaped = self._is_escaped and not chunk
        while found := (_IN_TEXT if self._is_in_text else _OUTSIDE).search(chunk, at):
            if self._is_in_text:
                self._add_to_text(chunk[at : found.start()])
            sign, at = found[0], found.end()
            if sign == "\\":
                # What is escaped may stand in the next piece.
                self._is_escaped = at == len(chunk)
                at += 1
            elif sign == '"':
                self._is_in_text = not self._is_in_text
                if self._is_in_text:
                    self._text = [] if self._key and self._stack == "{" else None
            elif sign in "{[":
                if sign == "{" and self._parts is None and self._is_around_items():
                    self._parts, self._n_open, self._n_chars, kept_to = [], len(self._stack), 0, found.start()
                self._is_wanted = self._is_wanted or (sign == "[" and self._stack == "{" and self._is_key)
                self._stack += sign
            elif sign in "}]":
                self._stack = self._stack[:-1]
                self._is_wanted = self._is_wanted and len(self._stack) > 1
                if self._parts is not None and len(self._stack) == self._n_open:
                    self._keep(chunk[kept_to:at])
                    yield self._item()
            else:
                self._is_key = sign == ":" and self._text is not None and "".join(self._text) == self._key
        else:
            if self._is_in_text:
                self._add_to_text(chunk[at:])
        self._keep(chunk[kept_to:])

    def _is_around_items(self) -> bool:
        if self._stack == "{[":
            return self._is_wanted
        return self._stack == "[" or not (self._stack or self._key)

    def _add_to_text(self, piece: str) -> None:
        if self._text is not None and len(self._text) < _MAX_PIECES:
            self._text.append(piece)

    def _keep(self, piece: str) -> None:
        if self._parts is None:
            return
        self._n_chars += len(piece)
        if self._n_chars <= self._max_chars:
            self._parts.append(piece)

    def _item(self) -> JsonItem:
        self.number += 1
        text, self._parts = "".join(self._parts or ()), None
        if self._n_chars > self._max_chars:
            return JsonItem(self.number, "", f"it is longer than {megabytes(self._max_chars)}")
        return JsonItem(self.number, text)
