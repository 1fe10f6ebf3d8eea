"""Calibrators: fitted on what people decided because it was uncertain, kept as versions, and taken into use.

Fitting reads every decided suggestion and loads scikit-learn, which web processes do without, so a worker does it: when
the number of cases has doubled (`fit_due`), or when a lead asks (`ask_for_fit`): that is a row, so that a lost bell is
rung again. A version is in use at once where no test rests on the one before; else it is offered, and a lead takes it
(`adopt_calibrator`), which ends these tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.certificates.models import Batch, Calibrator, CalibratorCase, Certificate, FitWish
from annotator.core.calibration import (
    FEWEST,
    FIRST_FIT,
    Calibration,
    Case,
    Kind,
    NotEnoughCases,
    fit_calibration,
    is_due,
)
from annotator.core.reliability_curve import CalibrationReport, measure_calibration
from annotator.core.sections import KNOWN_TITLES
from annotator.jobs.bell import ring
from annotator.notices.models import Kind as NoticeKind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.selectors import members_who
from annotator.projects.services import lock_projects
from annotator.review.models import Decision, ReviewItem
from annotator.review.outcomes import DecidedCase, decided_cases
from annotator.routing.confidence import ring_apply
from annotator.routing.ending import end_tests
from annotator.suggestions.models import Labeler, LabelRun

FIT_TASK = "annotator.fit_calibrator"
# Of each interval of the report, which a worker counts.
N_RESAMPLES = 400
# Few enough to be counted out while a lead waits.
COUNTED_AT_ONCE = 2000
# After so long a wish that was taken up, and is still there, is another worker's.
FIT_LEASE = timedelta(minutes=10)
_Status = Calibrator.Status


class CalibratorRefused(Exception):
    """A calibrator that cannot be taken into use; the message says why."""


def fit_calibrator(
    *, labeler: Labeler, kind: Kind = "platt", actor: User | None, now: datetime, n_resamples: int = N_RESAMPLES
) -> Calibrator:
    """The next version of the labeler's calibrator, fitted on all that was decided as uncertain, with what it is worth
    on notes that it was not fitted on. Raises NotEnoughCases.

    Nothing is locked while it is fitted. By count (`actor` is None) there is no new version where one of so many cases
    has come meanwhile.
    """
    decided = decided_cases(labeler=labeler)
    cases = [
        Case(label=each.label, score=each.score, note=str(each.document_id), is_right=each.is_right) for each in decided
    ]
    calibration = fit_calibration(cases, kind=kind)
    groups = {
        "section": [_section_words(each.section) for each in decided],
        "note_type": [each.note_type for each in decided],
    }
    report = measure_calibration(cases, kind=kind, groups=groups, n_resamples=n_resamples)
    return _keep(labeler, calibration, report, decided, actor, now)


def fit_by_count(*, labeler_id: int, now: datetime) -> Calibrator | None:
    """The next version where the number of cases says that it is due; else, or where there is too little, None."""
    labeler = Labeler.objects.select_related("project").get(pk=labeler_id)
    if not is_due(_n_decided(labeler, at_most=None), _n_at_last_fit(labeler)):
        return None
    try:
        return fit_calibrator(labeler=labeler, actor=None, now=now)
    except NotEnoughCases:
        return None


@transaction.atomic
def ask_for_fit(*, labeler: Labeler, actor: User, now: datetime) -> None:
    """Have a worker fit the next version; who asks while a wish waits is served with it. Raises NotEnoughCases where it
    is plain that there is too little to fit on.
    """
    if _n_decided(labeler, at_most=COUNTED_AT_ONCE) < COUNTED_AT_ONCE:
        right = [each.is_right for each in decided_cases(labeler=labeler)]
        n_right = sum(right)
        if min(n_right, len(right) - n_right) < FEWEST:
            raise NotEnoughCases(n_right=n_right, n_wrong=len(right) - n_right, n_wanted=FEWEST)
    _, is_new = FitWish.objects.get_or_create(labeler=labeler, defaults={"asked_by": actor, "asked_at": now})
    if is_new:
        record_event(
            project=labeler.project.public_id,
            actor=actor,
            verb="calibrator.ask",
            object_id=labeler.project.public_id,
            now=now,
            detail={"labeler": labeler.pk},
        )
    ring(FIT_TASK, labeler.pk)


def fit_wished(*, labeler_id: int, now: datetime) -> Calibrator | None:
    """The next version, where a lead asked for it and no other worker is at it; else, or where there is too little,
    None. Of several workers one takes the wish up.
    """
    waiting = _waiting_wishes(now).filter(labeler=labeler_id)
    if not waiting.update(begun_at=now):
        return None
    wish = FitWish.objects.select_related("labeler__project", "asked_by").get(labeler=labeler_id)
    try:
        return fit_calibrator(labeler=wish.labeler, actor=wish.asked_by, now=now)
    except NotEnoughCases:
        wish.delete()
        return None


def ring_wished(*, now: datetime) -> int:
    """Ring for every wish that nobody has taken up, or whose worker is gone; the number of bells. For the sweeper."""
    labelers = list(_waiting_wishes(now).order_by("pk").values_list("labeler", flat=True))
    for labeler_id in labelers:
        ring(FIT_TASK, labeler_id)
    return len(labelers)


@transaction.atomic
def adopt_calibrator(*, calibrator: Calibrator, actor: User, now: datetime) -> None:
    """Take an offered calibrator into use, and end the tests and certificates that rest on the one before. Raises
    CalibratorRefused where it is not on offer any more.
    """
    lock_projects(calibrator.project)
    calibrator.refresh_from_db(fields=["status"])
    if calibrator.status != _Status.OFFERED:
        raise CalibratorRefused("this calibrator is not on offer any more: look at the newest")
    before = _in_use(calibrator.labeler_id)
    if before is not None:
        end_tests(calibrator=before, reason="calibrator", now=now)
    _replace(before)
    calibrator.status, calibrator.applied_to = _Status.CURRENT, 0
    calibrator.save(update_fields=["status", "applied_to"])
    record_event(
        project=calibrator.project.public_id,
        actor=actor,
        verb="calibrator.adopt",
        object_id=calibrator.public_id,
        now=now,
        detail={"number": calibrator.number, "instead": before.number if before else None},
    )
    ring_apply(calibrator)


def fit_due() -> int:
    """Ring for every labeler of which so much was decided that a fit is due; the number of bells. For the sweeper.

    Of each name the labeler of the newest run counts. How many decisions were made since the last version is asked
    first, of an index and no further than is wanted, so that nothing is counted while nobody works.
    """
    n_rung = 0
    people = list(User.objects.values_list("pk", flat=True))
    names = LabelRun.for_review.order_by().values("project", "labeler__name").annotate(newest=Max("pk"))
    in_use = Labeler.objects.filter(runs__in=names.values("newest")).select_related("project")
    for labeler in in_use.order_by("pk"):
        last = Calibrator.objects.filter(labeler=labeler).order_by("-number").first()
        due = FIRST_FIT
        while last is not None and not is_due(due, last.n_cases):
            due *= 2
        n_wanted = due - (last.n_cases if last else 0)
        made = Decision.objects.filter(project=labeler.project_id, reviewer__in=people).order_by()
        since = made.filter(decided_at__gt=last.created_at) if last else made
        if since[:n_wanted].count() >= n_wanted and _n_decided(labeler, at_most=due) >= due:
            ring(FIT_TASK, labeler.pk)
            n_rung += 1
    return n_rung


@transaction.atomic
def _keep(
    labeler: Labeler,
    calibration: Calibration,
    report: CalibrationReport,
    decided: Sequence[DecidedCase],
    actor: User | None,
    now: datetime,
) -> Calibrator:
    project = labeler.project
    lock_projects(project)
    newest = Calibrator.objects.filter(project=project).order_by("-number").first()
    if actor is None and not is_due(len(decided), _n_at_last_fit(labeler)):
        return Calibrator.objects.filter(labeler=labeler).latest("number")
    before = _in_use(labeler.pk)
    is_offered = before is not None and _is_rested_on(before)
    Calibrator.objects.filter(labeler=labeler, status=_Status.OFFERED).update(status=_Status.REPLACED)
    if not is_offered:
        _replace(before)
    made = Calibrator.objects.create(
        project=project,
        labeler=labeler,
        number=newest.number + 1 if newest else 1,
        kind=calibration.kind,
        curves=calibration.to_json(),
        report=asdict(report),
        n_cases=calibration.n_cases,
        status=_Status.OFFERED if is_offered else _Status.CURRENT,
        created_by=actor,
        created_at=now,
    )
    if actor is not None:
        FitWish.objects.filter(labeler=labeler).delete()
    CalibratorCase.objects.bulk_create(
        (CalibratorCase(calibrator=made, suggestion_id=each.suggestion_id, is_right=each.is_right) for each in decided),
        batch_size=500,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="calibrator.fit",
        object_id=made.public_id,
        now=now,
        detail={"number": made.number, "kind": made.kind, "n_cases": made.n_cases, "status": str(made.status)},
    )
    if is_offered:
        notify(
            users=members_who(project, Action.MANAGE),
            kind=NoticeKind.CALIBRATOR_OFFERED,
            project=project.public_id,
            actor=None,
            now=now,
            detail={"number": made.number, "n_cases": made.n_cases},
        )
    else:
        ring_apply(made)
    return made


def _waiting_wishes(now: datetime) -> QuerySet[FitWish]:
    return FitWish.objects.filter(Q(begun_at=None) | Q(begun_at__lt=now - FIT_LEASE))


def _in_use(labeler_id: int) -> Calibrator | None:
    return Calibrator.objects.filter(labeler=labeler_id, status=_Status.CURRENT).first()


def _replace(before: Calibrator | None) -> None:
    if before is not None:
        Calibrator.objects.filter(pk=before.pk).update(status=_Status.REPLACED)


def _is_rested_on(calibrator: Calibrator) -> bool:
    """Whether a test, or a certificate that accepts, goes by its confidence."""
    live = Certificate.objects.filter(
        batch__calibrator=calibrator, status__in=[Certificate.Status.LIVE, Certificate.Status.REVOKING]
    )
    tested = Batch.objects.filter(calibrator=calibrator).exclude(status=Batch.Status.ENDED)
    return tested.exists() or live.exists()


def _n_at_last_fit(labeler: Labeler) -> int | None:
    return Calibrator.objects.filter(labeler=labeler).aggregate(n=Max("n_cases"))["n"]


def _n_decided(labeler: Labeler, *, at_most: int | None) -> int:
    """How many of the labeler's suggestions were decided as uncertain; no more than that many are counted."""
    decided = ReviewItem.objects.filter(
        project=labeler.project_id,
        unit=ReviewItem.Unit.SPAN,
        status=ReviewItem.Status.DECIDED,
        stream=ReviewItem.Stream.UNCERTAIN,
        suggestion__job__run__labeler=labeler,
    )
    return decided.order_by().values("suggestion").distinct()[:at_most].count()


def _section_words(key: str) -> str:
    """A heading that is known, by its key. Any other is not kept: it could tell of a person."""
    return key if key in KNOWN_TITLES else "other" if key else "none"
