from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.forms import model_to_dict

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import (
    AnnotationRow,
    NewAnnotation,
    SetExists,
    SetRows,
    add_annotation,
    annotation_row,
    import_sets,
    open_set,
)
from annotator.core.schema import Schema, SchemaError
from annotator.core.spans import Span, SpanError
from annotator.documents.models import Document
from annotator.projects.models import Project, SchemaVersion
from tests.cast import NOW, TEXT, make_document

CHEST_PAIN, METFORMIN = Span.of(15, 25), Span.of(40, 49)


def new(span: Span = CHEST_PAIN, label: str = "Problem", **attributes: str) -> NewAnnotation:
    return NewAnnotation(span=span, label=label, attributes=attributes)


def row(schema: Schema, **chosen: Any) -> AnnotationRow:
    return annotation_row(text=TEXT, schema=schema, new=new(**chosen))


def notes(project: Project, n: int) -> list[Document]:
    return [make_document(project, external_id=f"note-{number}") for number in range(n)]


def bring_in(annotator: User, version: SchemaVersion, *sets: tuple[Document, list[AnnotationRow]]) -> None:
    pairs = [(document.pk, SetRows(rows)) for document, rows in sets]
    import_sets(annotator=annotator, schema_version=version, sets=pairs, now=NOW)


def test_a_row_is_complete_and_reads_as_the_note(schema: Schema) -> None:
    made = row(schema, assertion="absent")
    assert (made.fragments, made.start, made.end, made.surface) == ("15 25", 15, 25, "chest pain")
    assert made.attributes == {"assertion": "absent"}
    assert row(schema).attributes == {"assertion": "present"}
    assert row(schema).public_id != made.public_id


def test_a_row_that_does_not_fit_is_refused(schema: Schema) -> None:
    with pytest.raises(SpanError):
        row(schema, span=Span.of(15, len(TEXT) + 1))
    with pytest.raises(SchemaError):
        row(schema, label="Person")
    with pytest.raises(SchemaError):
        row(schema, assertion="maybe")


def test_sets_come_in_submitted(project: Project, bob: User, schema_version: SchemaVersion) -> None:
    first, second, other = notes(project, 3)
    schema = schema_version.schema
    bring_in(
        bob,
        schema_version,
        (second, [row(schema, assertion="absent"), row(schema, span=METFORMIN, label="Medication")]),
        (first, []),
    )
    sets = {one.document: one for one in AnnotationSet.objects.all()}
    assert set(sets) == {first, second}
    assert {(one.annotator, one.status, one.submitted_at) for one in sets.values()} == {(bob, "submitted", NOW)}
    assert not sets[first].annotations.exists()
    problem, medication = sets[second].annotations.order_by("start")
    assert (problem.label, problem.span, problem.surface) == ("Problem", CHEST_PAIN, "chest pain")
    assert (problem.attributes, medication.attributes) == ({"assertion": "absent"}, {})
    assert (problem.annotator, problem.schema_version, problem.origin) == (bob, schema_version, None)
    assert (problem.stage, problem.status, problem.created_at) == ("base", "live", NOW)
    assert not other.annotation_sets.exists()


def test_a_bulk_row_is_the_one_that_a_single_annotation_is(
    project: Project, bob: User, schema_version: SchemaVersion
) -> None:
    first, second = notes(project, 2)
    bring_in(bob, schema_version, (first, [row(schema_version.schema, assertion="family")]))
    add_annotation(
        target=open_set(document=second, annotator=bob),
        annotator=bob,
        text=second.text,
        schema_version=schema_version,
        new=new(assertion="family"),
        now=NOW,
    )
    bulk, single = map(model_to_dict, Annotation.objects.order_by("pk"))
    assert {name for name in bulk if bulk[name] != single[name]} == {"id", "set"}


def test_somebody_who_has_a_set_gets_no_second_one(project: Project, bob: User, schema_version: SchemaVersion) -> None:
    first, second = notes(project, 2)
    open_set(document=second, annotator=bob)
    with pytest.raises(SetExists, match="bob has annotations"):
        bring_in(bob, schema_version, (first, [row(schema_version.schema)]), (second, []))
    assert not Annotation.objects.exists()
    assert AnnotationSet.objects.get().document == second


def test_the_set_of_somebody_else_is_no_hindrance(
    project: Project, bob: User, adam: User, schema_version: SchemaVersion
) -> None:
    (document,) = notes(project, 1)
    open_set(document=document, annotator=adam)
    bring_in(bob, schema_version, (document, []))
    assert document.annotation_sets.count() == 2


def test_the_database_refuses_what_its_constraints_forbid(
    project: Project, bob: User, schema_version: SchemaVersion
) -> None:
    (document,) = notes(project, 1)
    fine = row(schema_version.schema)
    again = row(schema_version.schema)
    for rows in ([fine, again], [fine, fine], [fine._replace(start=25)], [fine._replace(label=None)]):
        with pytest.raises(IntegrityError), transaction.atomic():
            bring_in(bob, schema_version, (document, rows))
    with pytest.raises(IntegrityError), transaction.atomic():
        bring_in(bob, schema_version, (document, []), (document, []))
    assert not AnnotationSet.objects.exists()


def test_sets_are_written_page_by_page_in_few_queries(
    project: Project,
    bob: User,
    schema_version: SchemaVersion,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    monkeypatch.setattr("annotator.annotations.services._PAGE", 3)
    documents = notes(project, 7)
    sets = [(document, [row(schema_version.schema)]) for document in documents]
    with django_assert_max_num_queries(2 + 3 * 6):
        bring_in(bob, schema_version, *sets)
    assert Annotation.objects.filter(set__document__in=documents).count() == 7
