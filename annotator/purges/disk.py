"""After the rows: what they held must not stay behind in the files of the database."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import connection

from annotator.adjudication.models import Choice
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.projects.models import Project, SchemaVersion
from annotator.purges.models import Tombstone
from annotator.review.models import Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.suggestions.models import Candidate, Labeler, LabelJob, LabelRun, Suggestion

_HAD_TEXT = (
    *(Document, Suggestion, Candidate, LabelJob, Annotation, AnnotationSet, Choice, Decision, ReviewItem),
    *(Decoy, DecoyAnswer),
    *(Import, DatasetBuild, Labeler, LabelRun, SchemaVersion, Project, Tombstone),
)
_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


class DiskBusy(Exception):
    """Somebody reads the database without an end, so that its log cannot be emptied; the purge tries again later."""


def clear_disk() -> None:
    """Write the database's files anew without what was deleted. Takes no transaction, and cannot run in one.

    SQLite: VACUUM, which keeps writers waiting while it copies, then the write-ahead log is emptied. `secure_delete`
    alone is not enough: where SQLite has moved a row from one page to another, the first keeps a copy in a gap. The
    copy lies in the data folder, in a file without a name. PostgreSQL: VACUUM of the tables that had text.

    Raises DiskBusy.
    """
    if connection.vendor == "postgresql":
        _vacuum_tables()
    else:
        _rewrite_file()


def _vacuum_tables() -> None:
    names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in _HAD_TEXT)
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM {names}")


def _rewrite_file() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA temp_store=FILE")
        cursor.execute("PRAGMA temp_store_directory = '{}'".format(str(settings.SPOOL_DIR).replace("'", "''")))
        try:
            cursor.execute("VACUUM")
        finally:
            cursor.execute("PRAGMA temp_store_directory = ''")
            cursor.execute("PRAGMA temp_store=MEMORY")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            is_busy, *_ = cursor.fetchone()
            if not is_busy:
                return
            if time.monotonic() > deadline:
                raise DiskBusy
            time.sleep(_PAUSE_SECONDS)
