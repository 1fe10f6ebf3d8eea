"""What a build would hold, checked before it is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from annotator.builds.options import PARTS, BuildOptions
from annotator.builds.placing import place_groups
from annotator.builds.selectors import Readiness
from annotator.builds.splits import TEST, group_of
from annotator.builds.twins import NO_TWINS
from annotator.builds.writing import ready_for
from annotator.core.chart import Segment, segments
from annotator.core.identifiers import LABEL, has_identifiers
from annotator.core.intervals import FEWEST_NOTES
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema

_KINDS = ("done", "running", "waiting")  # of the bar's parts, for PARTS


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list: `status` ok, warn, bad (the build would be refused) or later (not known yet)."""

    status: str
    text: str
    count: int | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The checks, and the parts as segments of a bar."""

    n_ready: int
    checks: tuple[Check, ...]
    parts: tuple[Segment, ...]


def preview_build(*, project: Project, options: BuildOptions, has_worker: bool) -> Preview:
    """Near-duplicates are looked for when it is written: that reads every text. A few queries."""
    ready = ready_for(project=project, options=options)
    has_label = not options.replaces_identifiers or has_identifiers(current_schema(project).schema)
    # Parts are as large whether labels are spread or not; to spread them takes reading every label.
    plain = replace(options, is_stratified=False)
    placed, test_set = place_groups(project=project, sets=ready.sets, options=plain, twins=NO_TWINS)
    sizes = Counter(placed.values())
    return Preview(
        n_ready=ready.n_ready,
        checks=(
            *_checks(ready, options, sizes, test_set, has_worker, has_label),
            *(_test_checks(ready, placed) if test_set is None else ()),
        ),
        parts=segments([(kind, part.title(), sizes[part]) for part, kind in zip(PARTS, _KINDS, strict=True)]),
    )


def _checks(
    ready: Readiness,
    options: BuildOptions,
    sizes: Counter[str],
    test_set: Mapping[str, int] | None,
    has_worker: bool,
    has_label: bool,
) -> list[Check]:
    n_unnamed = sum(1 for found in ready.sets if not found.patient_id)
    checks = _readiness_checks(ready)
    n_certified = sum(1 for found in ready.sets if found.has_certified)
    if n_certified:
        why = "The dataset rests on these certificates, and is flagged should one be revoked."
        checks.append(Check("ok", "Notes hold spans that certificates accepted", n_certified, why))
    if ready.n_ready:
        checks.append(Check("ok", "No patient is in two parts", sizes.total()))
    if ready.n_ready and test_set is not None:
        where = f"As dataset {test_set['build']} had them."
        if test_set["n_new"]:
            checks.append(Check("warn", "New patients come to test", test_set["n_new"], "A share of 0 keeps them out."))
        checks.append(Check("ok", "Locked patients stay in test", test_set["n_locked"], where))
    if ready.n_ready:
        why = "They are told of in the dataset's checks, since finding them takes reading every note."
        if options.keeps_twins:
            why = "They will stay in one part."
        checks.append(Check("later", "Near-duplicates are looked for as it is written", None, why))
    if options.replaces_identifiers:
        checks += _identifier_checks(ready.n_ready, has_label)
    if n_unnamed:
        why = "Each counts as a patient of its own, so one patient could be in two parts."
        checks.append(Check("warn", "Notes name no patient", n_unnamed, why))
    checks += [
        Check("warn", f"The part {part} will be empty", why="There are too few patients.")
        for part, share in zip(PARTS, options.shares, strict=True)
        if ready.n_ready and share and not sizes[part]
    ]
    if not has_worker:
        checks.append(Check("warn", "No worker is running", why="The build will wait until one is started."))
    return checks


def _test_checks(ready: Readiness, placed: Mapping[str, str]) -> list[Check]:
    """Whether the part test could be locked and labelers compared on it."""
    groups = (group_of(patient_id=found.patient_id, external_id=found.external_id) for found in ready.sets)
    n_notes = sum(placed.get(group) == TEST for group in groups)
    if not 0 < n_notes < FEWEST_NOTES:
        return []
    why = f"Labelers are compared on {FEWEST_NOTES} notes of a locked test set, or more."
    return [Check("warn", "Few notes come to test", n_notes, why)]


def _identifier_checks(n_ready: int, has_label: bool) -> list[Check]:
    if not has_label:
        why = "Labelers and readers mark what names a person with it, and what is marked is replaced."
        return [Check("bad", f"The schema has no label {LABEL}", why=why)]
    if not n_ready:
        return []
    why = (
        "A note in which a patient's name or number still stands is left out. What nobody found stays: see the report."
    )
    return [
        Check("ok", "Identifiers are looked for and decided", n_ready),
        Check("later", "What is left of them is looked for as it is written", why=why),
    ]


def _readiness_checks(ready: Readiness) -> list[Check]:
    """How many notes go in, and how many do not, and why."""
    checks = [
        Check("ok", "Notes are ready", ready.n_ready)
        if ready.n_ready
        else Check("bad", "No note is ready", why="A note is ready when its reviewer has marked it as done.")
    ]
    if ready.n_unsubmitted:
        checks.append(Check("warn", "Notes not done yet are left out", ready.n_unsubmitted))
    if ready.n_unread:
        checks.append(Check("warn", "Notes that wait for another reader are left out", ready.n_unread))
    if ready.n_several:
        why = "Several people read them: they wait for adjudication."
        checks.append(Check("warn", "Notes with open disagreements are left out", ready.n_several, why))
    if ready.n_by_others:
        checks.append(Check("warn", "Notes that only others have read are left out", ready.n_by_others))
    if ready.n_certified:
        why = "Without these spans such a note would say that nothing is there."
        checks.append(Check("warn", "Notes with spans that certificates accepted are left out", ready.n_certified, why))
    checks += [Check("warn", f"Notes are left out, {reason}", count) for reason, count in ready.n_filtered.items()]
    return checks
