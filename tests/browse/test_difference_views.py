"""Where readers differ: what is put together, who may see it, and the way into the guideline."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.audit.models import AuditEvent
from annotator.browse.disagreements import disagreements_of, place_of
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.services import add_guideline
from annotator.readings.models import Adjudication, Difference
from annotator.readings.services import notes_read
from annotator.review.models import ReviewItem
from tests.browse.settled import settle
from tests.cast import NOW, body, make_document, make_set, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def url(project: Project) -> str:
    return reverse("browse:differences", args=[project.public_id])


def place(route: str, project: Project, row: Difference) -> str:
    return reverse(f"browse:{route}", args=[project.public_id, place_of(row)])


def make_read(project: Project, one: User, other: User, text: str, *said: tuple[str, str, str], name: str) -> Document:
    """A note that both have read; `said` are words with the label of each, empty for none."""
    document = make_document(project, text=text, external_id=name)
    for reader, column in ((one, 1), (other, 2)):
        news = [
            NewAnnotation(
                span=Span.of(text.index(each[0]), text.index(each[0]) + len(each[0])),
                label=each[column],
                attributes={},
            )
            for each in said
            if each[column]
        ]
        make_set(document, reader, *news)
    notes_read(document_ids=[document.pk], waiting=[])
    return document


@pytest.fixture
def read(project: Project, alice: User, bob: User) -> list[Document]:
    """Twice nausea, the other way round and in capitals; once cough, that only one marks."""
    return [
        make_read(project, alice, bob, "Has nausea and cough.", ("nausea", "Problem", "Medication"), name="n1"),
        make_read(project, alice, bob, "NAUSEA again.", ("NAUSEA", "Medication", "Problem"), name="n2"),
        make_read(project, alice, bob, "A cough now.", ("cough", "Problem", ""), name="n3"),
        make_read(project, alice, bob, "No fever.", ("fever", "Problem", "Problem"), name="n4"),
    ]


def test_the_same_words_between_the_same_labels_come_together(
    alice_client: Client, project: Project, read: list[Document]
) -> None:
    found = disagreements_of(project)
    assert [(each.labels, each.n_places, each.n_documents) for each in found] == [
        (("Medication", "Problem"), 2, 2),
        (("", "Problem"), 1, 1),
    ]
    page = body(alice_client.get(url(project)))
    assert page.index("NAUSEA") < page.index(">cough<")
    assert "fever" not in page, "both say the same"
    assert page.count("not settled") == 2
    row = Difference.objects.get(pk=found[0].keys[0])
    spots = body(alice_client.get(place("difference", project, row)))
    assert "Has <b>nausea</b> and cough." in spots and "<b>NAUSEA</b> again." in spots
    assert "2 places where two readers differ" in spots
    assert reverse("adjudication:note", args=[project.public_id, row.document.adjudication.public_id]) in spots
    assert AuditEvent.objects.filter(verb="differences.read").count() == 1


def test_of_what_is_settled_gold_is_told_and_waits_for_the_next_pool(
    alice_client: Client, project: Project, adam: User, read: list[Document]
) -> None:
    Adjudication.objects.filter(document=read[1]).update(status="done", done_at=NOW)
    key = settle(read[1], adam, "NAUSEA", "Problem", "Medication")
    page = body(alice_client.get(url(project)))
    assert 'Problem <span class="faint">1</span>' in page
    assert page.index(">as Problem<") < page.index(">as Medication<"), "that of gold comes first"
    row = Difference.objects.filter(document=read[1], pair__kind="annotators").get()
    spots = body(alice_client.get(place("difference", project, row)))
    assert "<b>Problem</b>" in spots and "not settled" in spots
    wish = reverse("browse:wish", args=[project.public_id, key])
    assert wish in spots
    assert alice_client.post(wish).status_code == 303
    assert "<b>NAUSEA</b> again." in body(alice_client.get(reverse("browse:pools", args=[project.public_id])))


def test_one_becomes_an_example_once_a_lead_has_seen_it(
    alice_client: Client, project: Project, read: list[Document]
) -> None:
    add_guideline(project=project, text="## Problem\n\n- A finding.", actor=None, now=NOW)
    row = Difference.objects.filter(document=read[0], pair__kind="annotators").get()
    example = place("difference_example", project, row)
    draft = alice_client.get(example, {"label": "Problem", "between": "Medication|Problem"})
    text = draft.context["form"].initial["text"]
    assert text == "## Problem\n\n- A finding.\n- “nausea” → Problem, not Medication"
    assert project.guidelines.count() == 1
    assert alice_client.get(example, {"label": "Cough"}).status_code == 404
    assert alice_client.get(example, {"between": "Problem|Test"}).status_code == 404
    alice_client.post(reverse("browse:new_guideline", args=[project.public_id]), {"text": text, "changes": 1})
    alone = Difference.objects.filter(document=read[2], pair__kind="annotators").get()
    nothing = alice_client.get(place("difference_example", project, alone), {"label": ""})
    assert nothing.context["form"].initial["text"].endswith("- “cough” → no span, not Problem")


def test_what_the_guideline_tells_is_said(alice_client: Client, project: Project, read: list[Document]) -> None:
    add_guideline(project=project, text="- “NAUSEA” → Problem, not Medication", actor=None, now=NOW)
    page = body(alice_client.get(url(project)))
    assert page.count("In the guideline") == 1 and ">as Problem<" in page


def test_notes_that_wait_for_a_reader_are_left_out(
    alice_client: Client, project: Project, read: list[Document]
) -> None:
    ReviewItem.objects.create(project=project, document=read[2], unit="note", slot=3)
    row = Difference.objects.filter(document=read[2], pair__kind="annotators").get()
    assert "cough" not in body(alice_client.get(url(project)))
    assert alice_client.get(place("difference", project, row)).status_code == 404
    assert alice_client.get(place("difference_example", project, row)).status_code == 404


def test_who_may_not_see_disagreements_sees_none_here(
    client: Client, project: Project, read: list[Document], bob: User, adam: User, dana: User, charlie: User
) -> None:
    row = Difference.objects.filter(document=read[0], pair__kind="annotators").get()
    pages = [url(project), place("difference", project, row)]
    for user, status in ((bob, 403), (adam, 403), (dana, 200), (charlie, 404)):
        sign_in(client, user)
        assert [client.get(page).status_code for page in pages] == [status, status]
    sign_in(client, dana)
    page = body(client.get(pages[1]))
    assert "alice" not in page and "Example:" not in page
    assert client.get(place("difference_example", project, row)).status_code == 403
    for nonsense in ("x", "x-1-2", "x-²-3", f"{read[0].public_id}-1-{'9' * 40}"):
        assert client.get(reverse("browse:difference", args=[project.public_id, nonsense])).status_code == 404


def test_the_pages_take_as_many_queries_for_many_notes(
    alice_client: Client, project: Project, alice: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(9):
        said = ("pain", "Problem", "Medication")
        make_read(project, alice, bob, f"Has pain {number}.", said, name=f"m{number}")
    row = Difference.objects.filter(pair__kind="annotators").latest("pk")
    for page in (url(project), place("difference", project, row)):
        alice_client.get(page)  # and the reading is recorded once an hour
        with django_assert_max_num_queries(11):
            alice_client.get(page)
