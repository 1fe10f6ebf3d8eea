"""Dataset builds: asked for, written in the background, cancelled, downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.selectors import readiness
from annotator.builds.writing import BuildRefused, Progress, check_formats, refuse_empty, write_folder
from annotator.jobs.models import Job
from annotator.jobs.services import JobRefused, advance_job, cancel_job, create_job, finish_job, start_job
from annotator.projects.models import Project

_PARTIAL = ".partial"


@transaction.atomic
def create_build(
    *, project: Project, name: str, formats: Sequence[str], options: BuildOptions, actor: User, now: datetime
) -> DatasetBuild:
    """A build that a worker will write. Raises BuildRefused where there is nothing to write, or no way to."""
    title = clean_name(name)
    check_formats(formats)
    refuse_empty(readiness(project=project, annotator=options.annotator))
    Project.objects.select_for_update().get(pk=project.pk)
    newest = project.dataset_builds.order_by("-number").first()
    build = DatasetBuild.objects.create(
        project=project,
        number=newest.number + 1 if newest else 1,
        name=title,
        formats=sorted(formats),
        options=options.to_json(),
        job=create_job(kind=Job.Kind.BUILD, now=now),
        created_by=actor,
        created_at=now,
    )
    record_event(
        project=project.public_id,
        actor=actor,
        verb="build.create",
        object_id=build.public_id,
        now=now,
        detail={"formats": build.formats, "options": build.options},
    )
    start_job(_job_of(build))
    return build


def write_build(*, job: Job, clock: Callable[[], datetime]) -> None:
    """Write the job's build, and finish the job together with its manifest.

    A cancelled, lost or failed attempt leaves no file. Raises JobRefused, JobCancelled, JobLost.
    """
    build = DatasetBuild.objects.select_related("project", "created_by").get(job=job)
    _sweep()
    partial = settings.BUILDS_DIR / f"{build.public_id}.{job.run_token}{_PARTIAL}"
    folder = build_folder(build)

    def progress(n_done: int, n_total: int) -> None:
        advance_job(job=job, now=clock(), phase="Writing notes", n_done=n_done, n_total=n_total)

    try:
        manifest = write_folder(
            project=build.project,
            name=build.name,
            number=build.number,
            formats=build.formats,
            options=BuildOptions.from_json(build.options),
            out=partial,
            progress=progress,
        )
    except BuildRefused as refusal:
        raise JobRefused(str(refusal)) from refusal
    try:
        with transaction.atomic():
            now = clock()
            finish_job(job=job, now=now)
            DatasetBuild.objects.filter(pk=build.pk).update(manifest=manifest)
            record_event(
                project=build.project.public_id,
                actor=build.created_by,
                verb="build.finish",
                object_id=build.public_id,
                now=now,
                detail={
                    "n_notes": manifest["n_notes"],
                    "n_spans": manifest["n_spans"],
                    "data_sha256": manifest["data_sha256"],
                },
            )
            # Only who has just finished the job may touch its folder. What can stand there is of an attempt that died
            # between its rename and its commit.
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@transaction.atomic
def cancel_build(*, build: DatasetBuild, actor: User, now: datetime) -> bool:
    """Ask the build to stop; False where it has ended already."""
    job = Job.objects.select_for_update().get(pk=_job_of(build).pk)
    if job.is_finished:
        return False
    cancel_job(job=job, now=now)
    record_event(project=build.project.public_id, actor=actor, verb="build.cancel", object_id=build.public_id, now=now)
    return True


def record_download(*, build: DatasetBuild, file: str, actor: User, now: datetime) -> None:
    """Note who took which file out of the installation."""
    record_event(
        project=build.project.public_id,
        actor=actor,
        verb="build.download",
        object_id=build.public_id,
        now=now,
        detail={"file": file},
    )


def write_dataset(
    *,
    project: Project,
    name: str,
    formats: Sequence[str],
    options: BuildOptions,
    out: Path,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a dataset to `out`, which is missing or empty, and return its manifest: all of it, or nothing.

    Raises BuildRefused where `out` cannot take it or there is nothing to write. For the command line: it makes no
    DatasetBuild row, and the caller records the event.
    """
    title = clean_name(name)
    target = out.absolute()
    partial = target.parent / f".{target.name}.{os.getpid()}{_PARTIAL}"
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BuildRefused(f"{out} is there and not an empty folder: name another one")
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        manifest = write_folder(
            project=project, name=title, number=None, formats=formats, options=options, out=partial, progress=progress
        )
        try:
            os.rename(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as error:
        raise BuildRefused(f"cannot write {out}: {error.strerror}") from error
    return manifest


def record_export(*, project: Project, manifest: dict[str, Any], now: datetime) -> None:
    """Note that whoever runs this installation wrote a dataset from the command line."""
    record_event(
        project=project.public_id,
        actor=None,
        verb="build.export",
        object_id=project.public_id,
        now=now,
        detail={
            "formats": manifest["formats"],
            "options": manifest["options"],
            "n_notes": manifest["n_notes"],
            "n_spans": manifest["n_spans"],
            "data_sha256": manifest["data_sha256"],
        },
    )


def build_folder(build: DatasetBuild) -> Path:
    return Path(settings.BUILDS_DIR) / build.public_id


def clean_name(name: str) -> str:
    """The name on one line. Raises BuildRefused where it is empty or longer than 120 characters."""
    title = " ".join(name.split())
    if not title or len(title) > 120:
        raise BuildRefused("a dataset's name has 1 to 120 characters")
    return title


def _job_of(build: DatasetBuild) -> Job:
    if build.job is None:
        raise BuildRefused(f"build {build.number} has no job")
    return build.job


def _sweep() -> None:
    """Remove what attempts that were killed have left: partial folders that no running job writes to, and the folders
    of builds that ended without a manifest.
    """
    folders = list(Path(settings.BUILDS_DIR).iterdir())
    active = Job.objects.filter(kind=Job.Kind.BUILD, status__in=[Job.Status.RUNNING, Job.Status.CANCELLING])
    tokens = set(active.values_list("run_token", flat=True))
    ended = DatasetBuild.objects.filter(job__status__in=[Job.Status.FAILED, Job.Status.CANCELLED])
    without_files = set(ended.values_list("public_id", flat=True))
    for folder in folders:
        name = folder.name.removesuffix(_PARTIAL)
        is_partial = name != folder.name
        if (name.rpartition(".")[2] not in tokens) if is_partial else (name in without_files):
            shutil.rmtree(folder, ignore_errors=True)
