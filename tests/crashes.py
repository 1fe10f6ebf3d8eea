"""Crashes for tests.crashing. Each says the text of a note in its message, its arguments and its variables.

To be imported by an installation's programs only: importing it is what makes them crash.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse

from annotator.builds.formats.messages import MessagesWriter
from annotator.documents.models import Document
from llm_labeler.reading import Part, Reader

POISON = "Poisonword"


class CrashError(Exception):
    """Raised on demand."""


def crash_on_demand(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Fails in the place of the view of each request that has the header X-Crash."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_view(request: HttpRequest, *_: Any) -> None:
        if "X-Crash" in request.headers:
            text = Document.objects.order_by("pk").values_list("text", flat=True)[0]
            warnings.warn(text, stacklevel=1)
            raise CrashError(text) from ValueError(text)

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def _poisoned(own: Callable[..., Any]) -> Callable[..., Any]:
    def read(self: Reader, parts: Sequence[Part]) -> Any:
        for part in parts:
            if POISON in part.text:
                raise CrashError(part.text)
        return own(self, parts)

    return read


def _fail(self: MessagesWriter, *, note: Any, part: str) -> None:
    raise CrashError(note.text)


Reader.read = _poisoned(Reader.read)  # type: ignore[method-assign]
MessagesWriter.add = _fail  # type: ignore[method-assign]
