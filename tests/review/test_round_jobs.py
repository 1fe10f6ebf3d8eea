"""Rounds of many notes: made and taken back by a job, however often it is stopped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.browse.services import remove_person
from annotator.core import assigning
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import MAX_ATTEMPTS, run_job
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.review import drawing, round_jobs, rounds
from annotator.review.leases import LeaseConflict, take_next, take_note, takeable_notes
from annotator.review.models import ReviewItem, Round, RoundJob
from annotator.review.queue import ensure_note_items, fill_slots
from annotator.review.readings import rounds_left
from annotator.review.rounds import Chosen, RoundError
from annotator.review.telling import tell_due
from tests.cast import NOW, Bells, make_document, make_member, make_round, make_set
from tests.review.conftest import CHEST_PAIN, suggest

N_NOTES = 9


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, bells: Bells) -> None:
    """Rounds of more than four notes are made by a job, two notes at a time."""
    monkeypatch.setattr(rounds, "MOST_WAITED_FOR", 4)
    for module in (drawing, round_jobs):
        monkeypatch.setattr(module, "AT_ONCE", 2)


@pytest.fixture
def notes(project: Project) -> list[Document]:
    return [make_document(project, external_id=f"n-{number}", note_type="AB"[number % 2]) for number in range(N_NOTES)]


@pytest.fixture
def carl(project: Project) -> User:
    return make_member(project, "carl", Membership.Role.ANNOTATOR)


def work_on(made: Round, *, clock: Callable[[], datetime] = lambda: NOW) -> None:
    job_id = RoundJob.objects.get(round=made).job_id
    run_job(job_id=job_id, work=lambda job: round_jobs.run_round(job=job, clock=clock), clock=clock)


def readings(made: Round) -> dict[tuple[int, int], tuple[str | None, str]]:
    items = ReviewItem.objects.filter(round=made)
    return {
        (each.document_id, each.slot): (each.assigned_to.username if each.assigned_to else None, each.stream)
        for each in items.select_related("assigned_to")
    }


class Dies(Exception):
    pass


def dying_at(step: int, act: Callable[[], Any] | None = None) -> Callable[[], datetime]:
    """A clock at whose `step`th look the worker dies, or something else happens."""
    n_looks = 0

    def clock() -> datetime:
        nonlocal n_looks
        n_looks += 1
        if n_looks == step:
            if act is None:
                raise Dies
            act()
        return NOW

    return clock


def test_a_job_gives_what_the_page_would_have_given(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User, bells: Bells
) -> None:
    asked: dict[str, Any] = {"n_readers": 2, "assistance": "mixed", "draw": "stratified"}
    with bells.after_commit():
        made = make_round(project, alice, bob, adam, carl, **asked)
    assert bells.tasks() == ["annotator.run_round"]
    assert not made.items.exists() and not Notice.objects.exists()
    work_on(made)
    assert not RoundJob.objects.exists() and not Job.objects.exists()
    by_job = readings(made)
    assert Counter(name for name, _ in by_job.values()) == {"bob": 6, "adam": 6, "carl": 6}
    assert Counter(stream for _, stream in by_job.values()) == {"blind": N_NOTES, "uncertain": N_NOTES}
    told = {(notice.user.username, notice.kind, notice.n) for notice in Notice.objects.select_related("user")}
    assert told == {(name, Kind.ROUND_ASSIGNED, 6) for name in ("bob", "adam", "carl")} | {
        ("alice", Kind.ROUND_MADE, 1)
    }
    assert AuditEvent.objects.get(verb="round.open").detail == {"n_notes": N_NOTES, "n_left_out": 0}
    rounds.undo_round(round=Round.objects.get(pk=made.pk), actor=alice, now=NOW)
    work_on(made)
    rounds.MOST_WAITED_FOR = N_NOTES
    assert readings(make_round(project, alice, bob, adam, carl, **asked)) == by_job


@pytest.mark.parametrize("step", range(2, 22))
def test_a_worker_that_dies_anywhere_leaves_a_round_that_another_makes(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User, step: int
) -> None:
    made = make_round(project, alice, bob, adam, carl, n_readers=2, assistance="mixed")
    try:
        work_on(made, clock=dying_at(step))
    except Dies:
        assert Job.objects.get().attempts == 1
        for reader in (bob, adam, carl):
            assert not takeable_notes(project=project, reviewer=reader, now=NOW).filter(round=made).exists()
        work_on(made)
    found = readings(made)
    assert Counter(document for document, _ in found) == {note.pk: 2 for note in notes}
    assert Counter(stream for _, stream in found.values()) == {"blind": N_NOTES, "uncertain": N_NOTES}
    assert Counter(name for name, _ in found.values()) == {"bob": 6, "adam": 6, "carl": 6}
    assert len({(document, name) for (document, _), (name, _) in found.items()}) == 2 * N_NOTES
    assert AuditEvent.objects.filter(verb="round.open").count() == 1


@pytest.mark.parametrize("step", range(2, 20))
def test_who_cancels_leaves_every_note_as_free_as_before(
    project: Project,
    notes: list[Document],
    schema_version: SchemaVersion,
    alice: User,
    bob: User,
    adam: User,
    step: int,
) -> None:
    Project.objects.filter(pk=project.pk).update(n_readers=3)
    suggest(Document.objects.get(pk=notes[0].pk), [(CHEST_PAIN, "Problem", 0.4)], schema_version=schema_version)
    before = list(ReviewItem.objects.order_by("document", "unit", "slot").values_list("document", "unit", "slot"))
    made = make_round(project, alice, bob, adam)
    cancelled: list[bool] = []

    def cancel() -> None:
        if RoundJob.objects.filter(round=made).exists():
            cancelled.append(rounds.undo_round(round=made, actor=alice, now=NOW))

    work_on(made, clock=dying_at(step, cancel))
    if not cancelled:
        assert rounds_left(projects=[project.pk], reader=bob), "it was made before"
        return
    after = ReviewItem.objects.order_by("document", "unit", "slot").values_list("document", "unit", "slot")
    assert list(after) == before
    assert not Round.objects.exists() and not Job.objects.exists()
    assert not ReviewItem.objects.exclude(assigned_to=None).exists()
    assert set(AuditEvent.objects.filter(object_id=made.public_id).values_list("verb", flat=True)) == {
        *("round.create", "round.cancel", "round.undo"),
    }


def test_nobody_reads_in_a_round_that_is_being_made(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    for note in notes:
        ensure_note_items(document=note, n_slots=1, priority=1.0)
    made = make_round(project, alice, bob, adam, due_on=NOW.date())
    with pytest.raises(Dies):
        work_on(made, clock=dying_at(16))
    assert any(name for name, _ in readings(made).values()), "some are assigned already"
    assert take_next(project=project, reviewer=bob, now=NOW) is None
    with pytest.raises(LeaseConflict):
        take_note(document=notes[0], reviewer=bob, now=NOW)
    assert not rounds_left(projects=[project.pk], reader=bob)
    tell_due(now=NOW)
    assert not Notice.objects.exists()
    reading = ReviewItem.objects.filter(round=made, assigned_to__isnull=False).select_related("assigned_to").first()
    assert reading is not None and reading.assigned_to is not None
    for refused in (
        lambda: rounds.add_reader(round=made, user=alice, actor=alice, now=NOW),
        lambda: rounds.reassign(round=made, from_user=bob, to=adam, n_notes=None, actor=alice, now=NOW),
        lambda: rounds.hand_back(reading=reading, reader=reading.assigned_to, now=NOW),
        lambda: make_round(project, alice, bob, adam),
    ):
        with pytest.raises(RoundError, match="still being made"):
            refused()
    work_on(made)
    assert take_next(project=project, reviewer=bob, now=NOW) is not None


def test_what_people_and_imports_have_begun_meanwhile_stays_theirs(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    """Before the job comes to a note it is left out; a reading that comes in later takes a slot of its note."""
    for note in notes:
        ensure_note_items(document=note, n_slots=1, priority=1.0)
    made = make_round(project, alice, bob, adam, n_readers=2)
    take_note(document=notes[0], reviewer=bob, now=NOW)

    def come_in() -> None:
        for reader in (bob, carl):
            said = make_set(notes[8] if reader == bob else notes[7], reader)
            fill_slots(sets=type(said).objects.filter(pk=said.pk))

    work_on(made, clock=dying_at(8, come_in))
    assert not made.items.filter(document=notes[0]).exists()
    assert Counter(made.items.values_list("document", flat=True)) == {note.pk: 2 for note in notes[1:]}
    found = readings(made)
    ours = {name for (document, _), (name, _) in found.items() if document == notes[8].pk}
    assert ours in ({"bob", "adam"}, {"bob", None}), "never one reader twice"
    theirs = {name for (document, _), (name, _) in found.items() if document == notes[7].pk}
    assert "carl" in theirs and len(theirs) == 2
    notice = Notice.objects.get(kind=Kind.ROUND_MADE)
    assert notice.detail == {"number": 1, "n_notes": 8, "n_left_out": 1}


def test_who_has_left_meanwhile_gets_nothing(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, carl: User
) -> None:
    made = make_round(project, alice, bob, adam, carl, n_readers=2)

    def leave() -> None:
        remove_person(membership=Membership.objects.get(user=carl), actor=alice, now=NOW)

    work_on(made, clock=dying_at(12, leave))
    assert Counter(name for name, _ in readings(made).values()) == {"bob": 6, "adam": 6, None: 6}


def test_what_fails_says_so_and_goes_on_when_it_is_asked_to(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_round(project, alice, bob, adam)

    def fail(**asked: Any) -> Any:
        raise assigning.CannotAssign("nothing is left to share equally")

    with monkeypatch.context() as patched:
        patched.setattr(drawing, "workloads", fail)
        work_on(made)
    job = Job.objects.get()
    assert (job.status, job.error) == (
        Job.Status.FAILED,
        "Notes were begun meanwhile, and now nothing is left to share equally.",
    )
    assert Notice.objects.get().kind == Kind.ROUND_FAILED
    rounds.go_on(round=made, actor=alice, now=NOW)
    assert Job.objects.get().pk != job.pk
    work_on(made)
    assert AuditEvent.objects.filter(verb="round.go_on", actor=alice).exists()
    with pytest.raises(RoundError, match="has failed"):
        rounds.go_on(round=made, actor=alice, now=NOW)


def test_a_round_that_failed_for_good_can_be_taken_back(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    made = make_round(project, alice, bob, adam)
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Dies):
            work_on(made, clock=dying_at(5))
    assert Job.objects.get().status == Job.Status.FAILED
    assert not rounds.undo_round(round=made, actor=alice, now=NOW)
    with pytest.raises(RoundError, match="already"):
        rounds.undo_round(round=made, actor=alice, now=NOW)
    work_on(made)
    assert not Round.objects.exists() and not ReviewItem.objects.exists()


def test_a_note_that_is_begun_while_its_round_goes_keeps_its_reader(
    project: Project, notes: list[Document], alice: User, bob: User, adam: User
) -> None:
    made = make_round(project, alice, bob, adam)
    work_on(made)
    assert not rounds.undo_round(round=Round.objects.get(pk=made.pk), actor=alice, now=NOW)
    item = made.items.filter(assigned_to=bob).order_by("document").last()
    assert item is not None
    # The request of a reader who took the note in the moment before.
    ReviewItem.objects.filter(pk=item.pk).update(leased_by=bob, lease_expires_at=NOW)
    work_on(made)
    left = ReviewItem.objects.filter(unit="note")
    assert [(each.document_id, each.leased_by) for each in left.exclude(leased_by=None)] == [(item.document_id, bob)]
    assert set(left.values_list("document", "round", "assigned_to")) == {(item.document_id, None, None)}


def test_an_unknown_id_of_a_file_is_named_by_its_row(
    project: Project, notes: list[Document], alice: User, bob: User
) -> None:
    with pytest.raises(RoundError, match="no note of the id in row 7"):
        make_round(project, alice, bob, chosen=Chosen(external_ids=["n-1", "x"], rows=[2, 7]))
