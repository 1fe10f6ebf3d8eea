"""How long a round of many notes takes to be made and taken back, and how long others wait to save meanwhile.

Fills a project on SQLite, asks for a round of all its notes, and does the job's work in this process while another
process saves something every tenth of a second, as a reviewer would.

    python bench/rounds.py [--notes 100000] [--people 100] [--readers 2] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
TYPES = ("Discharge summary", "Progress note", "Radiology", "Letter", "Nursing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--save", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    data = arguments.data or Path(tempfile.mkdtemp(prefix="rounds-"))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(data), "TZ": "UTC"}
    import django
    from django.core.management import call_command

    django.setup()
    if arguments.save:
        save_on()
        return
    call_command("migrate", verbosity=0)
    project, lead, people = timed("filled", lambda: fill(arguments.notes, arguments.people))
    measure(project, lead, people, arguments.readers, data)


def timed(what: str, act: Callable):
    start = time.perf_counter()
    found = act()
    print(f"{what} in {time.perf_counter() - start:.1f} s", flush=True)
    return found


def fill(n_notes: int, n_people: int):
    """Notes that a labeler has read, three suggestions each, for one reader."""
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.core.schema import schema_from_json
    from annotator.core.spans import Span
    from annotator.documents.services import NewDocument, add_documents
    from annotator.projects.services import create_project, set_member
    from annotator.review.models import ReviewItem
    from annotator.suggestions.models import LabelJob, Suggestion
    from annotator.suggestions.recording import NewSuggestion, suggestion_row
    from annotator.suggestions.services import LabelerSpec, import_run, labeler_for

    now = timezone.now()
    lead = User.objects.create(username="lead")
    schema = schema_from_json({"labels": [{"name": "Problem", "definition": "What is wrong."}]})
    project = create_project(name="Bench", schema=schema, lead=lead, now=now)
    people = [User.objects.create(username=f"annotator-{number:03}") for number in range(n_people)]
    for person in people:
        set_member(project=project, user=person, role="annotator", actor=lead, now=now)
    labeler = labeler_for(
        project=project,
        schema_version=project.schema_versions.get(),
        spec=LabelerSpec(name="Bench", backend="spacy", model_id="bench", revision="1"),
        now=now,
    )
    text = "No chest pain. " * 20
    for first in range(0, n_notes, 5000):
        news = [
            NewDocument(
                external_id=f"n-{number:06}",
                text=f"{number} {text}",
                patient_id=f"p-{number // 3:06}",
                note_type=TYPES[number % len(TYPES)],
            )
            for number in range(first, min(first + 5000, n_notes))
        ]
        add_documents(project=project, documents=news, now=now)
    notes = list(project.documents.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(notes), 5000):
        rows = [
            (
                pk,
                [
                    suggestion_row(
                        NewSuggestion(
                            span=Span.of(start, start + 5),
                            surface="chest",
                            label="Problem",
                            attributes={},
                            alignment="exact",
                            score=0.5,
                        )
                    )
                    for start in (20, 40, 60)
                ],
            )
            for pk in notes[first : first + 5000]
        ]
        import_run(project=project, labeler=labeler, suggestions=rows, actor=None, now=now)
    LabelJob.objects.filter(document__project=project).update(routed_at=now)
    for first in range(0, len(notes), 5000):
        some = notes[first : first + 5000]
        ReviewItem.objects.bulk_create(
            (ReviewItem(project=project, document_id=pk, unit="note", priority=0.5) for pk in some), batch_size=1000
        )
        found = Suggestion.objects.filter(document__in=some).values_list("pk", "document", "audit_key")
        ReviewItem.objects.bulk_create(
            (
                ReviewItem(project=project, document_id=note, suggestion_id=pk, unit="span", audit_key=key)
                for pk, note, key in found
            ),
            batch_size=1000,
        )
    assert ReviewItem.objects.filter(unit="note").count() == n_notes
    return project, lead, people


def measure(project, lead, people, n_readers: int, data: Path) -> None:
    from django.utils import timezone

    from annotator.jobs.models import Job
    from annotator.jobs.services import run_job
    from annotator.review import rounds
    from annotator.review.models import Round
    from annotator.review.round_jobs import run_round

    rounds.MOST_WAITED_FOR = 0

    def plan():
        asked: list[int | None] = [None] * len(people)
        return rounds.plan_round(
            project=project, chosen=rounds.Chosen(), asked=asked, n_readers=n_readers, assistance="mixed", seed=7
        )

    def ask():
        return rounds.create_round(
            project=project,
            name="Bench",
            chosen=rounds.Chosen(),
            readers=[(person, None) for person in people],
            n_readers=n_readers,
            assistance="mixed",
            draw="stratified",
            due_on=None,
            actor=lead,
            now=timezone.now(),
            seed=7,
        )

    def work():
        (job,) = Job.objects.filter(kind=Job.Kind.ROUND)
        clock = timezone.now
        run_job(job_id=job.pk, work=lambda found: run_round(job=found, clock=clock), clock=clock)
        assert not Job.objects.filter(kind=Job.Kind.ROUND).exists()

    timed("the preview", plan)
    made = timed("asked for", ask)
    with_saves(data, lambda: timed("made by the job", work))
    assert (
        made.items.filter(assigned_to__isnull=False).count()
        == made.items.count()
        == n_readers * project.documents.count()
    )
    timed("taking back asked for", lambda: rounds.undo_round(round=Round.objects.get(), actor=lead, now=timezone.now()))
    with_saves(data, lambda: timed("taken back by the job", work))
    assert not Round.objects.exists()


def with_saves(data: Path, act: Callable[[], None]) -> None:
    """Do `act` while another process saves, and say how long it waited."""
    command = [sys.executable, __file__, "--save", "--data", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as saver:
        act()
        said, _ = saver.communicate("stop\n")
    print(said, end="", flush=True)


def save_on() -> None:
    """Save something every tenth of a second until told to stop."""
    import statistics
    import threading

    from django.db import connection, transaction
    from django.utils import timezone

    from annotator.accounts.models import User

    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stopped.set()), daemon=True).start()
    waits: list[float] = []
    while not stopped.wait(0.1) or not waits:
        start = time.perf_counter()
        with transaction.atomic():
            User.objects.filter(username="lead").update(last_login=timezone.now())
        waits.append(1000 * (time.perf_counter() - start))
    connection.close()
    ordered = sorted(waits)
    p95 = ordered[int(len(ordered) * 0.95)]
    median, longest = statistics.median(waits), ordered[-1]
    print(f"  {len(waits)} saves meanwhile: median {median:.0f} ms, p95 {p95:.0f}, longest {longest:.0f}")


if __name__ == "__main__":
    main()
