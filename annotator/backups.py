"""Backups: one folder that holds an installation, whichever database it runs on, and says what is in it.

    manifest.json      counts of every table, heads of the audit chains, sha256 of every other file
    database.sqlite3   all tables; those of a PostgreSQL installation too, copied at one moment
    secret_key         what sessions and second factors were signed and encrypted with
    builds/            the files of the datasets
    models/            what was trained from them
    audit-heads/       the heads of the audit chains, day by day

It holds notes: it is as private as the data folder. Uploads that wait for their import are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from annotator import copying, databases, runtime
from annotator.audit.models import AuditChain

MANIFEST, DATABASE, KEY = "manifest.json", "database.sqlite3", "secret_key"
BUILDS, MODELS, HEADS = "builds", "models", "audit-heads"
FORMAT = 1


class BackupBroken(Exception):
    """A backup that is not what its manifest says, or none at all; the message says in what."""


def write_backup(*, folder: Path, now: datetime) -> Path:
    """A new backup in `folder`, which may be in use meanwhile; it gets its name when all of it is on the disk."""
    name = f"marginalia-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / f".{name}-{secrets.token_hex(4)}.part"
    part.mkdir(mode=0o700)
    try:
        _write_database(part / DATABASE)
        _write_text(part / KEY, settings.SECRET_KEY)
        _copy_folder(Path(settings.BUILDS_DIR), part / BUILDS)
        _copy_folder(Path(settings.MODELS_DIR), part / MODELS)
        _copy_folder(Path(settings.AUDIT_HEADS_DIR), part / HEADS)
        manifest = {
            "format": FORMAT,
            "made_at": now.isoformat(),
            "database": connection.vendor,
            **_facts(part / DATABASE),
            "files": [_file_facts(path, part) for path in _files(part)],
        }
        _write_text(part / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        for path in _files(part):
            path.chmod(0o600)
            _sync(path)
        made = folder / name
        part.rename(made)
        _sync(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return made


def read_manifest(backup: Path) -> dict[str, Any]:
    """Raises BackupBroken unless every file of the backup is there as it was written, and no other."""
    try:
        manifest: dict[str, Any] = json.loads((backup / MANIFEST).read_text(encoding="utf-8"))
        wanted = {file["name"]: file for file in manifest["files"]}
        version = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupBroken(f"{backup} is no backup: it has no {MANIFEST} that can be read") from error
    if version != FORMAT:
        raise BackupBroken(f"the backup has format {version}, {FORMAT} is known here: upgrade first")
    found = {path.relative_to(backup).as_posix() for path in _files(backup)} - {MANIFEST}
    if found != set(wanted):
        raise BackupBroken(f"{len(set(wanted) - found)} files are missing, {len(found - set(wanted))} are not its own")
    for name, facts in wanted.items():
        if _file_facts(backup / name, backup) != facts:
            raise BackupBroken(f"{name} is not what was written")
    return manifest


@contextmanager
def scratch_copy(backup: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """The alias of a copy of the backup's database in the data folder, with this version's tables; gone afterwards.

    Raises BackupBroken where its rows are not those that the manifest counts.
    """
    folder = Path(settings.DATA_DIR) / f"restore-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    try:
        database = databases.sqlite(folder)
        shutil.copyfile(backup / DATABASE, database["NAME"])
        if _facts(database["NAME"]) != {name: manifest[name] for name in ("counts", "chains")}:
            raise BackupBroken("the database has other rows than the manifest says")
        with copying.opened("scratch", database) as alias:
            copying.migrate(alias)
            yield alias
    finally:
        shutil.rmtree(folder)


def restore_files(backup: Path) -> str | None:
    """Put datasets, models, heads and key in their places; what remains to be done by hand for the key, if anything."""
    _copy_folder(backup / BUILDS, Path(settings.BUILDS_DIR))
    _copy_folder(backup / MODELS, Path(settings.MODELS_DIR))
    _copy_folder(backup / HEADS, Path(settings.AUDIT_HEADS_DIR))
    key = (backup / KEY).read_text()
    if runtime.secret("SECRET_KEY") is None:
        (Path(settings.DATA_DIR) / KEY).unlink(missing_ok=True)
        _write_text(Path(settings.DATA_DIR) / KEY, key)
    elif key != settings.SECRET_KEY:
        return f"set SECRET_KEY to what stands in {backup / KEY}: second factors cannot be read without it"
    return None


def _write_database(file: Path) -> None:
    here = connection.settings_dict
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(here["NAME"], timeout=databases.WAIT_SECONDS)) as source:
            source.execute("VACUUM INTO ?", [str(file)])
        return
    fresh = databases.sqlite(file.parent) | {"NAME": file}
    # No other process reads it, and a backup that was not finished is thrown away.
    fresh["OPTIONS"]["init_command"] = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
    with copying.opened("source", here) as source_alias, copying.opened("backup", fresh) as target:
        copying.refuse_unmigrated(source_alias)
        copying.make_tables(target, like=source_alias)
        copying.copy_rows(source=source_alias, target=target, is_checked=False)


def _facts(database: Path) -> dict[str, Any]:
    """Counts of all tables and heads of all chains, read from the file as it is, without a trace beside it."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
        kept = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        counts = {
            name: opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608  a table's name
            for name in sorted(kept)
            if not name.startswith("sqlite_")
        }
        chains = opened.execute(
            f"SELECT project, n_events, head_sha256 FROM {AuditChain._meta.db_table} ORDER BY project"  # noqa: S608
        )
        return {"counts": counts, "chains": [list(chain) for chain in chains]}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _file_facts(path: Path, folder: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": path.relative_to(folder).as_posix(), "sha256": digest, "n_bytes": path.stat().st_size}


def _copy_folder(source: Path, target: Path) -> None:
    """Copy the files; one that goes meanwhile (a purge, a build that is cancelled) is left out, and so is a dataset
    that is still being written, and a training's checkpoints.
    """
    target.mkdir(mode=0o700, exist_ok=True)
    for path in _files(source):
        if any(part.endswith(".partial") or part == "checkpoints" for part in path.relative_to(source).parts):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, place)
        except FileNotFoundError:
            place.unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
