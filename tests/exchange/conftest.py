"""What every import test has: a spool of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def spool(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The empty spool folder."""
    folder = tmp_path_factory.mktemp("spool")
    settings.SPOOL_DIR = folder
    return folder
