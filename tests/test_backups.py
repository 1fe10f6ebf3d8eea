"""Backups and moves: what comes back is what was there, and what was tampered with is found."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from annotator import backups, copying, databases
from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.audit.models import AuditChain, AuditEvent
from annotator.audit.services import first_broken_event, record_event
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.jobs.services import record_beat
from annotator.projects.models import Membership
from annotator.projects.services import create_project, set_member
from annotator.suggestions.models import Candidate
from annotator.supervisor import only_supervisor
from tests.cast import NOW, SCHEMA, Bells, make_document, make_set, make_user
from tests.postgres import empty_database
from tests.review.conftest import suggest

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "Zebrafever 😊"
Scene = dict[str, int]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Datasets and heads of this test's own; the folder that backups go to."""
    for name, folder in (("BUILDS_DIR", "builds"), ("MODELS_DIR", "models"), ("AUDIT_HEADS_DIR", "heads")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(settings, name, tmp_path / folder)
    return tmp_path / "backups"


def make_scene() -> None:
    """A project with a note that Bob has annotated, a chain of events, a file of a dataset, and two of a model."""
    alice, bob = make_user("alice"), make_user("bob")
    project = create_project(name="Letters", schema=schema_from_json(SCHEMA), lead=alice, now=NOW)
    record_event(project="", actor=alice, verb="account.sign_in", object_id=alice.public_id, now=NOW)
    set_member(project=project, user=bob, role=Membership.Role.ANNOTATOR, actor=alice, now=NOW)
    document = make_document(project, text=f"{CANARY} and cough.", metadata={"ward": "é", "n": 1.5, "none": None})
    problem = NewAnnotation(span=Span.of(0, len(CANARY)), label="Problem", attributes={"assertion": "absent"})
    make_set(document, bob, problem)
    (Path(settings.BUILDS_DIR) / "abc").mkdir(exist_ok=True)
    (Path(settings.BUILDS_DIR) / "abc" / "train.jsonl").write_text(CANARY)
    for name in ("pipeline/config.cfg", "checkpoints/model-last/config.cfg"):
        path = Path(settings.MODELS_DIR) / "def" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("weights")


def backup(folder: Path) -> Path:
    call_command("backup", folder, stdout=StringIO())
    (made,) = folder.iterdir()
    return made


def empty() -> None:
    call_command("flush", interactive=False, verbosity=0)
    for folder in (settings.BUILDS_DIR, settings.MODELS_DIR):
        for path in sorted(Path(folder).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


def test_a_restored_backup_is_what_was_there(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    before, heads = copying.counts("default"), copying.heads("default")
    empty()
    assert copying.is_empty("default")
    said = StringIO()
    call_command("restore", made, stdout=said)
    after = copying.counts("default")
    after["annotator_auditevent"] -= 1  # the restore itself
    assert after == before
    assert {name for name, head in copying.heads("default").items() if heads[name] != head} == {""}
    assert [project for project in heads if first_broken_event(project=project) is not None] == []
    assert copying.troubles("default") == []
    assert AuditEvent.objects.order_by("-pk")[0].verb == "installation.restore"
    document = Document.objects.get()
    assert document.text.startswith(CANARY)
    assert document.metadata == {"ward": "é", "n": 1.5, "none": None}
    assert document.created_at == NOW
    assert (Path(settings.BUILDS_DIR) / "abc" / "train.jsonl").read_text() == CANARY
    assert (Path(settings.MODELS_DIR) / "def" / "pipeline" / "config.cfg").read_text() == "weights"
    assert not (Path(settings.MODELS_DIR) / "def" / "checkpoints").exists()
    assert "1 documents, 0 suggestions, 1 annotations, 2 audit chains" in said.getvalue()
    make_user("carol")  # keys go on where they were


def test_a_backup_is_private_and_whole_and_has_its_key(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    for path in made.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["database"] == connection.vendor
    assert manifest["counts"]["annotator_document"] == 1
    files = {"database.sqlite3", "secret_key", "builds/abc/train.jsonl", "models/def/pipeline/config.cfg"}
    assert {file["name"] for file in manifest["files"]} == files
    assert (made / "secret_key").read_text() == settings.SECRET_KEY
    assert [path.name for path in folders.iterdir()] == [made.name]


def test_what_fails_leaves_no_backup(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_copy_folder", fail)
    with pytest.raises(CommandError, match="No space left on device"):
        call_command("backup", folders)
    assert list(folders.iterdir()) == []


def test_verify_writes_nothing_here(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    before, files = copying.counts("default"), sorted(made.rglob("*"))
    said = StringIO()
    call_command("restore", made, "--verify", stdout=said)
    assert "the backup holds" in said.getvalue()
    assert copying.counts("default") == before
    assert sorted(made.rglob("*")) == files
    assert list(Path(settings.DATA_DIR).glob("restore-*")) == []


@pytest.mark.parametrize("name", ["database.sqlite3", "secret_key", "builds/abc/train.jsonl"])
def test_verify_finds_a_file_that_was_changed(folders: Path, bells: Bells, name: str) -> None:
    make_scene()
    made = backup(folders)
    with (made / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(CommandError, match=f"{name} is not what was written"):
        call_command("restore", made, "--verify")


def test_verify_finds_files_that_are_missing_or_added(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    (made / "secret_key").rename(made / "other")
    with pytest.raises(CommandError, match="1 files are missing, 1 are not its own"):
        call_command("restore", made, "--verify")


def test_verify_finds_what_had_gone_wrong_before_the_backup(folders: Path, bells: Bells) -> None:
    make_scene()
    document = Document.objects.get()
    beside = [(Span.of(0, 5), "Problem", 0.5)]
    suggest(document, [], candidates=beside, schema_version=document.project.schema_versions.get())
    Candidate.objects.update(surface="other")
    Annotation.objects.update(surface="other")
    Document.objects.update(sha256="0" * 64)
    project = AuditChain.objects.exclude(project="").get().project
    AuditEvent.objects.filter(chain__project=project, number=1).update(verb="nothing")
    made = backup(folders)
    with pytest.raises(CommandError) as refused:
        call_command("restore", made, "--verify")
    assert str(refused.value) == (
        f"the chain {project} is broken at event 1; 1 notes are not what their sha256 says; "
        "1 candidates do not read as their place in the note; 1 annotations do not read as their place in the note"
    )


def test_nothing_is_restored_over_what_is_there(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    with pytest.raises(CommandError, match="this installation is not empty"):
        call_command("restore", made)


def test_nothing_is_restored_while_workers_run(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    empty()
    beat = {"name": "main@here", "queues": "main,route", "model_id": "", "device": "", "memory_bytes": 1}
    record_beat(**beat, started_at=NOW, now=timezone.now())
    with pytest.raises(CommandError, match="1 workers run"):
        call_command("restore", made)


def test_nothing_is_restored_while_up_runs(folders: Path, bells: Bells) -> None:
    make_scene()
    made = backup(folders)
    with only_supervisor(settings.DATA_DIR), pytest.raises(CommandError, match=f"in use by process {os.getpid()}"):
        call_command("restore", made)


def test_a_backup_of_a_newer_version_is_refused(folders: Path, bells: Bells) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('annotator', '9999_later', %s)",
            [timezone.now().isoformat()],
        )
    try:
        if connection.vendor == "sqlite":
            with pytest.raises(CommandError, match="a newer version has migrated it"):
                call_command("restore", backup(folders), "--verify")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")


def test_what_is_no_backup_is_refused(folders: Path) -> None:
    folders.mkdir()
    with pytest.raises(CommandError, match="is no backup"):
        call_command("restore", folders, "--verify")


@pytest.fixture
def target() -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    with empty_database("target") as url:
        yield url


@pytest.mark.postgresql
def test_a_move_to_postgres_keeps_everything(
    target: str, tmp_path: Path, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sqlite").mkdir(mode=0o700)
    (tmp_path / "url").write_text(target)
    monkeypatch.setenv("TARGET_DATABASE_URL_FILE", str(tmp_path / "url"))
    with copying.opened("small", databases.sqlite(tmp_path / "sqlite")) as small:
        copying.make_tables(small, like="default")
        with copying.as_default(small):
            make_scene()
            before, heads = copying.counts("default"), copying.heads("default")
            said = StringIO()
            call_command("move_to_postgres", stdout=said)
            assert "Now set DATABASE_URL" in said.getvalue()
            assert target not in said.getvalue()
            with pytest.raises(CommandError, match="the target is not empty"):
                call_command("move_to_postgres", target)
            assert copying.counts("default") == before
    with copying.opened("large", databases.postgresql(target)) as large:
        after = copying.counts(large)
        after["annotator_auditevent"] -= 1  # the move itself
        assert after == before
        assert {name for name, head in copying.heads(large).items() if heads[name] != head} == {""}
        with copying.as_default(large):
            assert copying.troubles("default") == []
            assert User.objects.get(username="bob").pk < make_user("carol").pk


@pytest.mark.postgresql
def test_a_move_from_postgres_to_postgres_is_refused(target: str) -> None:
    with pytest.raises(CommandError, match="runs on PostgreSQL already"):
        call_command("move_to_postgres", target)


def test_a_move_needs_an_address(folders: Path) -> None:
    with pytest.raises(CommandError, match="where to"):
        call_command("move_to_postgres")
