"""The dataset card: what a reader must know before using the files, from the manifest alone."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from annotator.builds.formats import FORMATS

# What is counted by part, and what the card calls it.
_TABLES = (("labels", "label"), ("relations", "relation"), ("document_labels", "label of the note"))


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
        "left_out": [{"reason": reason, "count": n} for reason, n in manifest["left_out"].items() if n],
        "losses": loss_rows(manifest),
    }
    return render_to_string("builds/card.md", context).strip() + "\n"


def loss_rows(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """What each format leaves out, of those that leave anything out: always, and counted in this dataset."""
    return [
        {"format": name, "fields": loss["fields"], "counts": list(loss["counts"].items())}
        for name, loss in manifest["losses"].items()
        if loss["fields"] or loss["counts"]
    ]


def _per_cent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
