"""The second pass of an import: what it writes, and that it writes all or nothing."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import open_set
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.exchange.services import (
    ImportRefused,
    SpanTarget,
)
from annotator.jobs.services import JobCancelled
from annotator.projects.models import Project
from tests.cast import make_document
from tests.exchange.files import SHARED, write_files, write_rows
from tests.exchange.scene import CHANGED, add, errors_of


def test_a_stop_while_writing_leaves_nothing(project: Project, bob: User, tmp_path: Path) -> None:
    def stop(phase: str, n_done: int, n_total: int) -> None:
        if phase == "writing" and n_done:
            assert Document.objects.count() == 2
            raise JobCancelled

    write_files(tmp_path, {"a.txt": "A", "a.ann": "T1\tProblem 0 1\tA\n", "b.txt": "B"})
    with pytest.raises(JobCancelled):
        add(project, tmp_path, target=SpanTarget(annotator="bob"), progress=stop)
    assert not Document.objects.exists()
    assert not Annotation.objects.exists()


def before_writing(change: Callable[[], object]) -> Callable[[str, int, int], None]:
    """A progress that makes `change` between the check and the write."""

    def progress(phase: str, n_done: int, n_total: int) -> None:
        if (phase, n_done) == ("writing", 0):
            change()

    return progress


def test_what_was_checked_is_written_though_the_source_changes(project: Project, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "n.jsonl", {"id": "a", "text": "A"})
    add(project, file, progress=before_writing(lambda: write_rows(file, {"id": "a", "text": "Another"}, "{")))
    assert Document.objects.get().text == "A"


def test_a_note_that_came_in_meanwhile_is_refused(project: Project, tmp_path: Path) -> None:
    file = write_rows(tmp_path / "n.jsonl", {"id": "b", "text": "B"}, {"id": "a", "text": "A"})
    with pytest.raises(ImportRefused, match="nothing was imported: 1 error in 2 rows") as caught:
        add(project, file, progress=before_writing(lambda: make_document(project, external_id="a", text="Another")))
    assert errors_of(caught) == [CHANGED]
    assert [document.text for document in Document.objects.all()] == ["Another"]


def test_a_note_that_went_meanwhile_is_refused(project: Project, tmp_path: Path) -> None:
    document = make_document(project, external_id="a", text="No pain.")
    with pytest.raises(ImportRefused) as caught:
        add(
            project,
            write_files(tmp_path, {"a.txt": "No pain.", "a.ann": "T1\tProblem 3 7\tpain\n"}),
            target=SpanTarget(annotator="bob"),
            progress=before_writing(document.delete),
        )
    assert errors_of(caught) == [CHANGED]


def test_annotations_that_were_begun_meanwhile_are_kept(project: Project, bob: User, tmp_path: Path) -> None:
    document = make_document(project, external_id="a", text="No pain.")
    write_files(tmp_path, {"a.txt": "No pain.", "a.ann": "T1\tProblem 3 7\tpain\n", "b.txt": "B"})
    with pytest.raises(ImportRefused) as caught:
        add(
            project,
            tmp_path,
            target=SpanTarget(annotator="bob"),
            progress=before_writing(lambda: open_set(document=document, annotator=bob)),
        )
    assert errors_of(caught) == [CHANGED]
    assert (Annotation.objects.count(), AnnotationSet.objects.get().status) == (0, AnnotationSet.Status.OPEN)
    assert Document.objects.count() == 1


def test_nothing_of_an_import_stays_in_the_spool(project: Project, tmp_path: Path, spool: Path) -> None:
    named: list[list[Path]] = []
    add(
        project,
        write_files(tmp_path, {"a.txt": "A"}),
        progress=lambda *_: named.append(list(spool.iterdir())),
    )
    assert named
    assert not any(named), "what waits to be written has no name, so that it goes with the process"


def spans_of(n_notes: int, n_spans: int) -> list[dict[str, Any]]:
    spans = [{"start": start, "end": start + 4, "label": "Problem"} for start in range(n_spans)]
    return [{"id": str(number), "text": "pain" * n_spans, "spans": spans} for number in range(n_notes)]


@pytest.mark.parametrize("target", [SpanTarget(annotator="gold"), SpanTarget(labeler="clinspan 2")])
def test_queries_do_not_grow_with_the_sets_and_spans_of_a_batch(
    project: Project, tmp_path: Path, target: SpanTarget, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(90):  # most for the new annotator, none for each of 190 notes
        report = add(project, write_rows(tmp_path / "n.jsonl", *spans_of(190, 12)), target=target)
    assert report.n_spans == 190 * 12


def test_what_is_written_was_prepared_before_the_lock(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> None:
        for work in ("checks.checked_surface", "services.annotation_row", "passes.read_notes"):
            monkeypatch.setattr(f"annotator.exchange.{work}", None)

    file = write_rows(tmp_path / "n.jsonl", *spans_of(3, 3))
    report = add(project, file, target=SpanTarget(annotator="gold"), progress=before_writing(locked))
    assert report.n_spans == Annotation.objects.count() == 9


def test_progress_is_told_every_batch(project: Project, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    rows = [{"id": str(number), "text": "x"} for number in range(450)]
    add(project, write_rows(tmp_path / "n.jsonl", *rows), progress=lambda *step: told.append(step))
    counts = [0, 200, 400, 450]
    assert [step for step in told if step[0] == "checking"] == [("checking", n, 450) for n in counts]
    assert told[-1] == ("writing", 450, 450)


def test_queries_do_not_grow_with_the_notes_of_a_batch(
    project: Project, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    rows = [{"id": str(number), "text": "x"} for number in range(190)]
    with django_assert_max_num_queries(20) as captured:
        add(project, write_rows(tmp_path / "n.jsonl", *rows))
    assert isinstance(captured, CaptureQueriesContext)


def test_memory_does_not_grow_with_the_number_of_notes(project: Project, tmp_path: Path) -> None:
    def peak(n_notes: int) -> int:
        file = tmp_path / f"{n_notes}.jsonl"
        with file.open("w", encoding="utf-8") as stream:
            for number in range(n_notes):
                stream.write(json.dumps({"id": f"{n_notes}-{number}", "text": "word " * 400}) + "\n")
        tracemalloc.start()
        assert add(project, file).n_added == n_notes
        reached = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return reached

    peak(200)
    # The texts of 1,600 notes more are 3.2 MB; what differs is garbage that waits for its collector.
    assert peak(2_000) - peak(400) < 1_000_000


def test_a_dataset_comes_back_as_it_went_out(project: Project) -> None:
    file = Path(__file__).parents[1] / "builds" / "golden" / "train.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    report = add(project, file, target=SpanTarget(annotator="gold"))
    assert (report.n_added, report.n_ignored, report.n_attributes_left_out) == (len(rows), 0, 0)
    for row in rows:
        document = Document.objects.get(external_id=row["id"])
        assert (document.text, document.patient_id, document.note_type) == (
            row["text"],
            row["patient_id"],
            row["note_type"],
        )
        assert document.metadata == row["metadata"]
        back = Annotation.objects.filter(set__document=document).order_by("start", "pk")
        assert [(str(one.span), one.surface, one.label, one.attributes) for one in back] == [
            (str(Span.from_pairs(span["fragments"])), span["surface"], span["label"], span["attributes"])
            for span in row["spans"]
        ]


@pytest.mark.parametrize(("folder", "n_notes"), [("maccrobat", 100), ("ncbi_disease", 100)])
def test_real_corpora_come_in_whole(project: Project, folder: str, n_notes: int) -> None:
    path = SHARED / folder
    if not path.is_dir():
        pytest.skip(f"{path} is not laid out here")
    with pytest.raises(ImportRefused) as caught:
        add(project, path, target=SpanTarget(annotator="gold"))
    assert [error["where"] for error in caught.value.report.errors] == ["labels"]
    label_map = dict.fromkeys(caught.value.report.unknown_labels, "Problem")
    report = add(project, path, target=SpanTarget(annotator="gold", label_map=label_map))
    assert report.n_added == n_notes
    n_lines = sum(line.startswith("T") for file in path.glob("*.ann") for line in file.read_text("utf-8").split("\n"))
    assert report.n_spans + report.n_spans_repeated == n_lines
    texts = {file.stem: file.read_text("utf-8") for file in path.glob("*.txt")}
    for annotation in Annotation.objects.select_related("set__document"):
        document = annotation.set.document
        assert document.text == texts[document.external_id]
        parts = [document.text[start:end] for start, end in annotation.span.fragments]
        assert " ".join(parts) == annotation.surface
