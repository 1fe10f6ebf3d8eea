from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.servers import ServerError
from annotator.projects.models import Project
from annotator.suggestions.disclosure import (
    ServerNotAllowed,
    allow_server,
    forbid_server,
    refuse_undisclosed,
    remote_server,
)
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import Labeler, LabelRun, ServerPermission
from annotator.suggestions.services import RunRefused
from tests.cast import NOW
from tests.suggestions.scene import make_run

SERVER = "https://models.example.org:8443"
pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def labeler(project: Project, settings: Any) -> Labeler:
    """The default labeler, whose model is on another machine."""
    use_server(settings, f"{SERVER}/v1")
    return default_labeler(project=project, now=NOW)


def use_server(settings: Any, url: str) -> None:
    entry = settings.LABELERS[settings.LABELER] | {"runtime": {"url": url}}
    settings.LABELERS = settings.LABELERS | {settings.LABELER: entry}


def test_a_run_whose_notes_would_leave_the_machine_is_refused(project: Project, labeler: Labeler, alice: User):
    with pytest.raises(RunRefused, match=rf"may not be sent to {SERVER}: .* allow_server"):
        make_run(project, n=1, actor=alice)
    assert not LabelRun.objects.exists()


def test_a_run_that_is_allowed_names_the_server_in_the_audit_chain(project: Project, labeler: Labeler, alice: User):
    allow_server(project=project, url=SERVER, now=NOW)
    make_run(project, n=1, actor=alice)
    assert AuditEvent.objects.get(verb="run.start").detail["server"] == SERVER


def test_leave_is_for_one_project_and_one_port(project: Project, other_project: Project, labeler: Labeler):
    allow_server(project=other_project, url=SERVER, now=NOW)
    allow_server(project=project, url="https://models.example.org", now=NOW)
    with pytest.raises(ServerNotAllowed):
        refuse_undisclosed(labeler)


def test_leave_that_is_taken_back_is_gone(project: Project, labeler: Labeler):
    allow_server(project=project, url=SERVER, now=NOW)
    refuse_undisclosed(labeler)
    forbid_server(project=project, url=SERVER, now=NOW)
    with pytest.raises(ServerNotAllowed):
        refuse_undisclosed(labeler)
    verbs = AuditEvent.objects.filter(verb__startswith="server.").order_by("number").values_list("verb", flat=True)
    assert list(verbs) == ["server.allow", "server.forbid"]


def test_leave_is_given_once(project: Project):
    for _ in range(2):
        allow_server(project=project, url=SERVER, now=NOW)
    assert (ServerPermission.objects.count(), AuditEvent.objects.filter(verb="server.allow").count()) == (1, 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "unix:///run/model.sock"])
def test_a_server_of_this_machine_needs_no_leave(project: Project, settings: Any, url: str):
    use_server(settings, url)
    labeler = default_labeler(project=project, now=NOW)
    refuse_undisclosed(labeler)
    assert remote_server(labeler) == ""


def test_a_server_without_tls_cannot_be_allowed(project: Project):
    with pytest.raises(ServerError, match="by https only"):
        allow_server(project=project, url="http://models.example.org", now=NOW)


def test_the_command_gives_lists_and_takes_back(project: Project, capsys: pytest.CaptureFixture[str]):
    call_command("allow_server", project.slug, SERVER)
    call_command("allow_server", project.slug)
    assert capsys.readouterr().out.splitlines()[-1] == SERVER
    call_command("allow_server", project.slug, SERVER, "--remove")
    assert not ServerPermission.objects.exists()
    with pytest.raises(CommandError, match="by https only"):
        call_command("allow_server", project.slug, "http://models.example.org")
    with pytest.raises(CommandError, match="there is no project"):
        call_command("allow_server", "nowhere", SERVER)
