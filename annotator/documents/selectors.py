"""Reading notes."""

from __future__ import annotations

from collections.abc import Iterable

from annotator.documents.models import Document
from annotator.projects.models import Project


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
