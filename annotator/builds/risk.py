"""What is known of the identifiers that may be left in a dataset, counted while its notes pass by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, Min, OuterRef
from django.template.loader import render_to_string

from annotator.builds.identified import kind_of
from annotator.builds.options import BuildOptions
from annotator.builds.records import NoteRecord, SpanRecord
from annotator.builds.selectors import ReadySet
from annotator.core.agreement import Kind
from annotator.core.identifiers import FINDER, KINDS, LABEL
from annotator.core.residual_risk import TwoLooks, estimate_json, left_behind, missed_share
from annotator.core.spans import Span
from annotator.core.surrogates import Deidentified
from annotator.projects.models import Project
from annotator.readings.models import Comparison
from annotator.review.models import REVEALED, UNSEEN, Decision, ReviewItem
from annotator.suggestions.models import LabelRun, Suggestion

FORM = "marginalia-deidentification-1"
_PAGE = 500
# Notes that are left out and named, so that somebody looks at them.
_MOST_NAMED = 100
# A note type that fewer patients have makes them easier to find.
_FEW = 5


class _BlindNote(NamedTuple):
    group: str
    shown_at: datetime
    found: tuple[SpanRecord, ...]


class RiskTally:
    """Counts over the notes of one dataset. Two queries at its beginning."""

    def __init__(self, *, project: Project, sets: Sequence[ReadySet]) -> None:
        self._project = project
        self._sets = sets
        self._shown_at = _read_blind(project, sets)
        self._blind: dict[str, _BlindNote] = {}
        self._by_patient: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._types: dict[str, set[str]] = defaultdict(set)
        self.n_notes = 0
        self.kinds: Counter[str] = Counter()
        self.found_by: Counter[str] = Counter()
        self.spans: Counter[str] = Counter()
        self.leftovers: dict[str, int] = {}

    def add(self, note: NoteRecord, group: str, found: Deidentified, *, n_merged: int) -> None:
        """Count one note that goes out; `note` is as it is stored."""
        self.n_notes += 1
        identifiers = tuple(one for one in note.spans if one.label == LABEL)
        self.kinds.update(kind_of(dict(one.attributes)) for one in identifiers)
        self.found_by.update(map(_found_by, identifiers))
        self.spans.update(inside=found.n_inside, widened=found.n_widened, merged=n_merged)
        self._by_patient[group][0] += sum(_found_by(one) == "added" for one in identifiers)
        self._by_patient[group][1] += len(identifiers)
        self._types[note.note_type].add(group)
        if note.public_id in self._shown_at:
            self._blind[note.public_id] = _BlindNote(group, self._shown_at[note.public_id], identifiers)

    def report(self, *, options: BuildOptions, key: str) -> dict[str, Any]:
        """All that is told of it; `key` is the key's fingerprint. No note text, and of ids those that are our own."""
        named = sorted(self.leftovers)[:_MOST_NAMED]
        patients = {group for groups in self._types.values() for group in groups}
        return {
            "form": FORM,
            "identifiers": "replaced",
            "surrogates": options.surrogates,
            "key": key,
            "n_notes": self.n_notes,
            "n_patients": len(patients),
            "kinds": {kind: self.kinds[kind] for kind in KINDS},
            "found_by": {name: self.found_by[name] for name in ("accepted", "edited", "added", "certificate")},
            "missed_by_labeler": estimate_json(
                missed_share([(n, of) for n, of in self._by_patient.values()]), digits=4
            ),
            "two_looks": left_behind(self._two_looks()).to_json(),
            "agreement": _agreement(self._project, self._sets),
            "spans": {name: self.spans[name] for name in ("inside", "widened", "merged")},
            "leftovers": {
                "n_notes": len(self.leftovers),
                "n_places": sum(self.leftovers.values()),
                "notes": {public_id: self.leftovers[public_id] for public_id in named},
            },
            "n_rare_types": sum(len(groups) < _FEW for groups in self._types.values()),
        }

    def _two_looks(self) -> list[TwoLooks]:
        """What labeler and person found apart in the notes that were read blind, by patient. A query a page."""
        by_patient: dict[str, Counter[str]] = defaultdict(Counter)
        public_ids = sorted(self._blind)
        for first in range(0, len(public_ids), _PAGE):
            page = public_ids[first : first + _PAGE]
            suggested = _suggested(page)
            for public_id in page:
                note = self._blind[public_id]
                counts = by_patient[note.group]
                counts["notes"] += 1
                for found in note.found:
                    if found.origin is not None or found.certificate is not None:
                        counts["labeler"] += 1
                    elif any(found.span.overlaps(other) for other in suggested.get(public_id, ())):
                        counts["both"] += 1
                    elif found.decided_at <= note.shown_at:
                        counts["person"] += 1
        names = ("notes", "both", "labeler", "person")
        return [TwoLooks(*(by_patient[group][name] for name in names)) for group in sorted(by_patient)]


def render_risk(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    return render_to_string("builds/deidentification.md", risk_context(report)).strip() + "\n"


def risk_context(report: Mapping[str, Any]) -> dict[str, Any]:
    """What page, card and report say of it, in words."""
    looks, missed, agreement = report["two_looks"], report["missed_by_labeler"], report["agreement"]
    left = looks["per_thousand"]
    return {
        "risk": report,
        "n_identifiers": sum(report["kinds"].values()),
        "kind_rows": [(kind, KINDS[kind], n) for kind, n in report["kinds"].items()],
        "missed": _share(missed["value"], missed["interval"]),
        "missed_caveat": missed["caveat"],
        "left": "" if left["value"] is None else f"{left['value']:g}{_between(left['interval'], '')}",
        "left_caveat": left["caveat"],
        "agreement": {
            "n_notes": agreement["n_notes"],
            "strict": _share(agreement["strict"], None),
            "overlap": _share(agreement["overlap"], None),
        }
        if agreement
        else None,
        "few": _FEW,
    }


def _share(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return ""
    between = None if interval is None else [round(100 * end, 1) for end in interval]
    return f"{100 * value:.1f} %{_between(between, ' %')}"


def _between(interval: Sequence[float] | None, unit: str) -> str:
    return f" (95 %: {interval[0]:g} to {interval[1]:g}{unit})" if interval else ""


def _found_by(found: SpanRecord) -> str:
    if found.certificate is not None:
        return "certificate"
    if found.origin is None:
        return "added"
    return "edited" if found.origin.is_edited else "accepted"


def _read_blind(project: Project, sets: Sequence[ReadySet]) -> dict[str, datetime]:
    """The notes that go out as somebody read them blind and went through the suggestions after: by public id, when
    these were shown.
    """
    readers = {found.document_id: found.annotator for found in sets if not found.is_gold}
    unseen = ReviewItem.objects.filter(
        document=OuterRef("document"), slot=OuterRef("slot"), status=ReviewItem.Status.CLOSED, reason=UNSEEN
    )
    items = ReviewItem.objects.filter(
        ~Exists(unseen),
        project=project,
        unit=ReviewItem.Unit.NOTE,
        stream=ReviewItem.Stream.BLIND,
        status=ReviewItem.Status.DECIDED,
        reason=REVEALED,
        leased_by__isnull=False,
    ).order_by()
    rows = items.values_list("pk", "document_id", "document__public_id", "leased_by__public_id")
    notes = {item: public_id for item, document, public_id, reader in rows if readers.get(document) == reader}
    done = Decision.objects.filter(note_item__in=items, verdict=Decision.Verdict.NOTE_DONE).order_by()
    shown = done.values_list("note_item").annotate(first=Min("decided_at"))
    return {notes[item]: at for item, at in shown if item in notes}


def _suggested(public_ids: Sequence[str]) -> dict[str, list[Span]]:
    """The identifiers that were suggested in each of the notes. One query."""
    rows = Suggestion.objects.filter(
        document__public_id__in=public_ids,
        label=LABEL,
        job__run__labeler__backend=FINDER,
        job__run__purpose=LabelRun.Purpose.WORK,
    ).exclude(fragments="")
    found: dict[str, list[Span]] = defaultdict(list)
    for public_id, fragments in rows.order_by().values_list("document__public_id", "fragments"):
        found[public_id].append(Span.parse(fragments))
    return found


def _agreement(project: Project, sets: Sequence[ReadySet]) -> dict[str, Any] | None:
    """How far people who read the same notes agree on identifiers; None where nobody did. One query."""
    wanted = {found.document_id for found in sets}
    rows = Comparison.objects.filter(project=project, pair__kind=Kind.ANNOTATORS.value).order_by()
    notes: set[int] = set()
    n_spans = n_strict = n_overlap = 0
    for document, counts in rows.values_list("document_id", "counts").iterator(chunk_size=2000):
        if document not in wanted:
            continue
        notes.add(document)
        n_a, n_b, strict, overlap = counts.get(LABEL, (0, 0, 0, 0))
        n_spans, n_strict, n_overlap = n_spans + n_a + n_b, n_strict + strict, n_overlap + overlap
    if not notes:
        return None
    strict, overlap = (round(2 * n / n_spans, 4) if n_spans else None for n in (n_strict, n_overlap))
    return {"n_notes": len(notes), "strict": strict, "overlap": overlap}
