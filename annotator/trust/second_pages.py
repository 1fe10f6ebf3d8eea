"""What the pages of trust say of second readers: what they measured, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from annotator.certificates.models import Batch
from annotator.core.second_reads import Changed, Disagreement
from annotator.core.wording import counted
from annotator.trust.selectors import Standing

NO_SECOND = "no second reader"


@dataclass(frozen=True, slots=True)
class SecondRow:
    """A label's newest test: which share of audits called wrong, and of those called right, its second reader decided
    otherwise, each with its interval; `note` is what else there is to know.
    """

    name: str
    colour: str
    number: int
    both: tuple[tuple[str, str], tuple[str, str]]
    note: str


def second_rows(standings: Mapping[str, Standing], names: Iterable[tuple[str, str, str]]) -> list[SecondRow]:
    """A row for each label, come as (label, name, colour), whose newest test has a second reader."""
    return [
        SecondRow(
            name=name,
            colour=colour,
            number=standing.batch.number,
            both=(_share(standing.second.wrong), _share(standing.second.right)),
            note=_note(standing.second),
        )
        for label, name, colour in names
        if (standing := standings[label]).batch is not None and standing.second is not None
    ]


def in_words(batch: Batch, found: Disagreement | None) -> str:
    """The rule of the batch and what was measured, as the certificate says it."""
    if found is None:
        return "No second reader: audits count as the first decided them."
    rule = (
        f"Every audit that the first reader called wrong was decided again by a second, who was not told, and so were "
        f"{batch.second_percent} % of those called right, drawn when the batch was frozen. The second\u2019s decision "
        f"counts."
    )
    parts = [rule, _direction(found.wrong, "wrong", "right"), _direction(found.right, "right", "wrong")]
    if overlooked := found.expected_overlooked:
        low, high = overlooked[1]
        parts.append(
            f"Of all {found.n_right:,} called right that is about {overlooked[0]:.0f} ({low:.0f} to {high:.0f})."
        )
    parts.append(_note(found).capitalize() + "." if _note(found) else "")
    return " ".join(filter(None, parts))


def _direction(found: Changed, first: str, second: str) -> str:
    if not found.n:
        return f"None called {first} has been decided again yet."
    share, interval = _share(found)
    return f"Of those called {first}, {found.n_changed:,} {_are(found.n_changed)} {second}: {share} ({interval})."


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _share(found: Changed) -> tuple[str, str]:
    if found.share is None or found.interval is None:
        return "\u2013", "none decided again yet"
    return f"{found.share:.1%}", f"{found.interval.low:.1%} to {found.interval.high:.1%}, of {found.n:,}"


def _note(found: Disagreement) -> str:
    parts = []
    if found.n_waiting:
        parts.append(f"{counted(found.n_waiting, 'audit waits', 'audits wait')} for a second reader")
    if found.n_alone:
        parts.append(f"for {counted(found.n_alone, 'audit')} there was {NO_SECOND}")
    return "; ".join(parts)
