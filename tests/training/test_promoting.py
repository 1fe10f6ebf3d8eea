"""Promoting: what was decided stays, what waits is read anew, and nothing of the labeler before accepts any more."""

from __future__ import annotations

import pytest
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Batch, Certificate
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.notices.models import Kind
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version, set_member
from annotator.review.leases import take_note
from annotator.review.models import INHERITED, SUPERSEDED, ReviewItem
from annotator.review.services import Accept, FinishNote, decide
from annotator.routing.freezing import wanted_batches
from annotator.routing.services import route_job
from annotator.routing.targets import set_target
from annotator.suggestions.labelers import current_of, current_spec, default_labeler, default_spec
from annotator.suggestions.models import Labeler, LabelRun, Promotion
from annotator.suggestions.selectors import promoted_of
from annotator.suggestions.services import commit_job, start_run
from annotator.training.promotable import outlook_of, undecided_notes
from annotator.training.promoting import PromotionRefused, promote
from tests.cast import NOW, Bells, make_document, make_user
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN
from tests.suggestions.scene import claim, placed
from tests.training.promoted import make_comparison, make_promotion, make_trained, remove_weights
from tests.trust.scene import make_batch, make_calibrator, make_certificate

pytestmark = pytest.mark.django_db


def read(run: LabelRun, found: dict[str, list[tuple[Span, str]]]) -> None:
    """The run reads its notes: what it finds by external id; each is routed."""
    while jobs := claim(run):
        for job in jobs:
            news = [
                new for span, label in found.get(job.document.external_id, []) for new in placed(job, span, label=label)
            ]
            commit_job(job=job, suggestions=news, now=NOW)
            route_job(label_job_id=job.pk, now=NOW)


def run_of(labeler: Labeler) -> LabelRun:
    documents = Document.objects.filter(project=labeler.project)
    return start_run(project=labeler.project, labeler=labeler, documents=documents, actor=None, now=NOW)


def item_of(labeler: Labeler, document: Document, span: Span) -> ReviewItem:
    return ReviewItem.objects.select_related("suggestion").get(
        document=document, suggestion__job__run__labeler=labeler, suggestion__fragments=str(span)
    )


@pytest.fixture
def old(project: Project, bells: Bells) -> Labeler:
    return default_labeler(project=project, now=NOW)


@pytest.fixture
def new(project: Project, old: Labeler) -> Labeler:
    return make_trained(project)


@pytest.fixture
def notes(project: Project, old: Labeler, bob: User) -> dict[str, Document]:
    """The labeler before has read three: "begun" has one span decided by Bob and two open, "open" two open, "done" is
    finished. Nobody has read "new".
    """
    found = {name: make_document(project, external_id=name) for name in ("begun", "open", "done")}
    read(
        run_of(old),
        {
            "begun": [(CHEST_PAIN, "Problem"), (DIABETES, "Problem"), (METFORMIN, "Medication")],
            "open": [(CHEST_PAIN, "Problem"), (DIABETES, "Problem")],
            "done": [(DIABETES, "Problem")],
        },
    )
    for name, span in (("begun", CHEST_PAIN), ("done", DIABETES)):
        held = take_note(document=found[name], reviewer=bob, now=NOW)
        decide(note_item=held, reviewer=bob, act=Accept(item_of(old, found[name], span)), key=name, now=NOW)
        if name == "done":
            decide(note_item=held, reviewer=bob, act=FinishNote(), key="finish", now=NOW)
    return found | {"new": make_document(project, external_id="new")}


def test_what_is_decided_stays_and_what_is_open_gives_way_note_by_note(
    project: Project, alice: User, old: Labeler, new: Labeler, notes: dict[str, Document]
) -> None:
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    run = new.runs.get()
    assert set(run.jobs.values_list("document__external_id", flat=True)) == {"begun", "open", "new"}
    # Nothing has gone before something comes in its place.
    assert item_of(old, notes["begun"], DIABETES).status == ReviewItem.Status.OPEN
    (job,) = [each for each in claim(run) if each.document == notes["begun"]]
    commit_job(job=job, suggestions=placed(job, CHEST_PAIN, DIABETES), now=NOW)
    route_job(label_job_id=job.pk, now=NOW)
    former = {span: item_of(old, notes["begun"], span) for span in (CHEST_PAIN, DIABETES, METFORMIN)}
    assert [former[span].status for span in former] == ["decided", "closed", "closed"]
    assert former[METFORMIN].reason == SUPERSEDED
    assert item_of(new, notes["begun"], CHEST_PAIN).reason == INHERITED
    assert item_of(new, notes["begun"], DIABETES).status == ReviewItem.Status.OPEN
    assert Annotation.objects.filter(set__document=notes["begun"], status="live").count() == 1
    assert item_of(old, notes["open"], CHEST_PAIN).status == ReviewItem.Status.OPEN


def test_what_an_older_run_brings_later_comes_in_closed(
    project: Project, alice: User, old: Labeler, new: Labeler
) -> None:
    note = make_document(project)
    late = run_of(old)
    (job,) = claim(late)
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    late.refresh_from_db()
    assert late.status == LabelRun.Status.CANCELLED
    read(new.runs.get(), {"note-1": [(DIABETES, "Problem")]})
    commit_job(job=job, suggestions=placed(job, CHEST_PAIN), now=NOW)
    route_job(label_job_id=job.pk, now=NOW)
    assert item_of(old, note, CHEST_PAIN).reason == SUPERSEDED
    assert item_of(new, note, DIABETES).status == ReviewItem.Status.OPEN


def test_a_labeler_that_is_not_promoted_takes_nothings_place(
    project: Project, alice: User, old: Labeler, new: Labeler, notes: dict[str, Document]
) -> None:
    read(run_of(new), {"open": [(METFORMIN, "Medication")]})
    assert item_of(old, notes["open"], CHEST_PAIN).status == ReviewItem.Status.OPEN


def test_the_note_that_somebody_reads_blind_is_left_alone(
    project: Project, alice: User, bob: User, new: Labeler, notes: dict[str, Document]
) -> None:
    ReviewItem.objects.filter(document__in=[notes["open"], notes["begun"]], unit="note").update(stream="blind")
    assert notes["begun"] not in undecided_notes(project)
    assert notes["open"] in undecided_notes(project)  # which nobody has begun


def test_a_note_whose_spans_are_all_decided_is_not_read_again(
    project: Project, bob: User, old: Labeler, notes: dict[str, Document]
) -> None:
    spans = ReviewItem.objects.filter(document=notes["begun"], unit="span", status="open")
    spans.update(status=ReviewItem.Status.DECIDED)
    assert set(undecided_notes(project)) == {notes["open"], notes["new"]}


def test_certificates_and_tests_of_the_labeler_before_end(
    project: Project, alice: User, old: Labeler, new: Labeler, notes: dict[str, Document]
) -> None:
    calibrator = make_calibrator(old)
    batch = make_batch(calibrator)
    certificate = make_certificate(batch)
    outlook = outlook_of(new, current=current_of(project))
    assert outlook.certificates == [certificate]
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    certificate.refresh_from_db()
    batch.refresh_from_db()
    assert (certificate.status, certificate.reason) == (Certificate.Status.ENDED, "promoted")
    assert (batch.status, batch.reason) == (Batch.Status.ENDED, "promoted")
    assert not new.calibrators.exists()
    set_target(project=project, label="", status="on", target=0.9, delta=0.05, actor=alice, now=timezone.now())
    assert not wanted_batches(project)
    Promotion.objects.all().delete()
    assert wanted_batches(project)  # its calibrator is there for what was decided, and would be tested otherwise


def test_the_outlook_counts_what_happens(
    project: Project, alice: User, new: Labeler, notes: dict[str, Document]
) -> None:
    outlook = outlook_of(new, current=current_of(project))
    assert (outlook.n_decided, outlook.n_open, outlook.n_notes, outlook.n_new) == (2, 4, 3, 1)
    assert (outlook.n_runs, outlook.n_tests) == (0, 0)
    assert not Promotion.objects.exists()


def test_it_is_recorded_and_the_other_leads_are_told(
    project: Project, alice: User, bob: User, old: Labeler, new: Labeler, notes: dict[str, Document]
) -> None:
    carla = make_user("carla")
    set_member(project=project, user=carla, role="lead", actor=alice, now=NOW)
    comparison = make_comparison(new, old)
    made = promote(labeler=new, comparison=comparison, actor=alice, now=NOW)
    assert (made.labeler, made.previous, made.comparison) == (new, old, comparison.public_id)
    assert current_spec(project).digest == new.digest
    event = AuditEvent.objects.get(verb="labeler.promote")
    assert event.detail["comparison"] == comparison.public_id
    assert (event.detail["previous"], event.detail["n_documents"]) == (old.pk, 3)
    assert carla.notices.filter(kind=Kind.PROMOTED, subject=new.public_id).exists()
    assert not alice.notices.filter(kind=Kind.PROMOTED).exists()
    assert not bob.notices.filter(kind=Kind.PROMOTED).exists()


def test_the_way_back_is_the_same(
    project: Project, alice: User, old: Labeler, new: Labeler, notes: dict[str, Document]
) -> None:
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    read(new.runs.get(), {"open": [(METFORMIN, "Medication")], "begun": [(METFORMIN, "Medication")]})
    promote(labeler=old, comparison=None, actor=alice, now=NOW)
    assert current_spec(project).digest == default_spec().digest
    promoted = promoted_of(project)
    assert promoted.is_over(new) and not promoted.is_over(old)
    read(old.runs.latest("number"), {"open": [(DIABETES, "Problem")]})
    assert item_of(new, notes["open"], METFORMIN).reason == SUPERSEDED
    newest = ReviewItem.objects.filter(document=notes["open"], unit="span", status="open").get()
    assert newest.suggestion.fragments == str(DIABETES)


def test_without_a_note_that_waits_no_run_starts(project: Project, alice: User, new: Labeler) -> None:
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    assert not LabelRun.objects.exists()
    assert current_spec(project).digest == new.digest


def test_of_two_promotions_of_one_labeler_the_second_is_refused(project: Project, alice: User, new: Labeler) -> None:
    promote(labeler=new, comparison=None, actor=alice, now=NOW)
    with pytest.raises(PromotionRefused, match="already"):
        promote(labeler=new, comparison=None, actor=alice, now=timezone.now())
    assert Promotion.objects.count() == 1


def test_the_current_labeler_is_refused(alice: User, old: Labeler) -> None:
    with pytest.raises(PromotionRefused, match="already"):
        promote(labeler=old, comparison=None, actor=alice, now=NOW)


def test_a_labeler_of_an_older_schema_is_refused(project: Project, schema: Schema, alice: User, new: Labeler) -> None:
    changed = schema.to_json()
    changed["labels"][0]["definition"] = "Anything."
    add_schema_version(project=project, schema=schema_from_json(changed), actor=None, now=NOW)
    with pytest.raises(PromotionRefused, match="schema version 1, and 2 counts"):
        promote(labeler=new, comparison=None, actor=alice, now=NOW)


def test_a_labeler_without_weights_is_refused(alice: User, new: Labeler) -> None:
    remove_weights(new)
    with pytest.raises(PromotionRefused, match="weights were removed"):
        promote(labeler=new, comparison=None, actor=alice, now=NOW)


@pytest.mark.parametrize("backend", ["import", "presidio"])
def test_a_labeler_that_reads_beside_is_refused(alice: User, new: Labeler, backend: str) -> None:
    Labeler.objects.filter(pk=new.pk).update(backend=backend)
    new.refresh_from_db()
    with pytest.raises(PromotionRefused, match="in the place"):
        promote(labeler=new, comparison=None, actor=alice, now=NOW)


def test_a_comparison_that_goes_on_is_refused(alice: User, old: Labeler, new: Labeler) -> None:
    with pytest.raises(PromotionRefused, match="comparison 1 has not come to its end"):
        promote(labeler=new, comparison=make_comparison(new, old, status="running"), actor=alice, now=NOW)


def test_a_comparison_of_others_is_refused(project: Project, alice: User, old: Labeler, new: Labeler) -> None:
    other = make_comparison(make_trained(project, number=2), old)
    with pytest.raises(PromotionRefused, match="of other labelers"):
        promote(labeler=new, comparison=other, actor=alice, now=NOW)
    assert not Promotion.objects.exists()
    assert not AuditEvent.objects.filter(verb="labeler.promote").exists()


def test_a_variant_with_the_name_of_the_one_before_is_over_it(project: Project, alice: User, old: Labeler) -> None:
    Labeler.objects.filter(pk=make_trained(project).pk).update(name=old.name)
    variant = project.labelers.get(backend="trained")
    make_promotion(variant, alice, previous=old)
    promoted = promoted_of(project)
    assert promoted.is_over(old) and not promoted.is_over(variant)
    assert not promoted.former_names
