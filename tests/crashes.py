"""Crashes for tests.crashing. Each says the text of a note in its message, its arguments and its variables.

To be imported by an installation's programs only: importing it is what makes them crash.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from annotator.builds.formats.messages import MessagesWriter
from annotator.documents.models import Document
from llm_labeler import tasks

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
    def label_note(*, text: str, **options: Any) -> Any:
        if POISON in text:
            raise CrashError(text)
        return own(text=text, **options)

    return label_note


def _fail(self: MessagesWriter, *, note: Any, part: str) -> None:
    raise CrashError(note.text)


tasks.label_note = _poisoned(tasks.label_note)
MessagesWriter.add = _fail  # type: ignore[method-assign]
