from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.purges.models import Tombstone
from tests.cast import Bells
from tests.purges.scene import CANARY, PATIENT, make_scene


@pytest.fixture
def scene(project: Project, bob: User, dana: User, bells: Bells) -> Project:
    make_scene(project, bob, dana)
    return project


def run(name: str, *arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, **options)
    return out.getvalue()


def typed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_a_patient_is_read_from_standard_input(scene: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(f"{PATIENT}\n", monkeypatch)
    said = run("purge_patient", scene.slug)
    assert "2 notes with 3 annotations and 5 decisions" in said
    assert CANARY not in said
    tombstone = Tombstone.objects.get()
    assert (tombstone.subject, tombstone.asked_by) == ("patient", None)


def test_a_note_leads_to_its_patient(scene: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(f"{CANARY}-1\n", monkeypatch)
    run("purge_patient", scene.slug, "--note")
    assert Tombstone.objects.get().patient_id == PATIENT


def test_the_patient_is_no_argument(scene: Project) -> None:
    with pytest.raises(CommandError, match="unrecognized"):
        run("purge_patient", scene.slug, PATIENT)


@pytest.mark.parametrize("text", ["nobody\n", "\n", ""])
def test_an_unknown_patient_is_refused_without_being_named(
    scene: Project, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(text, monkeypatch)
    with pytest.raises(CommandError, match="the project has no patient of this id"):
        run("purge_patient", scene.slug)
    assert not Tombstone.objects.exists()


def test_a_project_wants_its_name_twice(scene: Project) -> None:
    slug = scene.slug
    with pytest.raises(CommandError, match="once more"):
        run("purge_project", slug, "--yes", "another")
    assert "its 4 notes" in run("purge_project", slug, "--yes", slug)
    assert Tombstone.objects.get().subject == "project"
    with pytest.raises(CommandError, match="there is no project"):
        run("purge_project", slug, "--yes", slug)
