from __future__ import annotations

from datetime import datetime

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.schema import Schema, schema_from_json
from annotator.projects.models import Membership, Project
from annotator.projects.services import ProjectError, add_schema_version, create_project, set_member
from tests.cast import SCHEMA


def test_project_starts_with_a_schema_and_its_lead(project: Project, alice: User, schema: Schema) -> None:
    version = project.schema_versions.get()
    assert (project.slug, version.number, version.schema) == ("discharge-notes", 1, schema)
    assert project.memberships.get().user == alice
    assert project.memberships.get().role == Membership.Role.LEAD


def test_project_is_in_the_audit_log_with_everything_that_was_done(project: Project, alice: User) -> None:
    events = AuditEvent.objects.filter(chain__project=project.public_id)
    assert list(events.values_list("verb", "actor")) == [
        ("project.create", alice.pk),
        ("schema.add", alice.pk),
        ("member.set", alice.pk),
    ]


def test_a_short_name_that_is_taken_gets_a_number(project: Project, schema: Schema, now: datetime) -> None:
    names = [create_project(name="Discharge  NOTES!", schema=schema, lead=None, now=now).slug for _ in range(2)]
    assert names == ["discharge-notes-2", "discharge-notes-3"]


def test_a_name_without_a_letter_is_refused(db: None, schema: Schema, now: datetime) -> None:
    with pytest.raises(ProjectError, match="letter or digit"):
        create_project(name=" - ", schema=schema, lead=None, now=now)


def test_the_same_schema_makes_no_new_version(project: Project, schema: Schema, alice: User, now: datetime) -> None:
    assert add_schema_version(project=project, schema=schema, actor=alice, now=now).number == 1
    assert project.schema_versions.count() == 1
    assert AuditEvent.objects.filter(verb="schema.add").count() == 1


def test_a_changed_schema_is_the_next_version(project: Project, alice: User, now: datetime) -> None:
    changed = schema_from_json({**SCHEMA, "attributes": []})
    version = add_schema_version(project=project, schema=changed, actor=alice, now=now)
    assert (version.number, version.schema) == (2, changed)
    assert AuditEvent.objects.filter(verb="schema.add").last().detail == {"number": 2, "digest": changed.digest}


def test_a_role_can_be_changed_and_is_audited(project: Project, alice: User, bob: User, now: datetime) -> None:
    set_member(project=project, user=bob, role=Membership.Role.ADJUDICATOR, actor=alice, now=now)
    assert project.memberships.get(user=bob).role == Membership.Role.ADJUDICATOR
    event = AuditEvent.objects.filter(verb="member.set").last()
    assert (event.object_id, event.detail, event.actor) == (bob.public_id, {"role": "adjudicator"}, alice)
