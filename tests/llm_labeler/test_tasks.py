"""The labelling task around a model that is not one: what it claims, hands over and hands back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import OperationalError

from annotator import heartbeat
from annotator.core.prompting import Item, note_of, render_answer
from annotator.jobs import patience
from annotator.projects.models import Project
from annotator.suggestions.models import Candidate, Labeler, LabelJob, LabelRun, Suggestion
from annotator.suggestions.services import CLAIM_SIZE, LABEL_TASK, MAX_ATTEMPTS, ROUTE_TASK, release_worker
from llm_labeler import tasks
from llm_labeler.backends import Answer, BackendAway, BackendError, Request
from tests.cast import NOW, Bells
from tests.suggestions.scene import make_run

# A failure closes the connection, which ends the transaction that other tests run in.
pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "Zebrafever"
Status = LabelJob.Status


class Model:
    """Quotes "chest pain" in every note, after `before` had its say."""

    name, model_id, revision, device = "spacy", "marginalia-lexicon", "1", "a scripted card"

    def __init__(self, group_size: int = 1) -> None:
        self.group_size = group_size
        self.notes: list[str] = []
        self.found = [Item("chest pain", "Problem")]
        self.before: Callable[[str], None] = lambda note: None

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        notes = [note_of(request.messages) for request in requests]
        for note in notes:
            self.notes.append(note)
            self.before(note)
        return [[Answer(render_answer(self.found), (), "stop")] for _ in notes]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    loaded = Model()
    monkeypatch.setattr(tasks, "_backend", lambda name: loaded)
    monkeypatch.setattr(heartbeat, "_reader", {})
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


def test_the_worker_tells_what_it_reads_with(run: LabelRun, model: Model) -> None:
    label(run)
    assert heartbeat._reader == {"model_id": "marginalia-lexicon", "device": "a scripted card"}


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


def test_a_note_that_fails_among_others_is_handed_back_alone(run: LabelRun, model: Model) -> None:
    model.group_size = CLAIM_SIZE
    bad = run.jobs.order_by("document__n_chars")[2].document.text

    def fail(note: str) -> None:
        if note == bad:
            raise BackendError("out of memory: a smaller batch size is wanted")

    model.before = fail
    label(run)
    assert statuses(run)[:4] == [Status.DONE, Status.DONE, Status.QUEUED, Status.DONE]
    handed_back = run.jobs.get(error="out of memory: a smaller batch size is wanted")
    assert handed_back.attempts == 1
    assert model.notes.count(bad) == 2, "with the others, and alone"


def test_a_note_that_was_begun_before_is_read_alone(run: LabelRun, model: Model) -> None:
    model.group_size = CLAIM_SIZE
    LabelJob.objects.filter(document__external_id__in=["note-2", "note-3"]).update(attempts=1)
    begun: list[int] = []
    model.before = lambda note: begun.append(LabelJob.objects.filter(attempts__gt=0, status=Status.RUNNING).count())
    label(run)
    assert statuses(run)[:CLAIM_SIZE] == [Status.DONE] * CLAIM_SIZE
    assert begun == [CLAIM_SIZE] * (CLAIM_SIZE - 2) + [2, 1]
    assert set(run.jobs.filter(status=Status.DONE).values_list("attempts", flat=True)) == {1, 2}


def test_the_leases_of_all_that_wait_are_kept_while_the_model_reads(run: LabelRun, model: Model) -> None:
    seen: list[int] = []

    def expire(note: str) -> None:
        seen.append(LabelJob.objects.filter(status=Status.RUNNING, lease_expires_at__gt=NOW).count())
        LabelJob.objects.filter(status=Status.RUNNING).update(lease_expires_at=NOW)

    model.before = expire
    label(run)
    assert seen == list(range(CLAIM_SIZE, 0, -1))


def test_what_was_cut_off_or_unreadable_is_counted(
    project: Project, model: Model, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Answer('[{"text":"chest pain","label":"Problem"},{"text":"pain","label":"Feeling"}]', (), "length")
    monkeypatch.setattr(model, "generate", lambda requests: [[broken] for _ in requests])
    only = make_run(project, n=1)
    label(only)
    job = only.jobs.get()
    assert (job.status, job.n_suggestions, job.n_truncated, job.n_problems) == (Status.DONE, 1, 1, 1)


def test_a_model_that_is_away_costs_no_attempt_and_the_run_says_what_to_do(
    run: LabelRun, model: Model, bells: Bells, caplog: pytest.LogCaptureFixture
) -> None:
    def leave_at_the_third(note: str) -> None:
        if len(model.notes) == 3:
            raise BackendAway("no answer from the model server: start it")

    model.before = leave_at_the_third
    label(run)
    assert statuses(run) == [Status.DONE] * 2 + [Status.QUEUED] * CLAIM_SIZE
    assert set(run.jobs.filter(status=Status.QUEUED).values_list("attempts", "error")) == {(0, "")}
    run.refresh_from_db()
    assert run.trouble == "no answer from the model server: start it"
    assert bells.tasks() == [ROUTE_TASK] * 2, "workers do not go in circles"
    label(run)
    run.refresh_from_db()
    assert run.trouble == ""


def test_a_run_for_another_model_fails_at_once_with_what_it_wants(run: LabelRun, model: Model) -> None:
    model.revision = "2"
    label(run)
    assert set(run.jobs.values_list("status", "attempts", "error")) == {
        (
            Status.FAILED,
            0,
            "the run wants marginalia-lexicon 1, the worker has marginalia-lexicon 2: start a new run",
        )
    }
    run.refresh_from_db()
    assert run.status == LabelRun.Status.DONE
    assert model.notes == []


@pytest.mark.parametrize(
    "changed", [{"prompt_digest": "0" * 64}, {"decoding": {"signals": -1}}, {"decoding": {"score": -1}}]
)
def test_a_run_for_another_version_of_the_program_fails_at_once(
    run: LabelRun, model: Model, changed: dict[str, Any]
) -> None:
    Labeler.objects.update(**changed)
    label(run)
    assert set(run.jobs.values_list("error", flat=True)) == {
        "the run was made for another version of this program: start a new run"
    }
    assert model.notes == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BackendError("the weights are missing: run python -m llm_labeler.fetch"), None),
        (ImportError(CANARY), "ImportError"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_the_run_at_once(
    run: LabelRun, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str | None
) -> None:
    def load(name: str) -> Model:
        raise error

    monkeypatch.setattr(tasks, "_backend", load)
    label(run)
    assert set(run.jobs.values_list("status", "attempts", "error")) == {(Status.FAILED, 0, reason or str(error))}


def test_an_error_that_is_none_of_a_notes_hands_all_back(
    run: LabelRun, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tasks.label_notes

    def break_off(**options: Any) -> Iterator[Any]:
        yield next(own(**options))
        raise RuntimeError(CANARY)

    monkeypatch.setattr(tasks, "label_notes", break_off)
    label(run)
    assert statuses(run) == [Status.DONE] + [Status.QUEUED] * (CLAIM_SIZE + 1)
    assert set(run.jobs.exclude(error="").values_list("error", flat=True)) == {"RuntimeError"}


def test_a_database_that_is_away_before_the_first_note_costs_no_attempt(
    run: LabelRun, model: Model, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(labeler: Labeler) -> None:
        raise OperationalError(CANARY)

    LabelJob.objects.filter(document__external_id="note-1").update(attempts=MAX_ATTEMPTS - 1)
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(tasks, "prompt_of", fail)
    label(run)
    assert set(run.jobs.values_list("status", "attempts")) == {(Status.QUEUED, 0), (Status.QUEUED, MAX_ATTEMPTS - 1)}
    assert set(run.jobs.exclude(error="").values_list("error", flat=True)) == {"OperationalError"}
    assert LABEL_TASK in bells.tasks()
    run.refresh_from_db()
    assert run.status == LabelRun.Status.RUNNING
    assert model.notes == []


def test_a_second_labeler_is_loaded_where_the_labeler_has_one(
    project: Project, model: Model, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = make_run(project, n=1)
    labeler = Labeler.objects.get()
    labeler.decoding["second"] = "other"
    labeler.save()
    second = Model()
    second.found = [*model.found, Item("Assessment", "Medication")]
    asked: list[str] = []

    def load(name: str) -> Model:
        asked.append(name)
        return second if name == "other" else model

    monkeypatch.setattr(tasks, "_backend", load)
    label(only)
    assert asked == ["spacy", "other"]
    assert Suggestion.objects.get().signals["second_share"] == 1.0
    assert list(Candidate.objects.values_list("label", "fragments", "surface")) == [
        ("Medication", "0 10", "Assessment")
    ]


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
    settings.LABELERS = {
        "spacy": {"backend": "spacy", "config": {"label_map": {"Disease": "Problem"}}, "runtime": {}},
        "gemma": {"backend": "openai", "config": {"dialect": "llama.cpp"}, "runtime": {"concurrency": 1}},
    }
    assert tasks._backend("spacy") is tasks._backend("spacy")
    tasks._backend("gemma")
    assert loaded == [
        ("spacy", {"label_map": {"Disease": "Problem"}}),
        ("openai", {"dialect": "llama.cpp", "concurrency": 1}),
    ]


def test_a_backend_that_the_settings_do_not_have_is_not_loaded(loaded: list[Any]) -> None:
    with pytest.raises(tasks.WrongModel, match="'telepathy'"):
        tasks._backend("telepathy")
    assert loaded == []
