"""Reading notices."""

from __future__ import annotations

from django.db.models import Case, F, QuerySet, Value, When

from annotator.accounts.models import User
from annotator.notices.models import Notice

# Of a project that the person belongs to: of one that was left, nothing is shown and nothing counts.
IS_SHOWN = {"user__memberships__project__public_id": F("project")}


def notices_of(user: User) -> QuerySet[Notice]:
    """The person's notices, unread ones first, then the newest first. One query."""
    is_read = Case(When(read_at=None, then=Value(0)), default=Value(1))
    return Notice.objects.filter(user=user, **IS_SHOWN).order_by(is_read, "-created_at", "-pk")
