"""What the tests of imports do again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotator.exchange.reports import ImportReport
from annotator.exchange.services import (
    ImportRefused,
    import_annotations,
    import_documents,
    import_suggestions,
)
from annotator.exchange.sources import source_at
from annotator.projects.models import Project
from tests.cast import NOW

CRLF_NOTE = "No chest pain.\r\n😀 On metformin\r\n500 mg daily.\r\n"


def add(project: Project, path: Path, **options: Any) -> ImportReport:
    return import_documents(project=project, source=source_at(path), **{"actor": None, "now": NOW, **options})


def annotate(project: Project, path: Path, annotator: str = "gold", **label_map: str) -> ImportReport:
    return import_annotations(
        project=project, source=source_at(path), annotator=annotator, label_map=label_map, actor=None, now=NOW
    )


def suggest(project: Project, path: Path, **label_map: str) -> ImportReport:
    return import_suggestions(
        project=project, source=source_at(path), labeler="clinspan 2", label_map=label_map, actor=None, now=NOW
    )


CHANGED = ("project", "its notes or annotations have changed since this source was checked: import it again")


def errors_of(caught: pytest.ExceptionInfo[ImportRefused]) -> list[tuple[str, str]]:
    return [(error["where"], error["message"]) for error in caught.value.report.errors]
