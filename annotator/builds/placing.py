"""Which part of a dataset each note goes to, before any is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from annotator.builds.models import LockedGroup
from annotator.builds.options import BuildOptions
from annotator.builds.selectors import ReadySet, labels_of_sets
from annotator.builds.splits import TEST, group_digest, group_of, split_groups
from annotator.builds.twins import Twins, find_twins
from annotator.documents.models import Document
from annotator.projects.models import Project

_PAGE = 200
PHASE = "Looking for near-duplicates"
# Told the phase, and how many notes of how many are done; may raise.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Placed:
    """The part of each group that has one; the near-duplicates; of a locked test set how many patients are in test.

    `test_set` is None where nothing is locked: `build` it was locked by, `n_locked` and `n_new` patients in test.
    """

    parts: Mapping[str, str]
    twins: Twins
    test_set: Mapping[str, int] | None


def place_groups(
    *, project: Project, sets: Sequence[ReadySet], options: BuildOptions, twins: Twins
) -> tuple[dict[str, str], Mapping[str, int] | None]:
    """The part of each group of `sets`, and `Placed.test_set`. One query, and where it is
    stratified one for each thousand notes.
    """
    said = labels_of_sets(sets) if options.is_stratified else repeat(frozenset[str]())
    labels: dict[str, frozenset[str]] = {}
    same: dict[frozenset[str], frozenset[str]] = {}
    for found, own in zip(sets, said, strict=False):
        group = group_of(patient_id=found.patient_id, external_id=found.external_id)
        both = labels.get(group, own) | own
        labels[group] = same.setdefault(both, both)
    locked = _locked(project)
    names = {group for group in labels if locked and group_digest(project=project.public_id, group=group) in locked[1]}
    parts = split_groups(
        labels=labels,
        shares=options.shares,
        seed=options.seed,
        is_stratified=options.is_stratified,
        locked=names,
        together=twins.clusters if options.keeps_twins else (),
    )
    if locked is None:
        return parts, None
    n_new = sum(part == TEST for part in parts.values()) - len(names)
    return parts, {"build": locked[0], "n_locked": len(names), "n_new": n_new}


def place_notes(
    *,
    project: Project,
    sets: Sequence[ReadySet],
    options: BuildOptions,
    folder: Path,
    progress: Progress | None = None,
) -> Placed:
    """Where each note goes. Reads every text once; `folder` takes a file without a name meanwhile."""
    groups = [group_of(patient_id=found.patient_id, external_id=found.external_id) for found in sets]
    twins = find_twins(texts=_texts(sets, progress), groups=groups, folder=folder)
    del groups
    parts, test_set = place_groups(project=project, sets=sets, options=options, twins=twins)
    return Placed(parts=parts, twins=twins, test_set=test_set)


def _texts(sets: Sequence[ReadySet], progress: Progress | None) -> Iterator[str]:
    """The text of each set's note, '' where it is gone. One query a page."""
    for first in range(0, len(sets), _PAGE):
        page = [found.document_id for found in sets[first : first + _PAGE]]
        texts = dict(Document.objects.filter(pk__in=page).values_list("pk", "text"))
        yield from (texts.get(key, "") for key in page)
        if progress is not None:
            progress(PHASE, first + len(page), len(sets))


def _locked(project: Project) -> tuple[int, set[str]] | None:
    """The number of the build whose test set is locked, and the digests of its groups."""
    rows = LockedGroup.objects.filter(test_set__project=project).order_by()
    found = list(rows.values_list("test_set__build_number", "digest"))
    return (found[0][0], {digest for _, digest in found}) if found else None
