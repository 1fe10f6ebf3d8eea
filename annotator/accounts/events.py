"""What happens to accounts, in the audit chain that belongs to no project."""

from __future__ import annotations

from datetime import datetime

from annotator.accounts.models import User
from annotator.audit.services import record_event

NO_PROJECT = ""


def record_account_event(*, verb: str, user: User, actor: User | None, now: datetime, **detail: str | int) -> None:
    record_event(project=NO_PROJECT, actor=actor, verb=verb, object_id=user.public_id, now=now, detail=detail)
