"""A grammar of marked text: rules of alternatives, in plain text files.

    @rule
    3 * an alternative of weight 3 with {another_rule} and a number {int 1 9}
    [P-absent:pain in the [A:{side} knee]]

`{rule|cap}`, `{rule|upper}` and `{rule|lower}` change the case, `{?rule}` is there or not, `{int a b}` and `{dec a b}`
are numbers. `[P:…]` marks a span of a label, `[P-absent:…]` one with an assertion, pieces `[P#1:…]` of one alternative
are one span. A rule's name may have a weight behind it: `@note_letter 3`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from llm_labeler.lexicon.dictionaries import disease_terms, drug_terms

LABELS: Mapping[str, str] = {
    "P": "Problem",
    "M": "Medication",
    "D": "Dosage",
    "T": "Test",
    "R": "Procedure",
    "A": "Anatomy",
}
ASSERTIONS = frozenset(("absent", "possible", "conditional", "hypothetical", "family"))
MAX_DEPTH = 40
_WEIGHT = re.compile(r"(\d+) \* ")
_HEADER = re.compile(r"@(\w+)(?: (\d+))?$")
_MARK = re.compile(r"\[([A-Z])(?:-([a-z]+))?(?:#(\d))?:")
_SLOT = re.compile(r"\{(\?)?(\w+)(?:\|(cap|upper|lower))?\}")
_NUMBER = re.compile(r"\{(int|dec) (-?[\d.]+) (-?[\d.]+)\}")
_ESCAPES = {"n": "\n", "t": "\t"}
_CASES: Mapping[str, Callable[[str], str]] = {
    "cap": lambda text: text[:1].upper() + text[1:],
    "upper": str.upper,
    "lower": str.lower,
}


_DICTIONARIES: Mapping[str, tuple[Callable[[], Iterator[tuple[str, str]]], tuple[str, ...]]] = {
    "drug_name": (drug_terms, ("drug_name",)),
    "disease_name": (disease_terms, ("disease_phrase", "disease_word")),
}
_PLAIN_NAME = re.compile(r"[^\W\d]{5,}(?:[ -][^\W\d]+){0,3}")


class GrammarError(ValueError):
    """A rule that cannot be read or expanded; the message names file, line and rule."""


@dataclass(frozen=True, slots=True)
class Marked:
    """One marked piece of a text. Pieces of equal `group` are one span; `assertion` is "" where present."""

    start: int
    end: int
    label: str
    assertion: str
    group: int


@dataclass(frozen=True, slots=True)
class _Slot:
    rule: str
    case: str | None
    is_optional: bool


@dataclass(frozen=True, slots=True)
class _Number:
    least: float
    most: float
    n_decimals: int


@dataclass(frozen=True, slots=True)
class _Mark:
    label: str
    assertion: str
    number: str | None
    parts: tuple[_Part, ...]


_Part = str | _Slot | _Number | _Mark


@dataclass(frozen=True, slots=True)
class _Rule:
    weight: int
    alternatives: tuple[tuple[_Part, ...], ...]
    weights: tuple[int, ...]


class Grammar:
    """Rules by name; `write` draws a text from one."""

    def __init__(self, rules: Mapping[str, _Rule]) -> None:
        self._rules = rules

    def top_rules(self) -> tuple[list[str], list[int]]:
        """The rules that make whole notes, and their weights."""
        names = sorted(name for name in self._rules if name.startswith("note_"))
        return names, [self._rules[name].weight for name in names]

    def write(self, rule: str, chance: random.Random) -> tuple[str, list[Marked]]:
        """A text drawn from `rule` and its marked pieces."""
        writer = _Writer(self, chance)
        writer.expand(rule, 0)
        return "".join(writer.pieces), writer.marked

    def faults(self) -> list[str]:
        """Slots without a rule, and rules that nothing uses."""
        used: set[str] = set(self.top_rules()[0])
        found = []
        for name, rule in self._rules.items():
            for slot in (slot for parts in rule.alternatives for slot in _slots(parts)):
                used.add(slot.rule)
                if slot.rule not in self._rules and slot.rule not in _DICTIONARIES:
                    found.append(f"@{name} wants {{{slot.rule}}}, which is nowhere")
        return sorted(set(found)) + sorted(f"@{name} is used by nothing" for name in self._rules if name not in used)


class _Writer:
    def __init__(self, grammar: Grammar, chance: random.Random) -> None:
        self._rules = grammar._rules
        self._chance = chance
        self._n_groups = 0
        self._length = 0
        self.pieces: list[str] = []
        self.marked: list[Marked] = []

    def expand(self, name: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise GrammarError(f"@{name} goes round in circles")
        if name in _DICTIONARIES:
            self._add(self._chance.choice(_names(name)))
            return
        rule = self._rules[name]
        (parts,) = self._chance.choices(rule.alternatives, rule.weights)
        self._write(parts, {}, depth)

    def _write(self, parts: Sequence[_Part], groups: dict[tuple[str, str], int], depth: int) -> None:
        for part in parts:
            if isinstance(part, str):
                self._add(part)
            elif isinstance(part, _Number):
                number = self._chance.uniform(part.least, part.most)
                self._add(f"{number:.{part.n_decimals}f}" if part.n_decimals else str(round(number)))
            elif isinstance(part, _Mark):
                self._mark(part, groups, depth)
            elif not part.is_optional or self._chance.random() < 0.5:
                self._fill(part, depth)

    def _mark(self, mark: _Mark, groups: dict[tuple[str, str], int], depth: int) -> None:
        self._n_groups += 1
        group = groups.setdefault((mark.label, mark.number), self._n_groups) if mark.number else self._n_groups
        start = self._length
        self._write(mark.parts, groups, depth)
        if self._length > start:
            self.marked.append(Marked(start, self._length, mark.label, mark.assertion, group))

    def _fill(self, slot: _Slot, depth: int) -> None:
        n_pieces = len(self.pieces)
        self.expand(slot.rule, depth + 1)
        if slot.case:
            text = "".join(self.pieces[n_pieces:])
            changed = _CASES[slot.case](text)
            if len(changed) == len(text):
                self.pieces[n_pieces:] = [changed]
        if slot.is_optional:
            self._add(" ")

    def _add(self, text: str) -> None:
        self.pieces.append(text)
        self._length += len(text)


def load_grammar() -> Grammar:
    """The grammar of the files beside this module. Raises GrammarError."""
    lines = []
    for file in sorted(resources.files(__package__).joinpath("grammar").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".txt"):
            numbered = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            lines += [(f"{file.name}:{number}", line) for number, line in numbered]
    return read_grammar(lines)


def read_grammar(lines: Sequence[tuple[str, str]]) -> Grammar:
    """The grammar of `lines`, as (place, line). Raises GrammarError with the place of the first fault."""
    read: dict[str, tuple[int, list[tuple[int, tuple[_Part, ...]]]]] = {}
    alternatives: list[tuple[int, tuple[_Part, ...]]] | None = None
    for place, line in lines:
        if not line.strip() or line.startswith("//"):
            continue
        if line.startswith("@"):
            header = _HEADER.match(line.rstrip())
            if header is None or header[1] in read:
                raise GrammarError(f"{place}: '@name' or '@name weight' is wanted, each name once")
            alternatives = []
            read[header[1]] = int(header[2] or 1), alternatives
        elif alternatives is None:
            raise GrammarError(f"{place}: a rule's '@name' must come first")
        else:
            weight = _WEIGHT.match(line)
            body = line[weight.end() :] if weight else line
            alternatives.append((int(weight[1]) if weight else 1, _read(body, place)))
    for name, (_, found) in read.items():
        if not found:
            raise GrammarError(f"@{name} has no alternative")
    return Grammar(
        {
            name: _Rule(weight, tuple(parts for _, parts in found), tuple(weight for weight, _ in found))
            for name, (weight, found) in read.items()
        }
    )


def _read(line: str, place: str) -> tuple[_Part, ...]:
    """The parts of one alternative."""
    stack: list[tuple[re.Match[str] | None, list[_Part]]] = [(None, [])]
    offset = 0
    while offset < len(line):
        parts = stack[-1][1]
        character = line[offset]
        if character == "\\" and offset + 1 < len(line):
            parts.append(_ESCAPES.get(line[offset + 1], line[offset + 1]))
            offset += 2
        elif character == "[":
            mark = _MARK.match(line, offset)
            if mark is None or mark[1] not in LABELS or (mark[2] and (mark[1] != "P" or mark[2] not in ASSERTIONS)):
                raise GrammarError(f"{place}: '[' opens no mark at column {offset + 1}; '\\[' is a bracket")
            stack.append((mark, []))
            offset = mark.end()
        elif character == "]":
            mark, inner = stack.pop()
            if mark is None:
                raise GrammarError(f"{place}: ']' closes nothing at column {offset + 1}; '\\]' is a bracket")
            stack[-1][1].append(_Mark(LABELS[mark[1]], mark[2] or "", mark[3], tuple(inner)))
            offset += 1
        elif character == "{":
            offset = _read_slot(line, offset, parts, place)
        else:
            parts.append(character)
            offset += 1
    if len(stack) > 1:
        raise GrammarError(f"{place}: a mark is not closed")
    return tuple(_joined(stack[0][1]))


def _read_slot(line: str, offset: int, parts: list[_Part], place: str) -> int:
    number, slot = _NUMBER.match(line, offset), _SLOT.match(line, offset)
    if number:
        n_decimals = len(number[3].partition(".")[2]) if number[1] == "dec" else 0
        parts.append(_Number(float(number[2]), float(number[3]), n_decimals))
        return number.end()
    if slot:
        parts.append(_Slot(slot[2], slot[3], slot[1] is not None))
        return slot.end()
    raise GrammarError(f"{place}: '{{' opens no slot at column {offset + 1}; '\\{{' is a brace")


def _joined(parts: Sequence[_Part]) -> Iterator[_Part]:
    """The parts, with neighbouring texts as one."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _slots(parts: Sequence[_Part]) -> Iterator[_Slot]:
    for part in parts:
        if isinstance(part, _Slot):
            yield part
        elif isinstance(part, _Mark):
            yield from _slots(part.parts)


@cache
def _names(slot: str) -> Sequence[str]:
    """A dictionary's names that stand in a sentence as they are: no numbers, no inverted ones ("anemia, aplastic")."""
    terms, kinds = _DICTIONARIES[slot]
    return sorted({name for name, kind in terms() if kind in kinds and _PLAIN_NAME.fullmatch(name)})
