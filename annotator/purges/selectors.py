"""Reading what a purge would take, and what former ones have taken."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from annotator.annotations.models import Annotation
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Membership, Project
from annotator.purges.models import Tombstone
from annotator.review.models import Decision
from annotator.training.models import TrainingRun


@dataclass(frozen=True, slots=True)
class Doomed:
    """What a purge is asked to take from a project: a patient's notes, or the note `note` (a public id), which names
    no patient.
    """

    patient_id: str = ""
    note: str = ""

    @property
    def subject(self) -> Tombstone.Subject:
        return Tombstone.Subject.PATIENT if self.patient_id else Tombstone.Subject.NOTE


@dataclass(frozen=True, slots=True)
class Toll:
    """How much a purge takes; undone decisions and withdrawn annotations count too."""

    n_notes: int
    n_annotations: int
    n_decisions: int
    n_builds: int
    n_trainings: int


def doomed_by_patient(*, project: Project, patient_id: str) -> Doomed | None:
    """The patient; None where the project has no note of theirs."""
    is_known = bool(patient_id) and Document.objects.filter(project=project, patient_id=patient_id).exists()
    return Doomed(patient_id=patient_id) if is_known else None


def doomed_by_note(*, project: Project, note: str) -> Doomed | None:
    """The patient of the note, or the note itself where it names none; None where there is no such note.

    `note` is its opaque id, or its own id from outside.
    """
    notes = Document.objects.filter(project=project).only("public_id", "patient_id")
    found = notes.filter(public_id=note).first() or notes.filter(external_id=note).first()
    if found is None:
        return None
    return Doomed(patient_id=found.patient_id) if found.patient_id else Doomed(note=found.public_id)


def doomed_notes(*, project: Project, doomed: Doomed) -> QuerySet[Document]:
    """The notes that would go."""
    notes = Document.objects.filter(project=project)
    if doomed.patient_id:
        return notes.filter(patient_id=doomed.patient_id)
    return notes.filter(public_id=doomed.note, patient_id="")


def toll_of(*, project: Project, notes: QuerySet[Document]) -> Toll:
    """What goes with these notes. Five queries."""
    builds = builds_holding(project=project, notes=notes)
    return Toll(
        n_notes=notes.count(),
        n_annotations=Annotation.objects.filter(set__document__in=notes).count(),
        n_decisions=Decision.objects.filter(note_item__document__in=notes).count(),
        n_builds=builds.count(),
        n_trainings=TrainingRun.objects.filter(build__in=builds.order_by().values("pk"), files_removed_at=None).count(),
    )


def builds_holding(*, project: Project, notes: QuerySet[Document]) -> QuerySet[DatasetBuild]:
    """The project's builds whose files hold one of the notes.

    One that does not say which notes it holds (it is older than that list) is among them.
    """
    written = DatasetBuild.objects.filter(project=project, files_removed_at=None, job__status=Job.Status.DONE)
    through = DatasetBuild.documents.through
    holding = through.objects.filter(document__in=notes).values("datasetbuild")
    return written.filter(pk__in=holding) | written.exclude(pk__in=through.objects.values("datasetbuild"))


def tombstones_of(project: Project) -> QuerySet[Tombstone]:
    """The purges in the project, newest first, with their jobs and who asked. One query."""
    return Tombstone.objects.filter(project=project.public_id).select_related("job", "asked_by").order_by("-asked_at")


def people_of(project: Project) -> int:
    """How many people would lose the project. One query."""
    return Membership.objects.filter(project=project).count()
