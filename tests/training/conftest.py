"""What every test of trainings has: folders of its own, a dataset, and a training of it that waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.builds.models import DatasetBuild
from annotator.projects.models import Project
from annotator.training.models import TrainingRun
from tests.training.scene import begin, make_build


@pytest.fixture(autouse=True)
def models_dir(settings: Any, tmp_path: Path) -> Path:
    for name in ("builds", "models"):
        (tmp_path / name).mkdir(mode=0o700)
    settings.BUILDS_DIR, settings.MODELS_DIR = tmp_path / "builds", tmp_path / "models"
    return tmp_path / "models"


@pytest.fixture
def build(project: Project, bob: User, dana: User) -> DatasetBuild:
    return make_build(project, bob, dana)


@pytest.fixture
def training(build: DatasetBuild, dana: User) -> TrainingRun:
    """Dana's, waiting for a worker."""
    return begin(build, dana)
