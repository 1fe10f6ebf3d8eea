"""Where the files of builds lie."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from annotator.builds.models import DatasetBuild


def build_folder(build: DatasetBuild) -> Path:
    return Path(settings.BUILDS_DIR) / build.public_id
