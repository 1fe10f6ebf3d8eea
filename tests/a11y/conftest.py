"""What the tests that open every page share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.a11y.scene import Tour, make_tour


@pytest.fixture
def tour(transactional_db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tour:
    """An installation with something on every page; no bell is rung in it."""
    settings.SPOOL_DIR, settings.BUILDS_DIR = tmp_path / "spool", tmp_path / "builds"
    settings.MODELS_DIR = tmp_path / "models"
    settings.MODELS_DIR.mkdir()
    settings.SPOOL_DIR.mkdir()
    settings.BUILDS_DIR.mkdir()
    monkeypatch.setattr("annotator.jobs.bell._send", lambda task, ids, queue: None)
    return make_tour(now=timezone.now(), n_read=16)
