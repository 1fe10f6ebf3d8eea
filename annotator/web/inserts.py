"""Many rows into one table, for the bulk writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import JSONField, Model
from psycopg2.extras import execute_values

_PAGE = 1000


def insert_rows(
    *, model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]], same: Mapping[str, Any]
) -> None:
    """Insert `rows`, whose values are those of `columns` in order; `same` holds what all of them share.

    A fifth of the time of `bulk_create`, which makes an object of each row and prepares each value. So the values must
    be what the database takes as it is (text, whole and real numbers, None), or JSON. A column that is in neither has
    no default. The database's own constraints hold.
    """
    here = connections[DEFAULT_DB_ALIAS]
    known = {name: field for field in model._meta.concrete_fields for name in (field.name, field.attname)}
    fields = [known[name] for name in (*columns, *same)]
    shared = [known[name].get_db_prep_save(value, here) for name, value in same.items()]
    encoders = {
        place: field.encoder for place, field in enumerate(fields[: len(columns)]) if isinstance(field, JSONField)
    }

    def prepared() -> Iterator[list[Any]]:
        for row in rows:
            values = [*row, *shared]
            for place, encoder in encoders.items():
                values[place] = here.ops.adapt_json_value(values[place], encoder)
            yield values

    quote = here.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES "  # noqa: S608  no value in it
    with here.cursor() as cursor:
        if here.vendor == "postgresql":  # whose driver would send each row by itself
            with here.wrap_database_errors:
                execute_values(cursor.cursor, f"{statement}%s", prepared(), f"({places})", page_size=_PAGE)
        else:
            cursor.executemany(f"{statement}({places})", prepared())  # type: ignore[arg-type]  # it takes an iterator
