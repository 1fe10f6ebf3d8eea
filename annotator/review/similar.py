"""Earlier decisions on the same words, or on words with the same head, that a reader may see beside a span.

Their own, always. Those of others only out of sets that are submitted, in notes that wait for no reader and of which
this one has no open set, so that no reading is swayed. The reader of a blind note sees none at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Greatest, Substr

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.surfaces import similar_keys, surface_key
from annotator.review.blinding import is_read_alone
from annotator.review.models import OF_NO_READER, ReviewItem

SHOWN = 3
# Of so many candidates of each kind it is asked who may see them.
_LOOKED_AT = 60
BEFORE_CHARS, AFTER_CHARS = 24, 60


@dataclass(frozen=True, slots=True)
class SimilarDecision:
    """An annotation; one of the reader's own with the text around it: up to BEFORE_CHARS and AFTER_CHARS, which may
    begin and end in a word. Those of others come without, since this reader has not opened their notes.
    """

    before: str
    surface: str
    after: str
    label: str
    attributes: dict[str, str]
    annotator: User
    is_own: bool
    is_same: bool
    made_at: datetime


def similar_decisions(
    *, note_item: ReviewItem, reader: User, surface: str, leave_out: Annotation | None = None
) -> list[SimilarDecision]:
    """Up to SHOWN earlier decisions in the project: on the same surface first, own ones before others', newest first.

    Where there are more, one that gave another label has a place. `leave_out` is the annotation they are shown beside.
    Two queries: both go by index, whatever there is in the project, and only the second reads text of notes.
    """
    if is_read_alone(note_item):
        return []
    key = surface_key(project_id=note_item.document.project_id, surface=surface)
    candidates = _candidates(key, reader, leave_out)
    # The key has the project in it; a note that is being purged has left its project already.
    here = candidates.filter(set__document__project=note_item.document.project_id)
    here = here.exclude(set__kind=AnnotationSet.Kind.TRIAL).filter(certificate=None)
    chosen = _telling(list(_visible(here, key, reader)))
    return _with_context(chosen, key, reader) if chosen else []


def _candidates(key: str, reader: User, leave_out: Annotation | None) -> QuerySet[Annotation]:
    """The reader's nearest, the newest of the same surface, and some with the same head word: each from an index alone,
    and however many there are no more than _LOOKED_AT rows of the last two.
    """
    live = Annotation.objects.filter(status=Annotation.Status.LIVE)
    near = live.filter(surface_key__range=similar_keys(key))
    parts = (
        near.filter(annotator=reader).order_by(*_by_nearness(key, reader)),
        live.filter(surface_key=key).order_by("-created_at", "-pk"),
        near.order_by("-surface_key"),
    )
    # A slice within a union is nothing that SQLite knows; a slice within a part's condition is.
    own, same, others = (Annotation.objects.filter(pk__in=part.values("pk")[:_LOOKED_AT]) for part in parts)
    found = own.union(same, others).values("pk")
    candidates = Annotation.objects.filter(pk__in=found)
    return candidates if leave_out is None else candidates.exclude(pk=leave_out.pk)


def is_finished(reader: User, *, of: str = "") -> Q:
    """Whether a reading, or what `of` ("set__") leads to one, is submitted, its note waits for no reader, and this one
    has no open set of it: what others say there can sway no reading.
    """
    # `exclude(unit__in=…)`, since with `unit` and `status` given SQLite would look through all open notes for each row.
    note = OuterRef(f"{of}document")
    waiting = ReviewItem.objects.filter(document=note, status=ReviewItem.Status.OPEN).exclude(unit__in=OF_NO_READER)
    readings = AnnotationSet.objects.filter(kind=AnnotationSet.Kind.READING)
    in_hand = readings.filter(document=note, annotator=reader, status=AnnotationSet.Status.OPEN)
    is_submitted = {f"{of}kind": AnnotationSet.Kind.READING, f"{of}status": AnnotationSet.Status.SUBMITTED}
    return Q(**is_submitted) & ~Exists(waiting) & ~Exists(in_hand)


def _visible(candidates: QuerySet[Annotation], key: str, reader: User) -> QuerySet[Annotation, tuple[int, str, str]]:
    """(id, key, label) of those that the reader may see, nearest first."""
    return (
        candidates.filter(Q(annotator=reader) | is_finished(reader, of="set__"))
        .order_by(*_by_nearness(key, reader))
        .values_list("pk", "surface_key", "label")
    )


def _by_nearness(key: str, reader: User) -> tuple[Case, Case, str, str]:
    def first(condition: Q) -> Case:
        return Case(When(condition, then=Value(0)), default=Value(1), output_field=IntegerField())

    return first(Q(surface_key=key)), first(Q(annotator=reader)), "-created_at", "-pk"


def _telling(found: list[tuple[int, str, str]]) -> list[int]:
    """The first SHOWN, the last of them given up for the first with another label on the same surface."""
    chosen = found[:SHOWN]
    if len(chosen) == SHOWN and len({label for _, _, label in chosen}) == 1:
        _, key, label = chosen[0]
        other = next((row for row in found if row[1] == key and row[2] != label), None)
        chosen[-1] = other or chosen[-1]
    return [pk for pk, _, _ in chosen]


def _with_context(chosen: list[int], key: str, reader: User) -> list[SimilarDecision]:
    text = F("set__document__text")
    first = Greatest(F("start") - BEFORE_CHARS, 0)
    rows = (
        Annotation.objects.filter(pk__in=chosen).select_related("annotator").defer("fragments", "set__document__text")
    )
    windows = rows.annotate(
        before=_own(Substr(text, first + 1, F("start") - first), reader),
        after=_own(Substr(text, F("end") + 1, AFTER_CHARS), reader),
    )
    return [
        SimilarDecision(
            before=row.before,
            surface=row.surface,
            after=row.after,
            label=row.label,
            attributes=row.attributes,
            annotator=row.person,
            is_own=row.annotator_id == reader.pk,
            is_same=row.surface_key == key,
            made_at=row.created_at,
        )
        for row in sorted(windows, key=lambda row: chosen.index(row.pk))
    ]


def _own(window: Substr, reader: User) -> Case:
    return Case(When(annotator=reader, then=window), default=Value(""))
