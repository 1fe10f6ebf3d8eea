"""Which seconds count for which arm, by the services that the pages use."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.core.effort import Effort
from annotator.projects.models import Project
from annotator.quality.effort import effort_of
from annotator.review.models import ReviewItem
from annotator.review.services import Add, FinishNote, Spread, Undo
from tests.cast import TEXT, make_round
from tests.quality.blind_scene import DIABETES, METFORMIN, Reading, make_notes, read_blind

pytestmark = pytest.mark.usefixtures("bells")


def measured(project: Project) -> Effort:
    return effort_of(project, n_resamples=20)


def read_with(project: Project, reader: User, *, n: int) -> None:
    for document in make_notes(project, n, is_blind=False):
        Reading(document, reader).read_with_suggestions()


def test_a_planted_saving_is_found(project: Project, bob: User) -> None:
    """With suggestions a note takes 3 x 1 + 2 = 5 seconds; without 2 x 6 + 4 = 16, until it is first submitted: going
    through the suggestions then, a hundred seconds each, is no time without them.
    """
    read_with(project, bob, n=10)
    read_blind(project, bob, n=10)
    effort = measured(project)
    assert (effort.assisted.n_notes, effort.control.n_notes, effort.control.n_patients) == (10, 10, 5)
    assert (effort.assisted.per_note.value, effort.control.per_note.value) == (5.0, 16.0)
    assert effort.control.per_chars.value == pytest.approx(16 / len(TEXT) * 1000)
    assert effort.ratio.value == pytest.approx(5 / 16)
    assert effort.saved.value == pytest.approx(11 / 16)
    assert effort.assisted.per_span.value == pytest.approx(5 / 3)
    assert effort.assisted.actions_per_span.value == 1.0
    assert effort.control.actions_per_span.value == pytest.approx(2 / 3), "three spans once it is gone through"


def test_what_was_undone_took_its_time_and_what_comes_after_does_not_count(project: Project, bob: User) -> None:
    (document,) = make_notes(project, 1, is_blind=True)
    reading = Reading(document, bob)
    reading.do(Add(METFORMIN, "Medication"), 3.0)
    reading.do(Undo(), 2.0)
    reading.do(Add(DIABETES, "Problem"), 3.0)
    reading.do(FinishNote(), 1.0)
    reading.do(Undo(), 50.0)
    for item in reading.waiting():
        ReviewItem.objects.filter(pk=item.pk).update(status="decided")
    reading.do(FinishNote(), 50.0)
    notes = _notes_of(project)
    assert notes == [(False, 9.0, 3)]


def test_a_note_of_which_an_act_has_no_time_is_left_out_and_counted(project: Project, bob: User) -> None:
    first, second = make_notes(project, 2, is_blind=True)
    Reading(first, bob).read_blind()
    untimed = Reading(second, bob)
    untimed.do(Add(METFORMIN, "Medication"), None)
    untimed.do(FinishNote(), 1.0)
    effort = measured(project)
    assert (effort.control.n_notes, effort.n_untimed) == (1, 1)


def test_an_act_of_several_decisions_is_one_action_with_one_time(project: Project, bob: User) -> None:
    """Metformin stands twice in the note: one act accepts both."""
    (document,) = make_notes(project, 1, is_blind=True)
    reading = Reading(document, bob)
    added = reading.do(Add(METFORMIN, "Medication"), 3.0)
    reading.do(Spread(added.made), 2.0)
    reading.do(FinishNote(), 1.0)
    assert _notes_of(project) == [(False, 6.0, 2)]


def test_a_note_done_without_a_reader_is_no_ones_time(project: Project, bob: User) -> None:
    make_notes(project, 1, is_blind=False)
    ReviewItem.objects.filter(unit="note").update(status="decided")
    effort = measured(project)
    assert (effort.assisted.n_notes, effort.n_unread) == (0, 1)


def test_notes_of_a_round_count_only_where_it_draws_who_reads_without(project: Project, alice: User, bob: User) -> None:
    (document,) = make_notes(project, 1, is_blind=False)
    made = make_round(project, alice, bob, assistance="hidden")
    Reading(document, bob).read_blind()
    assert measured(project).control.n_notes == 0
    type(made).objects.filter(pk=made.pk).update(assistance="mixed")
    assert measured(project).control.n_notes == 1


def test_it_is_said_that_notes_read_with_suggestions_were_chosen(project: Project, bob: User) -> None:
    read, _ = make_notes(project, 2, is_blind=False)
    Reading(read, bob).read_with_suggestions()
    assert measured(project).is_chosen
    project.policy = Project.Policy.RANDOM
    assert not measured(project).is_chosen
    project.policy = Project.Policy.BENEFIT
    ReviewItem.objects.filter(unit="note").update(status="decided")
    assert not measured(project).is_chosen, "all are read"


def test_nothing_is_compared_with_too_few_blind_notes(project: Project, bob: User) -> None:
    read_with(project, bob, n=1)
    assert measured(project).ratio.caveat == "not enough data: 0 notes were read without, 10 are wanted"


def test_effort_costs_the_same_however_many_notes_there_are(
    project: Project, bob: User, django_assert_num_queries: Any
) -> None:
    read_blind(project, bob, n=3, is_gone_through=False)
    with django_assert_num_queries(6):
        measured(project)


def _notes_of(project: Project) -> list[tuple[bool, float, int]]:
    """Of each note that counts whether it was read with suggestions, its seconds and actions."""
    found: list[tuple[bool, float, int]] = []

    def kept(notes: Any, **asked: Any) -> None:
        found.extend((note.is_assisted, note.seconds, note.n_actions) for note in notes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotator.quality.effort.measure_effort", kept)
        effort_of(project)
    return found
