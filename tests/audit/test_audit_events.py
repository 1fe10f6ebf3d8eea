"""What the chain tells of mass work: one event for it, not one for each row; and never a word from outside."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from annotator.purges.services import purge_project
from annotator.routing.services import route_job
from annotator.suggestions.models import LabelJob
from tests.cast import NOW, Bells
from tests.exchange.scene import add, annotate, suggest
from tests.purges.scene import CANARY, finish, make_scene

N_NOTES = 12


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    for name in ("SPOOL_DIR", "BUILDS_DIR"):
        (tmp_path / name).mkdir()
        setattr(settings, name, tmp_path / name)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Twelve notes with two spans each."""
    file = tmp_path / "notes.jsonl"
    spans = [{"start": 0, "end": 5, "label": "Problem"}, {"start": 10, "end": 15, "label": "Problem"}]
    rows = [{"id": f"n{number}", "text": "Cough and fever.", "spans": spans} for number in range(N_NOTES)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def verbs() -> Counter[str]:
    return Counter(AuditEvent.objects.values_list("verb", flat=True))


def test_an_import_of_notes_is_one_event(project: Project, source: Path) -> None:
    before = verbs()
    add(project, source)
    assert verbs() - before == Counter({"documents.import": 1})
    assert AuditEvent.objects.get(verb="documents.import").detail["n_added"] == N_NOTES


def test_an_import_of_annotations_is_one_event(project: Project, source: Path) -> None:
    add(project, source)
    before = verbs()
    annotate(project, source)
    # Beside it, the person in whose name they come in.
    assert verbs() - before == Counter({"annotations.import": 1, "account.create": 1, "member.set": 1})


def test_an_import_of_suggestions_is_one_event_and_routing_is_none(
    project: Project, source: Path, bells: Bells
) -> None:
    add(project, source)
    before = verbs()
    suggest(project, source)
    assert verbs() - before == Counter({"suggestions.import": 1})
    for job in LabelJob.objects.order_by("pk"):
        assert route_job(label_job_id=job.pk, now=NOW)
    assert verbs() - before == Counter({"suggestions.import": 1})


def test_no_event_holds_a_word_from_outside(
    project: Project, bob: User, dana: User, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's whole life, with the canary in text, ids and metadata, and then its purge."""
    monkeypatch.setattr("annotator.purges.services.clear_disk", lambda: None)
    make_scene(project, bob, dana)
    finish(purge_project(project=project, actor=dana, now=NOW))
    events = AuditEvent.objects.values_list("verb", "object_id", "detail")
    assert len(events) == 19
    assert [event for event in events if CANARY.lower() in str(event).lower()] == []
