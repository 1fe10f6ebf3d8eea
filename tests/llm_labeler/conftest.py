from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Gemma 3 of random weights."""
    from tests.llm_labeler.tiny_gemma import save_tiny_gemma  # torch is imported where it is used only

    return save_tiny_gemma(tmp_path_factory.mktemp("tiny-gemma"))
