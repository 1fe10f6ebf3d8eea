"""A note with a decoy among its suggestions, in a project whose finished notes say what is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotator.accounts.models import User
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.review import services
from annotator.review.decoying import plant_decoys
from annotator.review.models import Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import note_view, target_for
from annotator.routing.services import queued_as
from annotator.suggestions.models import LabelJob
from tests.cast import NOW, TEXT, make_document, make_member, make_set
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest

HTMX = {"HTTP_HX_REQUEST": "true"}
NOTE = f"{TEXT} Walked unaided."
PLACE = Span.of(NOTE.index("unaided"), NOTE.index("unaided") + 7)
FOUND = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9)]


def with_decoys(project: Project) -> Project:
    """The project with decoys, whose five finished notes hold one word of NOTE that nobody ever labelled."""
    adam = make_member(project, "earlier", Membership.Role.ADJUDICATOR)
    for n in range(5):
        make_set(make_document(project, text="Left the ward unaided.", external_id=f"done-{n}"), adam)
    Project.objects.filter(pk=project.pk).update(decoy_percent=10)
    return Project.objects.get(pk=project.pk)


def planted(project: Project, version: SchemaVersion, *, external_id: str = "decoyed", n: int = 10) -> Document:
    """A note that got as many decoys as one of `n` suggestions does."""
    document = make_document(project, text=NOTE, external_id=external_id)
    job = suggest(document, FOUND, schema_version=version)
    ReviewItem.objects.filter(unit="decoy").exclude(decoy__told_at__isnull=False).filter(document=document).delete()
    plant(document, job, n=n)
    return document


def plant(document: Document, job: LabelJob, *, n: int = 10) -> int:
    note_item = ReviewItem.objects.select_related("document__project").get(document=document, unit="note")
    job = LabelJob.objects.select_related("run").get(pk=job.pk)
    return plant_decoys(note_item=note_item, job=job, n_queued=n, queue=lambda suggestion: queued_as(suggestion, None))


@dataclass
class Scene:
    note_item: ReviewItem
    reviewer: User
    n_keys: int = 0

    @property
    def decoy(self) -> Decoy:
        return Decoy.objects.select_related("item").get(item__document=self.note_item.document_id)

    @property
    def key(self) -> str:
        return f"i{self.decoy.item.public_id}"

    def at(self, key: str) -> Any:
        found = target_for(note_item=self.note_item, key=key)
        assert found is not None
        return found

    def answer(self) -> Any:
        return self.at(f"a{DecoyAnswer.objects.get(status='live').public_id}")

    def do(self, act: services.Act) -> Decision:
        self.n_keys += 1
        key = f"key-{self.note_item.pk}-{self.n_keys}"
        return services.decide(note_item=self.note_item, reviewer=self.reviewer, act=act, key=key, now=NOW)

    def finish(self) -> None:
        for mark in list(note_view(note_item=self.note_item).queue):
            if mark.key != self.key:
                self.do(services.Accept(self.at(mark.key)))
        self.do(services.FinishNote())


def marks(scene: Scene) -> dict[str, str]:
    return {mark.surface: mark.state for mark in note_view(note_item=scene.note_item).marks.values()}
