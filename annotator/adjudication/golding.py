"""Gold is what the choices that count make it: its rows are withdrawn, restored and added until it says that."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from annotator.accounts.models import User
from annotator.adjudication.models import Choice, Gold
from annotator.adjudication.selectors import CaseFile, WantedSpan
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.annotations.services import NewAnnotation, Said, add_adjudicated
from annotator.core.cases import SaidTie

_Key = tuple[object, ...]
_Live, _Withdrawn = Annotation.Status.LIVE, Annotation.Status.WITHDRAWN


def gold_set(*, file: CaseFile, adjudicator: User) -> AnnotationSet:
    """The note's gold set, for which the adjudicator answers from now on; made if it is new."""
    document = file.adjudication.document
    found, is_new = AnnotationSet.objects.get_or_create(
        document=document, kind=AnnotationSet.Kind.GOLD, defaults={"annotator": adjudicator}
    )
    if not is_new and found.annotator_id != adjudicator.pk:
        AnnotationSet.objects.filter(pk=found.pk).update(annotator=adjudicator)
    return found


def clashes(wanted: Iterable[WantedSpan]) -> list[WantedSpan]:
    """Those of the spans that another one, of an earlier case, has in place and label already."""
    seen: set[_Key] = set()
    found = []
    for each in wanted:
        key = (each.said.span, each.said.label)
        if key in seen:
            found.append(each)
        seen.add(key)
    return found


def write_gold(*, file: CaseFile, target: AnnotationSet, adjudicator: User, now: datetime) -> None:
    """Make the gold set say what the choices that count say. Queries do not grow with what it says."""
    wanted = file.wanted()
    again = clashes(wanted)
    spans = {_span_key(file, each): each for each in wanted if each not in again}
    rows = _rows(target, "annotation")
    missing = _match(rows, spans, Annotation)
    made = add_adjudicated(
        target=target,
        annotator=adjudicator,
        text=file.text,
        schema_version=file.schema_version,
        news=[_new_annotation(spans[key]) for key in missing],
        now=now,
    )
    _note_sources([(spans[key], row) for key, row in zip(missing, made, strict=True)])
    live = {key: row for key, row in [*rows.items(), *zip(missing, made, strict=True)] if key in spans}
    _write_ties(file, target, [(spans[key], row) for key, row in live.items()], adjudicator, now)
    _write_values(file, target, adjudicator, now)


def _write_ties(
    file: CaseFile,
    target: AnnotationSet,
    spans: list[tuple[WantedSpan, Annotation]],
    adjudicator: User,
    now: datetime,
) -> None:
    """The relations, as far as gold has their ends."""
    in_case: dict[str, list[Annotation]] = defaultdict(list)
    for each, row in spans:
        in_case[each.case_key].append(row)
    wanted: dict[_Key, tuple[Choice, SaidTie, Annotation, Annotation]] = {}
    for case in file.cases:
        choice, version = file.taken(case)
        for tie in version.ties if choice and version else ():
            head, tail = (_end(end, in_case) for end in (tie.head, tie.tail))
            if choice and head and tail and _joins(file, tie.type, head, tail):
                wanted[choice.pk, tie.type, head.thread, tail.thread] = (choice, tie, head, tail)
    missing = _match(_rows(target, "relation"), wanted, Relation)
    made = Relation.objects.bulk_create(
        Relation(
            set=target,
            annotator=adjudicator,
            schema_version=file.schema_version,
            type=tie.type,
            head=head.thread,
            tail=tail.thread,
            created_at=now,
        )
        for _, tie, head, tail in map(wanted.__getitem__, missing)
    )
    Gold.objects.bulk_create(Gold(choice=wanted[key][0], relation=row) for key, row in zip(missing, made, strict=True))


def _write_values(file: CaseFile, target: AnnotationSet, adjudicator: User, now: datetime) -> None:
    wanted: dict[_Key, tuple[Choice, str, str]] = {}
    for case in file.cases:
        choice, version = file.taken(case)
        if choice and version and version.value:
            name = case.key.removeprefix("value ")
            wanted[choice.pk, name, version.value] = (choice, name, version.value)
    missing = _match(_rows(target, "value"), wanted, DocumentValue)
    made = DocumentValue.objects.bulk_create(
        DocumentValue(
            set=target,
            annotator=adjudicator,
            schema_version=file.schema_version,
            name=name,
            value=value,
            created_at=now,
        )
        for _, name, value in map(wanted.__getitem__, missing)
    )
    Gold.objects.bulk_create(Gold(choice=wanted[key][0], value=row) for key, row in zip(missing, made, strict=True))


_KEYS: dict[str, Callable[..., _Key]] = {
    "annotation": lambda row: (row.fragments, row.label, json.dumps(row.attributes, sort_keys=True)),
    "relation": lambda row: (row.type, row.head, row.tail),
    "value": lambda row: (row.name, row.value),
}


def _rows(target: AnnotationSet, name: str) -> dict[_Key, Any]:
    """All that the gold set ever had of one kind, by the choice that it came from and what it says. One query."""
    found = Gold.objects.filter(**{f"{name}__set": target}).select_related(name).order_by("pk")
    return {(gold.choice_id, *_KEYS[name](getattr(gold, name))): getattr(gold, name) for gold in found}


def _match(rows: Mapping[_Key, Any], wanted: Mapping[_Key, object], model: type[Said]) -> list[_Key]:
    """Withdraw what is not wanted and restore what is, in that order; what of it there has never been."""
    gone = [row.pk for key, row in rows.items() if key not in wanted and row.status == _Live]
    back = [row.pk for key, row in rows.items() if key in wanted and row.status == _Withdrawn]
    for keys, status in ((gone, _Withdrawn), (back, _Live)):
        if keys:
            model._default_manager.filter(pk__in=keys).update(status=status)
    return [key for key in wanted if key not in rows]


def _span_key(file: CaseFile, wanted: WantedSpan) -> _Key:
    attributes = file.schema_version.schema.checked_attributes(
        label=wanted.said.label, given=dict(wanted.said.attributes)
    )
    said = (str(wanted.said.span), wanted.said.label, json.dumps(attributes, sort_keys=True))
    return (wanted.choice.pk, *said)


def _new_annotation(wanted: WantedSpan) -> NewAnnotation:
    origins = (source.origin_id for source in wanted.sources if source.origin_id)
    return NewAnnotation(
        span=wanted.said.span,
        label=wanted.said.label,
        attributes=dict(wanted.said.attributes),
        origin_id=next(origins, None),
    )


def _note_sources(made: list[tuple[WantedSpan, Annotation]]) -> None:
    """Say of each span where it comes from. Two queries."""
    rows = Gold.objects.bulk_create(Gold(choice=each.choice, annotation=row) for each, row in made)
    through = Gold.sources.through
    through._default_manager.bulk_create(
        through(gold_id=gold.pk, annotation_id=source.pk)
        for gold, (each, _) in zip(rows, made, strict=True)
        for source in each.sources
    )


def _end(end: str, in_case: Mapping[str, list[Annotation]]) -> Annotation | None:
    """The gold span that is the end of a relation: the only one of its case, else the one at the place itself."""
    among = in_case.get(end)
    if among is not None:
        return among[0] if len(among) == 1 else None
    return next((row for rows in in_case.values() for row in rows if row.fragments == end), None)


def _joins(file: CaseFile, type: str, head: Annotation, tail: Annotation) -> bool:
    allowed = file.schema_version.schema.relations_between(head.label, tail.label)
    return head.pk != tail.pk and type in {each.name for each in allowed}
