"""Which notes and labels go into a dataset, by its filters."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.builds.criteria import FilterError, Filters, in_words
from annotator.builds.options import BuildOptions
from annotator.builds.selectors import readiness
from annotator.builds.services import write_dataset
from annotator.builds.writing import BuildRefused
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.documents.selectors import type_key
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.readings.comparing import compare_notes
from annotator.readings.models import Comparison
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from tests.builds.scene import annotate, suggest
from tests.builds.test_builds_writing import native_rows
from tests.cast import NOW, TIED_SCHEMA, make_document, make_set


def ready(project: Project, **filters: Any) -> list[str]:
    return [found.external_id for found in readiness(project=project, filters=Filters(**filters)).sets]


def test_by_note_type_by_key_and_by_day(project: Project, bob: User) -> None:
    for number, note_type in enumerate(("ED", "Letter", "")):
        document = make_document(project, external_id=f"n{number}", note_type=note_type)
        annotate(document, bob)
        AnnotationSet.objects.filter(document=document).update(submitted_at=NOW + timedelta(days=number))
    assert ready(project, note_types=(type_key("ED"), type_key(""))) == ["n0", "n2"]
    first = NOW.date()
    assert ready(project, since=first + timedelta(days=1)) == ["n1", "n2"]
    assert ready(project, until=first) == ["n0"]
    assert ready(project, since=first, until=first + timedelta(days=1), note_types=(type_key("Letter"),)) == ["n1"]
    left = readiness(project=project, filters=Filters(until=first, note_types=(type_key("Letter"),)))
    assert left.n_filtered == {"filtered by note type": 2, "filtered by date": 1}


def test_by_how_a_note_was_finished(project: Project, bob: User, adam: User, alice: User) -> None:
    annotate(make_document(project, external_id="read"), bob)
    settled = make_document(project, external_id="settled")
    annotate(settled, bob)
    annotate(settled, adam)
    AnnotationSet.objects.create(document=settled, annotator=alice, kind="gold", status="submitted", submitted_at=NOW)
    alone = make_document(project, external_id="alone")
    AnnotationSet.objects.create(document=alone, status="submitted", submitted_at=NOW)
    assert ready(project) == ["alone", "read", "settled"]
    assert ready(project, states=("adjudicated",)) == ["settled"]
    assert ready(project, states=("read", "certified")) == ["alone", "read"]


def test_by_stream_a_note_may_be_both_blind_and_audited(project: Project, bob: User) -> None:
    documents = {name: make_document(project, external_id=name) for name in ("audited", "blind", "plain")}
    for document in documents.values():
        annotate(document, bob)
        ensure_note_items(document=document, n_slots=1, priority=1.0)
    ReviewItem.objects.update(status=ReviewItem.Status.DECIDED)
    ReviewItem.objects.filter(document=documents["blind"]).update(stream=ReviewItem.Stream.BLIND)
    for name in ("audited", "blind"):
        (found,) = suggest(project, documents[name], ("metformin", "Medication", 0.5))
        ReviewItem.objects.create(
            project=project,
            document=documents[name],
            suggestion=found,
            unit=ReviewItem.Unit.SPAN,
            stream=ReviewItem.Stream.AUDIT,
            status=ReviewItem.Status.DECIDED,
        )
    assert ready(project, streams=("blind",)) == ["blind"]
    assert ready(project, streams=("audit",)) == ["audited", "blind"]
    assert ready(project, streams=("uncertain",)) == ["plain"]


def test_by_agreement_of_the_readers(project: Project, bob: User, adam: User, alice: User) -> None:
    for name, spans in (("alike", [("metformin", "Medication")] * 2), ("apart", [("metformin", "Medication"), None])):
        document = make_document(project, external_id=name)
        for reader, span in zip((bob, adam), spans, strict=True):
            annotate(document, reader, *([span] if span else []))
        AnnotationSet.objects.create(
            document=document, annotator=alice, kind="gold", status="submitted", submitted_at=NOW
        )
    annotate(make_document(project, external_id="once"), bob, ("metformin", "Medication"))
    compare_notes(document_ids=list(Document.objects.values_list("pk", flat=True)))
    assert Comparison.objects.filter(pair__kind="annotators").count() == 2
    assert ready(project) == ["alike", "apart", "once"]
    assert ready(project, min_agreement=100) == ["alike"]


def test_by_label_spans_and_their_relations_go_and_notes_stay(project: Project, bob: User, tmp_path: Path) -> None:
    add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=None, now=NOW)
    document = make_document(project, text="Fever. Aspirin.", external_id="a")
    marks = [
        NewAnnotation(span=Span.of(0, 5), label="Problem", attributes={}),
        NewAnnotation(span=Span.of(7, 14), label="Medication", attributes={}),
    ]
    make_set(document, bob, *marks, relations=[("treats", 1, 0)])
    annotate(make_document(project, text="Cough.", external_id="b"), bob, ("Cough", "Problem"))
    options = BuildOptions(filters=Filters(labels=("Medication",)))
    manifest = write_dataset(project=project, name="N", formats=["jsonl"], options=options, out=tmp_path / "out")
    rows = native_rows(tmp_path / "out")
    assert {name: [span["label"] for span in row["spans"]] for name, row in rows.items()} == {
        "a": ["Medication"],
        "b": [],
    }
    assert "relations" not in rows["a"]
    assert manifest["parts"]["train"]["labels"].keys() == {"Medication"}
    definition = manifest["schema"]["definition"]
    assert [label["name"] for label in definition["labels"]] == ["Medication"]
    assert [relation["name"] for relation in definition["relations"]] == ["seen with"]


def test_filters_that_leave_nothing_are_refused_with_what_they_left_out(
    project: Project, bob: User, tmp_path: Path
) -> None:
    annotate(make_document(project), bob)
    options = BuildOptions(filters=Filters(states=("adjudicated",)))
    with pytest.raises(BuildRefused, match="1 filtered by how they were finished"):
        write_dataset(project=project, name="N", formats=["jsonl"], options=options, out=tmp_path / "out")


@pytest.mark.parametrize(
    "wrong",
    [
        {"states": ("gold",)},
        {"streams": ("blind", "x")},
        {"since": date(2026, 3, 2), "until": date(2026, 3, 1)},
        {"min_agreement": 101},
    ],
)
def test_filters_that_cannot_be_used_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(FilterError):
        Filters(**wrong)


def test_an_unknown_label_is_refused(project: Project, bob: User, tmp_path: Path) -> None:
    annotate(make_document(project), bob)
    options = BuildOptions(filters=Filters(labels=("Nose",)))
    with pytest.raises(BuildRefused, match="1 of the labels are not the schema's: Problem, Medication are"):
        write_dataset(project=project, name="N", formats=["jsonl"], options=options, out=tmp_path / "out")


def test_filters_survive_the_database_and_are_told_in_words() -> None:
    filters = Filters(
        states=("read", "adjudicated"), note_types=(type_key("ED"),), since=date(2026, 3, 1), min_agreement=80
    ).normal()
    options = BuildOptions(filters=filters, is_stratified=True, keeps_twins=True, licence="CC BY 4.0")
    assert BuildOptions.from_json(options.to_json()) == options
    assert in_words(filters, ["ED"]) == [
        "notes adjudicated, read by a person",
        "of type ED",
        "finished on 2026-03-01 or later",
        "whose readers agree by 80 % or more",
    ]
    assert "ED" not in str(options.to_json())  # types are what somebody typed in


def test_the_command_takes_the_same_filters(project: Project, bob: User, tmp_path: Path) -> None:
    for number, note_type in enumerate(("ED", "Letter")):
        annotate(make_document(project, external_id=f"n{number}", note_type=note_type), bob)
    out = tmp_path / "out"
    call_command("build_dataset", project.slug, "--out", out, "--type", "ED", "--label", "Problem", "--state", "read")
    assert native_rows(out).keys() == {"n0"}
    args = ("--since", "2026-03-02", "--until", "2026-03-01")
    with pytest.raises(CommandError, match="must not lie after"):
        call_command("build_dataset", project.slug, "--out", tmp_path / "other", *args)
