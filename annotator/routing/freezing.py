"""Batches: what is undecided at one moment, in a random order, with the regions to be tested. All of it is fixed before
any of it is read.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from random import SystemRandom
from typing import Any

from django.db import transaction
from django.db.models import Max

from annotator.audit.services import record_event
from annotator.certificates.bell import ring_trust
from annotator.certificates.models import (
    AcceptanceTarget,
    Batch,
    BatchMember,
    Calibrator,
    CalibratorCase,
    Certificate,
    Region,
)
from annotator.core.calibration import Calibration
from annotator.core.certificates import Ladder, Promise
from annotator.core.planning import N_DRAWS, audits_needed, fewest_candidates, plan_ladder
from annotator.core.wording import counted
from annotator.projects.models import Project
from annotator.projects.selectors import schema_for
from annotator.projects.services import lock_projects
from annotator.review.holding import candidates
from annotator.routing.ending import NO_GAIN, NO_SECOND, PURGED
from annotator.routing.second import second_percent_of
from annotator.routing.selectors import calibrators_in_use, labels_under, newest_targets
from annotator.suggestions.models import LabelJob, LabelRun, Suggestion
from annotator.suggestions.selectors import promoted_of
from annotator.web.inserts import insert_rows

_Candidate = tuple[int, str, float]
_random = SystemRandom()


class FreezeRefused(Exception):
    """A batch that cannot be frozen now; the message says why."""


class NothingToGain(FreezeRefused):
    """By the calibrator's word no region keeps the promise with fewer audits than it has suggestions."""

    def __init__(self, message: str, plan: dict[str, Any], n_candidates: int) -> None:
        super().__init__(message)
        self.plan, self.n_candidates = plan, n_candidates


def freeze_batch(*, project: Project, label: str, calibrator: Calibrator, now: datetime, seed: int) -> Batch:
    """Freeze what is undecided of the calibrator's labeler and the target's labels, and plan its regions.

    `seed` is that of the draws that the plan is made from; ties and keys are as random as the system can be. Decisions
    that come while this reads are no harm: keys are drawn afterwards and know nothing of them. Raises FreezeRefused.
    """
    target = newest_targets(project).get(label)
    if target is None or target.status != AcceptanceTarget.Status.ON:
        raise FreezeRefused("no target is on")
    _refuse_unready(calibrator)
    labels = labels_under(project, label)
    promise = Promise(target.target, target.delta)
    found = _candidates(calibrator, labels, fewest=fewest_candidates(promise))
    calibration = Calibration.from_json(calibrator.curves)
    ranked = _ranked(calibration, found)
    errors = calibration.draws(
        label=[name for _, name, _ in found], scores=[score for _, _, score in found], n_draws=N_DRAWS, seed=seed
    )
    costs = audits_needed(promise=promise, mean_errors=errors, n_suggestions=len(found))
    ladder = plan_ladder(promise=promise, mean_errors=errors)
    plan = {
        "seed": seed,
        "labels": labels,
        "expected_errors": [rung.expected_error for rung in ladder.rungs],
        "expected": asdict(costs),
        "claims": [],
    }
    if not costs.chance:
        raise NothingToGain("no part of it is expected to keep the promise and to save any work", plan, len(found))
    return _freeze(target, calibrator, ladder, ranked, plan, now)


def freeze_due(project: Project, now: datetime) -> bool:
    """Freeze the first batch that is wanted; whether there was one. One that nothing is to be gained from is written
    down as ended, so that it is not tried again for the same suggestions.
    """
    for target, calibrator in wanted_batches(project):
        try:
            freeze_batch(
                project=project, label=target.label, calibrator=calibrator, now=now, seed=secrets.randbelow(2**31)
            )
        except NothingToGain as refusal:
            _decline(target, calibrator, refusal, now)
        except FreezeRefused:
            continue
        return True
    return False


def wanted_batches(project: Project) -> list[tuple[AcceptanceTarget, Calibrator]]:
    """Targets that are on, each with a calibrator in use that is tested for it by nobody, and was not since it was set
    or since the labeler read more notes. A test whose certificate was revoked is not made again until a lead asks, and
    nothing is tested of a labeler that another was promoted over.
    """
    on = [target for target in newest_targets(project).values() if target.status == AcceptanceTarget.Status.ON]
    if not on:
        return []
    promoted = promoted_of(project)
    calibrators = list(calibrators_in_use(project))
    backends = {calibrator.labeler.backend for calibrator in calibrators}
    versions = {backend: schema_for(project, backend=backend).pk for backend in backends}
    found = []
    for calibrator in calibrators:
        labeler = calibrator.labeler
        if labeler.schema_version_id != versions[labeler.backend] or promoted.is_over(labeler):
            continue
        for target in on:
            last = Batch.objects.filter(calibrator=calibrator, label=target.label).order_by("-number").first()
            if last is None or _is_due_again(last, target):
                found.append((target, calibrator))
    return found


def _is_due_again(last: Batch, target: AcceptanceTarget) -> bool:
    if last.status != Batch.Status.ENDED:
        return False
    if last.reason in (PURGED, NO_SECOND) or target.created_at > last.frozen_at:
        return True
    if Certificate.objects.filter(batch=last).exclude(status=Certificate.Status.ENDED).exists():
        return False
    since = last.ended_at or last.frozen_at
    return LabelRun.for_review.filter(labeler=last.calibrator.labeler_id, finished_at__gt=since).exists()


def _refuse_unready(calibrator: Calibrator) -> None:
    """Raises FreezeRefused while suggestions are still to come: a batch is the better the larger it is."""
    if calibrator.status != Calibrator.Status.CURRENT:
        raise FreezeRefused("this calibrator is not in use")
    runs = LabelRun.for_review.filter(labeler=calibrator.labeler_id)
    unrouted = LabelJob.objects.filter(run__in=runs, status=LabelJob.Status.DONE, routed_at=None)
    if runs.filter(status=LabelRun.Status.RUNNING).exists() or unrouted.exists():
        raise FreezeRefused("the labeler is still reading notes")


def _candidates(calibrator: Calibrator, labels: Sequence[str], *, fewest: int) -> list[_Candidate]:
    """The candidates as (id, label, score). Raises FreezeRefused where there are fewer than `fewest`."""
    cases = CalibratorCase.objects.filter(calibrator=calibrator).values("suggestion")
    here = candidates(labeler=calibrator.labeler).filter(document__project=calibrator.project_id)
    rows = here.filter(label__in=labels).exclude(pk__in=cases)
    keys = rows.order_by().values_list("pk", flat=True)
    n_first = len(keys[:fewest])
    if n_first < fewest:
        are = counted(n_first, "suggestion waits", "suggestions wait")
        raise FreezeRefused(f"{are} undecided, and at least {fewest:,} are wanted")
    return list(rows.order_by().values_list("pk", "label", "score"))


def _ranked(calibration: Calibration, found: Sequence[_Candidate]) -> list[tuple[int, float]]:
    """(id, confidence), the most confident first; the equal ones at random."""
    known: dict[tuple[str, float], float] = {}
    for _, label, score in found:
        if (label, score) not in known:
            known[label, score] = calibration.confidence(label=label, score=score)
    rows = [(known[label, score], _random.random(), pk) for pk, label, score in found]
    return [(pk, confidence) for confidence, _, pk in sorted(rows, key=lambda row: (-row[0], row[1]))]


def _keys(n: int) -> list[float]:
    """`n` different uniform numbers in [0, 1)."""
    drawn: dict[float, None] = {}
    while len(drawn) < n:
        drawn[_random.random()] = None
    return list(drawn)


@transaction.atomic
def _freeze(
    target: AcceptanceTarget,
    calibrator: Calibrator,
    ladder: Ladder,
    ranked: Sequence[tuple[int, float]],
    plan: dict[str, Any],
    now: datetime,
) -> Batch:
    project = target.project
    lock_projects(project)
    calibrator.refresh_from_db(fields=["status"])
    _refuse_unready(calibrator)
    newest = newest_targets(project).get(target.label)
    if newest != target or labels_under(project, target.label) != plan["labels"]:
        raise FreezeRefused("the target was changed meanwhile")
    if Batch.objects.filter(calibrator=calibrator, label=target.label).exclude(status=Batch.Status.ENDED).exists():
        raise FreezeRefused("a batch is being tested already")
    # A purge that came between has taken members away.
    project.refresh_from_db(fields=["seconds", "second_percent"])
    left = set(_still_there(project, [pk for pk, _ in ranked]))
    if len(left) < len(ranked):
        raise FreezeRefused("notes were purged meanwhile")
    batch = _create(target, calibrator, plan, len(ranked), now)
    keys, second_keys = _keys(len(ranked)), _keys(len(ranked))
    insert_rows(
        model=BatchMember,
        columns=("suggestion", "rank", "confidence", "audit_key", "second_key"),
        rows=(
            (pk, rank, confidence, keys[rank - 1], second_keys[rank - 1])
            for rank, (pk, confidence) in enumerate(ranked, 1)
        ),
        same={"batch": batch.pk, "outcome": ""},
    )
    Region.objects.bulk_create(
        Region(
            batch=batch,
            place=place,
            chain=rung.chain.lower(),
            size=rung.size,
            threshold=ranked[rung.size - 1][1],
        )
        for place, rung in enumerate(ladder.rungs)
    )
    record_event(
        project=project.public_id,
        actor=None,
        verb="batch.freeze",
        object_id=batch.public_id,
        now=now,
        detail={
            "number": batch.number,
            "calibrator": calibrator.number,
            "label": batch.label,
            "target": batch.target,
            "delta": batch.delta,
            "n_members": batch.n_members,
            "second_percent": batch.second_percent,
            "sizes": [rung.size for rung in ladder.rungs],
        },
    )
    ring_trust(project.pk)
    return batch


def _still_there(project: Project, suggestions: Sequence[int]) -> list[int]:
    found: list[int] = []
    for first in range(0, len(suggestions), 10_000):
        page = Suggestion.objects.filter(pk__in=suggestions[first : first + 10_000], document__project=project)
        found += page.values_list("pk", flat=True)
    return found


@transaction.atomic
def _decline(target: AcceptanceTarget, calibrator: Calibrator, refusal: NothingToGain, now: datetime) -> None:
    """Write down that nothing is to be gained from a batch."""
    project = target.project
    lock_projects(project)
    batch = _create(target, calibrator, refusal.plan, refusal.n_candidates, now)
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.ENDED, reason=NO_GAIN, ended_at=now)
    record_event(
        project=project.public_id,
        actor=None,
        verb="batch.decline",
        object_id=batch.public_id,
        now=now,
        detail={"number": batch.number, "reason": NO_GAIN, "n_candidates": refusal.n_candidates},
    )


def _create(
    target: AcceptanceTarget, calibrator: Calibrator, plan: dict[str, Any], n_members: int, now: datetime
) -> Batch:
    project = target.project
    number = Batch.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    return Batch.objects.create(
        project=project,
        second_percent=second_percent_of(project),
        calibrator=calibrator,
        number=number + 1,
        label=target.label,
        target=target.target,
        delta=target.delta,
        plan=plan,
        n_members=n_members,
        frozen_at=now,
    )
