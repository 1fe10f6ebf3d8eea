"""Calibrators made by hand, and notes whose suggestions a reader has decided."""

from __future__ import annotations

import random

from annotator.accounts.models import User
from annotator.certificates.models import Calibrator
from annotator.core.calibration import Calibration, Curve
from annotator.core.spans import Span
from annotator.projects.models import Project
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.services import Accept, FinishNote, Reject, decide
from annotator.suggestions.models import Labeler
from tests.cast import NOW, make_document
from tests.review.conftest import suggest


def make_calibrator(
    labeler: Labeler, *, intercept: float = 0.0, slope: float = 1.0, number: int = 1, status: str = "current"
) -> Calibrator:
    """One whose confidence is the logistic of so much and so many times the score's logit: by default the score."""
    curve = Curve(intercept=intercept, slope=slope, n_right=25, n_wrong=25)
    calibration = Calibration(kind="platt", n_cases=50, pooled=curve, labels={}, covariance=((1.0, 0.0), (0.0, 1.0)))
    return Calibrator.objects.create(
        project=labeler.project,
        labeler=labeler,
        number=number,
        kind="platt",
        curves=calibration.to_json(),
        n_cases=50,
        status=status,
        created_at=NOW,
    )


FINDINGS = ("ascites", "asthma", "cough", "diabetes", "eczema", "fever", "gout", "nausea", "rash", "sepsis")
LIST = f"Assessment: {', '.join(FINDINGS)}."


def decide_cases(project: Project, reader: User, *, n: int, name: str = "case", seed: int = 1) -> None:
    """So many suggestions, ten a note: the reader takes as many as their scores say, and submits the notes."""
    rng = random.Random(seed)
    version = project.schema_versions.latest("number")
    for number, n_before in enumerate(range(0, n, len(FINDINGS))):
        document = make_document(
            project, text=LIST, external_id=f"{name}-{number}", note_type="letter" if number % 2 else "report"
        )
        found = []
        for words in FINDINGS[: n - n_before]:
            start = LIST.index(words)
            found.append((Span.of(start, start + len(words)), "Problem", rng.choice((0.15, 0.35, 0.65, 0.85))))
        suggest(document, found, schema_version=version)
        note_item = take_note(document=document, reviewer=reader, now=NOW)
        items = ReviewItem.objects.filter(document=document, unit="span").select_related("suggestion")
        for item in items.select_related("document__project"):
            act = Accept(item) if rng.random() < item.suggestion.score else Reject(item)
            decide(note_item=note_item, reviewer=reader, act=act, key=f"{document.pk}-{item.pk}", now=NOW)
        decide(note_item=note_item, reviewer=reader, act=FinishNote(), key=f"{document.pk}", now=NOW)
