"""Making projects, their schema versions and their members."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import chain, count

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.core.schema import Schema
from annotator.notices.models import Kind
from annotator.notices.services import count_again, notify
from annotator.projects.access import Action
from annotator.projects.models import Guideline, Membership, Project, SchemaVersion
from annotator.projects.selectors import current_guideline, members_who

NAME_LENGTH = 120
# It stands in every prompt of a labeler that has it: about 5,000 tokens.
GUIDELINE_LENGTH = 20_000


class ProjectError(ValueError):
    """A project that cannot be made as asked."""


class GuidelineReplaced(ProjectError):
    """A text made of a version of the guideline that is not the newest any more; `newest` is that one's number."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"version {newest} was written meanwhile: look at what it changes, then keep this text again")
        self.newest = newest


def lock_projects(*projects: Project) -> None:
    """Let nobody else who locks one of them come between while this transaction goes on. To be done before it records
    an event.

    Rows that refer to a project may still be committed: whoever commits one may hold the audit chain, which who has
    locked the project wants next, and each would wait for the other.
    """
    keys = [project.pk for project in projects]
    list(Project.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk"))


@transaction.atomic
def create_project(*, name: str, schema: Schema, lead: User | None, now: datetime, n_readers: int = 1) -> Project:
    """A project with the first version of its schema, led by `lead`. Raises ProjectError where the name has no letter.

    Where another project has the short name already, this one gets a number behind it: who makes a project does not
    learn which others there are.
    """
    if len(name) > NAME_LENGTH:
        raise ProjectError(f"the name has {len(name)} characters: at most {NAME_LENGTH} are wanted")
    slug = _free_slug(name)
    project = Project.objects.create(slug=slug, name=name.strip(), n_readers=n_readers, created_at=now)
    record_event(project=project.public_id, actor=lead, verb="project.create", object_id=project.public_id, now=now)
    add_schema_version(project=project, schema=schema, actor=lead, now=now)
    if lead is not None:
        set_member(project=project, user=lead, role=Membership.Role.LEAD, actor=lead, now=now)
    return project


@transaction.atomic
def add_schema_version(*, project: Project, schema: Schema, actor: User | None, now: datetime) -> SchemaVersion:
    """The next version of the schema; the newest one itself where nothing changed."""
    newest = project.schema_versions.order_by("-number").first()
    if newest is not None and newest.digest == schema.digest:
        return newest
    version = SchemaVersion.objects.create(
        project=project,
        number=newest.number + 1 if newest else 1,
        definition=schema.to_json(),
        digest=schema.digest,
        created_at=now,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="schema.add",
        object_id=project.public_id,
        now=now,
        detail={"number": version.number, "digest": version.digest},
    )
    _tell(project, members_who(project, Action.VIEW), Kind.SCHEMA, actor, now, {"number": version.number})
    return version


@transaction.atomic
def add_guideline(
    *, project: Project, text: str, actor: User | None, now: datetime, changes: int | None = None
) -> Guideline:
    """The next version of the guideline; the newest one itself where nothing changed. Its ends are stripped.

    `changes` is the number of the version that the text was made of, 0 for none. An empty text is a version too: from
    it on there is none. Raises ProjectError for a text that is too long, GuidelineReplaced where another came before.
    """
    text = text.strip()
    if len(text) > GUIDELINE_LENGTH:
        raise ProjectError(f"the guideline has {len(text):,} characters: at most {GUIDELINE_LENGTH:,} are wanted")
    lock_projects(project)
    digest = hashlib.sha256(text.encode()).hexdigest()
    newest = current_guideline(project)
    if newest is not None and newest.digest == digest:
        return newest
    if changes is not None and newest is not None and newest.number != changes:
        raise GuidelineReplaced(newest.number)
    version = Guideline.objects.create(
        project=project,
        number=newest.number + 1 if newest else 1,
        text=text,
        digest=digest,
        created_by=actor,
        created_at=now,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="guideline.add",
        object_id=project.public_id,
        now=now,
        detail={"number": version.number, "digest": digest},
    )
    _tell(project, members_who(project, Action.REVIEW), Kind.GUIDELINE, actor, now, {"number": version.number})
    return version


@transaction.atomic
def set_member(*, project: Project, user: User, role: str, actor: User | None, now: datetime) -> Membership:
    """Make `user` a member with `role`, or change the role of one. The open invitations of who leads no longer end.

    Raises ProjectError where that would leave a led project without a lead.
    """
    if role != Membership.Role.LEAD:
        _refuse_last_lead(project=project, user=user)
        _end_invitations(project=project, made_by=user, actor=actor, now=now)
    n_changed = Membership.objects.filter(project=project, user=user).exclude(role=role).update(role=role)
    membership, is_new = Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
    record_event(
        project=project.public_id,
        actor=actor,
        verb="member.set",
        object_id=user.public_id,
        now=now,
        detail={"role": role},
    )
    if n_changed:
        _tell(project, [user.pk], Kind.ROLE, actor, now)
    elif is_new:
        count_again(users=[user.pk])
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, actor: User | None, now: datetime) -> None:
    """End the membership and the open invitations that the member made. What the member said about notes stays.

    The notes in their hands are the business of the domains above. Raises ProjectError where this is the last lead.
    """
    project, user = membership.project, membership.user
    _refuse_last_lead(project=project, user=user)
    _end_invitations(project=project, made_by=user, actor=actor, now=now)
    membership.delete()
    record_event(
        project=project.public_id,
        actor=actor,
        verb="member.remove",
        object_id=user.public_id,
        now=now,
        detail={"role": membership.role},
    )
    count_again(users=[user.pk])


@transaction.atomic
def set_away(*, membership: Membership, until: date | None, actor: User, now: datetime) -> None:
    """Say that the member is away up to that day, so that others may read what is assigned to them; None: back.

    Raises ProjectError for a day gone by.
    """
    if until is not None and until < timezone.localdate(now):
        raise ProjectError("the day is over: give today or a later one, or none")
    Membership.objects.filter(pk=membership.pk).update(away_until=until)
    record_event(
        project=membership.project.public_id,
        actor=actor,
        verb="member.away",
        object_id=membership.user.public_id,
        now=now,
        detail={"until": until.isoformat() if until else None},
    )


def _tell(
    project: Project,
    users: Iterable[int],
    kind: Kind,
    actor: User | None,
    now: datetime,
    detail: Mapping[str, int] | None = None,
) -> None:
    notify(users=users, kind=kind, project=project.public_id, detail=detail, actor=actor, now=now)


def _refuse_last_lead(*, project: Project, user: User) -> None:
    """The leads are locked, so that two cannot leave at once."""
    leads = project.memberships.select_for_update().filter(role=Membership.Role.LEAD).order_by("pk")
    if [lead.user_id for lead in leads] == [user.pk]:
        raise ProjectError(f'the account "{user.get_username()}" is the only lead here: make someone else lead first')


def _end_invitations(*, project: Project, made_by: User, actor: User | None, now: datetime) -> None:
    made = project.invitations.filter(created_by=made_by, accepted_at=None, revoked_at=None)
    for invitation in made.select_for_update().order_by("pk"):
        invitation.revoked_at = now
        invitation.save(update_fields=["revoked_at"])
        record_event(
            project=project.public_id,
            actor=actor,
            verb="invitation.revoke",
            object_id=invitation.public_id,
            now=now,
            detail={"role": invitation.role},
        )


def _free_slug(name: str) -> str:
    base = slugify(name)[:50]
    if not base:
        raise ProjectError("a project's name needs at least one letter or digit")
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in chain([base], (f"{base}-{n}" for n in count(2))) if slug not in taken)
