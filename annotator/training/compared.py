"""What a comparison of two labelers rests on: the finished notes of the locked test set, who read them, and why two
labelers cannot be compared on them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q, QuerySet

from annotator.builds.folders import build_folder
from annotator.builds.index import read_index
from annotator.builds.options import REPLACE
from annotator.builds.selectors import ReadySet, digest_of, locked_groups, locked_test_set, readiness
from annotator.builds.splits import TEST
from annotator.core.identifiers import asked_of
from annotator.core.intervals import FEWEST_NOTES
from annotator.core.labeler_comparison import CANDIDATE, CURRENT, Side
from annotator.core.wording import counted
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import schema_for
from annotator.suggestions.labelers import IMPORTED, current_labeler
from annotator.suggestions.models import Labeler, LabelJob, PromptExample
from annotator.training.models import LabelerComparison, TrainingRun


@dataclass(frozen=True, slots=True)
class TestNotes:
    """The finished notes of a locked test set, with their sets; `build_number` names the dataset whose part it was."""

    build_number: int
    n_patients: int
    sets: tuple[ReadySet, ...]

    @property
    def documents(self) -> list[int]:
        return [found.document_id for found in self.sets]


@dataclass(frozen=True)
class Plan:
    """What a comparison of the two would be: the notes, how many each has to read, and why it cannot be made."""

    candidate: Labeler
    current: Labeler
    notes: TestNotes | None
    labels: tuple[str, ...]
    unread: Mapping[Side, QuerySet[Document]]
    problems: tuple[str, ...]

    @cached_property
    def n_unread(self) -> Mapping[Side, int]:
        return {side: documents.count() for side, documents in self.unread.items()}


def comparisons_of(project: Project) -> QuerySet[LabelerComparison]:
    """The project's comparisons, newest first, with labelers, runs, job and who asked. One query."""
    return (
        LabelerComparison.objects.filter(project=project)
        .select_related(
            "project",
            *(f"{who}__{of}" for who in ("candidate", "current") for of in ("schema_version", "guideline", "pool")),
            *("candidate_run", "current_run", "job", "created_by"),
        )
        .order_by("-number")
    )


def labelers_to_compare(project: Project) -> list[Labeler]:
    """The labelers of findings in the schema that counts, newest first; at the end what new runs use, unsaved, where it
    has read nothing in that schema yet. Five queries.
    """
    version = schema_for(project)
    known = list(project.labelers.filter(schema_version=version).order_by("-created_at", "-pk"))
    current = current_labeler(project)
    return [*known, current] if current._state.adding and current.schema_version_id == version.pk else known


def newest_trained(project: Project) -> Labeler | None:
    """What the project's newest finished training made. One query."""
    trained = TrainingRun.objects.filter(project=project, labeler__isnull=False).select_related("labeler")
    newest = trained.order_by("-number").first()
    return newest.labeler if newest else None


def finished_test_notes(project: Project) -> TestNotes | None:
    """The notes of the locked test set that a dataset would take as decided by people; None where none is locked."""
    locked = locked_test_set(project)
    if locked is None:
        return None
    groups = locked_groups(project)
    ready = readiness(project=project, is_human_only=True).sets
    return TestNotes(
        build_number=locked.build_number,
        n_patients=len(groups),
        sets=tuple(found for found in ready if digest_of(project, found.patient_id, found.external_id) in groups),
    )


def plan_comparison(*, project: Project, candidate: Labeler, current: Labeler) -> Plan:
    """What would be compared on what, and all that speaks against it, in words that say what to do."""
    notes = finished_test_notes(project)
    documents = notes.documents if notes else []
    labels = labels_of_both(candidate, current)
    unread = {side: unread_notes(who, documents) for side, who in ((CANDIDATE, candidate), (CURRENT, current))}
    return Plan(
        candidate=candidate,
        current=current,
        notes=notes,
        labels=labels,
        unread=unread,
        problems=tuple(_problems(project, candidate, current, notes, labels, unread)),
    )


def labels_of_both(candidate: Labeler, current: Labeler) -> tuple[str, ...]:
    """The labels that both are asked for, in the schema's order."""
    asked = [_asked_of(labeler) for labeler in (candidate, current)]
    return tuple(label for label in asked[0] if label in asked[1])


def unread_notes(labeler: Labeler, documents: Collection[int]) -> QuerySet[Document]:
    """Those of the notes that no run of the labeler has read, for whatever purpose."""
    if labeler._state.adding:
        return Document.objects.filter(pk__in=documents)
    read = LabelJob.objects.filter(run__labeler=labeler, status=LabelJob.Status.DONE)
    return Document.objects.filter(pk__in=documents).exclude(pk__in=read.values("document"))


def last_readings(labeler: Labeler, documents: Collection[int]) -> dict[int, int]:
    """The labeler's last reading of each of the notes that it has read, for whatever purpose. One query."""
    done = LabelJob.objects.filter(run__labeler=labeler, status=LabelJob.Status.DONE, document__in=documents)
    return dict(done.order_by("run__number").values_list("document", "pk"))


def _asked_of(labeler: Labeler) -> Sequence[str]:
    schema = labeler.schema_version.schema
    if labeler.backend == IMPORTED:
        return schema.label_names  # it was asked for nothing
    return asked_of(schema, backend=labeler.backend).label_names


def _problems(
    project: Project,
    candidate: Labeler,
    current: Labeler,
    notes: TestNotes | None,
    labels: Sequence[str],
    unread: Mapping[Side, QuerySet[Document]],
) -> Iterator[str]:
    each = [candidate, current]
    if candidate == current:
        each.pop()
        yield "these are one labeler: choose two"
    for labeler in each:
        newest = schema_for(project, backend=labeler.backend)
        if labeler.schema_version_id != newest.pk:
            number = labeler.schema_version.number
            yield (
                f"“{labeler.name}” suggests in schema version {number}, and version {newest.number} counts: make it "
                "anew, or train it on a dataset of the newest schema"
            )
    if not labels:
        yield "no label is asked of both: one finds identifiers, the other does not"
    if notes is None:
        yield "no test set is locked: lock the part test of a dataset first"
        return
    if len(notes.sets) < FEWEST_NOTES:
        yield (
            f"{counted(len(notes.sets), 'note')} of the locked test set {'is' if len(notes.sets) == 1 else 'are'} "
            f"finished, and {FEWEST_NOTES} are needed: have more of them read"
        )
    groups = locked_groups(project)
    for labeler in each:
        yield from _leaks(project, labeler, groups, build_number=notes.build_number)
    for side, labeler in ((CANDIDATE, candidate), (CURRENT, current)):
        if labeler.backend == IMPORTED and (n := unread[side].count()):
            yield f"“{labeler.name}” came with an import, and has not read {counted(n, 'note')} of the test set"


def _leaks(project: Project, labeler: Labeler, locked: Collection[str], *, build_number: int) -> Iterator[str]:
    """What of the test set the labeler has seen: in its training, and in the examples of its prompts. `build_number` is
    that of the dataset whose part test was locked.
    """
    name = labeler.name
    for run in _trainings_of(project, labeler):
        known: set[str] | None = None
        if run.build.options.get("identifiers") == REPLACE:
            # It names no patient. That the test set was kept out of it is known where it was locked by then.
            if (run.build.manifest.get("test_set") or {}).get("build") == build_number:
                known = set()
        elif run.build.files_removed_at is None:
            known = _seen_in(run, locked)
        dataset = f"dataset {run.build.number}"
        if known is None:
            yield (
                f"“{name}” was trained on {dataset}, which does not tell what was in it: train it again on "
                "one that does"
            )
        elif known:
            yield (
                f"“{name}” was trained on {counted(len(known), 'patient')} of the locked test set ({dataset}): train "
                "it again on a dataset that was built since the test set was locked"
            )
    if labeler.pool is not None and labeler.n_examples:
        rows = PromptExample.objects.filter(pool=labeler.pool).values_list(
            "document__patient_id", "document__external_id"
        )
        shown = {digest_of(project, *row) for row in rows.distinct()} & set(locked)
        if shown:
            yield (
                f"the prompts of “{name}” show examples of {counted(len(shown), 'patient')} of the locked test set "
                f"(example pool {labeler.pool.number}): freeze a new pool, which leaves them out, and make a labeler "
                "with it"
            )


def _trainings_of(project: Project, labeler: Labeler) -> QuerySet[TrainingRun]:
    """The training that its weights are of. The row of an older schema names them too."""
    mine = Q(public_id=labeler.decoding.get("config", {}).get("run", ""))
    if not labeler._state.adding:
        mine |= Q(labeler=labeler)
    return TrainingRun.objects.filter(mine, project=project).select_related("build")


def _seen_in(run: TrainingRun, locked: Collection[str]) -> set[str] | None:
    """The locked groups in the parts that a model learns from and is chosen by; None where the files do not tell."""
    try:
        rows = map(json.loads, read_index(build_folder(run.build)))
        return {row["group"] for row in rows if row["part"] != TEST and row["group"] in locked}
    except FileNotFoundError:
        return None
