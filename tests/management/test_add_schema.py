from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation, add_annotation, open_set
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from tests.cast import NOW, SCHEMA, TEXT, TIED_SCHEMA, make_document, make_set


def write(folder: Path, schema: object) -> Path:
    file = folder / "schema.json"
    file.write_text(json.dumps(schema))
    return file


def test_a_changed_schema_is_the_next_version(project: Project, tmp_path: Path) -> None:
    more = {**SCHEMA, "labels": [*SCHEMA["labels"], {"name": "Test", "definition": "A measurement."}]}
    told = StringIO()
    call_command("add_schema", project.slug, write(tmp_path, more), stdout=told)
    assert "schema version 2: Problem, Medication, Test" in told.getvalue()


def test_a_label_in_use_must_stay(project: Project, bob: User, schema_version: SchemaVersion, tmp_path: Path) -> None:
    document = make_document(project)
    add_annotation(
        target=open_set(document=document, annotator=bob),
        annotator=bob,
        text=TEXT,
        schema_version=schema_version,
        new=NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={}),
        now=NOW,
    )
    less = {"labels": [SCHEMA["labels"][1]]}
    with pytest.raises(CommandError, match=r"Problem \(1 spans\)"):
        call_command("add_schema", project.slug, write(tmp_path, less))
    assert project.schema_versions.count() == 1


def test_a_relation_and_a_value_in_use_must_stay(project: Project, bob: User, tmp_path: Path) -> None:
    call_command("add_schema", project.slug, write(tmp_path, TIED_SCHEMA), stdout=StringIO())
    spans = [NewAnnotation(span=Span.of(*place), label="Problem", attributes={}) for place in ((15, 25), (27, 35))]
    make_set(make_document(project), bob, *spans, relations=[("seen with", 0, 1)], values={"smoking": "never"})
    less: dict[str, Any] = TIED_SCHEMA | {"relations": TIED_SCHEMA["relations"][:1]}
    less["document_labels"] = [TIED_SCHEMA["document_labels"][0] | {"values": ["former", "current"]}]
    with pytest.raises(CommandError, match=r"seen with \(1 relations\), smoking: never \(1 notes\)"):
        call_command("add_schema", project.slug, write(tmp_path, less))
    less = TIED_SCHEMA | {"relations": TIED_SCHEMA["relations"][1:]}  # 'treats' is in no note
    call_command("add_schema", project.slug, write(tmp_path, less), stdout=StringIO())


@pytest.mark.parametrize("content", ["{", '{"labels": []}', "[" * 100_000], ids=["no json", "no label", "nested"])
def test_a_file_that_is_no_schema_is_one_line(project: Project, tmp_path: Path, content: str) -> None:
    file = tmp_path / "schema.json"
    file.write_text(content)
    with pytest.raises(CommandError, match=r"schema\.json"):
        call_command("add_schema", project.slug, file)
