"""All matches of the rule backend in one text: terms and patterns, with overlaps decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from annotator.core.sections import sections
from llm_labeler.lexicon import Match, load_lexicon
from llm_labeler.lexicon.patterns import changed_results, dosages, levels, sited, widened, word_forms

# Inside one of the left, a match of the right is part of its name: "hepatitis panel", "serum potassium".
_SWALLOWS = {
    "Test": frozenset(("Problem", "Medication", "Procedure")),
    "Procedure": frozenset(("Problem", "Medication", "Test")),
    "Dosage": frozenset(("Medication", "Test", "Procedure", "Problem")),
    "Medication": frozenset(("Test", "Procedure", "Anatomy")),
    "Problem": frozenset(("Test", "Procedure")),
}
_COMBINED = re.compile(r"[/-]")
# A volume is a dose only this near to a medication: many are measured.
_MAX_DISTANCE = 25


def rule_matches(text: str, priors: Mapping[str, float]) -> list[Match]:
    """The matches in `text`, by start and then longest first.

    Within a label the longest wins, between equal spans the kind with the higher prior; different labels may nest,
    except where the outer one swallows the inner. Nothing is found in section headings.
    """
    found = load_lexicon().find(text)
    found += levels(text)
    terms = list(found)
    found += sited(text, terms)
    found += changed_results(text, terms)
    found += dosages(text)
    found += word_forms(text)
    headings = {(s.heading_start, s.heading_end) for s in sections(text) if s.title}
    found = [match for match in found if not _is_in_any(match, headings)]
    by_label: dict[str, list[Match]] = {}
    anatomy_ends = _longest_ends(found)
    for match in found:
        whole = widened(text, match, anatomy_ends) if match.label == "Problem" else match
        by_label.setdefault(match.label, []).append(whole)
    kept = [match for matches in by_label.values() for match in _longest(matches, priors)]
    kept = _without_swallowed(_given_volumes(_combined(text, kept)), priors)
    return sorted(kept, key=lambda match: (match.start, -match.end, match.label))


def _longest_ends(matches: Iterable[Match]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for match in matches:
        if match.label == "Anatomy":
            ends[match.start] = max(match.end, ends.get(match.start, 0))
    return ends


def _given_volumes(matches: list[Match]) -> list[Match]:
    drugs = [match for match in matches if match.label == "Medication"]
    return [
        match
        for match in matches
        if match.kind != "dose_volume"
        or any(drug.end <= match.start <= drug.end + _MAX_DISTANCE for drug in drugs)
        or any(match.end <= drug.start <= match.end + _MAX_DISTANCE for drug in drugs)
    ]


def _is_in_any(match: Match, headings: Iterable[tuple[int, int]]) -> bool:
    return any(start <= match.start and match.end <= end for start, end in headings)


def _longest(matches: Iterable[Match], priors: Mapping[str, float]) -> list[Match]:
    """Matches of one label without overlaps: longer first, then the more trusted kind, then the earlier."""
    kept: list[Match] = []
    taken: set[int] = set()
    for match in sorted(matches, key=lambda m: (m.start - m.end, -priors.get(m.kind, 0), m.start)):
        places = range(match.start, match.end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(match)
    return kept


def _combined(text: str, matches: list[Match]) -> list[Match]:
    """Medications joined by a slash or hyphen as one: "piperacillin/tazobactam"."""
    drugs = sorted((match for match in matches if match.label == "Medication"), key=lambda match: match.start)
    merged: list[Match] = []
    for drug in drugs:
        last = merged[-1] if merged else None
        if last and last.end <= drug.start <= last.end + 3 and _COMBINED.fullmatch(text, last.end, drug.start):
            merged[-1] = Match(last.start, drug.end, last.label, last.kind)
        else:
            merged.append(drug)
    return [match for match in matches if match.label != "Medication"] + merged


def _without_swallowed(matches: list[Match], priors: Mapping[str, float]) -> list[Match]:
    """Drops a match inside another that swallows its label; of equal spans the more trusted stays."""
    ordered = sorted(matches, key=lambda m: (m.start, -m.end, -priors.get(m.kind, 0)))
    kept: list[Match] = []
    outer: list[Match] = []
    for match in ordered:
        outer = [other for other in outer if other.end > match.start]
        if any(
            match.end <= other.end
            and (
                (match.start == other.start and match.end == other.end)
                or (match.label in _SWALLOWS.get(other.label, ()) and other.kind != "problem_result")
            )
            for other in outer
        ):
            continue
        is_nested = match.label == "Anatomy" and any(
            match.end <= other.end and other.label != "Anatomy" for other in outer
        )
        outer.append(match)
        kept.append(replace(match, kind="anatomy_nested") if is_nested else match)
    return kept
