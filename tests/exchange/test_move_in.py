"""What other tools export comes in with its people, its models and its spans kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.core.foreign import Voice
from annotator.core.schema import NO_DEFINITION, schema_from_json
from annotator.documents.models import Document
from annotator.exchange.models import ImportedReading
from annotator.exchange.reports import ImportReport, summary_lines
from annotator.exchange.services import ImportRefused
from annotator.exchange.targets import Becomes, SpanTarget, identities
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_schema_version
from annotator.suggestions.models import LabelRun, Suggestion
from tests.cast import NOW, TIED_SCHEMA
from tests.core.test_label_studio import answer, region
from tests.exchange.files import write_files
from tests.exchange.scene import add, errors_of

TEXT = "😀 No chest pain.\r\nOn metformin."


def export(folder: Path, *tasks: dict[str, Any]) -> Path:
    return write_files(folder, {"export.json": json.dumps(list(tasks))}) / "export.json"


def task(number: int, *annotations: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "data": {"text": TEXT}, "annotations": list(annotations)} | more


PAIN, DRUG = region("a", 6, 16, "Problem", text="chest pain"), region("b", 22, 31, "Drug", text="metformin")
TWO_PEOPLE_AND_A_MODEL = task(
    1,
    answer(1, "bob@ward.example", PAIN, DRUG),
    answer(2, "eve", PAIN),
    predictions=[{"id": 9, "model_version": "ner 2", "score": 0.7, "result": [PAIN]}],
)


def target(**more: Any) -> SpanTarget:
    voices = {
        "person:bob@ward.example": Becomes(annotator="bob"),
        "person:eve": Becomes(annotator="imported-eve"),
    }
    return SpanTarget(**{"label_map": {"Drug": "Medication"}, "voices": voices} | more)


def said() -> list[tuple[str, str, str]]:
    rows = Annotation.objects.order_by("annotator__username", "start")
    return [(row.person.username, row.label, row.surface) for row in rows]


def test_people_and_models_are_kept_apart(project: Project, bob: User, tmp_path: Path) -> None:
    report = add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target())
    assert (report.n_rows, report.n_added, report.n_annotated, report.n_spans) == (1, 1, 3, 4)
    assert Document.objects.get().text == TEXT.replace("\r\n", "\n")
    assert said() == [
        ("bob", "Problem", "chest pain"),
        ("bob", "Medication", "metformin"),
        ("imported-eve", "Problem", "chest pain"),
    ]
    assert {found.status for found in AnnotationSet.objects.all()} == {AnnotationSet.Status.SUBMITTED}
    suggestion = Suggestion.objects.get()
    assert (suggestion.surface, suggestion.score, suggestion.job.run.labeler.name) == ("chest pain", 0.7, "ner 2")
    assert report.targets == {
        "annotations of bob": [1, 2],
        "annotations of imported-eve": [1, 1],
        "suggestions of ner 2": [1, 1],
    }
    assert "annotations of bob: 2 spans in 1 note" in [line.text for line in summary_lines(report.to_json())]


def test_who_is_known_from_the_files_only_cannot_sign_in(project: Project, bob: User, tmp_path: Path) -> None:
    add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target())
    eve = User.objects.get(username="imported-eve")
    assert (eve.is_active, eve.has_usable_password()) == (False, False)
    assert Membership.objects.get(user=eve).role == Membership.Role.ANNOTATOR


def test_where_each_reading_came_from_is_kept(project: Project, bob: User, tmp_path: Path) -> None:
    file = export(tmp_path, TWO_PEOPLE_AND_A_MODEL)
    add(project, file, target=target(), object_id="upload-1")
    rows = list(ImportedReading.objects.order_by("voice"))
    assert [(row.voice, row.where, row.import_id) for row in rows] == [
        ("model:ner 2", "task 1, prediction 9", "upload-1"),
        ("person:bob@ward.example", "task 1, annotation 1", "upload-1"),
        ("person:eve", "task 1, annotation 2", "upload-1"),
    ]
    assert rows[0].label_job is not None
    assert rows[1].annotation_set is not None
    assert rows[1].annotation_set.annotator == bob
    (digest,) = {row.file_sha256 for row in rows}
    assert len(digest) == 64


def test_the_same_export_again_changes_nothing(project: Project, bob: User, tmp_path: Path) -> None:
    file = export(tmp_path, TWO_PEOPLE_AND_A_MODEL | {"predictions": []})
    add(project, file, target=target())
    again = add(project, file, target=target())
    assert (again.n_added, again.n_known, again.n_annotated, again.n_sets_known) == (0, 1, 0, 2)
    assert (AnnotationSet.objects.count(), ImportedReading.objects.count()) == (2, 2)


def test_a_person_of_whom_nothing_is_said_keeps_all_out(project: Project, bob: User, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as caught:
        add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target(voices={"person:eve": Becomes()}))
    assert errors_of(caught) == [
        ("annotators", "nobody said what becomes of bob@ward.example (1): name a user or a labeler for each")
    ]
    assert not Document.objects.exists()


def test_who_is_left_out_is_counted(project: Project, tmp_path: Path) -> None:
    voices = {key: Becomes() for key in ("person:bob@ward.example", "person:eve", "model:ner 2")}
    report = add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target(voices=voices))
    assert (report.n_added, report.n_readings_left_out, report.n_spans) == (1, 3, 0)
    assert not AnnotationSet.objects.exists()


def test_a_persons_spans_may_become_suggestions(project: Project, tmp_path: Path) -> None:
    voices = {key: Becomes(labeler="first pass") for key in ("person:bob@ward.example",)} | {"person:eve": Becomes()}
    add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target(voices=voices))
    assert sorted(run.labeler.name for run in LabelRun.objects.all()) == ["first pass", "ner 2"]
    assert not Annotation.objects.exists()


def test_two_people_who_become_one_must_not_speak_of_one_note(project: Project, bob: User, tmp_path: Path) -> None:
    voices = {key: Becomes(annotator="bob") for key in ("person:bob@ward.example", "person:eve")}
    with pytest.raises(ImportRefused) as caught:
        add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL), target=target(voices=voices))
    (error,) = errors_of(caught)
    assert error[0] == "task 1, annotation 2"
    assert error[1].startswith(
        "the spans of the note were given before, by note 1 of this source, for annotations of bob"
    )


def test_an_active_account_of_another_project_is_refused(project: Project, charlie: User, tmp_path: Path) -> None:
    voices = {"person:eve": Becomes(annotator="charlie")}
    with pytest.raises(ImportRefused, match="'charlie' has an account, but is not a member of the project"):
        add(project, export(tmp_path, task(1, answer(1, "eve", PAIN))), target=target(voices=voices))


def test_a_span_that_does_not_read_as_its_text_keeps_all_out(project: Project, bob: User, tmp_path: Path) -> None:
    moved = region("a", 5, 15, "Problem", text="chest pain")
    with pytest.raises(ImportRefused) as caught:
        add(
            project,
            export(tmp_path, task(1, answer(1, "eve", PAIN)), task(2, answer(2, "eve", moved))),
            target=target(),
        )
    (error,) = errors_of(caught)
    assert error[0] == "task 2, annotation 2"
    assert "characters 4 14 of the note do not read as the quoted text" in error[1]
    assert "chest" not in error[1]
    assert not Document.objects.exists()


def test_new_labels_come_with_a_new_version_of_the_schema(project: Project, bob: User, tmp_path: Path) -> None:
    file = export(tmp_path, TWO_PEOPLE_AND_A_MODEL)
    report = add(project, file, target=target(label_map={}, new_labels=("Drug",)))
    version = project.schema_versions.order_by("-number").first()
    assert version is not None
    assert (version.number, version.schema.label_names) == (2, ("Problem", "Medication", "Drug"))
    assert version.schema.label("Drug").definition == NO_DEFINITION
    assert report.schema_number == 2
    assert {row.schema_version for row in Annotation.objects.all()} == {version}


def test_new_labels_of_an_import_that_is_refused_do_not_stay(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused):
        add(project, export(tmp_path, task(1, answer(1, "nobody", DRUG))), target=target(new_labels=("Drug",)))
    assert project.schema_versions.count() == 1


def test_relations_attributes_and_labels_of_notes_come_as_far_as_the_schema_has_them(
    project: Project, bob: User, tmp_path: Path
) -> None:
    add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=None, now=NOW)
    choice = {"type": "choices", "value": {"choices": ["absent"]}}
    results = [
        *(PAIN, DRUG, {"id": "a", "from_name": "assertion", **choice}, {"id": "a", "from_name": "mood", **choice}),
        {"type": "relation", "from_id": "b", "to_id": "a", "direction": "right", "labels": ["treats"]},
        {"type": "relation", "from_id": "b", "to_id": "a", "direction": "right", "labels": ["cures"]},
        {"id": "z", "from_name": "smoking", "type": "choices", "value": {"choices": ["never"]}},
        {"id": "y", "from_name": "urgency", "type": "choices", "value": {"choices": ["high"]}},
    ]
    report = add(project, export(tmp_path, task(1, answer(1, "bob@ward.example", *results))), target=target())
    assert Annotation.objects.get(label="Problem").attributes == {"assertion": "absent"}
    assert [row.type for row in Relation.objects.all()] == ["treats"]
    assert [(row.name, row.value) for row in DocumentValue.objects.all()] == [("smoking", "never")]
    assert (report.n_relations_left_out, report.n_attributes_left_out) == (1, 1)
    assert report.losses == {"labels of notes that the schema does not ask for: urgency": 1}


def test_rows_of_several_people_on_one_text_come_together(project: Project, tmp_path: Path) -> None:
    span = {"start": 5, "end": 15, "label": "Problem"}
    rows = [
        {"text": TEXT, "_input_hash": 7, "spans": spans, "answer": "accept", "_annotator_id": name}
        for name, spans in (("notes-ann", [span]), ("notes-ben", []))
    ]
    file = tmp_path / "prodigy.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    voices = {f"person:notes-{name}": Becomes(annotator=f"imported-{name}") for name in ("ann", "ben")}
    report = add(project, file, target=target(voices=voices))
    assert (report.n_added, report.n_annotated, report.n_spans) == (1, 2, 1)
    assert Document.objects.get().external_id == "prodigy-7"


def test_notes_alone_come_in_once_whoever_speaks_of_them(project: Project, tmp_path: Path) -> None:
    report = add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL))
    assert (report.n_added, report.n_repeated, report.n_annotated) == (1, 0, 0)


def test_ids_that_are_given_twice_are_told(project: Project, bob: User, tmp_path: Path) -> None:
    other = {"id": 1, "data": {"text": "Another text."}, "annotations": []}
    twice = task(1, answer(3, "bob@ward.example", PAIN))
    with pytest.raises(ImportRefused) as caught:
        add(project, export(tmp_path, TWO_PEOPLE_AND_A_MODEL, other, twice), target=target())
    assert [where for where, _ in errors_of(caught)] == ["task 2", "task 3, annotation 3"]


def test_a_json_file_of_no_known_tool_is_told_and_beside_notes_left_out(project: Project, tmp_path: Path) -> None:
    file = write_files(tmp_path, {"x.json": '{"version": 3}'}) / "x.json"
    with pytest.raises(ImportRefused) as caught:
        add(project, file)
    assert errors_of(caught) == [("x.json", "this is a file of no tool that is known here")]
    write_files(tmp_path, {"a.txt": "A"})
    assert add(project, tmp_path).n_other_files == 1


def test_a_query_is_not_made_for_each_note_of_each_person(
    project: Project, bob: User, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    tasks = [
        task(number, answer(2 * number, "bob@ward.example", PAIN), answer(2 * number + 1, "eve", PAIN))
        for number in range(1, 61)
    ]
    with django_assert_max_num_queries(110):
        report: ImportReport = add(project, export(tmp_path, *tasks), target=target())
    assert report.n_annotated == 120


def test_names_for_unknown_people_differ_and_are_user_names() -> None:
    voices = [Voice("Ann B"), Voice("Ann-B"), Voice("eve@ward.example"), Voice("…")]
    assert identities(voices) == {
        Voice("Ann B"): "imported-Ann-B",
        Voice("Ann-B"): "imported-Ann-B-2",
        Voice("eve@ward.example"): "imported-eve@ward.example",
        Voice("…"): "imported-somebody",
    }
