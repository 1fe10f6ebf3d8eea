from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.review.leases import LEASE, take_next
from annotator.review.models import Decision, ReviewItem
from annotator.review.selectors import note_view
from tests.cast import NOW, SCHEMA, TEXT, body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' clock stands where the fixtures' does."""
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW)


def url(desk: Desk, name: str) -> str:
    return reverse(f"review:{name}", args=[desk.document.project.public_id, desk.note_item.public_id])


def post(client: Client, desk: Desk, span: Span | None = None, *, htmx: bool = True, **data: str) -> Any:
    target = {"target": f"i{desk.item(span).public_id}"} if span else {}
    return client.post(url(desk, "decide"), {"key": desk.key(), **target, **data}, **(HTMX if htmx else {}))


def hidden(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def test_the_page_shows_the_note_and_its_queue_least_certain_first(client: Client, desk: Desk, bob: User) -> None:
    html = sign_in(client, bob).get(url(desk, "note")).content.decode()
    lines = re.findall(r'<p class="line"[^>]*>(.*?)</p>', html, re.DOTALL)
    assert re.sub(r"<[^>]*>", "", "".join(lines)) == TEXT
    texts = re.findall(r'class="item-text">([^<]*)<', html)
    assert texts == ["chest pain", "metformin", "Diabetes"]
    assert hidden(html, "target") == f"i{desk.item(CHEST_PAIN).public_id}"


def test_a_span_is_opened_by_its_name_in_the_note_or_by_its_key(client: Client, desk: Desk, bob: User) -> None:
    key = f"i{desk.item(METFORMIN).public_id}"
    page = body(sign_in(client, bob).get(url(desk, "note"), {"focus": key}))
    name = page.partition(f" id={key}>")[0].rpartition('data-span="')[2].partition('"')[0]
    assert len(re.findall(r"<mark[^>]* id=", page)) == 1, "where an address with its key leads to without script"
    for focus in (name, key):
        assert hidden(body(client.get(url(desk, "note"), {"focus": focus}, **HTMX)), "target") == key
    assert len(name) < len(key)
    assert client.get(url(desk, "note"), {"focus": "i" + "0" * (len(name) - 1)}, **HTMX).status_code == 409


@pytest.fixture
def alike(project: Project, bob: User, schema_version: SchemaVersion, bells: object) -> Desk:
    """A note with three suggestions, two of which, in different lines, have keys that begin the same."""
    document, planned = make_document(project, text=TEXT), Span.of(85, 94)
    spans = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (planned, "Medication", 0.7)]
    suggest(document, spans, schema_version=schema_version)
    for span, letter in ((CHEST_PAIN, "d"), (planned, "e")):
        ReviewItem.objects.filter(suggestion__fragments=str(span)).update(public_id=f"abc{letter * 13}")
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    return Desk(document=document, note_item=note_item)


def test_two_keys_that_begin_the_same_have_longer_names(alike: Desk) -> None:
    view = note_view(note_item=alike.note_item)
    assert [len(name) for name in view.names.values()] == [12, 4, 12]
    assert [view.key_of(name) for name in view.names.values()] == list(view.marks)


def test_a_line_is_drawn_anew_where_a_name_in_it_grows(client: Client, alike: Desk, bob: User) -> None:
    sign_in(client, bob)
    post(client, alike, CHEST_PAIN, verdict="accept")
    assert 'data-span="iabc"' in body(client.get(url(alike, "note")))
    answer = body(post(client, alike, verdict="undo"))
    assert 'data-span="iabcdddddddd"' in answer
    assert 'data-span="iabceeeeeeee"' in answer


def test_the_card_says_what_made_the_score_low_doubts_first(client: Client, desk: Desk, bob: User) -> None:
    suggestion = desk.item(CHEST_PAIN).suggestion
    assert suggestion is not None
    suggestion.signals = {
        "label_share": 0.5,
        "label_margin": 0.1,
        "runner_up": "Anatomy",
        "second": "spacy",
        "second_share": 1.0,
    }
    suggestion.save()
    card = body(sign_in(client, bob).get(url(desk, "note"), {"focus": f"i{desk.item(CHEST_PAIN).public_id}"}, **HTMX))
    said = ["The model hesitated between Problem and Anatomy", "The dictionaries know it too", "Found in the note"]
    assert sorted(said, key=card.index) == said
    assert card.count('data-tone="warn"') == 1
    assert "rules" in card, "which labeler"


def test_reading_the_note_is_recorded_once(client: Client, desk: Desk, bob: User) -> None:
    sign_in(client, bob)
    client.get(url(desk, "note"))
    client.get(url(desk, "note"))
    assert AuditEvent.objects.filter(verb="note.read", object_id=desk.document.public_id, actor=bob).count() == 1


def test_a_decision_answers_with_the_next_card_and_what_changed(client: Client, desk: Desk, bob: User) -> None:
    response = post(sign_in(client, bob), desk, CHEST_PAIN, verdict="accept")
    html = response.content.decode()
    assert response.status_code == 200
    assert hidden(html, "target") == f"i{desk.item(METFORMIN).public_id}"
    assert re.findall('<p hx-swap-oob="([^"]*)"', html) == ["innerHTML:#m0 ~ p:nth-of-type(1)"], "only its line"
    assert 'data-state="person"' in html
    assert "<html" not in html


def test_a_decision_works_without_script(client: Client, desk: Desk, bob: User) -> None:
    response = post(sign_in(client, bob), desk, CHEST_PAIN, htmx=False, verdict="accept")
    assert response.status_code == 303
    assert response["Location"].endswith(f"#i{desk.item(METFORMIN).public_id}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"label": "Medication"}, (str(CHEST_PAIN), "Medication", {})),
        ({"attribute": "assertion=absent"}, (str(CHEST_PAIN), "Problem", {"assertion": "absent"})),
        ({"move": "start:-1"}, ("12 25", "Problem", {"assertion": "present"})),
        ({"move": "end:-1"}, ("15 20", "Problem", {"assertion": "present"})),
    ],
)
def test_an_edit_keeps_the_focus_on_the_edited_span(
    client: Client, desk: Desk, bob: User, data: dict[str, str], expected: tuple[str, str, dict[str, str]]
) -> None:
    response = post(sign_in(client, bob), desk, CHEST_PAIN, **data)
    made = Annotation.objects.get(status="live")
    assert (made.fragments, made.label, made.attributes) == expected
    assert hidden(response.content.decode(), "target") == f"a{made.public_id}"


def test_a_selection_is_grown_to_tokens_and_can_be_labelled(client: Client, desk: Desk, bob: User) -> None:
    sign_in(client, bob)
    html = client.get(url(desk, "new_span"), {"start": 41, "end": 52}, **HTMX).content.decode()
    fragments = hidden(html, "fragments")
    assert Span.parse(fragments).surface(TEXT) == "metformin 500"
    post(client, desk, fragments=fragments, label="Medication")
    assert Annotation.objects.get(status="live").surface == "metformin 500"


@pytest.mark.parametrize("place", [{"start": 10, "end": 5}, {"start": 5, "end": 50_000}, {}, {"start": "x", "end": 3}])
def test_a_selection_that_is_none_is_said(client: Client, desk: Desk, bob: User, place: dict[str, Any]) -> None:
    response = sign_in(client, bob).get(url(desk, "new_span"), place, **HTMX)
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()


def test_a_span_decided_meanwhile_is_a_conflict_that_says_so(client: Client, desk: Desk, bob: User) -> None:
    sign_in(client, bob)
    post(client, desk, CHEST_PAIN, verdict="accept")
    response = post(client, desk, CHEST_PAIN, verdict="reject")
    assert response.status_code == 409
    assert "decided or changed already" in response.content.decode()
    assert Decision.objects.count() == 1


@pytest.mark.parametrize(
    "data",
    [{}, {"verdict": "approve"}, {"verdict": "accept", "label": "Problem"}, {"move": "start:7"}, {"attribute": "x"}],
)
def test_a_malformed_decision_saves_nothing(client: Client, desk: Desk, bob: User, data: dict[str, str]) -> None:
    response = post(sign_in(client, bob), desk, CHEST_PAIN, **data)
    assert response.status_code == 422
    assert Decision.objects.count() == 0


def test_a_note_taken_by_someone_else_is_said_and_its_text_not_shown(
    client: Client, desk: Desk, alice: User, bob: User
) -> None:
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(leased_by=alice, lease_expires_at=desk.now + LEASE)
    sign_in(client, bob)
    for response in (client.get(url(desk, "note")), post(client, desk, CHEST_PAIN, verdict="accept")):
        assert response.status_code == 409
        assert "chest pain" not in response.content.decode()
    renewed = client.post(url(desk, "renew"))
    assert renewed.status_code == 409
    assert renewed.content.decode() == "Someone else has taken this note: your lease ran out."


def test_a_lease_on_a_note_that_is_done_is_not_said_to_be_someone_else_s(client: Client, desk: Desk, bob: User) -> None:
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(status=ReviewItem.Status.DECIDED)
    renewed = sign_in(client, bob).post(url(desk, "renew"))
    assert renewed.status_code == 409
    assert renewed.content.decode().startswith("This note is done.")


def test_the_last_decision_leads_to_note_done_and_the_next_note(
    client: Client, desk: Desk, project: Project, bob: User, schema_version: SchemaVersion
) -> None:
    other = make_document(project, external_id="note-2")
    suggest(other, [(DIABETES, "Problem", 0.5)], schema_version=schema_version)
    sign_in(client, bob)
    assert post(client, desk, verdict="note_done").status_code == 422
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        post(client, desk, span, verdict="accept")
    response = post(client, desk, verdict="note_done")
    following = ReviewItem.objects.get(document=other, unit="note")
    assert response["HX-Redirect"].endswith(f"/review/{following.public_id}/")
    assert following.leased_by == bob


def test_a_finished_note_is_reopened_by_undo(client: Client, desk: Desk, bob: User) -> None:
    sign_in(client, bob)
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        post(client, desk, span, verdict="reject")
    post(client, desk, verdict="note_done")
    assert "This note is done" in client.get(url(desk, "note")).content.decode()
    post(client, desk, verdict="undo")
    desk.note_item.refresh_from_db()
    assert desk.note_item.status == "open"


def test_a_decision_after_the_session_ended_is_told_to_be_unsaved_once(client: Client, desk: Desk, bob: User) -> None:
    headers = HTMX | {"HTTP_HX_CURRENT_URL": f"http://testserver{url(desk, 'note')}?focus=x"}
    answer = client.post(url(desk, "decide"), {"key": "k", "verdict": "undo"}, **headers)
    came_back_to = parse_qs(urlsplit(answer["HX-Redirect"]).query)["next"][0]
    assert came_back_to == f"{url(desk, 'note')}?unsaved=1"
    shown = sign_in(client, bob).get(came_back_to, follow=True)
    assert shown.redirect_chain == [(url(desk, "note"), 302)]
    assert "Your last decision was not saved: you had been signed out." in shown.content.decode()
    assert "not saved" not in client.get(url(desk, "note")).content.decode()


def test_put_back_leads_to_another_note(client: Client, desk: Desk, bob: User) -> None:
    response = sign_in(client, bob).post(url(desk, "put_back"))
    assert response.status_code == 303
    desk.note_item.refresh_from_db()
    assert desk.note_item.skipped_at == desk.now


@pytest.mark.parametrize("name", ["note", "new_span", "decide", "renew", "put_back"])
def test_outsiders_find_nothing(client: Client, desk: Desk, charlie: User, dana: User, name: str) -> None:
    method = client.get if name in {"note", "new_span"} else client.post
    assert method(url(desk, name)).status_code == 302
    sign_in(client, charlie)
    assert method(url(desk, name)).status_code == 404
    sign_in(client, dana)
    assert method(url(desk, name)).status_code == 403


def test_queries_do_not_grow_with_the_spans(
    client: Client,
    desk: Desk,
    project: Project,
    bob: User,
    schema_version: SchemaVersion,
    django_assert_max_num_queries: Any,
) -> None:
    many = [(Span.of(start, start + 1), "Problem", 0.5) for start in range(len(TEXT)) if TEXT[start].isalpha()]
    suggest(desk.document, many, schema_version=schema_version, labeler="many")
    sign_in(client, bob)
    with django_assert_max_num_queries(25):
        client.get(url(desk, "note"))
    with django_assert_max_num_queries(37):
        post(client, desk, Span.of(*many[0][0].fragments[0]), verdict="accept")


def test_an_attribute_value_without_a_key_has_a_button(client: Client, desk: Desk, project: Project, bob: User) -> None:
    values = ["present", "absent", {"name": "possible", "hotkey": "p"}]
    keyless = {**SCHEMA, "attributes": [{"name": "assertion", "labels": ["Problem"], "values": values}]}
    add_schema_version(project=project, schema=schema_from_json(keyless), actor=None, now=desk.now)
    html = sign_in(client, bob).get(url(desk, "note")).content.decode()
    assert 'value="assertion=absent"' in html
    assert 'data-key=""' not in html
    assert 'value="assertion=present"' not in html
