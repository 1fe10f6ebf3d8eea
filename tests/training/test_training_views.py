from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.builds.services import withdraw_files
from annotator.builds.test_sets import lock_test_set
from annotator.core.prompting import COMPACT
from annotator.jobs.models import Job
from annotator.jobs.services import record_beat
from annotator.projects.models import Project
from annotator.training.folders import LOG, model_folder
from annotator.training.models import TrainingPoint, TrainingRun
from annotator.training.pages import TABLE_ROWS
from annotator.training.services import withdraw_weights
from tests.cast import HTMX, NOW, body, sign_in
from tests.training.scene import REVISION, FakeTrain, Outcome, begin, make_build, work

pytestmark = [pytest.mark.django_db]

FORM = {"kind": "spacy", "steps": 400, "look_every": 20, "patience": 5, "learning_rate": 0.001, "seed": 0}


@pytest.fixture
def dana_client(client: Client, dana: User) -> Client:
    return sign_in(client, dana)


@pytest.fixture
def done(training: TrainingRun) -> TrainingRun:
    return work(training)


def url(name: str, run: TrainingRun) -> str:
    return reverse(f"training:{name}", args=[run.project.public_id, run.public_id])


def new_url(project: Project) -> str:
    return reverse("training:new", args=[project.public_id])


def set_status(run: TrainingRun, status: str, **fields: Any) -> None:
    Job.objects.filter(pk=run.job.pk).update(status=status, **fields)


def test_a_list_without_a_training_says_what_one_is(dana_client: Client, project: Project) -> None:
    page = body(dana_client.get(reverse("training:trainings", args=[project.public_id])))
    assert "No training yet" in page
    assert new_url(project) in page


def test_the_list_shows_trainings_newest_first(dana_client: Client, done: TrainingRun, dana: User) -> None:
    begin(done.build, dana)
    page = body(dana_client.get(reverse("training:trainings", args=[done.project.public_id])))
    assert page.index("Training 2") < page.index("Training 1")
    assert "Waiting" in page
    assert "Trained" in page
    assert REVISION[:12] in page
    assert "Ward &lt;b&gt;" in page


def test_the_list_takes_the_same_number_of_queries_for_many(
    dana_client: Client, done: TrainingRun, dana: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        begin(done.build, dana)
    dana_client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(8):
        dana_client.get(reverse("training:trainings", args=[done.project.public_id]))


def test_a_datasets_page_leads_to_a_training_of_it(dana_client: Client, build: DatasetBuild) -> None:
    page = body(dana_client.get(reverse("builds:build", args=[build.project.public_id, build.public_id])))
    assert f"{new_url(build.project)}?build={build.public_id}" in page
    withdraw_files(builds=DatasetBuild.objects.all(), now=NOW)
    page = body(dana_client.get(reverse("builds:build", args=[build.project.public_id, build.public_id])))
    assert new_url(build.project) not in page


def test_the_form_without_a_dataset_says_what_to_do(dana_client: Client, project: Project) -> None:
    page = body(dana_client.get(new_url(project)))
    assert "No dataset to learn from" in page
    assert reverse("builds:new", args=[project.public_id]) in page


def test_the_form_shows_its_checks(dana_client: Client, build: DatasetBuild) -> None:
    page = body(dana_client.get(new_url(build.project)))
    for said in (
        "Reads the format jsonl",
        "Few notes to learn from",
        "fewer than 30 spans",
        "Without a locked test set it cannot be compared",
        "No training worker is running",
    ):
        assert said in page
    record_beat(name="w", queues="train", model_id="", device="", memory_bytes=1, started_at=NOW, now=timezone.now())
    assert "No training worker is running" not in body(dana_client.get(new_url(build.project)))


def test_the_form_of_an_adapter_warns_of_what_stands_in_the_way(
    dana_client: Client, project: Project, bob: User, dana: User
) -> None:
    build = make_build(project, bob, dana, template=COMPACT)
    asked = {"kind": "lora", "build": build.public_id}
    page = body(dana_client.get(new_url(project), asked))
    assert 'name="base" value="gemma"' in page
    assert "The base is looked for when it begins" in page
    checks = body(dana_client.get(new_url(project), {**asked, "base": "google/medgemma-4b-it"}, headers=HTMX))
    assert "<html" not in checks
    assert "Blocks: </span>Its rows do not ask as this base is asked" in checks
    checks = body(dana_client.get(new_url(project), {**asked, "base": "/etc"}, headers=HTMX))
    assert "an id of the hub" in checks
    other = make_build(project, bob, dana)
    asked = {"kind": "lora", "build": other.public_id, "base": "google/medgemma-4b-it"}
    checks = body(dana_client.get(new_url(project), asked, headers=HTMX))
    assert "MedGemma&#x27;s terms go with the model" in checks


def test_the_checks_tell_whether_the_locked_test_set_is_kept_out(
    dana_client: Client, build: DatasetBuild, project: Project, alice: User, bob: User, dana: User
) -> None:
    later = make_build(project, bob, dana, seed=7)
    lock_test_set(build=later, actor=alice, now=NOW)
    checks = body(dana_client.get(new_url(project), {"build": build.public_id}, headers=HTMX))
    assert "built without the locked test set" in checks
    kept = make_build(project, bob, dana)
    for good in (later, kept):
        checks = body(dana_client.get(new_url(project), {"build": good.public_id}, headers=HTMX))
        assert "The locked test set is kept out of it" in checks


def test_the_form_takes_few_queries(
    dana_client: Client, build: DatasetBuild, django_assert_max_num_queries: Any
) -> None:
    dana_client.get(reverse("home"))
    with django_assert_max_num_queries(9):
        dana_client.get(new_url(build.project))


def test_a_training_is_started_and_gone_to(dana_client: Client, build: DatasetBuild) -> None:
    response = dana_client.post(new_url(build.project), {**FORM, "build": build.public_id})
    made = TrainingRun.objects.get()
    assert (response.status_code, response["Location"]) == (303, url("run", made))
    assert made.recipe == {name: FORM[name] for name in FORM if name != "kind"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": "0"}, "greater than or equal to 1"),
        ({"build": "a" * 16}, "not one of the available choices"),
        (
            {"kind": "lora", "base": "../x", "epochs": 1, "rank": 16, "batch_size": 16, "max_length": 64},
            "id of the hub",
        ),
    ],
)
def test_a_wrong_form_comes_back(dana_client: Client, build: DatasetBuild, wrong: dict[str, Any], said: str) -> None:
    response = dana_client.post(new_url(build.project), {**FORM, "build": build.public_id, **wrong})
    assert response.status_code == 422
    assert said in body(response)
    assert not TrainingRun.objects.exists()


def test_a_training_that_waits_polls_and_says_that_no_worker_runs(dana_client: Client, training: TrainingRun) -> None:
    page = body(dana_client.get(url("run", training)))
    assert "Waits for a worker." in page
    assert 'hx-trigger="every 2s"' in page
    assert "No training worker is running" in page
    assert url("cancel", training) in page
    part = body(dana_client.get(url("run", training), headers=HTMX))
    assert "<html" not in part


def test_a_training_that_moves_says_how_far_and_how_long(dana_client: Client, training: TrainingRun) -> None:
    set_status(training, "running", n_done=100, n_total=1000)
    TrainingPoint.objects.create(run=training, step=100, epoch=0.1, loss=2.0, seconds=60)
    page = body(dana_client.get(url("run", training)))
    assert "<b>Step 100 of 1,000</b>, about 9 min left." in page
    assert '<progress class="progress" data-wide value="100" max="1000"' in page
    assert "The curve appears after its second look" in page
    set_status(training, "cancelling")
    page = body(dana_client.get(url("run", training)))
    assert "<b>Stops</b> after step 100 of 1,000" in page
    assert "disabled" in page


def test_a_training_that_is_done_shows_curves_labeler_and_log(dana_client: Client, done: TrainingRun) -> None:
    page = body(dana_client.get(url("run", done)))
    assert "every 2s" not in page
    assert "<b>Learnt from 8 notes in 1 min</b>. F1 on the part dev was 0.75 at best, at step 40." in page
    assert "Loss by step: train from 4 to 1." in page
    assert "F1 on the part dev by step: from 0.25 to 0.75." in page
    assert REVISION in page
    assert "spaCy pipeline, training 1" in page
    assert "step 40/40 &lt;b&gt;" in page
    table = body(dana_client.get(url("run", done), {"curve": "table"}))
    assert '<th class="num" scope="row">40</th>' in table
    assert '<svg class="chart"' not in table


def test_a_long_table_has_the_newest_points(dana_client: Client, done: TrainingRun) -> None:
    TrainingPoint.objects.bulk_create(
        TrainingPoint(run=done, step=100 + step, epoch=1.0, loss=1.0, seconds=1) for step in range(TABLE_ROWS)
    )
    table = body(dana_client.get(url("run", done), {"curve": "table"}))
    assert f"the last {TABLE_ROWS} of {TABLE_ROWS + 3}" in table
    assert '<th class="num" scope="row">40</th>' not in table


def test_the_page_takes_few_queries_however_much_was_told(
    dana_client: Client, done: TrainingRun, django_assert_max_num_queries: Any
) -> None:
    TrainingPoint.objects.bulk_create(
        TrainingPoint(run=done, step=100 + step, epoch=1.0, loss=1.0, seconds=1) for step in range(1000)
    )
    dana_client.get(reverse("home"))
    with django_assert_max_num_queries(8):
        dana_client.get(url("run", done))


def test_a_training_that_failed_says_why_and_is_resumed(dana_client: Client, training: TrainingRun) -> None:
    work(training, FakeTrain(outcome=Outcome("refused", {}, "spacy is <not> installed")))
    page = body(dana_client.get(url("run", training)))
    assert "Spacy is &lt;not&gt; installed." in page
    assert url("resume", training) in page
    assert dana_client.post(url("resume", training)).status_code == 303
    training.job.refresh_from_db()
    assert training.job.status == "queued"


def test_a_training_is_cancelled(dana_client: Client, training: TrainingRun) -> None:
    assert dana_client.post(url("cancel", training)).status_code == 303
    page = body(dana_client.get(url("run", training)))
    assert "Cancelled" in page
    assert "Resume begins again from the start." in page


def test_what_a_purge_took_cannot_be_resumed_and_is_told(
    dana_client: Client, training: TrainingRun, build: DatasetBuild
) -> None:
    withdraw_weights(runs=TrainingRun.objects.all(), now=NOW)
    withdraw_files(builds=DatasetBuild.objects.all(), now=NOW)
    page = body(dana_client.get(url("run", training)))
    assert "The weights were removed</b> on 2 Mar 2026, because a purge took notes that they were learnt from." in page
    assert url("resume", training) not in page
    response = dana_client.post(url("resume", training))
    assert response.status_code == 409
    assert "start a new training" in body(response)


def test_the_log_is_given_whole_and_shown_in_part(dana_client: Client, done: TrainingRun) -> None:
    whole = "".join(f"line {number}\n" for number in range(1000))
    (model_folder(done) / LOG).write_text(whole)
    page = body(dana_client.get(url("run", done)))
    assert "line 999" in page
    assert "line 800" in page
    assert "line 799" not in page
    response = dana_client.get(url("log", done))
    assert b"".join(response).decode() == whole  # type: ignore[arg-type]
    assert response["Content-Disposition"] == 'attachment; filename="training-1-log.txt"'


def test_a_training_that_has_said_nothing_has_no_log(dana_client: Client, training: TrainingRun) -> None:
    assert dana_client.get(url("log", training)).status_code == 404
    assert "Log</h2>" not in body(dana_client.get(url("run", training)))


def test_a_lead_removes_weights_after_reading_what_goes(alice_client: Client, done: TrainingRun) -> None:
    assert url("remove", done) in body(alice_client.get(url("run", done)))
    page = body(alice_client.get(url("remove", done)))
    assert "“spaCy pipeline, training 1” reads no note any more" in page
    assert alice_client.post(url("remove", done)).status_code == 303
    page = body(alice_client.get(url("run", done)))
    assert "Weights removed" in page
    assert "Its weights are removed: it reads no note any more." in page
    assert url("remove", done) not in page


def test_weights_of_a_training_that_goes_on_are_not_removed(alice_client: Client, training: TrainingRun) -> None:
    assert "cancel it first" in body(alice_client.get(url("remove", training)))
    response = alice_client.post(url("remove", training))
    assert response.status_code == 409
    assert "cancel it first" in body(response)


def test_only_a_lead_removes_weights(dana_client: Client, done: TrainingRun) -> None:
    assert url("remove", done) not in body(dana_client.get(url("run", done)))
    assert dana_client.get(url("remove", done)).status_code == 403
    assert dana_client.post(url("remove", done)).status_code == 403


def test_an_outsider_finds_nothing(client: Client, done: TrainingRun, charlie: User) -> None:
    sign_in(client, charlie)
    for name in ("run", "remove", "log"):
        assert client.get(url(name, done)).status_code == 404
    for name in ("cancel", "resume", "remove"):
        assert client.post(url(name, done)).status_code == 404
    assert client.get(new_url(done.project)).status_code == 404


def test_who_annotates_sees_no_training(client: Client, done: TrainingRun, bob: User) -> None:
    sign_in(client, bob)
    assert client.get(url("run", done)).status_code == 403
    assert client.post(new_url(done.project), FORM).status_code == 403
