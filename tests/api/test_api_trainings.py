from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.builds.services import withdraw_files
from annotator.projects.models import Project
from annotator.training.folders import LOG, model_folder
from annotator.training.models import TrainingRun
from annotator.training.services import withdraw_weights
from tests.api.scene import Api, assert_problem, results
from tests.cast import NOW
from tests.training.scene import REVISION, begin, make_build, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def build(project: Project, bob: User, dana: User) -> DatasetBuild:
    return make_build(project, bob, dana)


@pytest.fixture
def api(project: Project, dana: User) -> Api:
    return Api(dana, project=project)


def test_a_training_is_started_watched_and_done(api: Api, build: DatasetBuild) -> None:
    asked = {"build": build.public_id, "kind": "spacy", "recipe": {"steps": 40, "learning_rate": 0.002}}
    response = api.post("./trainings/", asked)
    assert response.status_code == 201
    made = response.json()
    assert (made["status"], made["recipe"], made["points"], made["labeler"]) == ("queued", asked["recipe"], [], None)
    work(TrainingRun.objects.get(public_id=made["id"]))
    done = api.get(f"./trainings/{made['id']}/").json()
    assert (done["status"], done["revision"], done["n_rows"]) == ("done", REVISION, 8)
    assert done["labeler"] == "spaCy pipeline, training 1"
    assert [(point["step"], point["loss"], point["dev_f1"]) for point in done["points"]] == [
        (10, 4.0, 0.25),
        (20, 2.0, 0.5),
        (40, 1.0, 0.75),
    ]
    (listed,) = results(api.get("./trainings/?status=done"))
    assert (listed["id"], "points" in listed) == (made["id"], False)
    assert results(api.get("./trainings/?status=queued")) == []


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({"kind": "forest"}, 400, "invalid"),
        ({"steps": 4}, 400, "invalid"),
        ({"build": "a" * 16}, 404, "not-found"),
        ({"recipe": {"steps": 1.5}}, 422, "refused"),
        ({"recipe": {"colour": 1}}, 422, "refused"),
        ({"kind": "lora", "base": "/etc/passwd", "recipe": {}}, 422, "refused"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    api: Api, build: DatasetBuild, asked: dict[str, Any], status: int, kind: str
) -> None:
    given = {"build": build.public_id, "kind": "spacy", "recipe": {"steps": 40}, **asked}
    assert_problem(api.post("./trainings/", given), status, kind)
    assert not TrainingRun.objects.exists()


def test_a_training_is_cancelled_and_resumed(api: Api, build: DatasetBuild, dana: User) -> None:
    address = f"./trainings/{begin(build, dana).public_id}"
    assert api.post(f"{address}/cancel/").json()["status"] == "cancelled"
    assert api.post(f"{address}/resume/").json()["status"] == "queued"
    assert api.post(f"{address}/resume/").json()["status"] == "queued"  # as it is


def test_what_a_purge_took_is_not_resumed(api: Api, build: DatasetBuild, dana: User) -> None:
    run = begin(build, dana)
    withdraw_weights(runs=TrainingRun.objects.all(), now=NOW)
    withdraw_files(builds=DatasetBuild.objects.all(), now=NOW)
    refused = assert_problem(api.post(f"./trainings/{run.public_id}/resume/"), 422, "refused")
    assert "start a new training" in refused["detail"]


def test_the_log_is_given_as_it_is(api: Api, build: DatasetBuild, dana: User) -> None:
    run = work(begin(build, dana))
    response = api.get(f"./trainings/{run.public_id}/log/")
    assert b"".join(response) == (model_folder(run) / LOG).read_bytes()
    assert response["Content-Type"] == "application/octet-stream"


def test_the_list_takes_the_same_number_of_queries_for_many(
    api: Api, build: DatasetBuild, dana: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        begin(build, dana)
    with django_assert_max_num_queries(6):
        assert len(results(api.get("./trainings/"))) == 12
