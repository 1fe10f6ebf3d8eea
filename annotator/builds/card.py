"""The dataset card: what a reader must know before using the files, from the manifest alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.template.loader import render_to_string

from annotator.builds.formats import FORMATS
from annotator.builds.risk import risk_context

# What is counted by part, and what the card calls it.
_TABLES = (("labels", "label"), ("relations", "relation"), ("document_labels", "label of the note"))

_CALIBRATION = (("ece", "ECE"), ("brier", "Brier score"), ("auroc", "AUROC"))
# Fewer spans of a label than this in test say little of a model.
_FEW = 30


def render_card(manifest: dict[str, Any]) -> str:
    """The card as Markdown."""
    provenance = manifest["provenance"]
    n_spans = manifest["n_spans"]
    n_suggested = provenance["of_person"]["accepted"] + provenance["of_person"]["edited"]
    context = {
        "manifest": manifest,
        "schema": manifest["schema"]["definition"],
        "files": manifest["files"],
        "formats": [FORMATS[name] for name in FORMATS if name in manifest["formats"]],
        "parts": [{"name": name, **facts} for name, facts in manifest["parts"].items()],
        "tables": [
            {
                "title": title,
                "rows": [
                    {"name": name, "counts": [facts[key][name] for facts in manifest["parts"].values()]}
                    for name in manifest["parts"]["train"][key]
                ],
            }
            for key, title in _TABLES
            if key in manifest["parts"]["train"]
        ],
        "n_suggested": n_suggested,
        "person_share": _per_cent(provenance["person"], n_spans),
        "certificate_share": _per_cent(provenance["certificate"], n_spans),
        "certificates": [
            {**found, "percent": f"{100 * found['target']:g}", "confidence": f"{100 * (1 - found['delta']):g}"}
            for found in manifest["certificates"]
        ],
        "added_share": _per_cent(provenance["of_person"]["added"], n_spans),
        "evidence": _evidence(manifest.get("evidence", {})),
        "gaps": list(_gaps(manifest)),
        "left_out": [{"reason": reason, "count": n} for reason, n in manifest["left_out"].items() if n],
        "losses": loss_rows(manifest),
        **(risk_context(risk) if (risk := manifest.get("deidentification")) else {}),
    }
    return render_to_string("builds/card.md", context).strip() + "\n"


def loss_rows(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """What each format leaves out, of those that leave anything out: always, and counted in this dataset."""
    return [
        {"format": name, "fields": loss["fields"], "counts": list(loss["counts"].items())}
        for name, loss in manifest["losses"].items()
        if loss["fields"] or loss["counts"]
    ]


def _evidence(found: dict[str, Any]) -> list[str]:
    """What is known of how good the labels are, a sentence each."""
    said = []
    if agreement := found.get("agreement"):
        notes = f"{agreement['n_notes']} notes of {agreement['n_patients']} patients that several people read"
        said.append(f"Agreement of people, over {notes}: {_scores(agreement, 'F1')}.")
    for each in found.get("calibration", ()):
        figures = ", ".join(f"{name} {_number(each[key])}" for key, name in _CALIBRATION if each[key] is not None)
        if figures:
            said.append(
                f"Calibration of {each['labeler']}, on {each['n_cases']} decisions that did not fit it: {figures}."
            )
    if recall := found.get("recall"):
        spans = f"{recall['n_spans']} spans of {recall['n_notes']} notes that were read without suggestions"
        said.append(f"Recall of the labelers, over {spans}: {_scores(recall, '')}.")
    return said


def _gaps(manifest: dict[str, Any]) -> Iterator[str]:
    """What this dataset cannot tell, or tells badly."""
    evidence = manifest.get("evidence", {})
    if "agreement" not in evidence:
        yield "How far readers agree is not measured: that takes notes which two people have read."
    if "recall" not in evidence:
        yield "What labelers and their readers miss is not measured: that takes notes which were read blind."
    if manifest["provenance"]["certificate"]:
        yield "Spans that certificates accepted were not read: see their targets."
    for part, facts in manifest["parts"].items():
        if not facts["n_notes"]:
            yield f"The part {part} is empty."
            continue
        few = [f"{label} ({n})" for label, n in facts["labels"].items() if n < _FEW]
        if part == "test" and few:
            yield f"Fewer than {_FEW} spans in test, too few to measure on: {', '.join(few)}."
    if manifest.get("twins", {}).get("n_in_two_parts"):
        yield "Near-duplicate notes stand in two parts: results on test look better than they are."
    if any(check["status"] == "warn" and "name no patient" in check["text"] for check in manifest["checks"]):
        yield "Some notes name no patient: one patient could be in two parts."
    if not manifest["options"].get("licence"):
        yield "Nobody has written down what the notes' owner allows."


def _scores(found: dict[str, Any], name: str) -> str:
    """The strict and the overlap figure, with their intervals."""
    said = []
    for scheme in ("strict", "overlap"):
        value, interval = found[scheme]["value"], found[scheme]["interval"]
        between = f" (95 % {_number(interval[0])} to {_number(interval[1])})" if interval else ""
        said.append(" ".join(filter(None, (scheme, name, _number(value)))) + between)
    return ", ".join(said)


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"


def _per_cent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
