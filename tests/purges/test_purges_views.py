from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import record_beat
from annotator.projects.models import Project
from annotator.purges.models import Tombstone
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes
from tests.cast import HTMX, NOW, Bells, body, sign_in
from tests.purges.scene import CANARY, PATIENT, finish, make_scene


@pytest.fixture
def scene(project: Project, bob: User, dana: User, bells: Bells) -> Project:
    make_scene(project, bob, dana)
    return project


def url(name: str, project: Project) -> str:
    return reverse(f"purges:{name}", args=[project.public_id])


def find(client: Client, project: Project, value: str, by: str = "patient") -> Any:
    return client.post(url("find", project), {"by": by, "value": value})


def remove(client: Client, project: Project, value: str, word: str, by: str = "patient") -> Any:
    return client.post(url("remove_notes", project), {"by": by, "value": value, "word": word})


def ask(project: Project) -> Tombstone:
    return purge_notes(project=project, doomed=Doomed(patient_id=PATIENT), actor=None, now=NOW)


# The page


def test_page_of_an_untouched_project(alice_client: Client, scene: Project) -> None:
    page = body(alice_client.get(url("data", scene)))
    assert "Kept for as long as it is wanted." in page
    assert "Nothing yet." in page
    assert f"Type “{scene.slug}”" in page
    assert "hx-trigger" not in page
    assert PATIENT not in page


def test_only_leads_see_the_page_and_its_link(client: Client, scene: Project, bob: User, alice: User) -> None:
    overview = reverse("browse:overview", args=[scene.public_id])
    assert url("data", scene) not in body(sign_in(client, bob).get(overview))
    assert client.get(url("data", scene)).status_code == 403
    assert url("data", scene) in body(sign_in(client, alice).get(overview))


def test_a_note_can_be_pointed_at_by_its_opaque_id(alice_client: Client, scene: Project) -> None:
    page = body(alice_client.get(url("data", scene), {"note": "abcdefghijklmnop"}))
    assert 'value="abcdefghijklmnop"' in page


def test_purges_are_listed_while_they_go_on_and_afterwards(alice_client: Client, scene: Project) -> None:
    tombstone = ask(scene)
    page = body(alice_client.get(url("data", scene)))
    assert "Waiting" in page
    assert "0 of 2" in page
    assert "No worker is running" in page
    partial = body(alice_client.get(url("data", scene), headers=HTMX))
    assert "<html" not in partial
    assert 'hx-trigger="every 2s"' in partial
    record_beat(name="w", queues="main", model_id="", device="CPU", memory_bytes=1, started_at=NOW, now=timezone.now())
    Job.objects.filter(pk=tombstone.job_id).update(status=Job.Status.RUNNING, phase="Notes")
    page = body(alice_client.get(url("data", scene)))
    assert "Deleting" in page
    assert "No worker is running" not in page
    Job.objects.filter(pk=tombstone.job_id).update(status=Job.Status.QUEUED)
    finish(tombstone)
    partial = body(alice_client.get(url("data", scene), headers=HTMX))
    assert "Deleted" in partial
    assert "hx-trigger" not in partial
    assert "command line" in partial
    Job.objects.filter(pk=tombstone.job_id).update(status=Job.Status.FAILED)
    Tombstone.objects.update(purged_at=None)
    assert "Will be tried again" in body(alice_client.get(url("data", scene)))


def test_page_takes_the_same_number_of_queries_for_many_purges(
    alice_client: Client, scene: Project, alice: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        job = Job.objects.create(kind=Job.Kind.PURGE, created_at=NOW)
        Tombstone.objects.create(
            project=scene.public_id, subject="note", cause="asked", asked_by=alice, asked_at=NOW, job=job, counts={}
        )
    alice_client.get(url("data", scene))
    with django_assert_max_num_queries(10):
        alice_client.get(url("data", scene))


# A patient


def test_search_shows_what_would_go(alice_client: Client, scene: Project) -> None:
    response = find(alice_client, scene, PATIENT)
    page = body(response)
    assert response.status_code == 200
    assert "Delete 2 notes" in page
    assert "<dt>Decisions on them</dt><dd>5</dd>" in page
    assert "their files are removed" in page
    assert Document.objects.filter(project=scene, patient_id=PATIENT).count() == 2


def test_search_and_its_answer_are_a_panel_for_htmx(alice_client: Client, scene: Project) -> None:
    """A page that answers a POST stands in the history of the browser, on disk, with what was posted."""
    page = body(alice_client.get(url("data", scene)))
    assert f'hx-post="{url("find", scene)}"' in page
    panel = alice_client.post(url("find", scene), {"by": "patient", "value": PATIENT}, headers=HTMX)
    assert "<html" not in body(panel)
    assert f'hx-post="{url("remove_notes", scene)}"' in body(panel)
    form = {"by": "patient", "value": PATIENT, "word": "no"}
    refused = alice_client.post(url("remove_notes", scene), form, headers=HTMX)
    assert (refused.status_code, "<html" in body(refused)) == (422, False)
    done = alice_client.post(url("remove_notes", scene), form | {"word": "delete"}, headers=HTMX)
    assert done["HX-Redirect"] == url("data", scene)


def test_search_by_note_finds_its_patient(alice_client: Client, scene: Project) -> None:
    note = Document.objects.filter(patient_id=PATIENT).first()
    for value in (note.public_id, note.external_id):
        assert "Delete 2 notes" in body(find(alice_client, scene, value, by="note"))
    alone = Document.objects.get(patient_id="")
    page = body(find(alice_client, scene, alone.public_id, by="note"))
    assert "The note, which names no patient" in page
    assert "Delete 1 note<" in page


@pytest.mark.parametrize(("value", "by"), [("nobody", "patient"), ("", "patient"), (PATIENT, "note"), (PATIENT, "x")])
def test_what_is_not_found_is_refused(alice_client: Client, scene: Project, value: str, by: str) -> None:
    response = find(alice_client, scene, value, by)
    assert response.status_code == 422
    assert 'class="error"' in body(response)
    assert remove(alice_client, scene, value, "delete", by).status_code == 422
    assert not Tombstone.objects.exists()


def test_a_patient_is_removed_once_the_word_is_typed(alice_client: Client, alice: User, scene: Project) -> None:
    assert remove(alice_client, scene, PATIENT, "delte").status_code == 422
    assert not Tombstone.objects.exists()
    response = remove(alice_client, scene, PATIENT, "delete")
    assert (response.status_code, response["Location"]) == (303, url("data", scene))
    assert Tombstone.objects.get().asked_by == alice
    assert "they are being deleted" in body(alice_client.get(url("data", scene)))


def test_no_address_and_no_cookie_names_the_patient(alice_client: Client, scene: Project) -> None:
    for response in (find(alice_client, scene, PATIENT), remove(alice_client, scene, PATIENT, "delete")):
        assert CANARY not in str(response.headers)
        assert CANARY not in str(response.cookies)
        assert response["Cache-Control"] == "no-store"
    assert CANARY not in str(dict(alice_client.session))


def test_a_patient_of_another_project_is_not_found(
    alice_client: Client, scene: Project, other_project: Project
) -> None:
    Document.objects.update(project=other_project)
    assert find(alice_client, scene, PATIENT).status_code == 422


# Datasets whose files were purged


def test_a_purged_dataset_says_so_and_gives_no_file(client: Client, dana: User, scene: Project) -> None:
    ask(scene)
    made = DatasetBuild.objects.get()
    at = reverse("builds:build", args=[scene.public_id, made.public_id])
    dana_client = sign_in(client, dana)
    page = body(dana_client.get(at))
    assert "Its files were removed by a purge on 2 Mar 2026" in page
    assert made.manifest["data_sha256"] in page
    assert "/files/" not in page

    def status_of(name: str) -> int:
        return dana_client.get(reverse("builds:download", args=[scene.public_id, made.public_id, name])).status_code

    assert status_of("manifest.json") == status_of(made.manifest["files"][0]["name"]) == 410
    assert status_of("another.jsonl") == 404
    assert "Files removed" in body(dana_client.get(reverse("builds:builds", args=[scene.public_id])))


# Retention


def test_the_last_day_is_set_and_taken_away(alice_client: Client, scene: Project) -> None:
    day = timezone.localdate() + timedelta(days=40)
    response = alice_client.post(url("retention", scene), {"until": day.isoformat()})
    assert (response.status_code, response["Location"]) == (303, url("data", scene))
    assert "40 days from now" in body(alice_client.get(url("data", scene)))
    alice_client.post(url("retention", scene), {"until": ""})
    scene.refresh_from_db()
    assert scene.retain_until is None


@pytest.mark.parametrize("until", ["2020-01-01", "today", "soon"])
def test_a_day_that_is_over_is_refused(alice_client: Client, scene: Project, until: str) -> None:
    until = timezone.localdate().isoformat() if until == "today" else until
    assert alice_client.post(url("retention", scene), {"until": until}).status_code == 422
    scene.refresh_from_db()
    assert scene.retain_until is None


def test_leads_are_warned_thirty_days_before(client: Client, alice: User, bob: User, scene: Project) -> None:
    def overview(user: User, days: int) -> str:
        Project.objects.update(retain_until=timezone.localdate() + timedelta(days=days))
        return body(sign_in(client, user).get(reverse("browse:overview", args=[scene.public_id])))

    assert "is deleted after" in overview(alice, 30)
    assert "is deleted after" in overview(alice, 0)
    assert "is deleted after" not in overview(alice, 31)
    assert "is deleted after" not in overview(bob, 30)


# The project


def test_a_project_is_deleted_once_its_short_name_is_typed(alice_client: Client, scene: Project) -> None:
    assert alice_client.post(url("remove_project", scene), {"word": "another"}).status_code == 422
    assert not Tombstone.objects.exists()
    response = alice_client.post(url("remove_project", scene), {"word": scene.slug})
    assert (response.status_code, response["Location"]) == (303, reverse("home"))
    assert "Nobody can open the project any more" in body(alice_client.get(reverse("home")))
    assert alice_client.get(url("data", scene)).status_code == 404
