"""What people made of suggestions, for whoever learns from it or tests it: reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.schema import Schema, SchemaError
from annotator.core.sections import sections
from annotator.documents.models import Document
from annotator.projects.models import SchemaVersion
from annotator.review.models import FIRST_APART, Decision, ReviewItem
from annotator.suggestions.models import Labeler, Suggestion

_PAGE = 500
_Status = ReviewItem.Status
_Unit = ReviewItem.Unit
_ON_THE_SPAN = (Decision.Verdict.ACCEPT, Decision.Verdict.REJECT, Decision.Verdict.EDIT)


@dataclass(frozen=True, slots=True)
class DecidedCase:
    """A suggestion that somebody was asked about because it was uncertain, and whether they took it unchanged.

    `document_id` is the note's row id; `section` the key of the heading that its place stands under, empty before the
    first.
    """

    suggestion_id: int
    label: str
    score: float
    signals: Mapping[str, Any]
    document_id: int
    section: str
    note_type: str
    is_right: bool


def candidates(*, labeler: Labeler) -> QuerySet[Suggestion]:
    """The labeler's suggestions that a test may rest on: exactly aligned, waiting and never decided in any way, in
    notes that one person reads, and not blind.
    """
    notes = ReviewItem.objects.filter(document=OuterRef("document"), unit=_Unit.NOTE)
    decided = Decision.objects.filter(item=OuterRef("pk"))
    waiting = ReviewItem.objects.filter(
        ~Exists(decided), suggestion=OuterRef("pk"), slot__lt=FIRST_APART, status=_Status.OPEN, skipped_at=None
    )
    return Suggestion.objects.filter(
        Exists(waiting),
        Exists(notes.filter(slot=1).exclude(stream=ReviewItem.Stream.BLIND)),
        ~Exists(notes.filter(slot__gt=1)),
        job__run__labeler=labeler,
        alignment=Suggestion.Alignment.EXACT,
    )


def outcomes_of(*, suggestions: Collection[int]) -> dict[int, bool]:
    """Whether people took each of these suggestions unchanged; what nobody has decided is not among them.

    Taken unchanged: the reader's set has the same span and label, and over the schema's defaults the same attributes.
    What is skipped is not taken. Of what was accepted under a certificate, what the note's reader changed or withdrew
    since is decided. A suggestion that several people were asked about counts by the first slot. Five queries at most.
    """
    items = ReviewItem.objects.filter(suggestion__in=suggestions, unit=_Unit.SPAN)
    found: dict[int, bool] = {}
    for item, is_right in _judged(items.select_related("suggestion").order_by("slot")):
        found.setdefault(_suggestion(item).pk, is_right)
    return found


def second_outcomes_of(*, suggestions: Collection[int]) -> dict[int, bool]:
    """The same of their second readers, each of whom was asked in a slot of their own. Four queries at most."""
    items = ReviewItem.objects.filter(suggestion__in=suggestions, unit=_Unit.SECOND_SPAN, second_read__isnull=False)
    judged = _judged(items.select_related("suggestion"), of=_Unit.SECOND, kind=AnnotationSet.Kind.SECOND)
    return {_suggestion(item).pk: is_right for item, is_right in judged}


def decided_cases(*, labeler: Labeler) -> list[DecidedCase]:
    """The labeler's suggestions that people decided because they were uncertain: none that were audited, or decided
    unasked. Of several readers the first slot counts. Six queries for five hundred.
    """
    decided = Decision.objects.filter(
        item=OuterRef("pk"), stream=ReviewItem.Stream.UNCERTAIN, verdict__in=_ON_THE_SPAN, undone_by=None
    )
    items = ReviewItem.objects.filter(
        Exists(decided),
        suggestion__job__run__labeler=labeler,
        unit=_Unit.SPAN,
        status=_Status.DECIDED,
        stream=ReviewItem.Stream.UNCERTAIN,
    )
    cases: dict[int, DecidedCase] = {}
    pks = list(items.order_by("slot", "pk").values_list("pk", flat=True))
    for first in range(0, len(pks), _PAGE):
        of_page = ReviewItem.objects.filter(pk__in=pks[first : first + _PAGE])
        page = list(of_page.select_related("suggestion").order_by("slot", "pk"))
        notes = Document.objects.only("text", "note_type").in_bulk({item.document_id for item in page})
        for item, is_right in _judged(page):
            suggestion = _suggestion(item)
            if suggestion.pk not in cases:
                note = notes[item.document_id]
                cases[suggestion.pk] = DecidedCase(
                    suggestion_id=suggestion.pk,
                    label=suggestion.label,
                    score=suggestion.score,
                    signals=suggestion.signals,
                    document_id=note.pk,
                    section=_section(note.text, suggestion.span.start),
                    note_type=note.note_type,
                    is_right=is_right,
                )
    return list(cases.values())


def _judged(
    items: Iterable[ReviewItem],
    *,
    of: ReviewItem.Unit = _Unit.NOTE,
    kind: AnnotationSet.Kind = AnnotationSet.Kind.READING,
) -> Iterator[tuple[ReviewItem, bool]]:
    """Those of the span items, come with their suggestions, that are decided, and whether as suggested: in the sets of
    that kind of the readers of their notes, which are items of unit `of`.
    """
    known = [item for item in items if _may_be_decided(item)]
    readers = {
        (document, slot): reader
        for document, slot, reader in ReviewItem.objects.filter(
            document__in={item.document_id for item in known}, unit=of
        ).values_list("document_id", "slot", "leased_by_id")
    }
    said = _said_at(known, kind)
    schemas = {version.pk: version.schema for version in _versions(said)}
    accepted = {_suggestion(item).pk for item in known if item.status == _Status.CERTIFIED}
    untouched = _live_certified(accepted) if accepted else set()
    for item in known:
        suggestion = _suggestion(item)
        if suggestion.pk in untouched and item.status == _Status.CERTIFIED:
            continue
        reader = readers.get((item.document_id, item.slot))
        equal = said.get((item.document_id, reader, suggestion.label, suggestion.fragments))
        is_same = equal is not None and _is_same(suggestion, equal, schemas)
        yield item, is_same and item.status != _Status.OPEN


def _may_be_decided(item: ReviewItem) -> bool:
    is_skipped = item.status == _Status.OPEN and item.skipped_at is not None
    return is_skipped or item.status in (_Status.DECIDED, _Status.CERTIFIED)


def _said_at(
    items: Collection[ReviewItem], kind: AnnotationSet.Kind
) -> dict[tuple[int, int | None, str, str], tuple[int, Mapping[str, str]]]:
    """What sets of that kind have at the items' places: (schema version, attributes) by note, reader, label, place."""
    live = Annotation.objects.filter(
        set__document__in={item.document_id for item in items},
        set__kind=kind,
        fragments__in={_suggestion(item).fragments for item in items},
        status=Annotation.Status.LIVE,
    )
    return {
        (document, reader, label, fragments): (version, attributes)
        for document, reader, label, fragments, version, attributes in live.values_list(
            "set__document_id", "set__annotator_id", "label", "fragments", "schema_version_id", "attributes"
        )
    }


def _versions(said: Mapping[Any, tuple[int, Mapping[str, str]]]) -> Iterable[SchemaVersion]:
    return SchemaVersion.objects.filter(pk__in={version for version, _ in said.values()})


def _live_certified(suggestions: Collection[int]) -> set[int]:
    """Those of them whose annotation under a certificate is as it was accepted."""
    live = Annotation.objects.filter(origin__in=suggestions, certificate__isnull=False, status=Annotation.Status.LIVE)
    return {pk for pk in live.values_list("origin_id", flat=True) if pk is not None}


def _is_same(suggestion: Suggestion, said: tuple[int, Mapping[str, str]], schemas: Mapping[int, Schema]) -> bool:
    version, attributes = said
    try:
        return schemas[version].checked_attributes(label=suggestion.label, given=suggestion.attributes) == attributes
    except SchemaError:  # said under a schema that has no such attribute
        return False


def _section(text: str, start: int) -> str:
    found = [section.key for section in sections(text) if section.start <= start]
    return found[-1] if found else ""


def _suggestion(item: ReviewItem) -> Suggestion:
    if item.suggestion is None:
        raise ValueError("a note is no suggestion")
    return item.suggestion
