"""Held and certified spans in the hands of who reads the note."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import SetRows, import_sets
from annotator.certificates.models import Certificate
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.purges.deletion import delete_notes
from annotator.readings.models import Adjudication, Comparison
from annotator.review import services
from annotator.review.holding import ask_spans, certify_spans, decided_cases, hold_spans, withdraw_certified
from annotator.review.leases import take_next, take_note
from annotator.review.missed import missed_in
from annotator.review.models import ASKED_AGAIN, Decision, ReviewItem
from annotator.review.pages import note_context
from annotator.review.queue import fill_slots
from annotator.review.readings import free_notes
from annotator.review.rounds import Chosen
from annotator.review.selectors import note_view
from annotator.review.similar import similar_decisions
from annotator.review.spans import note_to_undo_in
from annotator.routing.services import route_job
from annotator.suggestions.models import Labeler
from tests.cast import HTMX, NOW, TEXT, make_document, make_round, sign_in
from tests.review.certified import certify, make_certificate
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk, suggest

SPANS = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.7)]


def do(desk: Desk, bob: User, act: services.Act) -> Decision:
    return services.decide(note_item=desk.note_item, reviewer=bob, act=act, key=desk.key(), now=NOW)


def note_of(document: Document) -> ReviewItem:
    return ReviewItem.objects.select_related("document__project").get(document=document, unit="note")


def note_url(desk: Desk, name: str = "note") -> str:
    return reverse(f"review:{name}", args=[desk.document.project.public_id, desk.note_item.public_id])


def hold(desk: Desk, *spans: object) -> None:
    hold_spans(suggestions=[desk.item(span).suggestion_id for span in spans])  # type: ignore[arg-type,misc]


def ask(item: ReviewItem) -> None:
    ask_spans(keys={item.suggestion_id or 0: 0.5}, stream="audit", reason="audit", now=NOW)


def decide_the_others(desk: Desk, bob: User) -> None:
    for span in (CHEST_PAIN, DIABETES):
        do(desk, bob, services.Accept(desk.item(span)))


def test_a_held_span_is_drawn_but_not_asked(desk: Desk) -> None:
    hold(desk, DIABETES)
    view = note_view(note_item=desk.note_item)
    assert [mark.surface for mark in view.held] == ["Diabetes"]
    assert {mark.surface for mark in view.queue} == {"chest pain", "metformin"}
    assert (view.n_items, view.n_open, view.n_decided) == (2, 2, 0)
    assert view.held[0].key in view.marks
    assert view.held[0].words == "suggested, held"


def test_a_held_span_may_be_decided_all_the_same(desk: Desk, bob: User) -> None:
    hold(desk, DIABETES, METFORMIN)
    decision = do(desk, bob, services.Accept(desk.item(DIABETES)))
    assert (decision.stream, desk.item(DIABETES).status) == ("unasked", "decided")
    assert do(desk, bob, services.Reject(desk.item(METFORMIN))).stream == "unasked"
    assert decided_cases(labeler=Labeler.objects.get()) == [], "nothing is learnt from what nobody was asked"


def test_undo_brings_a_held_span_back_to_be_decided_and_redo_decides_it_unasked(desk: Desk, bob: User) -> None:
    hold(desk, DIABETES)
    do(desk, bob, services.Edit(target=desk.item(DIABETES), attributes={"assertion": "family"}))
    do(desk, bob, services.Undo())
    assert desk.item(DIABETES).status == "open"
    assert do(desk, bob, services.Redo()).stream == "unasked"
    assert desk.item(DIABETES).status == "decided"


def test_a_held_span_cannot_be_skipped(desk: Desk, bob: User) -> None:
    hold(desk, DIABETES)
    with pytest.raises(services.DecisionConflict):
        do(desk, bob, services.Skip(desk.item(DIABETES)))


def test_held_spans_keep_no_note_from_being_done(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    assert note_of(desk.document).status == "decided"
    assert desk.item(METFORMIN).status == "held"


def test_a_note_that_is_asked_again_is_done_with_the_last_answer(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    ask(desk.item(METFORMIN))
    take_note(document=desk.document, reviewer=bob, now=NOW)
    decision = do(desk, bob, services.Reject(desk.item(METFORMIN)))
    assert decision.verdict == "reject"
    assert [each.verdict for each in Decision.objects.filter(batch=decision.batch).order_by("pk")] == [
        "reject",
        "note_done",
    ]
    assert note_of(desk.document).status == "decided"
    assert AnnotationSet.objects.get().status == "submitted"


def test_undo_takes_back_the_answer_and_that_the_note_is_done(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    ask(desk.item(METFORMIN))
    do(desk, bob, services.Accept(desk.item(METFORMIN)))
    do(desk, bob, services.Undo())
    note = note_of(desk.document)
    assert (note.status, note.reason, desk.item(METFORMIN).status) == ("open", ASKED_AGAIN, "open")
    do(desk, bob, services.Redo())
    assert note_of(desk.document).status == "decided"
    do(desk, bob, services.Undo())
    do(desk, bob, services.Undo())
    note = note_of(desk.document)
    assert (note.status, note.reason) == ("open", ""), "now it is its reader's to finish"
    do(desk, bob, services.Accept(desk.item(METFORMIN)))
    assert note_of(desk.document).status == "open"


def test_a_note_that_is_asked_again_stays_open_for_what_is_skipped(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    ask(desk.item(METFORMIN))
    do(desk, bob, services.Skip(desk.item(METFORMIN)))
    assert note_of(desk.document).status == "open"


def test_what_a_certificate_accepted_is_drawn_as_certified_and_says_so(desk: Desk, bob: User, client: Client) -> None:
    certificate = certify(desk.document.project, desk.item(DIABETES))
    annotation = Annotation.objects.get()
    mark = note_view(note_item=desk.note_item).annotations[0]
    assert (mark.state, mark.certificate, mark.words) == ("certified", certificate.public_id, "certified")
    sign_in(client, bob)
    url = note_url(desk)
    page = client.get(url, {"focus": f"a{annotation.public_id}"}, headers=HTMX).content.decode()
    assert "Accepted under certificate 1" in page
    assert "Not read by a person" in page
    assert "target 95 %" in page
    assert "0.97" in page
    assert "Certified span" in page
    assert "Accepted as Problem, not read by a person" in page
    assert 'data-state="certified"' in client.get(url).content.decode()


def test_what_was_accepted_after_the_batch_is_called_an_extrapolation(desk: Desk, bob: User, client: Client) -> None:
    item = desk.item(DIABETES)
    certificate = make_certificate(Labeler.objects.get())
    certify_spans(certificate=certificate, suggestions=[item.suggestion_id or 0], now=NOW)
    sign_in(client, bob)
    url = note_url(desk)
    page = client.get(url, {"focus": f"a{Annotation.objects.get().public_id}"}, headers=HTMX).content.decode()
    assert "as an extrapolation" in page


def test_a_person_may_reject_what_a_certificate_accepted_and_take_it_back(desk: Desk, bob: User) -> None:
    certify(desk.document.project, desk.item(DIABETES))
    annotation = Annotation.objects.get()
    decision = do(desk, bob, services.Reject(annotation))
    assert (decision.withdrew, decision.stream) == (annotation, "unasked")
    do(desk, bob, services.Undo())
    annotation.refresh_from_db()
    assert (annotation.status, annotation.annotator) == ("live", None)


def test_an_edit_makes_it_the_persons_own(desk: Desk, bob: User) -> None:
    certify(desk.document.project, desk.item(DIABETES))
    annotation = Annotation.objects.get()
    do(desk, bob, services.Edit(target=annotation, attributes={"assertion": "family"}))
    made = Annotation.objects.get(status="live")
    assert (made.annotator, made.certificate, made.first_version) == (bob, None, annotation.public_id)


def test_undo_brings_nothing_back_that_its_certificate_has_lost(desk: Desk, bob: User) -> None:
    certificate = certify(desk.document.project, desk.item(DIABETES))
    do(desk, bob, services.Reject(Annotation.objects.get()))
    withdraw_certified(certificate=certificate, limit=200, reason="revoked", now=NOW)
    with pytest.raises(services.DecisionConflict, match="withdrawn since"):
        do(desk, bob, services.Undo())


def test_accepting_what_is_accepted_is_refused(desk: Desk, bob: User, client: Client) -> None:
    certify(desk.document.project, desk.item(DIABETES))
    sign_in(client, bob)
    asked = {"key": "k1234567", "target": f"a{Annotation.objects.get().public_id}", "verdict": "accept"}
    answer = client.post(note_url(desk, "decide"), asked, headers=HTMX)
    assert answer.status_code == 422
    assert "accepted already" in answer.content.decode()


def test_nothing_is_offered_as_missed_over_a_held_span(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    offered = missed_in(note_view(note_item=desk.note_item), reader=bob)
    assert not any(found.start < METFORMIN.end and METFORMIN.start < found.end for found in offered)


def test_mentions_that_read_alike_are_decided_with_their_held_ones(
    project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    second = METFORMIN.__class__.of(TEXT.rindex("metformin"), TEXT.rindex("metformin") + 9)
    spans = [(METFORMIN, "Medication", 0.7), (second, "Medication", 0.9)]
    suggest(document, spans, schema_version=schema_version)
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    desk = Desk(document=document, note_item=note_item)
    hold(desk, second)
    decision = do(desk, bob, services.Spread(target=desk.item(METFORMIN)))
    assert {(each.stream, each.verdict) for each in Decision.objects.filter(batch=decision.batch)} == {
        ("uncertain", "accept"),
        ("unasked", "accept"),
    }


def test_a_reading_from_outside_takes_the_place_of_what_certificates_accepted(
    project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=schema_version)
    items = list(ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    certify(project, *items)
    assert note_of(document).status == "decided"
    import_sets(annotator=bob, schema_version=schema_version, sets=[(document.pk, SetRows())], now=NOW)
    assert fill_slots(sets=AnnotationSet.objects.filter(annotator=bob)) == 1
    note = note_of(document)
    assert (note.status, note.leased_by) == ("decided", bob)
    assert not Annotation.objects.filter(status="live").exists()
    assert AnnotationSet.objects.get(annotator=None).status == "open"
    assert set(ReviewItem.objects.filter(unit="span").values_list("status", flat=True)) == {"closed"}


def test_new_suggestions_open_a_note_that_was_done_without_a_reader(
    project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    suggest(document, SPANS[:2], schema_version=schema_version)
    items = list(ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    certify(project, *items)
    suggest(document, SPANS[1:], schema_version=schema_version, labeler="other")
    by_place = dict(
        ReviewItem.objects.filter(unit="span", suggestion__job__run__labeler__name="other").values_list(
            "suggestion__fragments", "status"
        )
    )
    assert by_place == {str(DIABETES): "closed", str(METFORMIN): "open"}
    assert (note_of(document).status, AnnotationSet.objects.get().status) == ("open", "open")
    assert Annotation.objects.filter(status="live").count() == 2, "what was accepted stays"


def test_a_later_run_of_the_labeler_takes_the_place_of_held_spans(desk: Desk, schema_version: SchemaVersion) -> None:
    hold(desk, DIABETES)
    held = desk.item(DIABETES)
    job = suggest(desk.document, SPANS, schema_version=schema_version, is_routed=False)
    route_job(label_job_id=job.pk, now=NOW)
    held.refresh_from_db()
    assert (held.status, held.reason) == ("closed", "superseded")
    assert desk.item(DIABETES).status == "open"


def test_another_labelers_equal_span_takes_no_span_out_of_a_test(desk: Desk, schema_version: SchemaVersion) -> None:
    hold(desk, DIABETES)
    held = desk.item(DIABETES)
    suggest(desk.document, [(DIABETES, "Problem", 0.8)], schema_version=schema_version, labeler="other")
    held.refresh_from_db()
    assert held.status == "held"
    assert desk.item(DIABETES).status == "closed"


def test_held_spans_are_asked_where_several_come_to_read(
    project: Project, alice: User, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=schema_version)
    suggestions = list(ReviewItem.objects.filter(unit="span").values_list("suggestion_id", flat=True))
    hold_spans(suggestions=[pk for pk in suggestions if pk])
    make_round(project, alice, alice, bob, chosen=Chosen())
    assert set(ReviewItem.objects.filter(unit="span").values_list("status", flat=True)) == {"open"}


def test_the_card_of_a_held_span_offers_all_but_skip(desk: Desk, bob: User) -> None:
    hold(desk, DIABETES)
    membership = bob.memberships.get()
    context = note_context(
        note_view(note_item=desk.note_item), focus=f"i{desk.item(DIABETES).public_id}", membership=membership, now=NOW
    )
    assert (context["can_accept"], context["can_change"], context["can_skip"]) == (True, True, False)
    assert context["told"].startswith("Held suggestion")


def test_who_is_not_of_the_project_sees_no_certified_span(desk: Desk, charlie: User, client: Client) -> None:
    certify(desk.document.project, desk.item(DIABETES))
    sign_in(client, charlie)
    url = note_url(desk)
    assert client.get(url, {"focus": f"a{Annotation.objects.get().public_id}"}).status_code == 404


def test_a_reading_with_certified_spans_is_no_agreement_with_a_model(
    project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    def read(external_id: str, *, is_certified: bool) -> Document:
        document = make_document(project, text=TEXT, external_id=external_id)
        suggest(document, SPANS, schema_version=schema_version)
        note_item = take_note(document=document, reviewer=bob, now=NOW)
        desk = Desk(document=document, note_item=note_item, n_keys=100 * int(external_id[-1]))
        if is_certified:
            certify(project, desk.item(METFORMIN))
        else:
            do(desk, bob, services.Accept(desk.item(METFORMIN)))
        decide_the_others(desk, bob)
        do(desk, bob, services.FinishNote())
        return document

    read("n-1", is_certified=True)
    own = read("n-2", is_certified=False)
    assert set(Comparison.objects.values_list("document", flat=True)) == {own.pk}


def test_what_a_certificate_accepted_is_nobodys_similar_decision_and_no_evidence_of_a_miss(
    project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    unread = make_document(project, text=TEXT, external_id="n-1")
    suggest(unread, SPANS, schema_version=schema_version)
    certify(project, *ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    note = make_document(project, text="On metformin.", external_id="n-2")
    suggest(note, [], schema_version=schema_version)
    note_item = take_note(document=note, reviewer=bob, now=NOW)
    assert missed_in(note_view(note_item=note_item), reader=bob) == []
    assert similar_decisions(note_item=note_item, reader=bob, surface="metformin", leave_out=None) == []


def test_a_round_takes_notes_in_which_all_that_was_accepted_is_withdrawn(
    project: Project, alice: User, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=schema_version)
    items = ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler")
    certificate = certify(project, *items)
    assert not free_notes(project).exists()
    withdraw_certified(certificate=certificate, limit=200, reason="revoked", now=NOW)
    assert free_notes(project).get() == document
    make_round(project, alice, alice, bob)
    assert ReviewItem.objects.filter(unit="note").count() == 2


def test_who_reads_a_note_that_certificates_finished_is_its_only_reading(
    project: Project, bob: User, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project, text=TEXT)
    suggest(document, SPANS, schema_version=schema_version)
    certify(project, *ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    ReviewItem.objects.create(project=project, document=document, unit="note", slot=2)
    note_item = take_note(document=document, reviewer=bob, now=NOW)
    services.decide(note_item=note_item, reviewer=bob, act=services.FinishNote(), key="done", now=NOW)
    assert not Adjudication.objects.exists()


def test_by_span_undo_reaches_an_answer_that_finished_its_note(desk: Desk, bob: User) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    project = desk.document.project
    with pytest.raises(services.DecisionRefused, match="whole note"):
        note_to_undo_in(project=project, reviewer=bob, key="none-yet")
    ask(desk.item(METFORMIN))
    do(desk, bob, services.Reject(desk.item(METFORMIN)))
    assert note_to_undo_in(project=project, reviewer=bob, key="none-yet") == desk.note_item
    do(desk, bob, services.Undo(is_own=True))
    assert (note_of(desk.document).status, desk.item(METFORMIN).status) == ("open", "open")


def test_by_span_the_next_span_follows_an_answer_that_finished_its_note(desk: Desk, bob: User, client: Client) -> None:
    hold(desk, METFORMIN)
    decide_the_others(desk, bob)
    do(desk, bob, services.FinishNote())
    ask(desk.item(METFORMIN))
    sign_in(client, bob)
    client.post(reverse("review:next_span", args=[desk.document.project.public_id]))
    asked = {"key": "k1234567", "target": f"i{desk.item(METFORMIN).public_id}", "verdict": "accept", "queue": "span"}
    answer = client.post(note_url(desk, "decide"), asked)
    assert answer.status_code == 303
    assert note_of(desk.document).status == "decided"
    back = client.post(note_url(desk, "decide"), {"key": "k7654321", "verdict": "undo", "queue": "span"})
    assert f"focus=i{desk.item(METFORMIN).public_id}" in back["Location"]


def test_a_purged_note_takes_what_was_accepted_in_it_along_and_leaves_the_certificate(
    project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    gone, stays = (make_document(project, text=TEXT, external_id=name) for name in ("gone", "stays"))
    for document in (gone, stays):
        suggest(document, SPANS, schema_version=schema_version)
    certify(project, *ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    counts = delete_notes([gone.pk])
    assert (counts["n_annotations"], counts["n_batch_members"], counts["n_sets"]) == (3, 3, 1)
    assert set(Annotation.objects.values_list("set__document", flat=True)) == {stays.pk}
    assert Certificate.objects.get().batch.members.count() == 3
