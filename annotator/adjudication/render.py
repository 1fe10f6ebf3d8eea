"""A note with two of its readings side by side, as rows of escaped text and marks, and its cases as a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.text import Truncator

from annotator.accounts.models import User
from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import CaseFile, letter
from annotator.core.cases import Case, Kind, Version
from annotator.core.layout import text_layout
from annotator.core.schema import Label
from annotator.core.sides import Row, rows_of
from annotator.core.spans import Span
from annotator.review.render import draw_text
from annotator.review.selectors import PERSON, Mark, lost_label
from annotator.web.pills import Pill

QUOTED_CHARS = 60
DROPPED = "dropped"
_What = Choice.What
AGREED = Pill("Agreed", "", "agreed")
DISAGREEMENT = Pill("Disagreement", "warn", "disagree")
INCOMPLETE = Pill("Incomplete", "", "half")
ACCEPTED = Pill("Accepted", "ok", "check")
REJECTED = Pill("Rejected", "bad", "x")
_GROUPS = (DISAGREEMENT, INCOMPLETE, ACCEPTED, REJECTED, AGREED)
KINDS = {
    Kind.LABEL: "different label",
    Kind.EDGES: "different bounds",
    Kind.LABEL_AND_EDGES: "different label and bounds",
    Kind.ATTRIBUTES: "different attributes",
    Kind.NESTED: "nested or crossing",
    Kind.RELATION: "different relation",
    Kind.VALUE: "different value",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A case in the list: what it is about, how the readings differ or what was chosen, and its state."""

    place: str
    quote: str
    words: str
    pill: Pill
    state: Pill
    is_current: bool


@dataclass(frozen=True, slots=True)
class Side:
    """What one reading has in a row. `is_same`: nobody differs, so the first column says it."""

    letter: str
    html: str
    is_same: bool
    is_dropped: bool


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """`cases` are those that are not agreed on, else the first that is."""

    number: int
    start: int
    kind: str
    sides: Sequence[Side]
    cases: Sequence[Listed]
    is_current: bool


def place_of(case: Case) -> str:
    """What names a case in addresses and in the page."""
    return case.key.replace(" ", "-")


def pill_of(file: CaseFile, case: Case) -> Pill:
    """The state of a case, as the list groups it."""
    choice, version = file.taken(case)
    if choice is None or version is None:
        return INCOMPLETE if case.kind == Kind.INCOMPLETE else DISAGREEMENT
    if choice.what == _What.AGREED:
        return AGREED
    return REJECTED if version.is_empty else ACCEPTED


def chosen_words(file: CaseFile, case: Case) -> str:
    """Whose version was taken or rejected: "A", "A and B", "both", "a third version"; '' where it is open."""
    choice, version = file.taken(case)
    if choice is None or version is None:
        return ""
    if choice.what == _What.EDIT:
        return "a third version"
    if choice.what == _What.ALL:
        return "both" if len(case.versions) == 2 else "all"
    if version.is_empty:
        return file.letters(_merged(each for each in case.versions if not each.is_empty))
    taken = case.version(choice.version)
    return file.letters(taken) if taken else ""


def listed(file: CaseFile, case: Case, *, current: Case | None, viewer: User) -> Listed:
    """The case as the list and its row show it."""
    state = pill = pill_of(file, case)
    choice, _ = file.taken(case)
    if choice is not None and choice.what != _What.AGREED:
        words = chosen_words(file, case)
        word = "Edited" if choice.what == _What.EDIT else f"{state.word} {words}"
        pill = replace(state, word=word)
        who = "by rule" if choice.rule else "by you" if choice.adjudicator_id == viewer.pk else "by another"
        told = f"{words[:1].upper()}{words[1:]}, {who} {clock(choice)}"
    else:
        told = differs(file, case)
    return Listed(place_of(case), quote_of(file, case), told, pill, state, is_current=case == current)


def grouped(cases: Iterable[Listed]) -> list[tuple[Pill, list[Listed]]]:
    """The cases by their states, in the order of what is to be done."""
    rows = list(cases)
    groups = [(state, [row for row in rows if row.state == state]) for state in _GROUPS]
    return [(state, members) for state, members in groups if members]


def differs(file: CaseFile, case: Case) -> str:
    """How the readings differ, in a few words."""
    if case.kind in {Kind.LABEL, Kind.VALUE} and len(case.versions) < 4:
        return " or ".join("none" if each.is_empty else ", ".join(each.labels) for each in case.versions)
    if case.kind == Kind.INCOMPLETE:
        silent = next(version for version in case.versions if version.is_empty)
        return f"{file.letters(silent)} {'marked' if case.key.startswith('span ') else 'said'} nothing"
    return KINDS.get(case.kind, "all agree")


def quote_of(file: CaseFile, case: Case) -> str:
    """What a case is about: its words, the words at both ends of a relation, or the name of a label of the note."""
    if case.key.startswith("value "):
        return case.key.removeprefix("value ")
    if case.key.startswith("tie "):
        ends = case.key.removeprefix("tie ").split("span ")[1:]
        return " – ".join(_words(file, *map(int, end.split())) for end in ends)
    return _words(file, case.start, case.end)


def end_words(file: CaseFile, end: str) -> str:
    """The words at the end of a relation, which is a case or a span of its own."""
    numbers = end.removeprefix("span ").replace(";", " ").split()
    return _words(file, int(numbers[0]), int(numbers[-1]))


def draw_rows(file: CaseFile, *, shown: tuple[int, int], current: Case | None, viewer: User) -> list[DrawnRow]:
    """The text with the readings of these two places side by side."""
    layout = text_layout(file.text)
    drawn = []
    for number, row in enumerate(rows_of(file.text, file.cases), 1):
        kind = layout.kinds[layout.lines_of(Span.of(row.start, row.end))[0]]
        sides = [
            _side(file, row, place, current, is_same=not row.has_difference and place != shown[0]) for place in shown
        ]
        cases = [listed(file, case, current=current, viewer=viewer) for case in row.cases]
        told = [each for each in cases if each.state != AGREED] or cases[:1]
        drawn.append(DrawnRow(number, row.start, kind, sides, told, current in row.cases))
    return drawn


def clock(choice: Choice) -> str:
    """When it was chosen: the time, or the day of what is older."""
    at = timezone.localtime(choice.decided_at)
    return f"{at:%H:%M}" if at.date() == timezone.localdate() else f"{at.day} {at:%b}"


def label_named(file: CaseFile, name: str) -> Label:
    return next((label for label in file.schema_version.schema.labels if label.name == name), lost_label(name))


def _side(file: CaseFile, row: Row, place: int, current: Case | None, *, is_same: bool) -> Side:
    if is_same:
        return Side(letter(place), "", is_same=bool(row.cases), is_dropped=False)
    marks, ringed, is_dropped = [], [], []
    for case in row.cases:
        own = next(version for version in case.versions if place in version.readers)
        _, taken = file.taken(case)
        if not case.is_agreed or case.key in file.standing:
            is_dropped.append(taken is not None and not _is_kept(own, taken))
        for number, said in enumerate(own.spans):
            mark = Mark(
                key=f"{place_of(case)}-{letter(place)}{number}",
                span=said.span,
                surface=said.span.surface(file.text),
                label=label_named(file, said.label),
                attributes=dict(said.attributes),
                state=DROPPED if taken is not None and said not in taken.spans else PERSON,
            )
            marks.append(mark)
            ringed += [mark.key] if case == current else []
    schema = file.schema_version.schema
    html = draw_text(file.text, (row.start, row.end), marks, schema=schema, current=ringed)
    return Side(letter(place), html, is_same=False, is_dropped=bool(is_dropped) and all(is_dropped))


def _is_kept(own: Version, taken: Version) -> bool:
    return own == taken or (bool(own.spans) and set(own.spans) <= set(taken.spans))


def _merged(versions: Iterable[Version]) -> Version:
    return Version(readers=tuple(sorted(place for version in versions for place in version.readers)))


def _words(file: CaseFile, start: int, end: int) -> str:
    return Truncator(" ".join(file.text[start:end].split())).chars(QUOTED_CHARS)
