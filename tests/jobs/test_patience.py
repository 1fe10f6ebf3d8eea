from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection, transaction

from annotator.jobs import patience
from annotator.jobs.patience import PATIENCE_SECONDS, patiently

pytestmark = pytest.mark.django_db(transaction=True)  # between tries the connection is closed


class Away:
    """A write that fails with each of these errors in turn, and is made then."""

    def __init__(self, *errors: Exception) -> None:
        self.errors: Iterator[Exception] = iter(errors)
        self.n_tried = 0

    def __call__(self) -> str:
        self.n_tried += 1
        for error in self.errors:
            raise error
        return "made"


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time, but move the clock."""
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses))
    monkeypatch.setattr(patience, "time", clock)
    return pauses


def test_a_write_is_tried_until_the_database_is_back(slept: list[float], caplog: pytest.LogCaptureFixture) -> None:
    write = Away(OperationalError("Zebrafever"), InterfaceError("Zebrafever"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert patiently(write) == "made"
    assert (write.n_tried, len(slept)) == (3, 2)
    assert connection.connection is None, "the next try has a connection of its own"
    assert caplog.text.count("database away, trying again reason=") == 2
    assert "Zebrafever" not in caplog.text


def test_patience_ends(slept: list[float]) -> None:
    with pytest.raises(OperationalError):
        patiently(Away(*[OperationalError()] * 10_000))
    assert PATIENCE_SECONDS <= sum(slept) <= PATIENCE_SECONDS + 1


def test_another_error_is_not_repeated() -> None:
    write = Away(DataError())
    with pytest.raises(DataError):
        patiently(write)
    assert write.n_tried == 1


def test_a_transaction_is_not_repeated_from_within() -> None:
    write = Away(OperationalError())
    with pytest.raises(OperationalError), transaction.atomic():
        patiently(write)
    assert write.n_tried == 1
