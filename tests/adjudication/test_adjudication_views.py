from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.adjudication.models import Choice
from annotator.adjudication.pages import case_named
from annotator.adjudication.selectors import case_file
from annotator.adjudication.services import take
from annotator.annotations.comments import add_comment
from annotator.annotations.models import AnnotationSet
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.readings.models import Adjudication
from annotator.review.leases import take_note
from annotator.review.queue import ensure_note_items
from annotator.review.services import Add, FinishNote, decide
from tests.adjudication.scene import ADAMS, BOBS, TEXT, gold_of, make_adjudication, said
from tests.api.scene import Api
from tests.cast import HTMX, NOW, body, make_document, make_member, sign_in
from tests.review.conftest import suggest

pytestmark = pytest.mark.django_db


@pytest.fixture
def adjudication(project: Project, bob: User, adam: User, alice: User) -> Adjudication:
    """Read by Bob and Adam, in Alice's hands."""
    found = make_adjudication(project, (bob, BOBS), (adam, ADAMS))
    take(adjudication=found, adjudicator=alice, now=NOW)
    Adjudication.objects.update(lease_expires_at="2999-01-01T00:00:00Z")
    return found


def url(adjudication: Adjudication, name: str = "note", **query: str) -> str:
    ids = [adjudication.document.project.public_id, adjudication.public_id]
    return f"{reverse(f'adjudication:{name}', args=ids)}?{urlencode(query)}".rstrip("?")


def place(words: str) -> str:
    start = TEXT.index(words)
    return f"span-{start}-{start + len(words)}"


def choose(client: Client, adjudication: Adjudication, words: str, number: int, **more: str) -> Any:
    """Press the button of that number on the card of the case at the words, as htmx does."""
    context = client.get(url(adjudication, case=place(words))).context
    fields = {
        "key": context["idempotency_key"],
        "case": context["case"].key,
        "digest": context["case"].digest,
        "take": next(option.take for option in context["options"] if option.key == str(number)),
    }
    return client.post(url(adjudication, "choose"), fields | more, headers=HTMX)


def test_both_readings_stand_side_by_side_without_names_and_without_the_models_vote(
    alice_client: Client, adjudication: Adjudication, schema_version: SchemaVersion, bob: User
) -> None:
    nausea = Span.of(TEXT.index("nausea"), TEXT.index("nausea") + len("nausea"))
    suggest(adjudication.document, [(nausea, "Medication", 0.77)], schema_version=schema_version, is_routed=False)
    reading = AnnotationSet.objects.get(annotator=bob, kind="reading")
    add_comment(
        target=reading,
        author=bob,
        about=reading.annotations.get(surface="nausea"),
        kind="comment",
        body="Why so?",
        now=NOW,
    )
    page = body(alice_client.get(url(adjudication)))
    assert "Version A" in page and "Version B" in page and "0 of 3 differences settled" in page
    assert "Same span, different label" in page and "Why so?" in page
    assert "bob" not in page and "adam" not in page and "0.77" not in page
    answer = choose(alice_client, adjudication, "nausea", 1)
    assert "rules: Medication, score 0.77" in body(answer)
    assert "1 of 3 differences settled" in body(answer)
    assert answer.context["case"].start == TEXT.index("metformin")
    assert "rules: Medication, score 0.77" in body(alice_client.get(url(adjudication, case=place("nausea"))))


def test_a_choice_without_script_goes_on_to_the_next_case(alice_client: Client, adjudication: Adjudication) -> None:
    context = alice_client.get(url(adjudication)).context
    fields = {
        "key": context["idempotency_key"],
        "case": context["case"].key,
        "digest": context["case"].digest,
        "take": "all",
    }
    answer = alice_client.post(url(adjudication, "choose"), fields)
    assert (answer.status_code, answer.url) == (303, url(adjudication, case=place("metformin 500 mg")))
    assert Choice.objects.latest("pk").what == "all"


def test_neither_asks_why_and_then_takes_the_reason(alice_client: Client, adjudication: Adjudication) -> None:
    answer = choose(alice_client, adjudication, "nausea", 4)
    assert answer.status_code == 422 and "Say in a few words" in body(answer)
    assert choose(alice_client, adjudication, "nausea", 4, reason="a side effect").status_code == 200
    assert Choice.objects.latest("pk").reason == "a side effect"


def test_what_has_changed_since_it_was_shown_is_not_saved(
    alice_client: Client, adjudication: Adjudication, bob: User
) -> None:
    reading = AnnotationSet.objects.get(annotator=bob, kind="reading")
    reading.annotations.filter(surface="nausea").update(attributes={"assertion": "possible"})
    context = alice_client.get(url(adjudication)).context
    fields = {"key": context["idempotency_key"], "case": context["case"].key, "digest": "0" * 16, "take": "all"}
    answer = alice_client.post(url(adjudication, "choose"), fields, headers=HTMX)
    assert answer.status_code == 409 and "has changed" in body(answer)
    answer = alice_client.post(url(adjudication, "choose"), {"take": "nonsense"}, headers=HTMX)
    assert answer.status_code == 422 and "nothing was saved" in body(answer)


def test_a_third_version_is_drawn_as_it_is_written_and_then_taken(
    alice_client: Client, adjudication: Adjudication
) -> None:
    start = TEXT.index("nausea")
    page = alice_client.get(
        url(adjudication, case=place("nausea"), edit="", start=str(start + 1), end=str(start + 9), snap="on")
    )
    assert page.context["third"]["surface"] == "nausea since"
    context = page.context
    fields = {
        "key": context["idempotency_key"],
        "case": context["case"].key,
        "digest": context["case"].digest,
        "edit": context["third"]["base"],
        "part": "0",
        "start": str(start),
        "end": str(start + 12),
        "label": "Problem",
        "attribute-assertion": "possible",
    }
    moved = alice_client.post(url(adjudication, "choose"), fields | {"move": "end:1"}, headers=HTMX)
    assert moved.context["third"]["surface"] == "nausea since Monday"
    assert Choice.objects.filter(what="edit").count() == 0
    refused = alice_client.post(url(adjudication, "choose"), fields | {"label": "No", "take": "edit"}, headers=HTMX)
    assert refused.status_code == 422 and "Nothing was saved." in body(refused)
    assert refused.context["third"]["surface"] == "nausea since"
    assert alice_client.post(url(adjudication, "choose"), fields | {"take": "edit"}, headers=HTMX).status_code == 200
    assert ("nausea since", "Problem", {"assertion": "possible"}) in gold_of(adjudication)
    assert "Edited" in body(alice_client.get(url(adjudication)))


def test_a_note_is_finished_reopened_and_only_then_its_lead_sees_who_read_it(
    alice_client: Client, adjudication: Adjudication
) -> None:
    for words in ("nausea", "metformin 500 mg", "fever"):
        choose(alice_client, adjudication, words, 1)
    assert "bob" not in body(alice_client.get(url(adjudication, names="1")))
    assert alice_client.post(url(adjudication, "finish")).status_code == 303
    page = body(alice_client.get(url(adjudication, names="1")))
    assert "This note is gold" in page and "bob" in page and "adam" in page
    assert "bob" not in body(alice_client.get(url(adjudication)))
    alice_client.post(url(adjudication, "reopen"))
    assert choose(alice_client, adjudication, "fever", 2).status_code == 200


def test_a_note_that_a_reader_is_to_come_to_is_shown_to_nobody(
    alice_client: Client, adjudication: Adjudication, adam: User
) -> None:
    ensure_note_items(document=adjudication.document, n_slots=3, priority=1.0)
    for client in (alice_client, sign_in(Client(), adam)):
        for answer in (client.get(url(adjudication)), client.post(url(adjudication, "choose"), {"take": "all"})):
            assert answer.status_code == 409 and "metformin" not in body(answer)
    listed = body(alice_client.get(reverse("adjudication:notes", args=[adjudication.document.project.public_id])))
    assert "Waits for a reader" in listed and "metformin" not in listed


def test_who_does_not_hold_an_open_note_takes_it_first(adjudication: Adjudication, adam: User) -> None:
    client = sign_in(Client(), adam)
    page = client.get(url(adjudication))
    assert page.status_code == 409 and "metformin" not in body(page)
    assert client.post(url(adjudication, "take")).status_code == 303
    assert Adjudication.objects.get().leased_by != adam
    Adjudication.objects.update(lease_expires_at=NOW)
    assert client.post(url(adjudication, "take")).url == url(adjudication)
    assert "You read this note yourself" in body(client.get(url(adjudication)))
    client.post(url(adjudication, "put_back"))
    assert Adjudication.objects.get().lease_expires_at is None


def test_of_three_readings_the_two_that_differ_most_are_shown_and_any_other_can_be(
    alice_client: Client, project: Project, bob: User, adam: User, alice: User
) -> None:
    carol = make_member(project, "carol", "annotator")
    readers = ((bob, BOBS), (adam, ADAMS), (carol, (*BOBS[:1], ("nausea", "Problem", "possible"))))
    found = make_adjudication(project, *readers)
    take(adjudication=found, adjudicator=alice, now=NOW)
    context = alice_client.get(url(found, case=place("nausea"))).context
    assert len(context["options"]) == 4  # three versions and none; two of them clash, so not all
    letters = {column.letter for column in context["columns"]}
    (other,) = {"A", "B", "C"} - letters
    (shown, _), (_, pair) = context["columns"][0].others[0], context["columns"][1].others[0]
    assert shown == other
    switched = alice_client.get(url(found, case=place("nausea"), columns=pair)).context
    assert [column.letter for column in switched["columns"]] == list(pair)


def test_the_list_says_how_far_each_note_is(alice_client: Client, adjudication: Adjudication, project: Project) -> None:
    address = reverse("adjudication:notes", args=[project.public_id])
    page = body(alice_client.get(address))
    assert "<b>1 note</b> that several people have read is to be settled" in page
    assert "No note fits" in body(alice_client.get(f"{address}?state=done", headers=HTMX))
    assert alice_client.post(reverse("adjudication:next", args=[project.public_id])).url == url(adjudication)


def test_the_pages_cost_the_same_whatever_there_is(
    alice_client: Client, project: Project, bob: User, adam: User, alice: User, django_assert_max_num_queries: Any
) -> None:
    many = tuple((f"word{number:02}", "Problem") for number in range(30))
    text = " ".join(word for word, _ in many)
    found = make_adjudication(project, (bob, many), (adam, many[:-5]), text=text)
    for number in range(3):
        make_adjudication(project, (bob, many), (adam, many), text=text, name=f"more-{number}")
    take(adjudication=found, adjudicator=alice, now=NOW)
    alice_client.get(url(found))
    with django_assert_max_num_queries(19):
        alice_client.get(url(found))
    with django_assert_max_num_queries(9):
        alice_client.get(reverse("adjudication:notes", args=[project.public_id]))


def test_the_head_of_a_column_says_how_long_its_reader_worked_but_not_who(
    alice_client: Client, project: Project, bob: User, adam: User, alice: User
) -> None:
    document = make_document(project, text=TEXT, external_id="timed")
    ensure_note_items(document=document, n_slots=2, priority=1)
    for reader, seconds in ((bob, 185.2), (adam, None)):
        note_item = take_note(document=document, reviewer=reader, now=NOW)
        (nausea,) = said(document, ("nausea", "Problem"))
        for act in (Add(nausea.span, "Problem", {}), FinishNote()):
            decide(note_item=note_item, reviewer=reader, act=act, key=uuid4().hex, now=NOW, active_seconds=seconds)
    found = Adjudication.objects.select_related("document__project").get(document=document)
    take(adjudication=found, adjudicator=alice, now=NOW)
    page = body(alice_client.get(url(found)))
    assert page.count("6 min 10 s") == page.count("at work on this note") == 1
    assert "bob" not in page


def test_a_lease_is_kept_by_who_holds_the_note(alice_client: Client, adjudication: Adjudication, adam: User) -> None:
    Adjudication.objects.update(lease_expires_at=timezone.now() + timedelta(minutes=1))
    assert sign_in(Client(), adam).post(url(adjudication, "renew")).status_code == 409
    assert alice_client.post(url(adjudication, "renew")).status_code == 204
    adjudication.refresh_from_db()
    assert adjudication.lease_expires_at is not None
    assert adjudication.lease_expires_at > timezone.now() + timedelta(minutes=20)
    alice_client.post(url(adjudication, "put_back"))
    assert alice_client.post(url(adjudication, "renew")).status_code == 409


def test_earlier_choices_between_the_same_labels_are_counted(
    alice_client: Client, adjudication: Adjudication, project: Project, bob: User, adam: User, alice: User
) -> None:
    choose(alice_client, adjudication, "nausea", 1)
    assert "Decided between" not in body(alice_client.get(url(adjudication, case=place("nausea"))))
    other = make_adjudication(project, (bob, BOBS), (adam, ADAMS), name="other")
    take(adjudication=other, adjudicator=alice, now=NOW)
    assert "Decided between these labels: Problem 1 time." in body(alice_client.get(url(other, case=place("nausea"))))


def test_who_leaves_a_note_neither_sees_it_nor_writes_in_it(
    alice_client: Client, adjudication: Adjudication, alice: User
) -> None:
    """Until then a lease that has run out leaves it with them."""
    Adjudication.objects.update(lease_expires_at=NOW)
    assert choose(alice_client, adjudication, "nausea", 1).status_code == 200
    alice_client.post(url(adjudication, "put_back"))
    page = alice_client.get(url(adjudication))
    assert page.status_code == 409 and "metformin" not in body(page)
    answer = alice_client.post(url(adjudication, "choose"), {"take": "undo", "key": "a" * 32}, headers=HTMX)
    assert answer.headers["HX-Redirect"] == url(adjudication)
    assert "Nothing was saved." in body(alice_client.get(url(adjudication)))
    assert alice_client.post(url(adjudication, "finish"), follow=True).status_code == 409
    api = Api(alice, project=adjudication.document.project)
    assert api.get(f"./adjudications/{adjudication.public_id}/").status_code == 409
    undo = {"key": "b" * 32, "what": "undo"}
    refused = api.post(f"./adjudications/{adjudication.public_id}/choices/", undo)
    assert refused.status_code == 409 and "you have left it" in refused.json()["detail"]
    assert Choice.objects.filter(what="version").count() == 1 and not Choice.objects.filter(what="undo").exists()
    assert alice_client.post(url(adjudication, "take")).status_code == 303
    assert alice_client.get(url(adjudication)).status_code == 200


def test_words_outside_of_the_case_are_refused_and_what_was_written_stays(
    alice_client: Client, adjudication: Adjudication
) -> None:
    case = case_named(case_file(adjudication), place("nausea"))
    assert case is not None
    start = TEXT.index("twice daily")
    written = {"case": case.key, "digest": case.digest, "edit": case.versions[0].digest, "label": "Medication"}
    asked = {"key": "a" * 32, "start": start, "end": start + 5, "snap": "on", "reason": "because"}
    drawn = alice_client.post(url(adjudication, "choose"), written | asked, headers=HTMX)
    assert drawn.status_code == 422
    page = body(drawn)
    assert "has to overlap what the readers marked here" in page
    assert "A third version" in page and 'data-state="person">nausea</mark>' in page
    saved = alice_client.post(url(adjudication, "choose"), written | asked | {"take": "edit"}, headers=HTMX)
    assert saved.status_code == 422 and "Nothing was saved." in body(saved)
    assert not Choice.objects.filter(what="edit").exists()
