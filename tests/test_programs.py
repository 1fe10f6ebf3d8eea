from __future__ import annotations

from typing import Any

import pytest

from annotator import programs
from annotator.labelers import labelers


def test_every_worker_but_one_that_trains_routes_beside_its_own_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_WORKERS", "2")
    queues = {child.name: child.argv[child.argv.index("-Q") + 1] for child in programs.workers()}
    assert queues == {"main": "main,route", "label-1": "label,route", "label-2": "label,route", "train-1": "train"}


def test_nothing_is_trained_where_no_worker_is_wanted_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_WORKERS", "0")
    assert [child.name for child in programs.workers()] == ["main", "label-1"]
    monkeypatch.setenv("TRAIN_WORKERS", "9")
    with pytest.raises(programs.CannotStart, match="from 0 to 8, not '9'"):
        programs.workers()


def test_there_are_as_many_web_processes_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_PROCESSES", "3")
    argv = programs.web(8000).argv
    assert argv[argv.index("--workers") + 1] == "3"
    monkeypatch.setenv("WEB_PROCESSES", "0")
    with pytest.raises(programs.CannotStart, match="from 1 to 32, not '0'"):
        programs.web(8000)


def test_the_small_models_server_is_one_of_the_programs_only_where_it_is_the_labeler(settings: Any) -> None:
    assert programs.model_server() is None
    settings.LABELER = "gemma"
    server = programs.model_server()
    assert server is not None
    gemma = labelers("gemma", data=settings.DATA_DIR, sockets=settings.SOCKET_DIR)["gemma"]
    assert f"unix://{server.argv[-1]}" == gemma["runtime"]["url"]
