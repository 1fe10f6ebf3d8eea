"""The lines of a text file, decoded and bounded: a wrong byte or an endless line spoils its own line only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MEBI = 1024 * 1024
_LINE_ENDS = ("\n", "\r")


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its end, LF, CR or CRLF; `fault` says why there is none.

    `wrong_byte` is the place in the file, from 0, of the first byte that is none of the encoding.
    """

    number: int
    text: str
    fault: str = ""
    wrong_byte: int | None = None


def read_lines(path: Path, *, encoding: str, max_chars: int) -> Iterator[Line]:
    """The file's lines. Memory is bounded by `max_chars`, whatever the file holds. Raises OSError.

    A byte order mark is dropped.
    """
    is_utf16 = encoding.startswith("utf-16")
    # Wrong bytes come as lone surrogates, so that they do not spoil the lines around them; UTF-16 has its own.
    errors = "surrogatepass" if is_utf16 else "surrogateescape"
    number, n_bytes = 0, 0
    with path.open(encoding=encoding, errors=errors, newline="") as stream:
        while True:
            number += 1
            try:
                text = stream.readline(max_chars + 1)
                if not text:
                    return
                is_long = len(text) > max_chars
                wrong_byte, size = (None, 0) if is_utf16 else _measure(text, encoding, n_bytes)
                n_bytes += size
                while is_long and text and not text.endswith(_LINE_ENDS):
                    text = stream.readline(_MEBI)
                    n_bytes += 0 if is_utf16 else _measure(text, encoding, n_bytes)[1]
            except UnicodeDecodeError:
                yield Line(number, "", "the file ends in the middle of a character of UTF-16")
                return
            if is_long:
                yield Line(number, "", f"the line is longer than {megabytes(max_chars)}")
            else:
                yield Line(number, text.removeprefix("\ufeff") if number == 1 else text, wrong_byte=wrong_byte)


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes // _MEBI} MB"


def _measure(text: str, encoding: str, n_before: int) -> tuple[int | None, int]:
    """Where in the file the text's first wrong byte is, if it has one, and how many bytes the text has there."""
    if text.isascii():
        return None, len(text)
    try:
        return None, len(text.encode(encoding))
    except UnicodeEncodeError as error:
        wrong_byte = n_before + len(text[: error.start].encode(encoding))
        return wrong_byte, len(text.encode(encoding, "surrogateescape"))
