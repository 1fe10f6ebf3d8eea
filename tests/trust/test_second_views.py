"""What leads see of second readers: beside the claim, in its table, and where the two differ."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.certificates.models import Batch, Certificate
from annotator.core.spans import Span
from annotator.projects.models import Project, SchemaVersion
from annotator.review.models import SecondRead
from annotator.suggestions.models import Labeler
from tests.api.scene import Api
from tests.cast import NOW, Bells, body, make_document, sign_in
from tests.review.conftest import suggest
from tests.trust.scene import make_batch, make_calibrator, make_certificate, make_second_reads, make_target

pytestmark = [pytest.mark.django_db, pytest.mark.db]
TEXT = " ".join(f"finding{number:02}" for number in range(40))


def url(project: Project, name: str = "trust", *ids: str) -> str:
    return reverse(f"trust:{name}", args=[project.public_id, *ids])


@pytest.fixture
def certificate(project: Project, schema_version: SchemaVersion, alice: User, bells: Bells) -> Certificate:
    """Its second reader was asked about thirty audits: ten called wrong, twenty called right."""
    document = make_document(project, text=TEXT)
    spans = [(Span.of(10 * number, 10 * number + 9), "Problem", 0.9) for number in range(40)]
    suggest(document, spans, schema_version=schema_version)
    make_target(project, alice, "Problem")
    batch = make_batch(make_calibrator(Labeler.objects.get()), "Problem")
    make_second_reads(batch, now=NOW, n=30)
    return make_certificate(batch)


def panel_of(page: str) -> str:
    return page.split('id="second-title"')[1].split("</section>")[0]


def test_both_directions_stand_beside_the_certificates(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    panel = panel_of(body(alice_client.get(url(project))))
    assert "<b>10.0%</b>" in panel and "1.8% to 40.4%, of 10" in panel
    assert "<b>5.3%</b>" in panel and "0.9% to 24.6%, of 19" in panel
    assert "for 1 audit there was no second reader" in panel


def test_a_project_without_one_is_told_so(alice_client: Client, dana: User, project: Project) -> None:
    panel = panel_of(body(alice_client.get(url(project))))
    assert "No second reader: audits count as the first decided them." in panel
    assert reverse("browse:streams", args=[project.public_id]) in panel
    assert "Streams" not in panel_of(body(sign_in(Client(), dana).get(url(project))))


def test_the_certificate_says_the_rule_and_what_was_measured(
    alice_client: Client, project: Project, certificate: Certificate
) -> None:
    page = body(alice_client.get(url(project, "certificate", certificate.public_id)))
    assert "1 wrong, by their second reader where one decided." in page
    assert "so were 10 % of those called right, drawn when the batch was frozen" in page
    assert "Of those called wrong, 1 is right: 10.0% (1.8% to 40.4%, of 10)." in page
    assert "Of those called right, 1 is wrong: 5.3% (0.9% to 24.6%, of 19)." in page


def test_a_certificate_without_one_says_so(alice_client: Client, project: Project, certificate: Certificate) -> None:
    SecondRead.objects.all().delete()
    certificate.batch.second_percent = None
    certificate.batch.save()
    page = body(alice_client.get(url(project, "certificate", certificate.public_id)))
    assert "No second reader: audits count as the first decided them." in page
    assert "1 wrong and corrected." in page


def test_where_they_differ_is_listed_and_who_reads_it_recorded(
    alice_client: Client, project: Project, certificate: Certificate, django_assert_max_num_queries: Any
) -> None:
    page = body(alice_client.get(url(project, "second")))
    assert "<b>2 audits</b> decided otherwise the second time" in page
    words = [SecondRead.objects.order_by("pk")[place].suggestion.surface for place in (0, 28)]
    assert all(word in page for word in words)
    assert SecondRead.objects.order_by("pk")[1].suggestion.surface not in page
    assert f"?note={project.documents.get().public_id}" in page
    assert AuditEvent.objects.filter(verb="second.read").count() == 1
    for read in SecondRead.objects.filter(first="right", outcome="right"):
        read.outcome = "wrong"
        read.save()
    with django_assert_max_num_queries(12):
        alice_client.get(url(project, "second"))


def test_who_annotates_and_outsiders_see_none_of_it(
    project: Project, certificate: Certificate, bob: User, charlie: User
) -> None:
    assert sign_in(Client(), bob).get(url(project, "second")).status_code == 403
    assert sign_in(Client(), charlie).get(url(project, "second")).status_code == 404


def test_the_evidence_table_and_programs_have_the_same_figures(
    alice_client: Client, alice: User, project: Project, certificate: Certificate
) -> None:
    response = alice_client.get(url(project, "evidence"))
    row = next(csv.DictReader(StringIO(response.content.decode())))
    assert [row[name] for name in ("second_percent", "n_wrong_read_again", "n_called_right")] == ["10", "10", "1"]
    assert [row[name] for name in ("n_right_read_again", "n_called_wrong", "n_no_second")] == ["19", "1", "1"]
    plan = certificate.batch.plan | {"expected_errors": [0.01, 0.02, 0.03]}
    Batch.objects.filter(pk=certificate.batch_id).update(plan=plan)
    (batch,) = Api(alice, project=project).get("./trust/").json()["batches"]
    second = batch["second_reader"]
    assert (second["percent"], second["n_waiting"], second["n_alone"]) == (10, 0, 1)
    assert second["wrong_to_right"]["share"] == 0.1
    assert second["right_to_wrong"]["n_changed"] == 1
    out = StringIO()
    call_command("trust", project.slug, json=True, stdout=out)
    assert json.loads(out.getvalue())["batches"][0]["second_reader"] == second
    out = StringIO()
    call_command("trust", project.slug, stdout=out)
    assert "second reader: of 10 called wrong 1 are right, of 19 called right 1 are wrong" in out.getvalue()
