"""What tests and certificates do to spans, a page at a time: held, accepted, released.

Each page is found by what is not yet as it should be, so that work that was killed goes on where it stopped. The
project is locked by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F, Max, QuerySet

from annotator.audit.services import record_event
from annotator.certificates.models import Batch, BatchMember, Certificate, WatchedSuggestion
from annotator.projects.models import Project
from annotator.review.holding import ask_spans, certify_spans, hold_spans, release_spans
from annotator.review.models import ReviewItem
from annotator.review.seconding import close_second
from annotator.routing.looking import PAGE, n_watched
from annotator.routing.selectors import certificate_of, members_of, open_batches
from annotator.suggestions.models import Suggestion

RELEASED = "unproven"
_Status = ReviewItem.Status
_Stream = ReviewItem.Stream


def hold_due(project: Project, now: datetime) -> bool:
    """Hold the next page of a batch that was frozen and not looked at yet; whether there was one."""
    for batch in open_batches(project).filter(status=Batch.Status.TESTING, looked_at=None):
        largest = batch.regions.aggregate(largest=Max("size"))["largest"]
        waiting = _with_item(members_of(batch).filter(rank__lte=largest), status=_Status.OPEN, stream=_Stream.UNCERTAIN)
        page = list(waiting.order_by("rank").values_list("suggestion_id", flat=True)[:PAGE])
        # None of a page is held only where each was decided once and taken back since: people go on with those.
        if page and hold_spans(suggestions=page):
            return True
    return False


def accept_due(project: Project, now: datetime) -> bool:
    """Accept the next page of a certified region; whether there was one."""
    live = Certificate.objects.filter(project=project, status=Certificate.Status.LIVE, watched_at=None)
    certificate = live.select_related("batch__project", "region").order_by("number").first()
    if certificate is None:
        return False
    page = _to_accept(certificate)
    if not page:
        Certificate.objects.filter(pk=certificate.pk).update(watched_at=now)
        return True
    n_accepted = certify_spans(certificate=certificate, suggestions=page, now=now)
    # What could not be accepted, as where a second reader was given the note since: people read it.
    let_go(page, now=now)
    Certificate.objects.filter(pk=certificate.pk).update(n_accepted=F("n_accepted") + n_accepted)
    record_event(
        project=project.public_id,
        actor=None,
        verb="certificate.accept",
        object_id=certificate.public_id,
        now=now,
        detail={"n_spans": n_accepted},
    )
    return True


def release_due(project: Project, now: datetime) -> bool:
    """Release the next page of what a settled batch's certificate does not cover, or of a batch that has ended; whether
    there was one.
    """
    over = Batch.objects.filter(project=project, ended_at=None).exclude(status=Batch.Status.TESTING)
    batch = over.select_related("project").order_by("number").first()
    if batch is None:
        return False
    page = _to_release(batch)
    if page:
        let_go(page, now=now)
    else:
        if batch.status == Batch.Status.ENDED:
            close_second(batch=batch)
        Batch.objects.filter(pk=batch.pk).update(ended_at=now)
    return True


def let_go(suggestions: Sequence[int], *, now: datetime) -> None:
    """Give what is held of these, or asked as an audit, to people as what is uncertain."""
    release_spans(suggestions=suggestions, now=now, reason=RELEASED)
    asked = Suggestion.objects.filter(pk__in=suggestions, **_item(status=_Status.OPEN, stream=_Stream.AUDIT))
    keys = dict(asked.values_list("pk", "audit_key"))
    ask_spans(keys=keys, stream=_Stream.UNCERTAIN, reason=RELEASED, now=now)


def _to_accept(certificate: Certificate) -> list[int]:
    """The next of the region that are held; once no larger region is tested, those asked beyond what is watched too."""
    batch = certificate.batch
    members = members_of(batch).filter(rank__lte=certificate.region.size)
    page = list(
        _with_item(members, status=_Status.HELD).order_by("rank").values_list("suggestion_id", flat=True)[:PAGE]
    )
    if page or batch.status == Batch.Status.TESTING:
        return page
    in_order = members.order_by("audit_key").values_list("audit_key", flat=True)
    beyond = in_order[n_watched(batch, certificate) :][:1].first()
    if beyond is None:
        return []
    asked = _with_item(members.filter(audit_key__gte=beyond), status=_Status.OPEN, stream=_Stream.AUDIT)
    return list(asked.order_by("rank").values_list("suggestion_id", flat=True)[:PAGE])


def _to_release(batch: Batch) -> list[int]:
    certificate = certificate_of(batch)
    members = members_of(batch)
    is_settled = batch.status == Batch.Status.SETTLED
    if certificate is not None and is_settled:
        members = members.filter(rank__gt=certificate.region.size)
    ours = _with_item(members, status=_Status.HELD) | _with_item(
        members, status=_Status.OPEN, stream=_Stream.AUDIT, skipped_at=None
    )
    page = list(ours.order_by("rank").values_list("suggestion_id", flat=True)[:PAGE])
    if page or certificate is None or is_settled:
        return page
    later = WatchedSuggestion.objects.filter(certificate=certificate, outcome="")
    asked = Suggestion.objects.filter(
        pk__in=later.values("suggestion"), **_item(status=_Status.OPEN, stream=_Stream.AUDIT, skipped_at=None)
    )
    return list(asked.order_by("pk").values_list("pk", flat=True)[:PAGE])


def _item(**fields: object) -> dict[str, object]:
    """Conditions on the span item of a suggestion, of its note's first reader."""
    wanted = {"unit": ReviewItem.Unit.SPAN, "slot": 1, **fields}
    return {f"review_items__{name}": value for name, value in wanted.items()}


def _with_item(members: QuerySet[BatchMember], **fields: object) -> QuerySet[BatchMember]:
    return members.filter(**{f"suggestion__{name}": value for name, value in _item(**fields).items()})
