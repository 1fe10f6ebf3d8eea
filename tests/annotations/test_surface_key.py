from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.annotations.services import NewAnnotation
from annotator.core.spans import Span
from annotator.core.surfaces import surface_key
from annotator.projects.models import Project
from tests.cast import make_document, make_set

migration = importlib.import_module("annotator.migrations.0007_surface_key")


def test_annotations_from_before_get_their_keys_page_by_page(
    project: Project, other_project: Project, bob: User, charlie: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_PAGE", 2)
    for place, reader, n in ((project, bob, 3), (other_project, charlie, 2)):
        for number in range(n):
            text = f"Fever{number}  Today's"
            note = make_document(place, external_id=str(number), text=text)
            make_set(note, reader, NewAnnotation(span=Span.of(0, len(text)), label="Problem", attributes={}))
    kept = dict(Annotation.objects.values_list("pk", "surface_key"))
    assert Annotation.objects.update(surface_key="") == 5
    migration.fill_keys(apps, SimpleNamespace(connection=connection))
    assert dict(Annotation.objects.values_list("pk", "surface_key")) == kept
    assert len(set(kept.values())) == 5
    last = Annotation.objects.latest("pk")
    assert last.surface_key == surface_key(project_id=other_project.pk, surface="fever1 TODAY'S")
