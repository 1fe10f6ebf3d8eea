"""What a file is by its first bytes, where it is not the plain text that its name promises."""

from __future__ import annotations

HEAD_BYTES = 4096

_SAVE_AS_TEXT = "save it as plain text (UTF-8)"
_SAVE_AS_CSV = "save the sheet as CSV UTF-8"
_UNPACK = "unpack it"

# First bytes, what they are of, and what to do.
_KINDS = (
    (b"%PDF-", "a PDF", _SAVE_AS_TEXT),
    (b"{\\rtf", "an RTF document", _SAVE_AS_TEXT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc, .xls)", f"{_SAVE_AS_TEXT}, or {_SAVE_AS_CSV}"),
    (b"PK\x05\x06", "an empty zip archive", _UNPACK),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"PAR1", "a Parquet file", "write it as JSONL or CSV"),
    (b"SQLite format 3\0", "an SQLite database", "write its notes as JSONL or CSV"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "notes are text"),
    (b"\xff\xd8\xff", "a JPEG picture", "notes are text"),
    (b"\0\0\xfe\xff", "UTF-32 text", "save it as UTF-8"),
    (b"\xff\xfe\0\0", "UTF-32 text", "save it as UTF-8"),
)
# Names that the first entry of an Office file's zip archive, or one soon after it, has.
_OFFICE = (
    (b"word/", "a Word document (.docx)", _SAVE_AS_TEXT),
    (b"xl/", "an Excel workbook (.xlsx)", _SAVE_AS_CSV),
    (b"ppt/", "a PowerPoint file (.pptx)", _SAVE_AS_TEXT),
    (b"opendocument.text", "an OpenDocument text (.odt)", _SAVE_AS_TEXT),
    (b"opendocument.spreadsheet", "an OpenDocument sheet (.ods)", _SAVE_AS_CSV),
)


def binary_kind(head: bytes) -> str:
    """What is wrong with a file that begins with `head` (HEAD_BYTES of it) and is no text; "" for text."""
    if head.startswith(b"PK\x03\x04"):
        kind, remedy = next(((kind, do) for name, kind, do in _OFFICE if name in head), ("a zip archive", _UNPACK))
        return f"this is {kind}, not text: {remedy}"
    return next((f"this is {kind}: {remedy}" for first, kind, remedy in _KINDS if head.startswith(first)), "")


def utf16_kind(head: bytes) -> str:
    """`utf-16` for a byte order mark, `utf-16-le` or `utf-16-be` where every other byte is NUL; "" for neither."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = head[:HEAD_BYTES:2], head[1:HEAD_BYTES:2]
    if len(odd) < 2:
        return ""
    if odd.count(0) > 0.7 * len(odd) and even.count(0) < 0.1 * len(even):
        return "utf-16-le"
    if even.count(0) > 0.7 * len(even) and odd.count(0) < 0.1 * len(odd):
        return "utf-16-be"
    return ""
