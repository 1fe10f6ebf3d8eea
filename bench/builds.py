"""How much memory and time a dataset takes, among a hundred thousand notes.

Fills a project on SQLite with finished notes of 200 words and ten spans, every tenth note a copy of the one before
of another patient, then builds a dataset of them, each size in a process of its own, and compares it with itself.

    python bench/builds.py [--notes 20000,100000] [--data FOLDER]

A folder that is filled is used again. Memory is what the process grew by, at its largest: all of it, and without the
pages of files, which the system takes back when it needs them (looked at every hundredth of a second; Linux only).
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

NOW = datetime(2027, 3, 2, 9, 30, tzinfo=UTC)
LABELS = ("Problem", "Symptom", "Medication", "Dose", "Test")
N_WORDS, N_SPANS, NOTES_OF_PATIENT = 200, 10, 4
PAGE = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", default="20000,100000")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--build", metavar="SLUG", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    data = arguments.data or Path(tempfile.mkdtemp(prefix="builds-"))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(data), "TZ": "UTC"}
    import django
    from django.core.management import call_command

    django.setup()
    if arguments.build:
        build(arguments.build, data)
        return
    call_command("migrate", verbosity=0)
    for number in arguments.notes.split(","):
        fill(int(number))
        command = [sys.executable, __file__, "--data", str(data), "--build", f"bench-{number}"]
        subprocess.run(command, check=True)


def fill(n_notes: int) -> None:
    """The project of so many notes, as imports and readings leave it, where it is not there yet."""
    from annotator.accounts.models import User
    from annotator.annotations.models import Annotation, AnnotationSet
    from annotator.core.schema import schema_from_json
    from annotator.core.surfaces import surface_key
    from annotator.documents.models import Document
    from annotator.projects.models import Project
    from annotator.projects.services import create_project

    slug = f"bench-{n_notes}"
    if Project.objects.filter(slug=slug).exists():
        return
    chance = random.Random(n_notes)
    reader, _ = User.objects.get_or_create(username="reader")
    schema = schema_from_json({"labels": [{"name": label, "definition": "What is called so."} for label in LABELS]})
    project = create_project(name=slug, schema=schema, lead=reader, now=NOW)
    version = project.schema_versions.get()
    words = [f"word{number}" for number in range(20_000)]
    text = ""
    for first in range(0, n_notes, PAGE):
        documents = []
        for number in range(first, min(first + PAGE, n_notes)):
            if number % 10 or not text:
                text = " ".join(chance.choices(words, k=N_WORDS))
            documents.append(
                Document(
                    project=project,
                    external_id=f"note-{number:07}",
                    patient_id=f"patient-{number % (n_notes // NOTES_OF_PATIENT):06}",
                    text=text,
                    n_chars=len(text),
                    sha256=f"{number:064}",
                    blind_key=chance.random(),
                    created_at=NOW,
                )
            )
        Document.objects.bulk_create(documents)
        sets = [
            AnnotationSet(document=document, annotator=reader, status="submitted", submitted_at=NOW)
            for document in documents
        ]
        AnnotationSet.objects.bulk_create(sets)
        Annotation.objects.bulk_create(
            Annotation(
                set=found,
                annotator=reader,
                schema_version=version,
                label=LABELS[place % len(LABELS)],
                fragments=f"{place * 9} {place * 9 + 5}",
                start=place * 9,
                end=place * 9 + 5,
                surface=found.document.text[place * 9 : place * 9 + 5],
                surface_key=surface_key(project_id=project.pk, surface=found.document.text[place * 9 : place * 9 + 5]),
                created_at=NOW,
            )
            for found in sets
            for place in range(N_SPANS)
        )


def build(slug: str, data: Path) -> None:
    """One dataset of the project, and its comparison with itself."""
    from annotator.builds.comparing import note_differences
    from annotator.builds.index import read_index
    from annotator.builds.options import BuildOptions
    from annotator.builds.services import write_dataset
    from annotator.projects.models import Project

    out = data / "out"
    shutil.rmtree(out, ignore_errors=True)
    phases: dict[str, float] = {}
    own = _Own()
    began, before = time.perf_counter(), _largest()

    def progress(phase: str, n_done: int, n_total: int) -> None:
        phases[phase] = time.perf_counter() - began

    options = BuildOptions(is_stratified=True, keeps_twins=True)
    manifest = write_dataset(
        project=Project.objects.get(slug=slug), name="N", formats=["jsonl"], options=options, out=out, progress=progress
    )
    n_notes, grown, own_grown = manifest["n_notes"], _largest() - before, own.stop()
    said = ", ".join(f"{phase.lower()} until {seconds:.0f} s" for phase, seconds in phases.items())
    print(f"{n_notes} notes, {manifest['n_spans']} spans in {time.perf_counter() - began:.0f} s ({said})")
    print(f"  {grown / 2**20:.0f} MB more, {own_grown / 2**20:.0f} MB without files; {manifest['twins']}")
    began = time.perf_counter()
    found = note_differences(read_index(out), read_index(out))
    print(f"  compared with itself in {time.perf_counter() - began:.1f} s: {found.n_same} the same", flush=True)


class _Own:
    """Watches the memory that is no file's until it is stopped, which returns the bytes that it grew by at most."""

    def __init__(self) -> None:
        self._before = self._most = _status("RssAnon")
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._is_done.set()
        self._thread.join()
        return self._most - self._before

    def _watch(self) -> None:
        while not self._is_done.wait(0.01):
            self._most = max(self._most, _status("RssAnon"))


def _largest() -> int:
    """Bytes of this process at its largest. Of what `resource` knows on Linux, some is its parent's."""
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(name: str) -> int:
    """Bytes, as Linux tells them; 0 elsewhere."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


if __name__ == "__main__":
    main()
