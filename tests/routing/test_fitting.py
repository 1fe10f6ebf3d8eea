"""Calibrators: fitted on what was decided as uncertain, kept as versions, offered and taken into use."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Batch, Calibrator, FitWish
from annotator.core.calibration import NotEnoughCases
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Project
from annotator.review.models import ReviewItem
from annotator.routing import fitting
from annotator.routing.confidence import APPLY_TASK
from annotator.routing.fitting import (
    FIT_LEASE,
    FIT_TASK,
    CalibratorRefused,
    adopt_calibrator,
    ask_for_fit,
    fit_by_count,
    fit_calibrator,
    fit_due,
    fit_wished,
    ring_wished,
)
from annotator.suggestions.models import Labeler
from annotator.sweeper import sweep
from annotator.tasks import fit_task
from tests.cast import NOW, Bells
from tests.routing.calibrated import decide_cases, make_calibrator


@pytest.fixture
def labeler(project: Project, bob: User, bells: Bells) -> Labeler:
    """Sixty of its suggestions are decided, as many right as their scores say."""
    decide_cases(project, bob, n=60)
    bells.clear()
    return Labeler.objects.select_related("project").get()


def fit(labeler: Labeler, actor: User | None = None) -> Calibrator:
    return fit_calibrator(labeler=labeler, actor=actor, now=NOW, n_resamples=20)


def rest_on(calibrator: Calibrator) -> Batch:
    """A test that rests on the calibrator."""
    return Batch.objects.create(
        project=calibrator.project,
        calibrator=calibrator,
        number=1,
        target=0.95,
        delta=0.05,
        n_members=1,
        frozen_at=NOW,
    )


def test_a_version_keeps_what_it_was_fitted_on_and_what_it_is_worth(
    labeler: Labeler, alice: User, bells: Bells
) -> None:
    with bells.after_commit():
        made = fit(labeler, alice)
    assert (made.number, made.kind, made.n_cases, made.status) == (1, "platt", 60, "current")
    assert made.cases.count() == 60
    n_right = ReviewItem.objects.filter(unit="span", decisions__verdict="accept").count()
    assert made.cases.filter(is_right=True).count() == n_right
    found = Calibrator.objects.get(pk=made.pk)
    assert found.report["overall"]["n"] == 60
    assert set(found.report["groups"]) == {"label", "section", "note_type"}
    assert set(found.report["groups"]["note_type"]) == {"letter", "report"}
    event = AuditEvent.objects.get(verb="calibrator.fit")
    assert (event.actor, event.object_id) == (alice, made.public_id)
    assert event.detail == {"number": 1, "kind": "platt", "n_cases": 60, "status": "current"}
    assert bells[-1][:2] == (APPLY_TASK, (made.pk,))


def test_too_few_cases_are_refused_and_nothing_is_written(
    project: Project, alice: User, bob: User, bells: Bells
) -> None:
    decide_cases(project, bob, n=4)
    labeler = Labeler.objects.get()
    with pytest.raises(NotEnoughCases):
        fit(labeler, alice)
    with pytest.raises(NotEnoughCases):
        ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    assert not Calibrator.objects.exists()
    assert not AuditEvent.objects.filter(verb__startswith="calibrator").exists()


def test_a_heading_that_is_not_known_is_not_kept() -> None:
    assert [fitting._section_words(key) for key in ("plan", "mrs miller's hip", "")] == ["plan", "other", "none"]


def test_a_new_version_takes_the_place_of_one_that_nothing_rests_on(labeler: Labeler, alice: User) -> None:
    first, second = fit(labeler, alice), fit(labeler, alice)
    first.refresh_from_db()
    assert (first.status, second.status, second.number) == ("replaced", "current", 2)


def test_a_version_is_offered_where_a_test_rests_on_the_one_before(labeler: Labeler, alice: User, bells: Bells) -> None:
    first = make_calibrator(labeler)
    rest_on(first)
    with bells.after_commit():
        offered, newer = fit(labeler, alice), fit(labeler, alice)
    assert [each.status for each in Calibrator.objects.order_by("number")] == ["current", "replaced", "offered"]
    notice = Notice.objects.get(user=alice, kind=Kind.CALIBRATOR_OFFERED)
    assert notice.detail == {"number": newer.number, "n_cases": 60}
    assert APPLY_TASK not in bells.tasks()
    with pytest.raises(CalibratorRefused):
        adopt_calibrator(calibrator=offered, actor=alice, now=NOW)


def test_taking_an_offered_version_ends_what_rests_on_the_one_before(
    labeler: Labeler, alice: User, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[dict[str, Any]] = []
    monkeypatch.setattr(fitting, "end_tests", lambda **asked: ended.append(asked))
    first = make_calibrator(labeler)
    Calibrator.objects.filter(pk=first.pk).update(applied_to=None)
    rest_on(first)
    offered = fit(labeler, alice)
    with bells.after_commit():
        adopt_calibrator(calibrator=offered, actor=alice, now=NOW)
    assert [(asked["calibrator"], asked["reason"]) for asked in ended] == [(first, "calibrator")]
    first.refresh_from_db()
    offered.refresh_from_db()
    assert (first.status, offered.status, offered.applied_to) == ("replaced", "current", 0)
    event = AuditEvent.objects.get(verb="calibrator.adopt")
    assert (event.actor, event.detail) == (alice, {"number": 2, "instead": 1})
    assert bells[-1][:2] == (APPLY_TASK, (offered.pk,))
    with pytest.raises(CalibratorRefused):
        adopt_calibrator(calibrator=offered, actor=alice, now=NOW)


def test_a_fit_is_due_at_fifty_and_then_when_cases_have_doubled(
    labeler: Labeler, project: Project, bob: User, bells: Bells
) -> None:
    with bells.after_commit():
        assert fit_due() == 1
    assert bells[-1][:2] == (FIT_TASK, (labeler.pk,))
    made = fit_by_count(labeler_id=labeler.pk, now=NOW)
    assert made is not None and (made.n_cases, made.created_by) == (60, None)
    assert fit_due() == 0, "the next is due at a hundred"
    assert fit_by_count(labeler_id=labeler.pk, now=NOW) is None, "a bell that came twice"
    Calibrator.objects.update(created_at=NOW.replace(year=NOW.year - 1))
    decide_cases(project, bob, n=38, name="more")
    assert fit_due() == 0
    decide_cases(project, bob, n=2, name="last")
    assert fit_due() == 1


def test_nothing_is_due_below_fifty(project: Project, bob: User, bells: Bells) -> None:
    decide_cases(project, bob, n=6)
    assert fit_due() == 0


def test_a_count_without_enough_wrong_ones_makes_nothing(labeler: Labeler, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**asked: Any) -> None:
        raise NotEnoughCases(n_right=60, n_wrong=0, n_wanted=10)

    monkeypatch.setattr(fitting, "fit_calibrator", refuse)
    assert fit_by_count(labeler_id=labeler.pk, now=NOW) is None


def test_a_lead_who_asks_has_a_worker_fit(labeler: Labeler, alice: User, bells: Bells) -> None:
    with bells.after_commit():
        ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    assert AuditEvent.objects.get(verb="calibrator.ask").actor == alice
    assert bells[-1][:2] == (FIT_TASK, (labeler.pk,))
    fit_task(labeler.pk)
    assert Calibrator.objects.get().created_by == alice
    assert not FitWish.objects.exists()


def test_a_lost_bell_of_a_wish_is_rung_again(labeler: Labeler, alice: User, bells: Bells) -> None:
    make_calibrator(labeler)  # so that no fit is due by count
    Calibrator.objects.update(n_cases=60)
    ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    bells.clear()
    with bells.after_commit():
        sweep(now=NOW)
    assert (FIT_TASK, (labeler.pk,)) in [bell[:2] for bell in bells]
    fit_task(labeler.pk)
    bells.clear()
    with bells.after_commit():
        sweep(now=NOW)
    assert FIT_TASK not in bells.tasks(), "a wish that was served rings no more"


def test_a_wish_that_a_worker_has_taken_up_is_another_s_when_that_is_long_ago(
    labeler: Labeler, alice: User, bells: Bells
) -> None:
    ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    FitWish.objects.update(begun_at=NOW)
    assert ring_wished(now=NOW + FIT_LEASE) == 0
    assert fit_wished(labeler_id=labeler.pk, now=NOW + FIT_LEASE) is None
    later = NOW + FIT_LEASE + timedelta(seconds=1)
    assert ring_wished(now=later) == 1
    assert fit_wished(labeler_id=labeler.pk, now=later) == Calibrator.objects.get()


def test_who_asks_while_a_wish_waits_is_served_with_it(labeler: Labeler, alice: User, bob: User, bells: Bells) -> None:
    ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    ask_for_fit(labeler=labeler, actor=bob, now=NOW)
    assert (FitWish.objects.get().asked_by, AuditEvent.objects.filter(verb="calibrator.ask").count()) == (alice, 1)


def test_a_wish_goes_where_there_is_too_little_after_all(
    labeler: Labeler, alice: User, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_fit(labeler=labeler, actor=alice, now=NOW)

    def refuse(**asked: Any) -> None:
        raise NotEnoughCases(n_right=60, n_wrong=0, n_wanted=10)

    monkeypatch.setattr(fitting, "fit_calibrator", refuse)
    assert fit_wished(labeler_id=labeler.pk, now=NOW) is None
    assert not FitWish.objects.exists()


def test_a_fit_by_count_leaves_a_wish_to_be_served(labeler: Labeler, alice: User, bells: Bells) -> None:
    """It may have read what was decided before the wish."""
    ask_for_fit(labeler=labeler, actor=alice, now=NOW)
    assert fit_by_count(labeler_id=labeler.pk, now=NOW) is not None
    assert FitWish.objects.exists()


def test_the_same_decisions_give_the_same_curve(labeler: Labeler, alice: User) -> None:
    assert fit(labeler, alice).curves == fit(labeler, alice).curves
