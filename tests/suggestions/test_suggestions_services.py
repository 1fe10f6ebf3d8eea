from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.core.spans import Span, SpanError
from annotator.projects.models import Project, SchemaVersion
from annotator.suggestions import recording, services
from annotator.suggestions.labelers import default_labeler, new_documents
from annotator.suggestions.models import Candidate, Labeler, LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import (
    CLAIM_SIZE,
    LEASE,
    RunRefused,
    begin_job,
    cancel_run,
    claim_jobs,
    commit_job,
    fail_run,
    hand_back,
    mark_routed,
    put_off,
    release_worker,
    renew_jobs,
    retry_run,
    ring_again,
    ring_on,
    unread_documents,
)
from tests.cast import NOW, Bells
from tests.suggestions.scene import (
    CHEST_PAIN,
    WORKER,
    claim,
    fail,
    finish,
    found,
    make_documents,
    make_run,
    placed,
    run_status,
    statuses,
)

LATER = NOW + LEASE + timedelta(seconds=1)
Status = LabelJob.Status
LABEL, ROUTE = services.LABEL_TASK, services.ROUTE_TASK
pytestmark = pytest.mark.usefixtures("bells")


# Started


def test_start_queues_every_note_and_rings_once_a_claim(project: Project, alice: User, bells: Bells) -> None:
    with bells.after_commit():
        run = make_run(project, n=CLAIM_SIZE + 1, actor=alice)
    assert statuses(run) == [Status.QUEUED] * (CLAIM_SIZE + 1)
    assert bells == [(LABEL, (run.pk,), "label")] * 2
    event = AuditEvent.objects.get(verb="run.start")
    assert (event.actor, event.object_id, event.detail["n_documents"]) == (alice, run.public_id, CLAIM_SIZE + 1)


def test_runs_are_numbered_in_their_project(project: Project, other_project: Project) -> None:
    assert [make_run(project, n=1).number, make_run(other_project, n=1).number] == [1, 1]
    make_documents(other_project, 0)
    fail(LabelRun.objects.get(project=project))
    assert make_run(project).number == 2


def test_start_refuses_a_run_without_a_note(project: Project) -> None:
    with pytest.raises(RunRefused, match="no note"):
        make_run(project)
    assert not LabelRun.objects.exists()
    assert not AuditEvent.objects.filter(verb="run.start").exists()


def test_a_labeler_is_one_row_however_often_it_is_asked_for(project: Project) -> None:
    assert default_labeler(project=project, now=NOW) == default_labeler(project=project, now=LATER)


# Unread


def test_unread_are_the_notes_that_nobody_reads_or_will_read(project: Project, alice: User) -> None:
    assert not Labeler.objects.exists()
    documents = make_documents(project, 3)
    assert set(new_documents(project=project)) == set(documents)
    assert not Labeler.objects.exists(), "looking makes no labeler"
    run = make_run(project)
    assert not new_documents(project=project).exists()
    finish(claim(run, limit=1))
    cancel_run(run=run, actor=alice, now=NOW)
    assert set(new_documents(project=project)) == set(documents[1:])


def test_notes_that_failed_are_unread(project: Project) -> None:
    run = make_run(project, n=1)
    fail(run)
    assert unread_documents(project=project, labeler=run.labeler).count() == 1


def test_unread_are_notes_of_the_project_only(project: Project, other_project: Project) -> None:
    make_documents(other_project, 1)
    assert not new_documents(project=project).exists()


def test_what_another_labeler_read_is_unread(project: Project, schema_version: SchemaVersion) -> None:
    run = make_run(project, n=1)
    finish(claim(run))
    other = services.labeler_for(
        project=project,
        schema_version=schema_version,
        spec=services.LabelerSpec(name="Other", backend="spacy", model_id="m", revision="2"),
        now=NOW,
    )
    assert unread_documents(project=project, labeler=other).count() == 1


# Claimed


def test_claim_leases_the_shortest_notes_under_a_fresh_token(project: Project) -> None:
    run = make_run(project, n=3)
    first, second = claim(run, limit=2)
    assert [job.document.external_id for job in (first, second)] == ["note-1", "note-2"]
    assert (first.status, first.worker, first.attempts, first.lease_expires_at) == (
        Status.RUNNING,
        WORKER,
        1,
        NOW + LEASE,
    )
    assert len({first.run_token, second.run_token, ""}) == 3


def test_a_note_is_claimed_by_one_worker_only(project: Project) -> None:
    run = make_run(project, n=3)
    mine = claim(run, limit=2)
    theirs = claim(run, worker="label-2@here")
    assert {job.pk for job in mine} & {job.pk for job in theirs} == set()
    assert len(theirs) == 1
    assert claim(run) == []


def test_a_candidate_that_another_worker_takes_meanwhile_is_left(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(project, n=2)
    taken: list[LabelJob] = []

    def token_after_the_other_worker(n_bytes: int) -> str:
        if not taken:
            taken.append(LabelJob.objects.order_by("document__n_chars")[0])
            LabelJob.objects.filter(pk=taken[0].pk).update(
                status=Status.RUNNING, run_token="theirs", lease_expires_at=NOW + LEASE
            )
        return "mine"

    monkeypatch.setattr(services.secrets, "token_hex", token_after_the_other_worker)
    assert [job.document.external_id for job in claim(run)] == ["note-2"]
    taken[0].refresh_from_db()
    assert taken[0].run_token == "theirs"


def test_the_conditions_of_a_claim_stand_in_the_update_itself(project: Project) -> None:
    """Not in a subquery over the jobs: PostgreSQL checks only conditions on the updated row again after a wait."""
    run = make_run(project, n=1)
    with CaptureQueriesContext(connection) as queries:
        claim(run)
    update = next(sql for query in queries if "run_token" in (sql := query["sql"]) and sql.startswith("UPDATE"))
    own = update.split(" WHERE ", 1)[1].split("SELECT")[0]
    assert '"status"' in own
    assert '"lease_expires_at"' in own


def test_an_expired_lease_is_claimed_again(project: Project) -> None:
    run = make_run(project, n=1)
    (first,) = claim(run)
    assert claim(run, now=NOW + LEASE - timedelta(seconds=1)) == []
    (second,) = claim(run, worker="label-2@here", now=LATER)
    assert (second.pk, second.attempts) == (first.pk, 2)
    assert second.run_token != first.run_token


def test_beginning_a_note_renews_its_lease(project: Project) -> None:
    run = make_run(project, n=2)
    first, second = claim(run)
    assert begin_job(job=first, now=NOW + LEASE)
    assert [job.pk for job in claim(run, now=LATER)] == [second.pk]


def test_a_lost_claim_is_not_begun(project: Project) -> None:
    run = make_run(project, n=1)
    (slow,) = claim(run)
    claim(run, worker="label-2@here", now=LATER)
    assert not begin_job(job=slow, now=LATER)


def test_a_note_that_kills_its_worker_does_not_fail_those_claimed_with_it(project: Project) -> None:
    run = make_run(project, n=3)
    for attempt in range(3):
        now = NOW + attempt * 2 * LEASE
        jobs = claim_jobs(run_id=run.pk, worker=WORKER, now=now)
        begin_job(job=jobs[0], now=now)
    assert len(claim(run, now=NOW + 6 * LEASE)) == 2
    assert statuses(run) == [Status.FAILED, Status.RUNNING, Status.RUNNING]


def test_a_note_that_kills_its_worker_fails_after_three_times(project: Project) -> None:
    run = make_run(project, n=1)
    for attempt in range(3):
        assert len(claim(run, now=NOW + attempt * 2 * LEASE)) == 1
    assert claim(run, now=NOW + 6 * LEASE) == []
    job = run.jobs.get()
    assert (job.status, job.error) == (Status.FAILED, "its worker died 3 times")
    assert run_status(run) == LabelRun.Status.DONE


# Committed


def test_commit_writes_the_suggestions_and_the_state_together(project: Project, bells: Bells) -> None:
    run = make_run(project, n=1)
    (job,) = claim(run)
    with bells.after_commit():
        assert commit_job(job=job, suggestions=found(CHEST_PAIN, None), now=LATER)
    job.refresh_from_db()
    assert (job.status, job.n_suggestions, job.n_unaligned, job.finished_at) == (Status.DONE, 1, 1, LATER)
    kept = Suggestion.objects.get(alignment="unaligned")
    assert (kept.start, kept.end, kept.fragments) == (None, None, "")
    assert bells == [(ROUTE, (job.pk,), "route")]
    assert run_status(run) == LabelRun.Status.DONE


def test_a_commit_after_the_lease_was_lost_writes_nothing(project: Project, bells: Bells) -> None:
    run = make_run(project, n=1)
    (slow,) = claim(run)
    (quick,) = claim(run, worker="label-2@here", now=LATER)
    with bells.after_commit():
        assert not commit_job(job=slow, suggestions=found(CHEST_PAIN), others=placed(slow, Span.of(0, 10)), now=LATER)
    assert not Suggestion.objects.exists()
    assert not Candidate.objects.exists()
    assert bells == []
    assert commit_job(job=quick, suggestions=found(CHEST_PAIN), now=LATER)
    assert not commit_job(job=slow, suggestions=found(CHEST_PAIN), now=LATER)
    assert Suggestion.objects.count() == 1


def test_a_commit_after_the_lease_ran_out_counts_where_nobody_took_the_note(project: Project) -> None:
    (job,) = claim(make_run(project, n=1))
    assert commit_job(job=job, suggestions=[], now=LATER)


def test_what_only_the_second_reader_found_is_kept_once_beside_the_suggestions(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = claim(make_run(project, n=2))
    words, pain, chest = Span.of(0, 10), Span.of(21, 25), Span.of(15, 20)
    others = [
        *placed(first, pain, CHEST_PAIN, words, words, score=0.4),  # the first two lie over a suggestion
        *placed(first, chest, label="Medication", score=0.9),
        *found(None),
    ]
    commit_job(job=first, suggestions=found(CHEST_PAIN), others=others, now=NOW)
    kept = Candidate.objects.order_by("pk").values_list("label", "fragments", "start", "end", "surface", "score")
    assert list(kept) == [("Medication", "15 20", 15, 20, "chest", 0.9), ("Problem", "0 10", 0, 10, "Assessment", 0.4)]
    first.refresh_from_db()
    assert (first.n_suggestions, first.suggestions.count()) == (1, 1)
    monkeypatch.setattr(recording, "MOST_CANDIDATES", 1)
    commit_job(job=second, suggestions=[], others=others, now=NOW)
    assert second.candidates.get().label == "Medication"


def test_a_candidate_that_does_not_read_as_its_place_is_refused_with_all_of_its_note(project: Project) -> None:
    (job,) = claim(make_run(project, n=1))
    with pytest.raises(SpanError):
        commit_job(job=job, suggestions=found(CHEST_PAIN), others=found(Span.of(0, 10)), now=NOW)
    assert statuses(job.run) == [Status.RUNNING]
    assert not Suggestion.objects.exists()


def test_a_message_delivered_three_times_makes_one_set_of_suggestions(project: Project) -> None:
    run = make_run(project, n=2)
    for _ in range(3):
        finish(claim_jobs(run_id=run.pk, worker=WORKER, now=NOW))
    assert Suggestion.objects.count() == 2
    assert statuses(run) == [Status.DONE, Status.DONE]


def test_a_span_given_twice_is_stored_and_counted_once(project: Project) -> None:
    (job,) = claim(make_run(project, n=1))
    commit_job(job=job, suggestions=found(CHEST_PAIN, CHEST_PAIN), now=NOW)
    job.refresh_from_db()
    assert (Suggestion.objects.count(), job.n_suggestions) == (1, 1)


def test_routing_is_taken_once(project: Project) -> None:
    (job,) = claim(make_run(project, n=1))
    assert not mark_routed(job_id=job.pk, now=NOW), "not done yet"
    finish([job])
    assert mark_routed(job_id=job.pk, now=NOW)
    assert not mark_routed(job_id=job.pk, now=NOW)


# Handed back


def test_a_failed_note_goes_back_to_the_queue_twice_and_then_fails_with_its_reason(
    project: Project, bells: Bells
) -> None:
    run = make_run(project, n=1)
    bells.clear()
    for attempt in (1, 2):
        (job,) = claim(run)
        with bells.after_commit():
            hand_back(job=job, error="MemoryError", now=NOW)
        job.refresh_from_db()
        assert (job.status, job.attempts, job.error, job.lease_expires_at) == (
            Status.QUEUED,
            attempt,
            "MemoryError",
            None,
        )
    assert bells.tasks() == [LABEL, LABEL]
    assert run_status(run) == LabelRun.Status.RUNNING
    (job,) = claim(run)
    with bells.after_commit():
        hand_back(job=job, error="MemoryError", now=LATER)
    job.refresh_from_db()
    assert (job.status, job.error, job.finished_at) == (Status.FAILED, "MemoryError", LATER)
    assert bells.tasks() == [LABEL, LABEL]
    assert run_status(run) == LabelRun.Status.DONE


def test_a_long_reason_is_cut(project: Project) -> None:
    (job,) = claim(make_run(project, n=1))
    hand_back(job=job, error="x" * 900, now=NOW)
    job.refresh_from_db()
    assert len(job.error) == 500


def test_handing_back_a_lost_claim_changes_nothing(project: Project) -> None:
    run = make_run(project, n=1)
    (slow,) = claim(run)
    (quick,) = claim(run, worker="label-2@here", now=LATER)
    hand_back(job=slow, error="MemoryError", now=LATER)
    quick.refresh_from_db()
    assert (quick.status, quick.error) == (Status.RUNNING, "")


def test_notes_that_are_put_off_wait_uncounted_and_the_run_says_why(project: Project, bells: Bells) -> None:
    run = make_run(project, n=3)
    jobs = claim_jobs(run_id=run.pk, worker=WORKER, now=NOW)
    for job in jobs[:2]:
        begin_job(job=job, now=NOW)
    finish(jobs[:1])
    bells.clear()
    for _ in range(2):
        with bells.after_commit():
            put_off(jobs=jobs, begun={jobs[0].pk, jobs[1].pk}, reason="no answer: start it" + "x" * 900, now=NOW)
    assert statuses(run) == [Status.DONE, Status.QUEUED, Status.QUEUED]
    assert list(run.jobs.order_by("document__n_chars").values_list("attempts", flat=True)) == [1, 0, 0]
    assert bells == []
    run.refresh_from_db()
    assert run.trouble.startswith("no answer: start it")
    finish(claim(run, limit=1))
    run.refresh_from_db()
    assert run.trouble == ""


def test_a_run_that_cannot_be_read_fails_what_waits_and_what_its_worker_holds(
    project: Project, alice: User, bells: Bells
) -> None:
    run = make_run(project, n=4)
    mine, theirs = claim(run, limit=1), claim(run, worker="label-2@here", limit=1)
    finish(claim(run, worker="label-3@here", limit=1))
    bells.clear()
    fail_run(run_id=run.pk, jobs=mine, reason="the weights are missing", now=NOW)
    assert statuses(run) == [Status.FAILED, Status.RUNNING, Status.DONE, Status.FAILED]
    assert run_status(run) == LabelRun.Status.RUNNING
    finish(theirs)
    assert run_status(run) == LabelRun.Status.DONE
    assert set(run.jobs.filter(status=Status.FAILED).values_list("error", flat=True)) == {"the weights are missing"}
    assert retry_run(run=run, actor=alice, now=LATER) == 2


def test_leases_are_renewed_of_what_is_still_held(project: Project) -> None:
    run = make_run(project, n=2)
    jobs = claim(run)
    LabelJob.objects.filter(pk=jobs[0].pk).update(run_token="theirs")
    assert renew_jobs(jobs=jobs, now=LATER) == {jobs[1].pk}
    assert list(run.jobs.order_by("document__n_chars").values_list("lease_expires_at", flat=True)) == [
        NOW + LEASE,
        LATER + LEASE,
    ]


def test_a_worker_that_starts_again_puts_back_what_it_held(project: Project, bells: Bells) -> None:
    run = make_run(project, n=3)
    claim(run, limit=2)
    claim(run, worker="label-2@here")
    bells.clear()
    with bells.after_commit():
        assert release_worker(worker=WORKER, now=NOW) == 2
    assert statuses(run) == [Status.QUEUED, Status.QUEUED, Status.RUNNING]
    assert bells == [(LABEL, (run.pk,), "label")]
    assert len(claim(run)) == 2


def test_a_note_that_kills_its_worker_fails_also_where_the_worker_is_started_again(project: Project) -> None:
    run = make_run(project, n=2)
    for n_released in (1, 1, 0):
        claim(run, limit=1)
        assert release_worker(worker=WORKER, now=NOW) == n_released
    job = run.jobs.get(status=Status.FAILED)
    assert job.error == "its worker died 3 times"
    assert run_status(run) == LabelRun.Status.RUNNING
    assert [other.pk for other in claim(run)] != [job.pk]


# Swept


def test_the_sweeper_rings_for_waiting_notes_and_expired_leases(project: Project, bells: Bells) -> None:
    run = make_run(project, n=1)
    bells.clear()
    with bells.after_commit():
        assert ring_again(now=NOW) == 1
    claim(run)
    with bells.after_commit():
        assert ring_again(now=NOW) == 0
        assert ring_again(now=LATER) == 1
    assert bells == [(LABEL, (run.pk,), "label")] * 2


def test_the_sweeper_rings_for_notes_that_were_never_routed(project: Project, bells: Bells) -> None:
    (job,) = claim(make_run(project, n=1))
    finish([job])
    bells.clear()
    with bells.after_commit():
        assert ring_again(now=NOW + timedelta(seconds=29)) == 0
        assert ring_again(now=NOW + timedelta(seconds=31)) == 1
        mark_routed(job_id=job.pk, now=NOW)
        assert ring_again(now=NOW + timedelta(seconds=31)) == 0
    assert bells == [(ROUTE, (job.pk,), "route")]


def test_a_run_whose_last_two_notes_were_committed_at_once_is_ended_by_who_looks_next(
    project: Project, bells: Bells
) -> None:
    run = make_run(project, n=2)
    run.jobs.update(status=Status.DONE)  # on PostgreSQL, each while the other was not to be seen yet
    bells.clear()
    with bells.after_commit():
        ring_on(run_id=run.pk, now=LATER)
    run.refresh_from_db()
    assert (run.status, run.finished_at, bells) == (LabelRun.Status.DONE, LATER, [])


def test_a_run_whose_notes_are_queued_again_while_it_ends_goes_on(project: Project, alice: User) -> None:
    run = make_run(project, n=2)
    first, second = claim(run)
    LabelJob.objects.filter(pk=first.pk).update(status=Status.FAILED)
    retried: list[int] = []

    def retry_once(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("SELECT") and f'FROM "{LabelRun._meta.db_table}"' in sql and not retried:
            retried.append(0)
            retried.append(retry_run(run=run, actor=alice, now=NOW))
        return execute(sql, *rest)

    with connection.execute_wrapper(retry_once):
        finish([second])
    assert retried == [0, 1]
    assert (statuses(run), run_status(run)) == ([Status.QUEUED, Status.DONE], LabelRun.Status.RUNNING)
