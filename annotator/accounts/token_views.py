"""The pages of a person's API tokens."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts import tokens
from annotator.accounts.models import User
from annotator.accounts.token_forms import TokenForm
from annotator.core.wording import sentence
from annotator.web.http import see_other
from annotator.web.paging import page_of


@sensitive_variables("text")
@require_http_methods(["GET", "HEAD", "POST"])
def api_tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens and the form of another. The answer to its POST shows the token's text, this once."""
    user, now = cast(User, request.user), timezone.now()
    projects = tokens.projects_to_choose(user)
    form = TokenForm(request.POST if request.method == "POST" else None, projects=projects)
    made, text, status = None, "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                made, text = tokens.make_token(
                    user=user,
                    name=form.cleaned_data["name"],
                    scopes=form.cleaned_data["scopes"],
                    project=form.cleaned_data["project"],
                    lifetime=form.lifetime(),
                    now=now,
                )
            except tokens.TokenError as error:
                form.add_error(None, sentence(str(error)))
            else:
                form, status = TokenForm(projects=projects), 201
    names = dict(projects)
    page = page_of(request, tokens.tokens_of(user))
    context = {
        "crumb": "API tokens",
        "form": form,
        "made": made,
        "text": text,
        "page": page,
        "rows": [
            {
                "token": token,
                "scopes": ", ".join(token.scopes),
                "project": names.get(token.project, "A project you left") if token.project else "All",
                "is_expired": token.expires_at is not None and token.expires_at <= now,
            }
            for token in page
        ],
    }
    return render(request, "accounts/tokens.html", context, status=status)


@require_POST
def revoke_token(request: HttpRequest, token_id: str) -> HttpResponse:
    """End one of the person's own tokens."""
    user = cast(User, request.user)
    token = get_object_or_404(tokens.tokens_of(user), public_id=token_id)
    tokens.revoke_token(token=token, actor=user, now=timezone.now())
    messages.success(request, f"The token {token.name} is revoked.")
    return see_other(request, reverse("accounts:tokens"))
