"""What was done to a span, from its first decision on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from annotator.annotations.models import Annotation
from annotator.core.wording import sentence
from annotator.review.models import Decision, Decoy, DecoyAnswer, ReviewItem
from annotator.review.selectors import Source, Target, source_of
from annotator.suggestions.models import Suggestion

_Verdict = Decision.Verdict
_DONE = {
    _Verdict.ACCEPT: "Accepted",
    _Verdict.REJECT: "Rejected",
    _Verdict.ADD: "Added",
    _Verdict.SKIP: "Skipped",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One decision on the span, or that it was accepted under a certificate; `words` hold label and attributes, never
    text of the note.
    """

    words: str
    by: str
    at: datetime
    is_undone: bool


def history_of(*, note_item: ReviewItem, target: Target) -> list[Step]:
    """The decisions on the target, on all its versions and on their relations, oldest first. One query, and another
    where there are relations.

    An undo is no step of its own: what it took back is marked so.
    """
    about, thread = _about(note_item, target)
    if thread:
        for relation in ("made_relation", "withdrew_relation"):
            about |= Q(**{f"{relation}__head": thread}) | Q(**{f"{relation}__tail": thread})
    found = (
        Decision.objects.filter(about, note_item=note_item)
        .exclude(verdict=_Verdict.UNDO)
        .select_related("reviewer", "item__suggestion", "undone_by")
        .select_related("made", "withdrew__certificate", "made_relation", "withdrew_relation")
        .order_by("pk")
    )
    labels = _labels_across(note_item, found, thread)
    accepted = next(filter(None, map(_accepted, [target, *(decision.withdrew for decision in found)])), None)
    return ([accepted] if accepted else []) + [
        Step(
            words=_words(decision, thread, labels),
            by=decision.reviewer.get_username(),
            at=decision.decided_at,
            is_undone=hasattr(decision, "undone_by"),
        )
        for decision in found
    ]


def _accepted(said: Target | None) -> Step | None:
    """That what is said was accepted under a certificate, which is the first thing that was done to it."""
    if not isinstance(said, Annotation) or said.certificate is None:
        return None
    words = f"Accepted as {said.label}, not read by a person"
    return Step(words=words, by=f"certificate {said.certificate.number}", at=said.created_at, is_undone=False)


def _about(note_item: ReviewItem, target: Target) -> tuple[Q, str]:
    """Which decisions are on the target or on any of its versions; and the thread by which relations name it."""
    source = source_of(target)
    if isinstance(source, Decoy | DecoyAnswer):
        decoy = source if isinstance(source, Decoy) else source.decoy
        return Q(item=decoy.item_id) | Q(made_answer__decoy=decoy) | Q(withdrew_answer__decoy=decoy), ""
    versions = _versions(note_item, source)
    about = Q(made__in=versions) | Q(withdrew__in=versions)
    origin = source.origin_id if isinstance(source, Annotation) else source.pk
    if origin is not None:
        about |= Q(item__suggestion=origin)
    return about, source.thread if isinstance(source, Annotation) else ""


def _versions(note_item: ReviewItem, source: Suggestion | Annotation) -> Any:
    """The ids of all versions of the annotation, or of those that came from the suggestion."""
    of_note = Annotation.objects.filter(set__document=note_item.document_id)
    if isinstance(source, Annotation):
        of_note = of_note.filter(Q(public_id=source.thread) | Q(first_version=source.thread))
    else:
        of_note = of_note.filter(origin=source.pk)
    return of_note.values("pk")


def _labels_across(note_item: ReviewItem, decisions: Iterable[Decision], thread: str) -> dict[str, str]:
    """The labels that the spans at the other ends of the thread's relations have or had last, by thread."""
    relations = [decision.made_relation or decision.withdrew_relation for decision in decisions]
    others = {end for each in relations if each for end in (each.head, each.tail)} - {thread}
    if not others:
        return {}
    versions = Annotation.objects.filter(set__document=note_item.document_id)
    found = versions.filter(Q(public_id__in=others) | Q(first_version__in=others)).order_by("pk")
    return {version.thread: version.label for version in found}


def _words(decision: Decision, thread: str, labels: Mapping[str, str]) -> str:
    again = ", again" if decision.redoes_id else ""
    relation = decision.made_relation or decision.withdrew_relation
    if relation is not None:
        is_head = relation.head == thread
        other = labels[relation.tail if is_head else relation.head]
        gone = "" if decision.made_relation else " removed"
        return f"{relation.type} {'→' if is_head else '←'} {other}{gone}{again}"
    return _words_of_span(decision) + again


def _words_of_span(decision: Decision) -> str:
    verdict = _Verdict(decision.verdict)
    before, after = decision.taken or (decision.item.asked if decision.item else None), decision.put
    if verdict != _Verdict.EDIT or before is None or after is None:
        said = after or before
        done = _DONE.get(verdict, verdict.label)
        return f"{done} as {said.label}" if said else done
    return sentence("; ".join(_changes(before, after)) or "edited").rstrip(".")


def _changes(before: Source, after: Annotation | DecoyAnswer) -> Iterator[str]:
    if before.label != after.label:
        yield f"label {before.label} → {after.label}"
    if before.fragments != after.fragments:
        yield f"place {_place(before)} → {_place(after)}"
    for name, value in sorted(after.attributes.items()):
        earlier = before.attributes.get(name)
        if earlier != value and (earlier is not None or before.label == after.label):
            yield f"{name} {value}"


def _place(source: Source) -> str:
    return f"{source.start}–{source.end}"
