"""Everything that loads torch or reads with the real small model: a stage of its own, so that no other imports them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.tiny_gemma import save_tiny_gemma


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Gemma 3 of random weights."""
    return save_tiny_gemma(tmp_path_factory.mktemp("tiny-gemma"))
