"""What a log line may say: ids, names of code, classes of errors. Never what an error says, nor an address.

An error's message may quote what it stumbled on (a value that a database refused, a line that is not JSON), and an
address may hold a sign-in token.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from copy import copy
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from django.http import HttpRequest
from gunicorn.glogging import Logger

_PUBLIC_ID = re.compile(r"[a-z2-7]{16}")


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


class JsonFormatter(SafeFormatter):
    """The same, as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_request_facts(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            facts["errors"] = [
                {"class": _class_name(error), "frames": list(_frames(trace))}
                for error, trace in _chain(record.exc_info[1], record.exc_info[2], set())
            ]
        return json.dumps(facts)


class GunicornLogger(Logger):
    """Gunicorn's own log, for the process that starts the others and so never reads Django's settings."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        is_json = os.environ.get("LOG_FORMAT") == "json"
        line = SafeFormatter("{asctime} {levelname} {name} {message}", style="{")
        for handler in self.error_log.handlers:
            handler.setFormatter(JsonFormatter() if is_json else line)


def _message(record: logging.LogRecord) -> str:
    request = getattr(record, "request", None)
    if isinstance(request, HttpRequest):
        facts = _request_facts(record)
        told = f"{facts.get('status', '')} {facts['method']} {facts['route']}".lstrip()
        return f"{told} {facts['ms']} ms {facts.get('user', '')}".rstrip() if "ms" in facts else told
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


def _request_facts(record: logging.LogRecord) -> dict[str, Any]:
    """What may be told of the record's request: names of code and opaque ids, and nothing that has to be looked up."""
    request = getattr(record, "request", None)
    if not isinstance(request, HttpRequest):
        return {}
    match = request.resolver_match
    project = str(match.kwargs.get("project_id", "")) if match else ""
    facts = {
        "method": request.method,
        "route": match.view_name if match else "no route",
        "status": getattr(record, "status_code", None),
        "ms": getattr(record, "ms", None),
        "request_id": getattr(request, "request_id", None),
        "user": getattr(getattr(request, "_cached_user", None), "public_id", None),
        "project": project if _PUBLIC_ID.fullmatch(project) else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _lines(error: BaseException, trace: TracebackType | None, seen: set[int]) -> Iterator[str]:
    for number, (found, frames) in enumerate(_chain(error, trace, seen)):
        if number:
            yield "which led to"
        yield "Traceback (most recent call last):"
        yield from (f"  {frame}" for frame in _frames(frames))
        yield _class_name(found)


def _chain(
    error: BaseException, trace: TracebackType | None, seen: set[int]
) -> Iterator[tuple[BaseException, TracebackType | None]]:
    """The error and those it came from, the first one first."""
    seen.add(id(error))
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _chain(earlier, earlier.__traceback__, seen)
    yield error, trace


def _frames(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f'File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}'
        trace = trace.tb_next


def _class_name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
