from __future__ import annotations

import pytest

from annotator import programs


def test_every_worker_routes_beside_its_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_WORKERS", "2")
    queues = {child.name: child.argv[child.argv.index("-Q") + 1] for child in programs.workers()}
    assert queues == {"main": "main,route", "label-1": "label,route", "label-2": "label,route"}
