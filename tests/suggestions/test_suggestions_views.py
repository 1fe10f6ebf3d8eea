from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.jobs.services import record_beat, record_stop
from annotator.projects.models import Project
from annotator.suggestions.models import Labeler, LabelJob, LabelRun
from annotator.suggestions.services import cancel_run, commit_job, fail_run, put_off
from tests.cast import HTMX, NOW, body, make_document, sign_in
from tests.suggestions.scene import claim, fail, finish, make_documents, make_run

POLL = 'hx-trigger="every 2s"'
pytestmark = pytest.mark.usefixtures("bells")


@pytest.fixture
def run(project: Project, alice: User) -> LabelRun:
    """Three notes wait."""
    return make_run(project, n=3, actor=alice, now=timezone.now())


def url(name: str, *args: str) -> str:
    return reverse(f"suggestions:{name}", args=args)


def page_of_run(run: LabelRun) -> str:
    return url("run", run.project.public_id, run.public_id)


def beat(name: str = "label-1@here", queues: str = "label", seconds: int = 0) -> None:
    seen_at = timezone.now() - timedelta(seconds=seconds)
    record_beat(
        name=name,
        queues=queues,
        model_id="lexicon",
        device="CPU",
        memory_bytes=412 << 20,
        started_at=seen_at,
        now=seen_at,
    )


# The list


def test_runs_of_a_project_without_notes_points_to_the_import(alice_client: Client, project: Project) -> None:
    page = body(alice_client.get(url("runs", project.public_id)))
    assert "No note to read" in page
    assert reverse("exchange:imports", args=[project.public_id]) in page
    assert url("start", project.public_id) not in page


def test_runs_says_how_many_notes_the_labeler_has_not_read(alice_client: Client, project: Project) -> None:
    make_documents(project, 2)
    page = body(alice_client.get(url("runs", project.public_id)))
    assert "<b>2 notes</b> have not been read by the labeler “Dictionaries and rules”" in page
    assert "No labelling worker is running" in page
    assert f'action="{url("start", project.public_id)}"' in page
    assert not Labeler.objects.exists(), "looking makes nothing"


def test_runs_lists_each_with_its_state(alice_client: Client, run: LabelRun) -> None:
    beat()
    finish(claim(run, limit=1))
    page = body(alice_client.get(url("runs", run.project.public_id)))
    assert f'href="{page_of_run(run)}"' in page
    for words in ("Running", "1 of 3", "Dictionaries and rules", "alice", "has read every note"):
        assert words in page
    fail(run)
    assert "Done, 2 failed" in body(alice_client.get(url("runs", run.project.public_id)))


def test_runs_takes_the_same_queries_for_many_runs(
    alice_client: Client, run: LabelRun, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        fail(LabelRun.objects.latest("number"))
        make_run(run.project)
    address = url("runs", run.project.public_id)
    with django_assert_max_num_queries(17):
        assert body(alice_client.get(address)).count("Dictionaries and rules</td>") == 13


def test_runs_are_paged(alice_client: Client, run: LabelRun, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(run)
    make_run(run.project)
    monkeypatch.setattr("annotator.suggestions.views.page_of.__kwdefaults__", {"size": 1})
    page = body(alice_client.get(url("runs", run.project.public_id), {"page": 2}))
    assert "Run 1<" in page
    assert "2 / 2" in page


# Start


def test_start_sends_the_labeler_over_the_new_notes(alice_client: Client, project: Project, alice: User) -> None:
    make_documents(project, 2)
    response = alice_client.post(url("start", project.public_id))
    run = LabelRun.objects.get()
    assert (response.status_code, response["Location"]) == (303, page_of_run(run))
    assert (run.jobs.count(), run.created_by, run.labeler.model_id) == (2, alice, "marginalia-lexicon")
    assert AuditEvent.objects.get(verb="run.start").actor == alice


def test_start_without_a_new_note_is_refused_in_words(alice_client: Client, run: LabelRun) -> None:
    response = alice_client.post(url("start", run.project.public_id))
    assert response.status_code == 409
    assert "There is no note that this labeler has not read yet" in body(response)
    assert LabelRun.objects.count() == 1


def test_start_is_a_post(alice_client: Client, project: Project) -> None:
    assert alice_client.get(url("start", project.public_id)).status_code == 405


# The page of a run


def test_page_and_partial_of_a_run_that_waits(alice_client: Client, run: LabelRun) -> None:
    beat()
    page = alice_client.get(page_of_run(run))
    assert "<html" in body(page)
    partial = alice_client.get(page_of_run(run), headers=HTMX)
    assert "<html" not in body(partial)
    assert "HX-Request" in partial["Vary"]
    for answer in (page, partial):
        assert f'hx-get="{page_of_run(run)}" {POLL}' in body(answer)
        assert "<b>0 of 3 notes</b> are done." in body(answer)
        assert "left" not in body(answer).split("</h1>")[1].split("</p>")[0], "the pace is not known yet"


def test_run_says_when_it_will_be_done(alice_client: Client, project: Project) -> None:
    begun = timezone.now() - timedelta(minutes=4)
    run = make_run(project, n=9, now=begun)
    beat()
    finish(claim(run, limit=3, now=begun), now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert "<b>3 of 9 notes</b> are done, about 8 min left." in page
    assert 'class="chart"' in page
    assert "1 note a minute" in page or "notes a minute" in page


def test_rate_can_be_read_as_a_table_and_stays_one_while_polling(alice_client: Client, project: Project) -> None:
    run = make_run(project, n=2, now=timezone.now() - timedelta(minutes=2))
    assert "?rate=table" in body(alice_client.get(page_of_run(run)))
    page = body(alice_client.get(page_of_run(run), {"rate": "table"}))
    assert 'class="chart"' not in page
    assert "Notes a minute</th>" in page
    assert f'hx-get="{page_of_run(run)}?rate=table" {POLL}' in page


def test_a_finished_run_comes_without_the_trigger(alice_client: Client, run: LabelRun) -> None:
    finish(claim(run))
    for headers in ({}, HTMX):
        page = body(alice_client.get(page_of_run(run), headers=headers))
        assert "hx-trigger" not in page
        assert "<b>All 3 notes</b> are done" in page
        assert "3 suggestions" in page
        assert 'id="run-cancel"' not in page
        assert url("retry", run.project.public_id, run.public_id) not in page


def test_a_run_whose_model_is_away_says_what_to_do_and_what_waits(alice_client: Client, run: LabelRun) -> None:
    beat()
    jobs = claim(run, limit=2)
    reason = "no answer from 127.0.0.1:8080: start the model server"
    put_off(jobs=jobs, begun={job.pk for job in jobs}, reason=reason, now=NOW)
    page = body(alice_client.get(page_of_run(run)))
    assert "No answer from 127.0.0.1:8080: start the model server. 3 notes wait and are read" in page
    assert "Waiting for the model" in page
    assert "Failures" not in page
    finish(claim(run))
    assert "No answer" not in body(alice_client.get(page_of_run(run)))


def test_a_run_whose_model_cannot_be_had_says_so_once(alice_client: Client, run: LabelRun) -> None:
    fail_run(run_id=run.pk, jobs=claim(run), reason="the weights are missing: fetch them", now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert page.count("The weights are missing: fetch them") == 1
    assert "Retry 3" in page


def test_a_run_says_what_the_answers_lost(alice_client: Client, run: LabelRun) -> None:
    first, second, _ = claim(run)
    commit_job(job=first, suggestions=[], n_truncated=3, now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert "The answers to 3 windows were cut off. What could be read is kept." in page
    commit_job(job=second, suggestions=[], n_problems=1, now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert "The answers to 3 windows were cut off and 1 part of answers could not be read." in page


def test_a_run_with_failures_says_why_and_offers_another_try(alice_client: Client, run: LabelRun) -> None:
    fail(run, error="MemoryError")
    LabelJob.objects.filter(document__external_id="note-1").update(error="its worker died 3 times")
    page = body(alice_client.get(page_of_run(run)))
    assert "3 failed, none is lost." in page
    assert "The labeler stopped with MemoryError" in page
    assert "Its worker died 3 times" in page
    assert "Retry 3" in page
    assert "Retry puts it back in the queue" in page
    assert "Retry puts them back in the queue" in page
    example = LabelJob.objects.get(error="its worker died 3 times").document.public_id
    assert f"{reverse('browse:documents', args=[run.project.public_id])}?note={example}" in page
    assert "hx-trigger" not in page


def test_a_note_that_is_tried_again_is_not_called_failed(alice_client: Client, run: LabelRun) -> None:
    LabelJob.objects.filter(document__external_id="note-1").update(error="TimeoutError", attempts=1)
    page = body(alice_client.get(page_of_run(run)))
    assert "Will retry" in page
    assert "none is lost" not in page


def test_run_says_that_no_worker_is_there(alice_client: Client, run: LabelRun) -> None:
    beat("main@here", queues="main")
    page = body(alice_client.get(page_of_run(run)))
    assert "No labelling worker is running. 3 notes wait and are read when one starts" in page
    assert "Waiting for a worker" in page
    assert "main@here" not in page
    beat()
    page = body(alice_client.get(page_of_run(run)))
    assert "No labelling worker" not in page
    assert "Running" in page


def test_run_says_that_others_are_read_first(
    alice_client: Client, run: LabelRun, other_project: Project, charlie: User
) -> None:
    beat()
    other = make_run(other_project, n=1, actor=charlie, now=timezone.now())
    held = claim(other, now=timezone.now())
    words = "read notes of other runs now, and runs take turns. 3 notes wait and are read then."
    page = body(alice_client.get(page_of_run(run)))
    assert words in page and "Waiting for its turn" in page
    assert words not in body(sign_in(Client(), charlie).get(page_of_run(other)))
    mine = claim(run, limit=1, now=timezone.now())
    assert words not in body(alice_client.get(page_of_run(run))), "one is being read"
    finish(mine, now=timezone.now())
    assert words not in body(alice_client.get(page_of_run(run))), "one was read just now"
    LabelJob.objects.filter(run=run, finished_at__isnull=False).update(finished_at=timezone.now() - timedelta(hours=1))
    assert "2 notes wait and are read then" in body(alice_client.get(page_of_run(run)))
    finish(held, now=timezone.now())
    assert "Running" in body(alice_client.get(page_of_run(run))), "nobody else's are read"


@pytest.mark.parametrize(
    ("state", "word"), [("silent", "No heartbeat"), ("stopped", "Stopped"), ("healthy", "Healthy")]
)
def test_run_shows_its_workers(alice_client: Client, run: LabelRun, state: str, word: str) -> None:
    beat(seconds=380 if state == "silent" else 2)
    if state == "stopped":
        record_stop(name="label-1@here", now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert word in page
    assert "label-1@here" in page
    assert ("412 MiB" in page) == (state == "healthy")
    assert ("No labelling worker is running" in page) == (state != "healthy")
    if state == "silent":
        assert "6 min ago" in page


def test_a_finished_run_misses_no_worker(alice_client: Client, run: LabelRun) -> None:
    finish(claim(run))
    page = body(alice_client.get(page_of_run(run)))
    assert "No labelling worker is running" not in page
    assert "None was seen in the last day" in page


def test_run_takes_the_same_queries_for_many_notes(
    alice_client: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    run = make_run(project, n=40, now=timezone.now() - timedelta(minutes=20))
    finish(claim(run, limit=20), now=timezone.now())
    for name in range(8):
        beat(f"label-{name}@here")
    with django_assert_max_num_queries(10):
        alice_client.get(page_of_run(run))


# Cancel and retry


def test_cancel_stops_the_run_and_the_page_goes_on_until_the_last_note(
    alice_client: Client, run: LabelRun, alice: User
) -> None:
    jobs = claim(run, limit=1, now=timezone.now())
    assert 'id="cancel-run"' in body(alice_client.get(page_of_run(run)))
    response = alice_client.post(url("cancel", run.project.public_id, run.public_id))
    assert (response.status_code, response["Location"]) == (303, page_of_run(run))
    assert AuditEvent.objects.get(verb="run.cancel").actor == alice
    page = body(alice_client.get(page_of_run(run)))
    assert "Stopping" in page
    assert "The run stops after the 1 note that is being read." in page
    assert POLL in page
    assert url("retry", run.project.public_id, run.public_id) not in page
    finish(jobs, now=timezone.now())
    page = body(alice_client.get(page_of_run(run)))
    assert "The run was cancelled; what it found stays." in page
    assert "Resume 2" in page
    assert POLL not in page


def test_retry_by_plain_post_goes_to_the_run(alice_client: Client, run: LabelRun) -> None:
    fail(run)
    response = alice_client.post(url("retry", run.project.public_id, run.public_id))
    assert (response.status_code, response["Location"]) == (303, page_of_run(run))
    assert AuditEvent.objects.get(verb="run.retry").detail == {"n_documents": 3}


def test_retry_by_htmx_answers_with_the_page_moving_again(alice_client: Client, run: LabelRun) -> None:
    fail(run)
    response = alice_client.post(url("retry", run.project.public_id, run.public_id), headers=HTMX)
    assert response.status_code == 200
    assert "<html" not in body(response)
    assert f'hx-get="{page_of_run(run)}" {POLL}' in body(response)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_acts_on_a_run_are_posts(alice_client: Client, run: LabelRun, action: str) -> None:
    assert alice_client.get(url(action, run.project.public_id, run.public_id)).status_code == 405


# Access


def test_an_outsider_finds_nothing(client: Client, run: LabelRun, charlie: User) -> None:
    sign_in(client, charlie)
    project_id = run.project.public_id
    theirs = charlie.memberships.get().project.public_id
    assert client.get(url("runs", project_id)).status_code == 404
    assert client.post(url("start", project_id)).status_code == 404
    for other in (project_id, theirs):
        assert client.get(url("run", other, run.public_id)).status_code == 404
        assert client.post(url("cancel", other, run.public_id)).status_code == 404
        assert client.post(url("retry", other, run.public_id)).status_code == 404
    assert not AuditEvent.objects.filter(verb__in=["run.cancel", "run.retry"]).exists()


def test_anonymous_is_sent_to_sign_in(client: Client, run: LabelRun) -> None:
    for address in (url("runs", run.project.public_id), page_of_run(run)):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("accounts:sign_in"))
    assert client.post(url("start", run.project.public_id)).status_code == 302


def test_an_annotator_sees_no_run(client: Client, run: LabelRun, bob: User) -> None:
    sign_in(client, bob)
    assert client.get(url("runs", run.project.public_id)).status_code == 403
    assert client.get(page_of_run(run)).status_code == 403


@pytest.mark.parametrize("who", ["adam", "dana"])
def test_who_may_not_run_only_looks(
    client: Client, run: LabelRun, who: str, request: pytest.FixtureRequest, alice: User
) -> None:
    sign_in(client, request.getfixturevalue(who))
    project_id = run.project.public_id
    make_document(run.project, external_id="new")
    page = body(client.get(url("runs", project_id)))
    assert "A project lead can start a run." in page
    assert url("start", project_id) not in page
    assert 'id="cancel-run"' not in body(client.get(page_of_run(run)))
    for address in (
        url("start", project_id),
        url("cancel", project_id, run.public_id),
        url("retry", project_id, run.public_id),
    ):
        assert client.post(address).status_code == 403
    cancel_run(run=run, actor=alice, now=timezone.now())
    assert "Resume" not in body(client.get(page_of_run(run)))
