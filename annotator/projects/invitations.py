"""Invitations: made and withdrawn by leads, followed once by whoever has the link."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from annotator.accounts.models import User
from annotator.accounts.selectors import token_digest
from annotator.accounts.services import create_user, set_password
from annotator.audit.models import AuditEvent
from annotator.audit.services import record_event
from annotator.projects.models import Invitation, Membership, Project
from annotator.projects.selectors import InvitationInvalid, invitation_of_token
from annotator.projects.services import set_member

LIFETIME = timedelta(days=7)
MOST_TAKEN_NAMES = 10
_NAME_TAKEN = "invitation.name_taken"


class AlreadyMember(Exception):
    """Who follows the link is in the project; `membership` is theirs, and stays as it is."""

    def __init__(self, membership: Membership) -> None:
        super().__init__(f"you are in this project already, as {membership.get_role_display().lower()}")
        self.membership = membership


@transaction.atomic
def invite(*, project: Project, role: str, actor: User | None, now: datetime) -> str:
    """The path of a link that makes one person a member with `role`, within seven days."""
    token = secrets.token_urlsafe(32)
    made = Invitation.objects.create(
        project=project,
        role=Membership.Role(role),
        token_sha256=token_digest(token),
        created_by=actor,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    _record(made, verb="invitation.create", actor=actor, now=now)
    return reverse("projects:invitation", args=[token])


@transaction.atomic
def revoke(*, invitation: Invitation, actor: User | None, now: datetime) -> bool:
    """Withdraw the link; False where it was used or withdrawn before."""
    is_revoked = bool(_unused(invitation).update(revoked_at=now))
    if is_revoked:
        _record(invitation, verb="invitation.revoke", actor=actor, now=now)
    return is_revoked


@transaction.atomic
def accept(*, token: str, user: User, now: datetime) -> Membership:
    """Make `user` a member, and use the link up. Raises InvitationInvalid, AlreadyMember."""
    claimed = _claim(token=token, now=now)
    known = claimed.project.memberships.filter(user=user).first()
    if known is not None:
        raise AlreadyMember(known)
    return _admit(claimed, user=user, now=now)


@transaction.atomic
def accept_as_new(*, token: str, username: str, password: str, now: datetime) -> Membership:
    """Make an account and make it a member. The form has checked the name's letters and the password.

    Raises InvitationInvalid, AccountError (the name is taken).
    """
    claimed = _claim(token=token, now=now)
    user = create_user(username=username, actor=None, now=now)
    set_password(user=user, password=password, now=now)
    return _admit(claimed, user=user, now=now)


def record_taken_name(*, invitation: Invitation, now: datetime) -> None:
    """Count a name that was asked for and taken, against who would find out names."""
    _record(invitation, verb=_NAME_TAKEN, actor=None, now=now)


def may_try_names(invitation: Invitation) -> bool:
    """Whether the link still makes accounts. One query."""
    taken = AuditEvent.objects.filter(
        chain__project=invitation.project.public_id, verb=_NAME_TAKEN, object_id=invitation.public_id
    )
    return taken.count() < MOST_TAKEN_NAMES


def _claim(*, token: str, now: datetime) -> Invitation:
    """Use the link up, before anything else is written: of two who follow it at once, one waits here and is refused."""
    found = invitation_of_token(token=token, now=now)
    if not _unused(found).update(accepted_at=now):
        raise InvitationInvalid("This link has been used. It lets one person in.")
    return found


def _admit(claimed: Invitation, *, user: User, now: datetime) -> Membership:
    Invitation.objects.filter(pk=claimed.pk).update(accepted_by=user)
    _record(claimed, verb="invitation.accept", actor=user, now=now)
    return set_member(project=claimed.project, user=user, role=claimed.role, actor=user, now=now)


def _unused(invitation: Invitation) -> QuerySet[Invitation]:
    return Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)


def _record(invitation: Invitation, *, verb: str, actor: User | None, now: datetime) -> None:
    record_event(
        project=invitation.project.public_id,
        actor=actor,
        verb=verb,
        object_id=invitation.public_id,
        now=now,
        detail={"role": invitation.role},
    )
