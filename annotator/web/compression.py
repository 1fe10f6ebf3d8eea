"""Pages compressed with brotli, for browsers that take it; others get them from Django's GZipMiddleware."""

from __future__ import annotations

import re
import secrets

import brotli
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

from annotator.web.middleware import GetResponse

LEAST_BYTES = 200
# As quick as gzip at its usual level, where the next level up takes five times as long.
QUALITY = 8
MOST_PADDING = 100
_ACCEPTS = re.compile(r"\bbr\b")


def compress_with_brotli(get_response: GetResponse) -> GetResponse:
    """Compresses what is worth it and not compressed yet. Files that are streamed are left to gzip."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.streaming or response.has_header("Content-Encoding") or len(response.content) < LEAST_BYTES:
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        if not _ACCEPTS.search(request.headers.get("Accept-Encoding", "")):
            return response
        compressed = compress(response.content)
        if len(compressed) < len(response.content):
            response.content = compressed
            response.headers["Content-Encoding"] = "br"
            response.headers["Content-Length"] = str(len(compressed))
        return response

    return middleware


class PlainRanges(GZipMiddleware):
    """Gzip for what brotli left, but for files that are given in ranges: those are of bytes as they are stored."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.has_header("Accept-Ranges"):
            return response
        return super().process_response(request, response)


def compress(content: bytes) -> bytes:
    """The content as brotli, longer by a random length, so that a size does not tell what was guessed rightly in it.

    The padding is a metadata block, which readers skip (RFC 7932, 9.2): a header of two bytes, and random ones.
    """
    compressor = brotli.Compressor(mode=brotli.MODE_TEXT, quality=QUALITY)
    padding = secrets.token_bytes(1 + secrets.randbelow(MOST_PADDING))
    # From the lowest bit: not the last block, one without content, a reserved bit, its length in one byte, less one.
    header = (0b0_11_0 | 0b01 << 4 | (len(padding) - 1) << 6).to_bytes(2, "little")
    return b"".join((compressor.process(content), compressor.flush(), header, padding, compressor.finish()))
