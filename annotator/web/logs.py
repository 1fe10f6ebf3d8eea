"""What a log line may say: ids, names of code, classes of errors. Never what an error says, nor an address.

An error's message may quote what it stumbled on (a value that a database refused, a line that is not JSON), and an
address may hold a sign-in token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from copy import copy
from types import TracebackType
from typing import Any

from django.http import HttpRequest


class SafeFormatter(logging.Formatter):
    """Formats the records of our own code as they are, those of Django, Celery and gunicorn without data."""

    def format(self, record: logging.LogRecord) -> str:
        shown = copy(record)
        shown.exc_text = None  # what another handler's formatter has made of the error
        shown.msg, shown.args = _message(record), ()
        return super().format(shown)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's own name
        """Class and frames of the error and of those it came from, without their messages."""
        _, error, frames = ei
        return "\n".join(_lines(error, frames, set()))


def _message(record: logging.LogRecord) -> str:
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        route = request.resolver_match.view_name if request.resolver_match else "no route"
        return f"{getattr(record, 'status_code', '')} {request.method} {route}".lstrip()
    if record.name == "py.warnings":  # file:line: class: text
        return ": ".join(record.getMessage().split(": ")[:2])
    if record.name == "gunicorn.error":
        return str(record.msg).partition(" %")[0]
    shown = copy(record)
    shown.args = _without_errors(record)
    return shown.getMessage()


def _without_errors(record: logging.LogRecord) -> Any:
    """The record's arguments, with each error as the name of its class."""
    args = record.args
    if not isinstance(args, Mapping):
        return tuple(_class_name(arg) if isinstance(arg, BaseException) else arg for arg in args or ())
    if record.name != "celery.app.trace":
        return args
    error = record.exc_info[1] if record.exc_info else None
    texts = {"exc": _class_name(error) if error else "an error", "traceback": "", "return_value": ""}
    return {**args, **texts}


def _lines(error: BaseException, frames: TracebackType | None, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _lines(earlier, earlier.__traceback__, seen)
        yield "which led to"
    yield "Traceback (most recent call last):"
    while frames is not None:
        code = frames.tb_frame.f_code
        yield f'  File "{code.co_filename}", line {frames.tb_lineno}, in {code.co_name}'
        frames = frames.tb_next
    yield _class_name(error)


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
