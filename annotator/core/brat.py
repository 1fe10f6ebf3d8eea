"""brat standoff (`.ann`): text-bound spans with attributes, and relations of two spans, read and written.

Format: https://brat.nlplab.org/standoff.html. Offsets are half-open code points of the `.txt`, line endings included.
An event is its trigger: attributes and relations of the event go to that, and each of its arguments becomes a relation
from it, of the role's name. Equivalences, annotators' notes and normalisations are not read, only counted by name.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from annotator.core.foreign import MAX_LABEL, ForeignRelation, ForeignSpan
from annotator.core.spans import Span, SpanError

BINARY = "true"
MAX_FAULTS = 50
_LINE_END = re.compile(r"\r\n?|\n")
_Line = TypeVar("_Line")
_Read = TypeVar("_Read")
_IGNORED = {"*": "equivalences", "#": "notes of annotators", "N": "normalisations"}
_ROLE = re.compile(r"\d*$")  # brat numbers the second argument of a role and those after it


class BratError(ValueError):
    """A line that is not brat standoff; the message says which line and what is wanted, never what it reads."""


@dataclass(frozen=True, slots=True)
class BratFile:
    """What one `.ann` says; `losses` counts the lines of kinds that are not read, by what they are called.

    `faults` tells what is wrong with lines, the first MAX_FAULTS; `spans` and `relations` are those of the other lines.
    """

    spans: tuple[ForeignSpan, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    relations: tuple[ForeignRelation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Attribute:
    where: str
    name: str
    target: str
    value: str


@dataclass(frozen=True, slots=True)
class _Relation:
    where: str
    type: str
    head: str
    tail: str


class _Faults:
    """What is wrong with a file, the first MAX_FAULTS of it; `broken` are the ids of spans that could not be read."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self._messages: list[str] = []
        self._n_faults = 0

    def add(self, error: BratError) -> None:
        self._n_faults += 1
        if len(self._messages) < MAX_FAULTS:
            self._messages.append(str(error))

    def gather(self, lines: Iterable[_Line], read: Callable[[_Line], _Read]) -> list[_Read]:
        """What is read of the lines, without those that are wrong."""
        found = []
        for line in lines:
            try:
                found.append(read(line))
            except BratError as error:
                self.add(error)
        return found

    def messages(self) -> tuple[str, ...]:
        n_more = self._n_faults - len(self._messages)
        return (*self._messages, *([f"and {n_more} more wrong lines"] if n_more else []))


def parse_ann(content: str) -> BratFile:
    """The spans of an `.ann` file, in its order, and what is wrong with its lines."""
    spans: dict[str, ForeignSpan] = {}
    triggers: dict[str, str] = {}
    attributes: list[_Attribute] = []
    relations: list[_Relation] = []
    faults = _Faults()
    losses: Counter[str] = Counter()
    for number, line in enumerate(_LINE_END.split(content), start=1):
        if not line.strip():
            continue
        where, kind = f"line {number}", line[0]
        try:
            if kind == "T":
                _add_text_bound(line, where, spans)
            elif kind in "AM":
                attributes.append(_attribute(line, where))
            elif kind == "R":
                relations.append(_relation(line, where))
            elif kind == "E":
                relations += _event(line, where, triggers)
            elif kind in _IGNORED:
                losses[_IGNORED[kind]] += 1
            else:
                raise BratError(f"{where}: starts with none of T A M E R * # N")
        except BratError as error:
            faults.add(error)
            faults.broken.add(line.split(maxsplit=1)[0])
    faults.gather(attributes, lambda attribute: _attach(attribute, spans, triggers, faults.broken))
    places = {key: place for place, key in enumerate(spans)}
    joined = faults.gather(relations, lambda relation: _joined(relation, places, triggers, faults.broken))
    return BratFile(
        spans=tuple(spans.values()),
        losses=losses,
        faults=faults.messages(),
        relations=tuple(relation for relation in joined if relation),
    )


def write_ann(
    *,
    text: str,
    spans: Iterable[ForeignSpan],
    relations: Iterable[ForeignRelation] = (),
    notes: Iterable[tuple[int, str]] = (),
) -> str:
    """The spans and relations as an `.ann` file for the note `text`; parsed again, they are the same.

    A line end inside a span becomes a space in the quoted text, as brat has it. `notes` are remarks of one line on
    spans, by their places. Raises SpanError where a span ends beyond the note.
    """
    text_bounds: list[str] = []
    attributes: list[str] = []
    for number, span in enumerate(spans, start=1):
        surface = _LINE_END.sub(" ", span.span.surface(text))
        text_bounds.append(f"T{number}\t{span.label} {span.span}\t{surface}\n")
        for name, value in span.attributes.items():
            shown = "" if value == BINARY else f" {value}"
            attributes.append(f"A{len(attributes) + 1}\t{name} T{number}{shown}\n")
    ties = [
        f"R{number}\t{relation.type} Arg1:T{relation.head + 1} Arg2:T{relation.tail + 1}\n"
        for number, relation in enumerate(relations, start=1)
    ]
    remarks = [f"#{number}\tAnnotatorNotes T{place + 1}\t{note}\n" for number, (place, note) in enumerate(notes, 1)]
    return "".join(text_bounds + attributes + ties + remarks)


def _add_text_bound(line: str, where: str, spans: dict[str, ForeignSpan]) -> None:
    key, tab, rest = line.partition("\t")
    place, second_tab, surface = rest.partition("\t")
    label, _, offsets = place.partition(" ")
    if not (tab and second_tab and _is_id(key) and label and offsets):
        raise BratError(f"{where}: a span is written 'T1<tab>LABEL START END<tab>TEXT'")
    if len(label) > MAX_LABEL or not label.isprintable():
        raise BratError(f"{where}: a label has 1 to {MAX_LABEL} printable characters, this one {len(label)}")
    if key in spans:
        raise BratError(f"{where}: the id of this span was given in {spans[key].where}")
    try:
        span = Span.parse(offsets)
    except SpanError as error:
        raise BratError(f"{where}: {error}") from error
    except ValueError:  # a number of thousands of digits
        raise BratError(f"{where}: an offset is too large") from None
    spans[key] = ForeignSpan(where=where, span=span, label=label, surface=surface)


def _attribute(line: str, where: str) -> _Attribute:
    key, _, rest = line.partition("\t")
    parts = rest.rstrip().split(" ", 2)
    if not _is_id(key) or len(parts) < 2 or not all(parts):
        raise BratError(f"{where}: an attribute is written 'A1<tab>NAME T1 VALUE' or 'A1<tab>NAME T1'")
    return _Attribute(where=where, name=parts[0], target=parts[1], value=parts[2] if len(parts) == 3 else BINARY)


def _relation(line: str, where: str) -> _Relation:
    key, _, rest = line.partition("\t")
    type, *arguments = rest.split() or [""]
    ends = [end for _, _, end in (argument.partition(":") for argument in arguments)]
    if not _is_id(key) or len(ends) != 2 or not all(ends):
        raise BratError(f"{where}: a relation is written 'R1<tab>TYPE Arg1:T1 Arg2:T2'")
    if len(type) > MAX_LABEL or not type.isprintable():
        raise BratError(f"{where}: a relation's type has 1 to {MAX_LABEL} printable characters, this one {len(type)}")
    return _Relation(where=where, type=type, head=ends[0], tail=ends[1])


def _joined(
    relation: _Relation, places: Mapping[str, int], triggers: Mapping[str, str], broken: Collection[str]
) -> ForeignRelation | None:
    """None where a span of it could not be read."""
    ends = [triggers.get(end, end) for end in (relation.head, relation.tail)]
    if any(end in broken for end in ends):
        return None
    if not all(end in places for end in ends):
        raise BratError(f"{relation.where}: a span of the relation is not defined in this file")
    head, tail = (places[end] for end in ends)
    return ForeignRelation(where=relation.where, type=relation.type, head=head, tail=tail, may_be_left_out=True)


def _event(line: str, where: str, triggers: dict[str, str]) -> list[_Relation]:
    """The arguments of an event as relations from it; its trigger is noted, since it may be meant before it is read."""
    key, _, rest = line.partition("\t")
    parts = rest.split()
    pairs = [part.partition(":") for part in parts]
    if not _is_id(key) or not pairs or not all(role and target for role, _, target in pairs):
        raise BratError(f"{where}: an event is written 'E1<tab>TYPE:T1 ROLE:T2'")
    triggers[key] = pairs[0][2]
    roles = [(_ROLE.sub("", role), target) for role, _, target in pairs[1:]]
    if any(not role or len(role) > MAX_LABEL or not role.isprintable() for role, _ in roles):
        raise BratError(f"{where}: an event's role has 1 to {MAX_LABEL} printable characters")
    return [_Relation(where=where, type=role, head=key, tail=target) for role, target in roles]


def _attach(attribute: _Attribute, spans: dict[str, ForeignSpan], triggers: dict[str, str], broken: set[str]) -> None:
    target = triggers.get(attribute.target, attribute.target)
    if target not in spans:
        if target[:1] == "R" or target in broken:
            return
        raise BratError(f"{attribute.where}: the attribute's span is not defined in this file")
    given = spans[target].attributes
    if given.get(attribute.name, attribute.value) != attribute.value:
        raise BratError(f"{attribute.where}: the span has another value of this attribute already")
    spans[target] = replace(spans[target], attributes={**given, attribute.name: attribute.value})


def _is_id(key: str) -> bool:
    return len(key) > 1 and not any(character.isspace() for character in key)
