from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, Relation
from annotator.certificates.models import Certificate
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.review import services
from annotator.review.holding import (
    ask_spans,
    candidates,
    certify_spans,
    decided_cases,
    hold_spans,
    outcomes_of,
    release_spans,
    withdraw_certified,
)
from annotator.review.leases import take_next, take_note
from annotator.review.models import ASKED_AGAIN, ReviewItem
from annotator.suggestions.models import Labeler, Suggestion
from tests.cast import NOW, TEXT, TIED_SCHEMA, make_document, make_round
from tests.review.certified import certify, make_certificate
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

SPANS = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.7)]


@pytest.fixture
def unread(project: Project, schema_version: SchemaVersion, bells: object) -> Document:
    """A note with three suggestions that nobody has taken."""
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=schema_version)
    return document


def item_at(document: Document, span: Span) -> ReviewItem:
    found = ReviewItem.objects.select_related("suggestion__job__run__labeler", "document__project")
    return found.get(document=document, unit="span", suggestion__fragments=str(span))


def items_of(document: Document) -> list[ReviewItem]:
    return [item_at(document, span) for span in (CHEST_PAIN, DIABETES, METFORMIN)]


def states(document: Document) -> list[str]:
    return [item.status for item in items_of(document)]


def note_of(document: Document) -> ReviewItem:
    return ReviewItem.objects.get(document=document, unit="note")


def pks(*items: ReviewItem) -> list[int]:
    return [item.suggestion_id for item in items if item.suggestion_id is not None]


def accept(document: Document, reviewer: User, span: Span, key: str) -> None:
    note_item = ReviewItem.objects.select_related("document__project").get(document=document, unit="note")
    services.decide(
        note_item=note_item, reviewer=reviewer, act=services.Accept(item_at(document, span)), key=key, now=NOW
    )


def finish(desk: Desk, bob: User) -> None:
    for number, span in enumerate((CHEST_PAIN, DIABETES)):
        accept(desk.document, bob, span, f"{number}")
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.FinishNote(), key="done", now=NOW)


def test_candidates_wait_undecided_in_notes_that_one_person_reads(
    desk: Desk, bob: User, project: Project, schema_version: SchemaVersion
) -> None:
    labeler = Labeler.objects.get()
    accept(desk.document, bob, DIABETES, "1")
    assert sorted(found.fragments for found in candidates(labeler=labeler)) == sorted(map(str, (CHEST_PAIN, METFORMIN)))
    chest_pain = item_at(desk.document, CHEST_PAIN)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Skip(chest_pain), key="2", now=NOW)
    assert [found.fragments for found in candidates(labeler=labeler)] == [str(METFORMIN)]
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Undo(), key="3", now=NOW)
    assert len(candidates(labeler=labeler)) == 1, "what was decided once, even if undone, is no candidate"
    Suggestion.objects.filter(fragments=str(METFORMIN)).update(alignment="fuzzy")
    assert not candidates(labeler=labeler)


@pytest.mark.parametrize("changed", ["two readers", "blind", "superseded"])
def test_no_candidate_is_read_by_several_or_blind_or_superseded(
    changed: str, unread: Document, project: Project, schema_version: SchemaVersion, alice: User, bob: User
) -> None:
    labeler = Labeler.objects.get()
    assert len(candidates(labeler=labeler)) == 3
    if changed == "two readers":
        make_round(project, alice, alice, bob)
    elif changed == "blind":
        ReviewItem.objects.filter(unit="note").update(stream="blind")
    else:
        suggest(unread, [], schema_version=schema_version)
    assert not candidates(labeler=labeler)


def test_held_spans_are_not_asked_until_they_are_released(unread: Document) -> None:
    items = items_of(unread)
    assert hold_spans(suggestions=pks(*items[:2])) == 2
    assert hold_spans(suggestions=pks(*items[:2])) == 0
    assert states(unread) == ["held", "held", "open"]
    assert release_spans(suggestions=pks(*items), now=NOW, reason="unproven") == 2
    assert states(unread) == ["open", "open", "open"]
    assert item_at(unread, DIABETES).stream == "uncertain"
    assert item_at(unread, DIABETES).version == items[1].version + 2


def test_what_was_decided_or_skipped_is_not_held(desk: Desk, bob: User) -> None:
    accept(desk.document, bob, DIABETES, "1")
    skipped = item_at(desk.document, CHEST_PAIN)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Skip(skipped), key="2", now=NOW)
    assert hold_spans(suggestions=pks(*items_of(desk.document))) == 1
    assert states(desk.document) == ["open", "decided", "held"]


def test_asked_spans_come_in_their_stream_with_their_keys(unread: Document) -> None:
    items = items_of(unread)
    hold_spans(suggestions=pks(*items))
    keys = dict(zip(pks(*items[:2]), (0.25, 0.75), strict=True))
    assert ask_spans(keys=keys, stream="audit", reason="audit", now=NOW) == 2
    asked = items_of(unread)
    assert [(item.status, item.stream, item.reason) for item in asked[:2]] == [("open", "audit", "audit")] * 2
    assert [item.audit_key for item in asked[:2]] == [0.25, 0.75]
    assert asked[2].status == "held"


def test_decided_and_skipped_spans_are_not_asked(desk: Desk, bob: User) -> None:
    accept(desk.document, bob, DIABETES, "1")
    skipped = item_at(desk.document, CHEST_PAIN)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Skip(skipped), key="2", now=NOW)
    keys = dict.fromkeys(pks(*items_of(desk.document)), 0.5)
    assert ask_spans(keys=keys, stream="audit", reason="audit", now=NOW) == 1
    assert [item.stream for item in items_of(desk.document)] == ["uncertain", "uncertain", "audit"]


def test_a_note_that_is_done_opens_for_the_spans_it_has_to_ask_about(desk: Desk, bob: User) -> None:
    held = item_at(desk.document, METFORMIN)
    hold_spans(suggestions=pks(held))
    finish(desk, bob)
    assert note_of(desk.document).status == "decided"
    ask_spans(keys=dict.fromkeys(pks(held), 0.5), stream="audit", reason="audit", now=NOW)
    note = note_of(desk.document)
    assert (note.status, note.reason, note.leased_by, note.lease_expires_at) == ("open", ASKED_AGAIN, bob, None)
    assert AnnotationSet.objects.get().status == "open"


def test_accepted_spans_are_in_the_readers_reading_under_the_certificate(desk: Desk, bob: User) -> None:
    accept(desk.document, bob, DIABETES, "1")
    certificate = certify(desk.document.project, *items_of(desk.document)[::2])
    assert states(desk.document) == ["certified", "decided", "certified"]
    accepted = Annotation.objects.filter(certificate=certificate).order_by("start")
    assert [(found.label, found.surface) for found in accepted] == [
        ("Problem", "chest pain"),
        ("Medication", "metformin"),
    ]
    assert {found.set.annotator for found in accepted} == {bob}
    assert accepted[0].attributes == {"assertion": "present"}
    assert note_of(desk.document).status == "open", "a note that someone has begun is theirs to finish"


def test_what_is_accepted_in_an_unread_note_is_nobodys_until_someone_takes_it(
    unread: Document, project: Project, bob: User
) -> None:
    certify(project, *items_of(unread)[1:])
    assert AnnotationSet.objects.get().annotator is None
    assert take_next(project=project, reviewer=bob, now=NOW) is not None
    assert AnnotationSet.objects.get().annotator == bob


def test_a_note_in_which_nothing_waits_any_more_is_done_without_a_reader(unread: Document, project: Project) -> None:
    certificate = certify(project, *items_of(unread)[1:])
    assert note_of(unread).status == "open"
    certify_spans(certificate=certificate, suggestions=pks(item_at(unread, CHEST_PAIN)), now=NOW)
    note = note_of(unread)
    assert (note.status, note.leased_by) == ("decided", None)
    assert AnnotationSet.objects.values("status", "submitted_at", "annotator").get() == {
        "status": "submitted",
        "submitted_at": NOW,
        "annotator": None,
    }


def test_a_held_span_keeps_a_note_from_being_done_without_a_reader(unread: Document, project: Project) -> None:
    hold_spans(suggestions=pks(item_at(unread, CHEST_PAIN)))
    certify(project, *items_of(unread)[1:])
    assert note_of(unread).status == "open"


def test_a_note_of_a_round_waits_for_its_reader(unread: Document, project: Project, alice: User, bob: User) -> None:
    make_round(project, alice, bob)
    certify(project, *items_of(unread))
    assert states(unread) == ["certified"] * 3
    assert note_of(unread).status == "open"


def test_a_note_waits_for_its_reader_where_the_schema_asks_for_more_than_spans(
    project: Project, alice: User, bells: object
) -> None:
    version = add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=alice, now=NOW)
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=version)
    certify(project, *items_of(document))
    assert states(document) == ["certified"] * 3
    assert note_of(document).status == "open"


@pytest.mark.parametrize("changed", ["two readers", "blind"])
def test_nothing_is_accepted_in_notes_that_several_read_or_that_are_read_blind(
    changed: str, unread: Document, project: Project, alice: User, bob: User
) -> None:
    if changed == "blind":
        ReviewItem.objects.filter(unit="note").update(stream="blind")
    else:
        make_round(project, alice, alice, bob)
    certificate = make_certificate(Labeler.objects.get())
    suggestions = list(Suggestion.objects.values_list("pk", flat=True))
    assert certify_spans(certificate=certificate, suggestions=suggestions, now=NOW) == 0
    assert not Annotation.objects.exists()


def test_decided_and_skipped_spans_are_not_accepted(desk: Desk, bob: User) -> None:
    accept(desk.document, bob, DIABETES, "1")
    skipped = item_at(desk.document, CHEST_PAIN)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Skip(skipped), key="2", now=NOW)
    certificate = make_certificate(Labeler.objects.get())
    suggestions = pks(*items_of(desk.document))
    assert certify_spans(certificate=certificate, suggestions=suggestions, now=NOW) == 1
    assert certify_spans(certificate=certificate, suggestions=suggestions, now=NOW) == 0
    assert states(desk.document) == ["open", "decided", "certified"]


def test_what_a_person_has_said_already_stays_theirs(desk: Desk, bob: User) -> None:
    added = services.Add(span=METFORMIN, label="Medication")
    services.decide(note_item=desk.note_item, reviewer=bob, act=added, key="1", now=NOW)
    item = item_at(desk.document, METFORMIN)
    certificate = certify(desk.document.project, item)
    assert Annotation.objects.get(status="live").annotator == bob
    assert outcomes_of(suggestions=pks(item)) == {item.suggestion_id: True}
    assert withdraw_certified(certificate=certificate, limit=200, reason="revoked", now=NOW) == 1
    assert item_at(desk.document, METFORMIN).status == "decided"
    assert Annotation.objects.get(status="live").annotator == bob


def test_an_accepted_span_that_is_asked_about_is_a_suggestion_again(unread: Document, project: Project) -> None:
    certify(project, *items_of(unread))
    asked = item_at(unread, DIABETES)
    assert ask_spans(keys=dict.fromkeys(pks(asked), 0.5), stream="audit", reason="watched", now=NOW) == 1
    assert states(unread) == ["certified", "open", "certified"]
    assert not Annotation.objects.filter(origin=asked.suggestion, status="live").exists()
    note = note_of(unread)
    assert (note.status, note.reason, note.leased_by) == ("open", ASKED_AGAIN, None)
    assert AnnotationSet.objects.get().status == "open"


def test_an_accepted_span_that_its_reader_changed_is_not_asked_about(desk: Desk, bob: User) -> None:
    item = item_at(desk.document, DIABETES)
    certify(desk.document.project, item)
    act = services.Reject(Annotation.objects.get())
    services.decide(note_item=desk.note_item, reviewer=bob, act=act, key="1", now=NOW)
    assert ask_spans(keys=dict.fromkeys(pks(item), 0.5), stream="audit", reason="watched", now=NOW) == 0
    assert item_at(desk.document, DIABETES).status == "certified"


def test_everything_comes_back_in_pages_when_a_certificate_is_revoked(unread: Document, project: Project) -> None:
    certificate = certify(project, *items_of(unread))
    assert withdraw_certified(certificate=certificate, limit=2, reason="revoked", now=NOW) == 2
    assert sorted(states(unread)) == ["certified", "open", "open"]
    assert withdraw_certified(certificate=certificate, limit=2, reason="revoked", now=NOW) == 1
    assert withdraw_certified(certificate=certificate, limit=2, reason="revoked", now=NOW) == 0
    assert {(item.status, item.stream, item.reason) for item in items_of(unread)} == {("open", "uncertain", "revoked")}
    assert not Annotation.objects.filter(status="live").exists()
    note = note_of(unread)
    assert (note.status, note.reason) == ("open", ""), "nobody has read it: it is to be read"
    assert AnnotationSet.objects.get().status == "open"


def test_only_what_was_accepted_under_that_certificate_is_withdrawn(unread: Document, project: Project) -> None:
    first = certify(project, item_at(unread, CHEST_PAIN))
    second = certify(project, item_at(unread, DIABETES))
    assert withdraw_certified(certificate=first, limit=200, reason="revoked", now=NOW) == 1
    assert states(unread) == ["open", "certified", "open"]
    certify_spans(certificate=second, suggestions=pks(item_at(unread, CHEST_PAIN)), now=NOW)
    assert withdraw_certified(certificate=first, limit=200, reason="revoked", now=NOW) == 0
    assert states(unread) == ["certified", "certified", "open"]


def test_a_note_that_was_read_asks_again_for_what_is_withdrawn(desk: Desk, bob: User) -> None:
    certificate = certify(desk.document.project, item_at(desk.document, METFORMIN))
    finish(desk, bob)
    withdraw_certified(certificate=certificate, limit=200, reason="revoked", now=NOW)
    note = note_of(desk.document)
    assert (note.status, note.reason, note.leased_by) == ("open", ASKED_AGAIN, bob)
    assert states(desk.document) == ["decided", "decided", "open"]


def test_what_a_reader_made_of_an_accepted_span_outlives_its_certificate(desk: Desk, bob: User) -> None:
    item = item_at(desk.document, DIABETES)
    certificate = certify(desk.document.project, item)
    act = services.Edit(target=Annotation.objects.get(), attributes={"assertion": "family"})
    services.decide(note_item=desk.note_item, reviewer=bob, act=act, key="1", now=NOW)
    assert withdraw_certified(certificate=certificate, limit=200, reason="revoked", now=NOW) == 1
    assert item_at(desk.document, DIABETES).status == "decided"
    assert Annotation.objects.get(status="live").attributes == {"assertion": "family"}
    assert outcomes_of(suggestions=pks(item)) == {item.suggestion_id: False}


def test_relations_go_with_the_accepted_span_that_they_join(
    project: Project, alice: User, bob: User, bells: object
) -> None:
    version = add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=alice, now=NOW)
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=version)
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    certificate = certify(project, *items_of(document)[1:])
    head, tail = (Annotation.objects.get(label=label) for label in ("Medication", "Problem"))
    act = services.Relate(type="treats", head=head, tail=tail)
    services.decide(note_item=note_item, reviewer=bob, act=act, key="1", now=NOW)
    withdraw_certified(certificate=certificate, limit=1, reason="revoked", now=NOW)
    assert Relation.objects.get().status == "withdrawn"


def test_an_outcome_is_what_the_reader_left_of_the_suggestion(desk: Desk, bob: User) -> None:
    chest_pain, diabetes, metformin = items_of(desk.document)
    suggestions = pks(chest_pain, diabetes, metformin)
    assert outcomes_of(suggestions=suggestions) == {}
    hold_spans(suggestions=pks(metformin))
    acts = [
        services.Edit(target=chest_pain, attributes={"assertion": "absent"}),
        services.Accept(diabetes),
        services.Reject(item_at(desk.document, METFORMIN)),
    ]
    for number, act in enumerate(acts[:2]):
        services.decide(note_item=desk.note_item, reviewer=bob, act=act, key=str(number), now=NOW)
    assert outcomes_of(suggestions=suggestions) == {chest_pain.suggestion_id: False, diabetes.suggestion_id: True}
    back = services.Edit(target=Annotation.objects.get(label="Problem", start=15), attributes={"assertion": "present"})
    services.decide(note_item=desk.note_item, reviewer=bob, act=back, key="3", now=NOW)
    gone = services.Reject(Annotation.objects.get(start=27))
    services.decide(note_item=desk.note_item, reviewer=bob, act=gone, key="4", now=NOW)
    assert outcomes_of(suggestions=suggestions) == {chest_pain.suggestion_id: True, diabetes.suggestion_id: False}


def test_what_was_skipped_is_not_right(desk: Desk, bob: User) -> None:
    item = item_at(desk.document, DIABETES)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Skip(item), key="1", now=NOW)
    assert outcomes_of(suggestions=pks(item)) == {item.suggestion_id: False}
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Undo(), key="2", now=NOW)
    assert outcomes_of(suggestions=pks(item)) == {}


def test_an_accepted_span_is_wrong_once_its_reader_rejects_it(desk: Desk, bob: User) -> None:
    item = item_at(desk.document, DIABETES)
    certify(desk.document.project, item)
    assert outcomes_of(suggestions=pks(item)) == {}
    act = services.Reject(Annotation.objects.get())
    services.decide(note_item=desk.note_item, reviewer=bob, act=act, key="1", now=NOW)
    assert outcomes_of(suggestions=pks(item)) == {item.suggestion_id: False}
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Undo(), key="2", now=NOW)
    assert outcomes_of(suggestions=pks(item)) == {}


def test_cases_are_what_was_decided_because_it_was_uncertain(desk: Desk, bob: User) -> None:
    labeler = Labeler.objects.get()
    chest_pain, diabetes, metformin = items_of(desk.document)
    ask_spans(keys=dict.fromkeys(pks(chest_pain), 0.5), stream="audit", reason="audit", now=NOW)
    for number, span in enumerate((CHEST_PAIN, DIABETES)):
        accept(desk.document, bob, span, str(number))
    certify(desk.document.project, metformin)
    services.decide(
        note_item=desk.note_item,
        reviewer=bob,
        act=services.Reject(Annotation.objects.get(certificate__isnull=False)),
        key="3",
        now=NOW,
    )
    case = decided_cases(labeler=labeler)[0]
    assert len(decided_cases(labeler=labeler)) == 1
    assert (case.suggestion_id, case.label, case.score) == (diabetes.suggestion_id, "Problem", 0.9)
    assert (case.document_id, case.section, case.is_right) == (desk.document.pk, "assessment", True)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Undo(), key="4", now=NOW)
    services.decide(note_item=desk.note_item, reviewer=bob, act=services.Undo(), key="5", now=NOW)
    assert decided_cases(labeler=labeler) == []


@pytest.mark.parametrize("function", ["hold", "ask", "release", "certify", "withdraw", "outcomes"])
def test_the_queries_of_a_page_do_not_grow_with_it(
    function: str, project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    documents = [make_document(project, external_id=f"n-{number}", text=TEXT) for number in range(5)]
    for document in documents:
        suggest(document, SPANS, schema_version=schema_version)
    certificate = make_certificate(Labeler.objects.get())

    def n_queries(page: list[Document]) -> int:
        suggestions = [pk for document in page for pk in pks(*items_of(document))]
        if function == "release":
            hold_spans(suggestions=suggestions)
        elif function in ("withdraw", "ask", "outcomes"):
            certify_spans(certificate=certificate, suggestions=suggestions, now=NOW)
        with CaptureQueriesContext(connection) as queries:
            _call(function, suggestions, certificate)
        return len(queries)

    first = n_queries(documents[:1])
    assert first <= 30
    assert n_queries(documents[1:]) == first


def test_the_queries_for_cases_do_not_grow_with_their_notes(
    project: Project, schema_version: SchemaVersion, bob: User, bells: object
) -> None:
    found = []
    for number in range(4):
        document = make_document(project, external_id=f"n-{number}", text=TEXT)
        suggest(document, SPANS, schema_version=schema_version)
        take_note(document=document, reviewer=bob, now=NOW)
        accept(document, bob, DIABETES, str(number))
        labeler = Labeler.objects.get()
        with CaptureQueriesContext(connection) as queries:
            assert len(decided_cases(labeler=labeler)) == number + 1
        found.append(len(queries))
    assert found[0] == found[-1] <= 6


def _call(function: str, suggestions: list[int], certificate: Certificate) -> None:
    if function == "hold":
        hold_spans(suggestions=suggestions)
    elif function == "ask":
        ask_spans(keys=dict.fromkeys(suggestions, 0.5), stream="audit", reason="audit", now=NOW)
    elif function == "release":
        release_spans(suggestions=suggestions, now=NOW, reason="unproven")
    elif function == "certify":
        certify_spans(certificate=certificate, suggestions=suggestions, now=NOW)
    elif function == "withdraw":
        withdraw_certified(certificate=certificate, limit=500, reason="revoked", now=NOW)
    else:
        outcomes_of(suggestions=suggestions)
