"""Certificates that are taken back: what was accepted under them is withdrawn, and people are asked about it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.certificates.bell import ring_trust
from annotator.certificates.models import Batch, Certificate
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import members_who
from annotator.projects.services import lock_projects
from annotator.review.holding import withdraw_certified
from annotator.routing.ending import REVOKED

# Why it is taken back, as codes: a lead asked; audits since the grant speak against it; corrected ones prove it no
# more.
ASKED, DOUBTED, CORRECTED = "asked", "doubted", "corrected"
PAGE = 200


class RevokeRefused(Exception):
    """A certificate that cannot be revoked; the message says why."""


@transaction.atomic
def revoke_certificate(*, certificate: Certificate, actor: User | None, reason: str, now: datetime) -> None:
    """Revoke a certificate that is live or ended; what it accepted is withdrawn afterwards, in pages.

    Raises RevokeRefused where it is revoked already.
    """
    lock_projects(certificate.project)
    certificate.refresh_from_db(fields=["status"])
    if certificate.status not in (Certificate.Status.LIVE, Certificate.Status.ENDED):
        raise RevokeRefused("it is revoked already")
    revoke(certificate, actor=actor, reason=reason, now=now)


def revoke(certificate: Certificate, *, actor: User | None, reason: str, now: datetime) -> None:
    """Revoke a certificate of a project that is locked. Leads and reviewers are told at once."""
    Certificate.objects.filter(pk=certificate.pk).update(
        status=Certificate.Status.REVOKING, reason=reason, ended_at=now
    )
    Batch.objects.filter(pk=certificate.batch_id).update(status=Batch.Status.ENDED, reason=REVOKED, ended_at=None)
    certificate.refresh_from_db()
    project = certificate.project
    n_accepted = certificate.n_accepted + certificate.n_extrapolated
    record_event(
        project=project.public_id,
        actor=actor,
        verb="certificate.revoke",
        object_id=certificate.public_id,
        now=now,
        detail={
            "number": certificate.number,
            "reason": reason,
            "n_accepted": n_accepted,
            "n_watched": certificate.n_watched,
            "n_watched_wrong": certificate.n_watched_wrong,
        },
    )
    ring_trust(project.pk)
    notify(
        users=members_who(project, Action.REVIEW),  # leads review as well
        kind=Kind.CERTIFICATE_REVOKED,
        project=project.public_id,
        actor=actor,
        now=now,
        detail={"number": certificate.number, "n_accepted": n_accepted},
    )


def withdraw_due(project: Project, now: datetime) -> bool:
    """Withdraw the next page of what a revoked certificate accepted; whether there was one. The project is locked."""
    certificate = project.certificates.filter(status=Certificate.Status.REVOKING).order_by("number").first()
    if certificate is None:
        return False
    n_withdrawn = withdraw_certified(certificate=certificate, limit=PAGE, reason=REVOKED, now=now)
    if n_withdrawn:
        verb = "certificate.withdraw"
    else:
        verb = "certificate.withdrawn"
        Certificate.objects.filter(pk=certificate.pk).update(status=Certificate.Status.REVOKED)
    record_event(
        project=project.public_id,
        actor=None,
        verb=verb,
        object_id=certificate.public_id,
        now=now,
        detail={"n_spans": n_withdrawn} if n_withdrawn else {},
    )
    return True
