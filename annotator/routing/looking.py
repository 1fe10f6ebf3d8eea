"""Looks at a batch: what people have decided of it by now, what that proves of its regions, what is asked next.

Everything is counted from the start at every look, so that a corrected decision counts as it is now. Reading and
arithmetic are done with no transaction open; what is written is short. `core.certificates` says why it may be looked at
whenever anyone likes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil, isfinite, log

from django.db import transaction
from django.db.models import F, Max

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.certificates.models import Batch, BatchMember, Certificate, Region, WatchedSuggestion
from annotator.core.certificates import Ladder, claimed, ladder_evidence, lower_bound
from annotator.core.planning import go_on
from annotator.notices.models import Kind
from annotator.projects.services import lock_projects
from annotator.review.holding import ask_spans, outcomes_of
from annotator.review.models import UNASKED, Decision, ReviewItem
from annotator.routing.ending import NOT_CERTIFIED, end_batch, settle_batch, tell_leads
from annotator.routing.revoking import CORRECTED, DOUBTED, revoke
from annotator.routing.second import Due, final_labels, outcome_word, write_second
from annotator.routing.selectors import certificate_of, ladder_of, members_of, regions_of
from annotator.routing.watching import Doubt, Later, doubt_of, later_outcomes

AUDIT = "audit"
PAGE = 500
# How many audits wait for people at a time, and with how many left more are asked.
WINDOW, LOW = 50, 25
# A decision is saved a moment after its time: it is looked for again for so long, this often.
_LATE, _AGAIN = timedelta(minutes=1), timedelta(seconds=20)
# However fast decisions come, looks are so far apart.
_APART = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A member without a final decision, next in the order of keys; `is_asked` already."""

    suggestion_id: int
    rank: int
    key: float
    is_asked: bool


@dataclass(slots=True)
class Seen:
    """A batch as it was read: the decided members in the order of keys up to the first undecided one, as (rank, is
    wrong), with the places there of those that nobody can decide any more; the next undecided ones; the members
    whose outcome is not the one written down, by outcome; and what second readers are to be asked. One that waits for
    its second reader is undecided.
    """

    decided: list[tuple[int, bool]] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    waiting: list[Waiting] = field(default_factory=list)
    changed: dict[str, list[int]] = field(default_factory=dict)
    second: Due = field(default_factory=Due)


@dataclass(frozen=True, slots=True)
class Evidence:
    """By rung: what was audited and wrong, the log evidence now and the precision that it leaves at least, and which
    have passed at any audit on the way.
    """

    n_audited: list[int]
    n_wrong: list[int]
    log_evidence: list[float]
    lower_bounds: list[float | None]
    passed: set[int]


@dataclass(frozen=True, slots=True)
class _Look:
    """All that was read, to be written."""

    batch: Batch
    ladder: Ladder
    regions: Sequence[Region]
    seen: Seen
    evidence: Evidence
    later: Later
    doubt: Doubt | None
    now: datetime


def is_look_due(batch: Batch, now: datetime) -> bool:
    """Whether people decided anything since the last look that may be about the batch. Two queries."""
    if batch.looked_at is None:
        return True
    if batch.looked_at > now - _APART:
        return False
    # By reviewer, since that is how decisions are indexed.
    reviewers = list(User.objects.values_list("pk", flat=True))
    newest = Decision.objects.filter(
        project=batch.project_id,
        reviewer__in=reviewers,
        decided_at__gt=batch.looked_at - _LATE,
        stream__in=[ReviewItem.Stream.AUDIT, UNASKED],
    ).aggregate(newest=Max("decided_at"))["newest"]
    if newest is None:
        return False
    return newest > batch.looked_at or batch.looked_at < now - _AGAIN


def look(*, batch: Batch, now: datetime) -> bool:
    """Count the evidence, claim what is proven, ask about what comes next; whether more is due because of it.

    A batch that has ended is left alone.
    """
    regions = regions_of(batch)
    ladder = ladder_of(batch, regions)
    certificate = certificate_of(batch)
    seen = read_batch(batch, certificate=certificate, largest=ladder.largest)
    evidence = evidence_of(ladder, seen.decided)
    later, doubt = Later(), None
    if certificate is not None and certificate.status == Certificate.Status.LIVE:
        size = certificate.region.size
        in_region = [
            None if place in seen.closed else is_wrong
            for place, (rank, is_wrong) in enumerate(seen.decided)
            if rank <= size
        ]
        later = later_outcomes(certificate)
        doubt = doubt_of(certificate, in_region, later.wrong, n_claims=len(batch.plan["claims"]))
    return _write(_Look(batch, ladder, regions, seen, evidence, later, doubt, now))


def read_batch(batch: Batch, *, certificate: Certificate | None, largest: int) -> Seen:
    """What people have decided, in the order of keys: of the largest region while it is tested, and of the certified
    one, as far as it is watched, from then on. Eight queries for each PAGE members, and six more where the batch has a
    second reader.

    A member that nobody can decide any more counts as wrong, as one that was skipped: its suggestion was replaced, or
    its note read elsewhere.
    """
    is_settled = batch.status != Batch.Status.TESTING and certificate is not None
    members = members_of(batch).filter(rank__lte=certificate.region.size if is_settled and certificate else largest)
    n_left = n_watched(batch, certificate) if is_settled and certificate else largest
    rows = members.order_by("audit_key").values_list(
        "pk", "suggestion_id", "rank", "audit_key", "outcome", "second_key"
    )
    seen = Seen()
    after = -1.0
    while n_left > 0 and len(seen.waiting) < WINDOW:
        page = list(rows.filter(audit_key__gt=after)[: min(PAGE, n_left)])
        if not page:
            break
        n_left -= len(page)
        after = page[-1][3]
        _read_page(page, seen, batch)
    del seen.waiting[WINDOW:]
    return seen


def n_watched(batch: Batch, certificate: Certificate) -> int:
    """How many members of the certified region are read in the order of keys: those audited when it was granted or
    extended last, and of the rest the project's share for watching.
    """
    rest = certificate.region.size - certificate.n_audited
    return certificate.n_audited + ceil(rest * batch.project.watch_percent / 100)


def evidence_of(ladder: Ladder, decided: Sequence[tuple[int, bool]]) -> Evidence:
    """The evidence at every audit, from the start: see `core.certificates`."""
    sizes = [rung.size for rung in ladder.rungs]
    n, x = [0] * len(sizes), [0] * len(sizes)
    if not decided:
        return Evidence(n, x, [float("-inf")] * len(sizes), [None] * len(sizes), set())
    ns, xs = [], []
    for rank, is_wrong in decided:
        for index, size in enumerate(sizes):
            if rank <= size:
                n[index] += 1
                x[index] += is_wrong
        ns.append(tuple(n))
        xs.append(tuple(x))
    path = ladder_evidence(ladder, ns, xs)
    best = path.max(axis=0)
    passed = {index for index in range(len(sizes)) if best[index] >= ladder.threshold(index)}
    bounds = [
        lower_bound(
            n_audited=n[index],
            n_wrong=x[index],
            size=rung.size,
            promise=ladder.promise,
            alpha=ladder.alpha(rung.chain),
        )
        if n[index]
        else None
        for index, rung in enumerate(ladder.rungs)
    ]
    return Evidence(n, x, [float(value) for value in path[-1]], bounds, passed)


def _read_page(page: Sequence[tuple[int, int, int, float, str, float | None]], seen: Seen, batch: Batch) -> None:
    ids = [suggestion_id for _, suggestion_id, *_ in page]
    first = outcomes_of(suggestions=ids)
    keys = [(suggestion_id, key, second_key) for _, suggestion_id, _, key, _, second_key in page]
    labels = final_labels(batch, keys, first, seen.second)
    states = {
        suggestion_id: (status, stream)
        for suggestion_id, status, stream in ReviewItem.objects.filter(
            suggestion__in=ids, unit=ReviewItem.Unit.SPAN, slot=1
        ).values_list("suggestion_id", "status", "stream")
    }
    for pk, suggestion_id, rank, key, known, _ in page:
        status, stream = states.get(suggestion_id, (ReviewItem.Status.CLOSED, ""))
        is_right = labels.get(suggestion_id, False if status == ReviewItem.Status.CLOSED else None)
        outcome = outcome_word(is_right)
        if is_right is None:
            is_asked = suggestion_id in first or (status, stream) == (ReviewItem.Status.OPEN, ReviewItem.Stream.AUDIT)
            seen.waiting.append(Waiting(suggestion_id, rank, key, is_asked))
        else:
            if not seen.waiting:
                if suggestion_id not in labels:
                    seen.closed.add(len(seen.decided))
                seen.decided.append((rank, not is_right))
        if outcome != known:
            seen.changed.setdefault(outcome, []).append(pk)


@transaction.atomic
def _write(this: _Look) -> bool:
    """What was seen becomes what is so, unless the batch is another by now. Items before certificates: whoever routes a
    note locks them in this order.
    """
    batch, now = this.batch, this.now
    lock_projects(batch.project)
    before = (batch.status, batch.plan["claims"])
    batch.refresh_from_db(fields=["status", "plan"])
    if (batch.status, batch.plan["claims"]) != before:
        return True  # to be read again
    certificate = certificate_of(batch)
    is_testing = batch.status == Batch.Status.TESTING
    if not is_testing and certificate is None:
        return False
    counted = [
        region
        for region in this.regions
        if is_testing or certificate is None or region.place <= certificate.region.place
    ]
    _write_outcomes(this.seen.changed, BatchMember)
    _write_outcomes(this.later.changed, WatchedSuggestion)
    if write_second(batch, this.seen.second, now) | write_second(batch, this.later.second, now):
        Batch.objects.filter(pk=batch.pk).update(looked_at=None)
        return True  # to be read again
    for region in counted:
        _count(region, this.evidence, now)
    Batch.objects.filter(pk=batch.pk).update(looked_at=now)
    found = claimed(this.ladder, this.evidence.passed & {region.place for region in counted})
    if certificate is not None:
        reason = _reason_to_revoke(this, certificate, found)
        if reason:
            _write_doubt(certificate, this.doubt, now)
            revoke(certificate, actor=None, reason=reason, now=now)
            return True
    if is_testing and found is not None and (certificate is None or certificate.region.place < found):
        _claim(this, certificate, found)
        return True
    if is_testing and not _goes_on(this, found):
        return True
    _ask(this.seen, batch, now)
    if certificate is not None:
        _write_doubt(certificate, this.doubt, now)
    return False


def _write_outcomes(changed: Mapping[str, Sequence[int]], table: type[BatchMember | WatchedSuggestion]) -> None:
    for outcome, pks in changed.items():
        for first in range(0, len(pks), PAGE):
            table.objects.filter(pk__in=pks[first : first + PAGE]).update(outcome=outcome)


def _count(region: Region, evidence: Evidence, now: datetime) -> None:
    place = region.place
    is_passed = place in evidence.passed
    log_evidence = evidence.log_evidence[place]
    Region.objects.filter(pk=region.pk).update(
        n_audited=evidence.n_audited[place],
        n_wrong=evidence.n_wrong[place],
        log_evidence=None if log_evidence == float("-inf") else log_evidence,
        lower_bound=evidence.lower_bounds[place],
        passed_at=(region.passed_at or now) if is_passed else None,
    )


def _reason_to_revoke(this: _Look, certificate: Certificate, found: int | None) -> str:
    """Why the certificate is to be revoked, as a code; empty where it is not.

    Corrected decisions may prove its region no more. While one of them is being taken back nothing is said: fewer are
    decided then than were when it was granted.
    """
    place = certificate.region.place
    is_whole = this.evidence.n_audited[place] >= certificate.n_audited
    if is_whole and (found is None or found < place):
        return CORRECTED
    if this.doubt is not None and this.doubt.log_evidence >= -log(this.batch.delta):
        return DOUBTED
    return ""


def _write_doubt(certificate: Certificate, doubt: Doubt | None, now: datetime) -> None:
    """Write down what audits since the grant say. While what is certified is still being accepted, `watched_at` stays
    empty.
    """
    if doubt is not None:
        Certificate.objects.filter(pk=certificate.pk).update(
            n_watched=doubt.n_audited,
            n_watched_wrong=doubt.n_wrong,
            log_watch=doubt.log_evidence,
            watched_at=now if certificate.watched_at else None,
        )


def _claim(this: _Look, certificate: Certificate | None, found: int) -> None:
    """Grant a certificate for a region that is proven, or extend it. The batch is looked at again once its members are
    accepted.
    """
    batch, now, project = this.batch, this.now, this.batch.project
    region, n_audited, n_wrong = this.regions[found], this.evidence.n_audited[found], this.evidence.n_wrong[found]
    if certificate is None:
        number = Certificate.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
        certificate = Certificate.objects.create(
            project=project,
            batch=batch,
            region=region,
            number=number + 1,
            n_audited=n_audited,
            n_wrong=n_wrong,
            granted_at=now,
        )
        verb, kind = "grant", Kind.CERTIFICATE_GRANTED
    else:
        Certificate.objects.filter(pk=certificate.pk).update(
            region=region, n_audited=n_audited, n_wrong=n_wrong, extended_at=now, watched_at=None
        )
        verb, kind = "extend", Kind.CERTIFICATE_EXTENDED
    plan = batch.plan | {"claims": [*batch.plan["claims"], found]}
    Batch.objects.filter(pk=batch.pk).update(plan=plan, looked_at=None)
    log_evidence = this.evidence.log_evidence[found]
    record_event(
        project=project.public_id,
        actor=None,
        verb=f"certificate.{verb}",
        object_id=certificate.public_id,
        now=now,
        detail={
            "number": certificate.number,
            "batch": batch.number,
            "size": region.size,
            "n_audited": n_audited,
            "n_wrong": n_wrong,
            "log_evidence": log_evidence if isfinite(log_evidence) else None,
        },
    )
    tell_leads(certificate, kind, actor=None, now=now)


def _goes_on(this: _Look, found: int | None) -> bool:
    """Whether the audits go on. Before a first claim they do while any region could still be proven, since they cost
    nothing that would not be read anyway.
    """
    ladder, evidence = this.ladder, this.evidence
    outlook = go_on(ladder=ladder, passed=evidence.passed, n_audited=evidence.n_audited, n_wrong=evidence.n_wrong)
    if outlook.is_worth_it and not (found is None and _is_hopeless(ladder, evidence)):
        return True
    if found is None:
        end_batch(batch=this.batch, reason=NOT_CERTIFIED, actor=None, now=this.now)
    else:
        settle_batch(batch=this.batch, now=this.now)
    return False


def _is_hopeless(ladder: Ladder, evidence: Evidence) -> bool:
    """Whether the first region of every chain has shown as many errors as break the promise."""
    first: dict[str, int] = {}
    for index, rung in enumerate(ladder.rungs):
        first.setdefault(rung.chain, index)
    return all(evidence.n_wrong[index] >= ladder.promise.breaking(ladder.rungs[index].size) for index in first.values())


def _ask(seen: Seen, batch: Batch, now: datetime) -> None:
    """Ask people about the next members, once few of those that they were asked about are left."""
    new = {each.suggestion_id: each.key for each in seen.waiting if not each.is_asked}
    if not new or len(seen.waiting) - len(new) >= LOW:
        return
    accepted = ReviewItem.objects.filter(suggestion__in=new, status=ReviewItem.Status.CERTIFIED, slot=1)
    n_back = accepted.count()
    ask_spans(keys=new, stream=ReviewItem.Stream.AUDIT, reason=AUDIT, now=now)
    Certificate.objects.filter(batch=batch).update(n_accepted=F("n_accepted") - n_back)
