"""How fast the page of a project's progress is, among a hundred thousand notes and five million decisions.

Fills a project of so many people and notes on SQLite, four fifths of the notes done in the last 300 days, counts the
days as the sweeper does, and asks for the page again and again.

    python bench/progress.py [--notes 100000] [--people 100] [--data FOLDER] [--views 40]

A folder that is filled is used again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

N_DAYS, SPANS = 300, 50
TYPES = ("Discharge summary", "Progress note", "Radiology", "Letter", "Nursing")
LABELS = ("Problem", "Symptom", "Medication", "Dose", "Frequency", "Test", "Result", "Procedure", "Anatomy", "Allergy")
TEXT = "No chest pain. " * 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    data = arguments.data or Path(tempfile.mkdtemp(prefix="progress-"))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(data), "TZ": "UTC"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from annotator.projects.models import Project

    project = Project.objects.filter(name="Bench").first()
    if project is None:
        project = timed("filled", lambda: fill(arguments.notes, arguments.people))
    measure(project, arguments.views)


def timed(what: str, act: Callable):
    start = time.perf_counter()
    found = act()
    print(f"{what} in {time.perf_counter() - start:.1f} s", flush=True)
    return found


def fill(n_notes: int, n_people: int):
    """The project as reviewing leaves it, but for the audit chain: each table by one statement, since there are
    twenty million rows.
    """
    from django.db import connection, transaction
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.core.schema import schema_from_json
    from annotator.projects.services import create_project, set_member
    from annotator.suggestions.models import LabelRun
    from annotator.suggestions.services import LabelerSpec, labeler_for

    now = timezone.now()
    lead = User.objects.create(username="lead")
    schema = schema_from_json({"labels": [{"name": label, "definition": "What is called so."} for label in LABELS]})
    project = create_project(name="Bench", schema=schema, lead=lead, now=now)
    people = [User.objects.create(username=f"annotator-{number:03}") for number in range(n_people)]
    for person in people:
        set_member(project=project, user=person, role="annotator", actor=lead, now=now)
    version = project.schema_versions.get()
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=now)
    run = LabelRun.objects.create(project=project, number=1, labeler=labeler, status="done", created_at=now)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size = -2000000")
    with transaction.atomic():
        fill_tables(project.pk, version.pk, run.pk, people[0].pk, n_people, n_notes, now)
    return project


def fill_tables(project: int, version: int, run: int, person: int, n_people: int, n_notes: int, now) -> None:
    """Note `i` and place `s`, of note `s / 50`, count from 0; of the first four fifths of the notes a person has
    decided all suggestions. A multiple of `i` or `s` stands for chance.
    """
    from annotator.annotations.models import Annotation, AnnotationSet
    from annotator.documents.models import Document
    from annotator.review.models import Decision, ReviewItem
    from annotator.suggestions.models import LabelJob, Suggestion

    n_done = n_notes * 4 // 5
    first_at = (now - timedelta(days=N_DAYS)).timestamp()
    pace = N_DAYS * 86_400 / n_done
    reviewer = f"{person} + {{}} % {n_people}"
    at = f"strftime('%Y-%m-%d %H:%M:%f', {first_at} + {{}} * {pace}, 'unixepoch')"
    label = choice(LABELS, "s * 7 % 13 % 10")
    other = choice(LABELS, "s % 10")
    span = {"fragments": f"(s % {SPANS} * 15) || ' ' || (s % {SPANS} * 15 + 10)", "start": f"s % {SPANS} * 15",
            "end": f"s % {SPANS} * 15 + 10", "surface": "'chest pain'", "attributes": "'{}'"}  # fmt: skip
    verdict = "CASE WHEN s * 7919 % 1000 < 700 THEN 'accept' WHEN s * 7919 % 1000 < 850 THEN 'reject' WHEN s * 7919 % 1000 < 970 THEN 'edit' ELSE 'skip' END"  # noqa: E501
    is_made = "(s * 7919 % 1000 < 700 OR s * 7919 % 1000 BETWEEN 850 AND 969)"
    state = f"CASE WHEN {{}} < {n_done} THEN 'decided' ELSE 'open' END"
    note = f"s / {SPANS}"
    stamp = f"'{now:%Y-%m-%d %H:%M:%S}'"
    insert(Document, n_notes, "i", id="i + 1", public_id="printf('d%015x', i)", project_id=project,
           external_id="printf('n%07d', i)", note_type=choice(TYPES, "i * 7 % 5"), text=f"'{TEXT}'", n_chars=len(TEXT),
           blind_key="(i * 7919 % 10007) / 10007.0", created_at=stamp)  # fmt: skip
    insert(LabelJob, n_notes, "i", id="i + 1", run_id=run, document_id="i + 1", status="'done'", finished_at=stamp)
    n_spans = n_notes * SPANS
    insert(Suggestion, n_spans, "s", id="s + 1", public_id="printf('s%015x', s)", job_id=f"{note} + 1",
           document_id=f"{note} + 1", label=label, alignment="'exact'", score="(s * 7919 % 1000) / 1000.0",
           signals="'{}'", audit_key="(s * 104729 % 1000003) / 1000003.0", **span)  # fmt: skip
    insert(ReviewItem, n_notes, "i", id="i + 1", public_id="printf('i%015x', i)", project_id=project,
           document_id="i + 1", unit="'note'", status=state.format("i"),
           leased_by_id=f"CASE WHEN i < {n_done} THEN {reviewer.format('i')} END")  # fmt: skip
    insert(ReviewItem, n_spans, "s", id=f"{n_notes} + s + 1", public_id="printf('j%015x', s)", project_id=project,
           document_id=f"{note} + 1", suggestion_id="s + 1", unit="'span'", status=state.format(note),
           stream="CASE WHEN s % 20 THEN 'uncertain' ELSE 'audit' END", priority="(s * 7919 % 1000) / 1000.0",
           audit_key="(s * 104729 % 1000003) / 1000003.0")  # fmt: skip
    insert(AnnotationSet, n_done, "i", id="i + 1", document_id="i + 1", annotator_id=reviewer.format("i"),
           status="'submitted'", submitted_at=at.format("i"))  # fmt: skip
    insert(Annotation, n_done * SPANS, "s", where=is_made, id="s + 1", public_id="printf('a%015x', s)",
           set_id=f"{note} + 1", annotator_id=reviewer.format(f"({note})"), schema_version_id=version,
           origin_id="s + 1",
           label=f"CASE WHEN s * 7919 % 1000 < 700 THEN {label} ELSE {other} END", surface_key="'chest pain'",
           created_at=at.format(note), **span)  # fmt: skip
    insert(Decision, n_done * SPANS, "s", id="s + 1", project_id=project, note_item_id=f"{note} + 1",
           item_id=f"{n_notes} + s + 1", reviewer_id=reviewer.format(f"({note})"), verdict=verdict,
           made_id=f"CASE WHEN {is_made} THEN s + 1 END", stream="'uncertain'", idempotency_key="printf('k%015x', s)",
           active_seconds="1 + (s * 7919 % 997) / 150.0", decided_at=at.format(note))  # fmt: skip
    insert(Decision, n_done, "i", id=f"{n_spans} + i + 1", project_id=project, note_item_id="i + 1",
           reviewer_id=reviewer.format("i"), verdict="'note_done'", stream="'uncertain'",
           idempotency_key="printf('l%015x', i)", decided_at=at.format("i"))  # fmt: skip


def choice(values, number: str) -> str:
    return f"CASE {number} {' '.join(f'WHEN {at} THEN {value!r}' for at, value in enumerate(values))} END"


def insert(table, n: int, counter: str, *, where: str = "1", **columns) -> None:
    """`n` rows with these expressions; the other columns as the table's model leaves them."""
    from django.db import connection

    for field in table._meta.concrete_fields:
        default = field.get_default()
        columns.setdefault(field.attname, "NULL" if default is None else repr(str(default)))
    names, values = ", ".join(f'"{name}"' for name in columns), ", ".join(map(str, columns.values()))
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n - 1})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table._meta.db_table} ({names}) {numbers} "
            f"SELECT {values} FROM (SELECT n AS {counter} FROM numbers) WHERE {where}"
        )


def measure(project, n_views: int) -> None:
    """The counting, then the page as a lead gets it: whole, of all time, and of one type of note."""
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.accounts.sessions import session_of
    from annotator.documents.selectors import type_key
    from annotator.progress.models import CountedProject, LabelDay, WorkDay
    from annotator.progress.services import count_project
    from annotator.review.models import Decision

    settings.ALLOWED_HOSTS = ["*"]
    today = timezone.localdate()
    counted = CountedProject.objects.filter(project=project).first()
    if counted is None or counted.day < today:
        timed("all days counted", lambda: count_all(project, today))
    timed("the last two days counted again", lambda: count_project(project=project, now=timezone.now()))
    print(
        f"{project.documents.count():,} notes, {Decision.objects.filter(project=project).count():,} decisions, "
        f"{WorkDay.objects.count():,} rows by person, {LabelDay.objects.count():,} by label"
    )
    client, lead = Client(), User.objects.get(username="lead")
    client.force_login(lead)
    session_of(user=lead, session_key=str(client.session.session_key), agent="", now=timezone.now())
    for what, query in (
        ("the page", ""), ("of all time", "?period=all"), ("of one type", f"?type={type_key(TYPES[0])}"),
        ("the people as CSV", "people.csv"),
    ):  # fmt: skip
        times = []
        for _ in range(n_views):
            start = time.perf_counter()
            response = client.get(f"/p/{project.public_id}/progress/{query}")
            times.append(1000 * (time.perf_counter() - start))
            assert response.status_code == 200, response.status_code
        times.sort()
        print(f"{what}: median {statistics.median(times):.0f} ms, p95 {times[int(0.95 * (len(times) - 1))]:.0f} ms")


def count_all(project, today) -> None:
    from django.utils import timezone

    from annotator.progress.models import CountedProject
    from annotator.progress.services import count_project

    while True:
        count_project(project=project, now=timezone.now())
        if CountedProject.objects.get(project=project).day == today:
            return


if __name__ == "__main__":
    main()
