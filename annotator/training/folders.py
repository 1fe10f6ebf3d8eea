"""Where the weights of trained models lie, and what else a training keeps there."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from django.conf import settings

from annotator.training.models import TrainingRun

LOG = "log.txt"
LOG_LINES = 200
_LONGEST_TAIL = 1 << 18


def model_folder(run: TrainingRun) -> Path:
    return Path(settings.MODELS_DIR) / run.public_id


def is_begun(run: TrainingRun) -> bool:
    """Whether a former attempt has left something that can be gone on with."""
    try:
        return any(path.name != LOG for path in model_folder(run).iterdir())
    except FileNotFoundError:
        return False


def log_tail(run: TrainingRun) -> tuple[str, ...]:
    """The last LOG_LINES lines of what the training said; none where it has said nothing yet, or its files are gone."""
    try:
        with (model_folder(run) / LOG).open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _LONGEST_TAIL, 0))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(deque(text.splitlines(), maxlen=LOG_LINES))
