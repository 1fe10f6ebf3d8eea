"""The supervisor killed with -9 while a note is read, and the whole installation started again."""

from __future__ import annotations

import psutil
import pytest

from tests.faults import hooks, model
from tests.faults.scene import Scene
from tests.patience import PATIENCE_SECONDS

pytestmark = [pytest.mark.db, pytest.mark.slow]


@pytest.mark.parametrize("with_reaper", [False, True], ids=["alone", "and its reaper"])
def test_a_supervisor_killed_while_notes_are_read_loses_none(scene: Scene, with_reaper: bool) -> None:
    scene.hold(hooks.READING)
    run = scene.start_run(marks={3: model.HELD})
    scene.held()
    children = scene.kill_supervisor(with_reaper=with_reaper)
    if not with_reaper:
        psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
        assert scene.installation.processes() == [], "its reaper ends all that it has left"
    scene.installation.start()
    scene.let_go()
    scene.wait_for(run)
    scene.assert_whole(run)
    _, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
    assert alive == [], "the next start ends all that the last one has left"
