from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.adjudication.models import Choice, RuleRun
from annotator.adjudication.rules import RuleRefused, previews, run_rule, start_rule
from annotator.adjudication.selectors import case_file
from annotator.adjudication.services import take
from annotator.audit.models import AuditEvent
from annotator.builds.selectors import readiness
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.readings.models import Adjudication
from tests.adjudication.scene import ADAMS, BOBS, gold_of, make_adjudication
from tests.cast import NOW, Bells, body, make_member, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(project: Project, bob: User, adam: User) -> Adjudication:
    """A note of three readers: two are one against the third, but about the bounds of a drug, where all differ."""
    carol = make_member(project, "carol", "annotator")
    carols = (*BOBS[:2], ("metformin 500", "Medication"), BOBS[3])
    return make_adjudication(project, (bob, BOBS), (adam, ADAMS), (carol, carols), name="three")


def apply(project: Project, rule: str, actor: User) -> RuleRun:
    run = start_rule(project=project, rule=rule, actor=actor, now=NOW)
    run_job(job_id=run.job_id, work=lambda job: run_rule(job=job, clock=lambda: NOW), clock=lambda: NOW)
    run.refresh_from_db()
    return run


def test_a_preview_says_what_a_rule_then_does(
    project: Project, bob: User, adam: User, alice: User, three: Adjudication, bells: Bells
) -> None:
    same = make_adjudication(project, (bob, BOBS), (adam, BOBS), name="same")
    make_adjudication(project, (bob, BOBS), (adam, ADAMS), name="two")
    seen = {preview.rule: preview for preview in previews(project=project, now=NOW)}
    assert [(each.n_notes, each.n_finished, each.n_settled, each.n_left) for each in seen.values()] == [
        (3, 1, 0, 6),
        (3, 1, 2, 4),
    ]
    with bells.after_commit():
        run = start_rule(project=project, rule="majority", actor=alice, now=NOW)
    assert bells.tasks() == ["annotator.run_rule"]
    with pytest.raises(RuleRefused, match="already"):
        start_rule(project=project, rule="unanimous", actor=alice, now=NOW)
    run_job(job_id=run.job_id, work=lambda job: run_rule(job=job, clock=lambda: NOW), clock=lambda: NOW)
    run.refresh_from_db()
    assert (run.n_finished, run.n_settled) == (1, 2)
    assert [found.document_id for found in readiness(project=project).sets] == [same.document_id]
    assert [choice.rule for choice in Choice.objects.filter(what="version")] == ["majority"] * 2
    assert [row[:2] for row in gold_of(three)] == [
        ("chest pain", "Problem"),
        ("nausea", "Problem"),
        ("fever", "Problem"),
    ]
    assert Adjudication.objects.get(pk=three.pk).lease_expires_at is None
    assert apply(project, "majority", alice).n_settled == 0


def test_a_rule_leaves_what_someone_has_in_hand_and_what_a_person_settled(
    project: Project, bob: User, adam: User, alice: User, three: Adjudication
) -> None:
    take(adjudication=three, adjudicator=adam, now=NOW)
    run = apply(project, "majority", alice)
    assert (run.n_finished, run.n_settled) == (0, 0)
    assert case_file(three).n_settled == 0


def test_a_lead_applies_a_rule_on_its_page(
    alice_client: Client, project: Project, three: Adjudication, bells: Bells
) -> None:
    address = reverse("adjudication:rules", args=[project.public_id])
    page = body(alice_client.get(address))
    assert "0 of 1" in page and "It would settle nothing" in page
    alice_client.post(reverse("adjudication:apply_rule", args=[project.public_id]), {"rule": "majority"})
    assert RuleRun.objects.get().rule == "majority"
    assert "Waits for a worker" in body(alice_client.get(address, headers={"HX-Request": "true"}))
    answer = alice_client.post(
        reverse("adjudication:apply_rule", args=[project.public_id]), {"rule": "nonsense"}, follow=True
    )
    assert "no such rule" in body(answer)


def test_previews_cost_the_same_for_fifty_notes(
    project: Project, bob: User, adam: User, django_assert_num_queries: Any
) -> None:
    for number in range(4):
        make_adjudication(project, (bob, BOBS), (adam, ADAMS), name=f"n{number}")
    with django_assert_num_queries(7):
        previews(project=project, now=NOW)


def test_a_rule_that_is_cancelled_leaves_what_it_has_settled(
    project: Project, bob: User, adam: User, alice: User, client: Client
) -> None:
    for name in ("first", "second"):
        make_adjudication(project, (bob, BOBS), (adam, BOBS), name=name)
    run = start_rule(project=project, rule="unanimous", actor=alice, now=NOW)
    cancel = reverse("adjudication:cancel_rule", args=[project.public_id])
    sign_in(client, alice)
    done_before = []

    def clock() -> datetime:
        """Alice cancels after the first note."""
        done_before.append(Adjudication.objects.filter(status="done").count())
        if done_before[-1] == 1 and not AuditEvent.objects.filter(verb="adjudication.rule_cancel").exists():
            assert client.post(cancel).status_code == 303
        return NOW

    run_job(job_id=run.job_id, work=lambda job: run_rule(job=job, clock=clock), clock=clock)
    assert Job.objects.get(pk=run.job_id).status == Job.Status.CANCELLED
    assert Adjudication.objects.filter(status="done").count() == 1
    assert "Cancelled" in body(client.get(reverse("adjudication:rules", args=[project.public_id])))
    client.post(cancel)
    assert AuditEvent.objects.filter(verb="adjudication.rule_cancel", actor=alice).count() == 1
    waiting = start_rule(project=project, rule="unanimous", actor=alice, now=NOW)
    assert 'aria-label="Cancel Unanimous"' in body(client.get(reverse("adjudication:rules", args=[project.public_id])))
    client.post(cancel)
    assert Job.objects.get(pk=waiting.job_id).status == Job.Status.CANCELLED
