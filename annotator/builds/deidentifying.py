"""Notes as they go out without identifiers: surrogates in their text, spans moved along, ids that stand for theirs."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from re import Pattern

from django.conf import settings

from annotator.builds.identified import kind_of, known_identifiers
from annotator.builds.options import SHARED, BuildOptions
from annotator.builds.records import NoteRecord, RelationRecord, SpanRecord
from annotator.builds.risk import RiskTally
from annotator.builds.selectors import ReadySet
from annotator.builds.splits import group_of
from annotator.core.identifiers import LABEL
from annotator.core.keyed import derived_key
from annotator.core.spans import Span
from annotator.core.surrogate_dates import Habits
from annotator.core.surrogates import Identifier, Surrogates, deidentified, leftover_pattern, n_leftovers
from annotator.core.text import text_digest
from annotator.projects.models import Project

# Patients whose surrogates are kept at hand: notes come in the order of their new ids, not patient by patient.
_AT_HAND = 2000


def surrogate_key(*, project: Project, options: BuildOptions) -> bytes:
    """The key that surrogates and ids follow from: the project's, made of the installation's, or one that is nobody's
    and is kept nowhere.
    """
    if options.surrogates == SHARED:
        return derived_key(settings.SECRET_KEY.encode(), "surrogates", project.public_id)
    return secrets.token_bytes(32)


class Deidentifier:
    """Takes the notes of one dataset one by one. `risk` counts what there is to know of them."""

    def __init__(self, *, project: Project, options: BuildOptions, sets: Sequence[ReadySet]) -> None:
        self._key = surrogate_key(project=project, options=options)
        groups = {group_of(patient_id=found.patient_id, external_id=found.external_id) for found in sets}
        self._known = known_identifiers(project=project, groups=groups)
        habits = Habits.of(surface for known in self._known.values() for kind, surface in known if kind == "date")
        self._is_day_first = habits.n_day_first > habits.n_month_first
        self._patient = lru_cache(maxsize=_AT_HAND)(self._made)
        self.risk = RiskTally(project=project, sets=sets)

    @property
    def fingerprint(self) -> str:
        """What tells whether two datasets have one key."""
        return hashlib.sha256(derived_key(self._key, "fingerprint")).hexdigest()[:16]

    def in_order(self, sets: Sequence[ReadySet]) -> tuple[ReadySet, ...]:
        """The sets in the order of their notes' new ids, which does not tell that of the old ones."""
        return tuple(sorted(sets, key=lambda found: self._id("note", found.external_id)))

    def group(self, group: str) -> str:
        """What names a group (`splits.group_of`) in the dataset."""
        return derived_key(self._key, "group", group).hex()

    def replaced(self, note: NoteRecord, group: str) -> NoteRecord | None:
        """The note as it goes out; None, and counted, where identifiers of the patient would still stand in it."""
        identifiers = [found for found in note.spans if found.label == LABEL]
        others = note.only({found.label for found in note.spans} - {LABEL})
        surrogates, pattern = self._patient(group)
        found = deidentified(
            text=note.text,
            identifiers=[Identifier(one.span, kind_of(dict(one.attributes))) for one in identifiers],
            spans=[one.span for one in others.spans],
            surrogates=surrogates,
        )
        n_left = n_leftovers(f"{found.text}\n{note.note_type}", pattern, self._known.get(group, ()))
        if n_left:
            self.risk.leftovers[note.public_id] = n_left
            return None
        spans, relations, n_merged = _moved(others, found.text, found.spans)
        self.risk.add(note, group, found, n_merged=n_merged)
        return replace(
            others,
            id=self._id("note", note.id),
            public_id=self._id("file", note.public_id),
            patient_id=self._id("patient", note.patient_id) if note.patient_id else "",
            text=found.text,
            sha256=text_digest(found.text),
            metadata={},
            spans=spans,
            relations=relations,
            comments=(),
        )

    def _made(self, group: str) -> tuple[Surrogates, Pattern[str] | None]:
        known = self._known.get(group, set())
        made = Surrogates(key=self._key, patient=group, known=known, is_day_first=self._is_day_first)
        return made, leftover_pattern(known)

    def _id(self, kind: str, own: str) -> str:
        return base64.b32encode(derived_key(self._key, kind, own)[:10]).decode().lower()


def _moved(
    note: NoteRecord, text: str, places: Sequence[Span]
) -> tuple[tuple[SpanRecord, ...], tuple[RelationRecord, ...], int]:
    """The note's spans at their new places, its relations between them, and how many spans are gone: of equal ones,
    which two that lay in one identifier are, one stays.
    """
    kept: dict[tuple[Span, str], SpanRecord] = {}
    keys = []
    for found, span in zip(note.spans, places, strict=True):
        keys.append((span, found.label))
        kept.setdefault(keys[-1], replace(found, span=span, surface=span.surface(text)))
    at = {key: place for place, key in enumerate(sorted(kept))}
    relations = {
        (found.type, head, tail): replace(found, head=head, tail=tail)
        for found in note.relations
        if (head := at[keys[found.head]]) != (tail := at[keys[found.tail]])
    }
    spans = tuple(kept[key] for key in sorted(kept))
    return spans, tuple(sorted(relations.values())), len(note.spans) - len(spans)
