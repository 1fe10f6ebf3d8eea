"""A person's own account: password, second factor, and the browsers signed in with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.accounts import lockout, pages, services
from annotator.accounts import sessions as browsers
from annotator.accounts import two_factor as factors
from annotator.accounts.forms import ChangePasswordForm, NewPasswordForm, PasswordAgainForm, TurnOnForm
from annotator.accounts.models import User
from annotator.core.wording import counted
from annotator.web.addresses import client_address
from annotator.web.http import see_other

_SECRET = "two_factor_secret"  # noqa: S105  in the session, encrypted, until its first code has come
_NOT_YOURS = "This is not your password."


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """What the account has, with the ways to change it."""
    user, now = cast(User, request.user), timezone.now()
    context = {
        "two_factor_since": factors.two_factor_since(user),
        "n_recovery_codes": factors.n_recovery_codes(user),
        "n_sessions": browsers.live_sessions(user=user, now=now).count(),
        "idle_minutes": settings.IDLE_MINUTES,
    }
    return render(request, "accounts/account.html", context)


@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Set the own password. The old one is asked for, unless there is none or a link led here."""
    user = cast(User, request.user)
    came_by_link = request.session.get(browsers.CAME_BY_LINK, False)
    is_old_asked = user.has_usable_password() and not came_by_link
    kind = ChangePasswordForm if is_old_asked else NewPasswordForm
    form, refusal = kind(user, data=request.POST or None), ""
    if request.method == "POST":
        try:
            if _is_valid_password_form(request, form, user):
                _keep_signed_in(request, user, form.cleaned_data["new_password1"])
                return see_other(request, resolve_url(settings.LOGIN_REDIRECT_URL))
        except lockout.LockedOut as error:
            form, refusal = kind(user), str(error)
    return render(
        request,
        "accounts/set_password.html",
        {"form": form, "refusal": refusal, "came_by_link": came_by_link},
        status=422 if request.method == "POST" else 200,
    )


@require_http_methods(["GET", "POST"])
def idle(request: HttpRequest) -> HttpResponse:
    """Seconds until the person is signed out; GET as a poll asks, POST says that the person is there."""
    session = request.browser_session  # type: ignore[attr-defined]
    left = request.seconds_left  # type: ignore[attr-defined]
    return JsonResponse({"seconds": left, "is_final": browsers.is_last_stretch(session)})


@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """The browsers that the person is signed in with."""
    now = timezone.now()
    live = browsers.live_sessions(user=cast(User, request.user), now=now)
    rows = [pages.session_row(row, current_key=request.session.session_key, now=now) for row in live]
    return render(request, "accounts/sessions.html", {"rows": rows, "idle_minutes": settings.IDLE_MINUTES})


@require_POST
def end_session(request: HttpRequest, session_id: str) -> HttpResponse:
    """Sign out of one of them; of this one as well."""
    user = cast(User, request.user)
    session = user.browser_sessions.select_related("user").filter(public_id=session_id).first()
    if session is None:
        raise Http404
    browsers.end_session(session=session, actor=user, now=timezone.now())
    if session.session_key == request.session.session_key:
        request.session.flush()
        return see_other(request, reverse("accounts:sign_in"))
    messages.success(request, f"Signed out: {session.agent}.")
    return see_other(request, reverse("accounts:sessions"))


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Stay signed in here alone."""
    user = cast(User, request.user)
    n_ended = services.end_other_sessions(user=user, keep=str(request.session.session_key), now=timezone.now())
    messages.success(request, f"Signed out of {counted(n_ended, 'other browser')}.")
    return see_other(request, reverse("accounts:sessions"))


@require_safe
def two_factor(request: HttpRequest) -> HttpResponse:
    """Whether a second factor is on, since when, and the ways to change that."""
    return _two_factor_page(request)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def set_up_two_factor(request: HttpRequest) -> HttpResponse:
    """Show a secret as picture and text; POST turns it on with its first code, and shows the recovery codes."""
    user, now = cast(User, request.user), timezone.now()
    if factors.has_two_factor(user):
        return redirect("accounts:two_factor")
    encrypted = request.session.setdefault(_SECRET, factors.new_secret())
    form, refusal = TurnOnForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            if _is_own_password(request, form, user, now=now):
                codes = factors.turn_on(user=user, encrypted=encrypted, code=form.cleaned_data["code"], now=now)
                del request.session[_SECRET]
                return render(request, "accounts/recovery_codes.html", {"codes": codes, "is_first": True})
        except lockout.LockedOut as error:
            form, refusal = TurnOnForm(), str(error)
        except factors.WrongCode:
            form.add_error("code", "This is not the code of this key now. Is the clock of the phone right?")
    context = {
        "form": form,
        "refusal": refusal,
        "secret": factors.readable_secret(encrypted),
        "is_required": settings.REQUIRE_TWO_FACTOR,
    }
    return render(request, "accounts/set_up_two_factor.html", context, status=422 if request.method == "POST" else 200)


@require_safe
def two_factor_qr(request: HttpRequest) -> HttpResponse:
    """The picture of the secret that is being set up."""
    encrypted = request.session.get(_SECRET)
    if encrypted is None:
        raise Http404
    svg = factors.qr_svg(user=cast(User, request.user), encrypted=encrypted)
    return HttpResponse(svg, content_type="image/svg+xml")


@sensitive_post_parameters("password")
@require_POST
def turn_off_two_factor(request: HttpRequest) -> HttpResponse:
    user, now = cast(User, request.user), timezone.now()
    form, refusal = PasswordAgainForm(request.POST, prefix="off"), ""
    try:
        if form.is_valid() and _is_own_password(request, form, user, now=now):
            factors.turn_off(user=user, actor=user, now=now)
            messages.success(request, "Two-factor sign-in is off.")
            return see_other(request, reverse("accounts:two_factor"))
    except lockout.LockedOut as error:
        form, refusal = PasswordAgainForm(prefix="off"), str(error)
    return _two_factor_page(request, {"off_form": form, "refusal": refusal}, status=422)


@sensitive_post_parameters("password")
@require_POST
def renew_recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes, shown in the answer and never again."""
    user, now = cast(User, request.user), timezone.now()
    if not factors.has_two_factor(user):
        return see_other(request, reverse("accounts:two_factor"))
    form, refusal = PasswordAgainForm(request.POST, prefix="codes"), ""
    try:
        if form.is_valid() and _is_own_password(request, form, user, now=now):
            codes = factors.renew_recovery_codes(user=user, now=now)
            return render(request, "accounts/recovery_codes.html", {"codes": codes})
    except lockout.LockedOut as error:
        form, refusal = PasswordAgainForm(prefix="codes"), str(error)
    return _two_factor_page(request, {"codes_form": form, "refusal": refusal}, status=422)


def _two_factor_page(
    request: HttpRequest, given: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    user = cast(User, request.user)
    context = {
        "since": factors.two_factor_since(user),
        "n_recovery_codes": factors.n_recovery_codes(user),
        "is_required": settings.REQUIRE_TWO_FACTOR,
        "off_form": PasswordAgainForm(prefix="off"),
        "codes_form": PasswordAgainForm(prefix="codes"),
    } | dict(given or {})
    return render(request, "accounts/two_factor.html", context, status=status)


def _is_own_password(request: HttpRequest, form: Form, user: User, *, now: datetime) -> bool:
    """Whether the valid form holds the person's own password; says so in the form where not. Raises LockedOut."""
    attempt = _begin(request, user, now=now)
    if user.check_password(form.cleaned_data["password"]):
        lockout.forgive(attempt)
        return True
    form.add_error("password", _NOT_YOURS)
    return False


def _is_valid_password_form(request: HttpRequest, form: NewPasswordForm, user: User) -> bool:
    """Whether the form is valid; an old password in it is counted as an attempt. Raises LockedOut."""
    if not isinstance(form, ChangePasswordForm) or not request.POST.get("old_password"):
        return form.is_valid()
    attempt = _begin(request, user, now=timezone.now())
    if not form.has_error("old_password"):
        lockout.forgive(attempt)
    return form.is_valid()


def _begin(request: HttpRequest, user: User, *, now: datetime) -> lockout.Attempt:
    return lockout.begin_attempt(
        kind=lockout.Kind.PASSWORD, who=user.public_id, address=client_address(request), now=now
    )


def _keep_signed_in(request: HttpRequest, user: User, password: str) -> None:
    """Set the password, and stay signed in in this browser alone, whose session gets a new key."""
    old_key = str(request.session.session_key)
    services.set_password(user=user, password=password, now=timezone.now(), keep_session=old_key)
    request.session.pop(browsers.CAME_BY_LINK, None)
    update_session_auth_hash(request, user)
    browsers.move_session(old_key=old_key, new_key=str(request.session.session_key))
