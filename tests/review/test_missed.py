from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.core.schema import SchemaError
from annotator.core.spans import Span, SpanError
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.services import create_project
from annotator.review import missed
from annotator.review.leases import take_note
from annotator.review.missed import missed_in
from annotator.review.models import Decision, ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.selectors import note_view
from annotator.review.services import Add, Dismiss, FinishNote, Redo, Reject, Undo
from annotator.suggestions.models import Labeler
from tests.cast import NOW, make_document, make_member, make_set, sign_in
from tests.review.conftest import Desk, suggest
from tests.review.test_services import do
from tests.training.promoted import make_promotion

TEXT = "Chest pain since May. No chest pain now; left knee swollen. Chest\nPAIN again, took Aspirin."
PAINS = [Span.of(0, 10), Span.of(25, 35), Span.of(60, 70)]
KNEE, ASPIRIN = "left knee", "aspirin"
AT = TEXT.index("Aspirin")


@pytest.fixture
def carol(project: Project) -> User:
    return make_member(project, "carol", Membership.Role.ANNOTATOR)


@pytest.fixture
def desk(project: Project, bob: User) -> Desk:
    """A note without suggestions in Bob's hands."""
    document = make_document(project, external_id="open", text=TEXT)
    ensure_note_items(document=document, n_slots=1, priority=1.0)
    return Desk(document=document, note_item=take_note(document=document, reviewer=bob, now=NOW))


def offered(desk: Desk, reader: User) -> list[tuple[str, str, int]]:
    """Words, label and place of what is offered, in its order."""
    desk.note_item.refresh_from_db()
    found = missed_in(note_view(note_item=desk.note_item), reader=reader)
    return [(" ".join(TEXT[one.start : one.end].split()).lower(), one.label, one.start) for one in found]


def said(project: Project, annotator: User, text: str, *spans: tuple[str, str], name: str) -> Document:
    """Another note, and what somebody submitted about it."""
    document = make_document(project, external_id=name, text=text)
    news = [
        NewAnnotation(span=Span.of(text.index(words), text.index(words) + len(words)), label=label, attributes={})
        for words, label in spans
    ]
    make_set(document, annotator, *news)
    return document


# What is offered


def test_mentions_of_what_the_reader_labelled_in_the_note_are_offered_one_at_a_time(desk: Desk, bob: User) -> None:
    assert offered(desk, bob) == []
    do(desk, bob, Add(span=PAINS[0], label="Problem"))
    assert offered(desk, bob) == [("chest pain", "Problem", 25)]
    do(desk, bob, Add(span=PAINS[1], label="Problem"))
    assert offered(desk, bob) == [("chest pain", "Problem", 60)]


def test_words_that_others_labelled_in_finished_notes_are_offered_with_their_record(
    desk: Desk, project: Project, bob: User, carol: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        said(project, carol, f"A swollen LEFT knee, {number}.", ("LEFT knee", "Problem"), name=f"n{number}")
    (found,) = missed_in(note_view(note_item=desk.note_item), reader=bob)
    assert (TEXT[found.start : found.end], found.label, found.n_here) == (KNEE, "Problem", 0)
    assert found.record is not None
    assert (found.record.n_spans, found.record.n_notes, found.record.n_mentions) == (2, 2, 2)
    monkeypatch.setattr(missed, "MOST_SETS", 1)
    (found,) = missed_in(note_view(note_item=desk.note_item), reader=bob)
    assert found.record is not None and found.record.n_notes == 1, "no more than so many notes are gone through"


def test_words_that_finished_notes_mostly_leave_out_are_not_offered(
    desk: Desk, project: Project, bob: User, carol: User
) -> None:
    said(project, carol, "Left knee pain.", ("Left knee", "Problem"), name="labelled")
    for number in range(2):
        said(project, carol, f"Left knee looks well, {number}.", name=f"n{number}")
    assert offered(desk, bob) == []


def test_what_others_say_is_used_only_where_it_can_sway_no_reading(
    desk: Desk, project: Project, bob: User, carol: User
) -> None:
    waiting = said(project, carol, "Left knee.", ("Left knee", "Problem"), name="waits for a reader")
    ReviewItem.objects.create(project=project, document=waiting, unit=ReviewItem.Unit.NOTE, slot=2)
    still_open = said(project, carol, "Left knee.", ("Left knee", "Problem"), name="not submitted")
    still_open.annotation_sets.update(status="open")
    begun = said(project, carol, "Left knee.", ("Left knee", "Problem"), name="begun by Bob")
    make_set(begun, bob)
    begun.annotation_sets.filter(annotator=bob).update(status="open")
    elsewhere = create_project(name="Elsewhere", schema=project.schema_versions.get().schema, lead=None, now=NOW)
    purged = said(project, carol, "Left knee.", ("Left knee", "Problem"), name="being purged")
    Document.objects.filter(pk=purged.pk).update(project=elsewhere)
    assert offered(desk, bob) == []
    still_open.annotation_sets.update(annotator=bob)
    Annotation.objects.filter(set__document=still_open).update(annotator=bob)
    assert offered(desk, bob) == [(KNEE, "Problem", TEXT.index(KNEE))]  # Bob's own, wherever it is


def test_a_blind_reader_is_offered_nothing(desk: Desk, bob: User) -> None:
    do(desk, bob, Add(span=PAINS[0], label="Problem"))
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(stream=ReviewItem.Stream.BLIND)
    assert offered(desk, bob) == []


def test_what_was_rejected_or_removed_in_the_note_is_not_offered_there(
    desk: Desk, project: Project, bob: User, carol: User
) -> None:
    said(project, carol, "Aspirin for a left knee.", ("Aspirin", "Medication"), ("left knee", "Problem"), name="n")
    knee = Span.of(TEXT.index(KNEE), TEXT.index(KNEE) + len(KNEE))
    suggest(desk.document, [(knee, "Problem", 0.4)], schema_version=project.schema_versions.get())
    do(desk, bob, Reject(desk.item(knee)))
    assert offered(desk, bob) == [(ASPIRIN, "Medication", AT)]
    added = do(desk, bob, Add(span=Span.of(AT, AT + 7), label="Medication"))
    assert added.made is not None
    do(desk, bob, Reject(added.made))
    assert offered(desk, bob) == []


# What a second reader found

ASPIRIN_AT, KNEE_AT = Span.of(AT, AT + 7), Span.of(TEXT.index(KNEE), TEXT.index(KNEE) + 9)


def test_what_only_a_second_reader_found_is_offered_behind_what_people_said(
    desk: Desk, project: Project, bob: User, schema_version: SchemaVersion
) -> None:
    beside = [(KNEE_AT, "Problem", 0.4), (ASPIRIN_AT, "Medication", 0.9), (PAINS[0], "Problem", 0.8)]
    suggest(desk.document, [], candidates=beside, schema_version=schema_version)
    do(desk, bob, Add(span=PAINS[0], label="Problem"))
    found = [("chest pain", "Problem", 25), (ASPIRIN, "Medication", AT), (KNEE, "Problem", KNEE_AT.start)]
    assert offered(desk, bob) == found
    do(desk, bob, Dismiss(span=ASPIRIN_AT, label="Medication"))
    assert offered(desk, bob) == [found[0], found[2]]
    added = do(desk, bob, Add(span=KNEE_AT, label="Problem"))
    assert added.made is not None and added.made.origin is None
    assert offered(desk, bob) == [found[0]]
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(stream=ReviewItem.Stream.BLIND)
    assert offered(desk, bob) == []


def test_of_each_labeler_only_the_newest_run_is_asked(desk: Desk, bob: User, schema_version: SchemaVersion) -> None:
    for labeler, span in (("one", PAINS[0]), ("other", KNEE_AT), ("one", ASPIRIN_AT)):
        suggest(
            desk.document,
            [],
            candidates=[(span, "Problem", 0.5)],
            schema_version=schema_version,
            labeler=labeler,
        )
    assert offered(desk, bob) == [(KNEE, "Problem", KNEE_AT.start), (ASPIRIN, "Problem", AT)]


def test_of_a_labeler_that_another_was_promoted_over_nothing_is_offered(
    desk: Desk, alice: User, bob: User, schema_version: SchemaVersion
) -> None:
    for labeler, span in (("one", PAINS[0]), ("other", KNEE_AT)):
        found = [(span, "Problem", 0.5)]
        suggest(desk.document, [], candidates=found, schema_version=schema_version, labeler=labeler)
    assert len(offered(desk, bob)) == 2
    one, other = (Labeler.objects.get(name=name) for name in ("one", "other"))
    make_promotion(other, alice, previous=one)
    assert offered(desk, bob) == [(KNEE, "Problem", KNEE_AT.start)]


def test_what_a_second_reader_found_is_not_offered_where_finished_notes_reject_it_or_leave_it_out(
    desk: Desk, project: Project, bob: User, carol: User, schema_version: SchemaVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = [(KNEE_AT, "Problem", 0.4), (ASPIRIN_AT, "Medication", 0.9)]
    suggest(desk.document, [], candidates=beside, schema_version=schema_version)
    assert len(offered(desk, bob)) == 2
    other = make_document(project, external_id="rejected", text="LEFT  knee, aspirin.")
    suggest(other, [(Span.of(0, 10), "Problem", 0.4)], schema_version=schema_version)
    note_item = take_note(document=other, reviewer=carol, now=NOW)
    held = Desk(document=other, note_item=note_item)
    do(held, carol, Reject(held.item(Span.of(0, 10))))
    assert len(offered(desk, bob)) == 2, "Carol is not done"
    do(held, carol, FinishNote())
    assert offered(desk, bob) == []
    monkeypatch.setattr(missed, "SAMPLE", 0)
    assert offered(desk, bob) == [(ASPIRIN, "Medication", AT)]


# Dismissed


def test_dismissed_words_do_not_come_back_in_the_note_until_undo(desk: Desk, bob: User) -> None:
    do(desk, bob, Add(span=PAINS[0], label="Problem"))
    decision = do(desk, bob, Dismiss(span=PAINS[1], label="Problem"))
    assert (decision.verdict, decision.stream, decision.made) == ("dismiss", "unasked", None)
    assert offered(desk, bob) == []
    do(desk, bob, Undo())
    assert offered(desk, bob) == [("chest pain", "Problem", 25)]
    redone = do(desk, bob, Redo())
    assert (redone.verdict, redone.dismissed_label, redone.dismissed_fragments) == ("dismiss", "Problem", "25 35")
    assert offered(desk, bob) == []


def test_what_is_dismissed_has_a_label_and_a_place_in_the_note(desk: Desk, bob: User) -> None:
    with pytest.raises(SchemaError):
        do(desk, bob, Dismiss(span=PAINS[0], label="Mood"))
    with pytest.raises(SpanError):
        do(desk, bob, Dismiss(span=Span.of(0, 4000), label="Problem"))
    assert not Decision.objects.exists()


# The page


@pytest.fixture
def post(desk: Desk, project: Project, bob: User, carol: User, client: Client) -> Any:
    """Bob's note with one suggestion left, and two things to be missed; posts for htmx."""
    said(project, carol, "Aspirin for it.", ("Aspirin", "Medication"), name="n")
    suggest(desk.document, [(PAINS[0], "Problem", 0.4)], schema_version=project.schema_versions.get())
    sign_in(client, bob)
    url = reverse("review:decide", args=[project.public_id, desk.note_item.public_id])

    def send(**data: str) -> str:
        response = client.post(url, {"key": desk.key(), **data}, HTTP_HX_REQUEST="true")
        return f"{response.status_code} {response.content.decode()}"

    return send


def test_the_last_decision_asks_whether_anything_was_missed(
    post: Any, desk: Desk, schema_version: SchemaVersion, django_assert_max_num_queries: Any
) -> None:
    beside = [(KNEE_AT, "Problem", 0.7)]
    suggest(desk.document, [], candidates=beside, schema_version=schema_version, labeler="a model")
    n_items = ReviewItem.objects.count()
    with django_assert_max_num_queries(43):
        html = post(target=f"i{desk.item(PAINS[0]).public_id}", verdict="accept")
    assert html.startswith("200")
    assert "Anything missed? 1 of 3" in html
    assert "labelled Problem once in this note" in html
    assert "labelled Medication once in 1 other note" in html
    assert "Problem by the dictionaries only: medium score" in html
    assert 'data-missed="25:35"' in html
    assert "Anything missed? 1 of 3: chest pain" in html.partition('id="told"')[2]
    html = post(fragments="25 35", label="Problem", missed="0")
    assert "Anything missed? 1 of 3" in html
    assert 'data-missed="60:70"' in html
    html = post(fragments="60 70", dismiss="Problem", missed="0")
    assert f'data-missed="{AT}:{AT + 7}"' in html
    html = post(fragments=f"{AT} {AT + 7}", dismiss="Medication", missed="0")
    assert f'data-missed="{KNEE_AT.start}:{KNEE_AT.end}"' in html
    html = post(fragments=str(KNEE_AT), dismiss="Problem", missed="0")
    assert "Every suggestion is decided" in html
    assert "Anything missed" not in html
    assert [(a.start, a.origin) for a in Annotation.objects.filter(set__document=desk.document)] == [
        (0, desk.item(PAINS[0]).suggestion),
        (25, None),
    ]
    assert ReviewItem.objects.count() == n_items
    html = post(verdict="undo", fragments=str(KNEE_AT), missed="0")
    assert f'data-missed="{KNEE_AT.start}:{KNEE_AT.end}"' in html


def test_a_walk_goes_from_one_to_the_next_and_numbers_beyond_them_to_the_last(
    post: Any, desk: Desk, client: Client, project: Project
) -> None:
    post(target=f"i{desk.item(PAINS[0]).public_id}", verdict="accept")
    url = reverse("review:note", args=[project.public_id, desk.note_item.public_id])
    for number in ("1", "9"):
        html = client.get(f"{url}?missed={number}", HTTP_HX_REQUEST="true").content.decode()
        assert "Anything missed? 2 of 2" in html
        assert 'name="dismiss" value="Medication"' in html
    assert "Anything missed? 1 of 2" in client.get(f"{url}?missed=x").content.decode()


def test_a_dismissal_without_its_place_is_refused(post: Any) -> None:
    assert post(dismiss="Problem").startswith("422")
    assert not Decision.objects.exists()


def test_words_under_a_label_that_the_schema_has_no_longer_are_not_offered(
    desk: Desk, post: Any, project: Project
) -> None:
    Annotation.objects.filter(set__document__external_id="n").update(label="Old")
    html = post(target=f"i{desk.item(PAINS[0]).public_id}", verdict="accept")
    assert "Anything missed? 1 of 1" in html
