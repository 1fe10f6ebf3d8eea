"""Note text as it is stored: one line ending, nothing that a database or a model chokes on."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from dataclasses import dataclass

from annotator.core.spans import Span

_CARRIAGE_RETURN = re.compile(r"\r\n?")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Characters that turn the direction of what follows, and control characters besides tab and line ends.
_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_SPOILING = re.compile(f"[{_TURNING}{_CONTROL}\ud800-\udfff]")
_UNSEEN = re.compile(
    f"[{_TURNING}{_CONTROL}\u00ad\u034f\u115f\u1160\u180e\u200b-\u200d\u2060-\u2064\u3164\ufeff\uffa0\U000e0000-\U000e007f]"
)
_BLANK = re.compile(r"\s+")
_BOX = "▯"


class TextError(ValueError):
    """Text that cannot become a note; the message says where, never what it reads."""


@dataclass(frozen=True, slots=True)
class NormalText:
    """Text with LF line endings, and where in it the raw text's offsets went.

    `removed` holds the raw offsets of the carriage returns that were dropped, ascending.
    """

    text: str
    removed: tuple[int, ...]

    def span_from_raw(self, span: Span) -> Span:
        """The span of the raw text, in offsets of the normal text."""
        if not self.removed:
            return span
        return Span(tuple((self._moved(start), self._moved(end)) for start, end in span.fragments))

    def _moved(self, offset: int) -> int:
        return offset - bisect_left(self.removed, offset)


def normal_text(raw: str) -> NormalText:
    """`raw` with CRLF and CR as LF. Raises TextError for an empty text, NUL and lone surrogates."""
    if not raw.strip():
        raise TextError("'text' is empty")
    nul = raw.find("\0")
    if nul >= 0:
        raise TextError(f"'text' has a NUL character at offset {nul}")
    lone = _LONE_SURROGATE.search(raw)
    if lone:
        raise TextError(f"'text' has half of a surrogate pair at offset {lone.start()}")
    removed = tuple(match.start() for match in _CARRIAGE_RETURN.finditer(raw) if len(match[0]) == 2)
    return NormalText(text=_CARRIAGE_RETURN.sub("\n", raw), removed=removed)


def text_digest(text: str) -> str:
    """sha256 of the UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def n_unseen(text: str) -> int:
    """How many characters of the text nobody sees: invisible ones, controls, and those that turn its direction."""
    return len(_UNSEEN.findall(text))


def one_line(text: str) -> str:
    """The text with each white space as one blank, and a box for each character that would spoil the line around it."""
    return _SPOILING.sub(_BOX, _BLANK.sub(" ", text))


def excerpt(text: str, length: int) -> str:
    """The beginning of the text as one line, with a box for each character that would spoil the line around it."""
    return _SPOILING.sub(_BOX, " ".join(text[: length * 2].split())[:length])
