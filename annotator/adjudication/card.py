"""What helps to settle a case: readers' comments, the guideline, earlier choices, and afterwards the model's vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import SEPARATOR, CaseFile, labels_between, letter
from annotator.annotations.comments import spans_of
from annotator.annotations.models import Comment
from annotator.core.cases import Case
from annotator.core.guidance import Passage, passage_about
from annotator.projects.models import Guideline, Project
from annotator.projects.selectors import current_guideline
from annotator.suggestions.models import LabelJob, Suggestion


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader said about a span of the case, or about the note."""

    letter: str
    kind: str
    body: str
    is_about_note: bool


@dataclass(frozen=True, slots=True)
class Vote:
    """What a labeler says of the place of a case: nothing, or labels with their raw scores."""

    labeler: str
    suggestions: Sequence[Suggestion]


def remarks_on(file: CaseFile, case: Case) -> list[Remark]:
    """What the readers said about the case and about the note, the case first. Two queries."""
    sets = {reading.set.pk: letter(place) for place, reading in enumerate(file.readings)}
    said = list(
        Comment.objects.filter(set__in=list(sets), status=Comment.Status.OPEN)
        .select_related("suggestion")
        .defer("suggestion__signals")
        .order_by("pk")
    )
    spans = spans_of(said)
    found = []
    for comment in said:
        about = spans.get(comment.pk)
        is_here = about is not None and about.fragments != "" and _overlaps(about.span.start, about.span.end, case)
        if is_here or about is None:
            kind = Comment.Kind(comment.kind).label
            found.append(Remark(sets[comment.set_id], kind, comment.body, is_about_note=about is None))
    return sorted(found, key=lambda remark: (remark.is_about_note, remark.letter))


def earlier_choices(file: CaseFile, case: Case) -> list[tuple[str, int]]:
    """How often each label was taken where readings of the project's notes gave those of the case, '' for none of them,
    the most frequent first. What was undone, or chosen by a rule, or in this case, does not count. One query.
    """
    labels = labels_between(case)
    if SEPARATOR not in labels:
        return []
    found = Choice.objects.filter(
        between=labels,
        undone_by=None,
        rule="",
        adjudication__document__project=file.adjudication.document.project,
    ).exclude(adjudication=file.adjudication, case_key=case.key)
    return list(found.values_list("label").annotate(n=Count("pk")).order_by("-n", "label"))


def guidance(*, project: Project, labels: Sequence[str]) -> tuple[Guideline, str, Passage] | None:
    """The guideline and its first passage about one of the labels, with that label. One query."""
    guideline = current_guideline(project)
    for label in labels if guideline and guideline.text else ():
        passage = passage_about(label, guideline.text) if guideline else None
        if guideline and passage:
            return guideline, label, passage
    return None


def newest_jobs(file: CaseFile) -> list[LabelJob]:
    """The newest reading of the note by each labeler. One query."""
    jobs = LabelJob.for_review.filter(document=file.adjudication.document_id, status=LabelJob.Status.DONE)
    newest: dict[str, LabelJob] = {}
    for job in jobs.select_related("run__labeler").order_by("-run__number"):
        newest.setdefault(job.run.labeler.name, job)
    return list(newest.values())


def votes_on(jobs: Sequence[LabelJob], case: Case) -> list[Vote]:
    """What each labeler says of the place of a case of spans. One query."""
    found = Suggestion.objects.filter(job__in=[job.pk for job in jobs], start__lt=case.end, end__gt=case.start)
    by_job: dict[int, list[Suggestion]] = {}
    for suggestion in found.defer("signals").order_by("start", "-score"):
        by_job.setdefault(suggestion.job_id, []).append(suggestion)
    return [Vote(job.run.labeler.name, by_job.get(job.pk, [])) for job in jobs]


def _overlaps(start: int, end: int, case: Case) -> bool:
    return case.key.startswith("span ") and start < case.end and case.start < end
