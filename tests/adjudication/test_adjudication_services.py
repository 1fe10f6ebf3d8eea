from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.adjudication.leases import LEASE, LeaseConflict
from annotator.adjudication.models import Choice, Gold
from annotator.adjudication.selectors import case_file
from annotator.adjudication.services import (
    ChoiceConflict,
    ChoiceRefused,
    ReasonWanted,
    Redo,
    Settle,
    Undo,
    choose,
    finish,
    reopen,
    take,
    take_next,
)
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import reopen_set, submit_set
from annotator.audit.models import AuditEvent
from annotator.builds.selectors import readiness
from annotator.core.cases import Case, Kind, SaidSpan
from annotator.core.schema import SchemaError, schema_from_json
from annotator.core.spans import Span
from annotator.projects.models import Project
from annotator.projects.services import create_project
from annotator.purges.deletion import delete_notes
from annotator.readings.models import Adjudication
from annotator.review.queue import ensure_note_items, tell_read
from tests.adjudication.scene import ADAMS, BOBS, gold_of, make_adjudication, said
from tests.cast import NOW, TIED_SCHEMA, make_document, make_member, make_set

pytestmark = pytest.mark.django_db

What = Choice.What
PAIN = ("chest pain", "Problem", {"assertion": "present"})


@pytest.fixture
def adjudication(project: Project, bob: User, adam: User, alice: User) -> Adjudication:
    """In Alice's hands."""
    found = make_adjudication(project, (bob, BOBS), (adam, ADAMS))
    take(adjudication=found, adjudicator=alice, now=NOW)
    return found


def case_at(adjudication: Adjudication, words: str) -> Case:
    start = adjudication.document.text.index(words)
    return next(case for case in case_file(adjudication).cases if case.start <= start < case.end)


def settle(adjudication: Adjudication, by: User, words: str, what: Choice.What, label: str = "", **more: Any) -> Choice:
    """Choose in the case at the words; of several versions the one with a span of `label`, or without any."""
    case = case_at(adjudication, words)
    wanted = {label} if label else set()
    version = next((each.digest for each in case.versions if {said.label for said in each.spans} == wanted), "")
    version = more.pop("version", version if what in {What.VERSION, What.EDIT} else "")
    act = Settle(case.key, case.digest, what, version=version, **more)
    key = f"{adjudication.pk} {Choice.objects.count()}"
    return choose(adjudication=adjudication, adjudicator=by, act=act, key=key, now=NOW)


def test_what_readings_agree_on_is_gold_at_once_with_where_it_comes_from(
    adjudication: Adjudication, bob: User, adam: User
) -> None:
    assert gold_of(adjudication) == [PAIN]
    gold = Gold.objects.get()
    assert gold.choice.what == What.AGREED
    assert {source.annotator for source in gold.sources.all()} == {bob, adam}
    assert gold.annotation.stage == Annotation.Stage.ADJUDICATED
    adjudication.refresh_from_db()
    assert (adjudication.n_cases, adjudication.n_settled) == (3, 0)


def test_each_way_to_settle_a_case_makes_gold_say_so(adjudication: Adjudication, alice: User, bob: User) -> None:
    settle(adjudication, alice, "nausea", What.ALL)
    settle(
        adjudication, alice, "metformin", What.VERSION, version=case_at(adjudication, "metformin").versions[0].digest
    )
    settle(adjudication, alice, "fever", What.VERSION, "Problem")
    taken = case_at(adjudication, "metformin").versions[0].spans[0].span.surface(adjudication.document.text)
    assert gold_of(adjudication) == [
        PAIN,
        ("nausea", "Medication", {}),
        ("nausea", "Problem", {"assertion": "present"}),
        (taken, "Medication", {}),
        ("fever", "Problem", {"assertion": "absent"}),
    ]
    fever = Gold.objects.get(annotation__surface="fever")
    assert [source.annotator for source in fever.sources.all()] == [bob]
    last = Choice.objects.latest("pk")
    assert (last.between, last.label, last.kind) == ("Problem", "Problem", Kind.INCOMPLETE)
    assert AuditEvent.objects.filter(verb="adjudication.version", actor=alice).count() == 2


def test_rejecting_all_versions_asks_for_a_reason(adjudication: Adjudication, alice: User) -> None:
    with pytest.raises(ReasonWanted):
        settle(adjudication, alice, "nausea", What.NEITHER)
    settle(adjudication, alice, "nausea", What.NEITHER, reason="A side effect, guideline 4.2")
    assert gold_of(adjudication) == [PAIN]
    assert case_file(adjudication).n_settled == 1


def test_a_third_version_is_checked_and_keeps_what_it_was_made_from(
    adjudication: Adjudication, alice: User, bob: User
) -> None:
    start = adjudication.document.text.index("metformin")
    base = next(v for v in case_at(adjudication, "metformin").versions if v.spans[0].span.end == start + 16)

    def third(label: str, end: int) -> None:
        span = SaidSpan(Span.of(start, end), label)
        settle(adjudication, alice, "metformin", What.EDIT, version=base.digest, spans=(span,))

    with pytest.raises(SchemaError):
        third("Nothing", start + 9)
    third("Medication", start + 13)
    assert gold_of(adjudication)[1] == ("metformin 500", "Medication", {})
    assert Gold.objects.get(annotation__surface="metformin 500").sources.get().annotator == bob


def test_a_third_version_lies_where_its_case_does(adjudication: Adjudication, alice: User) -> None:
    """What it reaches over another of its spans belongs to it; what lies in another case, or in none, does not."""
    pain, nausea, chain = (
        SaidSpan(found.span, "Problem")
        for found in said(
            adjudication.document, ("pain", "Problem"), ("and nausea", "Problem"), ("pain and", "Problem")
        )
    )
    with pytest.raises(ChoiceRefused, match="has to overlap"):
        settle(adjudication, alice, "nausea", What.EDIT, "Problem", spans=(nausea, pain))
    assert not Choice.objects.filter(what="edit").exists()
    settle(adjudication, alice, "nausea", What.EDIT, "Problem", spans=(nausea, chain, pain))
    assert {row[0] for row in gold_of(adjudication)} == {"chest pain", "and nausea", "pain and", "pain"}


def test_a_third_version_may_not_repeat_a_span_that_gold_has(adjudication: Adjudication, alice: User) -> None:
    pain, joining = (
        SaidSpan(found.span, "Problem")
        for found in said(adjudication.document, ("chest pain", "Problem"), ("pain and nausea", "Problem"))
    )
    version = case_at(adjudication, "nausea").versions[0].digest
    with pytest.raises(ChoiceRefused, match="already"):
        settle(adjudication, alice, "nausea", What.EDIT, version=version, spans=(pain, joining))
    assert gold_of(adjudication) == [PAIN]


def test_undo_and_redo_go_step_by_step_and_a_new_choice_ends_redo(adjudication: Adjudication, alice: User) -> None:
    def act(act: Undo | Redo) -> None:
        choose(adjudication=adjudication, adjudicator=alice, act=act, key=f"k{Choice.objects.count()}", now=NOW)

    with pytest.raises(ChoiceRefused):
        act(Undo())
    settle(adjudication, alice, "nausea", What.VERSION, "Problem")
    settle(adjudication, alice, "nausea", What.VERSION, "Medication")
    first = ("nausea", "Problem", {"assertion": "present"})
    second: tuple[str, str, dict[str, str]] = ("nausea", "Medication", {})
    assert gold_of(adjudication) == [PAIN, second]
    act(Undo())
    assert gold_of(adjudication) == [PAIN, first]
    act(Undo())
    assert gold_of(adjudication) == [PAIN]
    act(Redo())
    assert gold_of(adjudication) == [PAIN, first]
    act(Redo())
    assert gold_of(adjudication) == [PAIN, second]
    act(Undo())
    settle(adjudication, alice, "fever", What.VERSION)
    with pytest.raises(ChoiceRefused):
        act(Redo())


def test_nobody_undoes_what_someone_else_chose(adjudication: Adjudication, alice: User, adam: User) -> None:
    settle(adjudication, alice, "nausea", What.VERSION, "Problem")
    adjudication.refresh_from_db()
    take(adjudication=adjudication, adjudicator=adam, now=NOW + LEASE + timedelta(seconds=1))
    with pytest.raises(ChoiceRefused, match="someone else"):
        choose(adjudication=adjudication, adjudicator=adam, act=Undo(), key="k", now=NOW)
    with pytest.raises(LeaseConflict):
        settle(adjudication, alice, "fever", What.VERSION)


def test_a_key_sent_again_answers_with_the_first_choice(adjudication: Adjudication, alice: User) -> None:
    case = case_at(adjudication, "nausea")
    act = Settle(case.key, case.digest, What.ALL)

    def ask(asked: str) -> Choice:
        return choose(adjudication=adjudication, adjudicator=alice, act=act, key="k", now=NOW, asked=asked)

    assert ask("all") == ask("all")
    with pytest.raises(ChoiceRefused):
        ask("something else")


def test_gold_goes_out_when_nothing_is_open_and_comes_back_when_it_is_reopened(
    adjudication: Adjudication, alice: User, project: Project
) -> None:
    with pytest.raises(ChoiceRefused, match="3 differences are still open"):
        finish(adjudication=adjudication, adjudicator=alice, now=NOW)
    for words in ("nausea", "metformin", "fever"):
        settle(adjudication, alice, words, What.VERSION, version=case_at(adjudication, words).versions[0].digest)
    assert readiness(project=project).n_several == 1
    finish(adjudication=adjudication, adjudicator=alice, now=NOW)
    (ready,) = readiness(project=project).sets
    assert ready.is_gold and ready.annotator == alice.public_id
    with pytest.raises(ChoiceConflict, match="done"):
        settle(adjudication, alice, "nausea", What.ALL)

    reopen(adjudication=adjudication, adjudicator=alice, now=NOW)
    assert readiness(project=project).n_several == 1
    with pytest.raises(ChoiceConflict):
        reopen(adjudication=adjudication, adjudicator=alice, now=NOW)
    settle(adjudication, alice, "nausea", What.ALL)


def test_what_a_reader_changes_is_open_again_and_the_rest_stays(
    adjudication: Adjudication, alice: User, bob: User
) -> None:
    settle(adjudication, alice, "nausea", What.VERSION, "Problem")
    settle(adjudication, alice, "fever", What.VERSION, "Problem")
    reading = AnnotationSet.objects.get(annotator=bob, kind="reading")
    ensure_note_items(document=adjudication.document, n_slots=1, priority=1.0)
    reopen_set(target=reading)
    tell_read(document_ids=[adjudication.document_id])
    with pytest.raises(ChoiceConflict, match="taken this note back"):
        settle(adjudication, alice, "metformin", What.ALL)
    reading.annotations.filter(surface="fever").update(label="Medication")
    reading.annotations.filter(surface="chest pain").update(status="withdrawn")
    submit_set(target=reading, now=NOW)
    tell_read(document_ids=[adjudication.document_id])

    adjudication.refresh_from_db()
    take(adjudication=adjudication, adjudicator=alice, now=NOW)
    file = case_file(adjudication)
    assert [file.text[case.start : case.end] for case in file.differences if case.key in file.standing] == ["nausea"]
    assert gold_of(adjudication) == [("nausea", "Problem", {"assertion": "present"})]
    assert len(file.differences) == 4


def test_relations_and_labels_of_the_note_are_settled_too_and_follow_their_ends(alice: User) -> None:
    project = create_project(name="Tied", schema=schema_from_json(TIED_SCHEMA), lead=alice, now=NOW)
    readers = [make_member(project, name, "annotator") for name in ("rita", "rob")]
    document = make_document(project, text="Metformin for diabetes.")
    for reader, drug, smoking in zip(readers, ("Metformin", "Metformin for"), ("never", "former"), strict=True):
        spans = said(document, (drug, "Medication"), ("diabetes", "Problem"))
        make_set(document, reader, *spans, relations=[("treats", 0, 1)], values={"smoking": smoking})
    tell_read(document_ids=[document.pk])
    adjudication = Adjudication.objects.select_related("document__project").get()
    take(adjudication=adjudication, adjudicator=alice, now=NOW)
    target = AnnotationSet.objects.get(kind="gold")

    def relations() -> list[tuple[str, str]]:
        live = target.annotations.filter(status="live")
        ends = {row.thread: row.surface for row in live}
        return [(ends[row.head], ends[row.tail]) for row in target.relations.filter(status="live")]

    assert relations() == []  # agreed on, but an end is still open
    for surface in ("Metformin", "Metformin for"):
        case = case_at(adjudication, "Metformin")
        version = next(v.digest for v in case.versions if v.spans[0].span.surface(document.text) == surface)
        settle(adjudication, alice, "Metformin", What.VERSION, version=version)
        assert relations() == [(surface, "diabetes")]
    value = case_file(adjudication).cases[-1]
    third = Settle(value.key, value.digest, What.EDIT, version=value.versions[0].digest, value="current")
    with_spans = replace(third, spans=(SaidSpan(Span.of(0, 9), "Unheard of"),))
    with pytest.raises(ChoiceRefused, match="Only"):
        choose(adjudication=adjudication, adjudicator=alice, act=with_spans, key="both", now=NOW)
    choose(adjudication=adjudication, adjudicator=alice, act=third, key="smoking", now=NOW)
    assert [(row.name, row.value) for row in target.document_values.filter(status="live")] == [("smoking", "current")]
    finish(adjudication=adjudication, adjudicator=alice, now=NOW)


def test_notes_come_in_order_and_those_that_one_has_read_last(
    project: Project, bob: User, adam: User, alice: User
) -> None:
    own = make_adjudication(project, (bob, BOBS), (adam, ADAMS), name="own")
    others = make_adjudication(project, (bob, BOBS), (alice, ADAMS), name="others")
    waiting = make_adjudication(project, (bob, BOBS), (alice, ADAMS), name="waiting")
    ensure_note_items(document=waiting.document, n_slots=3, priority=1.0)
    first = take_next(project=project, adjudicator=adam, now=NOW)
    assert first == others
    assert take_next(project=project, adjudicator=adam, now=NOW) == others  # a second click does not hold two
    assert take_next(project=project, adjudicator=alice, now=NOW) == own
    carol = make_member(project, "carol", "adjudicator")
    assert take_next(project=project, adjudicator=carol, now=NOW) is None
    assert take_next(project=project, adjudicator=carol, now=NOW + 2 * LEASE) == own


def test_queries_do_not_grow_with_what_is_agreed(
    project: Project, bob: User, adam: User, alice: User, django_assert_max_num_queries: Any
) -> None:
    many = tuple((f"word{number:02}", "Problem") for number in range(30))
    text = " ".join(word for word, _ in many)
    found = make_adjudication(project, (bob, many), (adam, (*many[:-1],)), text=text)
    with django_assert_max_num_queries(30):
        take(adjudication=found, adjudicator=alice, now=NOW)
    with django_assert_max_num_queries(34):
        settle(found, alice, "word29", What.VERSION, "Problem")
    assert len(gold_of(found)) == 30


def test_what_was_settled_goes_with_a_note_that_is_deleted(adjudication: Adjudication, alice: User) -> None:
    settle(adjudication, alice, "nausea", What.ALL)
    choose(adjudication=adjudication, adjudicator=alice, act=Undo(), key="undo", now=NOW)
    counts = delete_notes([adjudication.document_id])
    assert (counts["n_choices"], counts["n_gold"], counts["n_adjudications"]) == (3, 3, 1)
