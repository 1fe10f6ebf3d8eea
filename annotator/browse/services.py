"""Who belongs to a project, where a change of it frees the notes in someone's hands.

Here because it is the lowest place that knows both members and leases: `projects` knows nothing of review.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.adjudication import leases as adjudication_leases
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.projects.services import remove_member, set_member
from annotator.review import leases


@transaction.atomic
def give_role(*, project: Project, user: User, role: str, actor: User | None, now: datetime) -> Membership:
    """Make `user` a member with `role`, or change the member's role. Who reviews or adjudicates no longer lets go of
    the notes that they had for it.

    Raises ProjectError where that would leave a led project without a lead.
    """
    membership = set_member(project=project, user=user, role=role, actor=actor, now=now)
    if not may(role=role, action=Action.REVIEW):
        leases.let_go(project=project, reviewer=user)
    if not may(role=role, action=Action.ADJUDICATE):
        adjudication_leases.let_go(project=project, adjudicator=user)
    return membership


@transaction.atomic
def remove_person(*, membership: Membership, actor: User | None, now: datetime) -> None:
    """End the membership. What the person decided and annotated stays, under their name; the notes in their hands are
    free at once, with what they began in them. Raises ProjectError where this is the last lead.
    """
    remove_member(membership=membership, actor=actor, now=now)
    leases.let_go(project=membership.project, reviewer=membership.user)
    adjudication_leases.let_go(project=membership.project, adjudicator=membership.user)
