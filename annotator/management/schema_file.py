"""Schemas given as files on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from django.core.management.base import CommandError

from annotator.core.schema import Schema, SchemaError, schema_from_json


def read_schema(path: Path) -> Schema:
    """The checked schema of a JSON file. Raises CommandError, which says what is wrong and where."""
    try:
        return schema_from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise CommandError(f"{path} is not JSON: line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise CommandError(f"{path} is nested too deeply") from error
    except SchemaError as error:
        raise CommandError(f"{path}: {error}") from error
