"""Who may administer the installation."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from annotator.accounts.models import User


def administrator(user: User | AnonymousUser) -> User:
    """The user, who administers the installation. Raises Http404 for everybody else: the pages are not there."""
    if isinstance(user, User) and user.is_staff:
        return user
    raise Http404
