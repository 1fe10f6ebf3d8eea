"""What two datasets of a project have different: notes, annotations, counts of labels, options and versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from annotator.builds.folders import build_folder
from annotator.builds.index import read_index
from annotator.builds.models import DatasetBuild

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


class Said(NamedTuple):
    """What an annotation says of its place; `by` is `certificate`, or `person` with the stage."""

    label: str
    attributes: Mapping[str, str]
    by: str


class SpanChange(NamedTuple):
    """An annotation that is there in one only, or says something else; `place` as brat writes it. `before` and
    `after` are None where there is none.
    """

    kind: str
    place: str
    before: Said | None
    after: Said | None


@dataclass(frozen=True, slots=True)
class NoteChange:
    """A note that is in one dataset only, or of which they say different things. `id` is the user's own."""

    kind: str
    id: str
    parts: tuple[str, str]
    is_other_text: bool = False
    spans: tuple[SpanChange, ...] = ()
    n_relations: int = 0
    n_document_labels: int = 0

    @property
    def has_moved(self) -> bool:
        return self.kind == CHANGED and self.parts[0] != self.parts[1]


@dataclass(frozen=True, slots=True)
class NoteDifferences:
    """Counts over all notes, and some of the notes that differ, in the order of their ids.

    `notes` and `spans` are counts by kind; `n_same` notes are alike, `n_moved` are in another part.
    """

    notes: Mapping[str, int]
    spans: Mapping[str, int]
    n_same: int
    n_moved: int
    changes: tuple[NoteChange, ...]

    @property
    def n_changes(self) -> int:
        return sum(self.notes.values())


class Setting(NamedTuple):
    """An option or version that is not the same in both, in plain words."""

    name: str
    before: str
    after: str


class LabelCount(NamedTuple):
    label: str
    before: int
    after: int

    @property
    def change(self) -> int:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class BuildDifferences:
    """`notes` is None where one of them has no index: its files were purged, or it was built before there were any; and
    where their notes have other ids, since identifiers are replaced.
    """

    settings: tuple[Setting, ...]
    labels: tuple[LabelCount, ...]
    notes: NoteDifferences | None = field(default=None)


def compare_builds(*, before: DatasetBuild, after: DatasetBuild, first: int = 0, n: int = 50) -> BuildDifferences:
    """What changed from one finished build to the other, with `n` notes from the one that is `first`, counted from 0.

    Reads both indexes once, side by side: no query, and memory for the notes that are asked for.
    """
    old, new = before.manifest, after.manifest
    notes = None
    if before.files_removed_at is None and after.files_removed_at is None and _key(old) == _key(new):
        try:
            notes = note_differences(
                read_index(build_folder(before)), read_index(build_folder(after)), first=first, n=n
            )
        except FileNotFoundError:
            notes = None
    return BuildDifferences(settings=tuple(_settings(old, new)), labels=tuple(_labels(old, new)), notes=notes)


def _key(manifest: Mapping[str, Any]) -> str | None:
    """What its notes' ids follow from; None where they are the notes' own."""
    return manifest.get("deidentification", {}).get("key")


def note_differences(before: Iterable[str], after: Iterable[str], *, first: int = 0, n: int = 50) -> NoteDifferences:
    """The same of two indexes, line by line."""
    notes: Counter[str] = Counter()
    spans: Counter[str] = Counter()
    n_same = n_moved = 0
    kept: list[NoteChange] = []
    for change in _changes(before, after):
        if change is None:
            n_same += 1
            continue
        if first <= notes.total() < first + n:
            kept.append(change)
        notes[change.kind] += 1
        n_moved += change.has_moved
        spans.update(found.kind for found in change.spans)
    kinds = (ADDED, REMOVED, CHANGED)
    return NoteDifferences(
        notes={kind: notes[kind] for kind in kinds},
        spans={kind: spans[kind] for kind in kinds},
        n_same=n_same,
        n_moved=n_moved,
        changes=tuple(kept),
    )


def _changes(before: Iterable[str], after: Iterable[str]) -> Iterator[NoteChange | None]:
    """Each note of either, None where they are alike. Both are in the order of the notes' ids."""
    olds, news = iter(before), iter(after)
    old_line, new_line = next(olds, None), next(news, None)
    while old_line is not None or new_line is not None:
        if old_line == new_line:
            yield None
            old_line, new_line = next(olds, None), next(news, None)
            continue
        old = json.loads(old_line) if old_line is not None else None
        new = json.loads(new_line) if new_line is not None else None
        if old is not None and (new is None or old["id"] < new["id"]):
            yield _only_one(REMOVED, old)
            old_line = next(olds, None)
        elif new is not None and (old is None or new["id"] < old["id"]):
            yield _only_one(ADDED, new)
            new_line = next(news, None)
        elif old is not None and new is not None:
            yield _both(old, new)
            old_line, new_line = next(olds, None), next(news, None)


def _only_one(kind: str, row: Mapping[str, Any]) -> NoteChange:
    changes = []
    for span in row["spans"]:
        one = _said(span)
        changes.append(SpanChange(kind, span[0][0], one if kind == REMOVED else None, one if kind == ADDED else None))
    parts = (row["part"], "") if kind == REMOVED else ("", row["part"])
    return NoteChange(
        kind,
        row["id"],
        parts,
        spans=tuple(changes),
        n_relations=len(row["relations"]),
        n_document_labels=len(row["document_labels"]),
    )


def _both(old: Mapping[str, Any], new: Mapping[str, Any]) -> NoteChange:
    relations = [{tuple(found) for found in row["relations"]} for row in (old, new)]
    values = [set(row["document_labels"].items()) for row in (old, new)]
    return NoteChange(
        CHANGED,
        new["id"],
        (old["part"], new["part"]),
        is_other_text=old["text"] != new["text"],
        spans=tuple(_span_changes(old["spans"], new["spans"])),
        n_relations=len(relations[0] ^ relations[1]),
        n_document_labels=len({name for name, _ in values[0] ^ values[1]}),
    )


def _span_changes(old: Sequence[Any], new: Sequence[Any]) -> Iterator[SpanChange]:
    """By place. At one place an annotation that went and one that came are one that has another label."""
    places: dict[str, tuple[list[Said], list[Said]]] = {}
    for side, spans in enumerate((old, new)):
        for span in spans:
            places.setdefault(span[0][0], ([], []))[side].append(_said(span))
    for place in sorted(places, key=lambda place: [int(number) for number in place.replace(";", " ").split()]):
        went = [one for one in places[place][0] if one not in places[place][1]]
        came = [one for one in places[place][1] if one not in places[place][0]]
        for one in list(went):  # the same label first, with other attributes or from another source
            twin = next((other for other in came if other.label == one.label), None)
            if twin is not None:
                went.remove(one)
                came.remove(twin)
                yield SpanChange(CHANGED, place, one, twin)
        for number in range(max(len(went), len(came))):
            before, after = (next(islice(side, number, None), None) for side in (went, came))
            kind = CHANGED if before and after else REMOVED if before else ADDED
            yield SpanChange(kind, place, before, after)


def _said(span: Sequence[Any]) -> Said:
    (_, label), attributes, by = span
    return Said(label, attributes, by)


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Setting]:
    pairs = [
        ("schema version", old["schema"]["number"], new["schema"]["number"]),
        ("schema", old["schema"]["digest"], new["schema"]["digest"]),
        ("prompt template", old["template_sha256"], new["template_sha256"]),
        ("formats", old["formats"], new["formats"]),
    ]
    options = [_flat(manifest["options"]) for manifest in (old, new)]
    names = [*options[0], *(name for name in options[1] if name not in options[0])]
    pairs += [(name, options[0].get(name), options[1].get(name)) for name in names]
    for name, before, after in pairs:
        if (before or None) != (after or None):
            yield Setting(name.replace("_", " "), _words(before), _words(after))


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name; shares and filters, which are several, one by one."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        found |= {f"{name}: {key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "-"
    if isinstance(value, bool) or value is None or value == "":
        return "yes" if value else "-"
    return str(value)


def _labels(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[LabelCount]:
    """Spans of each label in all parts."""
    counts = [Counter[str](), Counter[str]()]
    for found, manifest in zip(counts, (old, new), strict=True):
        for facts in manifest["parts"].values():
            found.update(facts["labels"])
    for label in dict.fromkeys([*counts[0], *counts[1]]):
        yield LabelCount(label, counts[0][label], counts[1][label])
