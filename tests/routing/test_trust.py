"""A target, a test, a certificate, its watching and its end, with an oracle for a reviewer."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from math import inf, log
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.certificates.bell import TRUST_TASK
from annotator.certificates.models import Batch, BatchMember, CalibratorCase, Certificate, WatchedSuggestion
from annotator.core.certificates import Ladder, log_evidence
from annotator.core.identifiers import with_identifiers
from annotator.core.watch import doubts
from annotator.notices.models import Kind, Notice
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.review import services
from annotator.review.leases import take_note_of
from annotator.review.models import ReviewItem
from annotator.routing import looking
from annotator.routing.ending import end_tests
from annotator.routing.freezing import FreezeRefused, NothingToGain, freeze_batch, wanted_batches
from annotator.routing.revoking import RevokeRefused, revoke_certificate
from annotator.routing.services import route_job
from annotator.routing.steps import ring_again, step_project
from annotator.routing.targets import TargetRefused
from annotator.routing.watching import doubt_of
from annotator.suggestions.models import LabelRun, Suggestion
from annotator.suggestions.services import LabelerSpec, labeler_for
from tests.cast import NOW
from tests.routing.scene import Oracle

GOOD, N_NOTES, DELTA = 0.97, 4, 0.2


def verbs(oracle: Oracle) -> list[str]:
    """What the audit chain says of targets, batches and certificates, in its order, each once."""
    events = AuditEvent.objects.filter(chain__project=oracle.project.public_id).order_by("number")
    kept = (verb for verb in events.values_list("verb", flat=True) if verb.split(".")[0] in KEPT)
    return list(dict.fromkeys(kept))


KEPT = ("target", "batch", "certificate")


@pytest.fixture
def tested(oracle: Oracle) -> Oracle:
    """Eighty suggestions of which most are held, and fifty asked in random order."""
    oracle.label(n_notes=N_NOTES, score=lambda number: GOOD - number / 1000, name="first")
    oracle.want(delta=DELTA)
    oracle.step()
    return oracle


@pytest.fixture
def certified(tested: Oracle) -> Oracle:
    """A certificate for all of them, and nothing left to be done at once."""
    tested.audit()
    return tested


def test_a_target_that_is_on_has_a_batch_frozen_and_audits_asked(tested: Oracle) -> None:
    batch = tested.batch()
    members = list(batch.members.order_by("rank"))
    assert (batch.status, batch.n_members, len(members)) == ("testing", 80, 80)
    assert [member.confidence for member in members] == sorted((m.confidence for m in members), reverse=True)
    assert len({member.audit_key for member in members}) == 80
    largest = max(region.size for region in batch.regions.all())
    in_order = [m.suggestion_id for m in sorted(members, key=lambda m: m.audit_key) if m.rank <= largest]
    assert [item.suggestion_id for item in tested.asked()] == in_order[:50]
    assert tested.states(in_order[50:]) == {"held": largest - 50}
    assert verbs(tested) == ["target.set", "batch.freeze"]


def test_nothing_is_due_while_nobody_decides(tested: Oracle, bells: Any) -> None:
    bells.clear()
    assert not step_project(project_id=tested.project.pk, now=tested.later())
    assert ring_again(now=tested.later()) == 0


def test_an_audit_that_is_decided_rings(tested: Oracle, bells: Any) -> None:
    bells.clear()
    with bells.after_commit():
        tested.decide(tested.asked()[0])
    assert (TRUST_TASK, (tested.project.pk,), "main") in bells
    assert ring_again(now=tested.later()) == 1


def test_the_evidence_is_that_of_the_decided_part_of_the_order(tested: Oracle) -> None:
    first, second, third, fourth = tested.asked()[:4]
    tested.is_wrong = lambda suggestion: suggestion.pk == second.suggestion_id
    for item in (first, second, fourth):
        tested.decide(item)
    tested.step()
    members: dict[int | None, BatchMember] = {member.suggestion_id: member for member in tested.batch().members.all()}
    for region in tested.batch().regions.all():
        inside = [item for item in (first, second) if members[item.suggestion_id].rank <= region.size]
        n_wrong = sum(item == second for item in inside)
        assert (region.n_audited, region.n_wrong) == (len(inside), n_wrong)
        wanted = log_evidence(n_audited=len(inside), n_wrong=n_wrong, size=region.size, target=0.8)
        assert region.log_evidence == (None if wanted == float("-inf") else pytest.approx(wanted))
    assert members[second.suggestion_id].outcome == "wrong"
    assert members[third.suggestion_id].outcome == ""
    assert members[fourth.suggestion_id].outcome == "right"


def test_proven_spans_are_accepted_and_their_notes_are_done(certified: Oracle) -> None:
    certificate = certified.certificate()
    accepted = Annotation.objects.filter(certificate=certificate, status="live")
    assert (certificate.status, certificate.n_wrong) == ("live", 0)
    assert certificate.n_accepted == accepted.count() == certified.states()["certified"]
    assert "held" not in certified.states()
    n_asked = len(certified.asked())
    assert n_asked == -(-(certificate.region.size - certificate.n_audited) * 5 // 100)
    assert verbs(certified)[2:] == ["certificate.grant", "certificate.accept", "batch.settle"]
    assert Notice.objects.get(kind=Kind.CERTIFICATE_GRANTED).user == certified.lead


def test_a_larger_region_extends_the_certificate(tested: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    own = looking.claimed

    def smallest_first(ladder: Ladder, passed: Collection[int]) -> int | None:
        found = own(ladder, passed)
        return found if found is None or Certificate.objects.exists() else 0

    monkeypatch.setattr(looking, "claimed", smallest_first)
    tested.audit()
    certificate = tested.certificate()
    assert tested.batch().plan["claims"] == [0, certificate.region.place]
    assert certificate.region.place > 0
    assert certificate.extended_at is not None
    assert certificate.n_accepted == tested.states()["certified"]
    assert "held" not in tested.states()
    assert "certificate.extend" in verbs(tested)
    assert Notice.objects.get(kind=Kind.CERTIFICATE_EXTENDED).user == tested.lead


def test_what_a_reader_takes_out_of_what_was_accepted_rings_and_is_wrong(certified: Oracle, bells: Any) -> None:
    Project.objects.filter(pk=certified.project.pk).update(watch_percent=100)
    audited = certified.batch().members.filter(outcome="").order_by("audit_key")
    accepted = audited.filter(suggestion__review_items__status="certified")[0]
    annotation = Annotation.objects.get(origin=accepted.suggestion_id, status="live")
    item = ReviewItem.objects.select_related("document__project").get(suggestion=accepted.suggestion_id)
    note = take_note_of(item=item, reviewer=certified.reviewer, now=certified.later())
    if note is None:  # done without a reader: an audit opens it
        ReviewItem.objects.filter(document=item.document_id, unit="note").update(status="open")
        note = take_note_of(item=item, reviewer=certified.reviewer, now=certified.later())
    assert note is not None
    bells.clear()
    with bells.after_commit():
        services.decide(
            note_item=note, reviewer=certified.reviewer, act=services.Reject(annotation), key="out", now=certified.now
        )
    assert (TRUST_TASK, (certified.project.pk,), "main") in bells
    certified.step()
    accepted.refresh_from_db()
    assert accepted.outcome == "wrong"


def test_errors_that_break_the_promise_earn_no_certificate(tested: Oracle) -> None:
    tested.is_wrong = lambda suggestion: suggestion.pk % 2 == 0
    tested.audit()
    assert not Certificate.objects.exists()
    assert (tested.batch().status, tested.batch().reason) == ("ended", "not_certified")
    assert tested.batch().ended_at is not None
    assert set(tested.states()) == {"decided", "open"}
    assert not tested.asked()
    assert tested.step() == 0


def test_later_suggestions_are_accepted_as_an_extrapolation(certified: Oracle) -> None:
    before = Annotation.objects.filter(certificate__isnull=False).count()
    threshold = certified.certificate().region.threshold
    certified.label(n_notes=1, score=lambda number: GOOD if number % 2 else threshold - 0.1, name="second")
    certificate = certified.certificate()
    watched = WatchedSuggestion.objects.filter(certificate=certificate).count()
    assert certificate.n_extrapolated + watched == 10
    assert Annotation.objects.filter(certificate__isnull=False).count() == before + certificate.n_extrapolated
    new = Suggestion.objects.filter(job__run__number=2)
    assert new.filter(score__lt=threshold, review_items__status="open", review_items__stream="uncertain").count() == 10
    assert "certificate.extrapolate" in verbs(certified)


def test_a_note_whose_spans_are_all_accepted_is_done_without_a_reader(
    certified: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.routing.watching._random", _Never())
    certified.label(n_notes=1, score=lambda number: GOOD, name="second")
    note = ReviewItem.objects.get(document__external_id="second-0", unit="note")
    assert (note.status, note.leased_by) == ("decided", None)
    reading = AnnotationSet.objects.get(document=note.document_id)
    assert (reading.status, reading.annotator, reading.annotations.count()) == ("submitted", None, 20)


def test_a_drift_that_is_watched_revokes_and_everything_comes_back(certified: Oracle) -> None:
    Project.objects.filter(pk=certified.project.pk).update(watch_percent=100)
    certified.label(n_notes=1, score=lambda number: GOOD, name="second")
    Project.objects.filter(pk=certified.project.pk).update(watch_percent=5)
    drifted = set(Suggestion.objects.filter(job__run__number=2).values_list("pk", flat=True))
    certified.is_wrong = lambda suggestion: suggestion.pk in drifted
    while certified.certificate().status == "live":
        for item in certified.asked()[:10]:
            certified.decide(item)
        certified.step()
    certificate = certified.certificate()
    assert (certificate.status, certificate.reason) == ("revoked", "doubted")
    assert certificate.n_watched_wrong > 0
    assert certificate.log_watch >= -log(DELTA)
    assert not Annotation.objects.filter(certificate=certificate, status="live").exists()
    assert set(certified.states()) <= {"open", "decided"}
    assert not certified.asked()
    waiting = ReviewItem.objects.filter(project=certified.project, unit="span", status="open")
    notes = ReviewItem.objects.filter(unit="note", document__in=waiting.values("document"))
    assert set(notes.values_list("status", flat=True)) == {"open"}
    told = Notice.objects.filter(kind=Kind.CERTIFICATE_REVOKED)
    assert {notice.user for notice in told} == {certified.lead, certified.reviewer}
    assert verbs(certified)[-4:] == [
        "certificate.extrapolate",
        "certificate.revoke",
        "certificate.withdraw",
        "certificate.withdrawn",
    ]
    assert certified.step() == 0  # no other test until a lead asks
    certified.want(delta=DELTA)
    certified.step()
    assert certified.batch().number == 2


def test_right_ones_that_are_watched_revoke_nothing(certified: Oracle) -> None:
    Project.objects.filter(pk=certified.project.pk).update(watch_percent=100)
    certified.label(n_notes=1, score=lambda number: GOOD, name="second")
    while certified.asked():
        for item in certified.asked()[:10]:
            certified.decide(item)
        certified.step()
    certificate = certified.certificate()
    assert (certificate.status, certificate.n_watched_wrong) == ("live", 0)
    assert certificate.n_watched >= 20


def test_a_corrected_audit_counts_from_the_start(certified: Oracle) -> None:
    certificate = certified.certificate()
    audited = certified.batch().members.exclude(outcome="").order_by("audit_key")
    for member in audited[: certificate.n_audited]:
        annotation = Annotation.objects.get(origin=member.suggestion_id, status="live")
        item = ReviewItem.objects.get(suggestion=member.suggestion_id)
        note = take_note_of(item=item, reviewer=certified.reviewer, now=certified.later())
        assert note is not None
        key = f"corrected-{member.pk}"
        services.decide(
            note_item=note, reviewer=certified.reviewer, act=services.Reject(annotation), key=key, now=certified.now
        )
    certified.step()
    certificate = certified.certificate()
    assert (certificate.status, certificate.reason) == ("revoked", "corrected")


def test_an_audit_that_is_undone_takes_nothing_back(certified: Oracle) -> None:
    Project.objects.filter(pk=certified.project.pk).update(watch_percent=1)
    (item, *_) = certified.asked()
    certified.decide(item)
    certified.step()
    note = take_note_of(item=item, reviewer=certified.reviewer, now=certified.later())
    assert note is not None
    services.decide(note_item=note, reviewer=certified.reviewer, act=services.Undo(), key="undo", now=certified.now)
    certified.step()
    assert certified.certificate().status == "live"


def test_turning_the_target_off_ends_the_certificate_and_keeps_what_it_accepted(certified: Oracle) -> None:
    n_accepted = certified.states()["certified"]
    certified.want(status="off")
    certified.step()
    certificate = certified.certificate()
    assert (certificate.status, certificate.reason, certified.batch().status) == ("ended", "target", "ended")
    assert certified.states()["certified"] == n_accepted
    assert not certified.asked()
    certified.label(n_notes=1, score=lambda number: GOOD, name="second")
    assert certified.certificate().n_extrapolated == 0


def test_another_promise_ends_the_test_and_begins_a_new_one(tested: Oracle) -> None:
    tested.want(0.7)
    tested.step()
    old, new = Batch.objects.filter(project=tested.project).order_by("number")
    assert (old.status, old.reason) == ("ended", "target")
    assert (new.status, new.target) == ("testing", 0.7)


def test_the_same_promise_again_ends_nothing(tested: Oracle) -> None:
    tested.want(delta=DELTA)
    tested.step()
    assert (tested.batch().number, tested.batch().status) == (1, "testing")


def test_a_target_of_its_own_takes_a_label_out_of_what_is_tested_together(tested: Oracle) -> None:
    tested.want(label="Problem")
    tested.step()
    old, new = Batch.objects.filter(project=tested.project).order_by("number")
    assert (old.label, old.status) == ("", "ended")
    assert (new.label, new.plan["labels"]) == ("Problem", ["Problem"])


@pytest.mark.parametrize(
    "wrong",
    [{"label": "Nothing"}, {"target": 0.4}, {"target": 1.0}, {"delta": 0.5}, {"status": "maybe"}],
)
def test_a_target_that_makes_no_sense_is_refused(oracle: Oracle, wrong: dict[str, Any]) -> None:
    with pytest.raises(TargetRefused):
        oracle.want(**wrong)
    assert not oracle.project.acceptance_targets.exists()


def test_another_calibrator_ends_what_rests_on_this_one(tested: Oracle) -> None:
    calibrator = tested.batch().calibrator
    assert end_tests(calibrator=calibrator, reason="calibrator", now=tested.later()) == 1
    tested.step()
    assert tested.batch().status == "ended"
    assert set(tested.states()) == {"open"}


def test_another_schema_ends_it(tested: Oracle) -> None:
    version = tested.project.schema_versions.latest("number")
    definition = version.definition | {"labels": version.definition["labels"][:1]}
    tested.project.schema_versions.create(number=2, definition=definition, digest="other", created_at=NOW)
    tested.step()
    assert (tested.batch().status, tested.batch().reason) == ("ended", "schema")


def test_another_version_of_the_labeler_ends_it_where_it_reads_these_notes(tested: Oracle) -> None:
    version = tested.project.schema_versions.latest("number")
    spec = LabelerSpec(name="rules", backend="import", model_id="rules", revision="2")
    tested.labeler = labeler_for(project=tested.project, schema_version=version, spec=spec, now=NOW)
    tested.label(n_notes=1, score=lambda number: 0.5, name="elsewhere")
    tested.step()
    assert tested.batch().status == "testing"
    run = LabelRun.objects.latest("number")
    job = run.jobs.get()
    job.document = Suggestion.objects.filter(job__run__number=1)[0].document
    job.save()
    tested.step()
    assert (tested.batch().status, tested.batch().reason) == ("ended", "labeler")


def test_a_span_that_fitted_the_calibrator_is_no_member(oracle: Oracle) -> None:
    oracle.label(n_notes=2, score=lambda number: GOOD, name="first")
    case = Suggestion.objects.order_by("pk")[0]
    calibrator = oracle.labeler.calibrators.get()
    CalibratorCase.objects.create(calibrator=calibrator, suggestion=case, is_right=True)
    oracle.want()
    oracle.step()
    assert oracle.batch().n_members == 39
    assert not BatchMember.objects.filter(suggestion=case).exists()


def test_too_few_candidates_are_no_batch(oracle: Oracle) -> None:
    oracle.label(n_notes=1, score=lambda number: GOOD, name="first")
    oracle.want(0.95)
    assert oracle.step() == 0
    with pytest.raises(FreezeRefused, match="20 suggestions wait undecided, and at least 7"):
        _freeze(oracle)
    assert not Batch.objects.exists()


def test_a_run_that_goes_on_is_waited_for(oracle: Oracle) -> None:
    run = oracle.label(n_notes=2, score=lambda number: GOOD, name="first", is_routed=False)
    oracle.want()
    with pytest.raises(FreezeRefused, match="still reading"):
        _freeze(oracle)
    for job in run.jobs.all():
        route_job(label_job_id=job.pk, now=oracle.later())
    assert _freeze(oracle).n_members == 40


def test_what_nothing_is_gained_from_is_tried_once(oracle: Oracle) -> None:
    oracle.label(n_notes=2, score=lambda number: 0.3, name="first")
    oracle.want()
    with pytest.raises(NothingToGain):
        _freeze(oracle)
    oracle.step()
    assert (oracle.batch().status, oracle.batch().reason) == ("ended", "no_gain")
    assert "batch.decline" in verbs(oracle)
    assert ring_again(now=oracle.later()) == 0
    oracle.label(n_notes=3, score=lambda number: GOOD, name="second")
    oracle.step()
    assert oracle.batch().status == "testing"


def test_no_target_is_no_batch(oracle: Oracle) -> None:
    oracle.label(n_notes=2, score=lambda number: GOOD, name="first")
    assert oracle.step() == 0
    with pytest.raises(FreezeRefused, match="no target"):
        _freeze(oracle)


def test_one_batch_is_tested_at_a_time(tested: Oracle) -> None:
    tested.label(n_notes=2, score=lambda number: GOOD, name="second")
    with pytest.raises(FreezeRefused, match="being tested already"):
        _freeze(tested)


def test_a_certificate_is_revoked_once(certified: Oracle, alice: User) -> None:
    certificate = certified.certificate()
    revoke_certificate(certificate=certificate, actor=alice, reason="asked", now=certified.later())
    with pytest.raises(RevokeRefused):
        revoke_certificate(certificate=certificate, actor=alice, reason="asked", now=certified.later())
    assert Notice.objects.get(kind=Kind.CERTIFICATE_REVOKED).user == certified.reviewer


def test_a_project_that_is_gone_has_nothing_due(db: None) -> None:
    assert not step_project(project_id=4711, now=NOW)


def test_a_decision_that_was_saved_late_is_seen(tested: Oracle) -> None:
    moment = tested.now + timedelta(seconds=5)
    Batch.objects.filter(project=tested.project).update(looked_at=moment)
    first = tested.asked()[0]
    note = take_note_of(item=first, reviewer=tested.reviewer, now=tested.now)
    assert note is not None
    services.decide(note_item=note, reviewer=tested.reviewer, act=services.Accept(first), key="late", now=tested.now)
    step_project(project_id=tested.project.pk, now=moment + timedelta(seconds=30))
    assert tested.batch().regions.order_by("-size")[0].n_audited == 1


def test_what_nobody_can_decide_any_more_counts_as_wrong_and_stops_nothing(tested: Oracle) -> None:
    first, second = tested.asked()[:2]
    ReviewItem.objects.filter(pk=first.pk).update(status="closed", reason="superseded")
    tested.decide(second)
    tested.step()
    region = tested.batch().regions.order_by("-size")[0]
    assert (region.n_audited, region.n_wrong) == (2, 1)


def test_what_nobody_can_decide_any_more_speaks_against_no_certificate(certified: Oracle) -> None:
    certificate = certified.certificate()
    n_audited, size = certificate.n_audited, certificate.region.size
    good: list[bool | None] = [False] * (size - 1)
    assert doubt_of(certificate, [*good[:n_audited], None], [], n_claims=1).n_wrong == 0
    assert doubt_of(certificate, [*good[:n_audited], True], [], n_claims=1).n_wrong == 1
    worst: list[bool | None] = [True] * n_audited
    assert doubt_of(certificate, worst, [], n_claims=1).log_evidence == (inf if n_audited > size // 5 else 0.0)
    drifted = doubt_of(certificate, good[:n_audited], [True] * 10, n_claims=1).log_evidence
    assert drifted == pytest.approx(max(doubts([True] * 10, target=0.8)) - log(2))


def _freeze(oracle: Oracle) -> Batch:
    calibrator = oracle.labeler.calibrators.get()
    return freeze_batch(project=oracle.project, label="", calibrator=calibrator, now=oracle.later(), seed=1)


class _Never:
    """Randomness that draws nothing for people."""

    def random(self) -> float:
        return 0.999


def test_a_label_for_identifiers_ends_nothing_and_the_next_test_may_be_frozen(tested: Oracle) -> None:
    schema = with_identifiers(tested.labeler.schema_version.schema)
    add_schema_version(project=tested.project, schema=schema, actor=None, now=NOW)
    tested.step()
    assert tested.batch().status == "testing"
    end_tests(calibrator=tested.batch().calibrator, reason="lead", now=tested.later())
    tested.want()
    assert [target.label for target, _ in wanted_batches(tested.project)] == [""]
