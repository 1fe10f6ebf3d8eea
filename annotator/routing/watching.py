"""Watching a certificate: some of what it would accept is decided by people all the same, and speaks for it or against.

In the batch these are the next members in the order of keys; of later suggestions each is drawn by itself.
`core.watch` says what either proves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf, log
from random import SystemRandom

from django.db import transaction
from django.db.models import F

from annotator.audit.services import record_event
from annotator.certificates.models import Certificate, WatchedSuggestion
from annotator.core.calibration import Calibration
from annotator.core.certificates import Promise
from annotator.core.watch import doubts, doubts_in_batch
from annotator.review.holding import ask_spans, candidates, certify_spans, outcomes_of
from annotator.review.models import ReviewItem
from annotator.routing.second import Due, final_labels, outcome_word
from annotator.suggestions.models import LabelJob

WATCHED = "audit"
_PAGE = 500
_random = SystemRandom()


@dataclass(slots=True)
class Later:
    """Whether later suggestions that were drawn were wrong, in the order of draws up to the first undecided one; the
    draws whose outcome is not the one written down, by outcome; and what second readers are to be asked.
    """

    wrong: list[bool] = field(default_factory=list)
    changed: dict[str, list[int]] = field(default_factory=dict)
    second: Due = field(default_factory=Due)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Audits since the grant, and the most that they ever said against the certificate: at least 0, as a logarithm."""

    n_audited: int
    n_wrong: int
    log_evidence: float


def doubt_of(
    certificate: Certificate, in_region: Sequence[bool | None], later: Sequence[bool], *, n_claims: int
) -> Doubt:
    """What audits say against the certificate. `in_region`: whether the members of its region were wrong, in the order
    of keys up to the first undecided one, None for what nobody can decide any more, which counts as wrong for a grant
    and as nothing against it; `later` the same of later suggestions that were drawn.

    The two have half of delta each; the first its half, quarter, … with each region that was claimed, since its
    audits are counted from the last claim on.
    """
    batch, size = certificate.batch, certificate.region.size
    before = [is_wrong is not False for is_wrong in in_region[: certificate.n_audited]]
    since = [is_wrong for is_wrong in in_region[certificate.n_audited :] if is_wrong is not None]
    n_allowed = Promise(batch.target, batch.delta).allowed(size) - sum(before)
    n_wrong = sum(since) + sum(later)
    if n_allowed < 0:
        return Doubt(len(since) + len(later), n_wrong, inf)
    of_batch = doubts_in_batch(since, size=size - len(before), n_allowed=n_allowed)
    of_later = doubts(later, target=batch.target)
    most = max(max(of_batch, default=-inf) - (n_claims + 1) * log(2), max(of_later, default=-inf) - log(2), 0.0)
    return Doubt(len(since) + len(later), n_wrong, most)


def later_outcomes(certificate: Certificate) -> Later:
    """What people decided of later suggestions that were drawn. What nobody can decide any more is left out. Seven
    queries for each 500, and six more where the batch has a second reader.
    """
    rows = WatchedSuggestion.objects.filter(certificate=certificate).order_by("pk")
    found, last, is_open = Later(), 0, False
    while not is_open and (
        page := list(rows.filter(pk__gt=last).values_list("pk", "suggestion_id", "outcome", "second_key")[:_PAGE])
    ):
        last = page[-1][0]
        ids = [suggestion_id for _, suggestion_id, *_ in page]
        first = outcomes_of(suggestions=ids)
        spans = ReviewItem.objects.filter(suggestion__in=ids, unit=ReviewItem.Unit.SPAN, slot=1)
        states = {pk: (status, key) for pk, status, key in spans.values_list("suggestion_id", "status", "audit_key")}
        closed = {pk for pk, (status, _) in states.items() if status == ReviewItem.Status.CLOSED}
        # The key under which it was asked about was drawn with it.
        drawn = [(pk, states.get(pk, ("", None))[1] or 0.0, second_key) for _, pk, _, second_key in page]
        labels = final_labels(certificate.batch, drawn, first, found.second)
        for pk, suggestion_id, known, *_ in page:
            is_right = labels.get(suggestion_id)
            outcome = outcome_word(is_right)
            if is_right is not None and not is_open:
                found.wrong.append(not is_right)
            is_open = is_open or not (outcome or (suggestion_id in closed and suggestion_id not in first))
            if outcome != known:
                found.changed.setdefault(outcome, []).append(pk)
    return found


@transaction.atomic
def accept_later(*, job: LabelJob, now: datetime) -> int:
    """Accept the job's suggestions that live certificates of its labeler speak for, but for those that are drawn for
    people; how many. They are no part of what was certified, and counted as such.
    """
    live = Certificate.objects.select_for_update(no_key=True, of=("self",)).filter(
        batch__calibrator__labeler=job.run.labeler_id, status=Certificate.Status.LIVE
    )
    n_accepted = 0
    for certificate in live.select_related("batch__calibrator", "batch__project", "region").order_by("pk"):
        n_accepted += _accept_later(certificate, job, now)
    return n_accepted


def _accept_later(certificate: Certificate, job: LabelJob, now: datetime) -> int:
    batch = certificate.batch
    found = candidates(labeler=job.run.labeler).filter(job=job, label__in=batch.plan["labels"]).order_by("pk")
    scores = list(found.values_list("pk", "label", "score"))
    calibration = Calibration.from_json(batch.calibrator.curves) if scores else None
    above = [
        pk
        for pk, label, score in scores
        if calibration and calibration.confidence(label=label, score=score) >= certificate.region.threshold
    ]
    if not above:
        return 0
    watched = {pk: _random.random() for pk in above if 100 * _random.random() < batch.project.watch_percent}
    WatchedSuggestion.objects.bulk_create(
        WatchedSuggestion(certificate=certificate, suggestion_id=pk, second_key=_random.random(), drawn_at=now)
        for pk in watched
    )
    ask_spans(keys=watched, stream=ReviewItem.Stream.AUDIT, reason=WATCHED, now=now)
    n_accepted = certify_spans(certificate=certificate, suggestions=[pk for pk in above if pk not in watched], now=now)
    Certificate.objects.filter(pk=certificate.pk).update(n_extrapolated=F("n_extrapolated") + n_accepted)
    record_event(
        project=batch.project.public_id,
        actor=None,
        verb="certificate.extrapolate",
        object_id=certificate.public_id,
        now=now,
        detail={"n_accepted": n_accepted, "n_watched": len(watched)},
    )
    return n_accepted
