"""A file of a dataset as an answer, noted in the audit chain."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.builds.services import open_file, record_download
from annotator.web.ranges import download_response


def give_file(request: HttpRequest, *, build: DatasetBuild, name: str, actor: User) -> HttpResponseBase:
    """The file, or the range of it that is asked for. Who took what is kept, unless nothing of it went out.

    Raises FileNotFoundError, FilesRemoved, NoSuchRange.
    """
    response = download_response(request, open_file(build=build, name=name))
    if request.method == "GET" and response.status_code in {200, 206}:
        part = response.headers.get("Content-Range", "").removeprefix("bytes ")
        record_download(build=build, file=name, actor=actor, now=timezone.now(), part=part)
    return response
