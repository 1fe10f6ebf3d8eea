from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.accounts.two_factor import has_two_factor
from annotator.audit.models import AuditEvent
from annotator.projects.models import Membership, Project
from tests.accounts.codes import set_up
from tests.cast import NOW, SCHEMA, make_user

pytestmark = pytest.mark.django_db


def output_of(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def schema_file(tmp_path: Path) -> str:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return str(path)


def test_sign_in_link_prints_an_address() -> None:
    assert output_of("sign_in_link", "--base", "http://127.0.0.1:9000/").startswith(
        "http://127.0.0.1:9000/accounts/first/"
    )


def test_sign_in_link_wants_a_name_once_there_is_a_password(alice: User) -> None:
    alice.set_password("seven wet umbrellas")
    alice.save()
    with pytest.raises(CommandError, match="sign_in_link USERNAME"):
        output_of("sign_in_link")
    assert "/accounts/first/" in output_of("sign_in_link", "alice")


def test_sign_in_link_is_refused_where_no_link_signs_in(alice: User, settings: Any) -> None:
    settings.HTTPS = True
    with pytest.raises(CommandError, match="HTTPS=1"):
        output_of("sign_in_link", "alice")


def test_reset_link_prints_an_address_that_works_behind_a_tls_proxy_too(alice: User, settings: Any) -> None:
    assert output_of("reset_link", "alice", "--base", "https://notes.example/").startswith(
        "https://notes.example/accounts/reset/"
    )
    settings.HTTPS = True
    settings.ALLOWED_HOSTS = ["notes.example"]
    assert output_of("reset_link", "alice").startswith("https://notes.example/accounts/reset/")


def test_reset_link_makes_the_first_account_and_then_wants_a_name() -> None:
    assert "/accounts/reset/" in output_of("reset_link")
    lead = User.objects.get()
    assert (lead.username, lead.is_staff) == ("lead", True)
    lead.set_password("seven wet umbrellas")
    lead.save()
    with pytest.raises(CommandError, match="reset_link USERNAME"):
        output_of("reset_link")
    with pytest.raises(CommandError, match="no user 'nobody'"):
        output_of("reset_link", "nobody")


def test_make_administrator_breaks_the_glass_and_is_audited(alice: User) -> None:
    output_of("make_administrator", "alice")
    alice.refresh_from_db()
    assert alice.is_staff
    event = AuditEvent.objects.get(verb="account.administrator")
    assert (event.chain.project, event.actor, event.object_id) == ("", None, alice.public_id)
    with pytest.raises(CommandError, match="no user 'nobody'"):
        output_of("make_administrator", "nobody")
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="disabled"):
        output_of("make_administrator", "alice")


def test_remove_two_factor_lets_the_last_administrator_in_again(alice: User) -> None:
    with pytest.raises(CommandError, match="no second factor"):
        output_of("remove_two_factor", "alice")
    set_up(alice, now=NOW)
    output_of("remove_two_factor", "alice")
    assert not has_two_factor(alice)
    assert AuditEvent.objects.get(verb="account.two_factor_off").actor is None


def test_create_project_with_its_lead(alice: User, schema_file: str) -> None:
    assert "project my-notes made" in output_of(
        "create_project", "My notes", "--schema", schema_file, "--lead", "alice"
    )
    assert Project.objects.get(slug="my-notes").memberships.get().user == alice


def test_create_project_without_lead_says_how_to_get_in(schema_file: str) -> None:
    assert "add_member my-notes USERNAME lead" in output_of("create_project", "My notes", "--schema", schema_file)


def test_create_project_starts_from_the_schema_of_the_demo() -> None:
    output_of("create_project", "My notes")
    assert len(Project.objects.get().schema_versions.get().schema.labels) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "not JSON: line 1"), ('{"labels": []}', "'labels' must be a list"), (None, "cannot read")],
)
def test_create_project_says_what_is_wrong_with_the_schema(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=reason):
        output_of("create_project", "My notes", "--schema", str(path))
    assert not Project.objects.exists()


def test_add_member_makes_the_account_if_asked(project: Project) -> None:
    with pytest.raises(CommandError, match="--create"):
        output_of("add_member", project.slug, "erin", "annotator")
    output_of("add_member", project.slug, "erin", "annotator", "--create")
    assert project.memberships.get(user__username="erin").role == Membership.Role.ANNOTATOR
    assert not User.objects.get(username="erin").has_usable_password()


def test_add_member_opens_an_account_that_an_import_has_made(project: Project) -> None:
    kim = make_user("kim", is_active=False)
    output_of("add_member", project.slug, "kim", "annotator")
    with pytest.raises(CommandError, match="disabled"):
        output_of("sign_in_link", "kim")
    assert "sign_in_link kim" in output_of("add_member", project.slug, "kim", "annotator", "--create")
    assert "/accounts/first/" in output_of("sign_in_link", "kim")
    assert AuditEvent.objects.filter(verb="account.activate").get().object_id == kim.public_id


def test_add_member_opens_no_account_that_was_disabled(project: Project, bob: User) -> None:
    bob.set_password("seven wet umbrellas")
    bob.is_active = False
    bob.save()
    with pytest.raises(CommandError, match="disabled"):
        output_of("add_member", project.slug, "bob", "lead", "--create")
    bob.refresh_from_db()
    assert not bob.is_active
    assert project.memberships.get(user=bob).role == Membership.Role.ANNOTATOR


def test_add_member_changes_a_role(project: Project, bob: User) -> None:
    output_of("add_member", project.slug, "bob", "adjudicator")
    assert project.memberships.get(user=bob).role == Membership.Role.ADJUDICATOR


def test_add_member_refuses_an_unknown_project(alice: User) -> None:
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        output_of("add_member", "nowhere", "alice", "lead")
