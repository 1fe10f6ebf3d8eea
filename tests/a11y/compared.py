"""What the pages of comparisons show: one that is done, and one that is being read for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from annotator.accounts.models import User
from annotator.demo.services import demo_schema
from annotator.projects.services import create_project
from annotator.review.models import ReviewItem
from annotator.suggestions.models import LabelJob
from annotator.suggestions.services import claim_jobs, commit_job
from tests.training.lab import decide, make_comparison, make_lab, make_labeler, now_and_then
from tests.training.lab import start as start_comparison


def comparisons(people: Mapping[str, User], now: datetime) -> dict[str, str]:
    """A project with a locked test set: two labelers that were compared on it, and a third that is being read with."""
    alice = people["alice"]
    project = create_project(name="Ward notes, compared", schema=demo_schema(), lead=alice, now=now)
    lab = make_lab(project, lead=alice, reader=people["bob"], n_notes=24)
    LabelJob.objects.filter(run__project=project).update(routed_at=now - timedelta(hours=9))
    for document in lab.documents:
        document.annotation_sets.update(submitted_at=now - timedelta(hours=1))
    for document in lab.documents[:10]:
        decide(document, people["bob"], ReviewItem.Stream.UNCERTAIN)
    done = make_comparison(lab, alice, now=now - timedelta(minutes=30), finds=now_and_then)
    again = replace(lab, candidate=make_labeler(project, "spaCy pipeline, training 3"))
    moving = start_comparison(again, alice, now=now)
    assert moving.candidate_run is not None
    for job in claim_jobs(run_id=moving.candidate_run.pk, worker="label-1@here", now=now):
        commit_job(job=job, suggestions=[], now=now)
    return {
        "compared_id": project.public_id,
        "comparison_id": done.public_id,
        "moving_id": moving.public_id,
    }
