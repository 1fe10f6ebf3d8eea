"""Middleware of signed-in people: their sessions end by time, and some have something to do first."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from annotator.accounts import sessions, two_factor
from annotator.accounts.models import User
from annotator.web.addresses import agent_words
from annotator.web.http import see_other
from annotator.web.middleware import GetResponse

POLL_HEADER = "Marginalia-Poll"
_OPEN = ("accounts:set_password", "accounts:sign_out", "accounts:idle")
_SET_UP = ("accounts:set_up_two_factor", "accounts:two_factor_qr")


def watch_session(get_response: GetResponse) -> GetResponse:
    """Ends a session that has been idle, or has lasted, too long, and notes that the person is active.

    A request that the page makes by itself says so (Marginalia-Poll: 1), and is no activity. To the views the request
    carries its `browser_session` and `seconds_left`.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            _watch(request)
        return get_response(request)

    return middleware


def first_things_first(get_response: GetResponse) -> GetResponse:
    """Leads who came by a sign-in link to the page that sets a password, wherever they go; and who must have a second
    factor (REQUIRE_TWO_FACTOR=1) to its set-up.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        place = _place_to_be(request) if request.user.is_authenticated else ""
        return see_other(request, reverse(place)) if place else get_response(request)

    return middleware


def _watch(request: HttpRequest) -> None:
    user, now = cast(User, request.user), timezone.now()
    row = sessions.session_of(
        user=user, session_key=str(request.session.session_key), agent=agent_words(request), now=now
    )
    why = sessions.end_of(row, now=now)
    if why is not None:
        sessions.end_session(session=row, actor=None, now=now, why=why)
        logout(request)
        return
    if request.headers.get(POLL_HEADER) != "1":
        sessions.touch(row, now=now)
    request.browser_session = row  # type: ignore[attr-defined]
    request.seconds_left = sessions.seconds_left(row, now=now)  # type: ignore[attr-defined]


def _place_to_be(request: HttpRequest) -> str:
    """The route that the person must go to first; "" where they may go where they want."""
    if request.session.get(sessions.CAME_BY_LINK):
        return "" if _is_at(request, _OPEN) else "accounts:set_password"
    if settings.REQUIRE_TWO_FACTOR and not _is_at(request, (*_OPEN, *_SET_UP)):
        return "" if two_factor.has_two_factor(cast(User, request.user)) else "accounts:set_up_two_factor"
    return ""


def _is_at(request: HttpRequest, routes: tuple[str, ...]) -> bool:
    return request.path in {reverse(route) for route in routes}
