"""What a dataset's card is told of how good the labels are."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotator.accounts.models import User
from annotator.builds.options import BuildOptions
from annotator.builds.services import write_dataset
from annotator.certificates.models import Calibrator
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.quality.evidence import evidence_of
from annotator.readings.comparing import compare_notes
from tests.builds.scene import annotate, suggest
from tests.cast import NOW, make_document


@pytest.mark.usefixtures("bells")
def test_the_card_tells_agreement_and_calibration_and_names_no_person(
    project: Project, bob: User, adam: User, tmp_path: Path
) -> None:
    assert evidence_of(project, NOW) == {}
    for number in range(12):
        document = make_document(project, external_id=f"n{number}", patient_id=f"p{number}")
        for reader in (bob, adam):
            annotate(
                document, reader, ("metformin", "Medication"), *([("chest pain", "Problem")] if reader == bob else [])
            )
    annotate(make_document(project, external_id="once"), bob)
    compare_notes(document_ids=list(Document.objects.values_list("pk", flat=True)))
    (found,) = suggest(project, Document.objects.first(), ("metformin", "Medication", 0.5))
    figures = {
        name: {"value": value, "interval": None} for name, value in (("ece", 0.04), ("brier", 0.1), ("auroc", 0.9))
    }
    Calibrator.objects.create(
        project=project,
        labeler=found.job.run.labeler,
        number=1,
        kind="platt",
        curves={},
        report={"overall": figures},
        n_cases=300,
        status="current",
        created_at=NOW,
    )
    evidence = evidence_of(project, NOW)
    assert evidence["agreement"]["n_notes"] == 12
    assert evidence["agreement"]["strict"]["value"] == pytest.approx(2 * 12 / 36)
    assert "recall" not in evidence
    write_dataset(
        project=project, name="N", formats=["jsonl"], options=BuildOptions(), out=tmp_path / "out", evidence=evidence
    )
    card = (tmp_path / "out" / "README.md").read_text()
    assert "over 12 notes of 12 patients that several people read: strict F1 0.67" in card
    assert "on 300 decisions that did not fit it: ECE 0.04, Brier score 0.10, AUROC 0.90" in card
    assert "What labelers and their readers miss is not measured" in card
    assert "How far readers agree is not measured" not in card
    for name in ("bob", "adam"):
        assert name not in card
