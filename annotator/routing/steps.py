"""What is due of a project's tests and certificates, one short step after another.

The database says what is due; a bell only wakes a worker. The steps of a project follow one another, since each locks
the project while it writes; each may be repeated, and none needs the one before to have ended well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from annotator.certificates.bell import ring_trust
from annotator.certificates.models import AcceptanceTarget, Batch, Certificate
from annotator.projects.models import Project
from annotator.projects.services import lock_projects
from annotator.routing.accepting import accept_due, hold_due, release_due
from annotator.routing.ending import end_due, reason_to_end
from annotator.routing.freezing import freeze_due, wanted_batches
from annotator.routing.looking import is_look_due, look
from annotator.routing.revoking import withdraw_due
from annotator.routing.selectors import open_batches

_Step = Callable[[Project, datetime], bool]
# What takes something back comes first, what accepts before what asks for more.
_PAGES: tuple[_Step, ...] = (withdraw_due, end_due, release_due, accept_due, hold_due)


def step_project(*, project_id: int, now: datetime) -> bool:
    """Do what is due next, a page at most; whether more may be due. A project that is gone has nothing due."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return False
    with transaction.atomic():
        lock_projects(project)
        if any(page(project, now) for page in _PAGES):
            return True
    is_more = [look(batch=batch, now=now) for batch in open_batches(project) if is_look_due(batch, now)]
    return any(is_more) or freeze_due(project, now)


def ring_again(*, now: datetime) -> int:
    """Ring for every project of which something is due; the number of bells rung."""
    found = [project for project in _looked_after() if _is_due(project, now)]
    for project in found:
        ring_trust(project.pk)
    return len(found)


def _looked_after() -> list[Project]:
    """Projects with a test, a certificate that is being taken back, or a target that is on."""
    unfinished = Batch.objects.filter(~Q(status=Batch.Status.ENDED) | Q(ended_at=None))
    withdrawn = Certificate.objects.filter(status=Certificate.Status.REVOKING)
    targets = AcceptanceTarget.objects.filter(status=AcceptanceTarget.Status.ON)
    ids = {pk for rows in (unfinished, withdrawn, targets) for pk in rows.values_list("project", flat=True)}
    return list(Project.objects.filter(pk__in=ids).order_by("pk"))


def _is_due(project: Project, now: datetime) -> bool:
    unfinished = Batch.objects.filter(project=project, ended_at=None).exclude(status=Batch.Status.TESTING)
    certificates = Certificate.objects.filter(
        Q(status=Certificate.Status.REVOKING) | Q(status=Certificate.Status.LIVE, watched_at=None), project=project
    )
    if unfinished.exists() or certificates.exists():
        return True
    batches = open_batches(project)
    return any(is_look_due(batch, now) or reason_to_end(batch) for batch in batches) or bool(wanted_batches(project))
