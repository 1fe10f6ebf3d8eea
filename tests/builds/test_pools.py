"""Example pools: what is chosen of the finished notes, and that a pool stays as it is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.builds import pools
from annotator.builds.pools import Candidate, freeze_pool, spread_candidates, spread_notes
from annotator.builds.selectors import ReadySet
from annotator.core.identifiers import LABEL, with_identifiers
from annotator.projects.models import Project, SchemaVersion
from annotator.projects.services import add_schema_version
from annotator.suggestions.models import ExamplePool, PoolWish, PromptExample
from annotator.suggestions.pools import NewExample, PoolRefused, wish_for, withdraw_wish
from tests.builds.scene import annotate, make_scene
from tests.cast import NOW, make_document


def freeze(project: Project, **options: Any) -> ExamplePool:
    return freeze_pool(project=project, actor=None, now=NOW, **options)


def items_of(pool: ExamplePool) -> dict[str, list[Any]]:
    return {found.text: found.items for found in pool.examples.all()}


def test_a_pool_holds_windows_of_finished_notes_with_their_answers(project: Project, bob: User) -> None:
    make_scene(project, bob)
    pool = freeze(project)
    found = items_of(pool)
    assert pool.n_examples == len(found) == 5
    assert found["Metformin."] == [{"text": "Metformin", "label": "Medication"}]
    assert found["Nothing new."] == []
    (first,) = (items for text, items in found.items() if text.startswith("Fever"))
    assert [item["label"] for item in first] == ["Problem", "Problem", "Medication"]
    assert first[1] == {"text": ["Stiffness in the left", "knee"], "label": "Problem", "assertion": "possible"}
    assert {found.patient_id for found in pool.examples.all()} == {"p1", "p2", "p3", ""}
    assert AuditEvent.objects.get(verb="pool.freeze").detail["digest"] == pool.digest


def test_what_is_equal_is_frozen_once_and_what_changed_is_another_pool(project: Project, bob: User) -> None:
    make_scene(project, bob)
    pool = freeze(project)
    assert freeze(project) == pool
    annotate(make_document(project, text="Cough.", external_id="f-1"), bob, ("Cough", "Problem"))
    before = items_of(pool)
    later = freeze(project)
    assert (later.number, later.n_examples) == (2, 6)
    assert items_of(pool) == before


def test_a_window_that_cuts_a_span_is_no_example(project: Project, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "EXAMPLE_WINDOW", 13)
    note = make_document(project, text="Fever today. Chronic venous insufficiency.")
    annotate(note, bob, ("Fever", "Problem"), ("Chronic venous insufficiency", "Problem"))
    assert [found.text.strip() for found in freeze(project).examples.all()] == ["Fever today."]


def test_without_a_finished_note_nothing_is_frozen(project: Project) -> None:
    make_document(project)
    with pytest.raises(PoolRefused, match="no finished note"):
        freeze(project)
    assert not ExamplePool.objects.exists()


def test_a_note_that_is_purged_meanwhile_stops_the_freezing(
    project: Project, other_project: Project, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene(project, bob)
    choose = pools.spread_candidates

    def purge_and_choose(*given: Any, **options: Any) -> list[Candidate]:
        project.documents.filter(patient_id="p1").update(project=other_project)
        return choose(*given, **options)

    monkeypatch.setattr(pools, "spread_candidates", purge_and_choose)
    with pytest.raises(PoolRefused, match="purged"):
        freeze(project)
    assert not PromptExample.objects.exists()


def candidate(patient: str, *labels: str) -> Candidate:
    return Candidate(patient=patient, labels=frozenset(labels), new=NewExample(document_id=0, text="", items=()))


def test_rare_labels_and_empty_windows_get_their_share() -> None:
    many = [candidate(f"p{n}", "Problem") for n in range(50)]
    few = [candidate("p1", "Test"), candidate("p2", "Test"), candidate("p3"), candidate("p3")]
    chosen = spread_candidates(many + few, n=6, seed=1)
    assert Counter(label for found in chosen for label in found.labels or [""]) == {"": 2, "Problem": 2, "Test": 2}


def test_no_patient_is_taken_twice_while_another_waits() -> None:
    given = [candidate("p1", "Problem")] * 30 + [candidate(f"p{n}", "Problem") for n in range(2, 6)]
    assert len({found.patient for found in spread_candidates(given, n=5, seed=3)}) == 5


def test_each_patient_gives_one_note_before_a_second() -> None:
    sets = [ReadySet(n, n, f"{n}", patient, "x", None, False) for n, patient in enumerate(["a"] * 9 + ["b", "c", ""])]
    chosen = spread_notes(sets, n=4, seed=2)
    assert sorted(found.patient_id for found in chosen) == ["", "a", "b", "c"]
    assert spread_notes(list(reversed(sets)), n=4, seed=2) != [] and len(spread_notes(sets, n=99, seed=2)) == 12


def test_the_same_seed_chooses_the_same() -> None:
    given = [candidate(f"p{n % 7}", *(["Problem"] if n % 2 else ["Test"])) for n in range(40)]
    first = spread_candidates(given, n=9, seed=5)
    assert [id(found) for found in first] == [id(found) for found in spread_candidates(given, n=9, seed=5)]


def test_what_is_asked_for_comes_first_and_is_used(project: Project, bob: User) -> None:
    make_scene(project, bob)
    note = make_document(project, text="Cough.", external_id="wished", patient_id="p9")
    annotate(note, bob, ("Cough", "Problem"))
    wishes = [wish_for(project=project, document=note, start=0, end=end, actor=bob, now=NOW) for end in (5, 6)]
    pool = freeze(project)
    first = pool.examples.get(position=0)
    assert (first.text, pool.examples.filter(text="Cough.").count()) == ("Cough.", 1)
    for wish in wishes:
        wish.refresh_from_db()
        assert (wish.status, wish.example) == (PoolWish.Status.USED, first)
    again = wish_for(project=project, document=note, start=0, end=5, actor=bob, now=NOW)
    assert freeze(project) == pool, "nothing in it would change"
    again.refresh_from_db()
    assert again.example == first


def test_what_no_window_can_hold_goes_on_waiting(project: Project, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "EXAMPLE_WINDOW", 13)
    note = make_document(project, text="Fever today. Chronic venous insufficiency.")
    annotate(note, bob, ("Fever", "Problem"), ("Chronic venous insufficiency", "Problem"))
    cut = wish_for(project=project, document=note, start=13, end=41, actor=bob, now=NOW)
    unread = wish_for(
        project=project, document=make_document(project, external_id="unread"), start=0, end=3, actor=bob, now=NOW
    )
    withdrawn = wish_for(project=project, document=note, start=0, end=5, actor=bob, now=NOW)
    withdraw_wish(wish=withdrawn, actor=bob, now=NOW)
    freeze(project)
    assert {wish.pk: wish.status for wish in PoolWish.objects.all()} == {
        cut.pk: "waiting",
        unread.pk: "waiting",
        withdrawn.pk: "withdrawn",
    }


def test_of_wished_notes_no_more_are_read_than_of_others(
    project: Project, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_scene(project, bob)
    for name in ("w1", "w2"):
        note = make_document(project, text="Cough.", external_id=name)
        annotate(note, bob, ("Cough", "Problem"))
        wish_for(project=project, document=note, start=0, end=5, actor=bob, now=NOW)
    monkeypatch.setattr(pools, "MAX_NOTES", 1)
    assert [found.document.external_id for found in freeze(project).examples.all()] == ["w1"]


def test_identifiers_are_no_part_of_an_example(project: Project, bob: User, schema_version: SchemaVersion) -> None:
    both = add_schema_version(project=project, schema=with_identifiers(schema_version.schema), actor=None, now=NOW)
    document = make_document(project, text="Mrs Hollis has a cough.")
    annotate(document, bob, ("Hollis", LABEL), ("cough", "Problem"))
    pool = freeze(project)
    assert items_of(pool) == {"Mrs Hollis has a cough.": [{"text": "cough", "label": "Problem"}]}
    assert (pool.schema_version, both.number) == (schema_version, 2)
