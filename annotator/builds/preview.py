"""What a build would hold, checked before it is started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from annotator.builds.options import PARTS, BuildOptions
from annotator.builds.selectors import Readiness, readiness
from annotator.builds.splits import group_of, parts_of
from annotator.core.chart import Segment, segments
from annotator.projects.models import Project

_KINDS = ("done", "running", "waiting")  # of the bar's parts, for PARTS


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list: `status` ok, warn or bad, which means that the build would be refused."""

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
    """Two queries."""
    ready = readiness(project=project, annotator=options.annotator, is_human_only=options.is_human_only)
    groups = {group_of(patient_id=found.patient_id, external_id=found.external_id) for found in ready.sets}
    sizes = Counter(parts_of(groups=groups, shares=options.shares, seed=options.seed).values())
    return Preview(
        n_ready=ready.n_ready,
        checks=tuple(_checks(ready, options, sizes, has_worker)),
        parts=segments([(kind, part.title(), sizes[part]) for part, kind in zip(PARTS, _KINDS, strict=True)]),
    )


def _checks(ready: Readiness, options: BuildOptions, sizes: Counter[str], has_worker: bool) -> list[Check]:
    n_unnamed = sum(1 for found in ready.sets if not found.patient_id)
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
    n_certified = sum(1 for found in ready.sets if found.has_certified)
    if n_certified:
        why = "The dataset rests on these certificates, and is flagged should one be revoked."
        checks.append(Check("ok", "Notes hold spans that certificates accepted", n_certified, why))
    if ready.n_ready:
        checks.append(Check("ok", "No patient is in two parts", sizes.total()))
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
