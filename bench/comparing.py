"""How long the report of a comparison of two labelers takes, from the database to its rows, on SQLite.

Fills a project with finished test notes that both labelers have read, and does the job's work in this process.

    python bench/comparing.py [--notes 1000] [--spans 20] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
LABELS = ("Problem", "Symptom", "Medication", "Dose", "Test", "Result", "Procedure", "Anatomy")
WIDTH = 12  # characters of a span and what is behind it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=1000)
    parser.add_argument("--spans", type=int, default=20)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    data = arguments.data or Path(tempfile.mkdtemp(prefix="comparing-"))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(data), "TZ": "UTC"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    start = time.perf_counter()
    project, lead, labelers = fill(arguments.notes, arguments.spans)
    print(f"filled in {time.perf_counter() - start:.1f} s", flush=True)
    measure(project, lead, labelers)


def fill(n_notes: int, n_spans: int):
    """Two notes a patient; one labeler finds 70 of 100 gold spans, the other 60, and both make false ones."""
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.annotations.services import NewAnnotation, SetRows, annotation_row, import_sets
    from annotator.builds.models import LockedGroup, LockedTestSet
    from annotator.builds.selectors import digest_of
    from annotator.core.schema import schema_from_json
    from annotator.core.spans import Span
    from annotator.documents.models import Document
    from annotator.documents.services import NewDocument, add_documents
    from annotator.projects.services import create_project
    from annotator.suggestions.recording import NewSuggestion, suggestion_row
    from annotator.suggestions.services import LabelerSpec, import_run, labeler_for

    now, rng = timezone.now(), random.Random(0)
    lead = User.objects.create(username="lead")
    schema = schema_from_json({"labels": [{"name": name, "definition": "What it is."} for name in LABELS]})
    project = create_project(name="Bench", schema=schema, lead=lead, now=now)
    text = "word another" * (2 * n_spans)
    news = [
        NewDocument(
            external_id=f"n{number}", text=f"{text} {number}", patient_id=f"p{number // 2}", note_type="", metadata={}
        )
        for number in range(n_notes)
    ]
    add_documents(project=project, documents=news, now=now)
    documents = list(Document.objects.filter(project=project).order_by("pk"))
    version = project.schema_versions.get()
    places = [Span.of(2 * WIDTH * place, 2 * WIDTH * place + 4) for place in range(n_spans)]
    labels = [LABELS[place % len(LABELS)] for place in range(n_spans)]
    sets = (
        (
            document.pk,
            SetRows(
                annotations=[
                    annotation_row(text=document.text, schema=schema, new=NewAnnotation(span, label, {}))
                    for span, label in zip(places, labels, strict=True)
                ]
            ),
        )
        for document in documents
    )
    import_sets(annotator=lead, schema_version=version, sets=sets, now=now)
    locked = LockedTestSet.objects.create(project=project, build_number=1, locked_by=lead, locked_at=now)
    digests = {digest_of(project, document.patient_id, document.external_id) for document in documents}
    LockedGroup.objects.bulk_create(LockedGroup(test_set=locked, digest=digest) for digest in digests)

    def found(document, share):
        for span, label in zip(places, labels, strict=True):
            if rng.random() < share:
                yield span, label
            elif rng.random() < 0.3:
                yield span.shift(WIDTH), label

    labelers = []
    for name, share in (("Candidate", 0.7), ("Current", 0.6)):
        spec = LabelerSpec(name=name, backend="import", model_id=name, revision="1")
        labeler = labeler_for(project=project, schema_version=version, spec=spec, now=now)
        rows = (
            (
                document.pk,
                [
                    suggestion_row(
                        NewSuggestion(
                            span=span,
                            surface=span.surface(document.text),
                            label=label,
                            attributes={},
                            alignment="exact",
                            score=rng.random(),
                        )
                    )
                    for span, label in found(document, share)
                ],
            )
            for document in documents
        )
        import_run(project=project, labeler=labeler, suggestions=rows, actor=None, now=now)
        labelers.append(labeler)
    return project, lead, labelers


def measure(project, lead, labelers) -> None:
    from django.utils import timezone

    from annotator.jobs.services import run_job
    from annotator.training.comparing import run_comparison, start_comparison
    from annotator.training.models import LabelerComparison

    candidate, current = labelers
    start = time.perf_counter()
    made = start_comparison(project=project, candidate=candidate, current=current, actor=lead, now=timezone.now())
    print(f"checked and started in {time.perf_counter() - start:.1f} s")
    start, used = time.perf_counter(), time.process_time()
    run_job(job_id=made.job_id, work=lambda job: run_comparison(job=job, clock=timezone.now), clock=timezone.now)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    made = LabelerComparison.objects.select_related("job").get(pk=made.pk)
    report = made.report
    difference = report["overall"]["strict"]["difference"]
    print(
        f"{report['n_notes']:,} notes, {report['n_patients']:,} patients, {report['n_spans']:,} gold spans, "
        f"{made.spans.count():,} places, {report['n_draws']:,} draws: {seconds:.1f} s, "
        f"{used:.1f} s of a processor; "
        f"difference {difference['value']:.3f} ({difference['interval'][0]:.3f} to {difference['interval'][1]:.3f})"
    )


if __name__ == "__main__":
    main()
