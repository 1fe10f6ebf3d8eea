"""From a case file to what the templates show."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from annotator.accounts.models import User
from annotator.adjudication.acts import Third
from annotator.adjudication.card import earlier_choices, guidance, newest_jobs, remarks_on, votes_on
from annotator.adjudication.models import Choice
from annotator.adjudication.render import (
    AGREED,
    draw_rows,
    end_words,
    grouped,
    label_named,
    listed,
    place_of,
    quote_of,
)
from annotator.adjudication.selectors import CaseFile, active_seconds_of, in_words, letter
from annotator.core.cases import Case, Kind, SaidSpan, Version, agreement
from annotator.core.schema import Label
from annotator.core.wording import work_words
from annotator.projects.access import Action, may
from annotator.projects.models import Membership
from annotator.readings.models import Adjudication, Difference
from annotator.review.pages import note_title
from annotator.web.pills import Pill

_What = Choice.What
_TITLES = {
    Kind.AGREED: "All readers agree",
    Kind.LABEL: "Same span, different label",
    Kind.EDGES: "Same label, different bounds",
    Kind.LABEL_AND_EDGES: "Different label and bounds",
    Kind.ATTRIBUTES: "Same span, different attributes",
    Kind.INCOMPLETE: "Not everyone marked it",
    Kind.NESTED: "Nested or crossing",
    Kind.RELATION: "Different relation",
    Kind.VALUE: "Different value",
}

_MOVES = (
    ("start:-1", "[", "Start earlier"),
    ("start:1", "]", "Start later"),
    ("end:-1", "{", "End earlier"),
    ("end:1", "}", "End later"),
)
_STATES = {
    Adjudication.Status.WAITING: Pill("Waits for a reader", "", "clock"),
    Adjudication.Status.OPEN: Pill("To adjudicate", "accent", "disagree"),
    Adjudication.Status.DONE: Pill("Gold", "ok", "check"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One way to settle the case: what is posted for it, its key, and whether it is what was chosen; of a version also
    its labels and the letters of who says it.
    """

    take: str
    key: str
    title: str
    detail: str
    labels: Sequence[Label] = ()
    letters: str = ""
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column; `active` is how long the reader was at work on the note, in words; `others` are
    the readers that may stand there instead, as (letter, columns)."""

    letter: str
    name: str
    submitted_at: Any
    n_spans: int
    active: str
    others: Sequence[tuple[str, str]]


def state_pill(adjudication: Adjudication) -> Pill:
    return _STATES[Adjudication.Status(adjudication.status)]


def place_url(found: Difference, membership: Membership) -> str:
    """Where the member sees what differs: in the readings side by side, where they may adjudicate; else the note."""
    project_id = membership.project.public_id
    if may(role=membership.role, action=Action.ADJUDICATE) and hasattr(found.document, "adjudication"):
        address = reverse("adjudication:note", args=[project_id, found.document.adjudication.public_id])
        return f"{address}?at={found.start}"
    return f"{reverse('browse:documents', args=[project_id])}?note={found.document.public_id}"


def case_named(file: CaseFile, place: str) -> Case | None:
    """The case that a page names so."""
    return next((case for case in file.cases if place_of(case) == place), None)


def case_at(file: CaseFile, offset: str) -> Case | None:
    """The case of spans that holds this code point of the note."""
    at = int(offset) if offset.isascii() and offset.isdigit() else -1
    return next((case for case in file.cases if case.start <= at < case.end), None)


def first_open(file: CaseFile, *, after: Case | None = None) -> Case | None:
    """The first open difference behind a case, else the first of all; None where all are settled."""
    waiting = [case for case in file.differences if case.key not in file.standing]
    if after is None:
        return waiting[0] if waiting else None
    behind = file.cases.index(after) if after in file.cases else 0
    return next((case for case in waiting if file.cases.index(case) > behind), waiting[0] if waiting else None)


def workspace_context(
    file: CaseFile,
    case: Case | None,
    *,
    membership: Membership,
    columns: str = "",
    third: Third | None = None,
    with_names: bool = False,
) -> dict[str, Any]:
    """All that the page shows: the list, two readings side by side, the card of `case`, and the action bar."""
    adjudication, viewer = file.adjudication, membership.user
    shown = _shown(file, case, columns)
    columns = "".join(map(letter, shown))
    is_done = adjudication.status == Adjudication.Status.DONE
    names = [reading.reader.get_username() for reading in file.readings]
    first, second = (file.readings[place].said for place in shown)
    seconds = active_seconds_of(file)
    cases = [listed(file, each, current=case, viewer=viewer) for each in file.cases]
    n_open = len(file.differences) - file.n_settled
    return {
        "adjudication": adjudication,
        "project_id": membership.project.public_id,
        "title": note_title(adjudication.document),
        "page_url": reverse("adjudication:note", args=[membership.project.public_id, adjudication.public_id]),
        "is_done": is_done,
        "n_cases": len(file.differences),
        "n_settled": file.n_settled,
        "n_open": n_open,
        "groups": grouped(cases),
        "beyond_text": [each for each in cases if each.state != AGREED and not each.place.startswith("span-")],
        "columns": [_column(file, shown, place, names if with_names else [], seconds) for place in shown],
        "in_columns": f"&columns={columns}" if len(file.readings) > 2 else "",
        "column_letters": columns if len(file.readings) > 2 else "",
        "agreement": agreement(first, second),
        "rows": draw_rows(file, shown=shown, current=case, viewer=viewer),
        "may_show_names": is_done and membership.role == Membership.Role.LEAD,
        "with_names": with_names,
        "is_own": any(reading.reader == viewer for reading in file.readings),
        "can_undo": not is_done and file.last is not None,
        "can_redo": not is_done and file.redoable is not None,
        "idempotency_key": uuid.uuid4().hex,
        "case": case,
        **(_card(file, case, third, viewer) if case else {}),
        **_around(file, case),
    }


def told_of(choice: Choice, file: CaseFile) -> str:
    """What was chosen, in words, and how many differences are left."""
    case = file.case(choice.case_key)
    if choice.what == _What.UNDO:
        done = "Undone"
    elif case is None:
        done = "Saved"
    else:
        done = f"{quote_of(file, case)}: {listed(file, case, current=None, viewer=choice.adjudicator).pill.word}"
    return f"{done}, {len(file.differences) - file.n_settled} left."


def vote_words(file: CaseFile, case: Case) -> str:
    """What the models say of the place of a case that is settled, in words. Two queries."""
    if not case.key.startswith("span "):
        return ""
    votes = votes_on(newest_jobs(file), case)
    said = (
        f"{vote.labeler}: "
        + (", ".join(f"{found.label}, score {found.score:.2f}" for found in vote.suggestions) or "nothing here")
        for vote in votes
    )
    return "; ".join(said)


def _card(file: CaseFile, case: Case, third: Third | None, viewer: User) -> dict[str, Any]:
    project = file.adjudication.document.project
    choice = file.standing.get(case.key)
    labels = list(dict.fromkeys(label for version in case.versions for label in version.labels))
    guide = guidance(project=project, labels=labels)
    return {
        "place": place_of(case),
        "case_title": _TITLES[case.kind],
        "case_quote": quote_of(file, case),
        "options": _options(file, case),
        "choice": choice,
        "chosen": listed(file, case, current=None, viewer=viewer),
        "may_edit": not case.key.startswith("tie "),
        "remarks": remarks_on(file, case),
        "guide": guide,
        "earlier": [] if case.is_agreed else earlier_choices(file, case),
        "vote": vote_words(file, case) if choice or case.is_agreed else "",
        "third": _third(file, case, third) if third else None,
    }


def _third(file: CaseFile, case: Case, third: Third) -> dict[str, Any]:
    """The form of a third version: the span with its label and attributes, or the values of a label of the note."""
    said, schema = third.said, file.schema_version.schema
    if said is None:
        values = schema.document_label(case.key.removeprefix("value ")).values
        return {"base": third.base.digest, "values": values, "value": third.value}
    given = dict(said.attributes)
    return {
        "base": third.base.digest,
        "part": third.part,
        "moves": _MOVES,
        "parts": [each.span.surface(file.text) for each in third.spans],
        "said": said,
        "surface": said.span.surface(file.text),
        "colour": label_named(file, said.label).colour,
        "labels": schema.labels,
        "attributes": [(each, given.get(each.name, each.default)) for each in schema.attributes_of(said.label)],
    }


def _around(file: CaseFile, case: Case | None) -> dict[str, Any]:
    """The differences before and after the case, round the ends, and the next open one."""
    differences = file.differences
    skipped = first_open(file, after=case)
    found = {"skip_to": place_of(skipped) if skipped and skipped != case else "", "previous": "", "next": ""}
    if not differences:
        return found
    at = differences.index(case) if case in differences else -1
    waiting = [each for each in differences if each.key not in file.standing]
    return found | {
        "previous": place_of(differences[at - 1]) if at >= 0 else place_of(differences[-1]),
        "next": place_of(differences[(at + 1) % len(differences)]),
        "position": waiting.index(case) + 1 if case in waiting else 0,
    }


def _shown(file: CaseFile, case: Case | None, columns: str) -> tuple[int, int]:
    """Whose readings stand side by side: those asked for, else those that differ most in the case."""
    letters = [letter(place) for place in range(len(file.readings))]
    asked = [letters.index(each) for each in columns if each in letters]
    if len(set(asked)) == 2:
        return asked[0], asked[1]
    if case is None or case.is_agreed or len(file.readings) == 2:
        return 0, 1
    first, second = sorted(version.readers[0] for version in case.most_different())
    return first, second


def _column(
    file: CaseFile, shown: tuple[int, int], place: int, names: Sequence[str], seconds: Mapping[int, float]
) -> Column:
    reading = file.readings[place]
    others = []
    for other in range(len(file.readings)):
        if other not in shown:
            pair = [other if each == place else each for each in shown]
            others.append((letter(other), "".join(map(letter, pair))))
    return Column(
        letter=letter(place),
        name=names[place] if names else "",
        submitted_at=reading.set.submitted_at,
        n_spans=len(reading.said.spans),
        active=work_words(seconds[reading.reader.pk]) if reading.reader.pk in seconds else "",
        others=others,
    )


def _options(file: CaseFile, case: Case) -> list[Option]:
    """The versions, all of them together where that can be said, and none: each with its number as key."""
    choice = file.standing.get(case.key)
    chosen = ""
    if choice is not None:
        chosen = f"version:{choice.version}" if choice.what == _What.VERSION else choice.what
    found = [_option(file, case, version, number, chosen) for number, version in enumerate(case.versions, 1)]
    n, two = len(case.versions), len(case.versions) == 2
    if case.both is not None:
        detail = f"keeps {'two' if two else 'all'} {'relations' if case.key.startswith('tie ') else 'spans'}"
        title = "Both" if two else "All of them"
        found.append(Option("all", _digit(n + 1), title, f"{detail} beside each other", is_chosen=chosen == "all"))
    if not any(version.is_empty for version in case.versions):
        title, detail = ("Neither", "rejects both, asks for a reason") if two else ("None", "rejects all, asks why")
        found.append(Option("neither", _digit(n + 2), title, detail, is_chosen=chosen == "neither"))
    return found


def _digit(number: int) -> str:
    return str(number) if number < 10 else ""


def _option(file: CaseFile, case: Case, version: Version, number: int, chosen: str) -> Option:
    take, letters = f"version:{version.digest}", file.letters(version)
    if version.is_empty:
        title, detail = "Nothing", f"as {letters}"
    elif len(version.spans) == 1:
        said = version.spans[0]
        if case.kind in {Kind.EDGES, Kind.LABEL_AND_EDGES}:
            title, detail = f"“{said.span.surface(file.text)}” from {letters}", _said_words(said)
        else:
            title, detail = f"{said.label} from {letters}", _attribute_words(said)
    elif version.spans:
        title = f"{len(version.spans)} spans from {letters}"
        detail = "; ".join(f"{_said_words(said)}: {said.span.surface(file.text)}" for said in version.spans)
    elif version.ties:
        title = f"{in_words([tie.type for tie in version.ties])} from {letters}"
        detail = "; ".join(f"{end_words(file, tie.head)} → {end_words(file, tie.tail)}" for tie in version.ties)
    else:
        title, detail = f"{version.value} from {letters}", ""
    labels = [label_named(file, said.label) for said in version.spans]
    return Option(take, _digit(number), title, detail, labels[:4], letters, chosen == take)


def _attribute_words(said: SaidSpan) -> str:
    return ", ".join(value for _, value in said.attributes) or "no attributes"


def _said_words(said: SaidSpan) -> str:
    return ", ".join([said.label, *(value for _, value in said.attributes)])
