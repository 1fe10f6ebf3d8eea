"""How views answer: a page or its partial, and 303 after a POST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect


def is_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece of the page, rather than a browser (or a boosted link) for the whole."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_either(
    request: HttpRequest, *, page: str, partial: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """The page, or its partial where htmx asks for it."""
    response = render(request, partial if is_partial(request) else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def see_other(request: HttpRequest, url: str) -> HttpResponse:
    """303 to `url` after a POST; htmx follows it as a full page."""
    if is_partial(request):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url, status=303)
