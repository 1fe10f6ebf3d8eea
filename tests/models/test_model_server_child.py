"""The model's server as a child of `manage.py up`."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest
from pytest_django.plugin import DjangoDbBlocker

from annotator.suggestions.models import LabelJob, Suggestion
from tests.installation import Installation, installed_at


@pytest.mark.gemma
@pytest.mark.slow
def test_a_killed_model_server_is_started_again_and_every_note_is_labelled(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
):
    with installed_at(tmp_path / "data", LABELER="gemma") as installation:
        installation.start()
        assert installation.run("create_project", "Letters").returncode == 0
        notes = tmp_path / "notes"
        notes.mkdir()
        for number in range(4):
            (notes / f"{number}.txt").write_text(f"Day {number}: no chest pain. Takes metformin 500 mg twice daily.")
        assert installation.run("import_documents", "letters", str(notes)).returncode == 0
        (first,) = _model_servers(installation)
        first.kill()
        deadline = time.monotonic() + 300
        with django_db_blocker.unblock(), installation.database():
            while LabelJob.objects.filter(status=LabelJob.Status.DONE).count() < 4:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            assert Suggestion.objects.filter(surface__contains="metformin").exists()
        assert first not in _model_servers(installation)
        assert installation.process is not None
        installation.process.send_signal(signal.SIGINT)
        assert installation.process.wait(30) == 0


def _model_servers(installation: Installation) -> list[psutil.Process]:
    return [process for process in installation.processes() if "llm_labeler.server" in process.cmdline()]
