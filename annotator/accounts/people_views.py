"""The accounts of everybody, for administrators; for all others these pages are not there."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.accounts import administration, lockout, pages, selectors, services
from annotator.accounts.access import administrator
from annotator.accounts.forms import NewPersonForm
from annotator.accounts.models import User
from annotator.core.wording import sentence
from annotator.web.http import see_other
from annotator.web.paging import page_of

# By the name that the form's button sends: what is done, and what is said when it is.
_ACTS: dict[str, tuple[Callable[..., None], str]] = {
    "disable": (administration.disable_user, "{} is disabled and signed out everywhere."),
    "enable": (administration.enable_user, "{} is enabled."),
    "unlock": (administration.unlock_user, "{} can try again."),
    "remove_two_factor": (administration.remove_two_factor, "{} signs in without a second factor now."),
    "make_administrator": (administration.make_administrator, "{} is an administrator."),
    "unmake_administrator": (administration.unmake_administrator, "{} is no administrator any more."),
}


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Every account, by name."""
    administrator(request.user)
    now = timezone.now()
    page = page_of(request, selectors.accounts())
    locked = lockout.locked_users(list(page), now=now)
    rows = [pages.person_row(user, locked=locked, now=now) for user in page]
    return render(request, "accounts/people.html", {"page": page, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def new_person(request: HttpRequest) -> HttpResponse:
    """Make an account; the answer shows the link that sets its password, this once."""
    actor, now = administrator(request.user), timezone.now()
    form = NewPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = services.create_user(username=form.cleaned_data["username"], actor=actor, now=now)
        except services.AccountError as error:
            form.add_error("username", sentence(str(error)))
        else:
            return _link_page(request, user, actor=actor, is_new=True)
    return render(request, "accounts/new_person.html", {"form": form}, status=422 if request.method == "POST" else 200)


@require_safe
def person(request: HttpRequest, user_id: str) -> HttpResponse:
    """One account, with all that can be done to it."""
    administrator(request.user)
    return _person_page(request, _account(user_id))


@require_POST
def change_person(request: HttpRequest, user_id: str) -> HttpResponse:
    """Do what the pressed button says. A refusal is shown in the page."""
    actor = administrator(request.user)
    user = _account(user_id)
    if request.POST.get("act") not in _ACTS:
        return _person_page(request, user, refusal="Press one of the buttons.")
    do, told = _ACTS[request.POST["act"]]
    try:
        do(user=user, actor=actor, now=timezone.now())
    except services.AccountError as error:
        return _person_page(request, user, refusal=sentence(str(error)))
    messages.success(request, told.format(user.username))
    return see_other(request, _next_page(actor, user))


@require_POST
def reset_link(request: HttpRequest, user_id: str) -> HttpResponse:
    """Make a link that sets a new password; the answer shows it, this once."""
    actor = administrator(request.user)
    user = _account(user_id)
    try:
        return _link_page(request, user, actor=actor)
    except services.AccountError as error:
        return _person_page(request, user, refusal=sentence(str(error)))


def _next_page(actor: User, user: User) -> str:
    """The page of the account; home for who has just ceased to administer."""
    if user == actor and not user.is_staff:
        return reverse("home")
    return reverse("accounts:person", args=[user.public_id])


def _account(user_id: str) -> User:
    user = selectors.account(user_id)
    if user is None:
        raise Http404
    return user


def _person_page(request: HttpRequest, user: User, *, refusal: str = "") -> HttpResponse:
    now = timezone.now()
    row = pages.person_row(user, locked=lockout.locked_users([user], now=now), now=now)
    return render(request, "accounts/person.html", {"row": row, "refusal": refusal}, status=422 if refusal else 200)


def _link_page(request: HttpRequest, user: User, *, actor: User, is_new: bool = False) -> HttpResponse:
    path = services.reset_link(username=user.username, actor=actor, now=timezone.now())
    context = {"person": user, "link": request.build_absolute_uri(path), "is_new": is_new}
    return render(request, "accounts/reset_link.html", context)
