from __future__ import annotations

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import SetRows, import_sets
from annotator.projects.models import Project, SchemaVersion
from annotator.review import services
from annotator.review.leases import take_next, take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import fill_slots
from annotator.routing.confidence import note_priority
from annotator.routing.services import route_job
from tests.cast import NOW, make_document
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest

SPANS = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9)]


def states(document: object) -> dict[str, list[str]]:
    """Statuses of the span items by fragments, oldest first."""
    found: dict[str, list[str]] = {}
    for item in ReviewItem.objects.filter(document=document, unit="span").select_related("suggestion").order_by("pk"):
        found.setdefault(item.suggestion.fragments, []).append(item.status)
    return found


def test_routing_twice_queues_once(project: Project, schema_version: SchemaVersion, bells: object) -> None:
    document = make_document(project)
    job = suggest(document, SPANS, schema_version=schema_version)
    assert not route_job(label_job_id=job.pk, now=NOW)
    assert ReviewItem.objects.filter(document=document, unit="note").count() == 1
    assert ReviewItem.objects.filter(document=document, unit="span").count() == 2


def test_each_reader_has_items_of_their_own(project: Project, schema_version: SchemaVersion, bells: object) -> None:
    Project.objects.filter(pk=project.pk).update(n_readers=2)
    document = make_document(Project.objects.get(pk=project.pk))
    suggest(document, SPANS, schema_version=schema_version)
    assert list(ReviewItem.objects.filter(unit="note").order_by("slot").values_list("slot", flat=True)) == [1, 2]
    assert ReviewItem.objects.filter(unit="span", slot=2).count() == 2


def test_a_new_run_closes_what_is_open_and_inherits_what_is_decided(
    project: Project, schema_version: SchemaVersion, bob: User, bells: object
) -> None:
    document = make_document(project)
    suggest(document, SPANS, schema_version=schema_version)
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    decided = ReviewItem.objects.select_related("suggestion").get(suggestion__fragments=str(DIABETES))
    services.decide(note_item=note_item, reviewer=bob, act=services.Accept(decided), key="k", now=NOW)
    suggest(document, [*SPANS, (METFORMIN, "Medication", 0.7)], schema_version=schema_version)
    assert states(document) == {
        str(CHEST_PAIN): ["closed", "open"],
        str(DIABETES): ["decided", "closed"],
        str(METFORMIN): ["open"],
    }


def test_another_labeler_closes_only_equal_spans(
    project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project)
    suggest(document, SPANS, schema_version=schema_version)
    suggest(document, [(DIABETES, "Problem", 0.8)], schema_version=schema_version, labeler="other")
    assert states(document) == {str(CHEST_PAIN): ["open"], str(DIABETES): ["closed", "open"]}


def test_a_note_with_more_doubt_in_less_text_comes_first() -> None:
    assert note_priority(scores=[0.3, 0.4], n_chars=300) > note_priority(scores=[0.9, 0.95], n_chars=300)
    assert note_priority(scores=[0.3], n_chars=300) > note_priority(scores=[0.3], n_chars=30_000)


def test_a_run_that_is_routed_late_does_not_replace_a_newer_one(
    project: Project, schema_version: SchemaVersion, bells: object
) -> None:
    document = make_document(project)
    late = suggest(document, SPANS, schema_version=schema_version, is_routed=False)
    suggest(document, [(METFORMIN, "Medication", 0.7)], schema_version=schema_version)
    route_job(label_job_id=late.pk, now=NOW)
    assert states(document) == {str(METFORMIN): ["open"], str(CHEST_PAIN): ["closed"], str(DIABETES): ["closed"]}


def test_a_note_with_an_imported_set_stays_reviewed(
    project: Project, schema_version: SchemaVersion, bob: User, alice: User, bells: object
) -> None:
    document = make_document(project)
    import_sets(annotator=bob, schema_version=schema_version, sets=[(document.pk, SetRows())], now=NOW)
    suggest(document, SPANS, schema_version=schema_version)
    item = ReviewItem.objects.get(document=document, unit="note")
    assert (item.status, item.leased_by) == ("decided", bob)
    assert states(document) == {str(CHEST_PAIN): ["closed"], str(DIABETES): ["closed"]}
    assert take_next(project=project, reviewer=alice, now=NOW) is None


def test_a_set_that_comes_after_the_suggestions_takes_a_free_slot(
    project: Project, schema_version: SchemaVersion, bob: User, alice: User, bells: object
) -> None:
    begun, free = make_document(project), make_document(project, external_id="note-2")
    for document in (begun, free):
        suggest(document, SPANS, schema_version=schema_version)
    take_note(document=begun, reviewer=alice, now=NOW)
    import_sets(
        annotator=bob, schema_version=schema_version, sets=[(begun.pk, SetRows()), (free.pk, SetRows())], now=NOW
    )
    assert fill_slots(sets=AnnotationSet.objects.all()) == 1
    assert fill_slots(sets=AnnotationSet.objects.all()) == 0
    assert ReviewItem.objects.get(document=begun, unit="note").leased_by == alice
    assert ReviewItem.objects.get(document=free, unit="note").status == "decided"
