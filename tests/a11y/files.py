"""What comes into the installation and goes out of it as files: uploads in every state, and datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from annotator.accounts.models import User
from annotator.builds.criteria import Filters
from annotator.builds.models import DatasetBuild
from annotator.builds.options import REPLACE, SHARED, BuildOptions
from annotator.builds.services import create_build, verify_build, write_build
from annotator.builds.test_sets import lock_test_set
from annotator.demo.services import NOTES, demo_schema
from annotator.exchange import uploads
from annotator.exchange.models import Import
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.projects.services import create_project
from tests.builds.identified import make_identified
from tests.exchange.exports import TASKS
from tests.exchange.test_uploads import options, upload

CSV = "ROW_ID,SUBJECT_ID,WARD,TEXT\n7,P-1,W3,No chest pain since Monday.\n8,P-2,W4,Metformin was stopped.\n"
JSONL = "".join(
    json.dumps(row) + "\n"
    for row in (
        {"id": "n1", "patient_id": "P-3", "text": "Cough and fever for two days. Amoxicillin 500 mg."},
        {"id": "n1", "patient_id": "P-3", "text": "Another note of the same id."},
        {"id": "n2", "patient_id": "P-4"},
    )
)


def imports(project: Project, alice: User, dana: User, now: datetime) -> dict[str, str]:
    """Uploads in every state: looked at, columns, another tool's, with errors, another's, waiting, done, refused."""
    brat = {name: (NOTES / name).read_bytes() for name in ("N-2007.txt", "N-2007.ann", "N-2009.txt", "N-2009.ann")}
    found = {
        "brat": upload(project, alice, {f"ward/{name}": text for name, text in brat.items()}, 2),
        "columns": upload(project, alice, {"notes.csv": CSV}),
        "tool": upload(project, alice, {"export.json": json.dumps(TASKS)}),
        "errors": upload(project, alice, {"notes.jsonl": JSONL}),
        "anothers": upload(project, dana, {"notes.csv": CSV}),
        "waiting": upload(project, alice, {"notes.csv": CSV}),
        "done": upload(project, alice, {"more/N-3001.txt": "No fever.", "more/N-3002.txt": "Aspirin 75 mg daily."}),
        "refused": upload(project, alice, {"notes.jsonl": JSONL}),
    }
    Import.objects.filter(project=project).update(created_at=now - timedelta(minutes=20))
    for name in ("waiting", "done", "refused"):
        uploads.start_import(item=found[name], options=options(), actor=alice, now=now)
    for name in ("done", "refused"):
        job = Import.objects.get(pk=found[name].pk).job
        run_job(job_id=job.pk, work=lambda mine: uploads.run_import(job=mine, clock=lambda: now), clock=lambda: now)
    return {f"import_{name}": item.public_id for name, item in found.items()} | {"import_id": found["brat"].public_id}


def builds(project: Project, dana: User, now: datetime) -> dict[str, str]:
    """A dataset that is written, and one that waits."""
    made = [
        create_build(
            project=project,
            name=name,
            formats=["brat", "conll", "csv", "jsonl", "messages"],
            options=BuildOptions(shares=(60, 20, 20)),
            actor=dana,
            now=now - timedelta(minutes=minutes),
        )
        for name, minutes in (("Ward notes, first half", 50), ("Ward notes", 1))
    ]
    _write(made[0], now)
    return {"build_id": made[0].public_id, "waiting_build": made[1].public_id}


def replaced_build(people: Mapping[str, User], now: datetime) -> dict[str, str]:
    """A project whose notes have identifiers, and a dataset in which they are replaced."""
    project = create_project(name="Letters", schema=demo_schema(), lead=people["alice"], now=now)
    make_identified(project, people["bob"])
    build = create_build(
        project=project,
        name="Letters, to hand on",
        formats=["jsonl"],
        options=BuildOptions(shares=(50, 0, 50), identifiers=REPLACE, surrogates=SHARED),
        actor=people["alice"],
        now=now,
    )
    _write(build, now)
    return {"letters_id": project.public_id, "letters_build": build.public_id}


def _write(build: DatasetBuild, now: datetime) -> None:
    run_job(job_id=build.job.pk, work=lambda mine: write_build(job=mine, clock=lambda: now), clock=lambda: now)


def whole_builds(project: Project, alice: User, dana: User, now: datetime) -> str:
    """Two datasets with their files, of which the first one's test set is locked; the second is checked and given."""
    options = BuildOptions(shares=(60, 20, 20), is_stratified=True, licence="Invented notes, free to use")
    some = Filters(labels=("Problem", "Medication", "Anatomy"))
    asked = (("Ward notes, all labels", options), ("Ward notes, for the model", replace(options, seed=7, filters=some)))
    for name, wanted in asked:
        build = create_build(
            project=project, name=name, formats=["jsonl", "messages"], options=wanted, actor=dana, now=now
        )
        _write(build, now)
        build.refresh_from_db()
        if wanted is options:
            lock_test_set(build=build, actor=alice, now=now)
    verify_build(build=build, actor=dana, now=now)
    return build.public_id
