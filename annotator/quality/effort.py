"""How long people took for a project's notes with suggestions, and without.

The notes without are those of the blind stream, which are drawn at random; notes of rounds count only where the round
draws one reader of each note to read without, since any other round says itself what is read how.

Of a note count all decisions made in it, in whatever mode and by whomever, up to the first that submitted it and with
that one: what is undone took its time too, and what comes after is another reading of it. A note counts where every act
up to there has its time; one in which something was done without a page to measure it does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from django.db.models import Count, Q, QuerySet

from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.effort import Effort, TimedNote, measure_effort
from annotator.core.intervals import N_RESAMPLES
from annotator.projects.models import Project
from annotator.quality.recall import patient_key
from annotator.review.models import ON_DECOY, Decision, ReviewItem, Round

_Stream = ReviewItem.Stream
# Of each arm, the first in the random order.
MOST_NOTES = 1000


@dataclass(slots=True)
class _Work:
    """What was done in a note until it was first submitted. Of the acts without a time some are parts of one that has
    it: `open_batches`.
    """

    seconds: float = 0.0
    n_acts: int = 0
    n_untimed: int = 0
    is_done: bool = False
    batches: set[str] = field(default_factory=set)
    timed_batches: set[str] = field(default_factory=set)

    def add(self, *, verdict: str, seconds: float | None, batch: str) -> None:
        if self.is_done:
            return
        self.seconds += seconds or 0.0
        if not batch:
            self.n_untimed += seconds is None
        elif seconds is not None:
            self.timed_batches.add(batch)
        self.is_done = verdict == Decision.Verdict.NOTE_DONE
        if not self.is_done and batch not in self.batches:
            self.n_acts += 1
        if batch:
            self.batches.add(batch)

    @property
    def is_timed(self) -> bool:
        return not self.n_untimed and self.batches == self.timed_batches


def effort_of(project: Project, *, n_resamples: int = N_RESAMPLES) -> Effort:
    """Both arms of the project. Seven queries."""
    done = _readings(project).filter(status=ReviewItem.Status.DECIDED)
    read = done.filter(leased_by__isnull=False).order_by("audit_key", "pk")
    columns = ("pk", "stream", "document", "leased_by", "document__n_chars", "document__patient_id")
    rows = [
        row
        for stream in (_Stream.UNCERTAIN, _Stream.BLIND)
        for row in read.filter(stream=stream).values_list(*columns)[:MOST_NOTES]
    ]
    work = _work([item for item, *_ in rows])
    n_spans = _n_spans({document for _, _, document, *_ in rows})
    notes, n_untimed = [], 0
    for item, stream, document, reader, n_chars, patient in rows:
        found = work.get(item)
        if found is None or not found.is_done or (document, reader) not in n_spans:
            continue  # a reading from outside, or one that is open again
        if not found.is_timed:
            n_untimed += 1
            continue
        notes.append(
            TimedNote(
                patient=patient_key(patient, document),
                is_assisted=stream == _Stream.UNCERTAIN,
                n_chars=n_chars,
                n_spans=n_spans[document, reader],
                seconds=found.seconds,
                n_actions=found.n_acts,
            )
        )
    is_left = _readings(project).filter(status=ReviewItem.Status.OPEN, stream=_Stream.UNCERTAIN).exists()
    return measure_effort(
        notes,
        n_untimed=n_untimed,
        n_unread=done.filter(leased_by=None).count(),
        is_chosen=is_left and project.policy != Project.Policy.RANDOM,
        n_resamples=n_resamples,
    )


def _readings(project: Project) -> QuerySet[ReviewItem]:
    is_drawn = Q(round=None) | Q(round__assistance=Round.Assistance.MIXED)
    return ReviewItem.objects.filter(is_drawn, project=project, unit=ReviewItem.Unit.NOTE)


def _work(items: Collection[int]) -> Mapping[int, _Work]:
    """What was done in each note, in the order in which it was."""
    rows = Decision.objects.filter(note_item__in=items).exclude(stream=ON_DECOY).order_by("pk")
    work: dict[int, _Work] = {}
    columns = ("note_item", "verdict", "active_seconds", "batch")
    for item, verdict, seconds, batch in rows.values_list(*columns).iterator(chunk_size=2000):
        work.setdefault(item, _Work()).add(verdict=verdict, seconds=seconds, batch=batch)
    return work


def _n_spans(documents: Collection[int]) -> Mapping[tuple[int, int], int]:
    """The spans of each submitted reading of these notes, by note and reader."""
    sets = AnnotationSet.objects.filter(
        document__in=documents,
        kind=AnnotationSet.Kind.READING,
        status=AnnotationSet.Status.SUBMITTED,
        annotator__isnull=False,
    ).order_by()
    is_live = Q(annotations__status=Annotation.Status.LIVE)
    rows = sets.values_list("document", "annotator").annotate(n=Count("annotations", filter=is_live))
    return {(document, reader): n for document, reader, n in rows}
