"""`manage.py doctor`: what it finds, and that it says what to do."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from annotator import doctor
from annotator.accounts.models import User
from annotator.audit.heads import write_heads
from annotator.audit.services import record_event
from annotator.doctor import Finding, Level
from annotator.jobs.services import record_beat
from annotator.projects.models import Invitation, Membership, Project
from tests.cast import NOW

pytestmark = pytest.mark.django_db
MODEL = settings.LABELERS[settings.LABELER]["model_id"]


@pytest.fixture(autouse=True)
def well(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with nothing to complain of."""
    for name in ("DATA_DIR", "STATIC_ROOT", "AUDIT_HEADS_DIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setattr(settings, name, folder)
    (tmp_path / "static_root" / "staticfiles.json").touch()
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["localhost"])
    beat("main@here", "main,route", "")
    beat("label-1@here", "label,route", MODEL)
    record_event(project="", actor=None, verb="installation.backup", object_id="installation", now=timezone.now())
    write_heads(now=timezone.now())


def beat(name: str, queues: str, model_id: str, *, ahead: timedelta = timedelta()) -> None:
    facts: dict[str, Any] = {"device": "CPU", "memory_bytes": 1, "started_at": NOW}
    record_beat(name=name, queues=queues, model_id=model_id, now=timezone.now() + ahead, **facts)


def found(subject: str) -> list[Finding]:
    return [one for one in doctor.examine(now=timezone.now()) if one.subject == subject]


def one(subject: str) -> Finding:
    (only,) = found(subject)
    return only


def test_an_installation_that_is_well_has_no_remedy() -> None:
    findings = doctor.examine(now=timezone.now())
    complaints = [one for one in findings if one.level is not Level.OK and one.subject not in {"database", "packages"}]
    assert complaints == []
    assert all(bool(one.remedy) is (one.level is not Level.OK) for one in findings)


def test_a_database_that_may_lose_what_it_saved_is_told() -> None:
    """The tests' own database is quick and not durable, on SQLite and on PostgreSQL."""
    told = one("database")
    assert told.level is Level.WARNING
    assert "may lose what it has answered as saved: " in told.said
    assert "synchronous" in told.said


def test_a_database_that_is_away_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.health.database_trouble", lambda: "the database is read-only")
    assert one("database").level is Level.BROKEN
    assert found("workers") == []


def test_a_file_that_others_can_read_is_broken() -> None:
    file = settings.DATA_DIR / "notes.txt"
    file.touch()
    file.chmod(0o640)
    told = one("data folder")
    assert (told.level, told.said) == (Level.BROKEN, "others can read 1 files or folders: notes.txt")
    assert told.remedy == f"chmod -R go= {settings.DATA_DIR}"


def test_a_short_key_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SECRET_KEY", "secret")
    assert one("key").level is Level.BROKEN


def test_missing_static_files_are_broken() -> None:
    (settings.STATIC_ROOT / "staticfiles.json").unlink()
    assert one("static files").level is Level.BROKEN


def test_names_of_other_machines_want_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOWED_HOSTS", ["notes.example.org"])
    assert one("addresses").level is Level.WARNING
    monkeypatch.setattr(settings, "HTTPS", True)
    assert one("addresses").level is Level.OK


def test_a_queue_without_a_worker_is_broken() -> None:
    beat("label-1@here", "label,route", MODEL, ahead=timedelta(minutes=-2))
    assert [finding.said for finding in found("workers")] == ["no worker serves the queue label"]


def test_a_worker_with_another_model_is_told() -> None:
    beat("label-1@here", "label,route", "other-model")
    assert one("labeler").said == f"workers have loaded other-model, new runs ask for {MODEL}"


def test_a_worker_from_the_future_has_another_clock() -> None:
    beat("label-1@here", "label,route", MODEL, ahead=timedelta(seconds=30))
    assert one("clock").level is Level.BROKEN


def test_administrators_and_invitations_are_counted(project: Project, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    now = timezone.now()
    invitation = {"project": project, "role": Membership.Role.ANNOTATOR, "created_by": alice, "created_at": now}
    Invitation.objects.create(**invitation, token_sha256="1" * 64, expires_at=now + timedelta(days=1))
    Invitation.objects.create(**invitation, token_sha256="2" * 64, expires_at=now - timedelta(days=1))
    assert one("administrators").said == "1 have no second factor"
    assert one("invitations").said.startswith("1 can be followed")


def test_old_heads_and_backups_are_told() -> None:
    later = timezone.now() + timedelta(days=8)
    findings = {finding.subject: finding for finding in doctor.examine(now=later)}
    assert findings["backups"].said == "the last was made 8 days ago"
    assert findings["audit heads"].level is Level.WARNING


def test_packages_are_compared_with_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    (tmp_path / "web.lock").write_text(
        "django==1.0 \\\n    --hash=sha256:00\nunheard-of==1.0 \\\ncolorama==0.4 ; sys_platform == 'win32' \\\n"
    )
    said = one("packages").said
    assert "2 of 3 are not as web.lock says: django, unheard-of" in said


@pytest.fixture
def said() -> StringIO:
    return StringIO()


def test_the_command_ends_with_one_where_something_is_broken(said: StringIO) -> None:
    call_command("doctor", stdout=said)
    (settings.STATIC_ROOT / "staticfiles.json").unlink()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=said)
    assert ended.value.code == 1
    assert "-> manage.py collectstatic" in said.getvalue()


def test_the_command_speaks_json(said: StringIO) -> None:
    call_command("doctor", "--json", stdout=said)
    findings = json.loads(said.getvalue())
    assert {"level", "subject", "said", "remedy"} == set(findings[0])


def test_an_error_of_the_database_is_not_quoted(monkeypatch: pytest.MonkeyPatch, said: StringIO) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseError("Zebrafever")

    monkeypatch.setattr(connection, "cursor", away)
    with pytest.raises(SystemExit):
        call_command("doctor", stdout=said)
    monkeypatch.undo()
    assert "DatabaseError" in said.getvalue()
    assert "Zebrafever" not in said.getvalue()
