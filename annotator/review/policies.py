"""Which note or span comes next, of those that a person may take: the project's policy, and the turn of blind notes.

- *Benefit*: the note in which a minute of reading finds most that is wrong; in it the least certain span.
- *Least certain*: the least certain span of all, and its note.
- *Random*: the notes in the random order of their `blind_key`.

Each is read off an index of what is open (`review_item_next`, `review_item_random`), in its order and until the first
that may be taken, so that it costs the same however many notes there are and however much is done.

Notes that are read blind come in their random order whatever the policy: what they measure must not depend on what was
thought worth reading. They come evenly among a reader's other notes, so that each reader's notes with and without
suggestions are of the same time, and what was read so far has as many of them as the project.
"""

from __future__ import annotations

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.review.models import ReviewItem

_Stream = ReviewItem.Stream
_Policy = Project.Policy
# The order of notes; of the least certain, where none of them has an open span.
_NOTE_ORDER = {_Policy.RANDOM: "audit_key", _Policy.BENEFIT: "-priority", _Policy.LEAST_CERTAIN: "-priority"}


def next_note(
    notes: QuerySet[ReviewItem], *, project: Project, reviewer: User, in_round: bool = False
) -> ReviewItem | None:
    """Of these open note items, which the reviewer may take, the one that comes next; what was left comes last.

    A round is read to its end by whom it is given to, so in it blind notes have no turn of their own. Five queries at
    most, three more where notes are read blind.
    """
    fresh = notes.filter(skipped_at=None)
    if in_round:
        found = _first_note(fresh, project)
    else:
        blind, others = fresh.filter(stream=_Stream.BLIND), fresh.filter(stream=_Stream.UNCERTAIN)
        if _is_turn_of_blind(project, reviewer):
            found = _first_blind(blind) or _first_note(others, project)
        else:
            found = _first_note(others, project) or _first_blind(blind)
    return found or notes.filter(skipped_at__isnull=False).order_by("skipped_at", "pk").first()


def next_uncertain(spans: QuerySet[ReviewItem], notes: QuerySet[ReviewItem], *, project: Project) -> ReviewItem | None:
    """Of these open spans, each in one of the notes that the reader may take, the one that comes next.

    Two queries at most.
    """
    if project.policy == _Policy.LEAST_CERTAIN:
        return spans.order_by("-priority").first()
    of_note = spans.filter(document=OuterRef("document"), slot=OuterRef("slot"))
    note = in_order(notes.filter(Exists(of_note)), project).first()
    if note is None:
        return None
    return spans.filter(document=note.document_id, slot=note.slot).order_by("-priority", "pk").first()


def _first_note(notes: QuerySet[ReviewItem], project: Project) -> ReviewItem | None:
    if project.policy == _Policy.LEAST_CERTAIN and (found := _of_least_certain_span(notes, project)) is not None:
        return found
    return in_order(notes, project).first()


def in_order(notes: QuerySet[ReviewItem], project: Project) -> QuerySet[ReviewItem]:
    """The notes in the order of the policy, read off an index where they are open, not left, and of one stream."""
    return notes.order_by(_NOTE_ORDER[_Policy(project.policy)], "pk")


def _first_blind(notes: QuerySet[ReviewItem]) -> ReviewItem | None:
    return notes.order_by("audit_key", "pk").first()


def _of_least_certain_span(notes: QuerySet[ReviewItem], project: Project) -> ReviewItem | None:
    """The note of the least certain open span. Spans are looked through only where there is such a note: those of other
    people's would be looked through to the last.
    """
    notes = notes.order_by()
    if not notes.exists():
        return None
    spans = ReviewItem.objects.filter(
        Exists(notes.filter(document=OuterRef("document"), slot=OuterRef("slot"))),
        project=project,
        unit=ReviewItem.Unit.SPAN,
        status=ReviewItem.Status.OPEN,
        skipped_at=None,
    )
    place = spans.order_by("-priority").values_list("document", "slot").first()
    return None if place is None else notes.filter(document=place[0], slot=place[1]).first()


def _is_turn_of_blind(project: Project, reviewer: User) -> bool:
    """Whether blind notes are behind in what the reviewer has begun, notes of rounds left out. One query, by the index
    of who reads what; none where the project wants no blind notes.
    """
    if not project.blind_percent:
        return False
    begun = ReviewItem.objects.filter(project=project, unit=ReviewItem.Unit.NOTE, leased_by=reviewer, round=None)
    counts = begun.aggregate(n=Count("pk"), n_blind=Count("pk", filter=Q(stream=_Stream.BLIND)))
    # With the half the first of them comes in the middle of its share, not at the very start.
    return bool(counts["n_blind"] + 0.5 < (counts["n"] + 1) * project.blind_percent / 100)
