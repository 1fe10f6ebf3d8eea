"""Work on tests and certificates that is killed in the middle of a page, done twice, or done by two at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from annotator.annotations.models import Annotation
from annotator.audit.services import first_broken_event
from annotator.certificates.models import Batch, Certificate
from annotator.review import holding
from annotator.review.models import ReviewItem
from annotator.routing import accepting, looking, revoking
from annotator.routing.freezing import FreezeRefused, freeze_batch
from annotator.routing.revoking import revoke_certificate
from annotator.routing.services import route_job
from annotator.routing.steps import ring_again, step_project
from tests.cast import Bells
from tests.routing.scene import Oracle

GOOD, DELTA = 0.97, 0.2
PAGES = ("hold_spans", "ask_spans", "certify_spans", "release_spans", "withdraw_certified")


class _KilledError(Exception):
    pass


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Every page is cut off once it has done all its work, the first time; pages are small. How often which was."""
    n_calls: dict[str, int] = {}

    def cut(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(**given: Any) -> Any:
            found = own(**given)
            n_calls[name] = n_calls.get(name, 0) + 1
            if n_calls[name] % 2:
                raise _KilledError
            return found

        return wrapped

    for module, name in itertools.product((accepting, revoking, looking), PAGES):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, cut(name, getattr(holding, name)))
    monkeypatch.setattr(accepting, "PAGE", 15)
    monkeypatch.setattr(revoking, "PAGE", 15)
    return n_calls


def persist(oracle: Oracle) -> int:
    """Do all that is due, again whenever it is killed; how often it was."""
    n_killed = 0
    while True:
        try:
            oracle.step()
            return n_killed
        except _KilledError:
            n_killed += 1
            assert n_killed < 100


def test_what_is_killed_between_and_within_pages_goes_on(oracle: Oracle, killed: dict[str, int]) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    assert persist(oracle) > 2
    largest = max(region.size for region in oracle.batch().regions.all())
    assert oracle.states() == {"held": largest - 50, "open": 80 - largest + 50}
    while not Certificate.objects.exists():
        for item in oracle.asked()[:10]:
            oracle.decide(item)
        persist(oracle)
    certificate = oracle.certificate()
    live = Annotation.objects.filter(certificate=certificate, status="live")
    assert certificate.n_accepted == live.count() == oracle.states()["certified"]
    assert "held" not in oracle.states()
    revoke_certificate(certificate=certificate, actor=oracle.lead, reason="asked", now=oracle.later())
    assert ring_again(now=oracle.later()) == 1
    assert persist(oracle) > 1
    assert not live.exists()
    assert set(oracle.states()) == {"open", "decided"}
    assert oracle.certificate().status == "revoked"
    assert ring_again(now=oracle.later()) == 0
    assert {"hold_spans", "ask_spans", "certify_spans", "withdraw_certified"} <= set(killed)
    assert first_broken_event(project=oracle.project.public_id) is None


def test_a_look_at_what_has_changed_meanwhile_writes_nothing(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    for item in oracle.asked()[:30]:
        oracle.decide(item)
    own = looking.evidence_of

    def end_first(*given: Any) -> Any:
        monkeypatch.setattr(looking, "evidence_of", own)
        oracle.want(status="off")
        return own(*given)

    monkeypatch.setattr(looking, "evidence_of", end_first)
    oracle.step()
    assert not Certificate.objects.exists()
    assert oracle.batch().status == "ended"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_grant_one_certificate(oracle: Oracle) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    at_once([lambda: step(oracle), lambda: step(oracle), lambda: freeze(oracle)])
    assert Batch.objects.count() == 1
    while not Certificate.objects.exists():
        for item in oracle.asked()[:10]:
            oracle.decide(item)
        at_once([lambda: step(oracle), lambda: step(oracle)])
    oracle.step()
    live = Annotation.objects.filter(certificate=oracle.certificate(), status="live")
    assert oracle.certificate().n_accepted == live.count() == oracle.states()["certified"]
    assert first_broken_event(project=oracle.project.public_id) is None


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_is_routed_while_a_certificate_is_revoked_is_not_left_accepted(oracle: Oracle) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    oracle.audit()
    run = oracle.label(n_notes=3, score=lambda number: GOOD, name="second", is_routed=False)
    jobs = list(run.jobs.values_list("pk", flat=True))
    certificate = oracle.certificate()
    now = oracle.later()
    at_once(
        [
            *(lambda pk=pk: route_job(label_job_id=pk, now=now) for pk in jobs),  # type: ignore[misc]
            lambda: revoke_certificate(certificate=certificate, actor=oracle.lead, reason="asked", now=now),
        ]
    )
    oracle.step()
    assert oracle.certificate().status == "revoked"
    assert not Annotation.objects.filter(certificate=certificate, status="live").exists()
    assert not ReviewItem.objects.filter(status="certified").exists()


def step(oracle: Oracle) -> None:
    now = oracle.now
    while step_project(project_id=oracle.project.pk, now=now):
        now += timedelta(minutes=1)


def freeze(oracle: Oracle) -> None:
    calibrator = oracle.labeler.calibrators.get()
    try:
        freeze_batch(project=oracle.project, label="", calibrator=calibrator, now=oracle.now, seed=1)
    except FreezeRefused:
        return


def at_once(acts: list[Callable[[], Any]]) -> None:
    """Do these at the same time, each on a connection of its own."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=60)
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        list(pool.map(run, acts))


def test_bells_of_the_sweeper_are_for_what_is_due(oracle: Oracle, bells: Bells) -> None:
    assert ring_again(now=oracle.later()) == 0
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    assert ring_again(now=oracle.later()) == 1
    oracle.step()
    assert ring_again(now=oracle.later()) == 0
