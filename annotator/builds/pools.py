"""Example pools: windows of finished notes, those that were asked for first, the others chosen so that all labels and
many patients are in them; and frozen.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, zip_longest

from annotator.accounts.models import User
from annotator.builds.records import NoteRecord
from annotator.builds.selectors import ReadySet, digest_of, locked_groups, note_pages, readiness
from annotator.builds.windows import answered_windows
from annotator.core.identifiers import LABEL, without_identifiers
from annotator.core.schema import Schema
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.selectors import schema_for
from annotator.suggestions.models import ExamplePool, PoolWish
from annotator.suggestions.pools import NewExample, add_pool
from annotator.suggestions.selectors import waiting_wishes

# Short windows: three of them and their answers stand in a prompt beside the note.
EXAMPLE_WINDOW = 600
MAX_EXAMPLES = 200
MAX_NOTES = 400
NO_LABEL = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A window that may become an example, which begins at `start` of its note. `patient` groups a patient's notes; one
    without is its own group.
    """

    patient: str
    labels: frozenset[str]
    new: NewExample
    start: int = 0


def freeze_pool(*, project: Project, actor: User | None, now: datetime, seed: int = 0) -> ExamplePool:
    """A pool of what people have finished now, in the newest schema; the newest pool itself where it would be the same.

    Windows with a place that is asked for come first, the oldest wish first; one that no window can hold goes on
    waiting. Patients of a locked test set are left out: what a prompt shows is not tested on. Reads at most MAX_NOTES
    notes. Raises PoolRefused.
    """
    version = schema_for(project)
    wishes = list(waiting_wishes(project).order_by("pk"))
    wished = dict.fromkeys(wish.document_id for wish in wishes)
    locked = locked_groups(project)
    ready = [
        found
        for found in readiness(project=project, is_human_only=True).sets
        if digest_of(project, found.patient_id, found.external_id) not in locked
    ]
    by_document = {found.document_id: found for found in ready}
    sets = [by_document[document] for document in wished if document in by_document][:MAX_NOTES]
    others = [found for found in ready if found.document_id not in wished]
    sets += spread_notes(others, n=MAX_NOTES - len(sets), seed=seed)
    notes = [note for page in note_pages(project=project, sets=sets) for note in page]
    keys = dict(
        Document.objects.filter(project=project, public_id__in=[note.public_id for note in notes]).values_list(
            "public_id", "pk"
        )
    )
    candidates = [
        found
        for note in notes
        if note.public_id in keys
        for found in _candidates(note, keys[note.public_id], version.schema)
    ]
    first, left = grant(candidates, wishes)
    chosen = spread_candidates(left, n=MAX_EXAMPLES, seed=seed, first=first[:MAX_EXAMPLES])
    return add_pool(
        project=project,
        schema_version=version,
        examples=[found.new for found in chosen],
        options={"seed": seed, "window": EXAMPLE_WINDOW, "n_notes": len(notes)},
        actor=actor,
        now=now,
    )


def spread_notes(sets: Sequence[ReadySet], *, n: int, seed: int) -> list[ReadySet]:
    """Up to `n` of the sets: one note of each patient before a second of any, in a random order."""
    by_patient: dict[str, list[ReadySet]] = defaultdict(list)
    for found in sets:
        by_patient[found.patient_id or f"note {found.document_id}"].append(found)
    draw = random.Random(seed)  # noqa: S311
    groups = [by_patient[patient] for patient in sorted(by_patient)]
    for group in groups:
        draw.shuffle(group)
    draw.shuffle(groups)
    rounds = zip_longest(*groups)
    return list(islice((found for row in rounds for found in row if found is not None), n))


def grant(candidates: Sequence[Candidate], wishes: Sequence[PoolWish]) -> tuple[list[Candidate], list[Candidate]]:
    """The windows that hold a wish's place, with their wishes and in their order, and those that hold none."""
    granted: dict[int, list[int]] = {}
    for wish in wishes:
        for at, found in enumerate(candidates):
            is_inside = found.start <= wish.start and wish.end <= found.start + len(found.new.text)
            if found.new.document_id == wish.document_id and is_inside:
                granted.setdefault(at, []).append(wish.pk)
                break
    first = [replace(candidates[at], new=replace(candidates[at].new, wishes=tuple(ids))) for at, ids in granted.items()]
    return first, [found for at, found in enumerate(candidates) if at not in granted]


def spread_candidates(
    candidates: Sequence[Candidate], *, n: int, seed: int, first: Sequence[Candidate] = ()
) -> list[Candidate]:
    """Up to `n` candidates, `first` and then of the others: each next one has the label that was chosen least, of the
    patient chosen least.

    Windows without a span count as a label of their own, since a model must learn to say nothing.
    """
    left = list(candidates)
    random.Random(seed).shuffle(left)  # noqa: S311
    chosen = list(first)
    n_of_label = Counter(kind for found in first for kind in _kinds(found))
    n_of_patient = Counter(found.patient for found in first)
    while left and len(chosen) < n:
        wanted = min({label for found in left for label in _kinds(found)}, key=lambda label: (n_of_label[label], label))
        best = min(
            (place for place, found in enumerate(left) if wanted in _kinds(found)),
            key=lambda place: n_of_patient[left[place].patient],
        )
        found = left.pop(best)
        chosen.append(found)
        n_of_label.update(_kinds(found))
        n_of_patient[found.patient] += 1
    return chosen


def _kinds(candidate: Candidate) -> Iterable[str]:
    return candidate.labels or (NO_LABEL,)


def _candidates(note: NoteRecord, document_id: int, schema: Schema) -> Iterable[Candidate]:
    """The note's windows that hold a word and whose answer is whole: no span of theirs is cut, or not the schema's.
    Identifiers are no part of an answer.
    """
    schema = without_identifiers(schema)
    note = note.only({found.label for found in note.spans} - {LABEL})
    answered = answered_windows(note=note, schema=schema, window=EXAMPLE_WINDOW, overlap=0, losses=Counter())
    for window, items in answered:
        text = note.text[window.start : window.end]
        n_touched = sum(found.span.start < window.end and window.start < found.span.end for found in note.spans)
        if n_touched == len(items) and any(map(str.isalnum, text)):
            yield Candidate(
                patient=note.patient_id or f"note {document_id}",
                labels=frozenset(item.label for item in items),
                new=NewExample(document_id=document_id, text=text, items=tuple(items)),
                start=window.start,
            )
