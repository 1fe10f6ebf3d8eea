"""Notes that two of several people have read, who agree on most of it, beside a labeler."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation, SetRows, annotation_row, import_sets
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.readings.services import notes_read
from annotator.suggestions.models import Labeler
from annotator.suggestions.services import NewSuggestion
from tests.cast import NOW, make_document
from tests.quality.scene import make_labeler, read

WORDS = (
    *("chest pain", "metformin 500 mg", "nausea", "tenderness over the left knee", "reduced appetite", "aspirin"),
    *("Holter", "joint aspiration", "daily", "for two days", "haemoglobin 9.1", "pacemaker", "rash after penicillin"),
)
N_PLACES = 8
Place = tuple[Span, str]


def make_read(
    project: Project, readers: Sequence[User], *, n_notes: int, seed: int = 0, n_weeks: int = 1, labeler: str = ""
) -> list[Document]:
    """Notes of one patient each, by turns read by two of `readers`, the later of whom is the worse the later they come
    in the list; over the last weeks before NOW. With the name of a labeler, it has read all of them.
    """
    rng = random.Random(seed)
    version = project.schema_versions.latest("number")
    labels = version.schema.label_names
    documents, truths = [], []
    for number in range(n_notes):
        text, truth = _note(rng, labels)
        documents.append(make_document(project, text=text, external_id=f"N-{2000 + number}", patient_id=f"P-{number}"))
        truths.append(truth)
    pairs = [(a, b) for a in range(len(readers)) for b in range(a)]
    said: dict[tuple[int, int], list[tuple[int, SetRows]]] = defaultdict(list)
    for number, (document, truth) in enumerate(zip(documents, truths, strict=True)):
        week = number * n_weeks // n_notes
        for reader in pairs[number % len(pairs)]:
            news = [
                NewAnnotation(span=span, label=label, attributes={})
                for span, label in sorted(_seen(rng, truth, labels, 0.02 + 0.02 * reader))
            ]
            rows = [annotation_row(text=document.text, schema=version.schema, new=new) for new in news]
            said[reader, week].append((document.pk, SetRows(annotations=rows, relations=[], values=[])))
    for (reader, week), sets in said.items():
        when = NOW - timedelta(weeks=n_weeks - 1 - week)
        import_sets(annotator=readers[reader], schema_version=version, sets=sets, now=when)
    if labeler:
        _label(make_labeler(project, labeler), documents, truths, labels, rng)
    notes_read(document_ids=[document.pk for document in documents], waiting=[])
    return documents


def _note(rng: random.Random, labels: Sequence[str]) -> tuple[str, list[Place]]:
    text, truth = "", []
    for _ in range(N_PLACES):
        at = rng.randrange(len(WORDS))
        text += rng.choice(("The patient has had ", "He reports ", "We saw ", "Continue with "))
        truth.append((Span.of(len(text), len(text) + len(WORDS[at])), labels[at % len(labels)]))
        text += f"{WORDS[at]} since Monday. "
    return text, truth


def _seen(rng: random.Random, truth: Sequence[Place], labels: Sequence[str], noise: float) -> set[Place]:
    """What one makes of the truth: now and then another label, another edge, or nothing."""
    found = set()
    for span, label in truth:
        chance = rng.random() / noise
        if chance < 1:
            found.add((span, labels[(labels.index(label) + 1) % len(labels)]))
        elif chance < 1.5:
            found.add((Span.of(span.start, span.end + 6), label))
        elif chance > 2.2:
            found.add((span, label))
    return found


def _label(
    labeler: Labeler,
    documents: Sequence[Document],
    truths: Sequence[list[Place]],
    labels: Sequence[str],
    rng: random.Random,
) -> None:
    for document, truth in zip(documents, truths, strict=True):
        found = [
            NewSuggestion(
                span=span,
                surface=span.surface(document.text),
                label=label,
                attributes={},
                alignment="exact",
                score=0.7,
                signals={},
            )
            for span, label in sorted(_seen(rng, truth, labels, 0.08))
        ]
        read(labeler.project, labeler, [document], *found)
