"""Comparisons: refused, started, read for, measured, cancelled, purged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.builds.models import DatasetBuild, LockedGroup, LockedTestSet
from annotator.builds.pools import freeze_pool
from annotator.core.identifiers import with_identifiers
from annotator.core.intervals import FEWEST_NOTES
from annotator.core.schema import schema_from_json
from annotator.jobs import services as jobs
from annotator.jobs.models import Job
from annotator.jobs.services import create_job
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.purges import services as purges
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes, purge_project, run_purge
from annotator.review.models import ReviewItem
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.suggestions.services import cancel_run
from annotator.training.compared import plan_comparison
from annotator.training.comparing import ComparisonRefused, cancel_comparison, ring_comparisons, start_comparison
from annotator.training.models import ComparedSpan, LabelerComparison, TrainingRun
from tests.cast import NOW, SCHEMA, Bells
from tests.training.lab import Lab, decide, lock, make_comparison, make_lab, make_labeler, read_all, start, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(project: Project, alice: User, bob: User) -> Lab:
    return make_lab(project, lead=alice, reader=bob)


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's files are not emptied: a test's transaction stands in the way."""
    monkeypatch.setattr(purges, "clear_disk", lambda: None)


@pytest.fixture
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "BUILDS_DIR", tmp_path)
    return tmp_path


def problems(lab: Lab) -> tuple[str, ...]:
    return plan_comparison(project=lab.project, candidate=lab.candidate, current=lab.current).problems


def train(lab: Lab, folder: Path, *, part: str | None, patient: str | None = None) -> DatasetBuild:
    """The candidate was trained on a dataset with one note of the patient in `part`; None: it has no index."""
    build = DatasetBuild.objects.create(project=lab.project, number=3, name="For training", created_at=NOW)
    digest = sorted(LockedGroup.objects.values_list("digest", flat=True))[0] if patient is None else patient
    if part is not None:
        (folder / build.public_id).mkdir()
        (folder / build.public_id / "notes.index").write_text(json.dumps({"part": part, "group": digest}) + "\n")
    TrainingRun.objects.create(
        project=lab.project,
        number=1,
        build=build,
        kind=TrainingRun.Kind.SPACY,
        job=create_job(kind=Job.Kind.TRAINING, now=NOW),
        labeler=lab.candidate,
        created_at=NOW,
    )
    return build


def test_one_labeler_is_not_compared_with_itself(lab: Lab, alice: User) -> None:
    with pytest.raises(ComparisonRefused, match="choose two"):
        start_comparison(project=lab.project, candidate=lab.current, current=lab.current, actor=alice, now=NOW)
    assert not LabelerComparison.objects.exists()
    assert not LabelRun.objects.filter(purpose="comparison").exists()


def test_without_a_locked_test_set_there_is_nothing_to_compare_on(lab: Lab, alice: User) -> None:
    LockedGroup.objects.all().delete()
    LockedTestSet.objects.all().delete()
    with pytest.raises(ComparisonRefused, match="no test set is locked: lock the part test of a dataset first"):
        start(lab, alice)


def test_a_labeler_of_an_older_schema_is_refused_by_name(lab: Lab, alice: User) -> None:
    data = SCHEMA | {"labels": [*SCHEMA["labels"], {"name": "Test", "definition": "An examination."}]}
    add_schema_version(project=lab.project, schema=schema_from_json(data), actor=alice, now=NOW)
    found = problems(lab)
    assert len(found) == 2
    assert "“Trained” suggests in schema version 1, and version 2 counts" in found[0]


def test_too_few_finished_test_notes_are_refused(lab: Lab) -> None:
    kept = lab.documents[: FEWEST_NOTES - 1]
    Annotation.objects.exclude(set__document__in=kept).delete()
    for document in lab.documents[FEWEST_NOTES - 1 :]:
        document.annotation_sets.update(status="open", submitted_at=None)
    assert problems(lab) == ("9 notes of the locked test set are finished, and 10 are needed: have more of them read",)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_who_was_trained_on_test_patients_is_refused(lab: Lab, builds_dir: Path, part: str) -> None:
    train(lab, builds_dir, part=part)
    (problem,) = problems(lab)
    assert problem.startswith("“Trained” was trained on 1 patient of the locked test set (dataset 3): train it again")


def test_the_same_weights_are_known_under_another_schema(lab: Lab, builds_dir: Path) -> None:
    train(lab, builds_dir, part="train")
    run = TrainingRun.objects.get()
    again = make_labeler(lab.project, "Trained anew", decoding={"config": {"run": run.public_id}})
    found = plan_comparison(project=lab.project, candidate=again, current=lab.current).problems
    assert [problem.split("”")[0] for problem in found] == ["“Trained anew"]


def test_who_was_trained_on_others_is_not_refused(lab: Lab, builds_dir: Path) -> None:
    train(lab, builds_dir, part="train", patient="0" * 64)
    assert problems(lab) == ()


def test_what_stood_in_the_part_test_was_not_learned(lab: Lab, builds_dir: Path) -> None:
    train(lab, builds_dir, part="test")
    assert problems(lab) == ()


@pytest.mark.parametrize("is_removed", [True, False])
def test_a_training_that_nobody_can_look_into_is_refused(lab: Lab, builds_dir: Path, is_removed: bool) -> None:
    build = train(lab, builds_dir, part="test" if is_removed else None)
    if is_removed:
        DatasetBuild.objects.filter(pk=build.pk).update(files_removed_at=NOW)
    (problem,) = problems(lab)
    assert "does not tell what was in it" in problem


@pytest.mark.parametrize("kept", [{}, {"test_set": {"build": 9}}, {"test_set": {"build": 1}}])
def test_a_dataset_without_identifiers_counts_where_the_test_set_was_locked_before(
    lab: Lab, builds_dir: Path, kept: dict[str, Any]
) -> None:
    build = train(lab, builds_dir, part="train", patient="0" * 64)
    DatasetBuild.objects.filter(pk=build.pk).update(options={"identifiers": "replace"}, manifest=kept)
    found = problems(lab)
    if kept == {"test_set": {"build": 1}}:
        assert found == ()
    else:
        (problem,) = found
        assert "does not tell what was in it" in problem


def test_prompts_with_examples_of_test_patients_are_refused_and_a_new_pool_has_none(lab: Lab, alice: User) -> None:
    LockedGroup.objects.all().delete()
    LockedTestSet.objects.all().delete()
    pool = freeze_pool(project=lab.project, actor=alice, now=NOW)
    lock(lab.project, lab.documents[2:], alice)
    shows = make_labeler(lab.project, "Shows", pool=pool, n_examples=3)
    found = plan_comparison(project=lab.project, candidate=shows, current=lab.current).problems
    assert found == (
        "the prompts of “Shows” show examples of 5 patients of the locked test set (example pool 1): freeze a new "
        "pool, which leaves them out, and make a labeler with it",
    )
    later = freeze_pool(project=lab.project, actor=alice, now=NOW)
    assert {example.patient_id for example in later.examples.all()} == {"patient-00"}
    clean = make_labeler(lab.project, "Clean", pool=later, n_examples=3)
    assert plan_comparison(project=lab.project, candidate=clean, current=lab.current).problems == ()


def test_an_imported_labeler_that_has_not_read_all_is_refused(lab: Lab) -> None:
    imported = make_labeler(lab.project, "Theirs", backend="import")
    found = plan_comparison(project=lab.project, candidate=imported, current=lab.current).problems
    assert found == ("“Theirs” came with an import, and has not read 12 notes of the test set",)


def test_one_that_finds_identifiers_and_one_that_does_not_have_no_label_in_common(lab: Lab, alice: User) -> None:
    schema = with_identifiers(lab.project.schema_versions.get().schema)
    add_schema_version(project=lab.project, schema=schema, actor=alice, now=NOW)
    one, other = make_labeler(lab.project, "Rules 2"), make_labeler(lab.project, "Names", backend="presidio")
    plan = plan_comparison(project=lab.project, candidate=one, current=other)
    assert plan.problems == ("no label is asked of both: one finds identifiers, the other does not",)
    assert plan_comparison(project=lab.project, candidate=one, current=make_labeler(lab.project, "Rules 3")).labels == (
        "Problem",
        "Medication",
    )


def test_only_what_a_labeler_has_not_read_is_read(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert comparison.current_run is None
    assert comparison.candidate_run is not None
    assert comparison.candidate_run.purpose == "comparison"
    assert comparison.candidate_run.jobs.count() == 12
    assert AuditEvent.objects.get(verb="comparison.start").detail == {
        "candidate": lab.candidate.pk,
        "current": lab.current.pk,
        "n_notes": 12,
        "n_to_read": 12,
    }


def test_the_job_waits_for_the_runs_and_the_end_of_one_rings_for_it(lab: Lab, alice: User, bells: Bells) -> None:
    comparison = start(lab, alice)
    for _ in range(jobs.MAX_ATTEMPTS + 1):
        waiting = work(comparison)
        assert (waiting.job.status, waiting.job.attempts) == ("queued", 0)
    run = comparison.candidate_run
    assert run is not None
    with bells.after_commit():
        read_all(run)
    assert ("annotator.compare_when_read", (run.pk,), "main") in bells
    assert "annotator.route_jobs" not in bells.tasks()
    bells.clear()
    with bells.after_commit():
        ring_comparisons(run_id=run.pk)
    assert bells == [("annotator.run_comparison", (comparison.job_id,), "main")]
    bells.clear()
    with bells.after_commit():
        jobs.ring_again(now=NOW)
    assert ("annotator.run_comparison", (comparison.job_id,), "main") in bells
    assert work(comparison).job.status == "done"
    assert not Notice.objects.filter(kind__in=[Kind.RUN_DONE, Kind.RUN_FAILED]).exists()


def test_the_report_says_who_is_better_on_what(lab: Lab, alice: User) -> None:
    report = make_comparison(lab, alice).report
    overall = report["overall"]["strict"]
    assert (report["n_notes"], report["n_patients"], report["n_spans"], report["n_finished"]) == (12, 6, 24, 12)
    assert overall["candidate"]["f1"] == 1.0
    assert overall["current"]["f1"] == pytest.approx(2 * 12 / (36 + 24))
    assert overall["difference"]["interval"] == pytest.approx([0.6, 0.6])
    assert report["labels"]["Medication"]["overlap"]["current"]["f1"] == 1.0
    assert report["sides"]["current"]["invented_rate"] == 0.25
    assert report["scores"]["candidate"] == {"calibrator": None, "n_fitted_here": 0}
    assert report["unread"]["candidate"] == {"n": 0, "notes": []}
    assert report["test_set"] == {"build": 1, "n_patients": 6}
    assert report["parted"] == {
        "won": 24,
        "lost": 0,
        "labels": {"Medication": {"won": 12, "lost": 0}, "Problem": {"won": 12, "lost": 0}},
    }
    assert "chest pain" not in json.dumps(report)
    assert Notice.objects.get(user=alice, kind=Kind.COMPARISON_DONE).detail == {"number": 1, "n_notes": 12}
    assert AuditEvent.objects.get(verb="comparison.finish").detail["gold_sha256"] == report["gold_sha256"]


def test_the_digest_of_gold_changes_with_it(lab: Lab, alice: User) -> None:
    first = make_comparison(lab, alice).report["gold_sha256"]
    again = work(start(lab, alice))
    assert (again.number, again.candidate_run) == (2, None)
    assert again.report["gold_sha256"] == first
    Annotation.objects.filter(set__document=lab.documents[0], label="Problem").update(label="Medication")
    assert work(start(lab, alice)).report["gold_sha256"] != first


def test_what_was_won_stands_beside_what_both_say_there(lab: Lab, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    of_note = ComparedSpan.objects.filter(comparison=comparison, document=lab.documents[0]).order_by("deed")
    assert [(span.deed, span.is_won, span.fragments, span.label) for span in of_note] == [
        ("false", True, "0 10", "Problem"),
        ("found", True, "42 51", "Medication"),
    ]
    assert of_note[1].around == {
        "gold": [["42 51", "Medication"]],
        "candidate": [["42 51", "Medication"]],
        "current": [["42 45", "Medication"]],
    }


def test_notes_that_could_not_be_read_are_named_and_left_out(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert comparison.candidate_run is not None
    read_all(comparison.candidate_run, failing=[lab.documents[0].pk])
    jobs.ring_again(now=NOW)
    LabelRun.objects.filter(pk=comparison.candidate_run.pk).update(status="done")
    report = work(comparison).report
    assert report["n_notes"] == 11
    assert report["unread"]["candidate"] == {"n": 1, "notes": [lab.documents[0].public_id]}


def test_too_few_notes_that_both_have_read_fail_it(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert comparison.candidate_run is not None
    read_all(comparison.candidate_run, failing=[found.pk for found in lab.documents[:5]])
    LabelRun.objects.filter(pk=comparison.candidate_run.pk).update(status="done")
    failed = work(comparison)
    assert failed.job.status == "failed"
    assert failed.job.error == "both have read 7 of the notes, and 10 are needed: the runs say why"
    assert Notice.objects.filter(user=alice, kind=Kind.COMPARISON_FAILED).count() == 1


def test_a_run_that_was_stopped_fails_it(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert comparison.candidate_run is not None
    cancel_run(run=comparison.candidate_run, actor=alice, now=NOW)
    assert "run 2 was stopped" in work(comparison).job.error


def test_a_cancel_stops_the_job_and_its_runs(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert cancel_comparison(comparison=comparison, actor=alice, now=NOW)
    comparison.refresh_from_db()
    assert comparison.job.status == "cancelled"
    assert LabelRun.objects.get(purpose="comparison").status == "cancelled"
    assert not LabelJob.objects.filter(run=comparison.candidate_run, status="queued").exists()
    assert not cancel_comparison(comparison=comparison, actor=alice, now=NOW)
    assert AuditEvent.objects.filter(verb="comparison.cancel").count() == 1


def test_who_unlocks_the_test_set_meanwhile_fails_it(lab: Lab, alice: User) -> None:
    comparison = start(lab, alice)
    assert comparison.candidate_run is not None
    read_all(comparison.candidate_run)
    LockedGroup.objects.all().delete()
    LockedTestSet.objects.all().delete()
    assert "unlocked meanwhile" in work(comparison).job.error


def test_notes_that_were_decided_in_with_suggestions_in_view_are_assisted(lab: Lab, alice: User, bob: User) -> None:
    LabelJob.objects.update(routed_at=NOW)
    for document in lab.documents[:2]:
        decide(document, bob, ReviewItem.Stream.UNCERTAIN)
    decide(lab.documents[2], bob, ReviewItem.Stream.BLIND)
    taken = Annotation.objects.get(set__document=lab.documents[0], label="Problem")
    Annotation.objects.filter(pk=taken.pk).update(
        origin=lab.documents[0].suggestions.filter(label="Problem").earliest("pk")
    )
    assisted = make_comparison(lab, alice).report["assisted"]
    assert (assisted["n_notes"], assisted["n_spans"], assisted["n_notes_alone"]) == (2, 4, 10)
    assert assisted["labelers"] == [{"name": "Rules", "side": "current", "n_in_view": 4, "n_taken": 1}]
    assert assisted["alone"]["n_notes"] == 10
    assert assisted["alone"]["overall"]["strict"]["candidate"]["f1"] == 1.0


def test_where_nothing_is_assisted_it_is_not_told_twice(lab: Lab, alice: User) -> None:
    assisted = make_comparison(lab, alice).report["assisted"]
    assert (assisted["n_notes"], assisted["alone"], assisted["labelers"]) == (0, None, [])


@pytest.mark.usefixtures("no_disk")
def test_a_purge_of_a_patient_takes_their_spans_and_leaves_the_figures(lab: Lab, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    tombstone = purge_notes(project=lab.project, doomed=Doomed(patient_id="patient-00"), actor=alice, now=NOW)
    jobs.run_job(job_id=tombstone.job_id, work=lambda job: run_purge(job=job, clock=lambda: NOW), clock=lambda: NOW)
    assert not ComparedSpan.objects.filter(document__in=lab.documents[:2]).exists()
    assert ComparedSpan.objects.filter(comparison=comparison).count() == 20
    tombstone.refresh_from_db()
    assert tombstone.counts["n_compared_spans"] == 4
    comparison.refresh_from_db()
    assert comparison.report["n_notes"] == 12


@pytest.mark.usefixtures("no_disk")
def test_a_purge_of_the_project_takes_the_comparison_and_its_job(lab: Lab, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    tombstone = purge_project(project=lab.project, actor=alice, now=NOW)
    jobs.run_job(job_id=tombstone.job_id, work=lambda job: run_purge(job=job, clock=lambda: NOW), clock=lambda: NOW)
    tombstone.refresh_from_db()
    assert tombstone.counts["n_labeler_comparisons"] == 1
    assert not LabelerComparison.objects.exists()
    assert not Job.objects.filter(pk=comparison.job_id).exists()
