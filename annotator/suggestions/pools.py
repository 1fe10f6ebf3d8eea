"""Freezing example pools: written once, and never changed but by a purge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.prompting import Item, render_answer
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import lock_projects
from annotator.suggestions.models import ExamplePool, PoolWish, PromptExample


class PoolRefused(Exception):
    """A pool that cannot be frozen; the message says why."""


@dataclass(frozen=True, slots=True)
class NewExample:
    """A window of a note with the items of the answer that is right for it; `wishes` are those that it grants."""

    document_id: int
    text: str
    items: tuple[Item, ...]
    wishes: tuple[int, ...] = ()


@transaction.atomic
def wish_for(*, project: Project, document: Document, start: int, end: int, actor: User, now: datetime) -> PoolWish:
    """Have the place among the examples of the next pool; the wish that is there already where it waits."""
    lock_projects(project)  # as a purge and a freeze do
    wish, is_new = PoolWish.objects.get_or_create(
        project=project,
        document=document,
        start=start,
        end=end,
        status=PoolWish.Status.WAITING,
        defaults={"asked_by": actor, "asked_at": now},
    )
    if is_new:
        _record(wish, "pool.wish", actor, now)
    return wish


@transaction.atomic
def withdraw_wish(*, wish: PoolWish, actor: User, now: datetime) -> None:
    """Take the wish back; nothing changes where it no longer waits."""
    waiting = PoolWish.objects.filter(pk=wish.pk, status=PoolWish.Status.WAITING)
    if waiting.update(status=PoolWish.Status.WITHDRAWN):
        _record(wish, "pool.unwish", actor, now)


def _record(wish: PoolWish, verb: str, actor: User, now: datetime) -> None:
    record_event(project=wish.project.public_id, actor=actor, verb=verb, object_id=wish.public_id, now=now)


@transaction.atomic
def add_pool(
    *,
    project: Project,
    schema_version: SchemaVersion,
    examples: Sequence[NewExample],
    options: Mapping[str, Any],
    actor: User | None,
    now: datetime,
) -> ExamplePool:
    """The project's next pool; the newest itself where it would be the same.

    Raises PoolRefused where there is no example, or where a note of one has been purged since it was read.
    """
    if not examples:
        raise PoolRefused("there is no finished note to take examples from")
    lock_projects(project)  # as a purge does
    wanted = {new.document_id for new in examples}
    notes = {note.pk: note for note in Document.objects.filter(project=project, pk__in=wanted).defer("text")}
    if len(notes) < len(wanted):
        raise PoolRefused("notes were purged while examples were chosen: try again")
    rows = [
        PromptExample(
            document=notes[new.document_id],
            patient_id=notes[new.document_id].patient_id,
            position=position,
            text=new.text,
            items=json.loads(render_answer(new.items, schema=schema_version.schema)),
        )
        for position, new in enumerate(examples)
    ]
    digest = _digest(rows)
    newest = project.example_pools.order_by("-number").first()
    if newest is not None and (newest.digest, newest.schema_version_id) == (digest, schema_version.pk):
        _grant(examples, list(newest.examples.order_by("position")))
        return newest
    pool = ExamplePool.objects.create(
        project=project,
        schema_version=schema_version,
        number=newest.number + 1 if newest else 1,
        digest=digest,
        n_examples=len(rows),
        options=dict(options),
        created_by=actor,
        created_at=now,
    )
    for row in rows:
        row.pool = pool
    PromptExample.objects.bulk_create(rows, batch_size=200)
    _grant(examples, rows)
    record_event(
        project=project.public_id,
        actor=actor,
        verb="pool.freeze",
        object_id=project.public_id,
        now=now,
        detail={"number": pool.number, "digest": digest, "n_examples": pool.n_examples, "options": pool.options},
    )
    return pool


def _grant(examples: Sequence[NewExample], rows: Sequence[PromptExample]) -> None:
    """Mark the wishes that the rows hold as used, but for those withdrawn meanwhile. One query for each such row."""
    for new, row in zip(examples, rows, strict=True):
        if new.wishes:
            waiting = PoolWish.objects.filter(pk__in=new.wishes, status=PoolWish.Status.WAITING)
            waiting.update(status=PoolWish.Status.USED, example=row)


def _digest(rows: Sequence[PromptExample]) -> str:
    """Of all that a choice of examples depends on."""
    told = [[row.document.public_id, row.patient_id, row.text, row.items] for row in rows]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
