from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from annotator.accounts.models import User
from annotator.audit.models import AuditChain, AuditEvent
from annotator.audit.services import first_broken_event, record_event, record_read
from tests.cast import NOW

CHAIN = "projectproject22"


@pytest.fixture
def chain(alice: User) -> AuditChain:
    """Five events."""
    for number in range(5):
        record_event(
            project=CHAIN,
            actor=alice if number % 2 else None,
            verb="test.made",
            object_id=f"object-{number}",
            now=NOW + timedelta(microseconds=number),
            detail={"number": number, "µ": "≥"},
        )
    return AuditChain.objects.get(project=CHAIN)


def test_a_whole_chain_verifies(chain: AuditChain) -> None:
    assert first_broken_event(project=CHAIN) is None
    assert chain.n_events == 5


def test_a_chain_without_events_verifies(db: None) -> None:
    assert first_broken_event(project="nobody") is None


def test_each_event_carries_the_hash_of_the_one_before(chain: AuditChain) -> None:
    events = list(chain.events.order_by("number"))
    assert events[0].previous_sha256 == "0" * 64
    assert [event.previous_sha256 for event in events[1:]] == [event.sha256 for event in events[:-1]]
    assert chain.head_sha256 == events[-1].sha256


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "test.forged"},
        {"object_id": "object-x"},
        {"detail": {"number": 9}},
        {"at": NOW + timedelta(days=1)},
        {"actor": None},
        {"sha256": "f" * 64},
        {"previous_sha256": "f" * 64},
        {"number": 12},
    ],
)
def test_a_changed_event_is_found(chain: AuditChain, change: dict[str, Any]) -> None:
    chain.events.filter(number=4).update(**change)
    assert first_broken_event(project=CHAIN) == 4


def test_an_event_removed_from_the_middle_is_found(chain: AuditChain) -> None:
    chain.events.filter(number=3).delete()
    assert first_broken_event(project=CHAIN) == 3


def test_events_cut_off_at_the_end_are_found(chain: AuditChain) -> None:
    chain.events.filter(number__gte=4).delete()
    assert first_broken_event(project=CHAIN) == 4


def test_all_events_removed_are_found(chain: AuditChain) -> None:
    chain.events.all().delete()
    assert first_broken_event(project=CHAIN) == 1


def test_an_event_moved_to_another_chain_is_found(chain: AuditChain) -> None:
    other = record_event(project="other", actor=None, verb="test.made", object_id="x", now=NOW)
    AuditEvent.objects.filter(pk=other.pk).update(chain=chain, number=6)
    AuditChain.objects.filter(pk=chain.pk).update(n_events=6, head_sha256=other.sha256)
    assert first_broken_event(project=CHAIN) == 6


def test_chains_do_not_touch_each_other(chain: AuditChain) -> None:
    event = record_event(project="other", actor=None, verb="test.made", object_id="x", now=NOW)
    assert (event.number, event.previous_sha256) == (1, "0" * 64)
    assert first_broken_event(project=CHAIN) is None


def test_a_number_is_given_once(chain: AuditChain) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.objects.create(
            chain=chain, number=5, at=NOW, verb="x", object_id="x", previous_sha256="0" * 64, sha256="0" * 64
        )


def test_an_event_goes_with_the_write_it_tells_of(chain: AuditChain) -> None:
    with transaction.atomic():
        record_event(project=CHAIN, actor=None, verb="test.made", object_id="x", now=NOW)
        transaction.set_rollback(True)
    assert AuditChain.objects.get(project=CHAIN).n_events == 5
    assert first_broken_event(project=CHAIN) is None


def test_one_read_event_an_hour_for_one_person_and_note(alice: User, bob: User, now: datetime) -> None:
    def read(actor: User, object_id: str, minutes: int) -> None:
        record_read(project=CHAIN, actor=actor, object_id=object_id, now=now + timedelta(minutes=minutes))

    for minutes in (0, 1, 59):
        read(alice, "note-1", minutes)
    assert AuditEvent.objects.filter(verb="note.read").count() == 1
    read(bob, "note-1", 2)
    read(alice, "note-2", 3)
    assert AuditEvent.objects.filter(verb="note.read").count() == 3
    read(alice, "note-1", 60)
    read(alice, "note-1", 61)
    assert AuditEvent.objects.filter(verb="note.read", object_id="note-1", actor=alice).count() == 2


def test_recording_costs_few_queries(chain: AuditChain, django_assert_max_num_queries: Any) -> None:
    # Savepoint and its release, the chain looked up and locked, the event, the head.
    with django_assert_max_num_queries(6):
        record_event(project=CHAIN, actor=None, verb="test.made", object_id="x", now=NOW)
