"""Decoys are planted where a note's suggestions are queued, told when the note is submitted, and taken away again where
they may be right after all or the project wants none any more.

A decoy stands on words that the note has once, that no suggestion of it touches, and that stand at least FEWEST times
in the project's finished notes without a label or a suggestion there ever. All else it has from a suggestion of the
same labeler, drawn at random, so that labels are as frequent as they are and scores as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from annotator.annotations.comments import withdraw_comment
from annotator.annotations.models import Annotation, AnnotationSet, Comment
from annotator.core.mentions import alike, n_mentions
from annotator.core.missed import open_phrases
from annotator.core.spans import Span
from annotator.core.surfaces import normal_surface, surface_keys
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.review.blinding import is_read_blind
from annotator.review.decoys import free_labels, live_answers
from annotator.review.models import SUPERSEDED, Decision, Decoy, ReviewItem
from annotator.review.queue import Queued
from annotator.suggestions.models import Candidate, LabelJob, Suggestion

MOST_PERCENT = 10
FEWEST = 5  # times that the words stand in finished notes
SAMPLE = 40  # of the newest finished notes, whose texts are looked through
_MODELS = 500  # of the labeler's newest suggestions, of which a decoy is like one
_LOOKED_FOR = 200  # of the note's words
_FEWEST_LETTERS = 4
# Signals that are names: of a kind of match, of a labeler, of labels.
_NAMES = ("kind", "second", "runner_up", "second_label")
_Status = ReviewItem.Status
_Place = tuple[int, int]


def plant_decoys(*, note_item: ReviewItem, job: LabelJob, n_queued: int, queue: Callable[[Suggestion], Queued]) -> int:
    """Make the decoys that a note of `n_queued` suggestions from the job gets, if nobody has begun it; how many.

    `queue` says of a suggestion how it comes to its reader. How many there are is by chance, fixed by the note's random
    key; nothing is read where that says none.
    """
    document = note_item.document
    project = document.project
    if note_item.status != _Status.OPEN or note_item.leased_by_id is not None or is_read_blind(note_item):
        return 0
    rng = Random(f"{document.blind_key} {note_item.slot} {job.pk}")  # noqa: S311 - chance, no secret
    wanted = n_queued * project.decoy_percent / 100
    n = math.floor(wanted) + (rng.random() < wanted % 1)
    if not n:
        return 0
    models = _models(project, job, rng)
    places = _wrong_places(document, rng) if models else []
    for place, model in zip(places[:n], models, strict=False):
        _plant(note_item, job, place, model, queue(model))
    return min(n, len(places), len(models))


def withdraw_touched(*, job: LabelJob, found: Iterable[Suggestion], older_jobs: Collection[int]) -> None:
    """Close the note's waiting decoys that are by `older_jobs`, whose suggestions close too, or that are no longer
    wrong for sure, since something that the job found touches them or reads like them. One query, where there is none.
    """
    document = job.document
    waiting = list(
        Decoy.objects.filter(item__document=document, item__status=_Status.OPEN).only("item", "job", "start", "end")
    )
    if not waiting:
        return
    new: list[Suggestion | Candidate] = [*found, *job.candidates.all()]
    words = {normal_surface(each.surface) for each in new}
    closing = [
        decoy.item_id
        for decoy in waiting
        if decoy.job_id in older_jobs
        or normal_surface(document.text[decoy.start : decoy.end]) in words
        or any(each.span.overlaps(Span.of(decoy.start, decoy.end)) for each in new)
    ]
    ReviewItem.objects.filter(pk__in=closing, status=_Status.OPEN).update(
        status=_Status.CLOSED, reason=SUPERSEDED, version=F("version") + 1
    )


def drop_waiting(*, project: Project) -> int:
    """Delete the decoys of notes that nobody has begun; how many. Those of notes in hand stay until they are told."""
    notes = ReviewItem.objects.filter(
        document=OuterRef("document"), slot=OuterRef("slot"), unit=ReviewItem.Unit.NOTE, leased_by=None
    )
    waiting = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.DECOY, status=_Status.OPEN)
    unread = waiting.filter(Exists(notes), ~Exists(Decision.objects.filter(item=OuterRef("pk"))))
    _, by_table = unread.delete()
    return by_table.get(Decoy._meta.label, 0)


def tell_decoys(*, note_item: ReviewItem, now: datetime) -> None:
    """Keep what was made of the decoys of a note that is submitted, and who did it last: they are told from then on.
    What was said about them is taken back. One query, where there is none left to tell.
    """
    left = Decoy.objects.filter(
        item__document=note_item.document_id, item__slot=note_item.slot, item__status=_Status.DECIDED, told_at=None
    )
    decoys = list(left)
    for decoy in decoys:
        answer = live_answers(note_item).filter(decoy=decoy).first()
        about = Q(item=decoy.item_id) | Q(made_answer__decoy=decoy) | Q(withdrew_answer__decoy=decoy)
        last = Decision.objects.filter(about, note_item=note_item).order_by("-pk").first()
        decoy.told_at = now
        decoy.answered_by_id = last.reviewer_id if last else note_item.leased_by_id
        decoy.answer = Decoy.Answer.REJECTED
        if answer is not None:
            is_same = (answer.label, answer.fragments) == (decoy.label, decoy.fragments)
            decoy.answer = Decoy.Answer.ACCEPTED if is_same else Decoy.Answer.CHANGED
        decoy.save(update_fields=["told_at", "answered_by", "answer"])
    if decoys:
        about_them = Comment.objects.filter(set__document=note_item.document_id, status=Comment.Status.OPEN)
        threads = [decoy.thread for decoy in decoys]
        for comment in about_them.filter(thread__in=threads).select_related("author", "set__document__project"):
            withdraw_comment(comment=comment, actor=comment.author, now=now)


def _plant(note_item: ReviewItem, job: LabelJob, place: _Place, model: Suggestion, queued: Queued) -> None:
    span = Span.of(*place)
    item = ReviewItem.objects.create(
        project_id=note_item.project_id,
        document_id=note_item.document_id,
        unit=ReviewItem.Unit.DECOY,
        slot=note_item.slot,
        stream=ReviewItem.Stream.UNCERTAIN,
        reason=queued.reason,
        confidence=queued.confidence,
        priority=1 - queued.chance,
    )
    Decoy.objects.create(
        item=item,
        job=job,
        label=model.label,
        fragments=str(span),
        start=span.start,
        end=span.end,
        surface=span.surface(note_item.document.text),
        attributes=model.attributes,
        score=model.score,
        signals=_signals(model),
    )


def _signals(model: Suggestion) -> dict[str, Any]:
    """The suggestion's signals but for what they tell of its own note: words, and how often these occur there."""
    told = {name: value for name, value in model.signals.items() if name in _NAMES or isinstance(value, int | float)}
    return told | {name: 1 for name in ("n_in_note", "n_occurrences") if name in told}


def _models(project: Project, job: LabelJob, rng: Random) -> list[Suggestion]:
    """The suggestions that decoys are like, in the order in which they are drawn."""
    of_labeler = Suggestion.for_review.filter(
        job__run__labeler=job.run.labeler_id,
        alignment=Suggestion.Alignment.EXACT,
        label__in=free_labels(current_schema(project).schema),
    )
    found = list(of_labeler.order_by("-pk").values_list("pk", flat=True)[:_MODELS])
    drawn = rng.sample(found, k=min(len(found), MOST_PERCENT))
    rows = of_labeler.in_bulk(drawn)
    return [rows[pk] for pk in drawn]


def _wrong_places(document: Document, rng: Random) -> list[_Place]:
    """Places of the note on which every label is wrong, as far as the project knows, at random; at most ten that do not
    touch.
    """
    text = document.text
    phrases = open_phrases(text, _touched([document.pk]).get(document.pk, []))
    once = [(words, places[0]) for words, places in sorted(phrases.items()) if len(places) == 1 and _is_of_note(words)]
    rng.shuffle(once)
    sample = dict(_finished(document).values_list("pk", "text")[:SAMPLE])
    normal = [normal_surface(each) for each in sample.values()]
    frequent = [
        (words, place)
        for words, place in once[:_LOOKED_FOR]
        if sum(n_mentions(each, words) for each in normal) >= FEWEST
    ]
    known = _known_words(document.project_id, [words for words, _ in frequent])
    touched = _touched(list(sample)) if frequent else {}
    found: list[_Place] = []
    for words, place in frequent:
        if words in known or len(alike(text, text[slice(*place)])) != 1:
            continue
        if any(place[0] < end and start < place[1] for start, end in found):
            continue
        if not any(_is_touched(each, words, touched.get(pk, ())) for pk, each in sample.items()):
            found.append(place)
        if len(found) == MOST_PERCENT:
            break
    return found


def _is_of_note(words: str) -> bool:
    """Whether the words are such as a label might stand on: a word of some length, and no figures."""
    return any(len(word) >= _FEWEST_LETTERS for word in words.split()) and all(
        part.isalpha() for part in words.replace("-", " ").split()
    )


def _is_touched(text: str, words: str, places: Sequence[_Place]) -> bool:
    """Whether a label or suggestion of the note is on a place where these words stand."""
    if not places:
        return False
    return any(start < span.end and span.start < end for span in alike(text, words) for start, end in places)


def _finished(document: Document) -> QuerySet[Document]:
    """The project's other notes that are submitted and wait for no reader, the newest reading first."""
    readings = AnnotationSet.objects.filter(
        document=OuterRef("pk"), kind=AnnotationSet.Kind.READING, status=AnnotationSet.Status.SUBMITTED
    )
    waiting = ReviewItem.objects.filter(document=OuterRef("pk"), unit=ReviewItem.Unit.NOTE, status=_Status.OPEN)
    notes = Document.objects.filter(Exists(readings), ~Exists(waiting), project=document.project_id)
    return notes.exclude(pk=document.pk).order_by("-pk")


def _touched(documents: Collection[int]) -> dict[int, list[_Place]]:
    """Where somebody or something said anything in these notes, whether it stands or not; decoys count that nobody
    rejected. Four queries.
    """
    found: dict[int, list[_Place]] = {}
    of_notes = {"document__in": documents}
    decoys = Decoy.objects.filter(item__document__in=documents).exclude(answer=Decoy.Answer.REJECTED)
    for rows in (
        Annotation.objects.filter(set__document__in=documents).values_list("set__document", "start", "end"),
        Suggestion.objects.filter(**of_notes).values_list("document", "start", "end"),
        Candidate.objects.filter(**of_notes).values_list("document", "start", "end"),
        decoys.values_list("item__document", "start", "end"),
    ):
        for document, start, end in rows:
            if start is not None and end is not None:
                found.setdefault(document, []).append((start, end))
    return found


def _known_words(project_id: int, words: Sequence[str]) -> set[str]:
    """Those of the words, normal already, that anybody ever labelled in the project. One query, by index."""
    keys = surface_keys(project_id=project_id, surfaces=words)
    labelled = Annotation.objects.filter(surface_key__in=list(keys)).values_list("surface_key", flat=True)
    return {keys[key] for key in labelled.distinct()}
