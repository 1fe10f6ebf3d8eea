"""What a lead wants of suggestions that are accepted without review: set, changed, turned off."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.certificates.bell import ring_trust
from annotator.certificates.models import AcceptanceTarget, Batch
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.projects.services import lock_projects
from annotator.routing.ending import TARGET, end_batch
from annotator.routing.selectors import newest_targets

# A promise of less is none; nothing can be shown of more with the numbers of notes that projects have.
LOWEST_TARGET, HIGHEST_TARGET = 0.5, 0.999
LOWEST_DELTA, HIGHEST_DELTA = 0.001, 0.2


class TargetRefused(ValueError):
    """A target that cannot be set; the message says why."""


@transaction.atomic
def set_target(
    *, project: Project, label: str, status: str, target: float, delta: float, actor: User, now: datetime
) -> AcceptanceTarget:
    """Want at least the share `target` of what is accepted of `label` to be right, but for a chance of `delta`; or,
    with the status *off*, nothing accepted. `label` is empty for all that have no target of their own.

    What is tested or certified by another promise ends; the same promise again lets a test begin that was not worth
    it before. Raises TargetRefused.
    """
    _check(project, label, status, target, delta)
    lock_projects(project)
    before = newest_targets(project).get(label)
    found = AcceptanceTarget.objects.create(
        project=project, label=label, status=status, target=target, delta=delta, created_by=actor, created_at=now
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="target.set",
        object_id=project.public_id,
        now=now,
        detail={"label": label, "status": status, "target": target, "delta": delta},
    )
    ended = Batch.objects.filter(project=project).exclude(status=Batch.Status.ENDED)
    # A label's first target takes it out of those that are accepted together.
    touched = ended.filter(label__in=[label, ""] if label and before is None else [label])
    for batch in touched.select_related("project").order_by("number"):
        is_same = batch.label == label and status == AcceptanceTarget.Status.ON
        if not (is_same and (batch.target, batch.delta) == (target, delta)):
            end_batch(batch=batch, reason=TARGET, actor=actor, now=now)
    ring_trust(project.pk)
    return found


def _check(project: Project, label: str, status: str, target: float, delta: float) -> None:
    known = current_schema(project).schema.label_names
    if label and label not in known:
        raise TargetRefused(f"there is no such label: {', '.join(known)}")
    if status not in AcceptanceTarget.Status.values:
        raise TargetRefused(f"the status is one of: {', '.join(AcceptanceTarget.Status.values)}")
    if not LOWEST_TARGET <= target <= HIGHEST_TARGET:
        raise TargetRefused(f"the target lies between {LOWEST_TARGET} and {HIGHEST_TARGET}")
    if not LOWEST_DELTA <= delta <= HIGHEST_DELTA:
        raise TargetRefused(f"delta lies between {LOWEST_DELTA} and {HIGHEST_DELTA}")
