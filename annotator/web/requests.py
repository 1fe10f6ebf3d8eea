"""Each request has an id, which its answer carries and the log shows; and, where it is asked for, a line in the log."""

from __future__ import annotations

import logging
import re
import secrets
import time

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from annotator.web.middleware import GetResponse

HEADER = "X-Request-ID"
_PLAIN = re.compile(r"[A-Za-z0-9._-]{8,64}")
logger = logging.getLogger(__name__)


def name_requests(get_response: GetResponse) -> GetResponse:
    """Gives the request its id: the proxy's, where that is a plain word, else a new one.

    The line of LOG_REQUESTS names a route and never an address, which may hold a token; static files have none.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        given = request.headers.get(HEADER, "")
        request.request_id = given if _PLAIN.fullmatch(given) else secrets.token_hex(8)  # type: ignore[attr-defined]
        response = get_response(request)
        response.headers[HEADER] = request.request_id  # type: ignore[attr-defined]
        if settings.LOG_REQUESTS and request.resolver_match is not None:
            facts = {"request": request, "status_code": response.status_code, "ms": _milliseconds_since(begun)}
            logger.info("request", extra=facts)
        return response

    return middleware


def _milliseconds_since(begun: float) -> int:
    return round(1000 * (time.monotonic() - begun))
