"""Middleware of our own: pages are never kept, and htmx is sent to the sign-in page as a whole."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

GetResponse = Callable[[HttpRequest], HttpResponse]


def no_store(get_response: GetResponse) -> GetResponse:
    """Marks every answer that does not say otherwise as not to be stored. Static files come before and say so."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def whole_sign_in_page(get_response: GetResponse) -> GetResponse:
    """Where the session has ended, htmx goes to the sign-in page and back to where it was, instead of putting the
    sign-in page into a piece of this one. What was being saved is not: `?unsaved=1` lets the page say so.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        sign_in = resolve_url(settings.LOGIN_URL)
        if not request.headers.get("HX-Request") or response.status_code != 302:
            return response
        if urlsplit(response["Location"]).path != sign_in:
            return response
        came_from = urlsplit(request.headers.get("HX-Current-URL", "")).path or "/"
        if request.method == "POST":
            came_from += "?unsaved=1"
        return HttpResponseClientRedirect(f"{sign_in}?{urlencode({'next': came_from})}")

    return middleware
