"""The locked test set of a project: patients who stay in the part test of every later dataset."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.builds.folders import build_folder
from annotator.builds.index import groups_in
from annotator.builds.models import DatasetBuild, LockedGroup, LockedTestSet
from annotator.builds.options import BuildOptions
from annotator.builds.splits import TEST, group_digest
from annotator.projects.models import Project
from annotator.projects.services import lock_projects

_PAGE = 500


class LockRefused(ValueError):
    """A test set that cannot be locked; the message says why."""


@transaction.atomic
def lock_test_set(*, build: DatasetBuild, actor: User, now: datetime) -> LockedTestSet:
    """Keep the patients of the build's part test in test from now on. A lead's act.

    Raises LockRefused where one is locked already, or the build has no such part, or no files.
    """
    lock_projects(build.project)
    if LockedTestSet.objects.filter(project=build.project).exists():
        raise LockRefused("a test set is locked already: unlock it first")
    if build.files_removed_at is not None or not build.manifest:
        raise LockRefused("this dataset has no files")
    if BuildOptions.from_json(build.options).replaces_identifiers:
        raise LockRefused("this dataset names no patient: lock the test set of one that keeps identifiers")
    try:
        digests = sorted(set(groups_in(build_folder(build), TEST)))
    except FileNotFoundError:
        raise LockRefused("this dataset was built before test sets could be locked: build another") from None
    if not digests:
        raise LockRefused("this dataset has nothing in its part test")
    locked = LockedTestSet.objects.create(
        project=build.project, build_number=build.number, locked_by=actor, locked_at=now
    )
    rows = (LockedGroup(test_set=locked, digest=digest) for digest in digests)
    LockedGroup.objects.bulk_create(rows, batch_size=_PAGE)
    record_event(
        project=build.project.public_id,
        actor=actor,
        verb="test_set.lock",
        object_id=build.public_id,
        now=now,
        detail={"n_patients": len(digests)},
    )
    return locked


@transaction.atomic
def unlock_test_set(*, project: Project, actor: User, now: datetime) -> bool:
    """Let later datasets choose their test patients anew; False where nothing is locked. A lead's act."""
    lock_projects(project)
    locked = LockedTestSet.objects.filter(project=project).first()
    if locked is None:
        return False
    n_groups, _ = LockedGroup.objects.filter(test_set=locked).delete()
    locked.delete()
    record_event(
        project=project.public_id,
        actor=actor,
        verb="test_set.unlock",
        object_id=project.public_id,
        now=now,
        detail={"n_patients": n_groups, "build": locked.build_number},
    )
    return True


def forget_groups(*, project: Project, groups: Collection[str]) -> int:
    """Take patients out of the project's locked test set, because of a purge; how many were in it."""
    digests = [group_digest(project=project.public_id, group=group) for group in groups]
    n_gone, _ = LockedGroup.objects.filter(test_set__project=project, digest__in=digests).delete()
    return n_gone
