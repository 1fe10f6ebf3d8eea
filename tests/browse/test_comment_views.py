"""The list of comments: who sees which, and where they lead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.comments import add_comment, withdraw_comment
from annotator.annotations.models import Comment
from annotator.annotations.services import NewAnnotation, add_annotation, open_set, submit_set
from annotator.audit.models import AuditEvent
from annotator.browse.independence import comments_for
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.review.services import Edit, FinishNote, decide
from tests.cast import NOW, body, make_document, make_member, sign_in

PAIN = NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={})


def note(project: Project, name: str, *, n_slots: int = 1) -> Document:
    document = make_document(project, external_id=name)
    ensure_note_items(document=document, n_slots=n_slots, priority=1.0)
    return document


def hold(document: Document, reader: User) -> ReviewItem:
    return take_note(document=document, reviewer=reader, now=timezone.now())


def say(document: Document, reader: User, words: str, *, about: Any = None, kind: str = "comment") -> Comment:
    own = open_set(document=document, annotator=reader)
    return add_comment(target=own, author=reader, about=about, kind=kind, body=words, now=NOW)


def done(document: Document, reader: User) -> None:
    submit_set(target=open_set(document=document, annotator=reader), now=NOW)
    ReviewItem.objects.filter(document=document, leased_by=reader).update(status=ReviewItem.Status.DECIDED)


def seen(project: Project, user: User, *, minutes: int = 0) -> set[str]:
    membership = Membership.objects.select_related("project", "user").get(project=project, user=user)
    found = comments_for(membership, now=timezone.now() + timedelta(minutes=minutes))
    return {comment.body for comment in found}


@pytest.fixture
def url(project: Project) -> str:
    return reverse("browse:comments", args=[project.public_id])


def test_everybody_sees_what_can_sway_no_reading_of_theirs(
    project: Project, alice: User, bob: User, adam: User, dana: User
) -> None:
    carol = make_member(project, "carol", Membership.Role.ANNOTATOR)
    finished, asked, waits, both = (
        note(project, name, n_slots=n) for name, n in (("1", 1), ("2", 1), ("3", 2), ("4", 2))
    )
    for document, reader in ((finished, bob), (asked, bob), (waits, bob), (both, bob), (both, carol)):
        hold(document, reader)
        say(document, reader, f"{document.external_id} {reader.username}")
    for document, reader in ((finished, bob), (waits, bob), (both, bob), (both, carol)):
        done(document, reader)
    everything = {"1 bob", "2 bob", "3 bob", "4 bob", "4 carol"}
    assert seen(project, bob) == {"1 bob", "2 bob", "3 bob", "4 bob"}
    assert seen(project, carol) == {"4 carol"}
    assert seen(project, alice) == seen(project, adam) == everything - {"3 bob"}  # they may come to be its reader
    assert seen(project, dana) == everything - {"2 bob"}
    assert seen(project, alice, minutes=11) == everything - {"2 bob", "3 bob"}, "anyone may take note 2 over by then"
    assert seen(project, bob, minutes=11) == seen(project, bob)
    hold(waits, carol)
    assert "3 bob" not in seen(project, alice)
    done(waits, carol)
    assert seen(project, alice) == everything


def test_a_comment_that_is_taken_back_is_not_listed(project: Project, bob: User) -> None:
    document = note(project, "1")
    withdraw_comment(comment=say(document, bob, "Hm."), actor=bob, now=NOW)
    assert seen(project, bob) == set()


def test_rows_tell_the_span_as_it_stands_and_lead_to_the_note(
    client: Client, project: Project, alice: User, bob: User, url: str
) -> None:
    document = note(project, "ward-7")
    item = hold(document, bob)
    made = add_annotation(
        target=open_set(document=document, annotator=bob),
        annotator=bob,
        text=document.text,
        schema_version=project.schema_versions.get(),
        new=PAIN,
        now=NOW,
    )
    say(document, bob, "Is <b>this</b> one?", about=made, kind="discuss")
    say(document, bob, "", kind="flag")
    decide(note_item=item, reviewer=bob, act=Edit(made, label="Medication"), key="edit-key", now=timezone.now())
    decide(note_item=item, reviewer=bob, act=FinishNote(), key="done-key", now=timezone.now())
    page = body(sign_in(client, alice).get(url))
    assert "Is &lt;b&gt;this&lt;/b&gt; one?" in page
    assert 'chest pain <span class="faint nowrap">Medication</span>' in page
    assert '<span class="faint">the note</span>' in page
    assert page.index("Flag</span>") < page.index("To discuss</span>")  # the newest first
    assert f"{reverse('browse:documents', args=[project.public_id])}?note={document.public_id}" in page
    assert AuditEvent.objects.filter(verb="comments.read", actor=alice).count() == 1
    own = body(sign_in(client, bob).get(url))
    assert reverse("review:note", args=[project.public_id, item.public_id]) in own
    assert "ward-7" not in own  # who does not list the notes knows none by its own id


def test_the_list_is_narrowed_to_a_kind(alice_client: Client, project: Project, alice: User, url: str) -> None:
    document = note(project, "1")
    say(document, alice, "Said.")
    say(document, alice, "Flagged.", kind="flag")
    part = body(alice_client.get(f"{url}?kind=flag", HTTP_HX_REQUEST="true"))
    assert "Flagged." in part
    assert "Said." not in part
    assert "<html" not in part
    assert "Said." in body(alice_client.get(f"{url}?kind=praise"))
    assert "No comment of this kind." in body(alice_client.get(f"{url}?kind=discuss"))


def test_pages_are_of_fifty_and_queries_do_not_grow(
    alice_client: Client, project: Project, alice: User, url: str, django_assert_max_num_queries: Any
) -> None:
    document = note(project, "1")
    own = open_set(document=document, annotator=alice)
    Comment.objects.bulk_create(
        Comment(set=own, author=alice, kind="comment", body=f"Number {n}.", created_at=NOW) for n in range(60)
    )
    with django_assert_max_num_queries(14):
        first = body(alice_client.get(url))
    assert first.count("Number ") == 50
    assert body(alice_client.get(f"{url}?page=2")).count("Number ") == 10
