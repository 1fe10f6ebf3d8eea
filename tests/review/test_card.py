from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.core import doubts
from annotator.core.spans import Span
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.projects.services import add_guideline, set_member
from annotator.review import services
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.routing.confidence import LOW_SCORE
from tests.cast import NOW, SCHEMA, body, make_document, make_set, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' clock stands two hours after the fixtures'."""
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW + timedelta(hours=2))


def card(client: Client, desk: Desk, key: str) -> str:
    url = reverse("review:note", args=[desk.document.project.public_id, desk.note_item.public_id])
    return body(client.get(url, {"focus": key}, **HTMX))


def card_of(client: Client, desk: Desk, span: Span = CHEST_PAIN) -> str:
    return card(client, desk, f"i{desk.item(span).public_id}")


def give_signals(desk: Desk, **signals: Any) -> None:
    suggestion = desk.item(CHEST_PAIN).suggestion
    assert suggestion is not None
    suggestion.signals = signals
    suggestion.save()


def decide(desk: Desk, reviewer: User, act: services.Act) -> Annotation:
    made = services.decide(note_item=desk.note_item, reviewer=reviewer, act=act, key=desk.key(), now=NOW).made
    assert made is not None
    return made


def test_a_raw_score_is_called_so_in_words(client: Client, desk: Desk, bob: User) -> None:
    assert doubts.LOW == LOW_SCORE, "the queue's chip and the card say low of the same scores"
    sign_in(client, bob)
    for span, words in (
        (CHEST_PAIN, "Low score&ensp;0.40"),
        (METFORMIN, "Medium score&ensp;0.70"),
        (DIABETES, "High score&ensp;0.90"),
    ):
        html = card_of(client, desk, span)
        assert words in html
        assert "raw, not calibrated" in html
        assert "confidence" not in html


def test_a_calibrated_confidence_is_called_so(client: Client, desk: Desk, bob: User) -> None:
    ReviewItem.objects.filter(pk=desk.item(CHEST_PAIN).pk).update(confidence=0.88)
    html = card_of(sign_in(client, bob), desk)
    assert "High confidence&ensp;0.88" in html
    assert "calibrated, raw 0.40" in html


def test_the_bar_shows_the_score_where_the_signals_tell_of_no_runner_up(client: Client, desk: Desk, bob: User) -> None:
    html = card_of(sign_in(client, bob), desk)
    assert 'aria-label="Score 0.40 of 1"' in html
    assert 'width="40.00%"' in html
    assert "runner-up" not in html


def test_the_bar_and_a_dashed_pill_show_the_runner_up(client: Client, desk: Desk, bob: User) -> None:
    give_signals(desk, label_share=0.55, label_margin=0.14, runner_up="Medication")
    html = card_of(sign_in(client, bob), desk)
    assert "The model&#x27;s labels: Problem 0.55, Medication 0.41, other labels 0.04" in html
    assert html.count("data-runner-up") == 1
    assert 'value="Medication" data-key="2" data-runner-up' in html
    assert "dashed: runner-up" in html
    for part in (
        '"first" class="c-rust" x="0.00%" width="55.00%"',
        '"second" class="c-violet" x="55.00%" width="41.00%"',
    ):
        assert f"data-kind={part}" in html


def test_a_runner_up_that_the_schema_does_not_have_is_a_name_only(client: Client, desk: Desk, bob: User) -> None:
    give_signals(desk, label_share=0.55, label_margin=0.14, runner_up="<b>Body</b>")
    html = card_of(sign_in(client, bob), desk)
    assert "&lt;b&gt;Body&lt;/b&gt; 0.41" in html
    assert "data-runner-up" not in html


def test_the_card_says_which_labeler_and_where(client: Client, desk: Desk, bob: User) -> None:
    html = card_of(sign_in(client, bob), desk)
    assert "Suggested by rules" in html
    assert "version 1" in html
    assert "at 15–25" in html


def test_a_suggestion_is_told_from_what_people_made_of_it(client: Client, desk: Desk, bob: User, alice: User) -> None:
    sign_in(client, bob)
    accepted = decide(desk, bob, services.Accept(item=desk.item(CHEST_PAIN)))
    changed = decide(desk, bob, services.Edit(target=desk.item(METFORMIN), label="Problem"))
    added = decide(desk, bob, services.Add(span=Span.of(50, 56), label="Medication"))
    for made, words in (
        (accepted, "From a suggestion of rules, accepted by you"),
        (changed, "From a suggestion of rules, changed by you"),
        (added, "<span>Added by you</span>"),
    ):
        html = card(client, desk, f"a{made.public_id}")
        assert "Your span" in html
        assert words in html
        assert "2 h ago" in html
        assert "Suggested by" not in html
        assert "score" not in html
    Annotation.objects.filter(pk=accepted.pk).update(annotator=alice)
    assert "accepted by alice" in card(client, desk, f"a{accepted.public_id}"), "the note was taken over from her"


def test_another_assertion_is_a_change(client: Client, desk: Desk, bob: User) -> None:
    made = decide(desk, bob, services.Edit(target=desk.item(CHEST_PAIN), attributes={"assertion": "absent"}))
    html = card(sign_in(client, bob), desk, f"a{made.public_id}")
    assert "changed by you" in html


def test_the_guideline_s_passage_and_the_definition_in_short(
    client: Client, desk: Desk, project: Project, alice: User, bob: User
) -> None:
    html = card_of(sign_in(client, bob), desk)
    assert "Guideline" not in html
    assert SCHEMA["labels"][0]["definition"] in html
    text = "## Problems\nTake **the whole phrase** with its <site>.\n## Medications\nThe name only.\n"
    add_guideline(project=project, text=text, actor=alice, now=NOW)
    html = card_of(client, desk)
    assert "Guideline 1, Problems" in html
    assert "Take <b>the whole phrase</b> with its &lt;site&gt;." in html
    assert "The name only" not in html
    assert SCHEMA["labels"][0]["definition"] in html
    assert "Yes: chest pain" in html
    assert f'href="{reverse("browse:guideline", args=[project.public_id])}" target="_blank"' in html
    add_guideline(project=project, text="Nothing of it.", actor=alice, now=NOW)
    assert "It does not speak of Problem by name." in card_of(client, desk)


def similar_part(html: str) -> str:
    return html.partition('<section class="similar"')[2].partition("</section>")[0]


def test_similar_decisions_are_shown_with_label_person_and_time(
    client: Client, desk: Desk, project: Project, alice: User, bob: User, adam: User
) -> None:
    sign_in(client, bob)
    assert similar_part(card_of(client, desk)) == ""
    text = "She had <i>no</i> chest pain on Monday."
    span = Span.of(text.index("chest"), text.index(" on"))
    note = make_document(project, external_id="other", text=text)
    attributes = {"assertion": "absent"}
    make_set(note, adam, NewAnnotation(span=span, label="Problem", attributes=attributes), now=NOW - timedelta(days=3))
    html = similar_part(card_of(client, desk))
    assert "One similar decision" in html
    assert "<q><b>chest pain</b></q>" in html
    assert '<span class="label c-rust">Problem, absent</span>' in html
    assert "Another reader, 3 days ago" in html
    assert "adam" not in html
    set_member(project=project, user=bob, role=Membership.Role.LEAD, actor=alice, now=NOW)
    assert "adam, 3 days ago" in similar_part(card_of(client, desk))
    mine = make_document(project, external_id="mine", text=text)
    make_set(mine, bob, NewAnnotation(span=span, label="Problem", attributes={}), now=NOW - timedelta(minutes=5))
    html = similar_part(card_of(client, desk))
    assert "Two similar decisions" in html
    assert "<q>She had &lt;i&gt;no&lt;/i&gt; <b>chest pain</b> on Monday.</q>" in html
    assert html.index("You, 2 h ago") < html.index("adam, 3 days ago")
    assert '<span class="label c-rust">Problem</span>' in html


def test_the_card_shows_nothing_of_others_in_a_note_that_waits_for_a_reader(
    client: Client, desk: Desk, project: Project, bob: User, adam: User, schema_version: SchemaVersion
) -> None:
    note = make_document(project, external_id="shared")
    suggest(note, [(CHEST_PAIN, "Problem", 0.5)], schema_version=schema_version)
    held = take_note(document=note, reviewer=adam, now=NOW)
    his = Desk(document=note, note_item=held)
    decide(his, adam, services.Accept(item=his.item(CHEST_PAIN)))
    sign_in(client, bob)
    assert similar_part(card_of(client, desk)) == ""
    services.decide(note_item=held, reviewer=adam, act=services.FinishNote(), key="done", now=NOW)
    assert "Another reader" in similar_part(card_of(client, desk))
    services.decide(note_item=held, reviewer=adam, act=services.Undo(), key="reopen", now=NOW)
    assert similar_part(card_of(client, desk)) == ""
