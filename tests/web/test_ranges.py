"""Downloads in ranges, as RFC 9110 wants them."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from annotator.web.compression import PlainRanges
from annotator.web.ranges import Download, NoSuchRange, download_response, no_such_range

DATA = bytes(range(256)) * 1000
TAG = '"abc"'


def asked(**headers: str) -> Any:
    request = RequestFactory().get("/", headers={name.replace("_", "-"): value for name, value in headers.items()})
    found = Download(stream=io.BytesIO(DATA), n_bytes=len(DATA), sha256="abc", name="ID-train.jsonl")
    response = download_response(request, found)
    content = b"".join(cast(Any, response).streaming_content) if response.streaming else response.content
    return response, content


def test_all_of_a_file_says_that_it_can_be_had_in_ranges() -> None:
    response, content = asked()
    assert (response.status_code, content) == (200, DATA)
    assert (response["ETag"], response["Accept-Ranges"]) == (TAG, "bytes")
    assert response["Content-Length"] == str(len(DATA))
    assert response["Content-Disposition"] == 'attachment; filename="ID-train.jsonl"'


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199999", 100, 199999),
        ("bytes=255990-", 255990, 255999),
        ("bytes=-10", 255990, 255999),
        ("bytes=255990-999999999", 255990, 255999),
        ("bytes=-999999999", 0, 255999),
    ],
)
def test_a_range_is_a_part_of_the_file(wanted: str, first: int, last: int) -> None:
    response, content = asked(Range=wanted)
    assert (response.status_code, content) == (206, DATA[first : last + 1])
    assert response["Content-Range"] == f"bytes {first}-{last}/256000"
    assert response["Content-Length"] == str(len(content))


@pytest.mark.parametrize("wanted", ["bytes=256000-", "bytes=-0", "bytes=999999-1000000"])
def test_a_range_behind_the_end_is_refused_with_the_length(wanted: str) -> None:
    with pytest.raises(NoSuchRange) as refused:
        asked(Range=wanted)
    response = no_such_range(refused.value)
    assert (response.status_code, response["Content-Range"]) == (416, "bytes */256000")


@pytest.mark.parametrize("wanted", ["bytes=5-4", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=٣-"])
def test_what_is_no_single_range_gives_the_whole_file(wanted: str) -> None:
    response, content = asked(Range=wanted.encode().decode("latin-1"))
    assert (response.status_code, len(content)) == (200, len(DATA))


@pytest.mark.parametrize(("tag", "status"), [(TAG, 206), ('"other"', 200), (f"W/{TAG}", 200), ("", 200)])
def test_a_range_of_another_state_gives_the_whole_file(tag: str, status: int) -> None:
    assert asked(Range="bytes=0-9", If_Range=tag)[0].status_code == status


@pytest.mark.parametrize(("known", "status"), [(TAG, 304), (f'"x", W/{TAG}', 304), ('"x"', 200)])
def test_a_file_that_is_known_is_not_sent(known: str, status: int) -> None:
    response, _ = asked(If_None_Match=known)
    assert (response.status_code, response["ETag"]) == (status, TAG)


@pytest.mark.django_db  # the end of a response closes connections
def test_the_stream_is_closed_with_the_response() -> None:
    request = RequestFactory().get("/")
    stream = io.BytesIO(DATA)
    response = download_response(request, Download(stream=stream, n_bytes=len(DATA), sha256="abc", name="x"))
    response.close()
    assert stream.closed


@pytest.mark.parametrize(("headers", "encoding"), [({"Accept-Ranges": "bytes"}, ""), ({}, "gzip")])
def test_what_is_given_in_ranges_is_not_packed(headers: dict[str, str], encoding: str) -> None:
    response = HttpResponse(b"a" * 5000, headers=headers)
    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    packed = PlainRanges(lambda _: response)(request)
    assert packed.headers.get("Content-Encoding", "") == encoding
