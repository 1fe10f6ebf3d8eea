"""Middleware of our own: pages are never kept, and who has to sign in comes back to the page they were on."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
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
    sign-in page into a piece of this one; and so does a form, whose own address is no page. What was being saved is
    not: `?unsaved=1` lets the page say so.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_htmx, is_saving = bool(request.headers.get("HX-Request")), request.method == "POST"
        if not (is_htmx or is_saving) or not _asks_to_sign_in(response):
            return response
        came_from = urlsplit(request.headers.get("HX-Current-URL" if is_htmx else "Referer", "")).path or "/"
        if is_saving:
            came_from += "?unsaved=1"
        target = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': came_from})}"
        return HttpResponseClientRedirect(target) if is_htmx else HttpResponseRedirect(target)

    return middleware


def _asks_to_sign_in(response: HttpResponse) -> bool:
    """Whether this is LoginRequiredMiddleware's answer, which names the page to come back to."""
    if response.status_code != 302:
        return False
    place = urlsplit(response["Location"])
    return place.path == resolve_url(settings.LOGIN_URL) and "next" in QueryDict(place.query)
