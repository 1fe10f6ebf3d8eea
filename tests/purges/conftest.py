"""What every test of purges has: folders of its own, and no rewriting of the database's files unless it asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotator.purges import services


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> Path:
    """The folder with the spool, the builds and the models."""
    for name in ("spool", "builds", "models"):
        (tmp_path / name).mkdir(mode=0o700)
    settings.SPOOL_DIR, settings.BUILDS_DIR = tmp_path / "spool", tmp_path / "builds"
    settings.MODELS_DIR = tmp_path / "models"
    return tmp_path


@pytest.fixture(autouse=True)
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts the times that the disk was cleared; a test marked `django_db(transaction=True)` really clears it."""
    cleared: list[str] = []
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")):
        monkeypatch.setattr(services, "clear_disk", lambda: cleared.append("cleared"))
    return cleared
