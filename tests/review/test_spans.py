from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.browse.selectors import tallies
from annotator.browse.work import notes_in_hand, waiting_notes
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review import services, spans
from annotator.review.leases import LEASE, release, take_note
from annotator.review.models import Decision, ReviewItem
from annotator.review.selectors import live_annotations, notes_of
from tests.cast import NOW, TIED_SCHEMA, body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest

HTMX = {"HTTP_HX_REQUEST": "true"}
SPANS = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.7)]


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' clock stands where the fixtures' does."""
    for module in ("views", "span_views"):
        monkeypatch.setattr(f"annotator.review.{module}.timezone.now", lambda: NOW)


@dataclass
class Notes:
    """Two notes of the same text and spans; nobody holds them. The first is a little less certain."""

    project: Project
    first: Document
    second: Document
    n_keys: int = 0

    def item(self, document: Document, span: Span) -> ReviewItem:
        found = ReviewItem.objects.select_related("suggestion", "document__project")
        return found.get(document=document, suggestion__fragments=str(span))

    def note_item(self, document: Document) -> ReviewItem:
        return ReviewItem.objects.select_related("document__project").get(document=document, unit="note")

    def next(self, reviewer: User) -> tuple[Document, str] | None:
        found = spans.next_span(project=self.project, reviewer=reviewer, now=NOW)
        return None if found is None else (found.document, found.suggestion.surface)

    def audit(self, *keys: tuple[Document, Span, float]) -> None:
        """Put spans into the audit stream, as whoever assigns them does."""
        for document, span, key in keys:
            item = self.item(document, span)
            ReviewItem.objects.filter(pk=item.pk).update(stream="audit", audit_key=key)

    def post(self, client: Client, item: ReviewItem | str, *, htmx: bool = True, **data: str) -> Any:
        """Decide by span on the item, on the page of its note."""
        self.n_keys += 1
        note = self.note_item(item.document)
        form = {"key": f"key-{self.n_keys}", "target": f"i{item.public_id}", "queue": "span", **data}
        return client.post(self.url("decide", note), form, **(HTMX if htmx else {}))

    def url(self, name: str, *items: ReviewItem) -> str:
        return reverse(f"review:{name}", args=[self.project.public_id, *(item.public_id for item in items)])


@pytest.fixture
def notes(project: Project, schema_version: SchemaVersion, bells: object) -> Notes:
    project.policy = Project.Policy.LEAST_CERTAIN
    project.save(update_fields=["policy"])
    first, second = (make_document(project, external_id=name) for name in ("first", "second"))
    suggest(first, SPANS, schema_version=schema_version)
    suggest(second, [(span, label, score + 0.05) for span, label, score in SPANS], schema_version=schema_version)
    return Notes(project, first, second)


def target_of(response: Any) -> str:
    found = re.search(r'name="target" value="([^"]*)"', response.content.decode())
    assert found is not None
    return found[1]


def blind_audits(project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(audits="blind")


def test_audits_come_first_by_their_keys_then_the_least_certain_and_what_was_skipped_last(
    notes: Notes, bob: User
) -> None:
    notes.audit((notes.second, DIABETES, 0.2), (notes.first, METFORMIN, 0.1))
    order: list[tuple[Document, str]] = []
    while (item := spans.next_span(project=notes.project, reviewer=bob, now=NOW)) is not None and len(order) < 7:
        order.append((item.document, item.suggestion.surface))
        ReviewItem.objects.filter(pk=item.pk).update(
            **({"skipped_at": NOW} if len(order) == 1 else {"status": "decided"})
        )
    assert order == [
        (notes.first, "metformin"),  # skipped
        (notes.second, "Diabetes"),
        (notes.first, "chest pain"),
        (notes.second, "chest pain"),
        (notes.second, "metformin"),
        (notes.first, "Diabetes"),
        (notes.first, "metformin"),
    ]


def test_a_suggestion_keeps_its_audit_key_when_it_is_queued(notes: Notes) -> None:
    item = notes.item(notes.first, METFORMIN)
    assert item.audit_key == item.suggestion.audit_key


def test_no_span_is_served_of_a_note_that_someone_holds_or_that_is_read_blind(
    notes: Notes, bob: User, adam: User
) -> None:
    take_note(document=notes.first, reviewer=adam, now=NOW)
    assert notes.next(bob) == (notes.second, "chest pain")
    assert notes.next(adam) == (notes.first, "chest pain"), "whose note it is works on in it"
    ReviewItem.objects.filter(document=notes.second, unit="note").update(stream="blind")
    assert notes.next(bob) is None


def test_nobody_is_served_a_second_slot_of_a_note(notes: Notes, bob: User) -> None:
    take_note(document=notes.first, reviewer=bob, now=NOW)
    ReviewItem.objects.filter(document=notes.first, unit="span").update(slot=2)
    ReviewItem.objects.create(project=notes.project, document=notes.first, unit="note", slot=2)
    assert notes.next(bob) == (notes.second, "chest pain")


def test_two_at_once_get_two_notes(notes: Notes, bob: User, adam: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam takes the note in the moment between Bob's look and Bob's hand."""
    real, rival = spans.take_note_of, [adam]

    def take_note_of(**asked: Any) -> ReviewItem | None:
        if rival:
            spans.take_next_span(project=notes.project, reviewer=rival.pop(), now=NOW)
        return real(**asked)

    monkeypatch.setattr(spans, "take_note_of", take_note_of)
    found = spans.take_next_span(project=notes.project, reviewer=bob, now=NOW)
    assert found is not None
    holders = {item.document: item.leased_by for item in ReviewItem.objects.filter(unit="note")}
    assert holders == {notes.first: adam, notes.second: bob}
    assert found[1].document == notes.second


def test_moving_on_frees_the_note_before_and_staying_keeps_it(notes: Notes, bob: User) -> None:
    client = sign_in(Client(), bob)
    assert client.post(notes.url("next_span")).status_code == 303
    notes.post(client, notes.item(notes.first, CHEST_PAIN), verdict="accept")
    first, second = notes.note_item(notes.first), notes.note_item(notes.second)
    assert (first.lease_expires_at, second.lease_expires_at) == (None, NOW + LEASE)
    notes.post(client, notes.item(notes.second, CHEST_PAIN), verdict="skip")
    assert notes.note_item(notes.first).lease_expires_at == NOW + LEASE, "metformin there is the least certain now"
    client.post(notes.url("put_back", first), {"queue": "span"})
    assert notes.note_item(notes.first).lease_expires_at is None
    assert notes.note_item(notes.first).skipped_at is None, "the note keeps its place"


def test_a_note_in_which_one_span_was_looked_at_is_not_in_hand(notes: Notes, bob: User) -> None:
    def in_hand() -> list[str]:
        held = notes_in_hand(list(bob.memberships.select_related("project")), user=bob, now=NOW)
        mine = notes_of(project=notes.project, reviewer=bob, status="open")
        assert {each.item.pk for each in held} == {item.pk for item in mine}
        assert tallies(notes.project, [bob])[bob.pk].n_in_hand == len(mine)
        return [item.document.external_id for item in mine]

    note_item = take_note(document=notes.first, reviewer=bob, now=NOW)
    assert in_hand() == ["first"]
    release(note_item=note_item, reviewer=bob)
    assert in_hand() == []
    waiting = waiting_notes(list(bob.memberships.select_related("project")), user=bob, now=NOW)
    assert waiting[notes.project.pk].n_notes == 2
    notes.post(sign_in(Client(), bob), notes.item(notes.first, METFORMIN), verdict="accept")
    release(note_item=note_item, reviewer=bob)
    assert in_hand() == ["first"]


def test_a_decision_answers_with_the_next_span_of_another_note_in_place(notes: Notes, bob: User) -> None:
    client = sign_in(Client(), bob)
    start = client.post(notes.url("next_span"))
    item = notes.item(notes.first, CHEST_PAIN)
    assert f"focus=i{item.public_id}" in start["Location"]
    page = body(client.get(start["Location"].split("#")[0]))
    assert "Open the whole note" in page and 'name="queue" form="card" value="span"' in page
    answer = notes.post(client, item, verdict="accept")
    after = notes.item(notes.second, CHEST_PAIN)
    second = notes.note_item(notes.second)
    assert (answer.status_code, target_of(answer)) == (200, f"i{after.public_id}")
    assert notes.url("decide", second) in body(answer) and f'data-note="{notes.url("note", second)}"' in body(answer)
    assert answer["HX-Replace-Url"].startswith(notes.url("note", second))
    reads = AuditEvent.objects.filter(verb="note.read", actor=bob).values_list("object_id", flat=True)
    assert set(reads) == {notes.first.public_id, notes.second.public_id}
    plain = notes.post(client, after, htmx=False, verdict="reject")
    assert plain.status_code == 303 and "queue=span" in plain["Location"]


def test_an_edit_stays_and_the_way_on_is_asked_for(notes: Notes, bob: User) -> None:
    client = sign_in(Client(), bob)
    client.post(notes.url("next_span"))
    answer = notes.post(client, notes.item(notes.first, CHEST_PAIN), label="Medication")
    assert target_of(answer).startswith("a") and "on to the next span" in body(answer)
    leaving = notes.note_item(notes.first).public_id
    went = client.post(notes.url("next_span"), {"leaving": leaving}, **HTMX)
    assert target_of(went) == f"i{notes.item(notes.second, CHEST_PAIN).public_id}"
    assert notes.note_item(notes.first).lease_expires_at is None


def test_nothing_is_offered_as_missed_by_span(notes: Notes, bob: User) -> None:
    client = sign_in(Client(), bob)
    take_note(document=notes.first, reviewer=bob, now=NOW)
    notes.post(client, notes.item(notes.first, METFORMIN), verdict="accept")
    note = notes.note_item(notes.first)
    take_note(document=notes.first, reviewer=bob, now=NOW)
    page = body(client.get(notes.url("note", note), {"queue": "span"}))
    assert "Decided" in page and "data-missed" not in page


def test_only_the_lines_around_the_span_are_drawn(notes: Notes, bob: User, schema_version: SchemaVersion) -> None:
    text = "".join(f"Line {number}\n" for number in range(40)) + "Plan:\nCough.\n"
    long = make_document(notes.project, external_id="long", text=text)
    start = text.index("Line 20")
    suggest(long, [(Span.of(start, start + 7), "Problem", 0.01)], schema_version=schema_version)
    client = sign_in(Client(), bob)
    page = client.get(client.post(notes.url("next_span"))["Location"].split("#")[0]).content.decode()
    assert [int(number) for number in re.findall(r'<p class="line">.*?(\d+)[\n<]', page)] == list(range(14, 27))
    assert f'data-start="{text.index("Line 14")}"' in page, "where the page begins to count"


def test_undo_goes_back_to_the_note_before_once_for_a_key(notes: Notes, bob: User) -> None:
    client = sign_in(Client(), bob)
    client.post(notes.url("next_span"))
    item = notes.item(notes.first, CHEST_PAIN)
    notes.post(client, item, verdict="accept")
    here = notes.item(notes.second, CHEST_PAIN)
    for _ in range(2):
        answer = notes.post(client, here, verdict="undo", key="undo")
        assert target_of(answer) == f"i{item.public_id}"
        assert notes.url("decide", notes.note_item(notes.first)) in body(answer)
    assert list(Decision.objects.values_list("verdict", flat=True)) == ["accept", "undo"]
    assert notes.note_item(notes.second).lease_expires_at is None
    redone = notes.post(client, item, verdict="redo")
    assert target_of(redone) == f"i{here.public_id}"


def test_undo_takes_back_ones_own_decision_beside_what_someone_else_decided_since(
    notes: Notes, bob: User, adam: User
) -> None:
    bobs, adams = sign_in(Client(), bob), sign_in(Client(), adam)
    bobs.post(notes.url("next_span"))
    mine = notes.item(notes.first, CHEST_PAIN)
    notes.post(bobs, mine, verdict="accept")
    here = notes.item(notes.second, CHEST_PAIN)
    take_note(document=notes.first, reviewer=adam, now=NOW)
    notes.post(adams, notes.item(notes.first, METFORMIN), verdict="accept")
    in_hand = notes.post(bobs, here, verdict="undo")
    assert in_hand.status_code == 409 and services.NOT_BACK in body(in_hand), "Adam has the note"
    assert notes.url("note", notes.note_item(notes.first)) not in body(in_hand), "and nothing of it is shown"
    release(note_item=notes.note_item(notes.first), reviewer=adam)
    undone = notes.post(bobs, here, verdict="undo")
    assert target_of(undone) == f"i{mine.public_id}"
    note = notes.note_item(notes.first)
    assert (note.leased_by, note.lease_expires_at) == (bob, NOW + LEASE)
    assert set(live_annotations(note).values_list("surface", "annotator")) == {("metformin", adam.pk)}
    redone = notes.post(bobs, mine, verdict="redo")
    assert redone.status_code == 200
    assert list(Decision.objects.values_list("verdict", flat=True)) == ["accept", "accept", "undo", "accept"]


def test_undo_leaves_what_someone_else_has_gone_on_from(
    notes: Notes, schema_version: SchemaVersion, bob: User, adam: User
) -> None:
    SchemaVersion.objects.filter(pk=schema_version.pk).update(definition=TIED_SCHEMA)
    client = sign_in(Client(), bob)
    client.post(notes.url("next_span"))
    notes.post(client, notes.item(notes.first, CHEST_PAIN), verdict="accept")
    here = notes.item(notes.second, CHEST_PAIN)
    ReviewItem.objects.filter(pk=notes.item(notes.first, DIABETES).pk).update(status="closed")

    def by_adam(act: services.Act) -> Decision:
        note = take_note(document=notes.first, reviewer=adam, now=NOW)
        notes.n_keys += 1
        made = services.decide(note_item=note, reviewer=adam, act=act, key=f"adam-{notes.n_keys}", now=NOW)
        release(note_item=note, reviewer=adam)
        return made

    drug = by_adam(services.Accept(notes.item(notes.first, METFORMIN))).made
    pain = Annotation.objects.get(annotator=bob)
    for act in (
        services.Reject(pain),
        services.Edit(pain, label="Medication"),
        services.Relate("treats", head=drug, tail=pain),
        services.Add(span=CHEST_PAIN, label="Medication"),
        services.FinishNote(),
    ):
        by_adam(act)
        n_decided = Decision.objects.count()
        refused = notes.post(client, here, verdict="undo")
        assert refused.status_code in {409, 422} and "so it stays" in body(refused), act
        assert Decision.objects.count() == n_decided
        assert notes.note_item(notes.first).leased_by == adam, "the note is not taken for nothing"
        if act == services.FinishNote():
            services.decide(
                note_item=notes.note_item(notes.first), reviewer=adam, act=services.Undo(), key="a", now=NOW
            )
            release(note_item=notes.note_item(notes.first), reviewer=adam)
        else:
            by_adam(services.Undo())
    assert notes.post(client, here, verdict="undo").status_code == 200, "nothing of that stands"
    assert Annotation.objects.get(annotator=bob).status == "withdrawn"
    assert Annotation.objects.get(annotator=adam, status="live") == drug
    for value in ("never", ""):
        services.decide(
            note_item=notes.note_item(notes.first),
            reviewer=bob,
            act=services.Classify("smoking", value),
            key=f"bob-{value}",
            now=NOW,
        )
    release(note_item=notes.note_item(notes.first), reviewer=bob)
    by_adam(services.Classify("smoking", "current"))
    assert "so it stays" in body(notes.post(client, here, verdict="undo"))


def test_undo_by_span_reopens_no_note(notes: Notes, bob: User) -> None:
    held = take_note(document=notes.first, reviewer=bob, now=NOW)
    ReviewItem.objects.filter(document=notes.first, unit="span").update(status="closed")
    services.decide(note_item=held, reviewer=bob, act=services.FinishNote(), key="done", now=NOW)
    client = sign_in(Client(), bob)
    client.post(notes.url("next_span"))
    answer = notes.post(client, notes.item(notes.second, CHEST_PAIN), verdict="undo")
    assert answer.status_code == 422 and "Open that note to undo it" in body(answer)


def test_a_lease_that_was_lost_saves_nothing_and_shows_nothing(notes: Notes, bob: User, adam: User) -> None:
    client = sign_in(Client(), bob)
    client.post(notes.url("next_span"))
    take_note(document=notes.first, reviewer=adam, now=NOW + timedelta(minutes=11))
    answer = notes.post(client, notes.item(notes.first, CHEST_PAIN), verdict="accept")
    assert answer.status_code == 409 and "chest pain" not in body(answer)
    assert not Decision.objects.exists()


def test_where_no_span_is_left_the_start_page_says_so(notes: Notes, bob: User) -> None:
    ReviewItem.objects.filter(unit="span").update(status="decided")
    page = sign_in(Client(), bob).post(notes.url("next_span"), follow=True)
    assert "No span is left for you to decide here." in body(page)


def test_the_start_page_leads_to_spans_where_notes_are_free(notes: Notes, bob: User) -> None:
    page = body(sign_in(Client(), bob).get(notes.url("start")))
    assert "Work by span" in page
    ReviewItem.objects.filter(unit="note").update(status="decided")
    assert "Work by span" not in body(sign_in(Client(), bob).get(notes.url("start")))
