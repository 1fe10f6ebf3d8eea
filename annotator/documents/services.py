"""Notes come in."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction

from annotator.core.text import text_digest
from annotator.documents.models import Document
from annotator.projects.models import Project

_BATCH = 500


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A note to be stored; `text` is normal (`annotator.core.text.normal_text`)."""

    external_id: str
    text: str
    patient_id: str = ""
    note_type: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@transaction.atomic
def add_documents(*, project: Project, documents: Iterable[NewDocument], now: datetime) -> int:
    """Store the notes and return how many. Streams: memory does not grow with their number.

    The caller has checked that their external ids are new in the project (`known_digests`), and records the event.
    """
    n_added = 0
    rows = iter(documents)
    while batch := list(islice(rows, _BATCH)):
        Document.objects.bulk_create(
            Document(
                project=project,
                external_id=new.external_id,
                patient_id=new.patient_id,
                note_type=new.note_type,
                text=new.text,
                n_chars=len(new.text),
                sha256=text_digest(new.text),
                metadata=dict(new.metadata),
                blind_key=random.SystemRandom().random(),
                created_at=now,
            )
            for new in batch
        )
        n_added += len(batch)
    return n_added
