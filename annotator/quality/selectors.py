"""What a project's labelers found in notes that people have finished."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Count, Max

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.builds.selectors import readiness
from annotator.core.agreement import GOLD
from annotator.core.evaluation import EvaluatedNote, FoundSpan, is_in_text
from annotator.core.identifiers import asked_of
from annotator.core.matching import Labelled
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.access import Action, may
from annotator.projects.models import Membership, Project
from annotator.readings.models import MODEL, person_key
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import Labeler, LabelJob, LabelRun, Suggestion

# More notes say little more, and would keep the page waiting.
MOST_NOTES = 200
Unaligned = Suggestion.Alignment.UNALIGNED


class GoldSource(StrEnum):
    """Which finished notes count: what was imported was not read with suggestions on the page."""

    ALL = "all"
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class LabelerChoice:
    """A labeler of the project, and how many notes it has read."""

    labeler: Labeler
    n_read: int

    @property
    def key(self) -> str:
        """What names it in an address, within the project."""
        return f"{self.labeler.schema_version.number}-{self.labeler.digest[:12]}"


@dataclass(frozen=True, slots=True)
class GoldNotes:
    """The notes that are measured on, and where they come from.

    `n_finished`: notes that the labeler has read and people have finished, of which at most MOST_NOTES are taken, at
    random but always the same. `n_several` wait for adjudication and are left out. `n_other_labels`: gold spans of
    labels that the labeler does not know, left out.
    """

    notes: tuple[EvaluatedNote, ...]
    n_finished: int
    n_reviewed: int
    n_several: int
    n_other_labels: int

    @property
    def n_imported(self) -> int:
        return len(self.notes) - self.n_reviewed


def labelers_with_notes(project: Project) -> list[LabelerChoice]:
    """The labelers that have read notes of the project for review, the one that read last first. One query."""
    rows = (
        Labeler.objects.filter(
            project=project, runs__purpose=LabelRun.Purpose.WORK, runs__jobs__status=LabelJob.Status.DONE
        )
        .select_related("schema_version")
        .annotate(n_read=Count("runs__jobs__document", distinct=True), last_run=Max("runs__number"))
        .order_by("-last_run")
    )
    return [LabelerChoice(labeler, labeler.n_read) for labeler in rows]


def gold_notes(*, project: Project, labeler: Labeler, source: GoldSource) -> GoldNotes:
    """Notes with a gold set or a single reading that the labeler has read, with what it found. Nine queries, whatever
    their number. None in which certificates have accepted what a labeler found.

    Of a note that it has read several times the last reading counts.
    """
    ready = readiness(project=project, is_human_only=True)
    sets = {found.document_id: found.set_id for found in ready.sets}
    jobs = _last_jobs(labeler, among=sets)
    decided = decided_notes(project)
    reviewed_notes = {document_id for document_id, _ in decided}
    reviewed = {
        found.document_id
        for found in ready.sets
        if (found.document_id in reviewed_notes if found.is_gold else (found.document_id, found.annotator) in decided)
    }
    chosen = [document for document in jobs if source == GoldSource.ALL or document not in reviewed]
    n_finished = len(chosen)
    del chosen[MOST_NOTES:]
    labels = asked_of(labeler.schema_version.schema, backend=labeler.backend).label_names
    gold, n_other_labels = gold_spans([sets[document] for document in chosen], labels)
    found = found_spans([jobs[document] for document in chosen])
    lost = lost_quotes([jobs[document] for document in chosen])
    texts = dict(Document.objects.filter(pk__in=list(lost)).values_list("pk", "text"))
    return GoldNotes(
        notes=tuple(
            EvaluatedNote(
                gold=gold[sets[document]],
                found=found[document],
                n_unaligned=len(lost.get(document, ())),
                n_invented=sum(not is_in_text(quote, texts[document]) for quote in lost.get(document, ())),
            )
            for document in chosen
        ),
        n_finished=n_finished,
        n_reviewed=sum(document in reviewed for document in chosen),
        n_several=ready.n_several,
        n_other_labels=n_other_labels,
    )


def names_of_readers(membership: Membership, report: Mapping[str, Any]) -> dict[str, str]:
    """Whom a report of agreement names: people by their user names for who manages the project, else by numbers. Two
    queries.
    """
    keys = {name for pair in report.get("pairs", ()) for name in (pair["a"], pair["b"])}
    people = sorted(int(name) for name in keys if name.isdigit())
    names = {GOLD: "gold"} | {person_key(pk): f"Reader {number}" for number, pk in enumerate(people, 1)}
    if may(role=membership.role, action=Action.MANAGE):
        names |= {person_key(pk): name for pk, name in User.objects.filter(pk__in=people).values_list("pk", "username")}
    rows = Labeler.objects.filter(project=membership.project).order_by("pk").values_list("pk", "name", "digest")
    n_of_name = Counter(name for _, name, _ in rows)
    return names | {
        f"{MODEL}{pk}": f"{name} {digest[:6]}" if n_of_name[name] > 1 else name for pk, name, digest in rows
    }


def _last_jobs(labeler: Labeler, *, among: Collection[int]) -> dict[int, int]:
    """The last reading of each of the notes by the labeler, in the notes' random order."""
    rows = (
        LabelJob.for_review.filter(run__labeler=labeler, status=LabelJob.Status.DONE)
        .order_by("run__number")
        .values_list("document__blind_key", "document_id", "pk")
    )
    last = {document: (key, job) for key, document, job in rows.iterator(chunk_size=2000) if document in among}
    return {document: job for document, (_, job) in sorted(last.items(), key=lambda item: (item[1][0], item[0]))}


def decided_notes(project: Project) -> set[tuple[int, str]]:
    """Who decided in which note: they read it with suggestions on the page."""
    decisions = Decision.objects.filter(project=project, note_item__unit=ReviewItem.Unit.NOTE).order_by()
    return set(decisions.values_list("note_item__document_id", "reviewer__public_id").distinct())


def gold_spans(sets: Sequence[int], labels: Collection[str]) -> tuple[Mapping[int, list[Labelled]], int]:
    """The gold spans by set, and how many have another label."""
    rows = Annotation.objects.filter(set_id__in=sets, status=Annotation.Status.LIVE).order_by()
    gold: dict[int, list[Labelled]] = defaultdict(list)
    counts: Counter[bool] = Counter()
    for set_id, label, fragments in rows.values_list("set_id", "label", "fragments"):
        counts[label in labels] += 1
        if label in labels:
            gold[set_id].append(Labelled(Span.parse(fragments), label))
    return gold, counts[False]


def found_spans(jobs: Sequence[int]) -> Mapping[int, list[FoundSpan]]:
    """The spans with a place by note."""
    rows = Suggestion.objects.filter(job_id__in=jobs).exclude(alignment=Unaligned).order_by()
    found: dict[int, list[FoundSpan]] = defaultdict(list)
    for document, fragments, label, score, signals in rows.values_list(
        "document_id", "fragments", "label", "score", "signals"
    ):
        found[document].append(FoundSpan(Span.parse(fragments), label, score, signals))
    return found


def lost_quotes(jobs: Sequence[int]) -> Mapping[int, list[str]]:
    """The quotes without a place by note."""
    rows = Suggestion.objects.filter(job_id__in=jobs, alignment=Unaligned).order_by()
    lost: dict[int, list[str]] = defaultdict(list)
    for document, quote in rows.values_list("document_id", "surface"):
        lost[document].append(quote)
    return lost
