"""Purges of notes and projects that are tested, or in which something was accepted under a certificate."""

from __future__ import annotations

import pytest

from annotator.accounts.models import User
from annotator.certificates.models import Batch, BatchMember, Certificate
from annotator.projects.models import Project
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes, purge_project
from annotator.routing.steps import ring_again
from annotator.suggestions.models import Promotion
from tests.purges.scene import finish
from tests.routing.scene import Oracle, make_oracle
from tests.training.promoted import make_promotion

GOOD, DELTA = 0.97, 0.2


@pytest.fixture
def oracle(project: Project, alice: User, bob: User, bells: object, monkeypatch: pytest.MonkeyPatch) -> Oracle:
    return make_oracle(project, alice, bob, monkeypatch)


def test_a_purge_of_a_member_ends_the_test(oracle: Oracle) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    document = oracle.asked()[0].document
    type(document).objects.filter(pk=document.pk).update(patient_id="p-1")
    purge_notes(project=oracle.project, doomed=Doomed(patient_id="p-1"), actor=oracle.lead, now=oracle.later())
    assert (oracle.batch().status, oracle.batch().reason) == ("ended", "purged")
    oracle.step()
    old, new = Batch.objects.filter(project=oracle.project).order_by("number")
    assert (new.status, new.n_members) == ("testing", 60)
    assert not BatchMember.objects.filter(batch=new, suggestion__document=document).exists()
    assert old.ended_at is not None


def test_a_purge_of_a_member_leaves_what_is_certified(oracle: Oracle) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    oracle.audit()
    document = BatchMember.objects.order_by("rank")[0].suggestion.document
    type(document).objects.filter(pk=document.pk).update(patient_id="p-1")
    tombstone = purge_notes(
        project=oracle.project, doomed=Doomed(patient_id="p-1"), actor=oracle.lead, now=oracle.later()
    )
    oracle.step()
    finish(tombstone, now=oracle.later())
    oracle.step()
    assert (oracle.certificate().status, oracle.batch().status) == ("live", "settled")


def test_a_purge_of_the_project_leaves_nothing_to_be_done(oracle: Oracle) -> None:
    oracle.label(n_notes=4, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    oracle.audit()
    make_promotion(oracle.labeler, oracle.lead)
    tombstone = purge_project(project=oracle.project, actor=oracle.lead, now=oracle.later())
    assert ring_again(now=oracle.later()) == 0
    finish(tombstone, now=oracle.later())
    assert not Promotion.objects.exists()
    assert not Certificate.objects.exists()
    assert not Batch.objects.exists()
