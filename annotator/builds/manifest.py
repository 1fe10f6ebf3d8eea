"""The manifest of a dataset: what is counted while the notes pass by, and what is checked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from annotator.builds.formats import FORMATS
from annotator.builds.options import PARTS, BuildOptions
from annotator.builds.records import CertificateRecord, LabelerRecord, NoteRecord
from annotator.builds.selectors import Readiness
from annotator.builds.splits import group_of
from annotator.builds.twins import NO_TWINS, Twins
from annotator.core import prompting
from annotator.core.identifiers import without_identifiers
from annotator.projects.models import Project, SchemaVersion

MANIFEST_FORM = "marginalia-dataset-1"
_LASTING = (
    *("form", "number", "project", "template_sha256", "formats", "offsets", "options", "parts", "n_notes", "n_spans"),
    *(
        "provenance",
        "certificates",
        "left_out",
        "losses",
        "checks",
        "files",
        "data_sha256",
        "twins",
        "test_set",
        "deidentification",
    ),
)
# Why a note is not in a dataset whose identifiers are replaced.
LEFTOVERS = "in which identifiers of the patient stand that nobody marked"


class Tally:
    """What is counted while the notes pass by."""

    def __init__(
        self,
        *,
        ready: Readiness,
        schema_version: SchemaVersion,
        options: BuildOptions,
        twins: Twins = NO_TWINS,
        test_set: Mapping[str, int] | None = None,
    ) -> None:
        self.ready = ready
        self.schema_version = schema_version
        self.options = options
        self.twins = twins
        self.test_set = test_set
        labels = options.filters.labels
        schema = schema_version.schema.only(labels) if labels else schema_version.schema
        self.schema = without_identifiers(schema) if options.replaces_identifiers else schema
        self.n_leftover = 0
        self.n_near_locked = 0
        self.documents: list[str] = []
        self.n_changed = 0
        self.n_certified = ready.n_certified
        self.n_discontinuous = 0
        self.notes: Counter[str] = Counter()
        self.spans: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
        self.relations: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
        self.values: dict[str, Counter[tuple[str, str]]] = {part: Counter() for part in PARTS}
        self.provenance: Counter[str] = Counter()
        self.stages: Counter[str] = Counter()
        self.labelers: Counter[LabelerRecord] = Counter()
        self.certificates: Counter[CertificateRecord] = Counter()
        self.losses: dict[str, dict[str, int]] = {}
        self.n_without_patient = 0
        # A bit a part, since there is a number for every patient and every text.
        self.parts_of_patient: dict[str, int] = {}
        self.parts_of_text: dict[bytes, int] = {}

    def add(self, note: NoteRecord, part: str, *, stored: NoteRecord) -> None:
        """Count a note as it goes out; `stored` has its own ids and text."""
        self.documents.append(stored.public_id)
        self.notes[part] += 1
        self.n_without_patient += not stored.patient_id
        group = group_of(patient_id=stored.patient_id, external_id=stored.id)
        digest = bytes.fromhex(stored.sha256)[:16]
        self.parts_of_patient[group] = self.parts_of_patient.get(group, 0) | _bit(part)
        self.parts_of_text[digest] = self.parts_of_text.get(digest, 0) | _bit(part)
        self.relations[part].update(relation.type for relation in note.relations)
        self.values[part].update((found.name, found.value) for found in note.document_labels)
        for found in note.spans:
            self.spans[part][found.label] += 1
            self.stages[found.stage] += 1
            self.n_discontinuous += found.span.is_discontinuous
            if found.origin is not None:
                self.labelers[found.origin.labeler] += 1
            if found.certificate is not None:
                self.certificates[found.certificate] += 1
            elif found.origin is None:
                self.provenance["added"] += 1
            else:
                self.provenance["edited" if found.origin.is_edited else "accepted"] += 1

    @property
    def n_spans(self) -> int:
        return sum(counts.total() for counts in self.spans.values())


def manifest_of(
    *,
    project: Project,
    name: str,
    number: int | None,
    tally: Tally,
    formats: Sequence[str],
    evidence: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The manifest but for its files. `evidence` is what is known of how good the labels are."""
    schema_version = tally.schema_version
    return {
        "form": MANIFEST_FORM,
        "name": name,
        "number": number,
        "project": project.public_id,
        "schema": {
            "number": schema_version.number,
            "digest": schema_version.digest,
            "definition": _definition(tally),
        },
        "template_sha256": prompting.template_digest(tally.options.template),
        "formats": sorted(formats),
        "offsets": {name: FORMATS[name].OFFSETS for name in sorted(formats)},
        "options": tally.options.to_json(),
        "parts": {part: _part_facts(tally, part) for part in PARTS},
        "n_notes": tally.notes.total(),
        "n_spans": tally.n_spans,
        "provenance": _provenance(tally),
        "labelers": [
            {
                "name": labeler.name,
                "backend": labeler.backend,
                "model_id": labeler.model_id,
                "revision": labeler.revision,
                "prompt_sha256": labeler.prompt_digest,
                "n_spans": n_spans,
            }
            for labeler, n_spans in sorted(tally.labelers.items())
        ],
        "certificates": [
            {
                "id": certificate.public_id,
                "number": certificate.number,
                "target": certificate.target,
                "delta": certificate.delta,
                "n_spans": n_spans,
            }
            for certificate, n_spans in sorted(tally.certificates.items())
        ],
        "left_out": _left_out(tally),
        "twins": {
            "n_clusters": len(tally.twins.clusters),
            "n_notes": tally.twins.n_notes,
            "n_in_two_parts": _n_torn(tally),
        },
        "test_set": tally.test_set,
        "losses": {
            format_name: {"fields": list(FORMATS[format_name].LEAVES_OUT), "counts": counts}
            for format_name, counts in sorted(tally.losses.items())
        },
        "evidence": dict(evidence),
        "checks": _checks(tally),
    }


def _definition(tally: Tally) -> dict[str, Any]:
    is_narrowed = tally.options.filters.labels or tally.options.replaces_identifiers
    return tally.schema.to_json() if is_narrowed else tally.schema_version.definition


def reduced_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What of a manifest stays when its files are purged: hashes, counts, settings; nothing that was typed in."""
    kept = {key: manifest[key] for key in _LASTING if key in manifest}
    schema = {key: manifest["schema"][key] for key in ("number", "digest")}
    options = {key: value for key, value in kept["options"].items() if key != "licence"}
    return kept | {"schema": schema, "options": options}


def _part_facts(tally: Tally, part: str) -> dict[str, Any]:
    return {
        "n_patients": sum(1 for parts in tally.parts_of_patient.values() if parts & _bit(part)),
        "n_notes": tally.notes[part],
        "n_spans": tally.spans[part].total(),
        "labels": {label: tally.spans[part][label] for label in _labels(tally)},
        **_facts_beyond_spans(tally, part),
    }


def _facts_beyond_spans(tally: Tally, part: str) -> dict[str, Any]:
    """Counts of relations by type and of labels of notes by value; none where no note of any part has such a thing."""
    types = sorted({type for counts in tally.relations.values() for type in counts})
    values = sorted({found for counts in tally.values.values() for found in counts})
    facts: dict[str, Any] = {}
    if types:
        facts["relations"] = {type: tally.relations[part][type] for type in types}
    if values:
        facts["document_labels"] = {f"{name}: {value}": tally.values[part][name, value] for name, value in values}
    return facts


def _labels(tally: Tally) -> list[str]:
    """The schema's labels, then those that only older annotations have."""
    known = list(tally.schema.label_names)
    return known + sorted({label for counts in tally.spans.values() for label in counts} - set(known))


def _provenance(tally: Tally) -> dict[str, Any]:
    """Spans by who decided them, and, of those that people decided, by whether a model had suggested them."""
    n_certified = tally.certificates.total()
    return {
        "person": tally.n_spans - n_certified,
        "certificate": n_certified,
        "of_person": {kind: tally.provenance[kind] for kind in ("added", "accepted", "edited")},
        "stages": dict(sorted(tally.stages.items())),
    }


def _left_out(tally: Tally) -> dict[str, int]:
    """Notes that are not in the dataset, by reason."""
    leftovers = {LEFTOVERS: tally.n_leftover} if tally.options.replaces_identifiers else {}
    return {
        "not submitted": tally.ready.n_unsubmitted,
        "waiting for another reader": tally.ready.n_unread,
        "several people, waiting for adjudication": tally.ready.n_several,
        "submitted by others only": tally.ready.n_by_others,
        "with spans that certificates accepted": tally.n_certified,
        **tally.ready.n_filtered,
        "near-duplicates of the locked test set": tally.n_near_locked,
        "reopened while the dataset was written": tally.n_changed,
        **leftovers,
    }


def _checks(tally: Tally) -> list[dict[str, Any]]:
    """What was looked at: `status` ok, warn or bad, a sentence, and the number of things looked at or found."""
    return [
        _leak_check(tally),
        _twins_check(tally),
        *_test_set_checks(tally),
        _check("ok", "Every span matches its text", tally.n_spans),
        _pieces_check(tally),
        *(_check("warn", text, count) for text, count in _findings(tally) if count),
    ]


def _leak_check(tally: Tally) -> dict[str, Any]:
    n_leaking = sum(parts.bit_count() > 1 for parts in tally.parts_of_patient.values())
    if n_leaking:
        return _check("bad", "Patients are in two parts", n_leaking)
    return _check("ok", "No patient is in two parts", len(tally.parts_of_patient))


def _twins_check(tally: Tally) -> dict[str, Any]:
    n_torn = _n_torn(tally)
    if n_torn:
        return _check("warn", "Groups of near-duplicate notes stand in two parts", n_torn)
    return _check("ok", "No near-duplicates stand in two parts", len(tally.twins.clusters))


def _n_torn(tally: Tally) -> int:
    """How many groups of near-duplicates have notes in two parts."""
    n_torn = 0
    for groups in tally.twins.clusters:
        parts = 0
        for group in groups:
            parts |= tally.parts_of_patient.get(group, 0)
        n_torn += parts.bit_count() > 1
    return n_torn


def _test_set_checks(tally: Tally) -> Iterator[dict[str, Any]]:
    """Whether the part test is what was locked; nothing where nothing is."""
    if tally.test_set is None:
        return
    n_new = tally.test_set["n_new"]
    if n_new:
        yield _check("warn", "Patients are in test beside the locked ones", n_new)
    else:
        yield _check("ok", "The part test holds locked patients only", tally.test_set["n_locked"])


def _pieces_check(tally: Tally) -> dict[str, Any]:
    losing = [name for name in sorted(tally.losses) if not FORMATS[name].KEEPS_PIECES]
    if losing and tally.n_discontinuous:
        return _check("warn", f"Discontinuous spans do not survive {', '.join(losing)}", tally.n_discontinuous)
    return _check("ok", "Discontinuous spans survive the chosen formats", tally.n_discontinuous)


def _findings(tally: Tally) -> Iterator[tuple[str, int]]:
    yield "Notes that name no patient; each counts as a patient of its own", tally.n_without_patient
    n_twins = sum(parts.bit_count() > 1 for parts in tally.parts_of_text.values())
    yield "Texts that stand in two parts, word for word, under different patients", n_twins
    for reason, count in _left_out(tally).items():
        yield f"Notes left out: {reason}", count
    for name, losses in tally.losses.items():
        yield f"Does not all fit into {name}: see what it leaves out", sum(losses.values())
    shares = zip(PARTS, tally.options.shares, strict=True)
    empty = [part for part, share in shares if share and not tally.notes[part]]
    yield f"Parts without a note, for want of patients: {', '.join(empty)}", len(empty)


def _bit(part: str) -> int:
    return 1 << PARTS.index(part)


def _check(status: str, text: str, count: int) -> dict[str, Any]:
    return {"status": status, "text": text, "count": count}
