"""What the tests of the REST API do again and again: ask with a token, and fill a project with objects."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.tokens import Scope, make_token
from annotator.annotations.comments import add_comment
from annotator.annotations.services import open_set
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, write_build
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.exchange.spool import make_folder
from annotator.exchange.uploads import create_import
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import Queued, ensure_note_items, queue_spans
from annotator.suggestions.models import Suggestion
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from annotator.web.ids import new_public_id
from tests.cast import NOW, make_document, make_notice, make_round, make_set
from tests.objects import make_adjudicated, make_training
from tests.review.certified import make_certificate
from tests.training.lab import make_told

CANARY = "Zebrafever"
ROOT = "/api/v1/"


class Api:
    """A program with a token of `user`; addresses are below api/v1/, of `project` where they begin with a dot."""

    def __init__(
        self, user: User | None, *, scopes: Sequence[str] = tuple(Scope), project: Project | None = None, text: str = ""
    ) -> None:
        self.project_id = project.public_id if project else ""
        self.text = text or (token_of(user, scopes=scopes) if user else "")
        self.client = Client(raise_request_exception=True)

    def ask(self, method: str, address: str, body: Any = None, **extra: Any) -> Any:
        """The answer; `body` is sent as JSON unless it is bytes, with a `content_type`."""
        headers = {"Authorization": f"Bearer {self.text}"} if self.text else {}
        sent = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body).encode()
        options: dict[str, Any] = {"content_type": "application/json", **extra}
        return self.client.generic(method, self.url(address), sent, headers=headers, **options)

    def get(self, address: str, **extra: Any) -> Any:
        return self.ask("GET", address, **extra)

    def post(self, address: str, body: Any = None, **extra: Any) -> Any:
        return self.ask("POST", address, body, **extra)

    def upload(self, address: str, **files: Any) -> Any:
        return self.client.post(self.url(address), files, headers={"Authorization": f"Bearer {self.text}"})

    def url(self, address: str) -> str:
        return ROOT + (f"projects/{self.project_id}/{address[2:]}" if address.startswith("./") else address)


def token_of(user: User, *, scopes: Sequence[str] = tuple(Scope), project: str = "", days: int = 30) -> str:
    """The text of a new token."""
    _, text = make_token(
        user=user, name="script", scopes=scopes, project=project, lifetime=timedelta(days=days), now=timezone.now()
    )
    return text


def results(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    return response.json()["results"]


def assert_problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """That the answer is a problem of this status and kind; its body."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    found = response.json()
    assert (found["status"], found["type"]) == (status, f"urn:problem:marginalia:{kind}")
    return found


def suggest(
    project: Project, document: Document, *words: str, label: str = "Problem", score: float = 0.5
) -> list[Suggestion]:
    """Suggestions of one run on these words of the note, in the order of the words."""
    version = project.schema_versions.get()
    spec = LabelerSpec(name="Rules", backend="spacy", model_id="m", revision="1")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=NOW)
    rows = [
        suggestion_row(
            NewSuggestion(
                span=Span.of(document.text.index(word), document.text.index(word) + len(word)),
                surface=word,
                label=label,
                attributes={},
                alignment="exact",
                score=score,
            )
        )
        for word in words
    ]
    run = import_run(project=project, labeler=labeler, suggestions=[(document.pk, rows)], actor=None, now=NOW)
    return list(Suggestion.objects.filter(job__run=run).order_by("pk"))


def queue(document: Document, suggestions: Sequence[Suggestion], *, n_slots: int = 1) -> list[ReviewItem]:
    """The note's items, with these suggestions waiting in each."""
    items = ensure_note_items(document=document, n_slots=n_slots, priority=1.0)
    queued = [Queued(suggestion=each, stream=ReviewItem.Stream.UNCERTAIN, reason="low_score") for each in suggestions]
    for item in items:
        queue_spans(note_item=item, queued=queued, older_jobs=[])
    return items


def make_upload(project: Project, uploader: User, content: str = "") -> str:
    """The id of an upload of one JSONL file that was not started."""
    public_id = new_public_id()
    row = {"id": "uploaded-1", "text": f"{CANARY} again."}
    (make_folder(public_id) / "000000").write_text(content or json.dumps(row) + "\n", encoding="utf-8")
    create_import(
        project=project,
        public_id=public_id,
        names=[("000000", "notes.jsonl")],
        n_other_files=0,
        actor=uploader,
        now=timezone.now(),
    )
    return public_id


def make_build(project: Project, actor: User) -> str:
    """The id of a build that is written."""
    build = create_build(
        project=project, name="Dataset", formats=["jsonl"], options=BuildOptions(), actor=actor, now=NOW
    )
    assert build.job is not None
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    return build.public_id


def make_objects(project: Project, *, reader: User, uploader: User) -> dict[str, str]:
    """One object of each kind, by the name its id has in addresses: `reader` holds the note."""
    document = make_document(project, text=f"{CANARY} and cough.", external_id=f"mrn-{project.slug}", patient_id="p1")
    suggestions = suggest(project, document, CANARY)
    queue(document, suggestions)
    held = take_note(document=document, reviewer=reader, now=timezone.now())
    done = make_document(project, text=f"{CANARY} is done.", external_id=f"mrn-done-{project.slug}")
    make_set(done, reader)
    make_document(project, text=f"{CANARY} in a round.", external_id=f"mrn-round-{project.slug}")
    own = open_set(document=document, annotator=reader)
    comment = add_comment(target=own, author=reader, about=None, kind="discuss", body=CANARY, now=NOW)
    build_id = make_build(project, uploader)
    return {
        "project_id": project.public_id,
        "document_id": document.public_id,
        "item_id": held.public_id,
        "comment_id": comment.public_id,
        "notice_id": make_notice(project, reader).public_id,
        "run_id": suggestions[0].job.run.public_id,
        "adjudication_id": make_adjudicated(project, reader),
        "round_id": make_round(project, reader, reader).public_id,
        "import_id": make_upload(project, uploader),
        "build_id": build_id,
        "training_id": make_training(project, build_id, uploader),
        "model_id": suggestions[0].job.run.labeler.public_id,
        "comparison_id": make_told(project, uploader).public_id,
        "certificate_id": make_certificate(suggestions[0].job.run.labeler).public_id,
        "name": "manifest.json",
    }
