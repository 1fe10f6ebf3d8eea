from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.spans import Span
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.progress.services import count_project, count_projects
from annotator.projects.models import Project
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes
from annotator.review.services import Accept, Add, Edit, FinishNote, Reject, Skip, Undo
from tests.cast import NOW, TEXT
from tests.progress.scene import CHEST_PAIN, DIABETES, METFORMIN, PLAN, Hand, make_read_note

pytestmark = [pytest.mark.django_db, pytest.mark.db]

TODAY = date(2026, 3, 2)


def done_note(project: Project, bob: User, name: str = "1", note_type: str = "Letter") -> Hand:
    """One suggestion of each kind of answer, one undone, one span added; 21 seconds in all."""
    hand = Hand(make_read_note(project, name, note_type), bob)
    hand.do(Skip(item=hand.item(CHEST_PAIN)), seconds=1)
    hand.do(Reject(target=hand.item(CHEST_PAIN)), seconds=2)
    hand.do(Undo(), seconds=1)
    hand.do(Accept(item=hand.item(CHEST_PAIN)), seconds=2)
    hand.do(Edit(target=hand.item(DIABETES), span=DIABETES, label="Medication", attributes={}), seconds=4)
    hand.do(Edit(target=hand.item(METFORMIN), span=Span.of(37, 49), label="Medication", attributes={}), seconds=5)
    hand.do(Reject(target=hand.item(PLAN)), seconds=3)
    hand.do(Add(span=Span.of(50, 53), label="Medication"), seconds=3)
    hand.do(FinishNote())
    return hand


def test_a_day_is_counted_by_what_stands(project: Project, bob: User) -> None:
    done_note(project, bob)
    count_project(project=project, now=NOW)
    (day,) = WorkDay.objects.all()
    assert (day.project, day.day, day.reviewer, day.note_type, day.n_notes) == (project, TODAY, bob, "Letter", 1)
    kinds = ("accept", "relabel", "bounds", "reject", "add", "skip", "other", "undo")
    assert [getattr(day, f"n_{kind}") for kind in kinds] == [1, 1, 1, 1, 1, 1, 0, 1]
    assert (day.n_judged, day.n_accepted, day.n_decided) == (1, 1, 4)
    assert (day.accepted_squared, day.accepted_decided, day.decided_squared) == (1, 4, 16)
    assert (day.n_timed, day.seconds, day.chars) == (1, 21, len(TEXT))
    assert (day.seconds_squared, day.seconds_chars) == (21**2, 21 * len(TEXT))


def test_labels_are_counted_as_given_and_as_suggested(project: Project, bob: User) -> None:
    done_note(project, bob)
    count_project(project=project, now=NOW)
    columns = ("label", "n_notes", "n", "n_squared", "n_all", "n_accepted", "score", "n_rejected")
    given = LabelDay.objects.filter(labeler=None).order_by("label").values_list(*columns)
    assert list(given) == [
        ("", 1, 4, 16, 16, 0, 0, None),
        ("Medication", 1, 3, 9, 12, 0, 0, None),
        ("Problem", 1, 1, 1, 4, 0, 0, None),
    ]
    suggested = LabelDay.objects.exclude(labeler=None).order_by("label").values_list(*columns)
    assert [(*row[:6], round(row[6], 6), row[7]) for row in suggested] == [
        ("", 1, 4, 16, 16, 1, 2.2, 1),
        ("Medication", 1, 1, 1, 4, 0, 0.5, 0),
        ("Problem", 1, 3, 9, 12, 1, 1.7, 1),
    ]


def test_a_note_that_is_reopened_is_no_longer_done(project: Project, bob: User) -> None:
    hand = done_note(project, bob)
    count_project(project=project, now=NOW)
    hand.do(Undo())
    count_project(project=project, now=NOW)
    (day,) = WorkDay.objects.all()
    assert (day.n_notes, day.n_timed, day.n_undo) == (0, 0, 2)
    assert not LabelDay.objects.filter(labeler=None).exists()
    assert Annotation.objects.filter(status="live").count() == 4


def test_the_sweeper_goes_on_from_where_it_was(project: Project, bob: User) -> None:
    done_note(project, bob)
    assert count_projects(now=NOW) == 1
    assert count_projects(now=NOW + timedelta(minutes=1)) == 0
    assert count_projects(now=NOW + timedelta(minutes=6)) == 2  # yesterday as well: undo reaches so far
    later = NOW + timedelta(days=20)
    assert count_projects(now=later) == 14
    assert CountedProject.objects.get().day < timezone.localdate(later)
    assert count_projects(now=later) == 10
    assert CountedProject.objects.get().day == timezone.localdate(later)
    assert WorkDay.objects.get().n_notes == 1


def test_a_purge_takes_the_names_of_types_that_only_its_notes_had(project: Project, alice: User, bob: User) -> None:
    doomed = done_note(project, bob, "1", "Zebrafever letter").document
    done_note(project, bob, "2", "Letter")
    count_project(project=project, now=NOW)
    purge_notes(project=project, doomed=Doomed(note=doomed.public_id), actor=alice, now=NOW)
    assert set(WorkDay.objects.values_list("note_type", flat=True)) == {"Letter"}
    assert set(LabelDay.objects.values_list("note_type", flat=True)) == {"Letter"}
    count_project(project=project, now=NOW)
    assert WorkDay.objects.get().n_notes == 1


def test_what_a_day_takes_does_not_grow_with_it(
    project: Project, bob: User, django_assert_max_num_queries: Any
) -> None:
    done_note(project, bob)
    count_project(project=project, now=NOW)
    done_note(project, bob, "2")
    with django_assert_max_num_queries(35):  # two days, and the queue
        count_project(project=project, now=NOW)
