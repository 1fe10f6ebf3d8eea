"""The web server killed, or cut off from its database, while it saves a decision: it is there whole, or not at all."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from uuid import uuid4

import pytest
from django.utils import timezone

from annotator.annotations.models import Annotation
from annotator.audit.models import AuditEvent
from annotator.audit.services import first_broken_event
from annotator.programs import is_web_up
from annotator.review.leases import take_next
from annotator.review.models import Decision, ReviewItem
from tests.faults import hooks
from tests.faults.scene import APPENDING_EVENT, Scene, until

pytestmark = [pytest.mark.db, pytest.mark.slow]


@dataclass(frozen=True)
class Saving:
    """The acceptance of one suggestion by its reviewer, to be sent under one key."""

    scene: Scene
    item: ReviewItem
    cookies: Mapping[str, str]
    path: str
    key: str

    def send(self) -> int:
        """The status of the answer."""
        data = {"key": self.key, "target": f"i{self.item.public_id}", "verdict": "accept"}
        return self.scene.request(self.path, self.cookies, data)[0]

    def n_saved(self) -> int:
        """How often the decision is there, with all that belongs to it."""
        decisions = list(Decision.objects.filter(idempotency_key=self.key))
        self.item.refresh_from_db()
        document = self.item.document
        assert self.item.status == (ReviewItem.Status.DECIDED if decisions else ReviewItem.Status.OPEN)
        assert Annotation.objects.filter(origin=self.item.suggestion).count() == len(decisions)
        events = AuditEvent.objects.filter(verb="note.accept", object_id=document.public_id)
        assert [event.detail["decision"] for event in events] == [decision.pk for decision in decisions]
        assert first_broken_event(project=document.project.public_id) is None
        return len(decisions)


@pytest.fixture
def saving(scene: Scene) -> Saving:
    """Alice holds a labelled note, and is about to accept its first suggestion."""
    run, reviewer = scene.start_run(n=1), scene.lead()
    scene.wait_for(run)
    note_item = take_next(project=run.project, reviewer=reviewer, now=timezone.now())
    assert note_item is not None
    item = ReviewItem.objects.filter(document=note_item.document, unit=ReviewItem.Unit.SPAN).order_by("pk")[0]
    path = f"/p/{run.project.public_id}/review/{note_item.public_id}/decide/"
    return Saving(scene, item, scene.sign_in(reviewer), path, str(uuid4()))


@pytest.mark.parametrize(
    ("point", "n_saved"), [(APPENDING_EVENT, 0), (hooks.ANSWERING, 1)], ids=["before its commit", "after its commit"]
)
def test_a_web_server_killed_while_it_saves_leaves_all_or_nothing(saving: Saving, point: str, n_saved: int) -> None:
    scene = saving.scene
    scene.hold(point)
    with ThreadPoolExecutor() as browser:
        answer = browser.submit(saving.send)
        (worker,) = scene.held()
        os.killpg(os.getpgid(worker), signal.SIGKILL)
        scene.let_go()
        with pytest.raises((HTTPException, OSError)):
            answer.result()
    until(lambda: is_web_up(scene.installation.port), "the next web server")
    assert saving.n_saved() == n_saved
    assert [saving.send(), saving.send()] == [303, 303]
    assert saving.n_saved() == 1


def test_a_database_that_goes_away_while_a_decision_is_saved_leaves_nothing(saving: Saving) -> None:
    scene = saving.scene
    with ThreadPoolExecutor() as browser:
        if scene.is_postgresql:  # SQLite's lock cannot be taken from who has begun to save
            scene.hold(APPENDING_EVENT)
            answer = browser.submit(saving.send)
            scene.held()
        with scene.database_away():
            if not scene.is_postgresql:
                answer = browser.submit(saving.send)
            scene.let_go()
            assert answer.result() == 500
    assert saving.n_saved() == 0
    assert [saving.send(), saving.send()] == [303, 303]
    assert saving.n_saved() == 1
