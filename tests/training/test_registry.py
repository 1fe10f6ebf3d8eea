"""The registry of labelers: each with its line from the dataset it came from, for whoever may see how good they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.core.schema import Schema, schema_from_json
from annotator.jobs.services import run_job
from annotator.progress.models import LabelDay
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.services import Accept, FinishNote, decide
from annotator.suggestions.labelers import current_spec, default_labeler
from annotator.suggestions.models import Labeler, LabelRun, Promotion
from annotator.training import registry
from annotator.training.registry_views import NEWEST
from tests.api.scene import Api, assert_problem, results
from tests.cast import NOW, Bells, body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES
from tests.training.lab import make_comparison as compare
from tests.training.lab import make_lab
from tests.training.promoted import make_comparison, make_promotion, make_trained, remove_weights
from tests.training.test_promoting import read, run_of

pytestmark = pytest.mark.django_db


def url(name: str, labeler: Labeler) -> str:
    return reverse(f"training:{name}", args=[labeler.project.public_id, labeler.public_id])


def models_url(project: Project) -> str:
    return reverse("training:models", args=[project.public_id])


def entry_of(labeler: Labeler) -> registry.Entry:
    project = labeler.project
    (entry,) = registry.entries_of(project, [labeler], standing=registry.standing_of(project))
    return entry


@pytest.fixture
def old(project: Project, bells: Bells) -> Labeler:
    """The installation's labeler, which has read a note."""
    labeler = default_labeler(project=project, now=NOW)
    make_document(project)
    read(run_of(labeler), {"note-1": [(CHEST_PAIN, "Problem"), (DIABETES, "Problem")]})
    return labeler


@pytest.fixture
def finish(project: Project, old: Labeler, bob: User) -> Callable[[], Any]:
    """Bob finishes the note, and it is built into a dataset."""

    def build() -> Any:
        note = project.documents.get()
        held = take_note(document=note, reviewer=bob, now=NOW)
        for item in ReviewItem.objects.filter(document=note, unit="span").select_related("suggestion"):
            decide(note_item=held, reviewer=bob, act=Accept(item), key=item.public_id, now=NOW)
        decide(note_item=held, reviewer=bob, act=FinishNote(), key="done", now=NOW)
        made = create_build(
            project=project, name="First", formats=["jsonl"], options=BuildOptions(), actor=bob, now=NOW
        )
        run_job(job_id=made.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
        return made

    return build


def test_a_line_goes_from_the_dataset_to_datasets(
    alice_client: Client, project: Project, old: Labeler, finish: Callable[[], Any]
) -> None:
    made = finish()
    LabelDay.objects.create(project=project, day=NOW.date(), labeler=old, n_notes=1, n=8, n_accepted=6, n_rejected=1)
    trained = make_trained(project, build=made)
    entry = entry_of(old)
    assert (entry.n_runs, entry.n_notes, entry.n_suggestions) == (1, 1, 2)
    assert (entry.n_decided, entry.accepted, entry.edited, entry.rejected) == (8, 0.75, 0.125, 0.125)
    assert [(held.build.pk, held.n_spans) for held in entry.datasets] == [(made.pk, 2)]
    assert entry_of(trained).training.build == made
    shown = body(alice_client.get(url("model", old)))
    run = LabelRun.objects.get()
    assert reverse("suggestions:run", args=[project.public_id, run.public_id]) in shown
    assert reverse("builds:build", args=[project.public_id, made.public_id]) in shown
    assert "75% taken unchanged, 12% changed, 12% rejected" in shown
    LabelDay.objects.create(project=project, day=NOW.date(), labeler=old, note_type="old", n=2, n_accepted=0)
    entry = entry_of(old)
    assert (entry.n_decided, entry.accepted, entry.edited, entry.rejected) == (10, 0.6, None, None)
    assert "60% taken unchanged, 40% changed or rejected" in body(alice_client.get(url("model", old)))
    of_trained = body(alice_client.get(url("model", trained)))
    assert f"Dataset {made.number}, First" in of_trained and "Training 1" in of_trained


def test_runs_of_a_comparison_are_no_runs_for_review(old: Labeler) -> None:
    old.runs.update(purpose="comparison")
    entry = entry_of(old)
    assert (entry.n_runs, entry.n_notes, entry.n_suggestions) == (0, 0, 0)


def test_states(project: Project, schema: Schema, alice: User, old: Labeler) -> None:
    first, second = make_trained(project), make_trained(project, number=2)

    def states() -> list[str]:
        standing = registry.standing_of(project)
        return [standing.state_of(each) for each in (old, first, second)]

    assert states() == ["current", "candidate", "candidate"]
    make_promotion(first, alice)
    assert states() == ["former", "current", "candidate"]
    remove_weights(second)
    assert states() == ["former", "current", "removed"]
    changed = schema.to_json()
    changed["labels"][0]["definition"] = "Anything."
    add_schema_version(project=project, schema=schema_from_json(changed), actor=None, now=NOW)
    assert states() == ["outdated", "outdated", "removed"]


def test_labelers_that_nothing_came_of_are_not_listed(project: Project) -> None:
    default_labeler(project=project, now=NOW)
    assert not registry.models_of(project).exists()


def test_leads_and_data_scientists_see_it_and_leads_promote(
    alice_client: Client, project: Project, dana: User, bob: User, old: Labeler
) -> None:
    trained = make_trained(project)
    assert url("promote", trained) in body(alice_client.get(models_url(project)))
    dana_client = sign_in(Client(), dana)
    shown = body(dana_client.get(models_url(project)))
    assert trained.name in shown and url("promote", trained) not in shown
    assert dana_client.get(url("promote", trained)).status_code == 403
    assert dana_client.post(url("promote", trained), {"confirmation": "without a comparison"}).status_code == 403
    assert sign_in(Client(), bob).get(models_url(project)).status_code == 403
    assert not Promotion.objects.exists()


def test_another_projects_labeler_is_not_there(
    alice_client: Client, project: Project, other_project: Project, old: Labeler
) -> None:
    theirs = make_trained(other_project)
    for name in ("model", "promote"):
        address = reverse(f"training:{name}", args=[project.public_id, theirs.public_id])
        assert alice_client.get(address).status_code == 404
    assert alice_client.get(models_url(other_project)).status_code == 404


def test_a_promotion_without_a_comparison_has_to_be_typed_out(
    alice_client: Client, project: Project, old: Labeler
) -> None:
    trained = make_trained(project)
    shown = body(alice_client.get(url("promote", trained)))
    assert "1 note is read by it" in shown and "2 spans wait for a decision" in shown
    refused = alice_client.post(url("promote", trained), {"confirmation": "yes"})
    assert refused.status_code == 422
    assert "Type “without a comparison”" in body(refused)
    assert not Promotion.objects.exists()
    done = alice_client.post(url("promote", trained), {"confirmation": " Without a comparison "})
    assert (done.status_code, done["Location"]) == (303, url("model", trained))
    assert Promotion.objects.get().comparison == ""
    assert current_spec(project).digest == trained.digest
    shown = body(alice_client.get(url("model", trained)))
    assert "without a comparison" in shown and "Promoted over" in shown
    again = alice_client.post(url("promote", trained), {"confirmation": "without a comparison"})
    assert again.status_code == 409
    registry_page = body(alice_client.get(models_url(project)))
    assert f"Go back to {old.name}" in registry_page and url("promote", old) in registry_page


def test_a_promotion_rests_on_a_comparison(alice_client: Client, project: Project, old: Labeler) -> None:
    trained = make_trained(project)
    found = make_comparison(trained, old, number=4)
    make_comparison(make_trained(project, number=2), old, number=5)
    shown = body(alice_client.get(url("promote", trained)))
    assert "Comparison 4" in shown and "Comparison 5" not in shown
    for wrong in ("a" * 16, "none", ""):
        assert alice_client.post(url("promote", trained), {"comparison": wrong}).status_code == 422
    assert not Promotion.objects.exists()
    assert alice_client.post(url("promote", trained), {"comparison": found.public_id}).status_code == 303
    assert Promotion.objects.get().comparison == found.public_id
    assert "on comparison 4" in body(alice_client.get(url("model", trained)))


def test_where_the_weights_are_gone_the_page_says_what_to_do(
    alice_client: Client, project: Project, alice: User, old: Labeler
) -> None:
    trained = make_trained(project)
    make_promotion(trained, alice)
    remove_weights(trained)
    shown = body(alice_client.get(models_url(project)))
    assert "Weights removed" in shown and "Promote another labeler" in shown
    assert "cannot be promoted. Its weights were removed" in body(alice_client.get(url("promote", trained)))
    assert "cannot be promoted. Its weights were removed" in body(alice_client.get(url("model", trained)))


def test_a_candidate_can_be_sent_over_notes_from_its_page(
    alice_client: Client, project: Project, dana: User, old: Labeler
) -> None:
    trained = make_trained(project)
    read_with = reverse("browse:read_with", args=[project.public_id])
    assert read_with in body(alice_client.get(url("model", trained)))
    assert read_with not in body(sign_in(Client(), dana).get(url("model", trained)))
    assert alice_client.post(read_with, {"labeler": trained.digest}).status_code == 303
    assert trained.runs.get().jobs.count() == 1


def test_the_registry_takes_as_many_queries_for_many_labelers(
    alice_client: Client, project: Project, alice: User, old: Labeler, django_assert_max_num_queries: Any
) -> None:
    make_promotion(make_trained(project), alice)
    for number in range(2, 12):
        labeler = make_trained(project, number=number)
        run_of(labeler)
        make_comparison(labeler, old, number=number)
    with django_assert_max_num_queries(22):
        page = body(alice_client.get(models_url(project)))
    assert page.count("<tr") == 13 + 2 * (1 + NEWEST)


def test_the_newest_comparison_says_what_each_of_the_two_is_worth(
    alice_client: Client, project: Project, alice: User, bob: User
) -> None:
    lab = make_lab(project, lead=alice, reader=bob)
    strict = compare(lab, alice).report["overall"]["strict"]
    for labeler, side in ((lab.candidate, "candidate"), (lab.current, "current")):
        measured = entry_of(labeler).measured
        assert measured is not None
        assert measured.f1 == strict[side]["f1"]
    page = body(alice_client.get(models_url(project)))
    assert all(f"{strict[side]['f1']:.3f}, comparison 1" in page for side in ("candidate", "current"))


def test_the_page_of_a_labeler_takes_as_many_queries_for_many_promotions(
    alice_client: Client, project: Project, alice: User, old: Labeler, django_assert_max_num_queries: Any
) -> None:
    trained = make_trained(project)
    for _ in range(4):
        make_promotion(trained, alice, previous=old)
        make_promotion(old, alice, previous=trained)
    with django_assert_max_num_queries(21):
        assert body(alice_client.get(url("model", trained))).count("Gave way to") == 4


def test_the_registry_of_a_project_without_runs_says_so(alice_client: Client, project: Project) -> None:
    assert "No labeler yet" in body(alice_client.get(models_url(project)))


def test_programs_list_and_promote(project: Project, alice: User, old: Labeler) -> None:
    api = Api(alice, project=project)
    trained = make_trained(project)
    comparison = make_comparison(trained, old)
    newest, oldest = results(api.get("./models/"))
    assert (newest["id"], newest["state"], newest["training"]["number"]) == (trained.public_id, "candidate", 1)
    assert (oldest["state"], oldest["n_suggestions"], oldest["labeler"]["name"]) == ("current", 2, old.name)
    assert oldest["cannot"] == "it is the project's labeler already"
    address = f"./models/{trained.public_id}/promote/"
    assert_problem(api.post(address, {}), 400, "invalid")
    assert_problem(api.post(address, {"confirmation": "yes"}), 400, "invalid")
    assert_problem(api.post(address, {"comparison": "a" * 16}), 404, "not-found")
    made = api.post(address, {"comparison": comparison.public_id})
    assert made.status_code == 201
    assert made.json()["previous"] == old.public_id
    assert api.get(f"./models/{trained.public_id}/").json()["state"] == "current"
    assert_problem(api.post(address, {"confirmation": "without a comparison"}), 409, "conflict")
    back = api.post(f"./models/{old.public_id}/promote/", {"confirmation": "without a comparison"})
    assert back.json()["comparison"] == ""
