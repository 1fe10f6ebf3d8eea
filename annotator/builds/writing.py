"""A dataset is written to a folder: streamed note by note, checked, and described by its manifest and card."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from annotator.builds.card import render_card
from annotator.builds.deidentifying import Deidentifier
from annotator.builds.formats import FORMATS, Writer, missing_package
from annotator.builds.formats.lines import new_file
from annotator.builds.identified import only_settled
from annotator.builds.index import INDEX, IndexWriter
from annotator.builds.manifest import LEFTOVERS, Tally, manifest_of
from annotator.builds.options import BuildOptions
from annotator.builds.placing import Placed, Progress, place_notes
from annotator.builds.records import BuildContext, FormatError, NoteRecord
from annotator.builds.risk import render_risk
from annotator.builds.selectors import Readiness, note_pages, readiness
from annotator.builds.splits import group_digest, group_of
from annotator.core.identifiers import LABEL, has_identifiers
from annotator.core.schema import Schema
from annotator.core.spans import SpanError, checked_surface
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema

MANIFEST = "manifest.json"
CARD = "README.md"
# What is known of identifiers that may be left, in words and for programs.
RISK, RISK_DATA = "deidentification.md", "deidentification.json"
PHASE = "Writing notes"


class BuildRefused(ValueError):
    """A dataset that cannot be built as asked; the message says why, and holds no note text."""


@dataclass(frozen=True, slots=True)
class Written:
    """A dataset that was written: its manifest, and the public ids of the notes in its files."""

    manifest: dict[str, Any]
    documents: tuple[str, ...]


def write_folder(
    *,
    project: Project,
    name: str,
    number: int | None,
    formats: Sequence[str],
    options: BuildOptions,
    out: Path,
    progress: Progress | None = None,
    evidence: Mapping[str, Any] = MappingProxyType({}),
) -> Written:
    """Write the dataset into the new folder `out`. Nothing remains of it on any exception.

    The same notes, annotations, schema and arguments give the same bytes, but for surrogates of a key that is kept
    nowhere. `progress` is told after every page of notes. Raises BuildRefused.
    """
    check_formats(formats)
    schema_version = current_schema(project)
    check_labels(schema_version.schema, options)
    ready = ready_for(project=project, options=options)
    refuse_empty(ready)
    out.mkdir(mode=0o700)
    try:
        replacing: Deidentifier | None = None
        if options.replaces_identifiers:
            replacing = Deidentifier(project=project, options=options, sets=ready.sets)
            ready = replace(ready, sets=replacing.in_order(ready.sets))
        placed = place_notes(project=project, sets=ready.sets, options=options, folder=out, progress=progress)
        tally = Tally(
            ready=ready,
            schema_version=schema_version,
            options=options,
            twins=placed.twins,
            test_set=placed.test_set,
        )
        n_rows = _write_files(
            project=project,
            tally=tally,
            placed=placed,
            replacing=replacing,
            formats=formats,
            out=out,
            progress=progress,
        )
        n_indexed = n_rows.pop(INDEX)
        manifest = manifest_of(
            project=project, name=name, number=number, tally=tally, formats=formats, evidence=evidence
        )
        _refuse_blocked(manifest["checks"])
        risk = replacing.risk.report(options=options, key=replacing.fingerprint) if replacing else None
        if risk is not None:
            manifest["deidentification"] = risk | {"leftovers": _counts(risk["leftovers"])}
        manifest["files"] = [_file_facts(out / file, n) for file, n in sorted(n_rows.items())]
        manifest["data_sha256"] = _digest_of(manifest["files"])
        manifest["files"].append(_file_facts(out / INDEX, n_indexed))
        if risk is not None:
            for file, text in ((RISK, render_risk(risk)), (RISK_DATA, _json(risk))):
                _write_text(out / file, text)
                manifest["files"].append(_file_facts(out / file, None))
        _write_text(out / CARD, render_card(manifest))
        manifest["files"].append(_file_facts(out / CARD, None))
        _write_text(out / MANIFEST, _json(manifest))
    except BaseException:
        shutil.rmtree(out, ignore_errors=True)
        raise
    return Written(manifest=manifest, documents=tuple(tally.documents))


def check_formats(formats: Sequence[str]) -> None:
    """Raises BuildRefused unless `formats` names at least one format, each known, named once, and one that this
    installation can write.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise BuildRefused(f"there is no format {', '.join(unknown)}: {', '.join(FORMATS)} are known")
    if not formats or len(set(formats)) != len(formats):
        raise BuildRefused(f"name each format once, and at least one of {', '.join(FORMATS)}")
    for name in formats:
        if package := missing_package(FORMATS[name]):
            raise BuildRefused(
                f"the format {name} needs {package}, which is not installed here: python -m pip install {package}"
            )


def check_labels(schema: Schema, options: BuildOptions) -> None:
    """Raises BuildRefused where the options ask for a label that the schema does not have, or to replace identifiers
    for which it has none.
    """
    if options.replaces_identifiers and not has_identifiers(schema):
        raise BuildRefused(f"the schema has no label {LABEL}, so that nobody has looked for identifiers yet")
    if options.replaces_identifiers and len(schema.label_names) == 1:
        raise BuildRefused(f"the schema has no label but {LABEL}: without identifiers nothing would be left")
    n_unknown = len(set(options.filters.labels) - set(schema.label_names))
    if n_unknown:
        raise BuildRefused(f"{n_unknown} of the labels are not the schema's: {', '.join(schema.label_names)} are")


def ready_for(*, project: Project, options: BuildOptions) -> Readiness:
    """The notes that go into a dataset with these options."""
    ready = readiness(
        project=project,
        annotator=options.annotator,
        is_human_only=options.is_human_only,
        filters=options.filters,
    )
    return only_settled(project=project, ready=ready) if options.replaces_identifiers else ready


def refuse_empty(ready: Readiness) -> None:
    """Raises BuildRefused where no note can go into a dataset; says what the notes wait for."""
    if ready.n_ready:
        return
    if not ready.n_documents:
        raise BuildRefused("the project has no note yet")
    reasons = [
        f"{count} {reason}"
        for count, reason in (
            (ready.n_unsubmitted, "not submitted yet"),
            (ready.n_unread, "waiting for another reader"),
            (ready.n_several, "submitted by several people, waiting for adjudication"),
            (ready.n_by_others, "submitted by others than the one asked for"),
            (ready.n_certified, "with spans that certificates accepted"),
            *((count, reason) for reason, count in ready.n_filtered.items()),
        )
        if count
    ]
    raise BuildRefused(f"no note is ready: {'; '.join(reasons)}")


def _write_files(
    *,
    project: Project,
    tally: Tally,
    placed: Placed,
    replacing: Deidentifier | None,
    formats: Sequence[str],
    out: Path,
    progress: Progress | None,
) -> dict[str, int | None]:
    """Write every note in every format; the names of the files with their numbers of rows."""
    contexts = {name: BuildContext(tally.schema, tally.options) for name in formats}
    try:
        writers: dict[str, Writer] = {
            name: FORMATS[name].open_writer(folder=out, context=context) for name, context in contexts.items()
        }
    except FormatError as error:
        raise BuildRefused(str(error)) from error
    sets = tally.ready.sets
    index = IndexWriter(folder=out)
    n_rows: dict[str, int | None] = {}
    n_read = 0
    for page in note_pages(project=project, sets=sets):
        for note in page:
            group = group_of(patient_id=note.patient_id, external_id=note.id)
            part = placed.parts.get(group)
            kept = _as_it_goes_out(note, group, part, tally, replacing)
            if part is None or kept is None:
                continue
            name = replacing.group(group) if replacing else group_digest(project=project.public_id, group=group)
            tally.add(kept, part, stored=note)
            index.add(note=kept, part=part, group=name)
            for writer in writers.values():
                writer.add(note=kept, part=part)
        n_read += len(page)
        if progress is not None:
            progress(PHASE, n_read, len(sets))
    tally.n_changed = len(sets) - n_read
    for name, writer in writers.items():
        n_rows |= writer.close()
        tally.losses[name] = dict(sorted(contexts[name].losses.items()))
    n_rows[INDEX] = index.close()
    if not n_read:
        raise BuildRefused("every note was reopened while the dataset was being written")
    if tally.n_leftover and not tally.notes:
        raise BuildRefused(f"no note can go out: {tally.n_leftover} {LEFTOVERS}")
    return n_rows


def _as_it_goes_out(
    note: NoteRecord, group: str, part: str | None, tally: Tally, replacing: Deidentifier | None
) -> NoteRecord | None:
    """The note as the files have it; None, and counted, where it is in none after all."""
    if tally.options.is_human_only and any(found.certificate for found in note.spans):
        tally.n_certified += 1  # accepted since the build began
        return None
    _check_spans(note)
    if part is None:
        tally.n_near_locked += 1
        return None
    given: NoteRecord | None = note
    if replacing is not None:
        given = replacing.replaced(note, group)
        if given is None:
            tally.n_leftover += 1
            return None
        _check_spans(given)
    labels = tally.options.filters.labels
    return given.only(labels) if given is not None and labels else given


def _check_spans(note: NoteRecord) -> None:
    """The invariant of every export: each span reads in the text as it was stored."""
    for found in note.spans:
        try:
            own = checked_surface(text=note.text, span=found.span, surface=found.surface)
        except SpanError as error:
            raise BuildRefused(f"note {note.public_id}: {error}") from error
        if own != found.surface:
            raise BuildRefused(f"note {note.public_id}: characters {found.span} do not read as they were stored")


def _refuse_blocked(checks: Sequence[dict[str, Any]]) -> None:
    blocking = [f"{check['text']} ({check['count']})" for check in checks if check["status"] == "bad"]
    if blocking:
        raise BuildRefused("; ".join(blocking))


def _file_facts(path: Path, n_rows: int | None) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.name, "sha256": digest, "n_bytes": path.stat().st_size, "n_rows": n_rows}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    """The counts of it, without the notes, which the report names."""
    return {name: n for name, n in found.items() if name != "notes"}


def _digest_of(files: Sequence[dict[str, Any]]) -> str:
    """One digest for all data files: equal where the data is, whatever the dataset is called."""
    lines = "".join(f"{file['sha256']}  {file['name']}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _write_text(path: Path, text: str) -> None:
    with new_file(path) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
