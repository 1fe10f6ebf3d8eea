from __future__ import annotations

import pytest
from django.utils.timezone import localdate

from annotator.accounts.models import User
from annotator.annotations.comments import add_comment
from annotator.annotations.models import AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.browse.independence import annotations_for, comments_for, decisions_for
from annotator.browse.selectors import count_notes, count_spans, tallies
from annotator.browse.work import Done, Waiting, done_by, waiting_notes
from annotator.builds.selectors import readers_of, readiness
from annotator.notices.models import Notice
from annotator.progress.counting import count_day, day_of
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.qualification.models import Admission, Trial
from annotator.qualification.selectors import Standing, is_on_trial, offered_sets, standings
from annotator.qualification.services import QualificationError, let_in, take_back, turn_off
from annotator.quality.agreement import read_notes
from annotator.quality.measuring import of_finished_notes
from annotator.readings.comparing import compare_notes
from annotator.readings.models import Adjudication, Comparison, ReaderPair
from annotator.review.commenting import comment_on
from annotator.review.leases import LeaseConflict, take_next, take_note
from annotator.review.missed import missed_in
from annotator.review.models import ReviewItem
from annotator.review.selectors import note_view, queue_counts
from annotator.review.services import Accept, DecisionRefused, FinishNote, Undo
from annotator.review.similar import is_finished, similar_decisions
from annotator.review.spans import take_next_span
from tests.adjudication.scene import make_adjudication
from tests.cast import NOW, make_document, make_member, make_set
from tests.qualification.scene import RIGHT, WRONG, ask, do, make_references, read_next
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest

pytestmark = pytest.mark.django_db


@pytest.fixture
def references(project: Project, adam: User) -> list[AnnotationSet]:
    return make_references(project, adam, 3)


@pytest.fixture
def work(project: Project, schema_version: SchemaVersion, bells: object) -> ReviewItem:
    """A note that waits for a reader, with a suggestion."""
    document = make_document(project, external_id="work")
    suggest(document, [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    return ReviewItem.objects.get(document=document, unit="note")


@pytest.fixture
def nina(project: Project, references: list[AnnotationSet]) -> User:
    """Joins after new annotators are asked to qualify."""
    ask(project, references)
    return make_member(project, "nina", Membership.Role.ANNOTATOR)


def standing(project: Project, user: User) -> Standing:
    return standings(user=user, projects=[project.pk])[project.pk]


def test_someone_new_gets_the_notes_of_a_try_only(work: ReviewItem, project: Project, nina: User) -> None:
    with pytest.raises(LeaseConflict):
        take_note(document=work.document, reviewer=nina, now=NOW)
    assert take_next_span(project=project, reviewer=nina, now=NOW, leaving=None) is None
    item = take_next(project=project, reviewer=nina, now=NOW)
    assert (item.unit, item.document.external_id) == ("trial", "reference-0")
    assert take_next(project=project, reviewer=nina, now=NOW) == item
    assert (standing(project, nina).n_waiting, standing(project, nina).is_open) == (1, True)


def test_who_reads_well_gets_real_work_from_then_on(work: ReviewItem, project: Project, nina: User) -> None:
    read_next(project, nina, *RIGHT)
    trial = Trial.objects.get()
    assert (trial.status, Admission.objects.get(user=nina).reason) == ("passed", "passed")
    assert [(figure["label"], figure["f1"]) for figure in trial.figures][:2] == [("Problem", 1.0), ("Medication", 1.0)]
    assert take_next(project=project, reviewer=nina, now=NOW) == work
    verbs = AuditEvent.objects.filter(object_id=nina.public_id).values_list("verb", flat=True)
    assert {"trial.begin", "trial.passed"} <= set(verbs)


def test_who_does_not_tries_again_on_other_notes_until_no_try_is_left(project: Project, nina: User) -> None:
    first, second = read_next(project, nina, *WRONG), read_next(project, nina, *WRONG)
    assert first.document != second.document
    assert [(trial.number, trial.status) for trial in Trial.objects.order_by("pk")] == [(1, "failed"), (2, "failed")]
    assert take_next(project=project, reviewer=nina, now=NOW) is None
    assert (standing(project, nina).n_waiting, is_on_trial(project=project, user=nina)) == (0, True)


def test_a_lead_lets_someone_in_and_takes_it_back(work: ReviewItem, project: Project, nina: User, alice: User) -> None:
    let_in(project=project, user=nina, actor=alice, now=NOW)
    assert take_next(project=project, reviewer=nina, now=NOW) == work
    with pytest.raises(QualificationError, match="may read here already"):
        let_in(project=project, user=nina, actor=alice, now=NOW)
    take_back(project=project, user=nina, actor=alice, now=NOW)
    assert is_on_trial(project=project, user=nina)
    with pytest.raises(QualificationError, match="was not let in"):
        take_back(project=project, user=nina, actor=alice, now=NOW)
    events = AuditEvent.objects.filter(object_id=nina.public_id, actor=alice).order_by("number")
    assert [event.verb for event in events] == ["qualification.let_in", "qualification.take_back"]


def test_who_reads_already_goes_on_unless_all_are_to_pass(
    project: Project, bob: User, adam: User, alice: User, references: list[AnnotationSet]
) -> None:
    first = ask(project, references)
    assert [is_on_trial(project=project, user=user) for user in (alice, adam, bob)] == [False, False, False]
    nina = make_member(project, "nina", Membership.Role.ANNOTATOR)
    second = ask(project, references, threshold=0.9)
    assert (first.number, second.number, second.counts_from) == (1, 2, 1)
    assert [is_on_trial(project=project, user=user) for user in (bob, nina)] == [False, True]
    assert ask(project, references, everyone=True).counts_from == 3
    assert [is_on_trial(project=project, user=user) for user in (alice, adam, bob)] == [False, False, True]
    turn_off(project=project, actor=alice, now=NOW)
    assert not is_on_trial(project=project, user=nina)
    with pytest.raises(QualificationError, match="nobody is asked"):
        turn_off(project=project, actor=alice, now=NOW)
    ask(project, references)  # on again: who has read meanwhile goes on
    assert not is_on_trial(project=project, user=nina)


def test_a_try_goes_on_under_the_version_that_it_began_with(
    project: Project, nina: User, references: list[AnnotationSet]
) -> None:
    take_next(project=project, reviewer=nina, now=NOW)
    ask(project, references, threshold=0.0)
    read_next(project, nina, *WRONG)
    assert Trial.objects.get().status == "failed"


def test_too_few_notes_for_all_tries_are_refused(project: Project, references: list[AnnotationSet]) -> None:
    with pytest.raises(QualificationError, match="2 tries of 2 notes take 4 notes, and 3 are chosen"):
        ask(project, references, n_notes=2)


def test_a_try_ends_with_its_last_note_and_stays_as_it_is(project: Project, references: list[AnnotationSet]) -> None:
    ask(project, references, n_notes=2, n_tries=1)
    nina = make_member(project, "nina", Membership.Role.ANNOTATOR)
    first = read_next(project, nina, *RIGHT)
    do(first, nina, Undo())
    assert Trial.objects.get().status == "open"
    do(first, nina, FinishNote())
    last = read_next(project, nina, *RIGHT)
    assert Trial.objects.get().status == "passed"
    for item in (first, last):
        with pytest.raises(DecisionRefused, match="This try is finished"):
            do(item, nina, Undo())


def test_a_note_that_someone_has_read_is_not_tried_by_them(
    project: Project, references: list[AnnotationSet], adam: User
) -> None:
    ask(project, references)
    project.memberships.filter(user=adam).update(role="annotator")  # whose readings the references are
    assert standing(project, adam).n_free == 0
    assert take_next(project=project, reviewer=adam, now=NOW) is None


def test_a_try_is_read_without_suggestions_or_with_those_of_the_first_reader(
    project: Project, references: list[AnnotationSet], schema_version: SchemaVersion, bells: object
) -> None:
    document = references[0].document
    suggest(document, [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.6)], schema_version=schema_version)
    ask(project, references)
    nina = make_member(project, "nina", Membership.Role.ANNOTATOR)
    blind = note_view(note_item=take_next(project=project, reviewer=nina, now=NOW))
    assert (blind.note_item.document, blind.queue, blind.n_items) == (document, [], 0)
    ask(project, references, suggestions="shown")
    otto = make_member(project, "otto", Membership.Role.ANNOTATOR)
    item = take_next(project=project, reviewer=otto, now=NOW)
    shown = note_view(note_item=item)
    assert [mark.span for mark in shown.queue] == [CHEST_PAIN, DIABETES]
    with pytest.raises(DecisionRefused, match="still to be decided"):
        do(item, otto, FinishNote())
    for mark in shown.queue:
        do(item, otto, Accept(ReviewItem.objects.get(public_id=mark.key[1:])))
    do(item, otto, FinishNote())
    assert count_spans(project).n_decided == 0


def test_a_trial_is_told_nothing_of_what_others_labelled(project: Project, references: list[AnnotationSet]) -> None:
    ask(project, references, suggestions="shown")
    nina = make_member(project, "nina", Membership.Role.ANNOTATOR)
    item = take_next(project=project, reviewer=nina, now=NOW)
    assert similar_decisions(note_item=item, reader=nina, surface="metformin") == []
    assert missed_in(note_view(note_item=item), reader=nina) == []


def test_nothing_of_a_trial_is_a_reading_of_the_project(
    project: Project, work: ReviewItem, nina: User, alice: User, bob: User, references: list[AnnotationSet]
) -> None:
    lead = Membership.objects.get(user=alice)
    open_note = references[0].document
    make_set(open_note, bob)  # a second reading has come since
    add_comment(target=references[0], author=bob, about=None, kind="discuss", body="All of it?", now=NOW)

    def figures() -> list[object]:
        compare_notes(document_ids=[open_note.pk])
        work_days, label_days = count_day(day_of(project, localdate(NOW)))
        return [
            [str(pair.key) for pair in ReaderPair.objects.order_by("pk")],
            of_finished_notes(Comparison.objects, project=project, since=None).count(),
            [(row.reviewer_id, row.n_notes, row.n_add) for row in work_days],
            [row.label for row in label_days],
            Notice.objects.count(),
            count_notes(project),
            count_spans(project),
            queue_counts(project=project, reviewer=nina),
            readiness(project=project),
            readers_of(project),
            [(note.document, sorted(note.annotators)) for note in read_notes(project)],
            list(annotations_for(lead)),
            list(decisions_for(lead)),
            list(comments_for(lead)),
            tallies(project, [nina])[nina.pk].n_done,
            done_by(nina, day=NOW, week=NOW),
            Adjudication.objects.count(),
            list(AnnotationSet.objects.filter(is_finished(alice)).values_list("pk", flat=True)),
            waiting_notes([Membership.objects.get(user=bob)], user=bob, now=NOW),
            take_next(project=project, reviewer=bob, now=NOW).document_id == open_note.pk,
        ]

    before = figures()
    item = take_next(project=project, reviewer=nina, now=NOW)
    comment_on(note_item=item, reviewer=nina, key="", kind="discuss", body="Sure?", now=NOW)
    assert figures() == before  # while it is open
    read_next(project, nina, *WRONG)
    assert AnnotationSet.objects.filter(annotator=nina, kind="trial", status="submitted").count() == 1
    assert figures() == before


def test_what_waits_for_someone_new_are_the_notes_of_their_try(
    project: Project, work: ReviewItem, nina: User, django_assert_max_num_queries
) -> None:
    memberships = list(Membership.objects.filter(user=nina).select_related("project"))
    with django_assert_max_num_queries(6):
        assert waiting_notes(memberships, user=nina, now=NOW) == {project.pk: Waiting(n_notes=1, is_trial=True)}
    read_next(project, nina, *RIGHT)
    assert waiting_notes(memberships, user=nina, now=NOW)[project.pk] == Waiting(n_notes=1, n_spans=1)
    assert done_by(nina, day=NOW, week=NOW) == Done(0, 0, 0, 0)


def test_answers_of_a_trial_are_no_earlier_decisions_either(project: Project, work: ReviewItem, nina: User) -> None:
    read_next(project, nina, *RIGHT)
    item = take_next(project=project, reviewer=nina, now=NOW)
    found = similar_decisions(note_item=item, reader=nina, surface="metformin")
    assert {decision.annotator.username for decision in found} == {"adam"}


def test_references_are_gold_or_what_one_person_has_read(project: Project, bob: User, adam: User) -> None:
    once = make_references(project, adam, 1)
    several = make_adjudication(project, (bob, (("nausea", "Problem"),)), (adam, ()), name="several")
    assert list(offered_sets(project)) == once
    gold = AnnotationSet.objects.create(
        document=several.document, annotator=adam, kind="gold", status="submitted", submitted_at=NOW
    )
    assert [(found.kind, found.n_spans) for found in offered_sets(project)] == [("gold", 0), ("reading", 3)]
    assert list(offered_sets(project, chosen=[once[0].pk])) == [*once, gold]
