from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, Relation
from annotator.audit.models import AuditEvent
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.exchange.reports import MAX_ERRORS, summary_lines
from annotator.exchange.services import (
    ImportRefused,
    SpanTarget,
)
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_schema_version
from annotator.suggestions.models import LabelRun, Suggestion
from tests.cast import NOW, TIED_SCHEMA, Bells, make_document
from tests.exchange.files import write_files, write_rows
from tests.exchange.scene import CRLF_NOTE, add, annotate, errors_of, suggest


def test_notes_come_in_with_what_is_known_of_them(project: Project, alice: User, tmp_path: Path) -> None:
    file = write_rows(
        tmp_path / "n.jsonl",
        {"id": "n-1", "patient_id": "p-1", "note_type": "ED", "text": "A\r\nB", "metadata": {"ward": 3}, "label": []},
        {"id": "n-2", "text": "C"},
    )
    report = add(project, file, actor=alice)
    assert (report.n_rows, report.n_added, report.n_ignored) == (2, 2, 1)
    stored = Document.objects.get(external_id="n-1")
    assert (stored.text, stored.n_chars, stored.patient_id, stored.note_type) == ("A\nB", 3, "p-1", "ED")
    assert (stored.metadata, stored.project) == ({"ward": 3}, project)
    event = AuditEvent.objects.get(verb="documents.import")
    assert (event.actor, event.object_id, event.detail["n_added"]) == (alice, project.public_id, 2)


def test_an_error_in_one_row_keeps_all_out(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="n-0", text="the stored text")
    file = write_rows(
        tmp_path / "n.jsonl",
        {"id": "n-1", "text": "fine"},
        {"id": "n-2", "text": " \n"},
        {"id": "n-3", "text": "a\0b"},
        {"id": "n-4", "text": "fine too"},
        '{"id": "n-5", "text": "\\ud800"}',
        {"id": "n-0", "text": "another text"},
        {"id": "n-1", "text": "a different text"},
        {"id": "n-6"},
        "{",
    )
    with pytest.raises(ImportRefused, match="nothing was imported: 7 errors in 9 rows") as caught:
        add(project, file)
    assert errors_of(caught) == [
        ("row 2", "'text' is empty"),
        ("row 3", "'text' has a NUL character at offset 1"),
        ("row 5", "'text' has half of a surrogate pair at offset 0"),
        ("row 6", "the project has another text under this id"),
        ("row 7", "the id was given before (with another text), by note 1 of this source"),
        ("row 8", "'text' is missing"),
        ("row 9", "not JSON (column 2: a key in double quotes is wanted here)"),
    ]
    assert Document.objects.count() == 1
    assert not AuditEvent.objects.filter(verb="documents.import").exists()


def test_errors_are_listed_up_to_a_limit_and_counted_beyond(project: Project, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "n.jsonl", *({"id": f"n-{number}", "text": ""} for number in range(150)))
    with pytest.raises(ImportRefused, match="150 errors in 150 rows") as caught:
        add(project, file)
    assert (len(caught.value.report.errors), caught.value.report.n_errors_unlisted) == (MAX_ERRORS, 50)


def test_an_empty_source_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as caught:
        add(project, write_rows(tmp_path / "n.jsonl", ""))
    assert errors_of(caught) == [("source", "there is no note in it")]


def test_the_same_note_is_skipped_wherever_it_is_repeated(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A\r\n", "b.txt": "B"})
    assert add(project, tmp_path).n_added == 2
    write_files(tmp_path, {"a.txt": "A\n", "c.txt": "C"})
    write_rows(tmp_path / "more.jsonl", {"id": "c", "text": "C"}, {"id": "d", "text": "D"})
    report = add(project, tmp_path)
    assert (report.n_rows, report.n_added, report.n_known, report.n_repeated) == (5, 2, 2, 1)
    assert sorted(Document.objects.values_list("external_id", flat=True)) == ["a", "b", "c", "d"]


def test_repeats_are_found_across_batches(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.exchange.passes.BATCH_ROWS", 2)
    rows = [{"id": f"n-{number % 5}", "text": f"text {number % 5}"} for number in range(10)]
    report = add(project, write_rows(tmp_path / "n.jsonl", *rows))
    assert (report.n_added, report.n_repeated) == (5, 5)


def test_spans_are_left_out_unless_asked_for(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "a.ann": "not brat"})
    assert add(project, tmp_path).n_spans == 0
    assert not Annotation.objects.exists()


def test_notes_come_in_together_with_their_spans(project: Project, bob: User, tmp_path: Path) -> None:
    files = {"a.txt": CRLF_NOTE, "a.ann": "T1\tProblem 3 13\tchest pain\nA1\tassertion T1 absent\n", "b.txt": "B"}
    report = add(project, write_files(tmp_path, files), target=SpanTarget(annotator="bob"))
    assert (report.n_added, report.n_annotated, report.n_spans) == (2, 1, 1)
    annotation = Annotation.objects.get()
    assert (annotation.annotator, annotation.surface, annotation.attributes) == (
        bob,
        "chest pain",
        {"assertion": "absent"},
    )
    assert AnnotationSet.objects.get().status == AnnotationSet.Status.SUBMITTED


def test_the_same_notes_and_spans_again_change_nothing(project: Project, bob: User, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "No pain.", "a.ann": "T1\tProblem 3 7\tpain\n"})
    target = SpanTarget(annotator="bob")
    add(project, tmp_path)
    assert add(project, tmp_path, target=target).n_annotated == 1
    again = add(project, tmp_path, target=target)
    assert (again.n_added, again.n_known, again.n_annotated, again.n_sets_known) == (0, 1, 0, 1)
    assert (Document.objects.count(), Annotation.objects.count()) == (1, 1)


def test_spans_without_their_text_are_refused_where_notes_come_in(project: Project, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "b.ann": "T1\tProblem 0 1\tB\n"})
    with pytest.raises(ImportRefused) as caught:
        add(project, tmp_path, target=SpanTarget(annotator="bob"))
    assert errors_of(caught) == [("b.ann", "there is no .txt file of this name")]
    assert add(project, tmp_path).n_other_files == 1


def test_new_notes_are_pre_labelled_where_asked_for(project: Project, bells: Bells, tmp_path: Path) -> None:
    write_files(tmp_path, {"a.txt": "A", "b.txt": "B"})
    with bells.after_commit():
        assert add(project, tmp_path, is_prelabelled=True).run_number == 1
    assert LabelRun.objects.get().jobs.count() == 2
    assert bells.tasks() == ["llm_labeler.label_run"]
    assert add(project, tmp_path, is_prelabelled=True).run_number is None


def test_notes_that_were_left_without_are_not_pre_labelled_with_those_that_come_later(
    project: Project, bells: Bells, tmp_path: Path
) -> None:
    add(project, write_files(tmp_path, {"a.txt": "A"}))
    later = NOW + timedelta(hours=1)
    add(project, write_files(tmp_path, {"b.txt": "B"}), is_prelabelled=True, now=later)
    assert [job.document.external_id for job in LabelRun.objects.get().jobs.all()] == ["b"]


def test_brat_offsets_count_the_raw_text_and_are_moved_to_the_stored_one(project: Project, tmp_path: Path) -> None:
    start = CRLF_NOTE.index("metformin")
    ann = f"T1\tMedication {start} {start + 9}\tmetformin\nT2\tMedication {start} {start + 17}\tmetformin  500 mg\n"
    two = f"T3\tMedication {start} {start + 9};{start + 11} {start + 17}\tmetformin 500 mg\n"
    write_files(tmp_path, {"a.txt": CRLF_NOTE, "a.ann": ann + two})
    add(project, tmp_path)
    report = annotate(project, tmp_path)
    assert (report.n_spans, report.n_added) == (3, 0)
    text = Document.objects.get().text
    assert "\r" not in text
    found = [(annotation.span, annotation.surface) for annotation in Annotation.objects.order_by("pk")]
    moved = text.index("metformin")
    assert found == [
        (Span.of(moved, moved + 9), "metformin"),
        (Span.of(moved, moved + 16), "metformin\n500 mg"),
        (Span(((moved, moved + 9), (moved + 10, moved + 16))), "metformin 500 mg"),
    ]


def test_spans_find_their_note_without_its_text(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="ward/a", text="No pain.")
    make_document(project, external_id="b", text="Aspirin.")
    write_files(tmp_path, {"ward/a.ann": "T1\tProblem 3 7\tpain\n"})
    write_rows(tmp_path / "b.jsonl", {"id": "b", "spans": [{"start": 0, "end": 7, "label": "Medication"}]}, {"id": "c"})
    assert annotate(project, tmp_path).n_spans == 2
    assert set(Annotation.objects.values_list("label", "surface")) == {("Problem", "pain"), ("Medication", "Aspirin")}


def test_an_annotator_who_is_new_cannot_sign_in(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    annotate(project, write_files(tmp_path, {"a.ann": "T1\tProblem 3 7\tpain\n"}))
    gold = User.objects.get(username="gold")
    assert (gold.is_active, gold.has_usable_password()) == (False, False)
    assert Membership.objects.get(user=gold).role == Membership.Role.ANNOTATOR
    assert AuditEvent.objects.get(verb="annotations.import").detail["n_spans"] == 1


def test_a_user_of_another_project_is_not_made_a_member(project: Project, charlie: User, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    with pytest.raises(ImportRefused, match="'charlie' has an account, but is not a member"):
        annotate(project, write_files(tmp_path, {"a.ann": ""}), annotator="charlie")


def test_a_name_that_no_user_can_have_is_refused(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    with pytest.raises(ImportRefused, match="user 'not a name'"):
        annotate(project, write_files(tmp_path, {"a.ann": ""}), annotator="not a name")
    assert not AnnotationSet.objects.exists()


def test_labels_are_mapped_and_left_out(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain. Aspirin.")
    ann = "T1\tDisease 3 7\tpain\nT2\tDrug 9 16\tAspirin\nT3\tAge 0 2\tNo\nT4\tProblem 3 7\tpain\n"
    report = annotate(project, write_files(tmp_path, {"a.ann": ann}), Disease="Problem", Drug="Medication", Age="")
    assert (report.n_spans, report.n_spans_left_out, report.n_spans_repeated) == (2, 1, 1)
    assert set(Annotation.objects.values_list("label", "surface")) == {("Problem", "pain"), ("Medication", "Aspirin")}


def test_unknown_labels_are_one_error_that_lists_them_all(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain. Aspirin.")
    ann = "T1\tDisease 3 7\tpain\nT2\tDrug 9 16\tAspirin\nT3\tDrug 0 2\tNo\nT4\tProblem 3 7\tpain\n"
    with pytest.raises(ImportRefused) as caught:
        annotate(project, write_files(tmp_path, {"a.ann": ann}))
    assert errors_of(caught) == [
        (
            "labels",
            "not in the schema: Drug (2), Disease (1). Map each onto one of Problem, Medication, or leave it out",
        )
    ]
    assert not AnnotationSet.objects.exists()


def test_a_map_onto_a_label_that_is_not_there_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="the schema has no label 'Drug'; it has Problem, Medication"):
        annotate(project, write_files(tmp_path, {"a.ann": ""}), X="Drug")


def test_attributes_of_other_schemas_are_left_out_and_counted(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain. Aspirin.")
    spans = [
        {"start": 3, "end": 7, "label": "Problem", "attributes": {"assertion": "absent", "severity": "mild"}},
        {"start": 9, "end": 16, "label": "Medication", "attributes": {"assertion": "present"}},
    ]
    report = annotate(project, write_rows(tmp_path / "s.jsonl", {"id": "a", "spans": spans}))
    assert report.n_attributes_left_out == 2
    assert [one.attributes for one in Annotation.objects.order_by("pk")] == [{"assertion": "absent"}, {}]


@pytest.fixture
def tied(project: Project) -> Project:
    """The project, with relations and labels of notes, and one note."""
    add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=None, now=NOW)
    make_document(project, external_id="a", text="No pain. Aspirin.")
    return project


_ASPIRIN = {"start": 9, "end": 16, "label": "Medication"}
_PAIN = {"start": 3, "end": 7, "label": "Problem"}


def test_relations_that_are_wrong_are_errors_of_their_row(tied: Project, tmp_path: Path) -> None:
    row = {
        "id": "a",
        "spans": [_ASPIRIN, _PAIN, _PAIN],
        "relations": [
            {"type": "cures", "head": 0, "tail": 1},
            {"type": "treats", "head": 1, "tail": 0},
            {"type": "seen with", "head": 1, "tail": 2},
        ],
        "document_labels": {"smoking": "often", "drinking": "never"},
    }
    with pytest.raises(ImportRefused) as caught:
        annotate(tied, write_rows(tmp_path / "s.jsonl", row))
    assert errors_of(caught) == [
        ("row 1", "'relations[0]': relation 'cures' is not in the schema (treats, seen with)"),
        ("row 1", "'relations[1]': relation 'treats' does not go from Problem to Medication"),
        ("row 1", "'relations[2]': a relation joins two spans, and this is one"),
        ("row 1", "'document_labels': document label 'smoking' has no value 'often'"),
        ("row 1", "'document_labels': document label 'drinking' is not in the schema (smoking, pregnant)"),
    ]
    assert not AnnotationSet.objects.exists()


def test_relations_of_a_brat_file_come_in(tied: Project, tmp_path: Path) -> None:
    ann = (
        "T1\tMedication 9 16\tAspirin\nT2\tProblem 3 7\tpain\nT3\tAge 0 2\tNo\n"
        "R1\ttreats Arg1:T1 Arg2:T2\nR2\tseen_with Arg1:T2 Arg2:T1\n"
        "R3\ttreats Arg1:T1 Arg2:T2\nR4\tcures Arg1:T1 Arg2:T2\nR5\tseen_with Arg1:T1 Arg2:T3\n"
    )
    folder = write_files(tmp_path, {"a.ann": ann})
    report = annotate(tied, folder, Age="")
    assert (report.n_relations, report.n_relations_left_out) == (2, 3)
    surfaces = dict(Annotation.objects.values_list("public_id", "surface"))
    found = Relation.objects.order_by("pk").values_list("type", "head", "tail")
    assert [(type, surfaces[head], surfaces[tail]) for type, head, tail in found] == [
        ("treats", "Aspirin", "pain"),
        ("seen with", "pain", "Aspirin"),
    ]
    assert annotate(tied, folder, Age="").n_sets_known == 1
    Relation.objects.update(status="withdrawn")
    with pytest.raises(ImportRefused, match="1 error"):
        annotate(tied, folder, Age="")


def test_suggestions_have_no_relations(tied: Project, tmp_path: Path) -> None:
    row = {
        "id": "a",
        "spans": [_ASPIRIN, _PAIN],
        "relations": [{"type": "treats", "head": 0, "tail": 1}],
        "document_labels": {"smoking": "never"},
    }
    report = suggest(tied, write_rows(tmp_path / "s.jsonl", row))
    assert (report.n_relations_left_out, report.n_document_labels_left_out) == (1, 1)
    assert [line.text for line in summary_lines(report.to_json()) if line.is_left_out] == [
        "1 relation left out: given twice, not in the schema, or of a span that is a suggestion or is left out",
        "1 label of a note left out: suggestions have none",
    ]
    assert not Relation.objects.exists()


def test_what_does_not_fit_the_note_is_an_error_of_its_row(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.\nAspirin.")
    make_document(project, external_id="b", text="secret")
    spans = [
        {"start": 3, "end": 6, "label": "Problem", "surface": "secret"},
        {"start": 3, "end": 99, "label": "Problem"},
        {"start": 2, "end": 3, "label": "Problem"},
        {"start": 3, "end": 7, "label": "Problem", "attributes": {"assertion": "maybe"}},
        {"start": 3, "end": 7, "label": "Problem", "attributes": {"assertion": "s" * 1000}},
    ]
    ann = "T1\tProblem 0 3\tsecret\n"
    file = write_rows(tmp_path / "s.jsonl", {"id": "a", "spans": spans}, {"id": "b", "text": "other", "spans": []})
    write_files(tmp_path, {"c.ann": ann, "b.ann": ann})
    with pytest.raises(ImportRefused) as caught:
        annotate(project, tmp_path)
    assert errors_of(caught) == [
        (
            "b.ann",
            "line 1: characters 0 3 of the note do not read as the quoted text "
            "(offsets count Unicode code points, the end is exclusive)",
        ),
        ("c.ann", "the project has no note of this id"),
        (
            f"{file.name} row 1",
            "'spans[0]': characters 3 6 of the note do not read as the quoted text "
            "(offsets count Unicode code points, the end is exclusive)",
        ),
        (f"{file.name} row 1", "'spans[1]': ends at 99, but the note has 17 characters"),
        (f"{file.name} row 1", "'spans[2]': characters 2 3 of the note are only white space"),
        (f"{file.name} row 1", "'spans[3]': attribute 'assertion' has no value 'maybe'"),
        (f"{file.name} row 1", "'spans[4]': attribute 'assertion' has no value of 1000 characters"),
        (f"{file.name} row 2", "the text is not that of the project's note of this id"),
    ]
    assert "secret" not in str(caught.value.report)


def test_two_rows_of_spans_for_one_note_are_refused(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    with pytest.raises(ImportRefused) as caught:
        annotate(project, write_rows(tmp_path / "s.jsonl", {"id": "a", "spans": []}, {"id": "a", "spans": []}))
    assert errors_of(caught) == [("row 2", "the id was given before (with spans), by note 1 of this source")]


def test_a_source_without_spans_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as caught:
        annotate(project, write_files(tmp_path, {"a.txt": "A"}))
    assert errors_of(caught) == [("source", "there are no spans in it")]


def test_the_same_annotations_again_are_skipped_and_others_refused(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    annotate(project, write_files(tmp_path, {"a.ann": "T1\tProblem 3 7\tpain\n"}))
    again = annotate(project, tmp_path)
    assert (again.n_sets_known, again.n_annotated, again.n_spans) == (1, 0, 0)
    with pytest.raises(ImportRefused) as caught:
        annotate(project, write_files(tmp_path, {"a.ann": "T1\tProblem 0 7\tNo pain\n"}))
    assert errors_of(caught) == [("a.ann", "this person has other annotations on the note already")]
    assert Annotation.objects.count() == 1


def test_a_note_without_any_span_is_annotated_too(project: Project, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain.")
    annotate(project, write_files(tmp_path, {"a.ann": ""}))
    assert AnnotationSet.objects.get().annotations.count() == 0


def test_suggestions_come_in_as_a_finished_run_that_is_routed(project: Project, bells: Bells, tmp_path: Path) -> None:
    make_document(project, external_id="a", text="No pain. Aspirin.")
    spans = [{"start": 3, "end": 7, "label": "Problem", "score": 0.4}, {"start": 9, "end": 16, "label": "Medication"}]
    with bells.after_commit():
        report = suggest(project, write_rows(tmp_path / "s.jsonl", {"id": "a", "spans": spans}))
    assert report.n_spans == 2
    run = LabelRun.objects.select_related("labeler").get()
    assert (run.status, run.labeler.name, run.labeler.backend) == (LabelRun.Status.DONE, "clinspan 2", "import")
    found = Suggestion.objects.order_by("start").values_list("label", "surface", "score", "alignment", "attributes")
    assert list(found) == [
        ("Problem", "pain", 0.4, "exact", {"assertion": "present"}),
        ("Medication", "Aspirin", 0.5, "exact", {}),
    ]
    assert bells.tasks() == ["annotator.route_jobs"]
    assert AuditEvent.objects.get(verb="suggestions.import").detail["n_spans"] == 2
