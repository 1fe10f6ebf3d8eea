"""What a blind audit or a blind reading hides, on every path to its reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.browse.selectors import listed_notes
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_guideline
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import Suggestion
from tests.api.scene import Api, results
from tests.cast import NOW, TEXT, body, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

HTMX = {"HTTP_HX_REQUEST": "true"}
# What the model says of the span, in words that stand nowhere else.
LABEL, VALUE, SCORE, REASON = "Xylem", "phloem", 0.4711, "low score"
HIDDEN = [LABEL, LABEL.lower(), VALUE, "0.47", "47.1", ">Xy<", REASON, "low_score"]


@pytest.fixture(autouse=True)
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("views", "span_views", "comment_views", "api"):
        monkeypatch.setattr(f"annotator.review.{module}.timezone.now", lambda: NOW)


@pytest.fixture
def audit(desk: Desk, project: Project) -> ReviewItem:
    """In Bob's note "chest pain" is a blind audit."""
    Project.objects.filter(pk=project.pk).update(audits="blind")
    item = desk.item(CHEST_PAIN)
    Suggestion.objects.filter(pk=item.suggestion_id).update(
        label=LABEL, attributes={"assertion": VALUE}, score=SCORE, signals={"label_share": SCORE, "runner_up": LABEL}
    )
    ReviewItem.objects.filter(pk=item.pk).update(stream="audit", reason="low_score")
    desk.note_item.document.project.refresh_from_db()
    return desk.item(CHEST_PAIN)


def address(desk: Desk, name: str) -> str:
    return reverse(f"review:{name}", args=[desk.document.project.public_id, desk.note_item.public_id])


def post(client: Client, desk: Desk, **data: str) -> Any:
    return client.post(address(desk, "decide"), {"key": desk.key(), **data}, **HTMX)


def answers(client: Client, api: Api, desk: Desk, item: ReviewItem) -> Iterator[tuple[str, Any]]:
    """All that a reader can ask for before they decide, and what they can do short of that."""
    key, note = f"i{item.public_id}", address(desk, "note")
    yield "page", client.get(note)
    yield "page in focus", client.get(note, {"focus": key})
    yield "page by span", client.get(note, {"focus": key, "queue": "span"})
    yield "relation from it", client.get(note, {"focus": key, "relate": key}, **HTMX)
    yield "page by span without focus", client.get(note, {"queue": "span"})
    yield "card", client.get(note, {"focus": key}, **HTMX)
    yield "alike", client.get(note, {"focus": key, "alike": "1"}, **HTMX)
    yield "queue narrowed", client.get(note, {"queue": "audit"}, **HTMX)
    yield "new span", client.get(address(desk, "new_span"), {"start": 27, "end": 35, "focus": key}, **HTMX)
    yield "start", client.get(reverse("review:start", args=[desk.document.project.public_id]))
    yield "comment", client.post(address(desk, "comment"), {"target": key, "kind": "flag", "body": ""}, **HTMX)
    yield "accept", post(client, desk, target=key, verdict="accept")
    yield "attribute", post(client, desk, target=key, attribute="assertion=absent")
    yield "bounds", post(client, desk, target=key, move="end:-1")
    yield "bounds by span", post(client, desk, target=key, bounds="15:20", queue="span")
    yield "accept alike", post(client, desk, target=key, verdict="accept", alike="on")
    yield "reject alike", post(client, desk, target=key, verdict="reject", alike="on")
    yield "skip", post(client, desk, target=key, verdict="skip")
    yield "undo of skip", post(client, desk, verdict="undo")
    yield "note done", post(client, desk, verdict="note_done")
    yield "home", client.get(reverse("home"))
    yield "api note", api.get(f"./review/{desk.note_item.public_id}/")
    yield "api next", api.post("./review/next/")
    decision = {"key": "a" * 8, "verdict": "accept", "item": item.public_id}
    yield "api accept", api.post(f"./review/{desk.note_item.public_id}/decisions/", decision)
    remark = {"kind": "comment", "body": "Unsure.", "item": item.public_id}
    yield "api comment", api.post(f"./review/{desk.note_item.public_id}/comments/", remark)
    yield "comments", client.get(reverse("browse:comments", args=[desk.document.project.public_id]))
    for name in ("suggestions", "annotations", "decisions", "documents", "comments", "relations", "document-labels"):
        yield f"api {name}", api.get(f"./{name}/")


def test_nothing_tells_what_the_model_says_of_a_blind_audit(
    desk: Desk, audit: ReviewItem, bob: User, project: Project
) -> None:
    add_guideline(project=project, text=f"## {LABEL}\nTake it whole.", actor=None, now=NOW)
    api = Api(bob, project=project)
    for name, answer in answers(sign_in(Client(), bob), api, desk, audit):
        page = answer.content.decode()
        assert answer.status_code < 500
        told = [word for word in HIDDEN if word in page]
        assert told == [], f"{name}: {told}"
    assert not Decision.objects.exclude(verdict__in=["skip", "undo"]).exists(), "nothing of all this decides"


def test_a_lead_who_reviews_is_not_told_by_the_api_either(
    desk: Desk, audit: ReviewItem, alice: User, dana: User, project: Project
) -> None:
    def surfaces(user: User) -> set[str]:
        return {row["surface"] for row in results(Api(user, project=project).get("./suggestions/"))}

    assert surfaces(alice) == {"Diabetes", "metformin"}
    assert surfaces(dana) == {"chest pain", "Diabetes", "metformin"}, "who cannot review sees it at once"
    ReviewItem.objects.filter(pk=audit.pk).update(status="decided")
    assert "chest pain" in surfaces(alice)


@pytest.mark.parametrize(
    ("said", "verdict", "made", "told"),
    [
        ({"label": "Problem"}, "accept", ("15 25", "Problem"), "you say the same"),
        ({"label": "Problem", "fragments": "15 25"}, "accept", ("15 25", "Problem"), "you say the same"),
        ({"label": "Problem", "fragments": "15 20"}, "edit", ("15 20", "Problem"), "you say the same of another place"),
        ({"label": "Medication"}, "edit", ("15 25", "Medication"), "you say Medication"),
        ({"verdict": "reject"}, "reject", None, "you say there is no span"),
    ],
)
@pytest.mark.parametrize("queue", ["", "span"])
def test_the_reviewer_says_and_then_sees_what_the_model_said(
    desk: Desk,
    bob: User,
    project: Project,
    queue: str,
    said: dict[str, str],
    verdict: str,
    made: tuple[str, str] | None,
    told: str,
) -> None:
    Project.objects.filter(pk=project.pk).update(audits="blind")
    ReviewItem.objects.filter(pk=desk.item(CHEST_PAIN).pk).update(stream="audit")
    target = f"i{desk.item(CHEST_PAIN).public_id}"
    answer = post(sign_in(Client(), bob), desk, target=target, queue=queue, **said)
    decision = Decision.objects.select_related("made").get()
    assert (decision.verdict, decision.stream) == (verdict, "audit")
    assert (decision.made and (decision.made.fragments, decision.made.label)) == made
    assert f"“chest pain”: the model says Problem, with a score of 0.40; {told}." in body(answer)
    focus = f"a{decision.made.public_id}" if decision.made else f"i{desk.item(METFORMIN).public_id}"
    assert f'name="target" value="{focus}"' in body(answer), "a label stays for a second look, a rejection goes on"


@pytest.mark.parametrize(("label", "verdict"), [("Problem", "accept"), ("Medication", "edit")])
def test_a_label_that_stands_there_already_does_not_tell_the_model_s(
    desk: Desk, bob: User, project: Project, label: str, verdict: str
) -> None:
    client, item = sign_in(Client(), bob), desk.item(CHEST_PAIN)
    post(client, desk, fragments=str(CHEST_PAIN), label=label)
    Project.objects.filter(pk=project.pk).update(audits="blind")
    ReviewItem.objects.filter(pk=item.pk).update(stream="audit")
    answer = post(client, desk, target=f"i{item.public_id}", label=label)
    assert answer.status_code == 200 and "you had said what you say now" in body(answer)
    decision = Decision.objects.get(item=item)
    assert (decision.verdict, decision.made) == (verdict, None)
    post(client, desk, verdict="undo")
    assert desk.item(CHEST_PAIN).status == "open"


def test_no_relation_is_drawn_from_a_hidden_span(desk: Desk, audit: ReviewItem, bob: User) -> None:
    key = f"i{audit.public_id}"
    card = body(sign_in(Client(), bob).get(address(desk, "note"), {"focus": key, "relate": key}, **HTMX))
    assert 'id="do-reject"' in card and "Accept it" not in card


def test_a_mention_that_reads_alike_is_left_out_where_it_is_a_blind_audit(
    desk: Desk, bob: User, project: Project, schema_version: SchemaVersion
) -> None:
    again = Span.of(TEXT.rindex("metformin"), TEXT.rindex("metformin") + 9)
    suggest(desk.document, [(again, "Problem", 0.5)], schema_version=schema_version, labeler="second")
    client, target = sign_in(Client(), bob), f"i{desk.item(METFORMIN).public_id}"
    asked = {"focus": target, "alike": "1"}
    assert "Medication, instead of Problem" in body(client.get(address(desk, "note"), asked, **HTMX))
    Project.objects.filter(pk=project.pk).update(audits="blind")
    ReviewItem.objects.filter(pk=desk.item(again).pk).update(stream="audit")
    assert "instead of" not in body(client.get(address(desk, "note"), asked, **HTMX))
    assert post(client, desk, target=f"i{desk.item(again).public_id}", verdict="reject", alike="on").status_code == 422
    assert desk.item(again).status == "open"


def test_bounds_wait_for_the_label(desk: Desk, audit: ReviewItem, bob: User) -> None:
    client, key = sign_in(Client(), bob), f"i{audit.public_id}"
    moved = post(client, desk, target=key, move="end:-1")
    assert moved.status_code == 422 and 'name="fragments" value="15 20"' in body(moved)
    other = {"focus": f"i{desk.item(METFORMIN).public_id}", "moved": "1"}
    for address_, asked in (("note", other), ("new_span", {"start": 27, "end": 35, **other})):
        lines = body(client.get(address(desk, address_), asked, **HTMX)).partition(
            '<p hx-swap-oob="innerHTML:#m0 ~ p:nth-of-type(1)"'
        )[2]
        assert ">chest pain<" in lines, "who goes elsewhere sees the note as it is"
    again = post(client, desk, target=key, move="start:-1", fragments="15 20")
    assert 'name="fragments" value="12 20"' in body(again)
    assert not Decision.objects.exists()


def test_what_is_undone_is_hidden_again(desk: Desk, audit: ReviewItem, bob: User) -> None:
    client = sign_in(Client(), bob)
    post(client, desk, target=f"i{audit.public_id}", verdict="reject")
    page = body(post(client, desk, verdict="undo"))
    assert LABEL not in page and "Label hidden undone" in page


def test_shown_audits_are_like_any_other(desk: Desk, audit: ReviewItem, bob: User, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(audits="shown")
    answer = post(sign_in(Client(), bob), desk, target=f"i{desk.item(DIABETES).public_id}", verdict="accept")
    assert LABEL in body(answer) and "audit" not in body(answer)


@pytest.fixture
def blind(desk: Desk) -> Desk:
    """Bob's note is read blind."""
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(stream="blind")
    return desk


def test_a_blind_reading_is_given_none_of_its_suggestions(blind: Desk, bob: User, project: Project) -> None:
    item = blind.item(CHEST_PAIN)
    api = Api(bob, project=project)
    paths = answers(sign_in(Client(), bob), api, blind, item)
    for name, answer in paths:
        if name == "note done":
            break
        page = answer.content.decode()
        assert 'data-state="suggested"' not in page.replace('<i class="span" data-state="suggested">', ""), name
        assert not any(f"i{each.public_id}" in page for each in map(blind.item, (DIABETES, METFORMIN))), name
        assert "0.40" not in page, name
    assert not Decision.objects.filter(item__isnull=False).exists()
    assert not any(row["document"] == blind.document.public_id for row in results(api.get("./review/?status=open")))


def test_the_list_of_notes_does_not_tell_how_much_a_blind_reader_is_not_shown(desk: Desk, project: Project) -> None:
    assert listed_notes(project).get().n_open == 3
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(stream="blind")
    assert listed_notes(project).get().n_open == 0


def test_a_blind_reading_is_submitted_as_it_is_and_then_gone_through(blind: Desk, bob: User) -> None:
    client = sign_in(Client(), bob)
    post(client, blind, fragments=str(METFORMIN), label="Medication")
    assert "This note is read blind" in body(client.get(address(blind, "note")))
    done = post(client, blind, verdict="note_done")
    assert done["HX-Redirect"] == address(blind, "note")
    assert AnnotationSet.objects.get().status == "submitted"
    page = body(client.get(address(blind, "note")))
    assert "The model marked 3 spans that you have not seen" in page
    post(client, blind, verdict="undo")
    page = body(client.get(address(blind, "note")))
    assert "not seen in the blind reading" in page and 'data-state="suggested"' in page
    refused = post(client, blind, verdict="note_done")
    assert refused.status_code == 422, "what is shown is gone through"
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        post(client, blind, target=f"i{blind.item(span).public_id}", verdict="reject")
    post(client, blind, verdict="note_done")
    assert AnnotationSet.objects.get().status == "submitted"
    assert Annotation.objects.filter(status="live").count() == 1
    assert Decision.objects.filter(verdict="note_done").count() == 2
