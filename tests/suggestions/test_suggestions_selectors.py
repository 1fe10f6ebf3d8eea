from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.suggestions.selectors import (
    failure_reasons,
    progress_of_runs,
    run_pace,
    run_progress,
    run_rate,
    runs_of,
)
from annotator.suggestions.services import commit_job, hand_back
from tests.cast import NOW
from tests.suggestions.scene import claim, fail, finish, found, make_documents, make_run

pytestmark = pytest.mark.usefixtures("bells")


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_progress_counts_every_note_once(project: Project) -> None:
    run = make_run(project, n=6)
    finish(claim(run, limit=3))
    claim(run, limit=1)
    progress = run_progress(run_id=run.pk)
    assert (progress.n_total, progress.n_done, progress.n_running, progress.n_waiting) == (6, 3, 1, 2)
    assert (progress.n_suggestions, progress.n_unaligned, progress.is_finished) == (3, 0, False)


def test_progress_sums_what_the_answers_lost(project: Project) -> None:
    run = make_run(project, n=3)
    for job in claim(run, limit=2):
        commit_job(job=job, suggestions=found(None), n_truncated=2, n_problems=3, now=NOW)
    progress = run_progress(run_id=run.pk)
    assert (progress.n_unaligned, progress.n_truncated, progress.n_problems) == (2, 4, 6)


def test_progress_of_many_runs_is_one_query(project: Project, django_assert_num_queries: Any) -> None:
    runs: list[LabelRun] = []
    for _ in range(3):
        runs.append(make_run(project, n=0 if runs else 2))
        fail(runs[-1])
    empty = runs[-1].pk + 1
    with django_assert_num_queries(1):
        progress = progress_of_runs([*(run.pk for run in runs), empty])
    assert [progress[run.pk].n_failed for run in runs] == [2, 2, 2]
    assert progress[empty].n_total == 0


def test_reasons_are_counted_and_those_that_are_tried_again_stand_apart(project: Project) -> None:
    run = make_run(project, n=3)
    fail(run, error="MemoryError")
    LabelJob.objects.filter(document__external_id="note-3").update(status=LabelJob.Status.QUEUED)
    final, again = failure_reasons(run_id=run.pk)
    assert (final.error, final.n_documents, final.is_final) == ("MemoryError", 2, True)
    assert (again.n_documents, again.is_final) == (1, False)
    assert again.example == LabelJob.objects.get(status=LabelJob.Status.QUEUED).document.public_id


def test_pace_comes_from_the_last_five_minutes(project: Project) -> None:
    run = make_run(project, n=9)
    for minute in range(8):
        finish(claim(run, limit=1, now=NOW + seconds(60 * minute)), now=NOW + seconds(60 * minute + 59))
    pace = run_pace(run_id=run.pk, now=NOW + seconds(8 * 60))
    assert pace.per_minute == pytest.approx(1)
    assert pace.by_worker == {"label-1@here": pytest.approx(1)}
    assert pace.seconds_left(30) == pytest.approx(1800)


def test_pace_of_a_run_that_just_began_counts_from_its_first_note(project: Project) -> None:
    run = make_run(project, n=4)
    finish(claim(run, now=NOW), now=NOW + seconds(10))
    assert run_pace(run_id=run.pk, now=NOW + seconds(10)).per_minute == pytest.approx(24)


def test_pace_is_not_known_from_two_notes(project: Project) -> None:
    run = make_run(project, n=3)
    assert run_pace(run_id=run.pk, now=NOW).seconds_left(3) is None
    finish(claim(run, limit=2), now=NOW + seconds(5))
    pace = run_pace(run_id=run.pk, now=NOW + seconds(5))
    assert pace.per_minute is None
    assert pace.seconds_left(1) is None


def rate_at(run: LabelRun, finished: list[float], until: float) -> Any:
    for job, at in zip(claim(run, limit=len(finished)), finished, strict=True):
        finish([job], now=NOW + seconds(at))
    return run_rate(run=run, until=NOW + seconds(until))


def test_rate_of_an_old_run_is_the_last_hour_by_minutes(project: Project) -> None:
    run = make_run(project, n=5)
    rate = rate_at(run, [60, 3601, 7140, 7141, 7200], until=7200)
    assert len(rate.values) == len(rate.times) == 60
    assert (rate.values[0], rate.values[-2:], sum(rate.values)) == (1, [1, 2], 4)
    assert (rate.times[0], rate.times[-1]) == (NOW + seconds(3660), NOW + seconds(7200))


def test_rate_of_a_young_run_is_the_mean_of_the_minute_before_each_ten_seconds(project: Project) -> None:
    run = make_run(project, n=3)
    rate = rate_at(run, [5, 6, 95], until=100)
    assert rate.times[-1] - rate.times[-2] == seconds(10)
    assert rate.values == [12, 6, 4, 3, pytest.approx(2.4), 2, 0, 0, 0, 1]


def test_rate_of_a_run_that_begins_now_is_one_step(project: Project) -> None:
    run = make_run(project, n=1)
    assert run_rate(run=run, until=NOW).values == [0]


def test_runs_are_newest_first_with_what_the_list_shows(project: Project, django_assert_num_queries: Any) -> None:
    first = make_run(project, n=1)
    fail(first)
    second = make_run(project)
    make_documents(project, 0)
    with django_assert_num_queries(1):
        assert [(run.pk, run.labeler.schema_version.number) for run in runs_of(project)] == [
            (second.pk, 1),
            (first.pk, 1),
        ]


def test_a_note_being_read_again_has_no_reason(project: Project) -> None:
    run = make_run(project, n=1)
    (job,) = claim(run)
    hand_back(job=job, error="MemoryError", now=NOW)
    assert [reason.error for reason in failure_reasons(run_id=run.pk)] == ["MemoryError"]
    claim(run)
    assert failure_reasons(run_id=run.pk) == []
