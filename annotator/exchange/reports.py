"""What an import found, did and refused: counts and row-level errors, never note text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from annotator.core.wording import counted

MAX_ERRORS = 100
MAX_LABELS = 200


@dataclass(slots=True)
class ImportReport:
    """Counts of one pass over a source. `n_errors` counts all errors, `errors` holds the first MAX_ERRORS."""

    n_rows: int = 0
    n_added: int = 0
    n_known: int = 0
    n_repeated: int = 0
    n_annotated: int = 0
    n_sets_known: int = 0
    n_spans: int = 0
    n_spans_repeated: int = 0
    n_spans_left_out: int = 0
    n_attributes_left_out: int = 0
    n_relations: int = 0
    n_relations_left_out: int = 0
    n_document_labels: int = 0
    n_document_labels_left_out: int = 0
    n_ignored: int = 0
    n_other_files: int = 0
    n_readings_left_out: int = 0
    schema_number: int | None = None
    run_number: int | None = None
    n_errors: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    unknown_voices: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    targets: dict[str, list[int]] = field(default_factory=dict)

    def fault(self, where: str, *messages: str) -> None:
        for message in messages:
            self.n_errors += 1
            if len(self.errors) < MAX_ERRORS:
                self.errors.append({"where": where, "message": message})

    def count_unknown(self, label: str) -> None:
        """Count a span of a label that nobody said what to do with; memory is bounded."""
        if label in self.unknown_labels or len(self.unknown_labels) < MAX_LABELS:
            self.unknown_labels[label] += 1
        else:
            self.unknown_labels["…"] += 1

    def fault_unknown_labels(self, schema_labels: tuple[str, ...]) -> None:
        """Make one error of all unknown labels, the most frequent first."""
        if not self.unknown_labels:
            return
        found = ", ".join(f"{label} ({n})" for label, n in self.unknown_labels.most_common())
        self.fault(
            "labels",
            f"not in the schema: {found}. Map each onto one of {', '.join(schema_labels)}, or leave it out",
        )

    def count_unknown_voice(self, name: str) -> None:
        """Count a note of a person of whom nobody said what becomes."""
        known = name in self.unknown_voices or len(self.unknown_voices) < MAX_LABELS
        self.unknown_voices[name if known else "…"] += 1

    def fault_unknown_voices(self) -> None:
        """Make one error of all who speak and of whom nobody said what becomes."""
        if self.unknown_voices:
            found = ", ".join(f"{name} ({n})" for name, n in self.unknown_voices.most_common())
            self.fault("annotators", f"nobody said what becomes of {found}: name a user or a labeler for each")

    def lose(self, losses: Mapping[str, int]) -> None:
        """Count what has no place here, by name; memory is bounded."""
        for name, n in losses.items():
            if n:
                self.losses[name if name in self.losses or len(self.losses) < MAX_LABELS else "…"] += n

    def count_for(self, target: str, *, n_spans: int) -> None:
        """Count a note for who or what its spans go to."""
        counts = self.targets.setdefault(target, [0, 0])
        counts[0] += 1
        counts[1] += n_spans

    @property
    def n_errors_unlisted(self) -> int:
        return self.n_errors - len(self.errors)

    def refusal(self) -> str:
        """One line on why nothing was imported."""
        return f"nothing was imported: {counted(self.n_errors, 'error')} in {counted(self.n_rows, 'row')}"

    def to_json(self) -> dict[str, Any]:
        counters = ("unknown_labels", "unknown_voices", "losses")
        return asdict(self) | {name: dict(getattr(self, name).most_common()) for name in counters}


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One count in words; `is_left_out` marks what did not come in."""

    text: str
    is_left_out: bool = False


MAX_LOSSES = 30
_NO_RELATION = "given twice, not in the schema, or of a span that is a suggestion or is left out"
# Count, what one and several are called, what is said of them, and whether they did not come in.
_TOLD = (
    ("n_added", "note", "notes", "added", False),
    ("n_annotated", "note", "notes", "with spans", False),
    ("n_spans", "span", "spans", "added", False),
    ("n_relations", "relation", "relations", "added", False),
    ("n_document_labels", "label of a note", "labels of notes", "added", False),
    ("n_known", "note", "notes", "skipped: here already, the same", True),
    ("n_repeated", "row", "rows", "skipped: said before in this source", True),
    ("n_sets_known", "note", "notes", "whose annotations are here already, the same", True),
    ("n_spans_repeated", "span", "spans", "left out: given twice for one note", True),
    ("n_spans_left_out", "span", "spans", "left out: label mapped to nothing", True),
    ("n_attributes_left_out", "attribute", "attributes", "left out: not in the schema", True),
    ("n_relations_left_out", "relation", "relations", f"left out: {_NO_RELATION}", True),
    ("n_document_labels_left_out", "label of a note", "labels of notes", "left out: suggestions have none", True),
    ("n_readings_left_out", "reading", "readings", "left out: of people or models mapped to nothing", True),
    ("n_ignored", "key", "keys", "of other kinds, not read", True),
    ("n_other_files", "file", "files", "of other types, not read", True),
)


def summary_lines(report: Mapping[str, Any]) -> list[SummaryLine]:
    """The counts of a report (`to_json`) in words, those that are not zero; an import of notes tells them always."""
    is_adding = not report["n_annotated"] or report["n_known"]
    lines = []
    for key, one, several, what, is_left_out in _TOLD:
        n = report.get(key, 0)  # a report of before there was this count
        if n or (key == "n_added" and is_adding):
            lines.append(SummaryLine(f"{n:,} {one if n == 1 else several} {what}", is_left_out))
    for target, (n_notes, n_spans) in report.get("targets", {}).items():
        lines.append(SummaryLine(f"{target}: {counted(n_spans, 'span')} in {counted(n_notes, 'note')}"))
    losses = sorted(report.get("losses", {}).items(), key=lambda loss: -loss[1])
    lines += [
        SummaryLine(f"{name[:1].upper()}{name[1:]}: {n:,}, which have no place here", is_left_out=True)
        for name, n in losses[:MAX_LOSSES]
    ]
    if report.get("schema_number"):
        lines.append(SummaryLine(f"Version {report['schema_number']} of the schema has the new labels"))
    if report["run_number"]:
        lines.append(SummaryLine(f"Run {report['run_number']} started: a model reads what it has not read yet"))
    return lines
