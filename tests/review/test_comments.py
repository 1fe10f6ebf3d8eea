from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.comments import CommentRefused, add_comment, comments_about, withdraw_comment
from annotator.annotations.models import Annotation, AnnotationSet, Comment
from annotator.audit.models import AuditEvent
from annotator.review.leases import take_next
from annotator.review.selectors import note_view, source_of
from annotator.review.services import Accept, Edit
from tests.cast import NOW
from tests.review.conftest import CHEST_PAIN, DIABETES, Desk
from tests.review.test_services import do

WORDS = "Zebrafever or not?"


def own_set(desk: Desk, reader: User) -> AnnotationSet:
    return AnnotationSet.objects.get(document=desk.document, annotator=reader)


def say(desk: Desk, reader: User, span: object = CHEST_PAIN, kind: str = "comment", body: str = WORDS) -> Comment:
    about = source_of(desk.item(CHEST_PAIN)) if span is CHEST_PAIN else None
    return add_comment(target=own_set(desk, reader), author=reader, about=about, kind=kind, body=body, now=NOW)


def about(desk: Desk, reader: User, source: object) -> list[str]:
    found = comments_about(document_id=desk.document.pk, reader_id=reader.pk, about=source)  # type: ignore[arg-type]
    return [comment.body for comment in found]


def test_what_was_said_of_a_suggestion_stays_with_every_version_of_its_annotation(desk: Desk, bob: User) -> None:
    say(desk, bob)
    made = do(desk, bob, Accept(desk.item(CHEST_PAIN))).made
    assert made is not None
    edited = do(desk, bob, Edit(made, label="Medication")).made
    assert edited is not None
    add_comment(target=own_set(desk, bob), author=bob, about=edited, kind="flag", body="second", now=NOW)
    again = do(desk, bob, Edit(edited, label="Problem")).made
    assert about(desk, bob, Annotation.objects.get(pk=again.pk if again else 0)) == [WORDS, "second"]
    assert about(desk, bob, None) == []
    marks = note_view(note_item=desk.note_item).marks
    assert {mark.surface: mark.said for mark in marks.values()} == {
        "chest pain": "flag",
        "Diabetes": "",
        "metformin": "",
    }


def test_a_comment_is_in_the_audit_without_its_words(desk: Desk, bob: User) -> None:
    comment = say(desk, bob)
    withdraw_comment(comment=comment, actor=bob, now=NOW)
    events = list(AuditEvent.objects.filter(verb__startswith="comment.").order_by("pk"))
    assert [event.verb for event in events] == ["comment.add", "comment.withdraw"]
    assert "Zebra" not in str([event.detail for event in events])
    assert not withdraw_comment(comment=comment, actor=bob, now=NOW)


@pytest.mark.parametrize(("kind", "body"), [("comment", " "), ("comment", "x" * 2001), ("flag", "x" * 2001)])
def test_a_comment_without_words_or_with_too_many_is_refused(desk: Desk, bob: User, kind: str, body: str) -> None:
    with pytest.raises(CommentRefused):
        say(desk, bob, kind=kind, body=body)
    assert not Comment.objects.exists()


def test_a_flag_without_words_is_not_doubled(desk: Desk, bob: User) -> None:
    assert say(desk, bob, kind="flag", body="") == say(desk, bob, kind="flag", body="")


def test_only_its_author_takes_a_comment_back(desk: Desk, bob: User, alice: User) -> None:
    comment = say(desk, bob)
    with pytest.raises(CommentRefused):
        withdraw_comment(comment=comment, actor=alice, now=NOW)
    comment.refresh_from_db()
    assert comment.status == "open"


# The page


def url(desk: Desk, name: str, *more: str) -> str:
    return reverse(f"review:{name}", args=[desk.document.project.public_id, desk.note_item.public_id, *more])


@pytest.fixture
def bobs(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def test_a_comment_is_saved_and_shown_below_the_card(desk: Desk, bobs: Client) -> None:
    key = f"i{desk.item(CHEST_PAIN).public_id}"
    data = {"target": key, "kind": "comment", "body": WORDS}
    answer = bobs.post(url(desk, "comment"), data, headers={"HX-Request": "true"})
    assert (answer.status_code, WORDS in answer.content.decode()) == (200, True)
    assert bobs.post(url(desk, "comment"), data).status_code == 303
    assert WORDS in bobs.get(f"{url(desk, 'note')}?focus={key}").content.decode()
    other = f"i{desk.item(DIABETES).public_id}"
    assert WORDS not in bobs.get(f"{url(desk, 'note')}?focus={other}").content.decode()


def test_a_card_that_is_not_of_the_span_in_focus_shows_nothing_said_of_it(desk: Desk, bobs: Client, bob: User) -> None:
    say(desk, bob)
    note, key = url(desk, "note"), f"i{desk.item(CHEST_PAIN).public_id}"
    assert WORDS in bobs.get(note, {"focus": key}).content.decode()
    of_note = bobs.get(note, {"focus": key, "classify": "1"}).content.decode()
    assert WORDS not in of_note and 'aria-label="Comment on this note"' in of_note
    new = bobs.get(url(desk, "new_span"), {"focus": key, "start": "0", "end": "5"}).content.decode()
    assert WORDS not in new and 'class="remark-new"' not in new


def test_a_flag_is_a_toggle_and_keeps_what_is_typed(desk: Desk, bobs: Client) -> None:
    bobs.post(url(desk, "comment"), {"kind": "flag", "body": ""})
    flag = Comment.objects.get()
    assert (flag.kind, flag.thread, flag.suggestion) == ("flag", "", None)
    assert 'aria-pressed="true"' in bobs.get(url(desk, "note")).content.decode()
    data = {"body": "half a thought"}
    answer = bobs.post(url(desk, "remove_comment", flag.public_id), data, headers={"HX-Request": "true"})
    assert "half a thought</textarea>" in answer.content.decode()
    flag.refresh_from_db()
    assert flag.status == "withdrawn"


def test_a_comment_that_cannot_be_saved_keeps_its_words_on_the_page(
    desk: Desk, bobs: Client, alice: User, bob: User
) -> None:
    data = {"target": f"i{'a' * 16}", "kind": "comment", "body": WORDS}
    gone = bobs.post(url(desk, "comment"), data, headers={"HX-Request": "true"})
    assert (gone.status_code, f"{WORDS}</textarea>" in gone.content.decode()) == (422, True)
    later = NOW.replace(year=NOW.year + 1)
    assert take_next(project=desk.document.project, reviewer=alice, now=later) == desk.note_item
    taken = bobs.post(url(desk, "comment"), data, headers={"HX-Request": "true"})
    assert (taken.status_code, "not yours" in taken.content.decode()) == (409, True)
    assert not Comment.objects.exists()


def test_a_comment_begun_on_a_span_that_was_decided_meanwhile_is_kept_with_it(
    desk: Desk, bobs: Client, bob: User
) -> None:
    item = desk.item(CHEST_PAIN)
    made = do(desk, bob, Accept(item)).made
    data = {"target": f"i{item.public_id}", "kind": "comment", "body": WORDS}
    assert bobs.post(url(desk, "comment"), data, headers={"HX-Request": "true"}).status_code == 200
    assert about(desk, bob, made) == [WORDS]


def test_nobody_touches_a_comment_of_another_reader(
    desk: Desk, client: Client, bob: User, alice: User, charlie: User
) -> None:
    comment = say(desk, bob)
    for user in (alice, charlie):
        client.force_login(user)
        assert client.post(url(desk, "remove_comment", comment.public_id)).status_code == 404
    comment.refresh_from_db()
    assert comment.status == "open"
