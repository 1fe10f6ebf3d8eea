"""What every test of the REST API has: an empty spool, no builds and models, and nobody who has asked before."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def clean_slate(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.SPOOL_DIR = tmp_path_factory.mktemp("spool")
    settings.BUILDS_DIR = tmp_path_factory.mktemp("builds")
    settings.MODELS_DIR = tmp_path_factory.mktemp("models")
    cache.clear()
