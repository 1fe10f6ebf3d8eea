"""One object of each kind in a project, for tests that walk over all of them."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.sessions import session_of
from annotator.accounts.tokens import make_token
from annotator.adjudication.services import take
from annotator.annotations.comments import add_comment
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation, open_set
from annotator.browse.disagreements import place_of
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.pools import freeze_pool
from annotator.builds.services import create_build, write_build
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.jobs.services import run_job
from annotator.projects.invitations import invite
from annotator.projects.models import Project
from annotator.qualification.models import Trial, TrialNote
from annotator.qualification.services import NewQualification, ask_to_qualify
from annotator.readings.models import Adjudication, Difference
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import Queued, ensure_note_items, queue_spans, tell_read
from annotator.suggestions.models import Suggestion
from annotator.suggestions.pools import wish_for
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from annotator.training.models import TrainingRun
from annotator.training.services import start_training
from tests.browse.settled import settle
from tests.cast import NOW, make_document, make_notice, make_round, make_set, make_user
from tests.training.lab import make_told
from tests.trust.scene import make_batch, make_calibrator, make_certificate

CANARY = "Zebrafever"
EXTERNAL_ID = "mrn-4711"


def make_objects(project: Project, *, reader: User, uploader: User) -> dict[str, str]:
    """One object of each kind, by the name its id has in addresses."""
    document = make_document(
        project, text=f"{CANARY} and cough.", external_id=f"{EXTERNAL_ID}-{project.slug}", patient_id="p1"
    )
    run, suggestion = _suggest(project, document)
    (note_item,) = ensure_note_items(document=document, n_slots=1, priority=1.0)
    queued = [Queued(suggestion=suggestion, stream=ReviewItem.Stream.UNCERTAIN, reason="low score")]
    queue_spans(note_item=note_item, queued=queued, older_jobs=[])
    held = take_note(document=document, reviewer=reader, now=timezone.now())
    _submitted(project, reader)
    trial_id = _trial(project, reader)
    build_id = _build(project, uploader)
    certificate = make_certificate(make_batch(make_calibrator(suggestion.job.run.labeler)))
    return {
        "project_id": project.public_id,
        "document_id": document.public_id,
        "item_id": held.public_id,
        "comment_id": _comment(document, reader),
        "run_id": run,
        "round_id": _round(project, reader),
        "user_id": reader.public_id,
        "invitation_id": _invitation(project),
        "session_id": _session(project, reader),
        "token_id": _api_token(reader),
        "notice_id": make_notice(project, reader).public_id,
        "import_id": _import(project, uploader),
        "adjudication_id": make_adjudicated(project, reader),
        "build_id": build_id,
        "training_id": make_training(project, build_id, uploader),
        "trial_id": trial_id,
        "example_id": _example(project, reader),
        "model_id": suggestion.job.run.labeler.public_id,
        "certificate_id": certificate.public_id,
        "calibrator_id": certificate.batch.calibrator.public_id,
        "wish_id": _wish(project, reader),
        "place_id": _difference(project),
        "comparison_id": make_told(project, uploader).public_id,
        "name": "manifest.json",
    }


def _suggest(project: Project, document: Document) -> tuple[str, Suggestion]:
    version = project.schema_versions.get()
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=NOW)
    found = NewSuggestion(
        span=Span.of(0, len(CANARY)), surface=CANARY, label="Problem", attributes={}, alignment="exact", score=0.5
    )
    rows = [suggestion_row(found)]
    run = import_run(project=project, labeler=labeler, suggestions=[(document.pk, rows)], actor=None, now=NOW)
    return run.public_id, document.suggestions.get()


def _comment(document: Document, reader: User) -> str:
    own = open_set(document=document, annotator=reader)
    return add_comment(target=own, author=reader, about=None, kind="flag", body=CANARY, now=NOW).public_id


def _submitted(project: Project, reader: User) -> None:
    done = make_document(project, text=f"{CANARY} is done.", external_id=f"{EXTERNAL_ID}-done-{project.slug}")
    make_set(done, reader)


def make_adjudicated(project: Project, reader: User) -> str:
    """A note that another person has read as well, in its lead's hands."""
    note = make_document(project, text=f"{CANARY} again.", external_id=f"{EXTERNAL_ID}-twice-{project.slug}")
    spans = [NewAnnotation(span=Span.of(0, len(CANARY)), label="Problem", attributes={})]
    make_set(note, reader, *spans)
    make_set(note, make_user(f"second-{project.slug}"))
    tell_read(document_ids=[note.pk])
    found = Adjudication.objects.select_related("document__project").get(document=note)
    take(adjudication=found, adjudicator=project.memberships.get(role="lead").user, now=timezone.now())
    return found.public_id


def _round(project: Project, reader: User) -> str:
    make_document(project, text=f"{CANARY} in a round.", external_id=f"{EXTERNAL_ID}-round-{project.slug}")
    return make_round(project, reader, reader).public_id


def _invitation(project: Project) -> str:
    invite(project=project, role="annotator", actor=None, now=timezone.now())
    return project.invitations.get().public_id


def _session(project: Project, user: User) -> str:
    return session_of(user=user, session_key=f"of-{project.slug}", agent="Firefox", now=timezone.now()).public_id


def _api_token(user: User) -> str:
    now = timezone.now()
    token, _ = make_token(user=user, name="script", scopes=["read"], project="", lifetime=timedelta(days=7), now=now)
    return token.public_id


def _trial(project: Project, reader: User) -> str:
    """A finished try of who reads already, on the note that they submitted."""
    reference = AnnotationSet.objects.filter(document__project=project, annotator=reader, status="submitted").get()
    new = NewQualification(matching="strict", threshold=0.8, min_spans=1, n_notes=1, n_tries=1, suggestions="hidden")
    version = ask_to_qualify(project=project, new=new, references=[reference], everyone=False, actor=reader, now=NOW)
    trial = Trial.objects.create(
        qualification=version, user=reader, number=1, status="failed", started_at=NOW, finished_at=NOW
    )
    TrialNote.objects.create(trial=trial, document=reference.document, reference=reference)
    return trial.public_id


def _example(project: Project, adjudicator: User) -> str:
    gold = make_document(project, text=f"{CANARY} is gold.", external_id=f"{EXTERNAL_ID}-gold-{project.slug}")
    return settle(gold, adjudicator, CANARY, "Problem", "Medication")


def _wish(project: Project, actor: User) -> str:
    """A place in a note that waits for the next pool; there is one."""
    freeze_pool(project=project, actor=None, now=NOW)
    document = project.documents.get(external_id=f"{EXTERNAL_ID}-gold-{project.slug}")
    return wish_for(project=project, document=document, start=0, end=len(CANARY), actor=actor, now=NOW).public_id


def _difference(project: Project) -> str:
    """The place where the two readers of the note to adjudicate differ."""
    return place_of(Difference.objects.select_related("document").filter(project=project, pair__kind="annotators")[0])


def _import(project: Project, uploader: User) -> str:
    look = {"labels": [], "errors": [], "n_rows": 0, "n_files": 0, "n_spans": 0, "n_errors": 0, "is_whole": True}
    return Import.objects.create(project=project, created_by=uploader, created_at=NOW, result={"look": look}).public_id


def _build(project: Project, actor: User) -> str:
    build = create_build(
        project=project, name="Dataset", formats=["jsonl"], options=BuildOptions(), actor=actor, now=NOW
    )
    assert build.job is not None
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    return build.public_id


def make_training(project: Project, build_id: str, actor: User) -> str:
    """A training that waits for a worker."""
    return start_training(
        project=project,
        build=DatasetBuild.objects.get(public_id=build_id),
        kind=TrainingRun.Kind.SPACY,
        base="",
        recipe={},
        actor=actor,
        now=NOW,
    ).public_id
