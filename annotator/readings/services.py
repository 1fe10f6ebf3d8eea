"""Which notes have several readings, kept true wherever a reading is submitted, taken back or imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from django.db import transaction
from django.db.models import F

from annotator.annotations.models import AnnotationSet
from annotator.readings.comparing import compare_notes
from annotator.readings.models import Adjudication

_PAGE = 1000
_Status = Adjudication.Status


@transaction.atomic
def notes_read(*, document_ids: Collection[int], waiting: Collection[int]) -> None:
    """Have these notes adjudicated as far as they are read: the one way in for whatever changes what is submitted.

    `waiting` are those that another reader is still to come to; call it in the transaction that changes them. A note
    whose readings change after it was settled is to be looked at again, and its gold is no longer submitted. Four
    queries for a thousand notes, three more where any of them changes, and those of `compare_notes`.
    """
    ids = sorted(document_ids)
    for first in range(0, len(ids), _PAGE):
        _page_read(ids[first : first + _PAGE], set(waiting))
    compare_notes(document_ids=ids)


def _page_read(document_ids: Collection[int], waiting: Collection[int]) -> None:
    submitted = AnnotationSet.objects.filter(
        document__in=document_ids,
        annotator__isnull=False,
        kind=AnnotationSet.Kind.READING,
        status=AnnotationSet.Status.SUBMITTED,
    )
    n_read = Counter(submitted.order_by().values_list("document_id", flat=True))
    known = dict(Adjudication.objects.filter(document__in=document_ids).values_list("document_id", "status"))
    several = {document_id for document_id, n in n_read.items() if n > 1}
    Adjudication.objects.bulk_create(
        Adjudication(document_id=document_id, status=_Status.WAITING if document_id in waiting else _Status.OPEN)
        for document_id in sorted(several - known.keys())
    )
    settled = several - set(waiting)
    paused = [found for found, status in known.items() if status != _Status.WAITING and found not in settled]
    resumed = [found for found, status in known.items() if status == _Status.WAITING and found in settled]
    if paused:
        Adjudication.objects.filter(document__in=paused).update(
            status=_Status.WAITING, lease_expires_at=None, done_at=None, version=F("version") + 1
        )
        AnnotationSet.objects.filter(document__in=paused, kind=AnnotationSet.Kind.GOLD).update(
            status=AnnotationSet.Status.OPEN, submitted_at=None
        )
    if resumed:
        Adjudication.objects.filter(document__in=resumed).update(status=_Status.OPEN, version=F("version") + 1)
