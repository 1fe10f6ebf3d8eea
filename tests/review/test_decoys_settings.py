"""Decoys: what leads set and see of them, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, Comment
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Calibrator
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.notices.models import Notice
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.purges.deletion import delete_notes
from annotator.review import services
from annotator.review.commenting import comment_on
from annotator.review.decoys import caught_in
from annotator.review.leases import take_next, take_note
from annotator.review.models import Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import Target, note_view
from annotator.review.streams import Streams, StreamsRefused, set_streams, streams_of
from annotator.routing.confidence import apply_page
from annotator.routing.services import route_job
from annotator.suggestions.models import Suggestion
from tests.api.scene import Api
from tests.cast import NOW, TIED_SCHEMA, body, make_document, sign_in
from tests.review.conftest import suggest
from tests.review.decoy_scene import FOUND, NOTE, Scene, marks, plant, planted, with_decoys
from tests.routing.calibrated import make_calibrator


@pytest.fixture
def known(project: Project, schema_version: SchemaVersion, bells: object) -> Project:
    return with_decoys(project)


@pytest.fixture
def scene(known: Project, schema_version: SchemaVersion, bob: User) -> Scene:
    """A note of two suggestions and a decoy, held by Bob."""
    document = planted(known, schema_version)
    return Scene(take_note(document=document, reviewer=bob, now=NOW), bob)


# What leads set and see


def test_a_lead_turns_decoys_on_and_off_and_reviewers_are_told(
    known: Project, schema_version: SchemaVersion, alice: User, bob: User, dana: User, client: Client
) -> None:
    planted(known, schema_version)
    off = Streams("benefit", 0, 5, "shown", 0)
    set_streams(project=known, streams=off, actor=alice, now=NOW)
    assert not Decoy.objects.exists() and not ReviewItem.objects.filter(unit="decoy").exists()
    set_streams(project=known, streams=Streams("benefit", 0, 5, "shown", 4), actor=alice, now=NOW)
    assert list(Notice.objects.filter(user=bob).order_by("pk").values_list("kind", flat=True)) == [
        "decoys_off",
        "decoys_on",
    ]
    assert not Notice.objects.filter(user__in=[alice, dana], kind__startswith="decoys").exists()
    assert AuditEvent.objects.filter(verb="project.streams").latest("pk").detail["decoy_percent"] == 4
    sign_in(client, bob)
    assert "Some suggestions are decoys from now on" in body(client.get(reverse("browse:notices")))
    start = reverse("review:start", args=[known.public_id])
    assert "about 4 for a hundred" in body(client.get(start))
    set_streams(project=known, streams=off, actor=alice, now=NOW)
    assert "decoy" not in body(client.get(start))


def test_decoys_in_a_note_that_is_begun_stay_until_it_is_done(scene: Scene, alice: User) -> None:
    project = Project.objects.get(pk=scene.note_item.project_id)
    set_streams(project=project, streams=Streams("benefit", 0, 5, "shown", 0), actor=alice, now=NOW)
    assert marks(scene)["unaided"] == "suggested"


@pytest.mark.parametrize("percent", [-1, 11])
def test_what_is_no_share_of_decoys_is_refused(known: Project, alice: User, percent: int) -> None:
    with pytest.raises(StreamsRefused):
        set_streams(project=known, streams=Streams("benefit", 0, 5, "shown", percent), actor=alice, now=NOW)
    assert streams_of(Project.objects.get(pk=known.pk)).decoy_percent == 10


def test_decoys_are_refused_where_relations_join_every_label(
    project: Project, alice: User, alice_client: Client
) -> None:
    add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=alice, now=NOW)
    asked = {"policy": "benefit", "blind_percent": 0, "watch_percent": 5, "audits": "shown", "decoy_percent": 5}
    asked |= {"seconds": "off", "second_percent": 10}
    page = alice_client.post(reverse("browse:streams", args=[project.public_id]), asked)
    assert page.status_code == 422 and "every label of the schema is joined by a relation" in body(page).lower()
    assert Api(alice, project=project).post("./streams/", asked).status_code == 422
    assert Project.objects.get(pk=project.pk).decoy_percent == 0


def test_leads_see_how_many_each_person_caught(scene: Scene, alice_client: Client) -> None:
    scene.do(services.Reject(scene.at(scene.key)))
    scene.finish()
    (caught,) = caught_in(scene.note_item.project)
    assert (caught.user, caught.n_notes, caught.n_decoys, caught.n_rejected) == (scene.reviewer, 1, 1, 1)
    url = reverse("progress:progress", args=[scene.note_item.project.public_id])
    assert "not enough data: 1 of 10 notes" in body(alice_client.get(url))
    assert sign_in(Client(), scene.reviewer).get(url).status_code == 403


def test_with_ten_notes_there_is_an_interval(
    known: Project, schema_version: SchemaVersion, bob: User, alice_client: Client
) -> None:
    for n in range(10):
        document = planted(known, schema_version, external_id=f"n{n}")
        scene = Scene(take_note(document=document, reviewer=bob, now=NOW), bob)
        act = services.Accept if n == 9 else services.Reject
        scene.do(act(scene.at(scene.key)))
        scene.finish()
    page = body(alice_client.get(reverse("progress:progress", args=[known.public_id])))
    assert "not enough data: " not in page and "90%" in page


def test_a_note_is_read_in_as_many_queries_with_three_decoys_as_with_one(
    scene: Scene, django_assert_max_num_queries: Any
) -> None:
    scene.do(services.Accept(scene.at(scene.key)))
    with django_assert_max_num_queries(9):
        note_view(note_item=scene.note_item)


def test_routing_twice_plants_once(known: Project, schema_version: SchemaVersion, bob: User) -> None:
    document = make_document(known, text=NOTE)
    places = [Span.of(n, n + 4) for n in range(0, 60, 6)]
    job = suggest(document, [(place, "Problem", 0.5) for place in places], schema_version=schema_version)
    assert not route_job(label_job_id=job.pk, now=NOW)
    assert Decoy.objects.count() == 1
    assert take_next(project=known, reviewer=bob, now=NOW) is not None


def test_a_comment_on_a_decoy_stays_with_what_is_made_of_it(scene: Scene) -> None:
    comment_on(note_item=scene.note_item, reviewer=scene.reviewer, key=scene.key, kind="flag", body="", now=NOW)
    target: Target = scene.at(scene.key)
    assert note_view(note_item=scene.note_item).marks[scene.key].said == "flag" and isinstance(target, ReviewItem)
    scene.do(services.Accept(target))
    assert [mark.said for mark in note_view(note_item=scene.note_item).annotations] == ["flag"]
    scene.finish()
    assert not Comment.objects.filter(status="open").exists()


def test_a_decoy_tells_nothing_of_the_note_that_it_is_like(known: Project, schema_version: SchemaVersion) -> None:
    document = make_document(known, text=NOTE)
    job = suggest(document, FOUND, schema_version=schema_version)
    Suggestion.objects.update(signals={"quote": "Zebra", "agreement": 0.4, "n_in_note": 7, "runner_up": "Medication"})
    Decoy.objects.all().delete()
    assert plant(document, job) == 1
    assert Decoy.objects.get().signals == {"agreement": 0.4, "n_in_note": 1, "runner_up": "Medication"}


def test_a_calibrator_gives_decoys_their_confidence_too(
    scene: Scene, project: Project, schema_version: SchemaVersion
) -> None:
    make_calibrator(scene.decoy.job.run.labeler, intercept=-1.0)
    Calibrator.objects.update(applied_to=0)
    while apply_page(calibrator_id=Calibrator.objects.get().pk):
        pass
    mark = note_view(note_item=scene.note_item).marks[scene.key]
    assert mark.confidence is not None and mark.confidence != mark.score


def test_a_decoy_goes_when_its_note_is_purged(scene: Scene) -> None:
    scene.do(services.Accept(scene.at(scene.key)))
    scene.do(services.Edit(scene.answer(), attributes={"assertion": "absent"}))
    scene.do(services.Undo())
    scene.finish()
    counts = delete_notes([scene.note_item.document_id])
    assert (counts["n_decoys"], counts["n_decoy_answers"]) == (1, 2)


@pytest.mark.browser
def test_accepting_a_decoy_by_key_makes_no_annotation_and_undo_asks_again(
    scene: Scene, page: Page, live_server: Any
) -> None:
    client = Client()
    client.force_login(scene.reviewer)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    address = reverse("review:note", args=[scene.note_item.project.public_id, scene.note_item.public_id])
    page.goto(f"{live_server.url}{address}?focus={scene.key}")
    expect(page.locator("#note")).to_be_focused()
    token = page.locator("#card input[name=key]")

    def press(key: str) -> None:
        before = token.input_value()
        page.keyboard.press(key)
        expect(token).not_to_have_value(before)

    press("a")
    assert not Annotation.objects.filter(set__document=scene.note_item.document).exists()
    assert DecoyAnswer.objects.get().status == "live"
    expect(page.locator('#note [data-state="person"]')).to_have_text("unaided")
    press("u")
    assert DecoyAnswer.objects.get().status == "withdrawn"
    expect(page.locator('#note [data-state="person"]')).to_have_count(0)
    press("x")
    press("x")
    press("x")
    page.keyboard.press("d")
    expect(page.locator("#card")).to_contain_text("This note held 1 decoy: you rejected 1")
    expect(page.locator("#card")).to_contain_text("unaided")
