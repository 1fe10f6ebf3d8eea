"""Thirty people review one project at once, over HTTP, and nothing they were told is saved is lost, doubled or shared.

What they do is drawn from a seed, which a failure shows; SEED=… in the environment does the same acts again, though not
in the same order between people.
"""

from __future__ import annotations

import os
import random
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.audit.services import first_broken_event
from annotator.core.schema import schema_from_json
from annotator.projects.models import Project
from annotator.projects.services import remove_member
from annotator.review.models import Decision, ReviewItem
from tests.cast import SCHEMA
from tests.review.scene import Answer, Served, Tab, make_shared_project, own_database, session_of, web_server

pytestmark = [pytest.mark.db, pytest.mark.slow]

N_REVIEWERS = 30
N_ACTS = 6
EXPECTED = {200, 204, 302, 303, 404, 409, 422}
# What a reviewer does to the card, and how often.
ACTS = [
    *[{"verdict": "accept"}] * 8,
    *[{"verdict": "reject"}] * 4,
    *[{"verdict": "undo"}] * 3,
    *[{"verdict": "skip"}, {"label": "Medication"}, {"attribute": "assertion=absent"}, {"move": "start:-1"}],
    *[{"target": "", "fragments": "0 4", "label": "Problem"}, {"target": "", "fragments": "6 9", "label": "Problem"}],
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Served]:
    """A web server on a database of its own, which is also what the tests see."""
    folder = tmp_path_factory.mktemp("thirty")
    folder.chmod(0o700)
    with django_db_blocker.unblock(), own_database(folder) as environment, web_server(folder, environment) as server:
        yield server


@dataclass
class Reviewer:
    """One person with as many tabs as they like.

    `told` holds for each key whether they were told that it is saved, `wrong` what should not have been said,
    `stopped_with` the answer to whatever they send once they may no longer review.
    """

    user: User
    project: Project
    port: int
    stopped_with: int | None = None
    told: dict[str, bool] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    tabs: list[Tab] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = session_of(self.user)

    def tab(self, note: str = "") -> Tab:
        self.tabs.append(Tab(self.port, self.session, self.project.public_id, note))
        return self.tabs[-1]

    def hear(self, key: str, answer: Answer) -> None:
        self.told[key] = self.told.get(key, False) or answer.is_saved


def reviewers_of(served: Served, n: int, n_notes: int, seed: int) -> list[Reviewer]:
    """The reviewers of a new project."""
    names = [f"reviewer-{seed}-{number}" for number in range(n)]
    schema = schema_from_json(SCHEMA)
    project = make_shared_project(schema=schema, reviewers=names, n_notes=n_notes, n_words=24, n_spans=3, seed=seed)
    return [Reviewer(User.objects.get(username=name), project, served.port) for name in names]


def work(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    """Do N_ACTS things in one tab, as they come to mind."""
    for _ in range(N_ACTS):
        if not tab.note:
            tab.take_next()
        else:
            chance.choices([decide, send_twice, send_again, leave, look], [12, 3, 2, 1, 1])[0](reviewer, tab, chance)
    tab.close()


def wish(tab: Tab, chance: random.Random) -> dict[str, str]:
    """A decision on the card that the tab shows."""
    is_over = not tab.target and chance.random() < 0.8
    return tab.decision(**({"verdict": "note_done"} if is_over else chance.choice(ACTS)))


def decide(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    decision = wish(tab, chance)
    reviewer.hear(decision["key"], tab.decide(**decision))


def send_twice(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    """The same decision from two tabs at the same moment."""
    decision, other = wish(tab, chance), reviewer.tab(tab.note)
    answers: list[Answer] = []
    second = threading.Thread(target=lambda: answers.append(other.post(decision)))
    second.start()
    answers.append(tab.post(decision))
    second.join()
    other.close()
    for answer in answers:
        reviewer.hear(decision["key"], answer)
    tab.open(tab.note)


def send_again(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    """A decision, the same once more as where its answer was lost, and its key with another wish."""
    decision = wish(tab, chance)
    first, again = tab.post(decision), tab.post(decision)
    changed = tab.post({"key": decision["key"], "target": "", "fragments": "0 8", "label": "Medication"})
    for answer in (first, again):
        reviewer.hear(decision["key"], answer)
    is_known = again.is_saved or "What you decided in it is saved" in again.html
    was_stopped = again.status == reviewer.stopped_with or (again.is_to_sign_in and reviewer.stopped_with == 302)
    if first.is_saved and not is_known and not was_stopped:
        reviewer.wrong.append(f"{decision['key']} was saved, then answered with {again.status}")
    if first.is_saved and changed.is_saved:
        reviewer.wrong.append(f"{decision['key']} was taken for two wishes")
    reviewer.hear(decision["key"], changed)
    tab.open(tab.note)


def leave(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    tab.put_back()


def look(reviewer: Reviewer, tab: Tab, chance: random.Random) -> None:
    tab.renew()
    tab.next_card()


def disturb(reviewers: list[Reviewer], people: list[threading.Thread], chance: random.Random) -> None:
    """Until they are done: let leases run out, and on the way remove the first of them and disable the second."""
    removed, disabled = (reviewer.user for reviewer in reviewers[:2])
    reviewers[0].stopped_with, reviewers[1].stopped_with = 404, 302
    memberships = reviewers[0].project.memberships
    for person in people:
        while person.is_alive():
            expire(reviewers[0].project, chance)
            if Decision.objects.count() > len(people) and memberships.filter(user=removed).exists():
                remove_member(membership=memberships.get(user=removed), actor=None, now=timezone.now())
                User.objects.filter(pk=disabled.pk).update(is_active=False)
            person.join(0.2)


def expire(project: Project, chance: random.Random) -> None:
    """Let the lease of one note have run out a second ago."""
    held = notes_of(project).filter(status="open", leased_by__isnull=False)
    keys = list(held.order_by("pk").values_list("pk", flat=True))
    if keys:
        held.filter(pk=chance.choice(keys)).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def notes_of(project: Project) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(document__project=project, unit="note")


def test_nothing_is_lost_doubled_or_shared(served: Served) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"SEED={seed}")
    reviewers = reviewers_of(served, N_REVIEWERS, n_notes=45, seed=seed)
    people = [
        threading.Thread(target=work, args=(reviewer, reviewer.tab(), random.Random(f"{seed} {number} {n_tab}")))
        for number, reviewer in enumerate(reviewers)
        for n_tab in range(2 if number % 5 == 0 else 1)
    ]
    for person in people:
        person.start()
    disturb(reviewers, people, random.Random(seed))

    project = reviewers[0].project
    answers = [answer for reviewer in reviewers for tab in reviewer.tabs for answer in tab.answers]
    assert {answer.status for answer in answers} <= EXPECTED
    assert [wrong for reviewer in reviewers for wrong in reviewer.wrong] == []
    assert_saved_is_what_was_told(project, reviewers)
    assert_each_decision_was_the_holders(project)
    assert_each_item_is_decided_once(project)
    assert_annotations_are_what_was_decided(project)
    assert first_broken_event(project=project.public_id) is None
    assert_log_is_clean(served)


def assert_saved_is_what_was_told(project: Project, reviewers: list[Reviewer]) -> None:
    """Each key that was said to be saved has one decision, of its own person; no other has one."""
    saved = Decision.objects.filter(note_item__document__project=project)
    assert sorted(saved.values_list("idempotency_key", "reviewer")) == sorted(
        (key, reviewer.user.pk) for reviewer in reviewers for key, is_saved in reviewer.told.items() if is_saved
    )


def assert_each_decision_was_the_holders(project: Project) -> None:
    """By the audit chain, which is in the order of commits: whoever decided had taken the note, and nobody since."""
    holders: dict[str, int | None] = {}
    n_decisions = 0
    for event in AuditEvent.objects.filter(chain__project=project.public_id, verb__startswith="note.").order_by(
        "number"
    ):
        if event.verb == "note.take":
            holders[event.object_id] = event.actor_id
        elif event.verb != "note.read":
            n_decisions += 1
            assert holders[event.object_id] == event.actor_id, f"event {event.number}"
    assert n_decisions == Decision.objects.filter(note_item__document__project=project).count()
    assert holders == dict(notes_of(project).exclude(leased_by=None).values_list("document__public_id", "leased_by"))


def assert_each_item_is_decided_once(project: Project) -> None:
    """An item is decided where one decision on it stands, and open where none does."""
    standing = Decision.objects.filter(item__document__project=project, undone_by=None).exclude(
        verdict__in=["skip", "undo"]
    )
    decided = ReviewItem.objects.filter(document__project=project, unit="span", status="decided")
    assert sorted(standing.values_list("item", flat=True)) == sorted(decided.values_list("pk", flat=True))
    done = Decision.objects.filter(note_item__document__project=project, undone_by=None, verdict="note_done")
    assert sorted(done.values_list("note_item", flat=True)) == sorted(
        notes_of(project).filter(status="decided").values_list("pk", flat=True)
    )


def assert_annotations_are_what_was_decided(project: Project) -> None:
    """A note that was taken has one set, of who has it; what is live in it is what the decisions left."""
    live: dict[int, set[int]] = defaultdict(set)
    for decision in Decision.objects.filter(note_item__document__project=project).order_by("pk"):
        kept = live[decision.note_item_id]
        assert decision.withdrew_id is None or decision.withdrew_id in kept, f"decision {decision.pk}"
        kept -= {decision.withdrew_id}
        kept |= {decision.made_id} - {None}
    for note in notes_of(project).select_related("document"):
        sets = AnnotationSet.objects.filter(document=note.document)
        assert [found.annotator_id for found in sets] == ([note.leased_by_id] if note.leased_by_id else [])
        assert [found.status for found in sets] in ([], ["submitted" if note.status == "decided" else "open"])
        annotations = Annotation.objects.filter(set__document=note.document, status="live")
        assert set(annotations.values_list("pk", flat=True)) == live[note.pk]


def assert_log_is_clean(served: Served) -> None:
    log = served.log.read_text()
    assert "locked" not in log
    assert "Traceback" not in log
    assert "deadlock" not in log


def test_late_work_counts_until_someone_else_takes_the_note(served: Served) -> None:
    ann, ben = reviewers_of(served, 2, n_notes=1, seed=1)
    late, other = ann.tab(), ben.tab()
    late.take_next()
    note = notes_of(ann.project).get()
    expire(ann.project, random.Random(1))
    assert late.decide(verdict="accept").is_saved
    expire(ann.project, random.Random(1))
    other.take(note.document.public_id)
    assert other.decide(verdict="reject").is_saved
    refused = late.decide(verdict="accept")
    assert refused.status == 409
    assert "Someone else has taken this note" in refused.html and "This last decision is not" in refused.html
    assert list(Decision.objects.filter(note_item=note).values_list("reviewer", "verdict").order_by("pk")) == [
        (ann.user.pk, "accept"),
        (ben.user.pk, "reject"),
    ]
    assert Annotation.objects.get(set__document=note.document, set__annotator=ben.user).annotator == ann.user


@pytest.mark.parametrize(("seed", "is_disabled", "stopped_with"), [(2, False, 404), (3, True, 302)])
def test_who_may_no_longer_review_stops_at_once_and_their_note_becomes_free(
    served: Served, seed: int, is_disabled: bool, stopped_with: int
) -> None:
    ann, ben = reviewers_of(served, 2, n_notes=1, seed=seed)
    gone, other = ann.tab(), ben.tab()
    gone.take_next()
    note, note_address = notes_of(ann.project).get(), gone.note
    if is_disabled:
        User.objects.filter(pk=ann.user.pk).update(is_active=False)
    else:
        remove_member(membership=ann.project.memberships.get(user=ann.user), actor=None, now=timezone.now())
    answer = gone.post(gone.decision(verdict="accept"))
    assert (answer.is_saved, answer.is_to_sign_in) == (False, is_disabled)
    assert answer.status == (200 if is_disabled else 404)  # htmx follows a header, and no 302
    assert [gone.renew().status, gone.open(note_address).status] == [stopped_with, stopped_with]
    other.take_next()
    assert not other.note
    expire(ann.project, random.Random(1))
    other.take_next()
    assert other.note == note_address
    assert other.decide(verdict="accept").is_saved
    assert Decision.objects.get(note_item=note).reviewer == ben.user


def test_two_tabs_of_one_person_hold_one_note_and_decide_each_span_once(served: Served) -> None:
    (ann,) = reviewers_of(served, 1, n_notes=3, seed=4)
    first, second = ann.tab(), ann.tab()
    first.take_next()
    second.take_next()
    assert first.note == second.note
    assert first.decide(verdict="accept").is_saved
    stale = second.decide(verdict="reject")
    assert stale.status == 409 and "decided or changed already" in stale.html
    assert second.target == first.target
    assert second.decide(verdict="accept").is_saved
    assert notes_of(ann.project).filter(leased_by=ann.user).count() == 1
