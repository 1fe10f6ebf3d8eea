"""How the REST API says no: RFC 9457 problems, which never repeat what was sent."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.views.defaults import server_error as server_error_page
from rest_framework import exceptions, serializers
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:problem:marginalia:"
# Status: the end of the problem's type, its title, and what is said where nothing more is known.
KINDS: dict[int, tuple[str, str, str]] = {
    400: ("invalid", "Invalid request", "The request cannot be read as this operation wants it."),
    401: ("unauthenticated", "Not authenticated", "Send a token that is in force: Authorization: Bearer TOKEN."),
    403: ("forbidden", "Forbidden", "Your role does not allow this."),
    404: ("not-found", "Not found", "There is nothing here that this token may see."),
    405: ("no-method", "Method not allowed", "The header Allow lists the methods of this address."),
    409: ("conflict", "Conflict", "What this is about has changed."),
    410: ("gone", "Gone", "What was here has been removed."),
    413: ("too-large", "Too large", "The request is longer than this operation takes."),
    415: ("media-type", "Unsupported media type", "The body is of a type that this operation does not take."),
    416: ("range", "Range not satisfiable", "The file does not have these bytes."),
    422: ("refused", "Refused", "The request was understood and refused."),
    429: ("throttled", "Too many requests", "Wait as long as the header Retry-After says."),
    500: ("failed", "Failed", "Something went wrong here; it has been logged."),
}
_TOO_LARGE = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)
# Messages of these would quote what was sent.
_UNQUOTED = {"invalid_choice": "This is not one of the values that are allowed."}
# What a field may be called; any other key of an error was sent by someone.
_FIELD = re.compile("[a-z_]{1,30}")


class Problem(exceptions.APIException):
    """A problem whose words are ours, and may be shown; `errors` are pairs (where, message)."""

    def __init__(self, detail: str, *, errors: Sequence[tuple[str, str]] = (), kind: str = "") -> None:
        super().__init__(detail)
        self.errors = errors
        self.kind = kind


class Unreadable(Problem):
    status_code = 400


class Forbidden(Problem):
    status_code = 403


class Conflict(Problem):
    status_code = 409


class Gone(Problem):
    status_code = 410


class TooLarge(Problem):
    status_code = 413


class OutOfRange(Problem):
    """A range of bytes that a file of `n_bytes` does not have."""

    status_code = 416

    def __init__(self, detail: str, *, n_bytes: int) -> None:
        super().__init__(detail)
        self.n_bytes = n_bytes


class Refused(Problem):
    status_code = 422


class ErrorSerializer(serializers.Serializer):
    where = serializers.CharField(help_text="The field, the parameter, or the row of a source.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """RFC 9457. No problem repeats what was sent."""

    type = serializers.CharField(help_text=f"`{TYPE_PREFIX}` and what kind of problem it is.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ErrorSerializer(  # type: ignore[assignment]  # a field of that name, which the framework allows
        many=True, help_text="What is wrong where; empty where it is not about a part."
    )


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception of a view; None for one that nobody expected, which Django logs and answers."""
    detail, errors, kind = "", [], ""
    headers = {}
    if isinstance(exc, Http404):
        status = 404
    elif isinstance(exc, PermissionDenied):
        status, detail, kind = 403, str(exc), "role"
    elif isinstance(exc, _TOO_LARGE):
        status = 413
    elif isinstance(exc, MultiPartParserError):
        status = 400
    elif isinstance(exc, Problem):
        status, detail, errors, kind = exc.status_code, str(exc.detail), list(exc.errors), exc.kind
    elif isinstance(exc, exceptions.ValidationError):
        status, errors = 400, list(_flat(exc.detail))
    elif isinstance(exc, exceptions.APIException):
        status = exc.status_code
    else:
        return None
    if isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(exc, "wait", None) or 1))
    if isinstance(exc, OutOfRange):
        headers["Content-Range"] = f"bytes */{exc.n_bytes}"
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header  # type: ignore[union-attr]  # set by APIView
    return Response(
        problem(status, detail=detail, errors=errors, kind=kind),
        status=status,
        headers=headers,
        content_type=CONTENT_TYPE,
    )


def problem(status: int, *, detail: str = "", errors: Sequence[tuple[str, str]] = (), kind: str = "") -> dict[str, Any]:
    """The body of a problem."""
    usual_kind, title, usual_detail = KINDS[status]
    return {
        "type": TYPE_PREFIX + (kind or usual_kind),
        "title": title,
        "status": status,
        "detail": detail or usual_detail,
        "errors": [{"where": where, "message": message} for where, message in errors],
    }


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's answer to an exception that nobody expected; a problem where a program asked."""
    if not request.path_info.startswith("/api/"):
        return server_error_page(request)
    return JsonResponse(problem(500), status=500, content_type=CONTENT_TYPE)


def _flat(detail: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """A serializer's errors, which nest as the data does, as (where, message)."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            here = f"[{key}]" if isinstance(key, int) else key if _FIELD.fullmatch(key) else "…"
            whole = where if key == "non_field_errors" else f"{where}.{here}" if where else here
            yield from _flat(inner, whole)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            # Errors of a list of objects: one dictionary each, empty where there is none.
            yield from _flat(inner, f"{where}[{place}]" if isinstance(inner, dict) else where)
    else:
        yield where or "body", _UNQUOTED.get(getattr(detail, "code", ""), str(detail))
