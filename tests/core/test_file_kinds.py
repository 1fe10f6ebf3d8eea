from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from annotator.core.file_kinds import binary_kind, utf16_kind


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", "a PDF"),
        (b"{\\rtf1\\ansi", "an RTF document"),
        (zipped("[Content_Types].xml", "word/document.xml"), "a Word document (.docx)"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx)"),
        (zipped("notes/a.txt"), "a zip archive"),
        (zipped(), "an empty zip archive"),
        (gzip.compress(b"text"), "a gzip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file"),
        ("text".encode("utf-32"), "UTF-32 text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_binary_file_is_named_by_its_first_bytes(head: bytes, kind: str) -> None:
    assert f"this is {kind}" in binary_kind(head)


@pytest.mark.parametrize("head", [b"", b"PK", b"BZ", b"No chest pain.", "\ufeffµ".encode(), b"[1]", b"\x00"])
def test_text_is_not_taken_for_a_binary_file(head: bytes) -> None:
    assert binary_kind(head) == ""


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("id,text\n".encode("utf-16"), "utf-16"),
        ("id,text, µ\n".encode("utf-16-le"), "utf-16-le"),
        ("id,text, µ\n".encode("utf-16-be"), "utf-16-be"),
        (b"id,text\n", ""),
        (b"a\0b\0c d e f g h", ""),
        (b"\0\0\0\0\0\0\0\0", ""),
        (b"", ""),
    ],
)
def test_utf_16_is_told_by_its_mark_or_its_nul_bytes(head: bytes, kind: str) -> None:
    assert utf16_kind(head) == kind
