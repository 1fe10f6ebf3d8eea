"""Decoys: where they are planted, how their reader has them, and that nothing of them gets anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import AnnotationExists, NewAnnotation
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.documents.selectors import note_types
from annotator.progress.counting import decisions_of
from annotator.projects.models import Project, SchemaVersion
from annotator.readings.models import Comparison, Difference
from annotator.review import services
from annotator.review.decoying import withdraw_touched
from annotator.review.decoys import told_decoys
from annotator.review.history import history_of
from annotator.review.leases import take_note
from annotator.review.missed import missed_in
from annotator.review.models import ON_DECOY, Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.review.outcomes import candidates, decided_cases
from annotator.review.queue import fit_slots, tell_read
from annotator.review.selectors import note_view, target_for
from annotator.review.similar import similar_decisions
from annotator.review.spans import take_next_span
from annotator.suggestions.models import Suggestion
from tests.api.scene import Api
from tests.cast import NOW, body, make_document, make_set, sign_in
from tests.purges.scene import build
from tests.review.conftest import CHEST_PAIN, suggest
from tests.review.decoy_scene import FOUND, HTMX, NOTE, PLACE, Scene, marks, plant, planted, with_decoys


@pytest.fixture
def known(project: Project, schema_version: SchemaVersion, bells: object) -> Project:
    return with_decoys(project)


@pytest.fixture
def scene(known: Project, schema_version: SchemaVersion, bob: User) -> Scene:
    """A note of two suggestions and a decoy, held by Bob."""
    document = planted(known, schema_version)
    return Scene(take_note(document=document, reviewer=bob, now=NOW), bob)


# Where they are planted


def test_a_decoy_stands_on_words_that_nobody_ever_labelled_and_is_like_a_suggestion(scene: Scene) -> None:
    decoy, like = scene.decoy, Suggestion.objects.filter(label="Problem")
    assert (decoy.span, decoy.surface, decoy.label) == (PLACE, "unaided", "Problem")
    assert decoy.score in like.values_list("score", flat=True)
    assert decoy.job == like.get(score=decoy.score).job
    assert decoy.item.reason in ReviewItem.objects.filter(unit="span").values_list("reason", flat=True)
    assert decoy.item.priority == 1 - decoy.score and decoy.item.stream == "uncertain"


@pytest.mark.parametrize("why", ["labelled there", "suggested there", "labelled elsewhere", "too rare", "twice here"])
def test_no_decoy_is_made_where_it_might_be_right(
    known: Project, schema_version: SchemaVersion, alice: User, why: str
) -> None:
    done = Document.objects.get(external_id="done-4")
    new = NewAnnotation(span=Span.of(14, 21), label="Problem", attributes={})
    if why == "labelled there":
        make_set(done, alice, new)
    elif why == "suggested there":
        suggest(done, [(Span.of(5, 21), "Problem", 0.5)], schema_version=schema_version, labeler="another")
        ReviewItem.objects.filter(document=done).update(status="decided")
    elif why == "labelled elsewhere":
        other = make_document(known, text="Left the ward UNAIDED.", external_id="elsewhere")
        suggest(other, [], schema_version=schema_version)
        make_set(other, alice, new)
        ReviewItem.objects.filter(document=other).update(status="open")
    elif why == "too rare":
        AnnotationSet.objects.filter(document=done).update(status="open")
    document = make_document(known, text=NOTE + " Unaided." * (why == "twice here"), external_id="new")
    job = suggest(document, FOUND, schema_version=schema_version)
    assert plant(document, job) == 0


@pytest.mark.parametrize("begun", ["taken", "blind", "done"])
def test_a_note_that_is_begun_or_blind_gets_no_decoy(
    known: Project, schema_version: SchemaVersion, bob: User, begun: str
) -> None:
    document = make_document(known, text=NOTE)
    job = suggest(document, FOUND, schema_version=schema_version)
    Decoy.objects.all().delete()
    note = ReviewItem.objects.filter(document=document, unit="note")
    note.update(**{"taken": {"leased_by": bob}, "blind": {"stream": "blind"}, "done": {"status": "decided"}}[begun])
    assert plant(document, job) == 0


def test_nothing_is_planted_where_the_project_wants_no_decoys(known: Project, schema_version: SchemaVersion) -> None:
    Project.objects.update(decoy_percent=0)
    document = make_document(Project.objects.get(pk=known.pk), text=NOTE)
    assert plant(document, suggest(document, FOUND, schema_version=schema_version)) == 0


def test_about_as_many_are_planted_as_the_share_says(known: Project, schema_version: SchemaVersion) -> None:
    notes = [make_document(known, text=NOTE, external_id=f"n{n}") for n in range(40)]
    for document in notes:
        suggest(document, FOUND, schema_version=schema_version)
    n_decoys = Decoy.objects.count()  # of 80 suggestions, 10 in a hundred
    assert 2 <= n_decoys <= 16
    assert ReviewItem.objects.filter(unit="decoy").values("document").distinct().count() == n_decoys


def test_a_later_run_takes_a_decoy_away_that_it_touches(scene: Scene, schema_version: SchemaVersion) -> None:
    suggest(scene.note_item.document, [(PLACE, "Problem", 0.8)], schema_version=schema_version, labeler="another")
    assert ReviewItem.objects.get(unit="decoy").status == "closed"
    assert marks(scene)["unaided"] == "suggested"  # by the other


def test_what_touches_nothing_leaves_it(scene: Scene, schema_version: SchemaVersion) -> None:
    job = scene.decoy.job
    withdraw_touched(job=job, older_jobs=[], found=Suggestion.objects.all())
    assert ReviewItem.objects.get(unit="decoy").status == "open"
    withdraw_touched(job=job, older_jobs=[job.pk], found=[])
    assert ReviewItem.objects.get(unit="decoy").status == "closed"


# How their reader has them


def test_an_accepted_decoy_makes_no_annotation_and_is_drawn_as_one(scene: Scene) -> None:
    decision = scene.do(services.Accept(scene.at(scene.key)))
    assert (decision.verdict, decision.stream, decision.made) == ("accept", ON_DECOY, None)
    assert not Annotation.objects.filter(set__document=scene.note_item.document).exists()
    assert marks(scene)["unaided"] == "person"
    assert [step.words for step in history_of(note_item=scene.note_item, target=scene.answer())] == [
        "Accepted as Problem"
    ]


def test_every_act_on_it_comes_back_with_undo_and_goes_again_with_redo(scene: Scene) -> None:
    scene.do(services.Accept(scene.at(scene.key)))
    scene.do(services.Edit(scene.answer(), attributes={"assertion": "absent"}))
    scene.do(services.Edit(scene.answer(), label="Medication"))
    scene.do(services.Reject(scene.answer()))
    assert "unaided" not in marks(scene)
    for label in ("Medication", "Problem"):
        scene.do(services.Undo())
        assert DecoyAnswer.objects.get(status="live").label == label
    scene.do(services.Undo())
    scene.do(services.Undo())
    assert marks(scene)["unaided"] == "suggested" and not DecoyAnswer.objects.filter(status="live").exists()
    scene.do(services.Redo())
    assert marks(scene)["unaided"] == "person"
    scene.do(services.Undo())
    for act in (services.Reject, services.Skip):
        scene.do(act(scene.at(scene.key)))
        scene.do(services.Undo())
        assert marks(scene)["unaided"] == "suggested"
    scene.do(services.Spread(scene.at(scene.key)))
    assert marks(scene)["unaided"] == "person"
    assert not Annotation.objects.filter(set__document=scene.note_item.document).exists()


def test_a_changed_decoy_makes_no_annotation(scene: Scene) -> None:
    scene.do(services.Edit(scene.at(scene.key), label="Medication"))
    assert (DecoyAnswer.objects.get().label, Annotation.objects.count()) == ("Medication", 0)
    with pytest.raises(AnnotationExists):
        scene.do(services.Add(PLACE, "Medication"))


def test_a_decoy_is_asked_for_before_the_note_is_done(scene: Scene) -> None:
    with pytest.raises(services.DecisionRefused, match="1 suggestion is still"):
        scene.finish()


def test_a_decoy_comes_by_span_like_a_suggestion(known: Project, schema_version: SchemaVersion, bob: User) -> None:
    document = planted(known, schema_version)
    asked = []
    while (found := take_next_span(project=known, reviewer=bob, now=NOW)) is not None:
        note_item, item = found
        asked.append(item.unit)
        target = target_for(note_item=note_item, key=f"i{item.public_id}")
        assert isinstance(target, ReviewItem)
        services.decide(
            note_item=note_item, reviewer=bob, act=services.Reject(target), key=f"key-{len(asked)}", now=NOW
        )
    assert sorted(asked) == ["decoy", "span", "span"]
    assert not ReviewItem.objects.filter(document=document, status="open").exclude(unit="note").exists()


def test_page_and_api_tell_nothing_until_the_note_is_submitted(
    scene: Scene, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW)
    sign_in(client, scene.reviewer)
    note_url = reverse("review:note", args=[scene.note_item.project.public_id, scene.note_item.public_id])
    real = ReviewItem.objects.get(unit="span", suggestion__fragments=str(CHEST_PAIN))
    cards = {key: body(client.get(note_url, {"focus": key}, **HTMX)) for key in (scene.key, f"i{real.public_id}")}
    assert all("decoy" not in card.lower() and "Suggested by rules" in card for card in cards.values())
    page = body(client.get(note_url))
    assert "decoy" not in page.lower() and page.count('class="item-text"') == 3
    scene.do(services.Accept(scene.at(scene.key)))
    mine = f"a{scene.answer().public_id}"
    card = body(client.get(note_url, {"focus": mine}, **HTMX))
    assert "From a suggestion of rules, accepted by you" in card and "decoy" not in card.lower()
    api, address = Api(scene.reviewer, project=scene.note_item.project), f"./review/{scene.note_item.public_id}/"
    held = api.get(address).json()
    assert [each["surface"] for each in held["annotations"]] == ["unaided"] and held["decoys"] == []
    scene.finish()
    told = body(client.get(note_url))
    assert "This note held 1 decoy: you rejected 0" in told and "<q>unaided</q> as Problem: accepted" in told
    held = api.get(address).json()
    assert held["annotations"] and "unaided" not in [each["surface"] for each in held["annotations"]]
    assert [(each["surface"], each["answer"]) for each in held["decoys"]] == [("unaided", "accepted")]


def test_who_submits_a_note_with_decoys_is_shown_them_before_the_next_note(
    scene: Scene, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.review.views.timezone.now", lambda: NOW)
    for mark in list(note_view(note_item=scene.note_item).queue):
        scene.do(services.Reject(scene.at(mark.key)))
    args = [scene.note_item.project.public_id, scene.note_item.public_id]
    done = sign_in(client, scene.reviewer).post(
        reverse("review:decide", args=args), {"key": "key-done", "verdict": "note_done"}
    )
    assert (done.status_code, done["Location"]) == (303, reverse("review:note", args=args))
    assert "This note held 1 decoy: you rejected 1" in body(client.get(done["Location"]))


def test_what_was_told_stays_as_it_was_when_the_note_is_opened_again(scene: Scene) -> None:
    scene.do(services.Reject(scene.at(scene.key)))
    scene.finish()
    scene.do(services.Undo())
    scene.do(services.FinishNote())
    assert [(decoy.answer, decoy.answered_by) for decoy in told_decoys(scene.note_item)] == [
        ("rejected", scene.reviewer)
    ]


def test_nobody_else_gets_at_a_decoy(scene: Scene, client: Client, alice: User, charlie: User) -> None:
    args = [scene.note_item.project.public_id, scene.decoy.item.public_id]
    assert sign_in(client, scene.reviewer).get(reverse("review:note", args=args)).status_code == 404
    args[1] = scene.note_item.public_id
    data = {"key": "key-other", "target": scene.key, "verdict": "accept"}
    assert sign_in(Client(), alice).post(reverse("review:decide", args=args), data).status_code == 409
    assert sign_in(Client(), charlie).post(reverse("review:decide", args=args), data).status_code == 404
    assert not Decision.objects.exists()


# That nothing of them gets anywhere


@pytest.fixture
def accepted(scene: Scene) -> Iterator[Scene]:
    """The note submitted, its decoy accepted and changed."""
    scene.do(services.Accept(scene.at(scene.key)))
    scene.do(services.Edit(scene.answer(), attributes={"assertion": "possible"}))
    scene.finish()
    yield scene
    assert not Annotation.objects.filter(surface="unaided").exists()


def test_nothing_of_it_is_annotated_learnt_or_tested(accepted: Scene) -> None:
    labeler = accepted.decoy.job.run.labeler
    assert Annotation.objects.filter(set__status="submitted").count() == 2
    assert [case.label for case in decided_cases(labeler=labeler)] == ["Problem", "Problem"]
    assert not candidates(labeler=labeler).exists() and Suggestion.objects.count() == 2


def test_it_is_in_no_count_of_decisions_or_suggestions(accepted: Scene, alice: User, client: Client) -> None:
    project = accepted.note_item.project
    assert decisions_of(project).filter(verdict__in=["accept", "edit"]).count() == 2
    assert Decision.objects.filter(stream=ON_DECOY).count() == 2
    sign_in(client, alice)
    listed = Api(alice, project=project).get("./decisions/").json()["results"]
    assert "unaided" not in str(listed) and len([each for each in listed if each["made"]]) == 2
    note = body(client.get(reverse("browse:documents", args=[project.public_id])))
    assert "unaided" not in note and note_types(project) is not None


def test_it_is_no_similar_decision_and_hints_at_nothing_missed(accepted: Scene, schema_version: SchemaVersion) -> None:
    document = planted(accepted.note_item.document.project, schema_version, external_id="later", n=0)
    note_item = take_note(document=document, reviewer=accepted.reviewer, now=NOW)
    assert similar_decisions(note_item=note_item, reader=accepted.reviewer, surface="unaided") == []
    missed = missed_in(note_view(note_item=note_item), reader=accepted.reviewer)
    assert "unaided" not in [document.text[each.start : each.end] for each in missed]


def test_a_rejected_decoy_turns_no_place_down(scene: Scene) -> None:
    scene.do(services.Reject(scene.at(scene.key)))
    assert missed_in(note_view(note_item=scene.note_item), reader=scene.reviewer) == []


def test_new_slots_of_a_note_have_no_decoys(known: Project, schema_version: SchemaVersion) -> None:
    document = planted(known, schema_version)
    fit_slots(project=known, documents=[document.pk], n_slots=2)
    assert list(ReviewItem.objects.filter(unit="decoy").values_list("slot", flat=True)) == [1]
    assert ReviewItem.objects.filter(unit="note", document=document).count() == 2
    fit_slots(project=known, documents=[document.pk], n_slots=1)
    assert Decoy.objects.count() == 1


def test_it_is_in_no_comparison_of_readers_and_in_no_dataset(
    accepted: Scene, alice: User, dana: User, settings: Any, tmp_path: Path
) -> None:
    settings.BUILDS_DIR = tmp_path
    document, project = accepted.note_item.document, accepted.note_item.project
    said = [NewAnnotation(span=span, label=label, attributes={}) for span, label, _ in FOUND]
    make_set(document, alice, *said)
    tell_read(document_ids=[document.pk])
    assert Comparison.objects.filter(document=document).exists()
    assert not Difference.objects.exists(), "the decoy alone would be one"
    AnnotationSet.objects.filter(annotator=alice).update(status="open")
    build(project, dana)
    lines = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
    (row,) = (row for row in map(json.loads, lines) if row["text"] == NOTE)
    assert "chest pain" in json.dumps({name: value for name, value in row.items() if name != "text"})
    assert "unaided" not in json.dumps({name: value for name, value in row.items() if name != "text"})
