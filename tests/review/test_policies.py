"""Which note or span comes next by each policy, and the turn of notes that are read blind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from annotator.review import spans
from annotator.review.leases import put_back, release, take_next, takeable_notes
from annotator.review.models import ReviewItem
from annotator.review.policies import in_order
from annotator.routing.services import route_job
from tests.cast import NOW, make_document, make_round
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest

Policy = Project.Policy
PLACES = (CHEST_PAIN, DIABETES, METFORMIN)
# Long notes cost more to read: `dense` is where a minute finds most, `sparse` has the least certain span.
LENGTHS = {"dense": 100, "sparse": 20_000, "sure": 100}
SCORES: dict[str, Sequence[float]] = {"dense": (0.4, 0.5), "sparse": (0.1,), "sure": (0.9, 0.95, 0.97)}
KEYS = {"dense": 0.9, "sparse": 0.5, "sure": 0.2}
RANDOM_ORDER = ["sure", "sparse", "dense"]


@dataclass
class Notes:
    """Three notes that nobody holds, which every policy has in another order."""

    project: Project
    documents: dict[str, Document] = field(default_factory=dict)

    def choose(self, policy: str, *, blind_percent: int = 0) -> None:
        self.project.policy, self.project.blind_percent = policy, blind_percent
        self.project.save(update_fields=["policy", "blind_percent"])

    def in_order(self, reader: User) -> list[str]:
        """The notes as they come to a reader who lets each go at once and never gets one again."""
        order = []
        while (item := take_next(project=self.project, reviewer=reader, now=NOW)) is not None:
            order.append(item.document.external_id)
            release(note_item=item, reviewer=reader)
            ReviewItem.objects.filter(pk=item.pk).update(status="decided")
        return order

    def spans_in_order(self, reader: User) -> list[tuple[str, float]]:
        order = []
        while (item := spans.next_span(project=self.project, reviewer=reader, now=NOW)) is not None:
            order.append((item.document.external_id, item.suggestion.score))
            ReviewItem.objects.filter(pk=item.pk).update(status="decided")
        return order


@pytest.fixture
def notes(project: Project, schema_version: SchemaVersion, bells: object) -> Notes:
    made = Notes(project)
    for name, scores in SCORES.items():
        document = make_document(project, external_id=name, blind_key=KEYS[name])
        Document.objects.filter(pk=document.pk).update(n_chars=LENGTHS[name])
        found = [(place, "Problem", score) for place, score in zip(PLACES, scores, strict=False)]
        suggest(document, found, schema_version=schema_version)
        made.documents[name] = document
    return made


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        (Policy.BENEFIT, ["dense", "sure", "sparse"]),
        (Policy.LEAST_CERTAIN, ["sparse", "dense", "sure"]),
        (Policy.RANDOM, RANDOM_ORDER),
    ],
)
def test_notes_come_in_the_order_of_the_policy(notes: Notes, bob: User, policy: str, order: list[str]) -> None:
    notes.choose(policy)
    assert notes.in_order(bob) == order


@pytest.mark.parametrize(
    ("policy", "order"),
    [
        (
            Policy.BENEFIT,
            [("dense", 0.4), ("dense", 0.5), ("sure", 0.9), ("sure", 0.95), ("sure", 0.97), ("sparse", 0.1)],
        ),
        (
            Policy.LEAST_CERTAIN,
            [("sparse", 0.1), ("dense", 0.4), ("dense", 0.5), ("sure", 0.9), ("sure", 0.95), ("sure", 0.97)],
        ),
        (
            Policy.RANDOM,
            [("sure", 0.9), ("sure", 0.95), ("sure", 0.97), ("sparse", 0.1), ("dense", 0.4), ("dense", 0.5)],
        ),
    ],
)
def test_spans_come_in_the_order_of_the_policy(
    notes: Notes, bob: User, policy: str, order: list[tuple[str, float]]
) -> None:
    notes.choose(policy)
    assert notes.spans_in_order(bob) == order


@pytest.mark.parametrize("policy", Policy.values)
def test_what_was_left_for_later_comes_last_whatever_the_policy(notes: Notes, bob: User, policy: str) -> None:
    notes.choose(policy)
    first = take_next(project=notes.project, reviewer=bob, now=NOW)
    assert first is not None
    put_back(note_item=first, reviewer=bob, now=NOW)
    assert notes.in_order(bob)[-1] == first.document.external_id


@pytest.mark.parametrize("policy", Policy.values)
def test_a_note_without_suggestions_is_served_whatever_the_policy(
    notes: Notes, schema_version: SchemaVersion, bob: User, policy: str
) -> None:
    notes.choose(policy)
    empty = make_document(notes.project, external_id="empty", blind_key=0.95)
    suggest(empty, [], schema_version=schema_version)
    assert set(notes.in_order(bob)) == {*SCORES, "empty"}


def test_a_policy_holds_within_a_round(notes: Notes, alice: User, bob: User) -> None:
    notes.choose(Policy.RANDOM)
    make_round(notes.project, alice, bob)
    assert notes.in_order(bob) == RANDOM_ORDER


def test_a_policy_serves_nothing_that_someone_else_holds(notes: Notes, bob: User, adam: User) -> None:
    for policy in Policy.values:
        notes.choose(policy)
        held = take_next(project=notes.project, reviewer=adam, now=NOW)
        other = take_next(project=notes.project, reviewer=bob, now=NOW)
        assert held is not None and other is not None and held.document_id != other.document_id


def test_notes_that_are_read_blind_come_evenly_and_in_their_random_order(
    project: Project, schema_version: SchemaVersion, bob: User, bells: object
) -> None:
    """Of twenty notes the four first in the random order are blind: one in each five that a reader takes."""
    notes = Notes(project)
    notes.choose(Policy.BENEFIT, blind_percent=20)
    for number in range(20):
        # The later in the random order, the more there is to find: by benefit blind notes would come last.
        document = make_document(project, external_id=f"{number:02}", blind_key=number / 20)
        suggest(document, [(CHEST_PAIN, "Problem", 1 - number / 20)], schema_version=schema_version)
    order = notes.in_order(bob)
    places = {name: order.index(name) for name in ("00", "01", "02", "03")}
    assert [places[name] // 5 for name in sorted(places)] == [0, 1, 2, 3]
    assert [name for name in order if name not in places] == [f"{number:02}" for number in range(19, 3, -1)]


def test_blind_notes_are_served_where_no_other_is_left(notes: Notes, bob: User) -> None:
    notes.choose(Policy.BENEFIT, blind_percent=1)
    ReviewItem.objects.filter(unit="note").exclude(document=notes.documents["sure"]).update(stream="blind")
    assert notes.in_order(bob) == ["sure", "sparse", "dense"]


def test_routing_copies_the_random_place_to_the_note_item(notes: Notes) -> None:
    items = ReviewItem.objects.filter(unit="note")
    assert {item.document.external_id: item.audit_key for item in items} == KEYS


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("policy", "index"), [(Policy.BENEFIT, "review_item_next"), (Policy.RANDOM, "review_item_random")]
)
def test_the_order_of_notes_is_read_off_an_index(notes: Notes, bob: User, policy: str, index: str) -> None:
    """No sort of all that is open: with a hundred thousand notes the next costs what it does with three."""
    notes.choose(policy)
    takeable = takeable_notes(project=notes.project, reviewer=bob, now=NOW)
    plan = in_order(takeable.filter(skipped_at=None, stream="uncertain"), notes.project)[:1].explain()
    assert index in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan


def test_the_next_note_costs_the_same_however_many_there_are(
    notes: Notes, schema_version: SchemaVersion, bob: User, adam: User, django_assert_max_num_queries: Any
) -> None:
    for policy in Policy.values:
        notes.choose(policy, blind_percent=10)
        with django_assert_max_num_queries(26):
            item = take_next(project=notes.project, reviewer=bob, now=NOW)
        assert item is not None
        ReviewItem.objects.filter(pk=item.pk).update(leased_by=None, lease_expires_at=None)


def test_a_run_routed_later_leaves_the_stream_of_a_note_as_it_is(
    notes: Notes, schema_version: SchemaVersion, bob: User
) -> None:
    notes.choose(Policy.BENEFIT, blind_percent=100)
    job = suggest(notes.documents["dense"], [(METFORMIN, "Medication", 0.5)], schema_version=schema_version)
    assert not route_job(label_job_id=job.pk, now=NOW)
    assert ReviewItem.objects.get(document=notes.documents["dense"], unit="note").stream == "uncertain"
