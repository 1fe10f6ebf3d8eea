"""Whole databases: opened beside the one that is worked with, copied row by row, compared, checked in themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Field, Model, QuerySet
from django.db.utils import load_backend

from annotator.annotations.models import Annotation
from annotator.audit.models import AuditChain
from annotator.audit.services import first_broken_event
from annotator.core.spans import Span, SpanError
from annotator.documents.models import Document
from annotator.suggestions.models import Candidate, Suggestion
from annotator.web.inserts import insert_rows

# What `migrate` fills by itself, and what a running worker writes: a database with these and no other row is empty.
MADE_BY_MIGRATE = ("auth.Permission", "contenttypes.ContentType")
_NOT_CONTENT = {*MADE_BY_MIGRATE, "annotator.WorkerBeat"}
_PREPARED = {"DateTimeField", "DateField", "TimeField", "DurationField", "DecimalField", "UUIDField", "BinaryField"}
_CHUNK = 2000
Heads = dict[str, tuple[int, str]]


class DatabaseUnfit(Exception):
    """A database that cannot be copied from or to; the message says why and what to do."""


@contextmanager
def opened(alias: str, database: Mapping[str, Any]) -> Iterator[str]:
    """Makes a database known under `alias` while the block runs; `database` is as in the setting DATABASES."""
    configured = connections.configure_settings({DEFAULT_DB_ALIAS: {}, alias: dict(database)})[alias]
    connections[alias] = load_backend(configured["ENGINE"]).DatabaseWrapper(configured, alias)
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]


@contextmanager
def as_default(alias: str) -> Iterator[None]:
    """Lets the functions of the domains, which know one database, work on this one while the block runs."""
    before = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = connections[alias]
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = before


def tables() -> list[type[Model]]:
    """Every table but the one of migrations, by name."""
    models = apps.get_models(include_auto_created=True)
    kept = [model for model in models if model._meta.managed and not model._meta.proxy]
    return sorted(kept, key=lambda model: model._meta.db_table)


def counts(alias: str) -> dict[str, int]:
    """Table -> number of rows. One query a table."""
    return {model._meta.db_table: _rows(model, alias).count() for model in tables()}


def heads(alias: str) -> Heads:
    """Chain -> its number of events and the hash of the last one. One query."""
    chains = AuditChain.objects.using(alias).order_by("project")
    return {chain.project: (chain.n_events, chain.head_sha256) for chain in chains}


def migrate(alias: str) -> None:
    """Bring the database to this version's tables. Raises DatabaseUnfit where a newer version has been at it."""
    executor = MigrationExecutor(connections[alias])
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
    if unknown:
        raise DatabaseUnfit(f"a newer version has migrated it ({len(unknown)} migrations unknown here): upgrade first")
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", database=alias, verbosity=0, interactive=False)


def make_tables(alias: str, *, like: str) -> None:
    """Give an empty database the tables of `like`, which has those of this version: in a moment, without migrating."""
    with connections[alias].schema_editor() as editor:
        for model in tables():
            if not model._meta.auto_created:  # those come with the tables that they join
                editor.create_model(model)
    recorder = MigrationRecorder(connections[alias])
    recorder.ensure_schema()
    for app, name in MigrationRecorder(connections[like]).applied_migrations():
        recorder.record_applied(app, name)


def refuse_unmigrated(alias: str) -> None:
    executor = MigrationExecutor(connections[alias])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DatabaseUnfit("migrations wait: start this version once, or run manage.py migrate")


def is_empty(alias: str) -> bool:
    """Whether nothing that a person or a program has made is in the database. One query a table."""
    there = set(connections[alias].introspection.table_names())
    return not any(
        _rows(model, alias).exists()
        for model in tables()
        if model._meta.db_table in there and model._meta.label not in _NOT_CONTENT
    )


def copy_rows(
    *, source: str, target: str, is_checked: bool, say: Callable[[str, int], None] = lambda table, n: None
) -> None:
    """Copy all rows, keys included, as they stand at one moment, in one transaction of the target.

    Both databases have the tables of this version, and the target is empty. `say` is told (table, rows) of each.
    Raises DatabaseUnfit where a number of rows or a head of a chain comes out other than it was, and for any of
    `troubles` where `is_checked`: then nothing was copied.
    """
    with _one_moment(source), transaction.atomic(using=target):
        _delete_made_by_migrate(target)
        for model in tables():
            columns = [field.attname for field in model._meta.concrete_fields]
            rows = _rows(model, source).order_by("pk").values_list(*columns).iterator(chunk_size=_CHUNK)
            with as_default(target):
                insert_rows(model=model, columns=columns, rows=_prepared(model, rows, target), same={})
            say(model._meta.db_table, _rows(model, target).count())
        _reset_sequences(target)
        copied = counts(target)
        wrong = [table for table, n in counts(source).items() if copied[table] != n]
        if wrong or heads(source) != heads(target):
            raise DatabaseUnfit(f"the copy is not what was copied: {', '.join(wrong) or 'heads of chains'}")
        if is_checked and (found := troubles(target)):
            raise DatabaseUnfit("; ".join(found))


def troubles(alias: str) -> list[str]:
    """What does not hold in the database's content: chains, notes, spans. In words, with counts and opaque ids only.

    Reads every note, event, suggestion, candidate and annotation once.
    """
    with as_default(alias):
        broken = [
            f"the chain {project or 'of the installation'} is broken at event {number}"
            for project in AuditChain.objects.order_by("project").values_list("project", flat=True)
            if (number := first_broken_event(project=project)) is not None
        ]
        n_changed = sum(
            hashlib.sha256(text.encode()).hexdigest() != sha256
            for text, sha256 in Document.objects.order_by("pk")
            .values_list("text", "sha256")
            .iterator(chunk_size=_CHUNK)
        )
        suggested = Suggestion.objects.exclude(fragments="").order_by("document_id")
        asserted = Annotation.objects.order_by("set__document_id")
        misplaced = {
            "suggestions": _n_misplaced(suggested.values_list("document__text", "fragments", "surface")),
            "candidates": _n_misplaced(
                Candidate.objects.order_by("document_id").values_list("document__text", "fragments", "surface")
            ),
            "annotations": _n_misplaced(asserted.values_list("set__document__text", "fragments", "surface")),
        }
    if n_changed:
        broken.append(f"{n_changed} notes are not what their sha256 says")
    return broken + [f"{n} {kind} do not read as their place in the note" for kind, n in misplaced.items() if n]


def _n_misplaced(rows: QuerySet[Any, tuple[Any, ...]]) -> int:
    return sum(not _reads(*row) for row in rows.iterator(chunk_size=_CHUNK))


def _reads(text: str, fragments: str, surface: str) -> bool:
    try:
        return Span.parse(fragments).surface(text) == surface
    except SpanError:
        return False


def _rows(model: type[Model], alias: str) -> QuerySet[Any]:
    return model._base_manager.using(alias)


def _prepared(model: type[Model], rows: Iterable[tuple[Any, ...]], target: str) -> Iterator[list[Any]]:
    """The rows with each value as the target's driver takes it; JSON is left to who inserts it."""
    connection = connections[target]
    fields: dict[int, Field[Any, Any]] = {
        place: field
        for place, field in enumerate(model._meta.concrete_fields)
        if field.get_internal_type() in _PREPARED
    }
    for row in rows:
        values = list(row)
        for place, field in fields.items():
            values[place] = field.get_db_prep_save(values[place], connection)
        yield values


@contextmanager
def _one_moment(alias: str) -> Iterator[None]:
    """Everything that is read in the block is as it stood at its begin, whatever others write meanwhile."""
    with transaction.atomic(using=alias):
        if connections[alias].vendor == "postgresql":
            with connections[alias].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _delete_made_by_migrate(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        for label in MADE_BY_MIGRATE:
            table = connections[alias].ops.quote_name(apps.get_model(label)._meta.db_table)
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608  no value in it


def _reset_sequences(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        for statement in connections[alias].ops.sequence_reset_sql(no_style(), tables()):
            cursor.execute(statement)
