"""Files as downloads that can be taken up again: byte ranges (RFC 9110, 14) under a strong ETag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_BLOCK = 1 << 16


class NoSuchRange(Exception):
    """A range that the file does not have: it is `n_bytes` long."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__(f"the file has {n_bytes} bytes")
        self.n_bytes = n_bytes


@dataclass(frozen=True, slots=True)
class Download:
    """A file, opened, whose bytes never change: `sha256` is theirs. `name` is what it is saved as."""

    stream: BinaryIO
    n_bytes: int
    sha256: str
    name: str


def asked_range(request: HttpRequest, found: Download) -> tuple[int, int] | None:
    """The first and the last byte that are asked for; None for all of them: where nothing else is asked for, where
    several ranges are, and where If-Range names another state of the file. Raises NoSuchRange.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or not (asked[1] or asked[2]):
        return None
    if request.headers.get("If-Range", _etag(found)).strip() != _etag(found):
        return None
    if not asked[1]:
        first, last = max(found.n_bytes - int(asked[2]), 0), found.n_bytes - 1
    else:
        first, last = int(asked[1]), min(int(asked[2] or found.n_bytes), found.n_bytes - 1)
        if asked[2] and int(asked[2]) < first:
            return None  # not a range at all
    if first > last:
        raise NoSuchRange(found.n_bytes)
    return first, last


def is_known(request: HttpRequest, found: Download) -> bool:
    """Whether who asks has the file already."""
    known = (tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(","))
    return _etag(found) in known


def download_response(request: HttpRequest, found: Download) -> HttpResponseBase:
    """200 with the file, 206 with the range of it that is asked for, 304 where it is known. Raises NoSuchRange."""
    if is_known(request, found):
        found.stream.close()
        response: HttpResponseBase = HttpResponseNotModified()
    else:
        try:
            asked = asked_range(request, found)
        except NoSuchRange:
            found.stream.close()
            raise
        first, last = asked or (0, found.n_bytes - 1)
        response = StreamingHttpResponse(
            _blocks(found.stream, first, last - first + 1),
            status=206 if asked else 200,
            content_type="application/octet-stream",
        )
        response._resource_closers.append(found.stream.close)  # type: ignore[attr-defined]  # as FileResponse does
        response.headers["Content-Length"] = str(last - first + 1)
        response.headers["Content-Disposition"] = f'attachment; filename="{found.name}"'
        if asked:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{found.n_bytes}"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = _etag(found)
    return response


def no_such_range(refusal: NoSuchRange) -> HttpResponse:
    """416, with how long the file is."""
    return HttpResponse(status=416, headers={"Content-Range": f"bytes */{refusal.n_bytes}", "Accept-Ranges": "bytes"})


def _etag(found: Download) -> str:
    return f'"{found.sha256}"'


def _blocks(stream: BinaryIO, first: int, n_bytes: int) -> Iterator[bytes]:
    stream.seek(first)
    while n_bytes > 0 and (block := stream.read(min(_BLOCK, n_bytes))):
        n_bytes -= len(block)
        yield block
