"""The labelling task around a model that is not one: what it claims, hands over and hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from annotator.core.prompting import Item, note_of, render_answer
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import CLAIM_SIZE, LABEL_TASK, MAX_ATTEMPTS, ROUTE_TASK, release_worker
from llm_labeler import tasks
from llm_labeler.backends import Answer, Request
from tests.cast import NOW, Bells
from tests.suggestions.scene import make_run

# A failure closes the connection, which ends the transaction that other tests run in.
pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "Zebrafever"
Status = LabelJob.Status


class Model:
    """Quotes "chest pain" in every note, after `before` had its say."""

    name, model_id, revision = "spacy", "marginalia-lexicon", "1"

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.before: Callable[[str], None] = lambda note: None

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        notes = [note_of(request.messages) for request in requests]
        for note in notes:
            self.notes.append(note)
            self.before(note)
        return [[Answer(render_answer([Item("chest pain", "Problem")]), (), "stop")] for _ in notes]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    loaded = Model()
    monkeypatch.setattr(tasks, "_backend", lambda name: loaded)
    return loaded


@pytest.fixture
def run(project: Project, bells: Bells) -> LabelRun:
    """Two notes more than one task claims; its bells are not counted."""
    started = make_run(project, n=CLAIM_SIZE + 2)
    bells.clear()
    return started


def label(run: LabelRun) -> None:
    tasks.label_run.apply(args=[run.pk], throw=True)


def statuses(run: LabelRun) -> list[str]:
    """Shortest note first, which is the order in which they are claimed."""
    return list(run.jobs.order_by("document__n_chars").values_list("status", flat=True))


def test_a_task_labels_what_one_bell_stands_for_and_rings_for_the_rest(
    run: LabelRun, model: Model, bells: Bells
) -> None:
    label(run)
    assert statuses(run) == [Status.DONE] * CLAIM_SIZE + [Status.QUEUED] * 2
    assert len(model.notes) == CLAIM_SIZE
    found = Suggestion.objects.first()
    assert found is not None
    assert (str(found.span), found.surface, found.label, found.alignment) == ("15 25", "chest pain", "Problem", "exact")
    assert bells.tasks() == [ROUTE_TASK] * CLAIM_SIZE + [LABEL_TASK]
    label(run)
    assert statuses(run) == [Status.DONE] * (CLAIM_SIZE + 2)
    assert bells.tasks()[-1] == ROUTE_TASK, "nothing is left to ring for"


def test_a_bell_without_work_is_not_answered_by_another(run: LabelRun, model: Model, bells: Bells) -> None:
    LabelJob.objects.update(status=Status.DONE)
    label(run)
    assert bells == []


def test_an_error_hands_its_note_back_by_class_and_the_others_go_on(
    run: LabelRun, model: Model, bells: Bells, caplog: pytest.LogCaptureFixture
) -> None:
    def fail_on_the_second(note: str) -> None:
        if len(model.notes) == 2:
            raise ValueError(CANARY)

    model.before = fail_on_the_second
    label(run)
    assert statuses(run)[:CLAIM_SIZE] == [Status.DONE, Status.QUEUED, *[Status.DONE] * (CLAIM_SIZE - 2)]
    handed_back = run.jobs.get(attempts=1, status=Status.QUEUED)
    assert (handed_back.error, handed_back.lease_expires_at) == ("ValueError", None)
    assert LABEL_TASK in bells.tasks()
    assert "reason=ValueError" in caplog.text
    assert CANARY not in caplog.text


def test_a_note_that_fails_every_time_is_failed(project: Project, model: Model, bells: Bells) -> None:
    def fail(note: str) -> None:
        raise MemoryError(CANARY)

    model.before = fail
    only = make_run(project, n=1)
    for _ in range(MAX_ATTEMPTS + 1):
        label(only)
    failed = only.jobs.get()
    assert (failed.status, failed.attempts, failed.error) == (Status.FAILED, MAX_ATTEMPTS, "MemoryError")
    assert len(model.notes) == MAX_ATTEMPTS


def test_a_run_for_another_model_is_handed_back_with_what_it_wants(run: LabelRun, model: Model) -> None:
    model.revision = "2"
    label(run)
    assert set(run.jobs.filter(attempts=1).values_list("error", flat=True)) == {
        "the run wants marginalia-lexicon 1, the worker has marginalia-lexicon 2: start a new run"
    }
    assert model.notes == []
    assert not Suggestion.objects.exists()


def test_a_claim_that_is_lost_while_the_model_reads_writes_nothing(
    project: Project, model: Model, bells: Bells
) -> None:
    def lose(note: str) -> None:
        release_worker(worker=LabelJob.objects.get().worker, now=NOW)

    model.before = lose
    only = make_run(project, n=1)
    bells.clear()
    label(only)
    assert statuses(only) == [Status.QUEUED]
    assert not Suggestion.objects.exists()
    assert ROUTE_TASK not in bells.tasks()


def test_a_claim_that_is_lost_before_its_turn_is_not_read(run: LabelRun, model: Model) -> None:
    def lose_the_others(note: str) -> None:
        LabelJob.objects.filter(status=Status.RUNNING, attempts=0).update(status=Status.CANCELLED)

    model.before = lose_the_others
    label(run)
    assert len(model.notes) == 1


# The model itself


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What backends were loaded with."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def load(name: str, **config: Any) -> Model:
        calls.append((name, config))
        return Model()

    monkeypatch.setattr(tasks, "load_backend", load)
    tasks._backend.cache_clear()
    yield calls
    tasks._backend.cache_clear()


def test_a_model_is_loaded_once_with_the_options_of_the_settings(loaded: list[Any], settings: Any) -> None:
    settings.LABELERS = {"spacy": {"config": {"label_map": {"Disease": "Problem"}}}, "plain": {}}
    assert tasks._backend("spacy") is tasks._backend("spacy")
    tasks._backend("plain")
    assert loaded == [("spacy", {"label_map": {"Disease": "Problem"}}), ("plain", {})]


def test_a_backend_that_the_settings_do_not_have_is_not_loaded(loaded: list[Any]) -> None:
    with pytest.raises(tasks.WrongModel, match="'telepathy'"):
        tasks._backend("telepathy")
    assert loaded == []
