from __future__ import annotations

import io
import os
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from annotator.accounts.models import User
from annotator.audit.heads import HeadFileError, read_heads, write_heads
from annotator.audit.models import AuditChain, AuditEvent
from annotator.audit.services import record_event
from annotator.projects.models import Project
from annotator.sweeper import sweep
from tests.cast import NOW

CHAIN = "projectproject22"
FILE = "2026.txt"


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """The empty folder of head files."""
    settings.AUDIT_HEADS_DIR = tmp_path
    return tmp_path


def append(n: int, project: str = CHAIN) -> None:
    for number in range(n):
        record_event(project=project, actor=None, verb="test.made", object_id=f"o-{number}", now=NOW)


def forge() -> None:
    """Make the whole chain anew, with one word changed: it holds in itself."""
    events = list(AuditEvent.objects.filter(chain__project=CHAIN).order_by("number"))
    AuditEvent.objects.filter(chain__project=CHAIN).delete()
    AuditChain.objects.filter(project=CHAIN).update(n_events=0, head_sha256="0" * 64)
    for event in events:
        verb = "test.forged" if event.number == 2 else event.verb
        record_event(project=CHAIN, actor=None, verb=verb, object_id=event.object_id, now=event.at)


def verify(*arguments: str) -> list[list[str]]:
    """What the command says, a list of words for each chain. Raises CommandError where one is broken."""
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    finally:
        verify.said = out.getvalue()  # type: ignore[attr-defined]
    return [line.split(maxsplit=3) for line in out.getvalue().splitlines()[1:]]


# The file


def test_heads_are_written_once_a_day(db: None, folder: Path) -> None:
    append(2)
    append(1, "")
    assert write_heads(now=NOW) == 2
    append(1)
    assert write_heads(now=NOW + timedelta(hours=14)) == 0
    assert write_heads(now=NOW + timedelta(hours=15)) == 2
    lines = [line.split(" ") for line in (folder / FILE).read_text().splitlines()]
    assert [line[:3] for line in lines] == [
        ["2026-03-02", "-", "1"],
        ["2026-03-02", CHAIN, "2"],
        ["2026-03-03", "-", "1"],
        ["2026-03-03", CHAIN, "3"],
    ]
    assert lines[3][3] == AuditChain.objects.get(project=CHAIN).head_sha256


def test_only_this_user_can_read_the_file(db: None, folder: Path) -> None:
    append(1)
    write_heads(now=NOW)
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600


def test_a_chain_without_events_has_no_head(db: None) -> None:
    AuditChain.objects.create(project=CHAIN)
    assert write_heads(now=NOW) == 0
    assert read_heads() == {}


def test_each_year_has_a_file(db: None, folder: Path) -> None:
    append(1)
    write_heads(now=NOW)
    write_heads(now=NOW + timedelta(days=365))
    assert sorted(path.name for path in folder.iterdir()) == [FILE, "2027.txt"]
    assert [head.day for head in read_heads()[CHAIN]] == ["2026-03-02", "2027-03-02"]


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_write_a_day_once(folder: Path) -> None:
    append(1)
    written: list[int] = []

    def write() -> None:
        written.append(write_heads(now=NOW))
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(written) == [0, 0, 0, 1]
    assert len((folder / FILE).read_text().splitlines()) == 1


def test_the_sweeper_writes_heads(project: Project, bells: Any) -> None:
    sweep(now=NOW)
    assert project.public_id in read_heads()


def test_a_step_of_the_sweep_that_fails_keeps_no_other_from_being_done(
    project: Project, bells: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise OSError

    monkeypatch.setattr("annotator.sweeper.sweep_spool", fail)
    with pytest.raises(OSError):  # noqa: PT011  it has no message
        sweep(now=NOW)
    assert project.public_id in read_heads()


def test_a_line_that_the_disk_has_cut_is_taken_back(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(1, "")
    write = os.write
    monkeypatch.setattr("annotator.audit.heads.os.write", lambda descriptor, content: write(descriptor, content[:-5]))
    with pytest.raises(OSError, match="not written whole"):
        write_heads(now=NOW)
    assert (folder / FILE).read_text() == ""


# The command


def test_chains_that_hold_are_told_with_their_heads(project: Project, alice: User) -> None:
    append(3, "")
    write_heads(now=NOW)
    rows = {row[0]: row[1:] for row in verify()}
    chain = AuditChain.objects.get(project=project.public_id)
    assert rows[project.public_id] == [str(chain.n_events), chain.head_sha256, "OK"]
    assert rows["installation"][0] == "3"


def test_one_project_can_be_asked_for_by_either_name(project: Project) -> None:
    append(1)
    assert verify(project.slug) == verify(project.public_id)
    assert [row[0] for row in verify(CHAIN)] == [CHAIN]
    with pytest.raises(CommandError, match="there is no project 'nobody'"):
        verify("nobody")


def test_a_changed_event_is_told_by_its_number(project: Project) -> None:
    append(4)
    AuditEvent.objects.filter(chain__project=CHAIN, number=3).update(verb="test.forged")
    with pytest.raises(CommandError, match="1 of 2 chains is broken") as caught:
        verify()
    assert caught.value.returncode == 1
    assert "broken at event 3" in verify.said  # type: ignore[attr-defined]
    assert verify(project.slug)


def test_a_chain_made_anew_is_noticed_by_its_heads(db: None) -> None:
    append(4)
    write_heads(now=NOW)
    forge()
    with pytest.raises(CommandError):
        verify()
    assert "rewritten: event 4 is not what it was on 2026-03-02" in verify.said  # type: ignore[attr-defined]


def test_without_heads_a_chain_made_anew_passes(db: None) -> None:
    append(4)
    forge()
    assert verify()[0][3] == "OK"


def test_a_chain_cut_short_and_closed_again_is_noticed(db: None) -> None:
    append(4)
    write_heads(now=NOW)
    kept = AuditEvent.objects.get(number=3)
    AuditEvent.objects.filter(number=4).delete()
    AuditChain.objects.update(n_events=3, head_sha256=kept.sha256)
    with pytest.raises(CommandError):
        verify()


def test_a_chain_that_is_gone_is_noticed(db: None) -> None:
    append(4)
    write_heads(now=NOW)
    AuditEvent.objects.all().delete()
    AuditChain.objects.all().delete()
    with pytest.raises(CommandError, match="1 of 1 chains is broken"):
        verify()


def test_a_chain_that_grew_holds_all_its_heads(db: None) -> None:
    for day in range(3):
        append(2)
        write_heads(now=NOW + timedelta(days=day))
    assert verify()[0][3] == "OK"
    assert len(read_heads()[CHAIN]) == 3


def test_a_line_that_is_none_is_told(db: None, folder: Path) -> None:
    (folder / FILE).write_text("2026-03-02 nothing\n")
    with pytest.raises(HeadFileError, match="line 1"):
        read_heads()
    with pytest.raises(CommandError, match="line 1"):
        verify()
