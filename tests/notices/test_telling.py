"""What happens, and who is told of it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from annotator.accounts.models import User
from annotator.browse.independence import comments_for
from annotator.browse.services import give_role
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.core.schema import schema_from_json
from annotator.exchange.uploads import run_import, start_import
from annotator.jobs.models import Job
from annotator.jobs.services import MAX_ATTEMPTS, claim_job, ring_again, run_job
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_guideline, add_schema_version, set_member
from annotator.review.commenting import comment_on
from annotator.review.leases import LEASE, put_back, take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.services import FinishNote, decide
from annotator.suggestions.services import claim_jobs, fail_run, put_off, retry_run
from tests.cast import NOW, SCHEMA, make_document, make_set
from tests.exchange.test_uploads import options, upload
from tests.suggestions.scene import claim, finish, make_run

pytestmark = pytest.mark.usefixtures("bells")
LATER = NOW + LEASE + timedelta(seconds=1)


def told(kind: Kind) -> dict[str, tuple[int, dict[str, int]]]:
    """Who was told, how often and what."""
    found = Notice.objects.filter(kind=kind).select_related("user")
    return {notice.user.username: (notice.n, notice.detail) for notice in found}


def held(project: Project, reader: User, name: str = "note-1", *, n_slots: int = 1) -> ReviewItem:
    document = make_document(project, external_id=name)
    ensure_note_items(document=document, n_slots=n_slots, priority=1.0)
    return take_note(document=document, reviewer=reader, now=NOW)


def test_who_loses_a_note_is_told_but_not_who_let_it_go(project: Project, bob: User, adam: User) -> None:
    for name in ("note-1", "note-2", "note-3"):
        item = held(project, bob, name)
        if name == "note-3":
            put_back(note_item=item, reviewer=bob, now=NOW)
        take_note(document=item.document, reviewer=adam, now=LATER)
    assert told(Kind.NOTE_TAKEN) == {"bob": (2, {})}


def test_taking_up_ones_own_note_again_tells_nobody(project: Project, bob: User) -> None:
    take_note(document=held(project, bob).document, reviewer=bob, now=LATER)
    assert not Notice.objects.exists()


def test_reviewers_are_told_of_the_guideline_and_all_of_the_schema(
    project: Project, alice: User, bob: User, adam: User, dana: User
) -> None:
    for text in ("First.", "Second.", "Second."):
        add_guideline(project=project, text=text, actor=alice, now=NOW)
    assert told(Kind.GUIDELINE) == dict.fromkeys(("bob", "adam"), (2, {"number": 2}))
    changed = schema_from_json(SCHEMA | {"labels": SCHEMA["labels"][:1]})
    add_schema_version(project=project, schema=changed, actor=None, now=NOW)
    assert told(Kind.SCHEMA) == dict.fromkeys(("alice", "bob", "adam", "dana"), (1, {"number": 2}))


def test_who_gets_another_role_is_told(project: Project, alice: User, bob: User) -> None:
    set_member(project=project, user=bob, role=Membership.Role.ANNOTATOR, actor=alice, now=NOW)
    assert not Notice.objects.exists()
    give_role(project=project, user=bob, role=Membership.Role.ADJUDICATOR, actor=alice, now=NOW)
    give_role(project=project, user=bob, role=Membership.Role.LEAD, actor=bob, now=NOW)
    assert told(Kind.ROLE) == {"bob": (1, {})}


def test_who_started_a_run_is_told_of_its_end_and_when_it_begins_to_wait(project: Project, alice: User) -> None:
    run = make_run(project, n=3, actor=alice)
    for moment in (NOW, NOW):  # the second time it waits already
        jobs = claim_jobs(run_id=run.pk, worker="w", now=moment)
        put_off(jobs=jobs, begun=[], reason="no answer", now=moment)
    assert told(Kind.RUN_WAITS) == {"alice": (1, {"number": 1})}
    finish(claim(run, limit=2))
    assert not told(Kind.RUN_FAILED)
    fail_run(run_id=run.pk, jobs=[], reason="no such model", now=NOW)
    assert told(Kind.RUN_FAILED) == {"alice": (1, {"number": 1, "n_done": 2, "n_failed": 1})}
    retry_run(run=run, actor=alice, now=NOW)
    finish(claim(run))
    assert told(Kind.RUN_DONE) == {"alice": (1, {"number": 1, "n_done": 3, "n_failed": 0})}
    assert Notice.objects.filter(subject=run.public_id).count() == 3


def test_who_asked_for_a_dataset_is_told_how_it_ended(project: Project, bob: User, dana: User) -> None:
    make_set(make_document(project), bob)
    made = [
        create_build(project=project, name="D", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW)
        for _ in range(2)
    ]
    job = made[0].job
    assert job is not None and made[1].job is not None
    run_job(job_id=job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    for _ in range(MAX_ATTEMPTS):  # the other kills its workers
        claim_job(job_id=made[1].job.pk, now=NOW)
        Job.objects.filter(pk=made[1].job.pk).update(lease_expires_at=NOW - timedelta(seconds=1))
    ring_again(now=NOW)
    assert told(Kind.BUILD_DONE) == {"dana": (1, {"number": 1, "n_notes": 1, "n_spans": 0})}
    assert told(Kind.BUILD_FAILED) == {"dana": (1, {})}
    assert list(Notice.objects.order_by("pk").values_list("subject", flat=True)) == [b.public_id for b in made]


@pytest.mark.parametrize(
    ("text", "kind", "detail"), [("No fever.", Kind.IMPORT_DONE, {"n_added": 1}), ("", Kind.IMPORT_FAILED, {})]
)
def test_who_started_an_import_is_told_how_it_ended(
    project: Project, dana: User, text: str, kind: Kind, detail: dict[str, int]
) -> None:
    item = upload(project, dana, {"a.txt": text})
    job = start_import(item=item, options=options(), actor=dana, now=NOW)
    run_job(job_id=job.pk, work=lambda job: run_import(job=job, clock=lambda: NOW), clock=lambda: NOW)
    (notice,) = Notice.objects.all()
    assert (notice.user, notice.kind, notice.subject, notice.detail) == (dana, kind, item.public_id, detail)


def ask(item: ReviewItem, reader: User, kind: str = "discuss", *, now: datetime = NOW) -> None:
    comment_on(note_item=item, reviewer=reader, key="", kind=kind, body="", now=now)


def test_leads_and_adjudicators_are_told_of_a_question_once(
    project: Project, alice: User, bob: User, adam: User, dana: User
) -> None:
    item = held(project, bob)
    ask(item, bob, "flag")
    assert not Notice.objects.exists()
    for moment in (NOW, LATER):  # without words it is not doubled
        ask(item, bob, now=moment)
    assert told(Kind.QUESTION) == dict.fromkeys(("alice", "adam"), (1, {}))


def test_a_question_in_a_note_that_another_is_to_read_is_told_when_they_are_done(
    project: Project, alice: User, bob: User, adam: User
) -> None:
    """Adam, who reads the note as well, has a question of his own."""
    bobs = held(project, bob, n_slots=2)
    adams = take_note(document=bobs.document, reviewer=adam, now=NOW)
    ask(bobs, bob)
    ask(adams, adam)
    lead = Membership.objects.get(project=project, user=alice)
    assert (told(Kind.QUESTION), list(comments_for(lead))) == ({}, [])
    decide(note_item=adams, reviewer=adam, act=FinishNote(), key="a", now=NOW)
    assert told(Kind.QUESTION) == dict.fromkeys(("alice", "adam"), (1, {}))
    assert comments_for(lead).count() == 1
    decide(note_item=bobs, reviewer=bob, act=FinishNote(), key="b", now=NOW)
    assert told(Kind.QUESTION) == {"alice": (2, {}), "adam": (1, {})}
