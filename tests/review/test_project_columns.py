"""The project of items and decisions is that of their note, whoever makes or moves them."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F

from annotator.accounts.models import User
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes
from annotator.review import spans
from annotator.review.models import Decision, ReviewItem
from annotator.review.services import Accept, Skip
from tests.cast import NOW, make_document
from tests.purges.scene import suggest
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk
from tests.review.test_services import do

migration = importlib.import_module("annotator.migrations.0012_project_columns")


def strays() -> tuple[int, int]:
    """Items and decisions whose project is not their note's."""
    return (
        ReviewItem.objects.exclude(project=F("document__project")).count(),
        Decision.objects.exclude(project=F("note_item__document__project")).count(),
    )


@pytest.fixture
def scene(desk: Desk, bob: User) -> Desk:
    """Two notes with items, the first of a patient and with decisions."""
    Document.objects.filter(pk=desk.document.pk).update(patient_id="p")
    do(desk, bob, Accept(desk.item(CHEST_PAIN)))
    do(desk, bob, Skip(desk.item(DIABETES)))
    suggest(desk.document.project, make_document(desk.document.project, text="Pain and pain", external_id="2"), "ain")
    return desk


def test_rows_from_before_get_the_project_of_their_note(scene: Desk, other_project: Project) -> None:
    assert strays() == (0, 0)
    ReviewItem.objects.update(project=other_project)
    Decision.objects.update(project=other_project)
    assert strays() == (7, 2)
    migration.fill_in(apps, SimpleNamespace(connection=connection))
    assert strays() == (0, 0)


def test_they_go_with_the_notes_that_a_purge_takes_and_with_no_others(scene: Desk, bob: User) -> None:
    project = scene.document.project
    assert spans.next_span(project=project, reviewer=bob, now=NOW) is not None
    purge_notes(project=project, doomed=Doomed(patient_id="p"), actor=None, now=NOW)
    assert strays() == (0, 0)
    assert ReviewItem.objects.filter(project=project).count() == 3
    assert not Decision.objects.filter(project=project).exists()
    do(scene, bob, Accept(scene.item(METFORMIN)))  # whose page was there before
    assert strays() == (0, 0)
