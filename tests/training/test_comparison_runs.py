"""What a run for a comparison read is measured, and is nobody's work: the same everywhere that asks what was read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from annotator.accounts.models import User
from annotator.adjudication.card import newest_jobs
from annotator.browse.independence import suggestions_for
from annotator.browse.selectors import n_prelabelled, notes_with_state
from annotator.browse.work import runs_to_look_at
from annotator.projects.models import Membership, Project
from annotator.quality.agreement import _readings_of_labelers
from annotator.quality.recall import _jobs_at
from annotator.quality.selectors import labelers_with_notes
from annotator.review.drawing import routed
from annotator.review.models import LATE, ReviewItem
from annotator.routing.services import route_job
from annotator.suggestions.models import Candidate, LabelJob, LabelRun, Suggestion
from annotator.suggestions.recording import CandidateRow, add_candidates
from annotator.suggestions.services import mark_routed, ring_again, start_run, unread_documents
from annotator.trust.selectors import current_labeler, n_suggested
from tests.cast import NOW, Bells
from tests.training.lab import Lab, make_lab, read_all, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(project: Project, alice: User, bob: User) -> Lab:
    """The candidate has read all notes for a comparison, after the current labeler has for review."""
    lab = make_lab(project, lead=alice, reader=bob)
    LabelJob.objects.update(routed_at=NOW)
    run = start(lab, alice).candidate_run
    assert run is not None
    read_all(run)
    return lab


def ids(lab: Lab) -> list[int]:
    return [found.pk for found in lab.documents]


def test_its_notes_count_as_routed_and_went_to_nobody(lab: Lab, bells: Bells) -> None:
    read = LabelJob.objects.filter(run__labeler=lab.candidate)
    assert read.count() == read.filter(status="done", routed_at=NOW).count() == 12
    assert not mark_routed(job_id=read.earliest("pk").pk, now=NOW)
    assert not ReviewItem.objects.exists()
    with bells.after_commit():
        ring_again(now=NOW + timedelta(hours=1))
    assert bells == []


def test_the_notes_are_unread_for_work_and_a_run_routes_them_as_usual(lab: Lab, alice: User) -> None:
    unread = unread_documents(project=lab.project, labeler=lab.candidate)
    assert unread.count() == 12
    run = start_run(project=lab.project, labeler=lab.candidate, documents=unread, actor=alice, now=NOW)
    read_all(run)
    first = run.jobs.earliest("pk")
    assert route_job(label_job_id=first.pk, now=NOW)
    items = ReviewItem.objects.filter(unit="span", document=first.document)
    assert items.count() == 2
    assert set(items.values_list("suggestion__job", flat=True)) == {first.pk}


def test_it_makes_no_reading_for_review_stale(lab: Lab) -> None:
    """A note whose suggestions for review are routed after the same labeler read it for a comparison."""
    job = LabelJob.for_review.get(document=lab.documents[0])
    LabelRun.objects.filter(purpose="comparison").update(labeler=lab.current)
    LabelJob.objects.filter(pk=job.pk).update(routed_at=None)
    assert route_job(label_job_id=job.pk, now=NOW)
    reasons = ReviewItem.objects.filter(unit="span", suggestion__job=job).values_list("reason", flat=True)
    assert list(reasons) == [LATE] * 3  # they come to a note that is done, and are none that a newer reading replaces


def test_nobody_counts_the_notes_as_read(lab: Lab, alice: User) -> None:
    Suggestion.for_review.all().delete()
    LabelJob.for_review.all().delete()
    assert LabelJob.objects.count() == 12
    assert n_prelabelled(lab.project) == 0
    assert routed(ids(lab)) == set()
    assert current_labeler(lab.project) is None
    assert n_suggested(lab.candidate) == 0
    assert labelers_with_notes(lab.project) == []
    assert _jobs_at({found.pk: NOW for found in lab.documents}) == {}
    assert _readings_of_labelers(ids(lab)) == {}
    membership = Membership.objects.get(project=lab.project, user=alice)
    assert not suggestions_for(membership).exists()
    assert {found.state for found in notes_with_state(lab.project)} == {"reviewed"}


def test_the_labeler_that_reads_for_review_stays_the_one_that_counts(lab: Lab, alice: User) -> None:
    assert current_labeler(lab.project) == lab.current
    assert [choice.labeler for choice in labelers_with_notes(lab.project)] == [lab.current]
    readings = _readings_of_labelers(ids(lab))
    assert {name for of_note in readings.values() for name in of_note} == {"Rules #1"}
    membership = Membership.objects.get(project=lab.project, user=alice)
    assert set(suggestions_for(membership).values_list("job__run__labeler", flat=True)) == {lab.current.pk}
    LabelJob.objects.filter(run__purpose="comparison").update(status="failed")
    assert runs_to_look_at([membership]) == []


def test_an_adjudicator_sees_no_vote_of_it(lab: Lab) -> None:
    class File:
        class adjudication:  # noqa: N801
            document_id = lab.documents[0].pk

    assert [job.run.labeler for job in newest_jobs(File)] == [lab.current]  # type: ignore[arg-type]


def test_what_its_second_reader_saw_is_asked_of_nobody(lab: Lab) -> None:
    job = LabelJob.objects.filter(run__purpose="comparison").earliest("pk")
    row = CandidateRow(label="Problem", fragments="15 25", start=15, end=25, surface="chest pain", score=0.5)
    add_candidates(job=job, rows=[row])
    assert Candidate.objects.count() == 1
    assert not Candidate.for_review.exists()
