"""Background work with models: notes of a run are claimed, labelled together and handed over; trainings are watched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import cache, partial
from typing import Any

from celery import Task, shared_task
from celery.worker import state
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from annotator.core.identifiers import asked_of
from annotator.core.prompting import TEMPLATES, Example, template_digest
from annotator.core.scoring import SCORE_VERSION, SIGNALS_VERSION
from annotator.heartbeat import reads_with
from annotator.jobs.models import Job
from annotator.jobs.patience import patiently
from annotator.jobs.services import JobPutOff, run_job
from annotator.suggestions import services
from annotator.suggestions.disclosure import ServerNotAllowed, refuse_undisclosed
from annotator.suggestions.models import Labeler, LabelJob
from annotator.suggestions.prompts import PoolIncomplete, prompt_of
from annotator.suggestions.recording import NewSuggestion
from annotator.training.services import run_training
from llm_labeler.backends import Backend, BackendAway, BackendError, load_backend
from llm_labeler.backends.trained import Shelf, TrainedModel, is_there
from llm_labeler.labelled import LabelledSpan
from llm_labeler.pipeline import Decoding, LabelResult, label_notes
from llm_labeler.trainer import Outcome, run_command

TRAINED = "trained"
logger = logging.getLogger(__name__)


class WrongModel(Exception):
    """The run asks for something else than what this worker has."""


@shared_task(name="llm_labeler.label_run", bind=True)
def label_run(self: Task, run_id: int) -> None:
    """Label up to `CLAIM_SIZE` notes of the run together. A failed note goes back to the queue; the others go on.

    Where the model is away, all go back uncounted, until the sweeper rings. Where the database is away, those that were
    not begun go back uncounted. Where the model cannot be had at all, the run's notes fail at once, with what to do.
    """
    worker = self.request.hostname or "eager"
    jobs = services.claim_jobs(run_id=run_id, worker=worker, now=timezone.now())
    if not jobs:
        return
    claim = _Claim(jobs)
    try:
        claim.label()
    except BackendAway as away:
        patiently(partial(services.put_off, jobs=jobs, begun=claim.begun, reason=str(away), now=timezone.now()))
        logger.warning("model away run=%s", run_id)
        return
    except (WrongModel, BackendError, PoolIncomplete, ServerNotAllowed) as refusal:
        _fail_run(run_id, jobs, str(refusal))
    except (OperationalError, InterfaceError) as error:
        claim.hand_back(error)
    except Exception as error:
        if claim.begun:
            claim.hand_back(error)
        else:
            _fail_run(run_id, jobs, type(error).__name__)
    services.ring_on(run_id=run_id, now=timezone.now())


@shared_task(name="llm_labeler.train", bind=True)
def train(self: Task, job_id: int) -> None:
    """Have the training of this job done by a child, and watch it. The child ends with this worker, and is resumed."""

    def work(job: Job) -> None:
        run_training(job=job, clock=timezone.now, train=_train_while_working)

    run_job(job_id=job_id, work=work, clock=timezone.now, worker=self.request.hostname or "eager")


def _train_while_working(*, may_go_on: Callable[[], bool], **asked: Any) -> Outcome:
    """As `run_command`, until this worker is told to end. Raises JobPutOff then."""

    def may() -> bool:
        if state.should_stop is not None or state.should_terminate is not None:
            raise JobPutOff
        return may_go_on()

    return run_command(may_go_on=may, **asked)


def _fail_run(run_id: int, jobs: Sequence[LabelJob], reason: str) -> None:
    patiently(lambda: services.fail_run(run_id=run_id, jobs=jobs, reason=reason, now=timezone.now()))
    logger.warning("run cannot be read run=%s", run_id)


class _Claim:
    """Notes of one run that this worker holds. `begun`: the ids of the jobs whose attempt was counted."""

    def __init__(self, jobs: Sequence[LabelJob]) -> None:
        self._left = list(jobs)
        self.begun: set[int] = set()

    def label(self) -> None:
        """Label all of them. Raises BackendAway, or what says that none can be read, before one is begun."""
        labeler = self._left[0].run.labeler
        patiently(partial(refuse_undisclosed, labeler))
        backend, second = _backends(labeler)
        reads_with(model_id=backend.model_id, device=backend.device)
        prompt = patiently(partial(prompt_of, labeler))
        # A note that was begun before may have killed its worker: it is read alone, so that it costs no other.
        doubtful = [[job] for job in self._left if job.attempts]
        for jobs in ([job for job in self._left if not job.attempts], *doubtful):

            def examples(window: str, place: int, jobs: Sequence[LabelJob] = jobs) -> Sequence[Example]:
                document = jobs[place].document
                return prompt.nearest(window, patient_id=document.patient_id, document_id=document.pk)

            results = label_notes(
                texts=[job.document.text for job in jobs],
                schema=asked_of(labeler.schema_version.schema, backend=labeler.backend),
                backend=backend,
                decoding=Decoding.from_json(labeler.decoding),
                examples=examples,
                guideline=prompt.guideline,
                second=second,
                keep=partial(self._keep, jobs),
                failed=partial(self._fail, jobs),
            )
            for place, result in results:
                self._commit(jobs[place], result)

    def hand_back(self, error: Exception) -> None:
        """Give back all that is left, after an error that is none of a note's."""
        for job in list(self._left):
            self._hand_back(job, error)

    def _keep(self, jobs: Sequence[LabelJob], places: Sequence[int]) -> Collection[int]:
        """Those of the notes that are still ours, begun now where they were not yet."""
        held = patiently(lambda: services.renew_jobs(jobs=self._left, now=timezone.now()))
        return [place for place in places if jobs[place].pk in held and self._begin(jobs[place])]

    def _begin(self, job: LabelJob) -> bool:
        if job.pk in self.begun:
            return True
        if not patiently(lambda: services.begin_job(job=job, now=timezone.now())):
            return False
        self.begun.add(job.pk)
        return True

    def _commit(self, job: LabelJob, result: LabelResult) -> None:
        try:
            patiently(
                lambda: services.commit_job(
                    job=job,
                    suggestions=_new(job, result.spans),
                    others=_new(job, result.others),
                    n_truncated=result.n_truncated,
                    n_problems=len(result.problems),
                    now=timezone.now(),
                )
            )
        except Exception as error:
            self._hand_back(job, error)
        else:
            self._left.remove(job)

    def _fail(self, jobs: Sequence[LabelJob], place: int, error: Exception) -> None:
        self._hand_back(jobs[place], error)

    def _hand_back(self, job: LabelJob, error: Exception) -> None:
        """Whatever happened, the claim goes back, on a connection that works.

        A BackendError says what to do and holds no note text; any other error is named by its class.
        """
        connection.close()
        reason = str(error) if isinstance(error, BackendError) else type(error).__name__
        patiently(lambda: services.hand_back(job=job, error=reason, now=timezone.now()))
        self._left.remove(job)
        logger.warning("note not labelled job=%s attempt=%s reason=%s", job.pk, job.attempts, type(error).__name__)


def _new(job: LabelJob, spans: Iterable[LabelledSpan]) -> list[NewSuggestion]:
    return [
        NewSuggestion(
            span=found.span,
            surface=found.span.surface(job.document.text) if found.span else found.quote,
            label=found.label,
            attributes=found.attributes,
            alignment=found.alignment,
            score=found.score,
            signals=found.signals,
        )
        for found in spans
    ]


def _backends(labeler: Labeler) -> tuple[Backend, Backend | None]:
    """The labeler's model, and the second one that tells of its spans, where it has one.

    Raises WrongModel where this worker would read in another way than the labeler says, and BackendError.
    """
    backend = _trained(labeler) if labeler.backend == TRAINED else _backend(labeler.backend)
    if (backend.model_id, backend.revision) != (labeler.model_id, labeler.revision):
        raise WrongModel(
            f"the run wants {labeler.model_id} {labeler.revision}, "
            f"the worker has {backend.model_id} {backend.revision}: start a new run"
        )
    decoding = labeler.decoding
    template = Decoding.from_json(decoding).template
    if (
        template not in TEMPLATES
        or labeler.prompt_digest != template_digest(template)
        or decoding.get("signals", SIGNALS_VERSION) != SIGNALS_VERSION
        or decoding.get("score", SCORE_VERSION) != SCORE_VERSION
    ):
        raise WrongModel("the run was made for another version of this program: start a new run")
    second = decoding.get("second")
    return backend, _backend(second) if second else None


def _trained(labeler: Labeler) -> Backend:
    """A model that was trained here, kept in this process while its files are there. Raises BackendError."""
    config = labeler.decoding["config"]
    model = TrainedModel(kind=config["kind"], run=config["run"], base=config["base"], revision=labeler.revision)
    if not is_there(model, settings.MODELS_DIR):
        _shelf.drop(model)
    return _shelf.get(model)


def _load_trained(model: TrainedModel) -> Backend:
    return load_backend(TRAINED, models=settings.MODELS_DIR, runtime=settings.TORCH_PLACEMENT, **asdict(model))


_shelf = Shelf(_load_trained)


@cache
def _backend(name: str) -> Backend:
    """The model, loaded once in this process."""
    if name not in settings.LABELERS:
        raise WrongModel(f"this worker has no backend {name!r}")
    chosen = settings.LABELERS[name]
    return load_backend(chosen.get("backend", name), **chosen.get("config", {}), **chosen.get("runtime", {}))
