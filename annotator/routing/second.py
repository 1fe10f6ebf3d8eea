"""The label of an audit, where a second reader decides some of them again: the rule, fixed when the batch is frozen.

What the first reader found wrong, and of what they found right that whose `second_key` is below the batch's share, is
decided by a second reader: their decision is the label. Until there is one there is no label, and the evidence ends
before it: what it counts is a prefix of the random order, each of whose labels is final. Where nobody is left who could
be the second reader the first's decision counts. `docs/certificates.md` says why the guarantee holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from annotator.audit.services import record_event
from annotator.certificates.models import Batch, BatchMember
from annotator.projects.models import Project
from annotator.review.holding import second_outcomes_of
from annotator.review.models import SecondRead
from annotator.review.second_reads import readers_of
from annotator.review.seconding import ask_second, give_up_second

_PAGE = 500
_Outcome = BatchMember.Outcome


@dataclass(slots=True)
class Due:
    """Second readings to be asked for, by suggestion: its audit key, and whether the first reader took it; and those
    whose outcome is not the one written down, by outcome.
    """

    keys: dict[int, float] = field(default_factory=dict)
    first: dict[int, bool] = field(default_factory=dict)
    changed: dict[str, list[int]] = field(default_factory=dict)


def second_percent_of(project: Project) -> int | None:
    """The share of audits found right that a second reader is to decide, of a batch that is frozen now; None where the
    project wants no second reader, or has nobody who could be one.
    """
    is_wanted = project.seconds == Project.Seconds.ON and len(readers_of(project)) > 1
    return project.second_percent if is_wanted else None


def is_alone(project: Project) -> bool:
    """Whether nobody is left in the project who could be a second reader. One query."""
    return len(readers_of(project, with_trials=True)) < 2


def final_labels(
    batch: Batch, page: Sequence[tuple[int, float, float | None]], first: Mapping[int, bool], due: Due
) -> dict[int, bool | None]:
    """Whether these suggestions, come with their audit and second keys, are right, of those that somebody decided:
    `first` has the first reader's word. None where a second reader's is waited for, which is to be asked for where that
    was not done yet (`due`). Six queries at most, none where the batch has no second reader.
    """
    found: dict[int, bool | None] = dict(first)
    if batch.second_percent is None:
        return found
    ids = [suggestion_id for suggestion_id, _, _ in page]
    reads = {read.suggestion_id: read for read in SecondRead.objects.filter(suggestion__in=ids)}
    said = second_outcomes_of(suggestions=[pk for pk, read in reads.items() if read.item_id])
    for suggestion_id, key, second_key in page:
        read = reads.get(suggestion_id)
        if read is None:
            if suggestion_id in first and _is_due(batch, first[suggestion_id], second_key):
                due.keys[suggestion_id], due.first[suggestion_id] = key, first[suggestion_id]
                found[suggestion_id] = None
        elif read.item_id is not None:
            found[suggestion_id] = said.get(suggestion_id)
            outcome = outcome_word(said.get(suggestion_id))
            if outcome != read.outcome:
                due.changed.setdefault(outcome, []).append(read.pk)
    return found


def write_second(batch: Batch, due: Due, now: datetime) -> bool:
    """Write down what second readers said, and ask for what is due; whether labels became final by that, since nobody
    is left who could be asked. The project is locked.
    """
    if batch.second_percent is None:
        return False
    for outcome, pks in due.changed.items():
        for first in range(0, len(pks), _PAGE):
            SecondRead.objects.filter(pk__in=pks[first : first + _PAGE]).update(outcome=outcome)
    n_settled = give_up_second(batch=batch)
    if due.first:
        n_asked, n_now = ask_second(batch=batch, keys=due.keys, first=due.first, now=now)
        n_settled += n_now
        record_event(
            project=batch.project.public_id,
            actor=None,
            verb="batch.second",
            object_id=batch.public_id,
            now=now,
            detail={"n_asked": n_asked, "n_settled": n_settled},
        )
    return n_settled > 0


def outcome_word(is_right: bool | None) -> str:
    """As rows have it; empty for None."""
    if is_right is None:
        return ""
    return _Outcome.RIGHT if is_right else _Outcome.WRONG


def _is_due(batch: Batch, is_right: bool, second_key: float | None) -> bool:
    if not is_right:
        return True
    return second_key is not None and batch.second_percent is not None and second_key < batch.second_percent / 100
