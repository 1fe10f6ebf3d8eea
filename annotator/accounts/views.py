"""Signing in and out."""

from __future__ import annotations

import ipaddress
from typing import cast

from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts import selectors, services
from annotator.accounts.forms import ChangePasswordForm, NewPasswordForm, SignInForm
from annotator.accounts.models import User
from annotator.web.http import see_other

_CAME_BY_LINK = "came_by_link"
_PROXY_HEADERS = ("via", "forwarded", "x-real-ip")


@login_not_required
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with name and password, then go to `next` where it is an address of ours."""
    target = _safe_next(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    form = SignInForm(request, data=request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            user = form.get_user()
            login(request, user)
            services.record_sign_in(user=user, now=timezone.now())
            return see_other(request, target)
        services.record_failed_sign_in(username=request.POST.get("username", ""), now=timezone.now())
    return render(
        request,
        "accounts/sign_in.html",
        {"form": form, "next": target},
        status=422 if request.method == "POST" else 200,
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.record_sign_out(user=cast(User, request.user), now=timezone.now())
    logout(request)
    response = see_other(request, reverse("accounts:sign_in"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@login_not_required
@sensitive_variables("token")
@require_http_methods(["GET", "POST"])
def first(request: HttpRequest, token: str) -> HttpResponse:
    """A sign-in link: GET shows a button, POST signs in. Not there for who is not on this machine."""
    if not _is_on_this_machine(request):
        raise Http404
    try:
        if request.method == "GET":
            link = selectors.link_of_token(token=token, now=timezone.now())
            return render(request, "accounts/first.html", {"username": link.user.username})
        user = services.redeem_link(token=token, now=timezone.now())
    except selectors.LinkInvalid as error:
        return render(request, "accounts/first.html", {"error": str(error)}, status=410)
    login(request, user)
    request.session[_CAME_BY_LINK] = True
    return see_other(request, reverse("accounts:set_password"))


@sensitive_post_parameters("old_password", "new_password1", "new_password2")
@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Set the own password. The old one is asked for, unless there is none or a link led here."""
    user = cast(User, request.user)
    is_old_asked = user.has_usable_password() and not request.session.get(_CAME_BY_LINK)
    form = (ChangePasswordForm if is_old_asked else NewPasswordForm)(user, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.set_password(user=user, password=form.cleaned_data["new_password1"], now=timezone.now())
        request.session.pop(_CAME_BY_LINK, None)
        update_session_auth_hash(request, user)
        return see_other(request, resolve_url(settings.LOGIN_REDIRECT_URL))
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/set_password.html", {"form": form}, status=status)


def _safe_next(request: HttpRequest) -> str:
    """Where the sign-in leads: `next` where it is an address of this site, else the first page."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def _is_on_this_machine(request: HttpRequest) -> bool:
    """Whether the browser runs here, as far as the request shows: it comes from this machine, asks for this machine,
    and no proxy says that it handed it on. Behind a TLS proxy (HTTPS=1) nobody does.
    """
    if settings.HTTPS:
        return False
    if any(name.lower() in _PROXY_HEADERS or name.lower().startswith("x-forwarded-") for name in request.headers):
        return False
    host, _ = split_domain_port(request.get_host())
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host.strip("[]")))


def _is_loopback(given: str) -> bool:
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
