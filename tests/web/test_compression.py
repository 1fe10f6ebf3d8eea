"""Pages as they travel: compressed with what the browser takes, and of no size that could be counted on."""

from __future__ import annotations

import gzip

import brotli
import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from annotator.web.compression import MOST_PADDING, compress, compress_with_brotli

PAGE = b"Patient reports chest pain. " * 40


def answer(response: HttpResponse | StreamingHttpResponse, accepted: str = "gzip, deflate, br, zstd") -> HttpResponse:
    def respond(request: HttpRequest) -> HttpResponse:
        return response  # type: ignore[return-value]

    return compress_with_brotli(respond)(RequestFactory().get("/", headers={"Accept-Encoding": accepted}))


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate, br, zstd", "br"), ("gzip, deflate", "gzip"), ("", "")]
)
def test_a_page_is_compressed_with_the_best_that_a_browser_takes(
    client: Client, db: None, accepted: str, encoding: str
) -> None:
    address = reverse("accounts:sign_in")
    response = client.get(address, headers={"Accept-Encoding": accepted})
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}[encoding]
    assert response.headers.get("Content-Encoding", "") == encoding
    assert response.headers["Content-Length"] == str(len(response.content))
    assert "Accept-Encoding" in response.headers["Vary"]
    assert unpack(response.content).startswith(b"<!doctype html>")


@pytest.mark.parametrize("content", [PAGE, b"", b"one", bytes(range(256)) * 300], ids=["page", "none", "short", "long"])
def test_what_was_compressed_is_read_again(content: bytes) -> None:
    for _ in range(50):
        assert brotli.decompress(compress(content)) == content


def test_the_same_page_has_many_sizes() -> None:
    sizes = {len(compress(PAGE)) for _ in range(400)}
    assert len(sizes) > MOST_PADDING / 2
    assert max(sizes) - min(sizes) < MOST_PADDING


def test_what_is_short_or_compressed_or_streamed_is_left_alone() -> None:
    packed = HttpResponse(PAGE, headers={"Content-Encoding": "gzip"})
    for response in (HttpResponse(b"short"), packed, StreamingHttpResponse([PAGE])):
        assert answer(response).headers.get("Content-Encoding") != "br"
    assert answer(packed).content == PAGE


def test_what_would_grow_is_left_alone() -> None:
    noise = bytes((n * n * 7 + n // 3) % 251 for n in range(40)) + bytes(range(170))
    response = answer(HttpResponse(noise))
    assert response.content == noise
    assert not response.has_header("Content-Encoding")
