"""Tests and certificates that end: nothing more is accepted, what was accepted stays, what was held goes to people.

They end when what they rest on is no longer so: the labeler is replaced for these notes, another one is promoted, the
schema or the calibrator changes, a lead wants something else, a purge takes members away, or nobody is left for second
readings.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.certificates.bell import ring_trust
from annotator.certificates.models import AcceptanceTarget, Batch, BatchMember, Calibrator, Certificate
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import members_who, schema_for
from annotator.projects.services import lock_projects
from annotator.routing.second import is_alone
from annotator.routing.selectors import certificate_of, open_batches
from annotator.suggestions.models import LabelJob
from annotator.suggestions.selectors import promoted_of

# Why a test or a certificate is over, as codes.
LABELER, SCHEMA, CALIBRATOR, TARGET, PURGED = "labeler", "schema", "calibrator", "target", "purged"
PROMOTED = "promoted"
NOT_CERTIFIED, NO_GAIN, REVOKED, NO_SECOND = "not_certified", "no_gain", "revoked", "no_second"
# Jobs are routed within this time of the end of their run, if a worker is there at all.
_ROUTED_WITHIN = timedelta(days=7)


@transaction.atomic
def end_tests(*, calibrator: Calibrator, reason: str, now: datetime, actor: User | None = None) -> int:
    """End what rests on the calibrator; how many batches."""
    lock_projects(calibrator.project)
    found = list(open_batches(calibrator.project).filter(calibrator=calibrator))
    for batch in found:
        end_batch(batch=batch, reason=reason, actor=actor, now=now)
    return len(found)


@transaction.atomic
def end_replaced(*, project: Project, actor: User, now: datetime) -> int:
    """End what rests on labelers that another was promoted over; how many batches. The project is locked by the caller.

    Leads are told of each certificate that was live.
    """
    promoted = promoted_of(project)
    found = [batch for batch in open_batches(project) if promoted.is_over(batch.calibrator.labeler)]
    for batch in found:
        end_batch(batch=batch, reason=PROMOTED, actor=actor, now=now)
    return len(found)


@transaction.atomic
def end_certificate(*, certificate: Certificate, reason: str, actor: User | None, now: datetime) -> None:
    """End the certificate and its batch. One that is not live stays as it is."""
    lock_projects(certificate.project)
    for batch in open_batches(certificate.project).filter(certificate=certificate):
        end_batch(batch=batch, reason=reason, actor=actor, now=now)


@transaction.atomic
def end_purged(*, project: Project, document_ids: Collection[int], now: datetime) -> None:
    """End the tests that have members in these notes, which are about to be purged: a region that loses some is not
    the one that was frozen. Where nothing more is tested the certificate stays, for the rest of what it accepted.

    The project is locked by the caller.
    """
    lost = BatchMember.objects.filter(batch=OuterRef("pk"), suggestion__document__in=document_ids)
    for batch in open_batches(project).filter(Exists(lost), status=Batch.Status.TESTING):
        if certificate_of(batch) is None:
            end_batch(batch=batch, reason=PURGED, actor=None, now=now)
        else:
            settle_batch(batch=batch, reason=PURGED, now=now)


@transaction.atomic
def end_all(*, project: Project, now: datetime) -> None:
    """End all tests of a project that is to be purged, and let none begin. The project is locked by the caller."""
    AcceptanceTarget.objects.filter(project=project).delete()
    for batch in open_batches(project):
        end_batch(batch=batch, reason=PURGED, actor=None, now=now)
    Batch.objects.filter(project=project, ended_at=None).update(ended_at=now)  # nothing is released any more


def end_batch(*, batch: Batch, reason: str, actor: User | None, now: datetime) -> None:
    """End a batch of a project that is locked, and its certificate where that is live. What is held is released
    afterwards, in pages.
    """
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.ENDED, reason=reason, ended_at=None)
    _record(batch, "end", actor, now, {"reason": reason})
    certificate = certificate_of(batch)
    if certificate is not None and certificate.status == Certificate.Status.LIVE:
        Certificate.objects.filter(pk=certificate.pk).update(
            status=Certificate.Status.ENDED, reason=reason, ended_at=now
        )
        record_event(
            project=batch.project.public_id,
            actor=actor,
            verb="certificate.end",
            object_id=certificate.public_id,
            now=now,
            detail={"reason": reason},
        )
        tell_leads(certificate, Kind.CERTIFICATE_ENDED, actor=actor, now=now)
    ring_trust(batch.project_id)


def settle_batch(*, batch: Batch, now: datetime, reason: str = "") -> None:
    """Test no larger region: what the certificate does not cover is released afterwards, in pages, and audits beyond
    what is watched are accepted.
    """
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.SETTLED, reason=reason, ended_at=None)
    Certificate.objects.filter(batch=batch).update(watched_at=None)
    _record(batch, "settle", None, now, {"reason": reason})
    ring_trust(batch.project_id)


def tell_leads(certificate: Certificate, kind: Kind, *, actor: User | None, now: datetime) -> None:
    """Tell who manages the project what became of the certificate. To be called last in its transaction."""
    project = certificate.project
    notify(
        users=members_who(project, Action.MANAGE),
        kind=kind,
        project=project.public_id,
        subject=certificate.public_id,
        actor=actor,
        now=now,
        detail={"number": certificate.number},
    )


def reason_to_end(batch: Batch) -> str:
    """Why the batch's tests rest on nothing any more, as a code; empty where they do. Three queries."""
    calibrator, labeler = batch.calibrator, batch.calibrator.labeler
    if calibrator.status != Calibrator.Status.CURRENT:
        return CALIBRATOR
    if labeler.schema_version_id != schema_for(batch.project, backend=labeler.backend).pk:
        return SCHEMA
    members = BatchMember.objects.filter(batch=batch, suggestion__document=OuterRef("document"))
    if batch.second_percent is not None and is_alone(batch.project):
        return NO_SECOND
    others = LabelJob.for_review.filter(
        Q(run__finished_at=None) | Q(run__finished_at__gt=batch.frozen_at - _ROUTED_WITHIN),
        Exists(members),
        run__project=batch.project_id,
        run__labeler__name=labeler.name,
        routed_at__gt=batch.frozen_at,
    )
    return LABELER if others.exclude(run__labeler=labeler).exists() else ""


def end_due(project: Project, now: datetime) -> bool:
    """End the first test that rests on nothing any more; whether there was one. The project is locked."""
    for batch in open_batches(project):
        reason = reason_to_end(batch)
        if reason:
            end_batch(batch=batch, reason=reason, actor=None, now=now)
            return True
    return False


def _record(batch: Batch, verb: str, actor: User | None, now: datetime, detail: dict[str, str]) -> None:
    record_event(
        project=batch.project.public_id,
        actor=actor,
        verb=f"batch.{verb}",
        object_id=batch.public_id,
        now=now,
        detail=detail,
    )
