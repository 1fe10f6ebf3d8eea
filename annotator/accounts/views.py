"""Signing in and out: by password, with a second factor where there is one, and by link."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts import lockout, selectors, services, two_factor
from annotator.accounts.forms import CodeForm, NewPasswordForm, SignInForm
from annotator.accounts.models import SignInLink, User
from annotator.accounts.sessions import CAME_BY_LINK, begin_session, forget_session
from annotator.core.wording import counted
from annotator.web.addresses import client_address
from annotator.web.callers import is_on_this_machine
from annotator.web.http import see_other

_WRONG = "Name and password do not belong together."
_WRONG_CODE = "This code does not open the account. A code works once, and for about a minute."
_PENDING = "pending"  # in the session of who has shown one factor of two
_PENDING_LIFETIME = timedelta(minutes=5)


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password, then go to `next` where it is an address of ours.

    What is answered, and how long it takes, does not tell whether there is an account of that name.
    """
    target = _safe_next(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    form, refusal = SignInForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            user = _known_user(request, **form.cleaned_data)
        except lockout.LockedOut as error:
            form, refusal = SignInForm(initial={"username": form.cleaned_data["username"]}), str(error)
        else:
            if user is not None:
                return _admit(request, user, by="password", target=target)
            form.add_error(None, _WRONG)
    return render(
        request,
        "accounts/sign_in.html",
        {"form": form, "next": target, "refusal": refusal},
        status=422 if request.method == "POST" else 200,
    )


@login_not_required
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Ask who has shown a password or a link for the second factor; nobody is signed in before."""
    now = timezone.now()
    pending = request.session.get(_PENDING, {})
    user = _pending_user(pending, now=now)
    if user is None:
        request.session.pop(_PENDING, None)
        return redirect("accounts:sign_in")
    form, refusal = CodeForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            factor = _used_factor(request, user, form.cleaned_data["code"], now=now)
        except lockout.LockedOut as error:
            form, refusal = CodeForm(), str(error)
        except two_factor.WrongCode:
            form.add_error("code", _WRONG_CODE)
        else:
            del request.session[_PENDING]
            if factor is two_factor.Factor.RECOVERY:
                left = counted(two_factor.n_recovery_codes(user), "recovery code")
                messages.warning(request, f"You have {left} left. New ones: Your account, Two-factor sign-in.")
            return _let_in(request, user, by=f"{pending['by']} and {factor}", target=pending["target"])
    return render(
        request,
        "accounts/code.html",
        {"form": form, "refusal": refusal},
        status=422 if request.method == "POST" else 200,
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.record_sign_out(user=cast(User, request.user), now=timezone.now())
    forget_session(session_key=str(request.session.session_key))
    logout(request)
    response = see_other(request, reverse("accounts:sign_in"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@login_not_required
@sensitive_variables("token")
@require_http_methods(["GET", "POST"])
def first(request: HttpRequest, token: str) -> HttpResponse:
    """A sign-in link: GET shows a button, POST signs in. Not there for who is not on this machine."""
    if not is_on_this_machine(request):
        raise Http404
    now = timezone.now()
    try:
        if request.method == "GET":
            link = selectors.link_of_token(kind=SignInLink.Kind.SIGN_IN, token=token, now=now)
            return render(request, "accounts/first.html", {"username": link.user.username})
        user = services.redeem_link(token=token, now=now)
    except selectors.LinkInvalid as error:
        return render(request, "accounts/first.html", {"error": str(error)}, status=410)
    return _admit(request, user, by="link", target=reverse("accounts:set_password"))


@login_not_required
@sensitive_post_parameters("new_password1", "new_password2")
@sensitive_variables("token")
@require_http_methods(["GET", "POST"])
def reset(request: HttpRequest, token: str) -> HttpResponse:
    """A link that an administrator has handed over: sets a new password, and signs nobody in."""
    now = timezone.now()
    try:
        link = selectors.link_of_token(kind=SignInLink.Kind.RESET, token=token, now=now)
        form = NewPasswordForm(link.user, data=request.POST or None)
        if request.method == "POST" and form.is_valid():
            services.reset_password(token=token, password=form.cleaned_data["new_password1"], now=now)
            messages.success(request, "Your password is set. Sign in with it.")
            return see_other(request, reverse("accounts:sign_in"))
    except selectors.LinkInvalid as error:
        return render(request, "accounts/reset.html", {"error": str(error)}, status=410)
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/reset.html", {"form": form, "username": link.user.username}, status=status)


def _known_user(request: HttpRequest, *, username: str, password: str) -> User | None:
    """The user whose name and password these are. Raises lockout.LockedOut."""
    now = timezone.now()
    attempt = lockout.begin_attempt(kind=lockout.Kind.NAME, who=username, address=client_address(request), now=now)
    user = authenticate(request, username=username, password=password)
    if user is None:
        services.record_failed_sign_in(username=username, now=now)
        return None
    lockout.forgive(attempt)
    return user


def _used_factor(request: HttpRequest, user: User, given: str, *, now: datetime) -> two_factor.Factor:
    """What the code was of. Raises lockout.LockedOut and two_factor.WrongCode."""
    attempt = lockout.begin_attempt(
        kind=lockout.Kind.CODE, who=user.public_id, address=client_address(request), now=now
    )
    try:
        factor = two_factor.use_code(user=user, code=given, now=now)
    except two_factor.WrongCode:
        services.record_failed_code(user=user, now=now)
        raise
    lockout.forgive(attempt)
    return factor


def _admit(request: HttpRequest, user: User, *, by: str, target: str) -> HttpResponse:
    """Sign in who has shown the first factor, or ask for the second one."""
    if not two_factor.has_two_factor(user):
        return _let_in(request, user, by=by, target=target)
    if request.user.is_authenticated:
        logout(request)
    request.session.cycle_key()
    request.session[_PENDING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "until": (timezone.now() + _PENDING_LIFETIME).isoformat(),
        "by": by,
        "target": target,
    }
    return see_other(request, reverse("accounts:code"))


def _pending_user(pending: dict[str, Any], *, now: datetime) -> User | None:
    """Who is to show the second factor: for five minutes, while the password stays and the account is enabled."""
    if not pending or datetime.fromisoformat(pending["until"]) <= now:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    return user if user and constant_time_compare(user.get_session_auth_hash(), pending["hash"]) else None


def _let_in(request: HttpRequest, user: User, *, by: str, target: str) -> HttpResponse:
    now = timezone.now()
    begin_session(request, user, now=now)
    if by.startswith("link"):
        request.session[CAME_BY_LINK] = True
    services.record_sign_in(user=user, now=now, by=by)
    return see_other(request, target)


def _safe_next(request: HttpRequest) -> str:
    """Where the sign-in leads: `next` where it is an address of this site, else the first page."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)
