"""What a purge leaves in the files of the database: nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection, transaction

from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.purges.disk import DiskBusy, clear_disk
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes
from tests.cast import NOW, make_document
from tests.purges.scene import CANARY, finish, suggest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bells")]


def database_files_with(word: str) -> list[str]:
    """The database's own files (log and index of the log included) that have the word in them."""
    database = Path(str(connection.settings_dict["NAME"]))
    return [path.name for path in database.parent.glob(f"{database.name}*") if word.encode() in path.read_bytes()]


def fill(project: Project) -> None:
    """Notes of several lengths, of which every third is the patient's, with suggestions; pages are split and filled."""
    for number in range(90):
        word = CANARY if number % 3 == 0 else "Cough"
        note = make_document(
            project,
            text=f"{word} {number} and " + f"{word} again. " * (number * number % 400),
            external_id=f"{word}-{number}",
            patient_id=f"{word}-p",
        )
        if note.text.count(word) > 1:
            suggest(project, note, word)


@pytest.mark.sqlite
def test_no_file_of_the_database_keeps_a_word_of_the_patient(project: Project) -> None:
    fill(project)
    assert database_files_with(CANARY)
    tombstone = purge_notes(project=project, doomed=Doomed(patient_id=f"{CANARY}-p"), actor=None, now=NOW)
    finish(tombstone)
    assert database_files_with(CANARY) == []
    assert database_files_with("Cough")
    assert Document.objects.count() == 60
    with connection.cursor() as cursor:
        # Written anew: `secure_delete` zeroes what is deleted, but not what SQLite has moved away from before.
        assert cursor.execute("PRAGMA freelist_count").fetchone() == (0,)


@pytest.mark.sqlite
def test_the_connection_is_as_before(project: Project) -> None:
    clear_disk()
    with connection.cursor() as cursor:
        kept = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("temp_store", "secure_delete")}
    assert kept == {"temp_store": 2, "secure_delete": 1}


@pytest.mark.sqlite
def test_a_reader_that_does_not_end_makes_the_purge_wait(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its snapshot lies in the log, which must not be emptied under it."""
    from annotator.purges import disk

    monkeypatch.setattr(disk, "_PATIENCE_SECONDS", 0)
    reader = connection.copy("reader")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=1")
    with reader.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        cursor.execute("SELECT count(*) FROM annotator_document")
        with pytest.raises(DiskBusy):
            clear_disk()
        cursor.execute("ROLLBACK")
    reader.close()
    clear_disk()


@pytest.mark.postgresql
def test_postgresql_has_no_dead_row_of_the_patient(project: Project) -> None:
    fill(project)
    finish(purge_notes(project=project, doomed=Doomed(patient_id=f"{CANARY}-p"), actor=None, now=NOW))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT vacuum_count > 0 FROM pg_stat_user_tables WHERE relname = 'annotator_document'")
        assert cursor.fetchone() == (True,)


@pytest.mark.sqlite
def test_it_cannot_be_done_in_a_transaction(project: Project) -> None:
    with transaction.atomic(), pytest.raises(Exception, match="within a transaction"):
        clear_disk()
    connection.close()
