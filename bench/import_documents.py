"""How fast notes come in, how long the database is locked for it, and how much memory that takes.

Generated notes of about 2,000 characters, into a fresh SQLite database with the settings of a real installation. Each
row is a process of its own. "Locked" is the one transaction that writes, in which no one else can.

    python bench/import_documents.py [--notes 10000] [--format csv]
"""

from __future__ import annotations

import argparse
import atexit
import csv
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCE = "patient reports chest pain and takes metformin 500 mg daily without fever or cough since Monday"
CHARS = 2_000
SPANS = 20
FORMS = ("jsonl", "csv", "folder", "jsonl with spans", "folder with spans", "jsonl with suggestions", "tool with spans")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--format", choices=("jsonl", "csv", "folder", "tool"), help="only sources of this format")
    parser.add_argument("--one", choices=FORMS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.umask(0o077)
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.notes)))
        return
    print("| source | notes | spans | notes/s | checked in s | locked for s | peak memory MB |")
    print("|---|---|---|---|---|---|---|")
    for form in FORMS:
        if arguments.format and form.split()[0] != arguments.format:
            continue
        for n_notes in (arguments.notes // 5, arguments.notes):
            command = [sys.executable, __file__, "--one", form, "--notes", str(n_notes)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"| {form} | {n_notes:,} | {row['n_spans']:,} | {n_notes / row['total']:,.0f} | {row['check']:.1f} "
                f"| {row['write']:.1f} | {row['peak']:.0f} |",
                flush=True,
            )


def measure(form: str, n_notes: int) -> dict[str, float]:
    """Seconds and peak memory of one import in this process."""
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        os.environ |= {"MARGINALIA_DATA": str(Path(temporary, "data")), "DJANGO_SETTINGS_MODULE": "annotator.settings"}
        sys.path.insert(0, str(ROOT))
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command
        from django.utils import timezone

        from annotator.core.schema import schema_from_json
        from annotator.exchange.services import SpanTarget, import_documents
        from annotator.exchange.sources import source_at
        from annotator.exchange.targets import Becomes
        from annotator.projects.services import create_project

        atexit.register(shutil.rmtree, settings.SOCKET_DIR, ignore_errors=True)
        call_command("migrate", verbosity=0)
        labels = {"labels": [{"name": "Problem", "definition": "A finding."}]}
        project = create_project(name="Bench", schema=schema_from_json(labels), lead=None, now=timezone.now())
        path = write_notes(Path(temporary, "notes"), form, n_notes)
        phases: list[tuple[str, float]] = []

        def progress(phase: str, n_done: int, n_total: int) -> None:
            phases.append((phase, time.perf_counter()))

        people = {f"person:{name}": Becomes(annotator=name) for name in ("ann", "ben")}
        targets = {"spans": SpanTarget(annotator="bench", voices=people), "suggestions": SpanTarget(labeler="bench")}
        started = time.perf_counter()
        report = import_documents(
            project=project,
            source=source_at(path),
            actor=None,
            now=timezone.now(),
            target=targets.get(form.split()[-1]),
            progress=progress,
        )
        ended = time.perf_counter()
        write_began = next(at for phase, at in phases if phase == "writing")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
        return {
            "total": ended - started,
            "check": write_began - started,
            "write": ended - write_began,
            "peak": peak,
            "n_spans": report.n_spans,
        }


def write_notes(folder: Path, form: str, n_notes: int) -> Path:
    """A JSONL or CSV file, an export of Label Studio in which two people and a model speak of each note, or a folder of
    notes, with brat files beside them where spans are wanted.
    """
    folder.mkdir()
    draw = random.Random(2026)
    has_spans = " with " in form
    if form.startswith("jsonl"):
        file = folder / "notes.jsonl"
        with file.open("w", encoding="utf-8") as stream:
            for number in range(n_notes):
                text, starts = note(draw)
                row = {"id": f"note-{number}", "patient_id": f"p-{number // 4}", "text": text}
                if has_spans:
                    row["spans"] = [{"start": s, "end": e, "label": "Problem", "surface": text[s:e]} for s, e in starts]
                stream.write(json.dumps(row) + "\n")
        return file
    if form.startswith("tool"):
        file = folder / "export.json"
        with file.open("w", encoding="utf-8") as stream:
            for number in range(n_notes):
                text, starts = note(draw)
                results = [
                    {"type": "labels", "value": {"start": s, "end": e, "text": text[s:e], "labels": ["Problem"]}}
                    for s, e in starts
                ]
                task = {
                    "id": number,
                    "data": {"text": text},
                    "annotations": [{"completed_by": name, "result": results} for name in ("ann", "ben")],
                    "predictions": [{"model_version": "ner", "score": 0.7, "result": results}],
                }
                stream.write(("," if number else "[") + json.dumps(task) + "\n")
            stream.write("]")
        return file
    if form == "csv":
        file = folder / "notes.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["ROW_ID", "SUBJECT_ID", "CATEGORY", "TEXT"])
            for number in range(n_notes):
                rows.writerow([number, number // 4, "Discharge summary", note(draw)[0].replace(" since ", "\n")])
        return file
    for number in range(n_notes):
        text, starts = note(draw)
        (folder / f"note-{number}.txt").write_text(text, encoding="utf-8")
        if has_spans:
            lines = (f"T{i}\tProblem {s} {e}\t{text[s:e]}\n" for i, (s, e) in enumerate(starts, start=1))
            (folder / f"note-{number}.ann").write_text("".join(lines), encoding="utf-8")
    return folder


def note(draw: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """A text of about CHARS characters, and SPANS words of it."""
    known = SENTENCE.split(" ")
    words = draw.choices(known, k=CHARS * len(known) // (len(SENTENCE) + 1))
    places, reached = [], 0
    for word in words:
        places.append((reached, reached + len(word)))
        reached += len(word) + 1
    return " ".join(words), sorted(draw.sample(places, SPANS))


if __name__ == "__main__":
    main()
