"""Reading notes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar, cast

from django.db.models import F, Model, QuerySet
from django.db.models.functions import Greatest, Substr

from annotator.documents.models import Document
from annotator.projects.models import Project

_Row = TypeVar("_Row", bound=Model)


def known_digests(*, project: Project, external_ids: Iterable[str]) -> dict[str, str]:
    """sha256 of the notes of the project that have one of these external ids. One query; ask for 500 at a time."""
    rows = Document.objects.filter(project=project, external_id__in=list(external_ids))
    return dict(rows.values_list("external_id", "sha256"))


def document_ids(*, project: Project, external_ids: Iterable[str]) -> dict[str, int]:
    """Keys of the notes of the project that have one of these external ids. One query; ask for 500 at a time."""
    rows = Document.objects.filter(project=project, external_id__in=list(external_ids))
    return dict(rows.values_list("external_id", "pk"))


def documents_by_external_id(*, project: Project, external_ids: Iterable[str]) -> dict[str, Document]:
    """The notes of the project that have one of these external ids, text included. One query; ask for 500 at a time."""
    return {
        document.external_id: document
        for document in Document.objects.filter(project=project, external_id__in=list(external_ids))
    }


def in_context(rows: QuerySet[_Row], *, before: int, after: int) -> QuerySet[_Row]:
    """The rows, each a place (`start`, `end`) of its `document`, with what stands there: `before`, `surface`, `after`.

    Of the notes' texts no more is read than that.
    """
    first, text = Greatest(F("start") - before, 0), F("document__text")
    found = rows.defer("document__text", "document__metadata").annotate(
        before=Substr(text, first + 1, F("start") - first),
        surface=Substr(text, F("start") + 1, F("end") - F("start")),
        after=Substr(text, F("end") + 1, after),
    )
    return cast("QuerySet[_Row]", found)


def note_types(project: Project) -> list[str]:
    """The types of the project's notes, sorted. One query."""
    types = Document.objects.filter(project=project).order_by("note_type").values_list("note_type", flat=True)
    return list(types.distinct())


def type_key(note_type: str) -> str:
    """What stands for the type in addresses and in what outlives the notes: types are what somebody typed in."""
    return hashlib.sha256(note_type.encode()).hexdigest()[:12]
