from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.core.evaluation import FoundSpan
from annotator.core.matching import Labelled
from annotator.projects.models import Project
from annotator.quality import selectors
from annotator.quality.selectors import GoldSource, gold_notes, labelers_with_notes
from tests.cast import make_document, make_set
from tests.quality.scene import (
    CHEST_PAIN,
    FOUND,
    METFORMIN,
    PART,
    SIGNALS,
    WRONG,
    finish,
    make_labeler,
    make_measured,
    make_notes,
    read,
    review,
    suggested,
)

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_a_note_has_its_gold_and_what_was_found(project: Project, dana: User, bob: User) -> None:
    labeler = make_measured(project, importer=dana, reviewer=bob, n_imported=1, n_reviewed=0)
    found = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    (note,) = found.notes
    assert sorted(note.gold) == [Labelled(CHEST_PAIN, "Problem"), Labelled(METFORMIN, "Medication")]
    assert sorted(note.found, key=lambda each: each.score) == [
        FoundSpan(WRONG, "Problem", 0.2, {**SIGNALS, "label_logprob": 0.2}),
        FoundSpan(PART, "Medication", 0.6, {**SIGNALS, "label_logprob": 0.6}),
        FoundSpan(CHEST_PAIN, "Problem", 0.9, {**SIGNALS, "label_logprob": 0.9}),
    ]
    assert (note.n_unaligned, note.n_invented) == (1, 1)


def test_a_quote_that_stands_in_the_note_is_not_invented(project: Project, dana: User) -> None:
    (document,) = make_notes(project, 1)
    labeler = make_labeler(project)
    read(project, labeler, [document], suggested(None, "Medication", 0.5, "Twice  daily"))
    finish(document, dana)
    (note,) = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL).notes
    assert (note.n_unaligned, note.n_invented) == (1, 0)


def test_only_notes_that_were_read_and_finished_count(project: Project, dana: User) -> None:
    unread, unfinished, both = make_notes(project, 3)
    labeler = make_labeler(project)
    read(project, labeler, [unfinished, both], *FOUND)
    finish(unread, dana)
    finish(both, dana)
    assert gold_notes(project=project, labeler=labeler, source=GoldSource.ALL).n_finished == 1


def test_a_note_finished_without_a_span_counts(project: Project, dana: User) -> None:
    (document,) = make_notes(project, 1)
    labeler = make_labeler(project)
    read(project, labeler, [document], *FOUND)
    make_set(document, dana)
    (note,) = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL).notes
    assert (list(note.gold), len(note.found)) == ([], 3)


def test_a_note_in_which_nothing_was_found_counts(project: Project, dana: User) -> None:
    (document,) = make_notes(project, 1)
    labeler = make_labeler(project)
    read(project, labeler, [document])
    finish(document, dana)
    (note,) = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL).notes
    assert (len(note.gold), list(note.found)) == (2, [])


def test_the_last_reading_counts(project: Project, dana: User) -> None:
    (document,) = make_notes(project, 1)
    labeler = make_labeler(project)
    read(project, labeler, [document], *FOUND)
    read(project, labeler, [document], suggested(METFORMIN, "Medication", 0.7))
    finish(document, dana)
    (note,) = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL).notes
    assert [each.span for each in note.found] == [METFORMIN]


def test_a_note_of_several_waits_for_adjudication(project: Project, dana: User, bob: User) -> None:
    (document,) = make_notes(project, 1)
    labeler = make_labeler(project)
    read(project, labeler, [document], *FOUND)
    finish(document, dana)
    finish(document, bob)
    found = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    assert (found.notes, found.n_several) == ((), 1)


def test_imported_annotations_can_be_taken_alone(project: Project, dana: User, bob: User) -> None:
    labeler = make_measured(project, importer=dana, reviewer=bob, n_imported=2, n_reviewed=3)
    every = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    imported = gold_notes(project=project, labeler=labeler, source=GoldSource.IMPORTED)
    assert (every.n_imported, every.n_reviewed) == (2, 3)
    assert (imported.n_imported, imported.n_reviewed, imported.n_finished) == (2, 0, 2)


def test_labels_that_the_labeler_does_not_know_are_left_out(project: Project, dana: User, bob: User) -> None:
    labeler = make_measured(project, importer=dana, reviewer=bob, n_imported=1, n_reviewed=0)
    Annotation.objects.filter(label="Medication").update(label="Drug")
    found = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    assert ([each.label for each in found.notes[0].gold], found.n_other_labels) == (["Problem"], 1)


def test_of_many_notes_the_same_are_drawn(
    project: Project, dana: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeler = make_measured(project, importer=dana, reviewer=bob, n_imported=6, n_reviewed=0)
    monkeypatch.setattr(selectors, "MOST_NOTES", 3)
    found = gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    assert (len(found.notes), found.n_finished) == (3, 6)
    assert gold_notes(project=project, labeler=labeler, source=GoldSource.ALL) == found


def test_queries_do_not_grow_with_the_notes(
    project: Project, dana: User, bob: User, django_assert_num_queries: Any
) -> None:
    labeler = make_measured(project, importer=dana, reviewer=bob, n_imported=1, n_reviewed=1)
    with django_assert_num_queries(9):
        gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)
    more = [make_document(project, external_id=f"more-{number}") for number in range(5)]
    read(project, labeler, more, *FOUND)
    for document in more:
        review(document, bob)
    with django_assert_num_queries(9):
        gold_notes(project=project, labeler=labeler, source=GoldSource.ALL)


def test_labelers_that_read_notes_are_listed_the_last_first(
    project: Project, other_project: Project, django_assert_num_queries: Any
) -> None:
    first, second, third = make_notes(project, 3)
    rules, model, _ = (make_labeler(project, name) for name in ("Rules", "Model", "Idle"))
    read(project, model, [first, second])
    read(project, model, [second, third])
    read(project, rules, [first])
    read(other_project, make_labeler(other_project), make_notes(other_project, 1))
    with django_assert_num_queries(1):
        found = labelers_with_notes(project)
    assert [(choice.labeler.name, choice.n_read) for choice in found] == [("Rules", 1), ("Model", 3)]
