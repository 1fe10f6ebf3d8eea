"""Datasets with spans that nobody read: their provenance, the option without them, and the flag."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.selectors import readiness, revoked_under
from annotator.builds.services import create_build, write_build, write_dataset
from annotator.builds.writing import BuildRefused
from annotator.certificates.models import Certificate
from annotator.documents.models import Document
from annotator.jobs.services import claim_job
from annotator.projects.models import Project, SchemaVersion
from annotator.review.models import ReviewItem
from tests.builds.scene import annotate
from tests.cast import NOW, make_document, sign_in
from tests.review.certified import certify
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest


@pytest.fixture
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "builds"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(settings, "BUILDS_DIR", folder)
    return folder


@pytest.fixture
def certified(project: Project, schema_version: SchemaVersion, bells: object, bob: User) -> Certificate:
    """A note that a certificate alone has finished, beside one that Bob has read."""
    document = make_document(project, external_id="unread", patient_id="p1")
    suggest(document, [(CHEST_PAIN, "Problem", 0.9), (DIABETES, "Problem", 0.9)], schema_version=schema_version)
    annotate(
        make_document(project, text="Aspirin.", external_id="read", patient_id="p2"), bob, ("Aspirin", "Medication")
    )
    items = ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler")
    return certify(project, *items)


def written(project: Project, out: Path, **options: Any) -> dict[str, Any]:
    return write_dataset(project=project, name="Notes", formats=["jsonl"], options=BuildOptions(**options), out=out)


def built(project: Project, dana: User, **options: Any) -> DatasetBuild:
    build = create_build(
        project=project, name="Notes", formats=["jsonl"], options=BuildOptions(**options), actor=dana, now=NOW
    )
    assert build.job is not None
    job = claim_job(job_id=build.job.pk, now=NOW)
    assert job is not None
    write_build(job=job, clock=lambda: NOW)
    return DatasetBuild.objects.get(pk=build.pk)


def revoke(certificate: Certificate) -> None:
    Certificate.objects.filter(pk=certificate.pk).update(status=Certificate.Status.REVOKED)


def test_a_note_that_nobody_read_is_ready(project: Project, certified: Certificate) -> None:
    ready = readiness(project=project)
    assert {(found.external_id, found.annotator is None) for found in ready.sets} == {("read", False), ("unread", True)}


def test_each_certified_span_names_its_certificate_and_target(
    project: Project, certified: Certificate, tmp_path: Path
) -> None:
    written(project, tmp_path / "out")
    rows = [
        json.loads(line)
        for path in (tmp_path / "out").glob("*.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    sources = {row["id"]: [span["source"] for span in row["spans"]] for row in rows}
    assert sources["read"][0]["kind"] == "person"
    for source in sources["unread"]:
        assert {key: source[key] for key in ("kind", "certificate", "target", "delta")} == {
            "kind": "certificate",
            "certificate": certified.public_id,
            "target": 0.95,
            "delta": 0.05,
        }
        assert "annotator" not in source
        assert source["origin"]["labeler"] == "rules"
        assert source["decided_at"] == NOW.isoformat()


def test_the_manifest_and_the_card_say_what_rests_on_which_certificate(
    project: Project, certified: Certificate, tmp_path: Path
) -> None:
    manifest = written(project, tmp_path / "out")
    assert manifest["certificates"] == [
        {"id": certified.public_id, "number": 1, "target": 0.95, "delta": 0.05, "n_spans": 2}
    ]
    assert (manifest["provenance"]["person"], manifest["provenance"]["certificate"]) == (1, 2)
    assert manifest["provenance"]["of_person"] == {"added": 1, "accepted": 0, "edited": 0}
    assert manifest["labelers"][0]["n_spans"] == 2
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "People decided 33 % of the spans" in card
    assert "Nobody read the other 67 % of the spans" in card
    assert f"2 spans under certificate 1 (`{certified.public_id}`)" in card


def test_what_only_people_decided_leaves_such_notes_out_and_says_so(
    project: Project, certified: Certificate, tmp_path: Path
) -> None:
    manifest = written(project, tmp_path / "out", is_human_only=True)
    assert (manifest["n_notes"], manifest["certificates"]) == (1, [])
    assert manifest["left_out"]["with spans that certificates accepted"] == 1
    assert manifest["options"]["human_only"] is True


def test_a_dataset_of_people_is_refused_where_certificates_finished_every_note(
    project: Project, certified: Certificate, tmp_path: Path
) -> None:
    Document.objects.get(external_id="read").annotation_sets.update(status="open")
    with pytest.raises(BuildRefused, match="1 with spans that certificates accepted"):
        written(project, tmp_path / "out", is_human_only=True)


def test_a_dataset_is_flagged_once_its_certificate_is_revoked(
    project: Project, certified: Certificate, dana: User, builds_dir: Path
) -> None:
    with_it, without = built(project, dana), built(project, dana, is_human_only=True)
    assert revoked_under([with_it, without]) == {}
    revoke(certified)
    assert revoked_under([with_it, without]) == {with_it.pk: [certified]}


def test_pages_and_api_show_the_flag(
    project: Project, certified: Certificate, dana: User, builds_dir: Path, client: Client
) -> None:
    build = built(project, dana)
    revoke(certified)
    sign_in(client, dana)
    assert "Flagged" in client.get(reverse("builds:builds", args=[project.public_id])).content.decode()
    page = client.get(reverse("builds:build", args=[project.public_id, build.public_id])).content.decode()
    assert "certificate 1, revoked since" in page
    assert "Under certificate 1" in page


def test_a_dataset_that_is_not_flagged_says_nothing_of_it(
    project: Project, certified: Certificate, dana: User, builds_dir: Path, client: Client
) -> None:
    built(project, dana)
    sign_in(client, dana)
    assert "Flagged" not in client.get(reverse("builds:builds", args=[project.public_id])).content.decode()


def test_the_form_offers_what_only_people_decided(
    project: Project, certified: Certificate, dana: User, client: Client
) -> None:
    sign_in(client, dana)
    url = reverse("builds:new", args=[project.public_id])
    assert "Only what people decided" in client.get(url).content.decode()
    asked = {"formats": "jsonl", "train": 80, "dev": 10, "test": 10, "window": 1200, "seed": 0, "human_only": "on"}
    checks = client.get(url, asked, headers={"HX-Request": "true"}).content.decode()
    assert "Notes with spans that certificates accepted are left out" in checks


def test_what_a_person_changed_is_theirs(project: Project, certified: Certificate, tmp_path: Path) -> None:
    Annotation.objects.filter(certificate=certified, start=CHEST_PAIN.start).update(status="withdrawn")
    manifest = written(project, tmp_path / "out")
    assert manifest["certificates"][0]["n_spans"] == 1
