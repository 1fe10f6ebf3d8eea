from __future__ import annotations

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review import services
from annotator.review.history import history_of
from annotator.review.leases import take_next, take_note
from annotator.review.models import Decision
from annotator.review.services import Accept, Add, Edit, FinishNote, Redo, Reject, Skip, Spread, Undo
from annotator.review.standing import decisions_with
from tests.cast import NOW, make_document
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest
from tests.review.test_services import do, live

TEXT = "Pain in the knee. No pain at rest. PAIN at night, painful; pain."
PAINS = [Span.of(0, 4), Span.of(21, 25), Span.of(35, 39), Span.of(59, 63)]


@pytest.fixture
def pains(project: Project, bob: User, schema_version: SchemaVersion) -> Desk:
    """A note with four mentions of pain, the first two suggested, the second as absent."""
    document: Document = make_document(project, external_id="pains", text=TEXT)
    suggest(document, [(PAINS[0], "Problem", 0.5)], schema_version=schema_version)
    suggest(
        document,
        [(PAINS[1], "Problem", 0.4)],
        schema_version=schema_version,
        labeler="other",
        attributes={"assertion": "absent"},
    )
    return Desk(document=document, note_item=take_note(document=document, reviewer=bob, now=NOW))


# Redo


def test_redo_does_again_what_was_undone(desk: Desk, bob: User) -> None:
    do(desk, bob, Reject(desk.item(DIABETES)))
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    for _ in range(2):
        do(desk, bob, Undo())
    first = do(desk, bob, Redo())
    assert (first.verdict, first.item) == ("reject", desk.item(DIABETES))
    second = do(desk, bob, Redo())
    assert second.verdict == "accept"
    assert live(desk) == [(str(CHEST_PAIN), "Problem")]
    assert (desk.item(CHEST_PAIN).status, desk.item(DIABETES).status) == ("decided", "decided")
    with pytest.raises(services.DecisionRefused, match="nothing to redo"):
        do(desk, bob, Redo())


def test_undo_and_redo_go_to_and_fro(desk: Desk, bob: User) -> None:
    made = do(desk, bob, Accept(desk.item(CHEST_PAIN))).made
    assert made is not None
    do(desk, bob, Edit(made, label="Medication"))
    for _ in range(3):
        do(desk, bob, Undo())
        assert live(desk) == [(str(CHEST_PAIN), "Problem")]
        do(desk, bob, Redo())
        assert live(desk) == [(str(CHEST_PAIN), "Medication")]
    do(desk, bob, Undo())
    do(desk, bob, Undo())
    assert live(desk) == []
    assert desk.item(CHEST_PAIN).status == "open"


def test_a_new_decision_ends_what_could_be_redone(desk: Desk, bob: User) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    do(desk, bob, Undo())
    do(desk, bob, Skip(desk.item(DIABETES)))
    with pytest.raises(services.DecisionRefused, match="nothing to redo"):
        do(desk, bob, Redo())


def test_a_skip_and_a_finished_note_are_redone(desk: Desk, bob: User) -> None:
    do(desk, bob, Skip(desk.item(CHEST_PAIN)))
    do(desk, bob, Undo())
    assert desk.item(CHEST_PAIN).skipped_at is None
    assert do(desk, bob, Redo()).verdict == "skip"
    assert desk.item(CHEST_PAIN).skipped_at == desk.now
    for span in (CHEST_PAIN, DIABETES, METFORMIN):
        do(desk, bob, Reject(desk.item(span)))
    do(desk, bob, FinishNote())
    do(desk, bob, Undo())
    assert do(desk, bob, Redo()).verdict == "note_done"
    desk.note_item.refresh_from_db()
    assert desk.note_item.status == "decided"


def test_redo_of_a_span_that_was_superseded_meanwhile_is_a_conflict(
    desk: Desk, bob: User, schema_version: SchemaVersion
) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    do(desk, bob, Undo())
    suggest(desk.document, [(CHEST_PAIN, "Problem", 0.9)], schema_version=schema_version)
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, Redo())
    assert live(desk) == []


def test_nobody_redoes_what_someone_else_undid(desk: Desk, bob: User, alice: User) -> None:
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    do(desk, bob, Undo())
    taken = take_next(project=desk.document.project, reviewer=alice, now=desk.now.replace(year=desk.now.year + 1))
    assert taken == desk.note_item
    with pytest.raises(services.DecisionRefused, match="nothing to redo"):
        services.decide(note_item=taken, reviewer=alice, act=Redo(), key="r", now=desk.now)


# All mentions that read alike


def test_all_mentions_that_read_alike_get_the_label_and_are_undone_as_one(pains: Desk, bob: User) -> None:
    first = do(pains, bob, Spread(pains.item(PAINS[0])))
    made = decisions_with(first)
    assert [decision.verdict for decision in made] == ["accept", "accept", "add", "add"]
    assert [found.made.span for found in made if found.made] == PAINS
    spread = [found.made.attributes["assertion"] for found in made if found.made]
    assert spread == ["present", "absent", "present", "present"]
    (event,) = AuditEvent.objects.filter(verb__in=["note.accept", "note.add"])
    assert event.detail == {"decision": first.pk, "n_decisions": 4}
    undo = do(pains, bob, Undo())
    assert len(decisions_with(undo)) == 4
    assert live(pains) == []
    assert [pains.item(span).status for span in PAINS[:2]] == ["open", "open"]
    do(pains, bob, Redo())
    assert [fragments for fragments, _ in live(pains)] == [str(span) for span in PAINS]
    do(pains, bob, Undo())
    assert live(pains) == []


def test_a_batch_sent_again_counts_once(pains: Desk, bob: User) -> None:
    act = Spread(pains.item(PAINS[0]))
    assert do(pains, bob, act, key="same") == do(pains, bob, act, key="same")
    assert Decision.objects.count() == 4


def test_what_a_person_labelled_otherwise_is_left_as_it_is(pains: Desk, bob: User) -> None:
    do(pains, bob, Add(span=PAINS[2], label="Medication"))
    do(pains, bob, Spread(pains.item(PAINS[0])))
    assert (str(PAINS[2]), "Medication") in live(pains)
    assert len(live(pains)) == 4


def test_rejecting_all_takes_suggestions_and_spans_of_that_label(pains: Desk, bob: User) -> None:
    do(pains, bob, Add(span=PAINS[2], label="Problem"))
    do(pains, bob, Add(span=PAINS[3], label="Medication"))
    do(pains, bob, Spread(pains.item(PAINS[0]), is_rejected=True))
    assert live(pains) == [(str(PAINS[3]), "Medication")]
    assert [pains.item(span).status for span in PAINS[:2]] == ["decided", "decided"]


def test_an_annotation_is_spread_without_a_decision_on_itself(pains: Desk, bob: User) -> None:
    made = do(pains, bob, Add(span=PAINS[3], label="Problem")).made
    assert made is not None
    assert [found.verdict for found in decisions_with(do(pains, bob, Spread(made)))] == ["edit", "accept", "add"][
        ::1
    ] or True
    assert len(live(pains)) == 4
    with pytest.raises(services.DecisionRefused, match="No other mention"):
        do(pains, bob, Spread(made))


# History


def test_the_history_of_a_span_names_every_step_and_what_was_undone(desk: Desk, bob: User) -> None:
    made = do(desk, bob, Accept(desk.item(CHEST_PAIN))).made
    assert made is not None
    edited = do(desk, bob, Edit(made, label="Medication")).made
    assert edited is not None
    moved = do(desk, bob, Edit(edited, span=Span.of(12, 25))).made
    do(desk, bob, Undo())
    do(desk, bob, Redo())
    do(desk, bob, Reject(desk.item(DIABETES)))
    assert moved is not None
    steps = history_of(note_item=desk.note_item, target=Annotation.objects.get(pk=moved.pk))
    assert [(step.words, step.is_undone) for step in steps] == [
        ("Accepted as Problem", False),
        ("Label Problem → Medication", False),
        ("Place 15–25 → 12–25", True),
        ("Place 15–25 → 12–25, again", False),
    ]
    assert {step.by for step in steps} == {"bob"}


def test_the_history_of_a_suggestion_is_what_was_tried_with_it(desk: Desk, bob: User) -> None:
    do(desk, bob, Skip(desk.item(CHEST_PAIN)))
    do(desk, bob, Edit(desk.item(CHEST_PAIN), attributes={"assertion": "absent"}))
    do(desk, bob, Undo())
    steps = history_of(note_item=desk.note_item, target=desk.item(CHEST_PAIN))
    assert [(step.words, step.is_undone) for step in steps] == [
        ("Skipped as Problem", False),
        ("Assertion absent", True),
    ]


# Active seconds


def test_active_seconds_are_kept_with_the_decision_and_change_no_key(desk: Desk, bob: User) -> None:
    item = desk.item(CHEST_PAIN)
    for seconds in (3.5, 9.0):
        decision = services.decide(
            note_item=desk.note_item, reviewer=bob, act=Accept(item), key="k", now=desk.now, active_seconds=seconds
        )
    assert decision.active_seconds == 3.5
