"""What a comparison of two labelers tells: its report, and the spans by which one does better."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from annotator.builds.selectors import ReadySet
from annotator.certificates.models import CalibratorCase
from annotator.core.evaluation import FoundSpan, is_in_text
from annotator.core.intervals import FEWEST_NOTES
from annotator.core.labeler_comparison import (
    CANDIDATE,
    CURRENT,
    FOUND,
    N_DRAWS,
    ComparedNote,
    Parting,
    Reading,
    Side,
    compare_labelers,
    partings,
)
from annotator.core.matching import Labelled, share_a_character
from annotator.documents.models import Document
from annotator.jobs.services import JobRefused
from annotator.quality.selectors import found_spans, gold_spans, lost_quotes
from annotator.routing.confidence import calibrator_of, confidence_by
from annotator.suggestions.models import Labeler
from annotator.training.assistance import assistance
from annotator.training.compared import finished_test_notes, labels_of_both, last_readings
from annotator.training.models import ComparedSpan, LabelerComparison

SEED = 0
# So many of the notes that could not be read are named.
MOST_NAMED = 20
_PAGE = 500
Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """The report, the spans, and the row ids of the notes that they are of."""

    report: dict[str, Any]
    spans: list[ComparedSpan]
    documents: list[int]


def measure_comparison(comparison: LabelerComparison, advance: Advance) -> Measured:
    """With gold and readings as they are now. Raises JobRefused."""
    project = comparison.project
    test = finished_test_notes(project)
    if test is None:
        raise JobRefused("the test set was unlocked meanwhile: lock one, and start the comparison again")
    labelers = {CANDIDATE: comparison.candidate, CURRENT: comparison.current}
    jobs = {side: last_readings(labeler, test.documents) for side, labeler in labelers.items()}
    sets = [found for found in test.sets if all(found.document_id in read for read in jobs.values())]
    if len(sets) < FEWEST_NOTES:
        raise JobRefused(f"both have read {len(sets)} of the notes, and {FEWEST_NOTES} are needed: the runs say why")
    labels = labels_of_both(comparison.candidate, comparison.current)
    notes = _notes(sets, jobs, labels, advance)
    advance("Comparing", len(sets), len(sets))
    scored, scores = _with_confidence(notes, labelers, sets)
    helped = assistance(
        project=project, sets=sets, n_labels={document: len(note.gold) for document, note in notes.items()}
    )
    report = compare_labelers(list(scored.values()), labels, seed=SEED).to_json()
    alone = [note for document, note in scored.items() if document not in helped.notes]
    is_apart = FEWEST_NOTES <= len(alone) < len(scored)
    spans = _compared_spans(comparison, notes, labels)
    report |= {
        "n_spans": sum(len(note.gold) for note in notes.values()),
        "n_finished": len(test.sets),
        "gold_sha256": _gold_digest(sets, notes),
        "schema": comparison.candidate.schema_version.number,
        "test_set": {"build": test.build_number, "n_patients": test.n_patients},
        "seed": SEED,
        "n_draws": N_DRAWS,
        "scores": scores,
        "unread": {
            side: _named([found for found in test.sets if found.document_id not in jobs[side]]) for side in jobs
        },
        "assisted": {
            "n_notes": len(helped.notes),
            "n_spans": sum(len(note.gold) for document, note in notes.items() if document in helped.notes),
            "labelers": [
                {
                    "name": found.labeler.name,
                    "side": next((side for side, one in labelers.items() if one.digest == found.labeler.digest), ""),
                    "n_in_view": found.n_in_view,
                    "n_taken": found.n_taken,
                }
                for found in helped.labelers
            ],
            "n_notes_alone": len(alone),
            "alone": compare_labelers(alone, labels, seed=SEED).to_json() if is_apart else None,
        },
        "parted": _parted(spans),
    }
    return Measured(report, spans, [found.document_id for found in sets])


def _notes(
    sets: Sequence[ReadySet], jobs: Mapping[Side, Mapping[int, int]], labels: Sequence[str], advance: Advance
) -> dict[int, ComparedNote]:
    """By row id, in the order of `sets`. Six queries for five hundred."""
    notes: dict[int, ComparedNote] = {}
    for first in range(0, len(sets), _PAGE):
        advance("Reading notes", first, len(sets))
        page = sets[first : first + _PAGE]
        gold, _ = gold_spans([found.set_id for found in page], labels)
        of = {side: _readings([read[found.document_id] for found in page], labels) for side, read in jobs.items()}
        for found in page:
            document = found.document_id
            notes[document] = ComparedNote(
                patient=found.patient_id or f"note {document}",
                gold=gold[found.set_id],
                candidate=of[CANDIDATE].get(document, Reading([])),
                current=of[CURRENT].get(document, Reading([])),
            )
    return notes


def _readings(jobs: Sequence[int], labels: Collection[str]) -> dict[int, Reading]:
    """What was found, by note; one in which nothing was is missing."""
    spans, lost = found_spans(jobs), lost_quotes(jobs)
    texts = dict(Document.objects.filter(pk__in=list(lost)).values_list("pk", "text"))
    return {
        document: Reading(
            found=[each for each in spans.get(document, []) if each.label in labels],
            n_unaligned=len(lost.get(document, [])),
            n_invented=sum(not is_in_text(quote, texts[document]) for quote in lost.get(document, [])),
        )
        for document in {**spans, **lost}
    }


def _with_confidence(
    notes: Mapping[int, ComparedNote], labelers: Mapping[Side, Labeler], sets: Sequence[ReadySet]
) -> tuple[dict[int, ComparedNote], dict[str, Any]]:
    """The notes with each labeler's confidence for its score, where it has a calibrator; and what stands there."""
    scored = dict(notes)
    told: dict[str, Any] = {}
    for side, labeler in labelers.items():
        calibrator = calibrator_of(labeler)
        told[side] = {"calibrator": None, "n_fitted_here": 0}
        if calibrator is None:
            continue
        confidence = confidence_by(calibrator)
        cases = CalibratorCase.objects.filter(calibrator=calibrator)
        n_here = cases.filter(suggestion__document__in=[found.document_id for found in sets]).count()
        told[side] = {"calibrator": calibrator.number, "n_fitted_here": n_here}
        for document, note in scored.items():
            reading = note.candidate if side == CANDIDATE else note.current
            sure = reading._replace(
                found=[replace(each, score=confidence(each.label, each.score)) for each in reading.found]
            )
            scored[document] = replace(note, candidate=sure) if side == CANDIDATE else replace(note, current=sure)
    return scored, told


def _compared_spans(
    comparison: LabelerComparison, notes: Mapping[int, ComparedNote], labels: Sequence[str]
) -> list[ComparedSpan]:
    return [
        ComparedSpan(
            comparison=comparison,
            document_id=document,
            is_won=(parting.side == CANDIDATE) == (parting.deed == FOUND),
            deed=parting.deed,
            label=parting.span.label,
            fragments=str(parting.span.span),
            around=_around(parting, note),
        )
        for document, note in notes.items()
        for parting in dict.fromkeys(partings(note, labels))
    ]


def _around(parting: Parting, note: ComparedNote) -> dict[str, list[list[str]]]:
    """What gold and both labelers say where the span is."""

    def there(spans: Collection[Labelled] | Collection[FoundSpan]) -> list[list[str]]:
        touching = {(each.span, each.label) for each in spans if share_a_character(each.span, parting.span.span)}
        return [[str(span), label] for span, label in sorted(touching)]

    return {"gold": there(note.gold), CANDIDATE: there(note.candidate.found), CURRENT: there(note.current.found)}


def _parted(spans: Sequence[ComparedSpan]) -> dict[str, Any]:
    """How many were won and lost, in all and by label."""
    counts = Counter((span.label, span.is_won) for span in spans)
    labels = sorted({label for label, _ in counts})
    return {
        "won": sum(span.is_won for span in spans),
        "lost": sum(not span.is_won for span in spans),
        "labels": {label: {"won": counts[label, True], "lost": counts[label, False]} for label in labels},
    }


def _gold_digest(sets: Sequence[ReadySet], notes: Mapping[int, ComparedNote]) -> str:
    """Of the notes by their digests in this project, and what gold says in each: another digest is another test."""
    public = dict(Document.objects.filter(pk__in=list(notes)).values_list("pk", "public_id"))
    rows = sorted(
        "\0".join(
            [public[found.document_id], *sorted(f"{one.span} {one.label}" for one in notes[found.document_id].gold)]
        )
        for found in sets
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _named(sets: Sequence[ReadySet]) -> dict[str, Any]:
    keys = [found.document_id for found in sets[:MOST_NAMED]]
    names = dict(Document.objects.filter(pk__in=keys).values_list("pk", "public_id"))
    return {"n": len(sets), "notes": [names[key] for key in keys]}
