from __future__ import annotations

import csv
import json
from dataclasses import asdict
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.certificates.models import AcceptanceTarget, Calibrator, Certificate, FitWish
from annotator.core.reliability_curve import measure_calibration
from annotator.projects.models import Project, SchemaVersion
from annotator.suggestions.models import Labeler, LabelJob
from tests.cast import HTMX, NOW, Bells, body, make_document, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest
from tests.trust.scene import CASES, make_batch, make_calibrator, make_certificate, make_target

pytestmark = [pytest.mark.django_db, pytest.mark.db]
SPANS = [(CHEST_PAIN, "Problem", 0.4), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.8)]


def url(project: Project, name: str = "trust", *ids: str) -> str:
    return reverse(f"trust:{name}", args=[project.public_id, *ids])


@pytest.fixture
def labeler(project: Project, schema_version: SchemaVersion, bells: Bells) -> Labeler:
    """Has read a note."""
    suggest(make_document(project), SPANS, schema_version=schema_version)
    return Labeler.objects.get()


@pytest.fixture
def calibrator(labeler: Labeler) -> Calibrator:
    return make_calibrator(labeler, report=json.loads(json.dumps(asdict(measure_calibration(CASES, n_resamples=50)))))


@pytest.fixture
def certificate(project: Project, alice: User, calibrator: Calibrator) -> Certificate:
    make_target(project, alice, "Problem")
    return make_certificate(make_batch(calibrator, "Problem"))


def row_of(page: str, name: str) -> str:
    """The line of the table of certificates."""
    table = page.split('id="certificates-title"')[1].split("</table>")[0]
    return next(line for line in table.split("<tr")[2:] if f">{name}<" in line)


def test_a_new_project_is_told_that_everything_goes_to_people(alice_client: Client, project: Project) -> None:
    page = body(alice_client.get(url(project)))
    assert "No labeler has read a note yet." in page
    assert "Off" in row_of(page, "Problem")


def test_a_target_without_a_calibrator_waits_for_decisions(
    alice_client: Client, project: Project, alice: User, labeler: Labeler
) -> None:
    make_target(project, alice, "Problem")
    page = body(alice_client.get(url(project)))
    assert "Not calibrated" in row_of(page, "Problem")
    assert "Nothing is accepted without review" in page


def test_the_page_says_what_is_certified_and_on_what_evidence(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    page = body(alice_client.get(url(project)))
    row = row_of(page, "Problem")
    assert "Certified" in row and "95%" in row
    assert ">60<" in row and ">1<" in row
    assert "<b>1 of 2 labels</b> may be accepted without review" in page
    assert "estimated error of <b>1.7%</b>" in page
    assert "Off" in row_of(page, "Medication")


def test_what_is_accepted_is_told_as_a_share_of_the_labeler_s_suggestions(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    LabelJob.objects.update(n_suggestions=200)
    Certificate.objects.update(n_accepted=30, n_extrapolated=4)
    assert "Certificates cover <b>17%</b> of suggestions" in body(alice_client.get(url(project)))


def test_charts_are_of_the_chosen_label_and_have_tables(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    page = body(alice_client.get(url(project), {"label": "Problem"}, headers=HTMX))
    assert "<html" not in page
    risk = page.split('id="risk-title"')[1].split("</section>")[0]
    assert "now: 20% at 1.7%" in risk
    assert "As a table" in risk and "15.0%" in risk
    reliability = page.split('id="reliability-title"')[1].split("</section>")[0]
    assert "Expected calibration error" in reliability and 'role="img"' in reliability


def test_a_label_without_a_target_of_its_own_goes_with_the_others(
    alice_client: Client, project: Project, alice: User, labeler: Labeler
) -> None:
    make_target(project, alice)
    make_target(project, alice, "Medication", status="off")
    page = body(alice_client.get(url(project)))
    assert "With others" in row_of(page, "Problem")
    assert "Off" in row_of(page, "Medication"), "its own target counts, off as well"
    assert "Not calibrated" in row_of(page, "Other labels together") and "Fit now" in page


def test_a_test_without_audits_gives_no_figure(
    alice_client: Client, project: Project, alice: User, calibrator: Calibrator
) -> None:
    make_target(project, alice, "Problem")
    make_batch(calibrator, "Problem", rungs=((100, 4, 0, 0.1), (200, 6, 0, 0.1)))
    row = row_of(body(alice_client.get(url(project))), "Problem")
    assert "Too few audits" in row and "–" in row


def test_a_test_shows_the_region_that_is_next_and_not_one_that_waits_behind_it(
    alice_client: Client, project: Project, alice: User, calibrator: Calibrator
) -> None:
    make_target(project, alice, "Problem")
    make_batch(calibrator, "Problem", rungs=((100, 41, 5, 2.3), (200, 57, 6, 4.4), (300, 90, 20, -1.0)))
    row = row_of(body(alice_client.get(url(project))), "Problem")
    assert "Collecting" in row and ">41<" in row and ">57<" not in row


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("not_certified", "<b>Problem is below its target.</b> No region of its test met the target."),
        ("no_gain", "<b>Problem is not tested.</b> Nothing would be won at this target."),
    ],
)
def test_a_test_that_ended_without_a_certificate_says_why(
    alice_client: Client, project: Project, alice: User, calibrator: Calibrator, reason: str, words: str
) -> None:
    make_target(project, alice, "Problem")
    make_batch(calibrator, "Problem", status="ended", reason=reason)
    assert words in body(alice_client.get(url(project)))
    make_target(project, alice, "Problem", status="off")
    assert words not in body(alice_client.get(url(project))), "nothing is wanted any more"


def test_risk_is_drawn_of_the_label_that_has_most_to_tell(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    other = body(alice_client.get(url(project), {"label": "Medication"}))
    assert "<p>Other labels together</p>" in other.split('id="risk-title"')[1], "it goes with them"
    make_batch(certificate.batch.calibrator, "Medication")
    risk = body(alice_client.get(url(project))).split('id="risk-title"')[1].split("</section>")[0]
    assert "<p>Problem</p>" in risk and "now: 20% at 1.7%" in risk


def test_calibration_is_told_of_the_groups_that_have_a_figure(
    alice_client: Client, project: Project, calibrator: Calibrator
) -> None:
    report = calibrator.report
    known = report["overall"]
    unknown = known | {key: {"value": None, "interval": None, "caveat": "few"} for key in ("ece", "brier", "auroc")}
    groups = {"label": {"Problem": unknown}, "section": {"pmh": known, "none": known, "plan": unknown}}
    Calibrator.objects.update(report=report | {"groups": groups})
    page = body(alice_client.get(url(project))).split('id="groups-title"')[1].split("</section>")[0]
    assert ">PMH<" in page and ">Before any heading<" in page and "Plan" not in page
    assert "1 more with too few decisions for a figure" in page
    assert ">Label<" not in page, "a group without a figure has no table"
    Calibrator.objects.update(report=report | {"groups": {"label": {"Problem": unknown}}})
    assert "groups-title" not in body(alice_client.get(url(project)))


def test_too_few_decisions_say_how_many_there_are(
    alice_client: Client, project: Project, calibrator: Calibrator
) -> None:
    few = json.loads(json.dumps(asdict(measure_calibration(CASES[:15], n_resamples=50))))
    Calibrator.objects.update(report=few)
    assert "15 suggestions in 3 notes so far." in body(alice_client.get(url(project)))


def test_a_revoked_certificate_is_told_of(alice_client: Client, project: Project, certificate: Certificate) -> None:
    Certificate.objects.update(status="revoked", reason="doubted")
    page = body(alice_client.get(url(project)))
    assert (
        "<b>Problem was revoked.</b> Too much of what people went on checking was wrong; 40 spans went back to review."
        in page
    )
    assert "Nothing is accepted without review" in page


def test_the_certificate_s_page_states_it_in_full(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    page = body(alice_client.get(url(project, "certificate", certificate.public_id)))
    assert "With 95% confidence, at least 95% of the 100 Problem suggestions" in page
    # 1 - (5 - 1) / (100 - 60), and 1 - (5 - 1) / 100.
    assert "<b>90.0%</b>" in page and "<b>96.0%</b>" in page


def test_the_evidence_is_a_table(alice_client: Client, project: Project, certificate: Certificate) -> None:
    rows = list(csv.DictReader(StringIO(alice_client.get(url(project, "evidence")).content.decode())))
    assert [(row["size"], row["n_audited"], row["n_wrong"]) for row in rows] == [
        ("100", "60", "1"),
        ("200", "110", "6"),
        ("400", "200", "30"),
    ]
    assert [row["certificate"] for row in rows] == ["1", "", ""]
    assert AuditEvent.objects.filter(verb="trust.download").count() == 1


def test_a_lead_sets_a_target(alice_client: Client, project: Project, labeler: Labeler) -> None:
    asked = {"label": "Problem", "status": "on", "target": "97.5", "delta": "2"}
    assert alice_client.post(url(project, "target"), asked).status_code == 303
    made = AcceptanceTarget.objects.get()
    assert (made.label, made.status, made.target, made.delta) == ("Problem", "on", 0.975, 0.02)
    page = body(alice_client.get(url(project, "target"), {"label": "Problem"}))
    assert 'value="97.5"' in page


@pytest.mark.parametrize(
    ("changed", "words"), [({"target": "100"}, "less than or equal to 99.9"), ({"delta": ""}, "required")]
)
def test_a_target_that_cannot_be_is_refused(
    alice_client: Client, project: Project, changed: dict[str, str], words: str
) -> None:
    asked = {"label": "Problem", "status": "on", "target": "95", "delta": "5"} | changed
    response = alice_client.post(url(project, "target"), asked)
    assert response.status_code == 422 and words in body(response)
    assert not AcceptanceTarget.objects.exists()


def test_a_wish_for_a_fit_stands_on_the_page_until_it_is_served(
    alice_client: Client, project: Project, alice: User, calibrator: Calibrator
) -> None:
    assert "Fit again" in body(alice_client.get(url(project)))
    wish = FitWish.objects.create(labeler=calibrator.labeler, asked_by=alice, asked_at=NOW)
    page = body(alice_client.get(url(project)))
    assert f"asked for {date_format(NOW, 'j M, H:i')} by alice" in page and "Fit again" not in page
    wish.delete()
    assert "Fit again" in body(alice_client.get(url(project)))


def test_a_lead_whose_labeler_has_too_few_decisions_is_told_so(
    alice_client: Client, project: Project, calibrator: Calibrator, bells: Bells
) -> None:
    assert "Not fitted" in body(alice_client.post(url(project, "calibrate"), follow=True))
    assert not FitWish.objects.exists()


def test_an_unknown_label_is_not_there(alice_client: Client, project: Project) -> None:
    assert alice_client.get(url(project, "target"), {"label": "Nothing"}).status_code == 404


def test_what_a_target_would_take_is_told_before_anything_changes(
    alice_client: Client, project: Project, calibrator: Calibrator
) -> None:
    page = body(alice_client.get(url(project, "outlook"), {"label": "", "target": "95", "delta": "5"}, headers=HTMX))
    assert "3 suggestions wait, and a test of this target takes" in page
    assert not AcceptanceTarget.objects.exists()


def test_a_lead_revokes_a_certificate(
    alice_client: Client, project: Project, certificate: Certificate, bells: Bells
) -> None:
    address = url(project, "revoke", certificate.public_id)
    assert alice_client.post(address).status_code == 303
    certificate.refresh_from_db()
    assert certificate.status in {"revoking", "revoked"} and certificate.reason == "asked"
    assert "it is revoked already" in body(alice_client.post(address, follow=True))


def test_who_does_not_lead_looks_and_changes_nothing(
    client: Client, project: Project, dana: User, certificate: Certificate
) -> None:
    sign_in(client, dana)
    page = body(client.get(url(project)))
    assert "Fit again" not in page and "Fit now" not in page and "trust/target" not in page
    assert client.post(url(project, "revoke", certificate.public_id)).status_code == 403


def test_the_page_costs_the_same_however_much_there_is(
    alice_client: Client, project: Project, alice: User, certificate: Certificate, django_assert_max_num_queries: Any
) -> None:
    alice_client.get(url(project))
    with django_assert_max_num_queries(25):
        alice_client.get(url(project))
    make_target(project, alice, "Medication")
    make_certificate(make_batch(certificate.batch.calibrator, "Medication"))
    with django_assert_max_num_queries(25):
        alice_client.get(url(project))
