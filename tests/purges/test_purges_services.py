from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from annotator.accounts.models import ApiToken, User
from annotator.audit.models import AuditEvent
from annotator.audit.services import first_broken_event
from annotator.builds.models import DatasetBuild
from annotator.core.csv_rows import CsvLayout
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.exchange.sources import name_in_errors
from annotator.exchange.spool import make_folder
from annotator.exchange.uploads import create_import
from annotator.jobs.models import Job
from annotator.jobs.services import MAX_ATTEMPTS, JobLost, claim_job, run_job
from annotator.notices.models import Notice
from annotator.projects.models import Membership, Project
from annotator.projects.selectors import project_named
from annotator.purges import services
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed, doomed_by_note, doomed_by_patient, doomed_notes, toll_of
from annotator.purges.services import (
    PurgeRefused,
    purge_notes,
    purge_project,
    run_purge,
    set_retention,
    start_due_purges,
    take_up_purges,
)
from annotator.suggestions.models import ExamplePool, LabelJob, LabelRun
from annotator.suggestions.prompts import PoolIncomplete, prompt_of
from annotator.suggestions.services import LabelerSpec, RunRefused, claim_jobs, labeler_for, retry_run, start_run
from annotator.web.ids import new_public_id
from tests.cast import NOW, Bells, make_document, make_notice
from tests.purges.scene import (
    CANARY,
    OTHER,
    PATIENT,
    KilledError,
    build,
    die_at,
    files_with,
    finish,
    make_scene,
    rows_with,
    upload,
)

pytestmark = pytest.mark.usefixtures("bells")
DOOMED = Doomed(patient_id=PATIENT)


@pytest.fixture
def scene(project: Project, bob: User, dana: User, bells: Bells) -> Project:
    make_scene(project, bob, dana)
    return project


def ask(project: Project, actor: User | None = None, doomed: Doomed = DOOMED) -> Tombstone:
    return purge_notes(project=project, doomed=doomed, actor=actor, now=NOW)


def ask_whole(project: Project, actor: User | None = None) -> Tombstone:
    return purge_project(project=project, actor=actor, now=NOW)


def purge_the_rest(project: Project) -> None:
    """The note that names nobody has the canary too."""
    note = Document.objects.get(project=project, patient_id="")
    finish(ask(project, doomed=Doomed(note=note.public_id)))


# A patient


def test_no_table_and_no_file_keeps_a_word_of_the_patient(scene: Project, folders: Path) -> None:
    purge_the_rest(scene)
    assert len(rows_with(CANARY)) == 12
    assert files_with(CANARY, folders)
    done = finish(ask(scene))
    assert done.purged_at == NOW
    assert rows_with(CANARY) == []
    assert files_with(CANARY, folders) == []


def test_a_pool_with_examples_of_the_patient_is_used_no_more_and_keeps_the_others(scene: Project) -> None:
    pool = ExamplePool.objects.get()
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1", pool=pool, n_examples=3)
    labeler = labeler_for(project=scene, schema_version=scene.schema_versions.get(), spec=spec, now=NOW)
    assert prompt_of(labeler).pool
    n_of_others = pool.examples.filter(patient_id=OTHER).count()
    tombstone = ask(scene)
    with pytest.raises(PoolIncomplete, match="to a purge"):
        prompt_of(labeler)
    finish(tombstone)
    assert 0 < pool.examples.count() == n_of_others
    with pytest.raises(RunRefused, match="make a new labeler"):
        start_run(project=scene, labeler=labeler, documents=scene.documents.all(), actor=None, now=NOW)


def test_everything_of_other_patients_stays(scene: Project) -> None:
    other = Document.objects.get(patient_id=OTHER)
    finish(ask(scene))
    assert set(Document.objects.values_list("patient_id", flat=True)) == {OTHER, ""}
    assert other.annotation_sets.count() == 1
    assert other.suggestions.count() == 2
    assert other.label_jobs.count() == 1
    assert scene.memberships.count() == 3


def test_the_tombstone_keeps_ids_and_counts(scene: Project, alice: User) -> None:
    ids = list(Document.objects.filter(patient_id=PATIENT).order_by("pk").values_list("public_id", flat=True))
    done = finish(ask(scene, alice))
    assert done.document_ids == ids
    assert (done.project, done.asked_by, done.patient_id) == (scene.public_id, alice, "")
    assert done.counts == {
        "n_notes": 2,
        "n_suggestions": 4,
        "n_candidates": 2,
        "n_annotations": 3,
        "n_relations": 1,
        "n_document_values": 1,
        "n_sets": 2,
        "n_decisions": 5,
        "n_review_items": 6,
        "n_label_jobs": 2,
        "n_prompt_examples": 24,
        "n_pool_wishes": 3,
        "n_builds": 1,
        "n_comparisons": 2,
    }


def test_the_chain_tells_who_asked_and_what_went(scene: Project, alice: User) -> None:
    done = finish(ask(scene, alice))
    asked, finished = AuditEvent.objects.filter(verb__startswith="purge.").order_by("number")
    assert (asked.verb, asked.actor, asked.object_id) == ("purge.ask", alice, done.public_id)
    assert asked.detail == {"subject": "patient", "cause": "asked", "n_notes": 2}
    assert (finished.verb, finished.detail) == ("purge.finish", done.counts)
    assert first_broken_event(project=scene.public_id) is None


def test_the_notes_are_out_of_reach_before_a_worker_comes(scene: Project) -> None:
    ask(scene)
    assert not Document.objects.filter(project=scene, patient_id=PATIENT).exists()
    assert doomed_by_patient(project=scene, patient_id=PATIENT) is None


def test_their_datasets_are_closed_before_a_worker_comes(scene: Project) -> None:
    ask(scene)
    made = DatasetBuild.objects.get()
    assert made.files_removed_at == NOW
    assert "definition" not in made.manifest["schema"]
    assert "name" not in made.manifest
    assert made.manifest["data_sha256"]


def test_a_dataset_without_them_keeps_its_files(scene: Project, dana: User, folders: Path) -> None:
    finish(ask(scene))
    later = build(scene, dana)
    finish(ask(scene, doomed=Doomed(note=Document.objects.get(patient_id="").public_id)))
    later.refresh_from_db()
    assert later.files_removed_at is None
    assert files_with("Cough", folders / "builds" / later.public_id)


def test_a_dataset_that_does_not_say_what_it_holds_loses_its_files(scene: Project) -> None:
    DatasetBuild.documents.through.objects.all().delete()
    finish(ask(scene))
    assert DatasetBuild.objects.get().files_removed_at == NOW


def test_one_note_that_names_nobody_goes_alone(scene: Project) -> None:
    note = Document.objects.get(patient_id="")
    done = finish(ask(scene, doomed=Doomed(note=note.public_id)))
    assert (done.subject, done.document_ids) == ("note", [note.public_id])
    assert Document.objects.filter(project=scene).count() == 3


def test_a_note_of_a_patient_is_not_purged_alone(scene: Project) -> None:
    note = Document.objects.filter(patient_id=PATIENT).first()
    assert doomed_by_note(project=scene, note=note.external_id) == DOOMED
    with pytest.raises(PurgeRefused):
        ask(scene, doomed=Doomed(note=note.public_id))


def test_a_patient_of_another_project_is_not_found(scene: Project, other_project: Project) -> None:
    assert doomed_by_patient(project=other_project, patient_id=PATIENT) is None
    with pytest.raises(PurgeRefused):
        ask(other_project)
    assert Tombstone.objects.count() == 0


def test_who_asks_second_gets_the_purge_of_who_asked_first(scene: Project, alice: User) -> None:
    first = ask(scene, alice)
    assert ask(scene) == first
    note = Doomed(note=Document.objects.get(patient_id="", project=scene).public_id)
    assert ask(scene, doomed=note) == ask(scene, doomed=note)
    assert Tombstone.objects.count() == 2


def test_the_toll_is_what_then_goes(scene: Project) -> None:
    toll = toll_of(project=scene, notes=doomed_notes(project=scene, doomed=DOOMED))
    done = finish(ask(scene))
    assert (toll.n_notes, toll.n_annotations, toll.n_decisions, toll.n_builds) == tuple(
        done.counts[name] for name in ("n_notes", "n_annotations", "n_decisions", "n_builds")
    )


# Uploads


def test_an_upload_that_holds_the_patient_goes_with_its_files(scene: Project, dana: User, folders: Path) -> None:
    theirs = upload(scene, dana, {"id": "n9", "patient_id": PATIENT, "text": CANARY})
    others = upload(scene, dana, {"id": "n8", "patient_id": OTHER, "text": "Cough"})
    finish(ask(scene))
    assert list(Import.objects.all()) == [others]
    assert not (folders / "spool" / theirs.public_id).exists()
    assert (folders / "spool" / others.public_id).exists()


def test_an_upload_is_read_by_the_layout_that_was_chosen(project: Project, dana: User, folders: Path) -> None:
    make_document(project, patient_id=PATIENT)
    public_id = new_public_id()
    (make_folder(public_id) / "1").write_text(f"mrn,narrative\n{PATIENT},{CANARY} is ill\n")
    create_import(
        project=project,
        public_id=public_id,
        names=[("1", "notes.csv")],
        n_other_files=0,
        actor=dana,
        now=NOW,
        csv_layout=CsvLayout(text=1, patient_id=0),
    )
    finish(ask(project))
    assert not Import.objects.exists()
    assert not (folders / "spool" / public_id).exists()


def test_an_import_that_waits_is_cancelled(scene: Project, dana: User, folders: Path) -> None:
    item = upload(scene, dana, {"id": f"{CANARY}-1", "text": CANARY})
    item.job = Job.objects.create(kind=Job.Kind.IMPORT, created_at=NOW)
    item.save()
    finish(ask(scene))
    item.refresh_from_db()
    assert item.job.status == Job.Status.CANCELLED
    assert not (folders / "spool" / item.public_id).exists()


def test_errors_of_imports_no_longer_name_the_patient(scene: Project, dana: User) -> None:
    item = Import(project=scene, created_by=dana, created_at=NOW, status=Import.Status.STARTED)
    errors = [{"where": f"{CANARY}-1.txt", "message": "bad"}, {"where": "x", "message": f"of {PATIENT}"}]
    item.result = {"look": {"errors": errors[:1]}, "report": {"errors": [*errors, {"where": "y", "message": "kept"}]}}
    item.job = Job.objects.create(kind=Job.Kind.IMPORT, status=Job.Status.FAILED, created_at=NOW)
    item.save()
    finish(ask(scene))
    item.refresh_from_db()
    assert item.result == {"look": {"errors": []}, "report": {"errors": [{"where": "y", "message": "kept"}]}}


def test_errors_name_a_patient_by_a_whole_word_and_by_what_is_shown_of_a_long_name(scene: Project, dana: User) -> None:
    long = f"{'ward/' * 30}{CANARY}.txt"
    make_document(scene, external_id=long, patient_id=PATIENT)
    Document.objects.filter(external_id=f"{CANARY}-1").update(external_id="1")
    kept = {"where": "row 10", "message": "empty"}
    errors = [{"where": name_in_errors(long), "message": "bad"}, {"where": "row 2", "message": "of note 1"}, kept]
    item = Import.objects.create(project=scene, created_by=dana, created_at=NOW, result={"look": {"errors": errors}})
    finish(ask(scene))
    item.refresh_from_db()
    assert item.result == {"look": {"errors": [kept]}}


def test_notes_that_an_import_brought_in_late_go_as_well(scene: Project) -> None:
    tombstone = ask(scene)
    make_document(scene, external_id=f"{CANARY}-1", patient_id=PATIENT)
    assert finish(tombstone).counts["n_notes"] == 3
    assert not Document.objects.filter(patient_id=PATIENT).exists()


# A project


def test_no_table_and_no_file_keeps_a_word_of_the_project(scene: Project, dana: User, folders: Path) -> None:
    upload(scene, dana, {"id": "n9", "text": CANARY})
    name, slug = scene.name, scene.slug
    done = finish(ask_whole(scene))
    assert done.purged_at == NOW
    for word in (CANARY, name, slug, "metformin"):
        assert rows_with(word) == [], word
    assert files_with(CANARY, folders) == []
    assert not Project.objects.exists()
    assert set(Job.objects.values_list("kind", flat=True)) == {"purge"}


def test_the_project_is_gone_for_everybody_before_a_worker_comes(scene: Project, alice: User) -> None:
    slug = scene.slug
    ask_whole(scene, alice)
    assert not Membership.objects.exists()
    assert project_named(slug) is None


def test_notices_of_the_project_count_no_more_at_once_and_go_with_it(
    scene: Project, dana: User, other_project: Project, charlie: User
) -> None:
    kept = make_notice(other_project, charlie)
    dana.refresh_from_db()
    assert dana.n_unread_notices == scene.dataset_builds.count() == 1
    tombstone = ask_whole(scene)
    dana.refresh_from_db()
    assert dana.n_unread_notices == 0
    assert finish(tombstone).counts["n_notices"] == 1
    assert list(Notice.objects.all()) == [kept]


def test_a_new_project_may_have_the_short_name(scene: Project, alice: User) -> None:
    slug = scene.slug
    tombstone = ask_whole(scene, alice)
    Project.objects.create(slug=slug, name="New", created_at=NOW)
    finish(tombstone)
    assert Project.objects.get().slug == slug


def test_tokens_that_open_the_project_alone_are_revoked(scene: Project, alice: User) -> None:
    tokens = {
        project: ApiToken.objects.create(
            user=alice, name=project or "all", token_sha256=project, project=project, created_at=NOW
        )
        for project in (scene.public_id, "another")
    }
    ask_whole(scene)
    for token in tokens.values():
        token.refresh_from_db()
    assert tokens[scene.public_id].revoked_at == NOW
    assert tokens["another"].revoked_at is None


def test_the_chain_outlives_the_project(scene: Project, alice: User) -> None:
    n_before = AuditEvent.objects.count()
    done = finish(ask_whole(scene, alice))
    assert AuditEvent.objects.filter(chain__project=scene.public_id).count() == n_before + 2
    assert first_broken_event(project=scene.public_id) is None
    assert done.document_ids == []
    assert done.counts["n_notes"] == 4
    assert done.counts["n_runs"] == 4


def test_two_who_ask_for_the_project_get_one_purge(scene: Project, alice: User) -> None:
    stale = Project.objects.get(pk=scene.pk)
    assert ask_whole(scene, alice) == ask_whole(stale, alice)


def test_a_project_takes_the_unfinished_purges_of_its_patients_along(scene: Project) -> None:
    patient = ask(scene)
    whole = ask_whole(scene)
    assert finish(whole).purged_at
    assert not Project.objects.exists()
    assert finish(patient).purged_at
    assert rows_with(CANARY) == []


def test_another_project_is_not_touched(scene: Project, other_project: Project) -> None:
    make_document(other_project, external_id=f"{CANARY}-1", patient_id=PATIENT)
    finish(ask_whole(scene))
    assert Document.objects.get().project == other_project


# Workers that die, and workers that are at it


@pytest.mark.parametrize("step", range(7))
def test_a_purge_that_was_killed_goes_on_from_there(
    scene: Project, step: int, monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    monkeypatch.setattr(services, "BATCH", 1)
    purge_the_rest(scene)
    tombstone = ask(scene)
    with pytest.raises(KilledError):
        run_job(job_id=tombstone.job_id, work=die_at(step), clock=lambda: NOW)
    done = finish(tombstone, now=NOW + timedelta(hours=1))
    assert done.purged_at == NOW + timedelta(hours=1)
    assert done.counts["n_notes"] == 2
    assert rows_with(CANARY) == []
    assert files_with(CANARY, folders) == []


def test_a_purge_is_never_given_up(scene: Project, bells: Bells) -> None:
    tombstone = ask(scene)
    later = NOW + services.TRY_AGAIN_AFTER + timedelta(seconds=1)
    Job.objects.filter(pk=tombstone.job_id).update(
        status=Job.Status.FAILED, attempts=MAX_ATTEMPTS, finished_at=NOW, error="x"
    )
    assert take_up_purges(now=NOW) == 0
    assert take_up_purges(now=later) == 1
    assert finish(tombstone, now=later).purged_at


def test_the_disk_is_cleared_after_the_last_word_is_gone(scene: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    purge_the_rest(scene)
    left: list[list[str]] = []
    monkeypatch.setattr(services, "clear_disk", lambda: left.append(rows_with(CANARY)))
    finish(ask(scene))
    assert left == [[]]


def test_a_worker_that_lost_the_purge_deletes_nothing_more(scene: Project) -> None:
    tombstone = ask(scene)
    slow = claim_job(job_id=tombstone.job_id, now=NOW)
    assert slow is not None
    Job.objects.filter(pk=slow.pk).update(run_token="another")
    with pytest.raises(JobLost):
        run_purge(job=slow, clock=lambda: NOW)
    assert Document.objects.filter(patient_id=PATIENT).count() == 2


def test_notes_that_wait_for_a_labeler_are_not_read_any_more(scene: Project) -> None:
    LabelJob.objects.filter(document__patient_id=PATIENT).update(status=LabelJob.Status.QUEUED)
    ask(scene)
    statuses = LabelJob.objects.filter(document__patient_id=PATIENT).values_list("status", flat=True)
    assert set(statuses) == {LabelJob.Status.CANCELLED}


def test_notes_out_of_reach_are_not_tried_again(scene: Project, alice: User) -> None:
    LabelJob.objects.filter(document__patient_id=PATIENT).update(status=LabelJob.Status.QUEUED)
    run = LabelJob.objects.filter(document__patient_id=PATIENT).first().run
    LabelRun.objects.filter(pk=run.pk).update(status=LabelRun.Status.RUNNING)
    ask(scene)
    assert retry_run(run=run, actor=alice, now=NOW) == 0
    LabelJob.objects.filter(document__patient_id=PATIENT).update(status=LabelJob.Status.QUEUED)  # handed back
    assert claim_jobs(run_id=run.pk, worker="w", now=NOW) == []


# Retention


def test_a_project_is_purged_once_when_its_last_day_is_over(scene: Project, alice: User) -> None:
    set_retention(project=scene, until=NOW.date() + timedelta(days=2), actor=alice, now=NOW)
    assert start_due_purges(now=NOW + timedelta(days=2)) == 0
    assert start_due_purges(now=NOW + timedelta(days=3)) == 1
    assert start_due_purges(now=NOW + timedelta(days=3)) == 0
    tombstone = Tombstone.objects.get()
    assert (tombstone.cause, tombstone.asked_by, tombstone.project) == ("retention", None, scene.public_id)
    assert finish(tombstone).purged_at


def test_a_last_day_that_is_put_off_at_the_last_moment_counts(
    scene: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.objects.filter(pk=scene.pk).update(retain_until=NOW.date() - timedelta(days=1))
    lock = services.lock_projects

    def put_off(*projects: Project) -> None:
        set_retention(project=scene, until=NOW.date() + timedelta(days=90), actor=alice, now=NOW)
        lock(*projects)

    monkeypatch.setattr(services, "lock_projects", put_off)
    start_due_purges(now=NOW)
    assert not Tombstone.objects.exists()
    assert scene.memberships.exists()


def test_a_last_day_can_be_taken_away(scene: Project, alice: User) -> None:
    set_retention(project=scene, until=NOW.date() + timedelta(days=1), actor=alice, now=NOW)
    set_retention(project=scene, until=None, actor=alice, now=NOW)
    assert start_due_purges(now=NOW + timedelta(days=9)) == 0
    set_days = AuditEvent.objects.filter(verb="retention.set").order_by("number")
    assert list(set_days.values_list("detail", flat=True)) == [{"until": "2026-03-03"}, {"until": None}]


@pytest.mark.parametrize("days", [0, -1])
def test_a_last_day_lies_in_the_future(scene: Project, alice: User, days: int) -> None:
    with pytest.raises(PurgeRefused):
        set_retention(project=scene, until=date(2026, 3, 2) + timedelta(days=days), actor=alice, now=NOW)


def test_runs_of_a_purged_project_are_stopped(scene: Project) -> None:
    LabelRun.objects.update(status=LabelRun.Status.RUNNING)
    ask_whole(scene)
    assert set(LabelRun.objects.values_list("status", flat=True)) == {LabelRun.Status.CANCELLED}
