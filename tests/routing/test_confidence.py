"""Calibrated confidence: for what is routed, and written over what waits."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.models import User
from annotator.certificates.models import Calibrator
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review.leases import take_next, take_note
from annotator.review.models import ReviewItem
from annotator.routing import confidence
from annotator.routing.confidence import APPLY_TASK, apply_page, confidence_of, ring_unapplied
from annotator.suggestions.models import Labeler
from tests.cast import NOW, Bells, body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest
from tests.routing.calibrated import make_calibrator

SPANS = [(CHEST_PAIN, "Problem", 0.7), (DIABETES, "Problem", 0.9)]
# The logistic of the logit, less two.
SHIFTED = {0.7: 0.24, 0.9: 0.549}


@pytest.fixture
def documents(project: Project, schema_version: SchemaVersion, bells: object) -> list[Document]:
    """Three routed notes, without a calibrator."""
    made = [make_document(project, external_id=f"{number}") for number in range(3)]
    for document in made:
        suggest(document, SPANS, schema_version=schema_version)
    return made


@pytest.fixture
def calibrator(documents: list[Document]) -> Calibrator:
    return make_calibrator(Labeler.objects.get(), intercept=-2.0)


def apply_all(calibrator: Calibrator) -> int:
    n_pages = 0
    while apply_page(calibrator_id=calibrator.pk):
        n_pages += 1
    return n_pages


def rows(**asked: Any) -> list[tuple[float | None, float, str]]:
    """Confidence, priority and reason of the span items, by the place."""
    items = ReviewItem.objects.filter(unit="span", **asked).order_by("document", "suggestion__start")
    found = items.values_list("confidence", "priority", "reason")
    return [(value and round(value, 3), round(priority, 3), reason) for value, priority, reason in found]


def test_without_a_calibrator_there_is_no_confidence(documents: list[Document]) -> None:
    assert confidence_of(Labeler.objects.get()) is None
    assert rows(document=documents[0]) == [(None, 0.3, "unproven"), (None, 0.1, "unproven")]


def test_what_is_routed_gets_its_confidence(
    project: Project, schema_version: SchemaVersion, calibrator: Calibrator
) -> None:
    document = make_document(project, external_id="new")
    suggest(document, SPANS, schema_version=schema_version)
    assert rows(document=document) == [(0.24, 0.76, "low_confidence"), (0.549, 0.451, "low_confidence")]
    note = ReviewItem.objects.get(document=document, unit="note")
    assert note.priority == pytest.approx((0.76 + 0.451) / (2 + document.n_chars / 60), abs=0.001)


def test_what_is_routed_of_another_labeler_does_not(
    project: Project, schema_version: SchemaVersion, calibrator: Calibrator
) -> None:
    document = make_document(project, external_id="new")
    suggest(document, SPANS, schema_version=schema_version, labeler="other")
    assert [confidence for confidence, _, _ in rows(document=document)] == [None, None]


def test_what_waits_gets_it_page_by_page_and_a_dead_worker_leaves_the_rest_to_the_next(
    documents: list[Document], calibrator: Calibrator, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confidence, "NOTES_A_PAGE", 1)
    assert apply_page(calibrator_id=calibrator.pk)
    assert [value for value, _, _ in rows()] == [0.24, 0.549, None, None, None, None]
    with monkeypatch.context() as dying:
        dying.setattr(confidence, "_sort_notes", _die)
        with pytest.raises(MemoryError):
            apply_page(calibrator_id=calibrator.pk)
    assert [value for value, _, _ in rows()] == [0.24, 0.549, None, None, None, None], "all of a page, or nothing"
    with bells.after_commit():
        assert ring_unapplied() == 1
    assert bells[-1][:2] == (APPLY_TASK, (calibrator.pk,))
    assert apply_all(calibrator) == 2
    assert rows() == [(0.24, 0.76, "low_confidence"), (0.549, 0.451, "low_confidence")] * 3
    assert Calibrator.objects.get(pk=calibrator.pk).applied_to is None
    assert ring_unapplied() == 0
    assert not apply_page(calibrator_id=calibrator.pk)


def _die(*given: object) -> None:
    raise MemoryError


def test_what_is_decided_or_another_labelers_stays_as_it_is(
    project: Project, schema_version: SchemaVersion, calibrator: Calibrator, documents: list[Document]
) -> None:
    suggest(documents[0], [(METFORMIN, "Medication", 0.7)], schema_version=schema_version, labeler="other")
    ReviewItem.objects.filter(document=documents[1], unit="span").update(status="decided")
    ReviewItem.objects.filter(document=documents[2], unit="span").update(status="held", reason="revoked")
    apply_all(calibrator)
    assert [value for value, _, _ in rows(document=documents[0])] == [0.24, 0.549, None]
    assert [value for value, _, _ in rows(document=documents[1])] == [None, None]
    assert rows(document=documents[2]) == [(0.24, 0.76, "revoked"), (0.549, 0.451, "revoked")]


def test_a_calibrator_that_is_not_in_use_is_written_nowhere(calibrator: Calibrator) -> None:
    for status in ("offered", "replaced"):
        Calibrator.objects.filter(pk=calibrator.pk).update(status=status)
        assert not apply_page(calibrator_id=calibrator.pk)
    assert rows()[0] == (None, 0.3, "unproven")


def test_notes_are_sorted_anew(
    project: Project, schema_version: SchemaVersion, documents: list[Document], bob: User
) -> None:
    """By score the new note is the surer one; the calibrator knows that its labeler is sure of what is wrong."""
    other = make_document(project, external_id="sure")
    suggest(other, [(CHEST_PAIN, "Problem", 0.99), (DIABETES, "Problem", 0.99)], schema_version=schema_version)
    assert take_next(project=project, reviewer=bob, now=NOW).document != other
    ReviewItem.objects.filter(unit="note").update(leased_by=None, lease_expires_at=None)
    apply_all(make_calibrator(Labeler.objects.get(), slope=-1.0))
    assert take_next(project=project, reviewer=bob, now=NOW).document == other


def test_a_note_in_hand_keeps_its_version(documents: list[Document], calibrator: Calibrator, bob: User) -> None:
    take_note(document=documents[0], reviewer=bob, now=NOW)
    before = list(ReviewItem.objects.order_by("pk").values_list("version", flat=True))
    apply_all(calibrator)
    assert list(ReviewItem.objects.order_by("pk").values_list("version", flat=True)) == before


def test_a_page_costs_the_same_however_many_spans_it_has(
    project: Project, schema_version: SchemaVersion, documents: list[Document], calibrator: Calibrator
) -> None:
    def n_queries() -> int:
        Calibrator.objects.filter(pk=calibrator.pk).update(applied_to=0)
        ReviewItem.objects.update(confidence=None)
        with CaptureQueriesContext(connection) as captured:
            assert apply_page(calibrator_id=calibrator.pk)
        return len(captured)

    few = n_queries()
    for number in range(5):
        suggest(make_document(project, external_id=f"more-{number}"), SPANS, schema_version=schema_version)
    assert n_queries() == few


def test_the_card_and_the_queue_say_confidence(
    project: Project, documents: list[Document], calibrator: Calibrator, bob: User
) -> None:
    apply_all(calibrator)
    item = take_note(document=documents[0], reviewer=bob, now=NOW)
    page = body(sign_in(Client(), bob).get(reverse("review:note", args=[project.public_id, item.public_id])))
    assert "Low confidence" in page and "calibrated, raw 0.70" in page
    assert "0.24" in page and "low confidence" in page
    assert "not calibrated" not in page
