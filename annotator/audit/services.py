"""Appending to the audit chain, and checking it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.models import AuditChain, AuditEvent

READ_EVENT_EVERY = timedelta(hours=1)


@transaction.atomic
def record_event(
    *,
    project: str,
    actor: User | None,
    verb: str,
    object_id: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Append one event to the project's chain (`project` is its public id, "" for none). Three queries."""
    AuditChain.objects.get_or_create(project=project)
    chain = AuditChain.objects.select_for_update().get(project=project)
    event = AuditEvent(
        chain=chain,
        number=chain.n_events + 1,
        at=now,
        actor=actor,
        verb=verb,
        object_id=object_id,
        detail=dict(detail or {}),
        previous_sha256=chain.head_sha256,
    )
    event.sha256 = _digest(event)
    event.save(force_insert=True)
    AuditChain.objects.filter(pk=chain.pk).update(n_events=event.number, head_sha256=event.sha256)
    return event


def record_read(*, project: str, actor: User, object_id: str, now: datetime, verb: str = "note.read") -> None:
    """Append a read event, at most one an hour for one person and object."""
    is_known = AuditEvent.objects.filter(
        chain__project=project, verb=verb, object_id=object_id, actor=actor, at__gt=now - READ_EVENT_EVERY
    ).exists()
    if not is_known:
        record_event(project=project, actor=actor, verb=verb, object_id=object_id, now=now)


def first_broken_event(*, project: str) -> int | None:
    """The number of the first event that is missing or does not fit its hash; None where the chain holds."""
    chain = AuditChain.objects.filter(project=project).first()
    if chain is None:
        return None
    previous, number = "0" * 64, 0
    for event in chain.events.order_by("number").iterator(chunk_size=1000):
        number += 1
        if event.number != number or event.previous_sha256 != previous or event.sha256 != _digest(event):
            return number
        previous = event.sha256
    return None if (number, previous) == (chain.n_events, chain.head_sha256) else number + 1


def _digest(event: AuditEvent) -> str:
    fields = [
        event.chain.project,
        event.number,
        event.at.isoformat(),
        event.actor_id,
        event.verb,
        event.object_id,
        event.detail,
        event.previous_sha256,
    ]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
