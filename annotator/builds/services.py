"""Dataset builds: asked for, written in the background, cancelled, downloaded."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.builds.folders import build_folder
from annotator.builds.manifest import reduced_manifest
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.placing import Progress
from annotator.builds.verifying import Verified, verify_files
from annotator.builds.writing import (
    MANIFEST,
    BuildRefused,
    check_formats,
    check_labels,
    ready_for,
    refuse_empty,
    write_folder,
)
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.jobs.services import (
    JobRefused,
    advance_job,
    cancel_job,
    create_job,
    finish_job,
    restart_job,
    start_job,
)
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema
from annotator.projects.services import lock_projects
from annotator.web.ids import new_public_id
from annotator.web.ranges import Download

_PARTIAL = ".partial"
_OURS = re.compile(r"[a-z2-7]{16}(\.[0-9a-f]+\.partial)?")
_PAGE = 500
# What is known of how good a project's labels are, at a moment: counted above builds, where readings are compared.
Evidence = Callable[[Project, datetime], Mapping[str, Any]]


class FilesRemoved(Exception):
    """A file of a dataset whose files were removed by a purge."""


@transaction.atomic
def create_build(
    *, project: Project, name: str, formats: Sequence[str], options: BuildOptions, actor: User, now: datetime
) -> DatasetBuild:
    """A build that a worker will write. Raises BuildRefused where there is nothing to write, or no way to."""
    title = clean_name(name)
    check_formats(formats)
    check_labels(current_schema(project).schema, options)
    refuse_empty(ready_for(project=project, options=options))
    lock_projects(project)
    newest = project.dataset_builds.order_by("-number").first()
    public_id = new_public_id()
    build = DatasetBuild.objects.create(
        project=project,
        public_id=public_id,
        number=newest.number + 1 if newest else 1,
        name=title,
        formats=sorted(formats),
        options=options.to_json(),
        job=create_job(kind=Job.Kind.BUILD, asked_by=actor, project=project.public_id, subject=public_id, now=now),
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


def write_build(*, job: Job, clock: Callable[[], datetime], evidence: Evidence | None = None) -> None:
    """Write the job's build, and finish the job together with its manifest. `evidence` tells of the labels' quality.

    A cancelled, lost or failed attempt leaves no file. Raises JobRefused, JobCancelled, JobLost.
    """
    build = DatasetBuild.objects.select_related("project", "created_by").get(job=job)
    sweep_builds()
    partial = settings.BUILDS_DIR / f"{build.public_id}.{job.run_token}{_PARTIAL}"
    folder = build_folder(build)

    def progress(phase: str, n_done: int, n_total: int) -> None:
        advance_job(job=job, now=clock(), phase=phase, n_done=n_done, n_total=n_total)

    try:
        written = write_folder(
            project=build.project,
            name=build.name,
            number=build.number,
            formats=build.formats,
            options=BuildOptions.from_json(build.options),
            out=partial,
            progress=progress,
            evidence=evidence(build.project, clock()) if evidence else {},
        )
    except BuildRefused as refusal:
        raise JobRefused(str(refusal)) from refusal
    try:
        manifest = written.manifest
        with transaction.atomic():
            now = clock()
            lock_projects(build.project)
            finish_job(job=job, now=now)
            DatasetBuild.objects.filter(pk=build.pk).update(manifest=manifest)
            _note_documents(build, written.documents)
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
            notify(
                users=[job.asked_by_id],
                kind=Kind.BUILD_DONE,
                project=build.project.public_id,
                subject=build.public_id,
                detail={"number": build.number, "n_notes": manifest["n_notes"], "n_spans": manifest["n_spans"]},
                actor=None,
                now=now,
            )
            # Only who has just finished the job may touch its folder. What can stand there is of an attempt that died
            # between its rename and its commit.
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def open_file(*, build: DatasetBuild, name: str) -> Download:
    """A file of the build, opened: one that its manifest lists, or the manifest itself.

    Raises FileNotFoundError for any other name, FilesRemoved where the files were purged.
    """
    digests = {file["name"]: file["sha256"] for file in build.manifest.get("files", ())}
    if name not in digests and not (name == MANIFEST and build.manifest):
        raise FileNotFoundError(name)
    if build.files_removed_at is not None:
        raise FilesRemoved
    stream = (build_folder(build) / name).open("rb")
    digest = digests.get(name) or hashlib.file_digest(stream, "sha256").hexdigest()
    n_bytes = os.fstat(stream.fileno()).st_size
    return Download(stream=stream, n_bytes=n_bytes, sha256=digest, name=f"{build.public_id}-{name}")


@transaction.atomic
def verify_build(*, build: DatasetBuild, actor: User | None, now: datetime) -> Verified:
    """Read every file of the build and keep what was found. Raises BuildRefused where it has none, or none any more."""
    if not build.manifest or build.files_removed_at is not None:
        raise BuildRefused("this dataset has no files")
    found = verify_files(build_folder(build), build.manifest)
    DatasetBuild.objects.filter(pk=build.pk).update(verified=found.to_json(), verified_at=now)
    record_event(
        project=build.project.public_id,
        actor=actor,
        verb="build.verify",
        object_id=build.public_id,
        now=now,
        detail={"n_right": found.n_right, "n_wrong": len(found.missing) + len(found.altered) + len(found.extra)},
    )
    return found


@transaction.atomic
def resume_build(*, build: DatasetBuild, actor: User, now: datetime) -> bool:
    """Have a build that failed or was cancelled written after all, as it was asked for; False for any other.

    It is written from its first note, of what the notes say now: half of a dataset of one moment and half of another
    would be of none.
    """
    lock_projects(build.project)
    if not restart_job(job=_job_of(build), asked_by=actor):
        return False
    record_event(project=build.project.public_id, actor=actor, verb="build.resume", object_id=build.public_id, now=now)
    return True


@transaction.atomic
def withdraw_files(*, builds: QuerySet[DatasetBuild], now: datetime) -> int:
    """Have the files of the builds removed, because of a purge; how many builds. `sweep_builds` removes them."""
    found = list(builds)
    for build in found:
        build.files_removed_at, build.manifest = now, reduced_manifest(build.manifest)
        build.save(update_fields=["files_removed_at", "manifest"])
    return len(found)


def stop_builds(*, project: Project, now: datetime) -> None:
    """Stop the builds that are being written: what they have read so far is purged. Those that wait go on."""
    for build in project.dataset_builds.filter(job__status=Job.Status.RUNNING).select_related("job"):
        cancel_job(job=_job_of(build), now=now)


@transaction.atomic
def cancel_build(*, build: DatasetBuild, actor: User, now: datetime) -> bool:
    """Ask the build to stop; False where it has ended already."""
    lock_projects(build.project)
    job = Job.objects.select_for_update().get(pk=_job_of(build).pk)
    if job.is_finished:
        return False
    cancel_job(job=job, now=now)
    record_event(project=build.project.public_id, actor=actor, verb="build.cancel", object_id=build.public_id, now=now)
    return True


def record_download(*, build: DatasetBuild, file: str, actor: User, now: datetime, part: str = "") -> None:
    """Note who took which file out of the installation; `part` is the range of bytes, where it was not all of it."""
    record_event(
        project=build.project.public_id,
        actor=actor,
        verb="build.download",
        object_id=build.public_id,
        now=now,
        detail={"file": file, "bytes": part} if part else {"file": file},
    )


def write_dataset(
    *,
    project: Project,
    name: str,
    formats: Sequence[str],
    options: BuildOptions,
    out: Path,
    progress: Progress | None = None,
    evidence: Mapping[str, Any] = MappingProxyType({}),
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
        written = write_folder(
            project=project,
            name=title,
            number=None,
            formats=formats,
            options=options,
            out=partial,
            progress=progress,
            evidence=evidence,
        )
        try:
            os.rename(partial, target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except OSError as error:
        raise BuildRefused(f"cannot write {out}: {error.strerror}") from error
    return written.manifest


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


def clean_name(name: str) -> str:
    """The name on one line. Raises BuildRefused where it is empty or longer than 120 characters."""
    title = " ".join(name.split())
    if not title or len(title) > 120:
        raise BuildRefused("a dataset's name has 1 to 120 characters")
    return title


def sweep_builds() -> None:
    """Remove what nobody needs any more from the folder of builds: partial folders that no running job writes to, and
    the folders of builds that ended without a manifest, whose files were withdrawn, or that are gone.
    """
    # The folders first: one that comes later has its row, or its job, before it is there.
    folders = [folder for folder in Path(settings.BUILDS_DIR).iterdir() if _OURS.fullmatch(folder.name)]
    if not folders:
        return
    active = Job.objects.filter(kind=Job.Kind.BUILD, status__in=[Job.Status.RUNNING, Job.Status.CANCELLING])
    tokens = set(active.values_list("run_token", flat=True))
    kept = DatasetBuild.objects.filter(files_removed_at=None)
    kept = kept.exclude(job__status__in=[Job.Status.FAILED, Job.Status.CANCELLED])
    with_files = set(kept.values_list("public_id", flat=True))
    for folder in folders:
        name = folder.name.removesuffix(_PARTIAL)
        is_partial = name != folder.name
        if (name.rpartition(".")[2] not in tokens) if is_partial else (name not in with_files):
            shutil.rmtree(folder, ignore_errors=True)


def _note_documents(build: DatasetBuild, public_ids: Sequence[str]) -> None:
    """Keep which notes are in the build's files. Raises JobRefused where one has been purged since it was read."""
    through = DatasetBuild.documents.through
    for first in range(0, len(public_ids), _PAGE):
        page = public_ids[first : first + _PAGE]
        keys = Document.objects.filter(project=build.project, public_id__in=page).values_list("pk", flat=True)
        rows = [through(datasetbuild_id=build.pk, document_id=key) for key in keys]
        if len(rows) < len(page):
            raise JobRefused("notes were purged while it was being written: build it again")
        through.objects.bulk_create(rows)


def _job_of(build: DatasetBuild) -> Job:
    if build.job is None:
        raise BuildRefused(f"build {build.number} has no job")
    return build.job
