"""A project with something of everything about two patients and one note that names nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.db import connection

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.pools import freeze_pool
from annotator.builds.services import create_build, write_build
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.exchange.spool import make_folder, write_manifest
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.purges.models import Tombstone
from annotator.purges.services import run_purge
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import fill_slots
from annotator.review.services import Accept, FinishNote, Reject, Undo, decide
from annotator.routing.services import route_job
from annotator.suggestions.models import LabelJob
from annotator.suggestions.pools import wish_for
from annotator.suggestions.recording import CandidateRow, NewSuggestion, add_candidates, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, make_document, make_set

CANARY = "Zebrafever"
PATIENT, OTHER = f"{CANARY}-patient", "p2"


def make_scene(project: Project, bob: User, dana: User) -> None:
    """Three notes of the patient (one of them decided by Bob), one of another patient, one that names nobody.

    A dataset and an example pool are made of what is done.
    """
    first = _note(project, "1", patient_id=PATIENT)
    second = _note(project, "2", patient_id=PATIENT)
    other = _note(project, "other", patient_id=OTHER, word="Cough")
    _note(project, "nobody", patient_id="")
    _review(first, bob)
    places = (Span.of(0, len(CANARY)), Span.of(len(CANARY) + 5, 2 * len(CANARY) + 5))
    spans = [NewAnnotation(span=place, label="Problem", attributes={}) for place in places]
    make_set(second, bob, *spans, relations=[("seen with", 0, 1)], values={"smoking": "never"})
    make_set(other, bob)
    fill_slots(sets=AnnotationSet.objects.filter(document__project=project))
    for note in (first, second):
        wish_for(project=project, document=note, start=0, end=len(CANARY), actor=bob, now=NOW)
    freeze_pool(project=project, actor=None, now=NOW)
    wish_for(project=project, document=first, start=0, end=len(CANARY), actor=bob, now=NOW)
    build(project, dana)


def _note(project: Project, name: str, *, patient_id: str, word: str = CANARY) -> Document:
    note = make_document(
        project,
        text=f"{word} and {word} again. " * 200,
        external_id=f"{word}-{name}",
        patient_id=patient_id,
        metadata={"ward": word},
        note_type=word,
    )
    suggest(project, note, word)
    return note


def suggest(project: Project, note: Document, word: str = CANARY) -> None:
    """Two suggestions on the note, routed, and a candidate beside them."""
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1")
    labeler = labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW)
    second = note.text.index(word, 1)
    rows = [
        suggestion_row(
            NewSuggestion(
                span=Span.of(start, start + len(word)),
                surface=word,
                label="Problem",
                attributes={},
                alignment="exact",
                score=0.5,
                signals={"quote": word},
            )
        )
        for start in (0, second)
    ]
    import_run(project=project, labeler=labeler, suggestions=[(note.pk, rows)], actor=None, now=NOW)
    job = LabelJob.objects.get(document=note)
    add_candidates(job=job, rows=[CandidateRow("Medication", f"0 {len(word)}", 0, len(word), word, 0.3)])
    route_job(label_job_id=job.pk, now=NOW)


def _review(note: Document, bob: User) -> None:
    """One suggestion accepted, one rejected, taken back and rejected again; the note is done."""
    held = take_note(document=note, reviewer=bob, now=NOW)
    accepted, rejected = ReviewItem.objects.filter(document=note, unit="span").order_by("suggestion__start")
    acts = [Accept(item=accepted), Reject(target=rejected), Undo()]
    for number, act in enumerate(acts):
        decide(note_item=held, reviewer=bob, act=act, key=f"{note.public_id}-{number}", now=NOW)
    rejected.refresh_from_db()
    decide(note_item=held, reviewer=bob, act=Reject(target=rejected), key=f"{note.public_id}-8", now=NOW)
    decide(note_item=held, reviewer=bob, act=FinishNote(), key=f"{note.public_id}-9", now=NOW)


def build(project: Project, actor: User) -> DatasetBuild:
    """A dataset of everything that is done, written."""
    made = create_build(
        project=project, name="Dataset", formats=["jsonl"], options=BuildOptions(), actor=actor, now=NOW
    )
    run_job(job_id=made.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    made.refresh_from_db()
    return made


def upload(project: Project, actor: User, *rows: dict[str, str], name: str = "notes.jsonl") -> Import:
    """An upload with these rows that was not started."""
    item = Import(project=project, created_by=actor, created_at=NOW)
    look = {"labels": [], "errors": [], "n_rows": len(rows), "n_files": 1, "n_spans": 0, "n_errors": 0}
    item.result = {"look": look | {"is_whole": True}}
    folder = make_folder(item.public_id)
    (folder / "1").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_manifest(item.public_id, names=[("1", name)], n_other_files=0)
    item.save()
    return item


def finish(tombstone: Tombstone, *, now: datetime = NOW) -> Tombstone:
    """The purge, done by a worker."""
    run_job(job_id=tombstone.job_id, work=lambda job: run_purge(job=job, clock=lambda: now), clock=lambda: now)
    tombstone.refresh_from_db()
    return tombstone


def die_at(step: int) -> Callable[[Job], None]:
    """Work that is killed at the `step`th sign of progress of a purge."""

    def work(job: Job) -> None:
        left = iter(range(step))

        def clock() -> datetime:
            if next(left, None) is None:
                raise KilledError
            return NOW

        run_purge(job=job, clock=clock)

    return work


class KilledError(BaseException):
    """What a worker that is killed would raise if it could."""


def rows_with(word: str) -> list[str]:
    """Every table and column of the database that has the word in it."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}" LIMIT 0')
            columns = [name for name, *_ in cursor.description]
            counts = [f'count(CASE WHEN CAST("{name}" AS TEXT) LIKE %s THEN 1 END)' for name in columns]
            cursor.execute(f'SELECT {", ".join(counts)} FROM "{table}"', [f"%{word}%"] * len(columns))
            found += [f"{table}.{name}" for name, n in zip(columns, cursor.fetchone(), strict=True) if n]
    return found


def files_with(word: str, folder: Path) -> list[str]:
    """Every file below the folder that has the word in it."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
