"""How long the agreement page takes in a large project, and the job that counts for it.

    python bench/agreement.py [--people 100] [--notes 100000] [--data FOLDER]

Each note of 2,000 characters has been read by two people and a labeler, every fifth has gold, and every twentieth waits
for another reader. The rows that comparing would have written are written at once. In a SQLite database with the
settings of a real installation, which with --data stays and is taken again; pages by Django's client in this process,
20 times each.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from datetime import timedelta
from itertools import combinations, islice
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("Problem", "Symptom", "Medication", "Dose", "Frequency", "Test", "Result", "Procedure", "Anatomy", "Allergy")
CHARS, SPANS, OPENINGS = 2_000, 20, 20
SURFACES = 5_000
IN_ROUND = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    os.umask(0o077)
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        data = options.data or Path(temporary, "data")
        os.environ |= {"MARGINALIA_DATA": str(data), "DJANGO_SETTINGS_MODULE": "annotator.settings"}
        import django

        django.setup()
        measure(options.people, options.notes)


def measure(n_people: int, n_notes: int) -> None:
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.urls import reverse
    from django.utils import timezone

    from annotator.accounts.sessions import session_of
    from annotator.jobs.services import create_job, run_job
    from annotator.projects.models import Project
    from annotator.quality.models import AgreementReport
    from annotator.quality.services import write_report
    from annotator.readings.models import Comparison, Difference, ReaderPair
    from annotator.review.models import Round

    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    began = time.perf_counter()
    if not Project.objects.exists():
        fill(n_people, n_notes)
    project = Project.objects.get()
    lead = project.memberships.get().user
    n = (Comparison.objects.count(), Difference.objects.count(), ReaderPair.objects.count())
    print(
        f"{n[0]:,} comparisons, {n[1]:,} differences, {n[2]:,} pairs, in {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for table in ("comparison", "difference", "tokenratings"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT SUM(pgsize) FROM dbstat WHERE name LIKE %s", [f"%{table}%"])
            print(f"annotator_{table} with indexes named for it: {(cursor.fetchone()[0] or 0) / 2**20:,.0f} MiB")
    print(f"database: {Path(settings.DATABASES['default']['NAME']).stat().st_size / 2**20:,.0f} MiB")

    job = create_job(kind="report", now=timezone.now())
    AgreementReport.objects.create(project=project, days=0, job=job)
    began = time.perf_counter()
    run_job(job_id=job.pk, work=lambda held: write_report(job=held, clock=timezone.now), clock=timezone.now)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"the job: {time.perf_counter() - began:.1f} s, peak memory of the process {peak:,.0f} MiB", flush=True)

    client = Client()
    client.force_login(lead)
    session_of(user=lead, session_key=str(client.session.session_key), agent="", now=timezone.now())
    pair = ReaderPair.objects.filter(kind="annotators").first()
    queries = {
        "all": {},
        "a pair": {"pair": pair.public_id},
        "a cell": {"cell": "Problem|Symptom"},
        "a label": {"label": "Problem"},
        "the 40th page of the list": {"page": "40"},
        "a round": {"round": Round.objects.get().public_id},
    }
    url = reverse("quality:agreement", args=[project.public_id])
    for name, query in queries.items():
        times = [asked(client, url, query) for _ in range(OPENINGS)]
        print(f"{name}: median {1000 * median(times):.0f} ms, 19th of 20 {1000 * sorted(times)[-2]:.0f} ms", flush=True)


def asked(client: Any, url: str, query: dict[str, str]) -> float:
    began = time.perf_counter()
    response = client.get(url, query)
    assert response.status_code == 200, response.status_code
    return time.perf_counter() - began


def fill(n_people: int, n_notes: int) -> None:
    """A project whose lead is the first of its readers."""
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.core.schema import schema_from_json
    from annotator.documents.models import Document
    from annotator.projects.services import create_project
    from annotator.review.models import ReviewItem, Round
    from annotator.suggestions.services import LabelerSpec, labeler_for

    rng, now = random.Random(0), timezone.now()
    people = User.objects.bulk_create(User(username=f"reader-{number:03}") for number in range(n_people))
    schema = schema_from_json({"labels": [{"name": name, "definition": name} for name in LABELS]})
    project = create_project(name="Large", schema=schema, lead=people[0], now=now)
    spec = LabelerSpec(name="MedGemma", backend="spacy", model_id="m", revision="1")
    labeler = labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=now)
    sentence = "The patient reports chest pain and takes metformin 500 mg daily without fever or cough. "
    text = (sentence * (CHARS // len(sentence) + 1))[:CHARS]
    documents = (
        Document(
            project=project,
            external_id=f"N-{number}",
            patient_id=f"P-{number // 3}",
            text=text,
            n_chars=CHARS,
            sha256=f"{number:064}",
            blind_key=rng.random(),
            created_at=now,
        )
        for number in range(n_notes)
    )
    pairs = Pairs(project, [user.pk for user in people], labeler.pk)
    made = Round.objects.create(project=project, number=1, n_readers=2, seed=1, created_by=people[0], created_at=now)
    number = 0
    while page := Document.objects.bulk_create(islice(documents, 5000), batch_size=2000):
        ReviewItem.objects.bulk_create(
            (ReviewItem(project=project, document=document, unit="note", slot=3) for document in page[::20]),
            batch_size=2000,
        )
        if number < IN_ROUND:
            ReviewItem.objects.bulk_create(
                (
                    ReviewItem(project=project, document=document, unit="note", slot=slot, status="closed", round=made)
                    for document in page
                    for slot in (1, 2)
                ),
                batch_size=2000,
            )
        written = Written()
        for document in page:
            at = now - timedelta(days=365 * (1 - number / n_notes))
            compare(rng, pairs, document, number, at, written)
            number += 1
        written.save()


class Pairs:
    """The rows of all pairs, made where they are first asked for."""

    def __init__(self, project: Any, people: list[int], labeler: int) -> None:
        self.project, self.labeler = project, labeler
        self.of_people = list(combinations(people, 2))
        self._rows: dict[str, Any] = {}

    def row(self, kind: str, a: int | None, b: int | None) -> Any:
        from annotator.readings.models import MODEL, ReaderPair, person_key

        key = f"{kind} {person_key(a) if a else 'gold'} {person_key(b) if b else f'{MODEL}{self.labeler}'}"
        if key not in self._rows:
            self._rows[key] = ReaderPair.objects.create(
                project=self.project,
                key=key,
                kind=kind,
                reader_a_id=a,
                reader_b_id=b,
                labeler_id=None if b else self.labeler,
            )
        return self._rows[key]


class Written:
    def __init__(self) -> None:
        self.rows: list[list[Any]] = [[], [], []]

    def save(self) -> None:
        from annotator.readings.models import Comparison, Difference, TokenRatings

        for table, rows in zip((Comparison, Difference, TokenRatings), self.rows, strict=True):
            table.objects.bulk_create(rows, batch_size=2000)


def compare(rng: random.Random, pairs: Pairs, document: Any, number: int, at: Any, written: Written) -> None:
    """What comparing the note's readings would have written."""
    from annotator.readings.models import Comparison, Difference, TokenRatings

    same = {"document": document, "project_id": document.project_id, "at": at}
    a, b = pairs.of_people[number % len(pairs.of_people)]
    kinds = [("annotators", a, b), ("labeler", a, None), ("labeler", b, None)]
    if number % 5 == 0:
        kinds += [("gold", None, a), ("gold", None, b)]
    for kind, one, other in kinds:
        row = pairs.row(kind, one, other)
        counts = {label: [SPANS // 10, SPANS // 10, rng.choice((1, 2, 2, 2)), 2] for label in LABELS}
        counts[""] = [sum(column) for column in zip(*counts.values(), strict=True)]
        label = [[{"1": 10}, {"1": 10}], 2, {}]
        ratings = {
            "tokens": {"": [[{"": 350, "Problem": 40}] * 2, 10, {"2": 390}]},
            "label": dict.fromkeys(LABELS, label),
        }
        own = {} if kind == "labeler" else ratings
        written.rows[0].append(Comparison(pair=row, patient=number // 3, counts=counts, ratings=own, **same))
        if kind != "labeler":
            for _ in range(3):
                start = rng.randrange(CHARS - 20)
                label_a, label_b = rng.choice([*LABELS, ""]), rng.choice(LABELS)
                written.rows[1].append(
                    Difference(
                        pair=row,
                        kind="label" if label_a else "only one",
                        label_a=label_a,
                        label_b=label_b,
                        start=start,
                        end=start + 12,
                        surface_key=f"{int(SURFACES * rng.random() ** 2):032x}",
                        cost=2 if label_a else 1,
                        **same,
                    )
                )
    label = [[{"1": 20}], rng.choice((2, 4, 6)), {}]
    tokens = [[{"": 700, **dict.fromkeys(LABELS, 10)}], 20, {"2": 400}]
    ratings = {"tokens": {"": tokens}, "label": dict.fromkeys(LABELS, label)}
    written.rows[2].append(TokenRatings(patient=number // 3, ratings=ratings, **same))


if __name__ == "__main__":
    main()
