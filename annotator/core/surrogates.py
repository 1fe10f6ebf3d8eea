"""A note without its identifiers: each replaced by a surrogate of its kind, and all other spans moved along.

What stands for what follows from a secret key, the patient and the identifier: the same in all notes of a patient, and
another for every other patient. Without the key nothing is turned back.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from annotator.core.keyed import Draws, derived_key
from annotator.core.spans import Span
from annotator.core.surfaces import normal_surface
from annotator.core.surrogate_dates import WEEKDAY, Dates, Habits
from annotator.core.surrogate_forms import (
    OLDEST,
    age_like,
    contact_like,
    is_generic,
    number_like,
    own_address,
    own_number,
    place_like,
)
from annotator.core.surrogate_names import WORD, Names, name_words, word_key

PLACEHOLDERS = {kind: f"[{kind.upper()}]" for kind in ("name", "date", "age", "location", "contact", "number")}
NO_SURROGATE = "[IDENTIFIER]"
LONGEST_SHIFT = 365
_WEEKDAY_BEFORE = re.compile(rf"(?<![^\W_]){WEEKDAY}\.?(?:,\s*|\s+)(?:the\s+)?$", re.IGNORECASE)
_WEEKDAY_BEHIND = re.compile(rf"\s*[,(]?\s*{WEEKDAY}(?![^\W_])", re.IGNORECASE)
_REACH = 20
WORD_OR_NUMBER = re.compile(r"[^\W_]+")
# Shorter identifiers stand in other words too often to look for.
SHORTEST_LEFTOVER = 4


@dataclass(frozen=True, slots=True)
class Identifier:
    """Where a note names somebody, and how: a key of `identifiers.KINDS`."""

    span: Span
    kind: str


@dataclass(frozen=True, slots=True)
class Deidentified:
    """The new text, and where the spans lie in it, in their order. `replaced` counts places by kind. Of the spans,
    `n_inside` lay in an identifier and are its whole surrogate now; `n_widened` reached into one, and hold all of it.
    """

    text: str
    spans: tuple[Span, ...]
    replaced: Counter[str]
    n_inside: int = 0
    n_widened: int = 0


class Surrogates:
    """What stands for the identifiers of one patient, of whom `known` are all, as (kind, surface).

    `is_day_first` says how `03/04` is read where the patient's own dates do not tell.
    """

    def __init__(
        self, *, key: bytes, patient: str, known: Iterable[tuple[str, str]], is_day_first: bool = False
    ) -> None:
        known = sorted(set(known))
        self._key = derived_key(key, "patient", patient)
        shift = Draws(self._key, "days").below(2 * LONGEST_SHIFT) - LONGEST_SHIFT
        self.days = shift + (shift >= 0)
        self._barred = {word_key(word) for _, surface in known for word in WORD.findall(surface)}
        self._barred |= {normal_surface(surface) for _, surface in known}
        self._names = Names(self._key, [surface for kind, surface in known if kind == "name"], self._barred)
        habits = Habits.of(surface for kind, surface in known if kind == "date")
        told = habits.n_day_first - habits.n_month_first
        self._dates = Dates(
            days=self.days,
            is_day_first=told > 0 if told else is_day_first,
            year=habits.year or _SOME_YEAR,
            earliest=max(habits.years, default=OLDEST + 1) - OLDEST,
        )

    def of(self, kind: str, surface: str) -> str:
        """What stands for it: in the same form, or a word for its kind where the form is not understood."""
        found = self._like(kind, surface)
        is_same = normal_surface(found) == normal_surface(surface)
        if not found.strip() or (is_same and kind not in ("age", "date")):
            return PLACEHOLDERS.get(kind, NO_SURROGATE)
        return found

    def _like(self, kind: str, surface: str) -> str:
        match kind:
            case "name":
                return self._names.of(surface)
            case "date":
                return self._dates.of(surface)
            case "age":
                return age_like(surface)
            case "location":
                return place_like(self._key, surface, self._barred)
            case "contact":
                return contact_like(self._key, surface)
            case "number":
                return number_like(self._key, surface)
        return ""


# In which a day without a year lies, where no date of the patient has one.
_SOME_YEAR = 2001


def deidentified(
    *, text: str, identifiers: Iterable[Identifier], spans: Sequence[Span], surrogates: Surrogates
) -> Deidentified:
    """The text with each identifier replaced, and the spans moved along.

    Identifiers that overlap are one, of the longest's kind. A span that lies in one becomes its whole surrogate; one
    that crosses an edge is widened to it.
    """
    blocks = _blocks(text, identifiers)
    moves = _Moves([(start, end) for start, end, _ in blocks])
    parts, reached = [], 0
    replaced: Counter[str] = Counter()
    for start, end, kind in blocks:
        surrogate = surrogates.of(kind, text[start:end])
        parts += [text[reached:start], surrogate]
        moves.add(len(surrogate))
        replaced[kind] += 1
        reached = end
    parts.append(text[reached:])
    n_inside = n_widened = 0
    moved = []
    for span in spans:
        is_inside, is_widened = moves.touched(span)
        n_inside += is_inside
        n_widened += is_widened
        moved.append(moves.moved(span))
    return Deidentified("".join(parts), tuple(moved), replaced, n_inside, n_widened)


def leftover_pattern(known: Iterable[tuple[str, str]]) -> re.Pattern[str] | None:
    """What finds an identifier of a patient where it was not replaced; None where none is long enough to look for.

    Words of names, and whole numbers, addresses and places, of four characters or more; dates and ages are not looked
    for. A match that `is_leftover` says no to is another word.
    """
    wanted: dict[str, str] = {}
    for kind, surface in known:
        match kind:
            case "name":
                wanted |= {word_key(word): re.escape(word) for word in name_words(surface)}
            case "number" | "contact":
                own = own_number(surface) if kind == "number" else own_address(surface)
                wanted[own.casefold()] = r"[\s\-./()@_]{0,2}".join(map(re.escape, own))
            case "location" | "other" if not is_generic(surface):
                words = WORD_OR_NUMBER.findall(surface)
                wanted["".join(words).casefold()] = r"[\W_]+".join(map(re.escape, words))
    parts = [wanted[key] for key in sorted(wanted) if len(key) >= SHORTEST_LEFTOVER]
    return re.compile(rf"(?<![^\W\d_])(?:{'|'.join(parts)})(?![^\W\d_])", re.IGNORECASE) if parts else None


def n_leftovers(text: str, pattern: re.Pattern[str] | None, known: Iterable[tuple[str, str]]) -> int:
    """How many identifiers of the patient still stand in the text.

    A word that a name is written with large and that stands here small (`brown`) is another word, unless it is part of
    an address (`brown@`, `brown_12`).
    """
    if pattern is None:
        return 0
    small = {word_key(word) for kind, surface in known if kind != "name" for word in WORD.findall(surface)}
    small |= {word for kind, surface in known if kind == "name" for word in name_words(surface) if word.islower()}
    return sum(1 for found in pattern.finditer(text) if _is_leftover(text, found, small))


def _is_leftover(text: str, found: re.Match[str], small: set[str]) -> bool:
    if not found[0].islower() or not found[0].isalpha() or word_key(found[0]) in small:
        return True
    beside = text[max(found.start() - 1, 0) : found.start()] + text[found.end() : found.end() + 1]
    return any(character in "@_" or character.isdigit() for character in beside)


class _Moves:
    """Where what lay at an offset of the old text lies in the new one. `blocks` are the places that are replaced."""

    def __init__(self, blocks: Sequence[tuple[int, int]]) -> None:
        self._blocks = blocks
        self._starts = [start for start, _ in blocks]
        self._ends = [end for _, end in blocks]
        self._new: list[tuple[int, int]] = []
        self._by = [0]

    def add(self, length: int) -> None:
        """The next block has become so long."""
        start, end = self._blocks[len(self._new)]
        begins = start + self._by[-1]
        self._new.append((begins, begins + length))
        self._by.append(begins + length - end)

    def moved(self, span: Span) -> Span:
        """The span in the new text; what overlaps there is one fragment."""
        fragments: list[tuple[int, int]] = []
        for start, end in span.fragments:
            new_start, new_end = self._start(start), self._end(end)
            if fragments and new_start < fragments[-1][1]:
                new_start, new_end = fragments[-1][0], max(fragments[-1][1], new_end)
                fragments.pop()
            fragments.append((new_start, new_end))
        return Span(tuple(fragments))

    def touched(self, span: Span) -> tuple[bool, bool]:
        """Whether a fragment lies in a block and is less than it; whether one, not in any, has an end in a block."""
        is_inside = is_widened = False
        for start, end in span.fragments:
            at = bisect_right(self._starts, start) - 1
            if at >= 0 and end <= self._ends[at]:
                is_inside |= (start, end) != self._blocks[at]
            else:
                is_widened |= self._in_block(start) or self._in_block(end)
        return is_inside, is_widened

    def _in_block(self, offset: int) -> bool:
        at = bisect_left(self._starts, offset) - 1
        return at >= 0 and offset < self._ends[at]

    def _start(self, offset: int) -> int:
        at = bisect_right(self._starts, offset) - 1
        if at >= 0 and offset < self._ends[at]:
            return self._new[at][0]
        return offset + self._by[at + 1]

    def _end(self, offset: int) -> int:
        at = bisect_left(self._starts, offset) - 1
        if at >= 0 and offset <= self._ends[at]:
            return self._new[at][1]
        return offset + self._by[at + 1]


def _blocks(text: str, identifiers: Iterable[Identifier]) -> list[tuple[int, int, str]]:
    """The places to be replaced, in order, apart, without white space at their ends. A date takes along the weekday
    beside it, which would tell by how many days it was moved.
    """
    found: list[tuple[int, int, str]] = []
    for identifier in identifiers:
        for start, end in identifier.span.fragments:
            if identifier.kind == "date" and not identifier.span.is_discontinuous:
                start, end = _with_weekday(text, start, end)
            inner = text[start:end]
            start += len(inner) - len(inner.lstrip())
            end = start + len(inner.strip())
            if start < end:
                found.append((start, end, identifier.kind))
    merged: list[tuple[int, int, str]] = []
    longest = 0
    for start, end, kind in sorted(found, key=lambda block: (block[0], -block[1], block[2])):
        if merged and start < merged[-1][1]:
            before = merged.pop()
            kind = kind if end - start > longest else before[2]
            longest = max(longest, end - start)
            start, end = before[0], max(before[1], end)
        else:
            longest = end - start
        merged.append((start, end, kind))
    return merged


def _with_weekday(text: str, start: int, end: int) -> tuple[int, int]:
    before = _WEEKDAY_BEFORE.search(text[max(start - _REACH, 0) : start])
    if before:
        start -= len(before[0])
    behind = _WEEKDAY_BEHIND.match(text[end : end + _REACH])
    return start, end + len(behind[0]) if behind else end
