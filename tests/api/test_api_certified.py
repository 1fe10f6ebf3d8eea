"""What the API says of spans that nobody read: held ones, accepted ones, and datasets that rest on them."""

from __future__ import annotations

import pytest

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.builds.models import DatasetBuild
from annotator.certificates.models import Certificate
from annotator.projects.models import Project, SchemaVersion
from annotator.review.holding import hold_spans
from annotator.review.leases import take_next
from annotator.review.models import ReviewItem
from tests.api.scene import Api, results
from tests.cast import NOW, make_document
from tests.review.certified import certify
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, suggest


@pytest.fixture
def items(project: Project, schema_version: SchemaVersion, bells: object) -> list[ReviewItem]:
    document = make_document(project)
    spans = [(CHEST_PAIN, "Problem", 0.9), (DIABETES, "Problem", 0.9), (METFORMIN, "Medication", 0.9)]
    suggest(document, spans, schema_version=schema_version)
    found = ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler")
    return list(found.order_by("suggestion__start"))


def test_a_note_in_hand_comes_with_held_and_certified_spans_apart(
    items: list[ReviewItem], project: Project, bob: User
) -> None:
    certificate = certify(project, items[0])
    hold_spans(suggestions=[items[1].suggestion_id or 0])
    note = Api(bob, project=project).post("./review/next/").json()
    assert [item["surface"] for item in note["items"]] == ["metformin"]
    assert [item["surface"] for item in note["held"]] == ["Diabetes"]
    (accepted,) = note["annotations"]
    assert (accepted["surface"], accepted["source"], accepted["certificate"]) == (
        "chest pain",
        "certificate",
        certificate.public_id,
    )


def test_a_held_item_may_be_decided_and_cannot_be_skipped(items: list[ReviewItem], project: Project, bob: User) -> None:
    hold_spans(suggestions=[items[1].suggestion_id or 0])
    api = Api(bob, project=project)
    note = api.post("./review/next/").json()
    path = f"./review/{note['id']}/decisions/"
    held = note["held"][0]["id"]
    assert api.post(path, {"key": "skip-held", "verdict": "skip", "item": held}).status_code == 409
    made = api.post(path, {"key": "accept-held", "verdict": "accept", "item": held})
    assert made.status_code == 201
    assert (made.json()["made"]["source"], made.json()["made"]["annotator"]) == ("person", "bob")


def test_what_nobody_read_names_no_person(items: list[ReviewItem], project: Project, dana: User) -> None:
    certificate = certify(project, *items)
    found = results(Api(dana, project=project).get("./annotations/"))
    assert len(found) == 3
    assert {(row["source"], row["certificate"], row["annotator"], row["reader"]) for row in found} == {
        ("certificate", certificate.public_id, None, None)
    }


def test_a_persons_annotations_say_so_beside_them(
    items: list[ReviewItem], project: Project, bob: User, dana: User
) -> None:
    certify(project, items[0])
    note_item = take_next(project=project, reviewer=bob, now=NOW)
    assert note_item is not None
    api = Api(bob, project=project)
    for number, item in enumerate(items[1:]):
        body = {"key": f"key-{number}-abc", "verdict": "accept", "item": item.public_id}
        assert api.post(f"./review/{note_item.public_id}/decisions/", body).status_code == 201
    done = api.post(f"./review/{note_item.public_id}/decisions/", {"key": "all-done", "verdict": "note_done"})
    assert done.status_code == 201
    found = {row["surface"]: row for row in results(Api(dana, project=project).get("./annotations/"))}
    assert (found["chest pain"]["source"], found["chest pain"]["reader"]) == ("certificate", "bob")
    assert (found["Diabetes"]["source"], found["Diabetes"]["certificate"]) == ("person", None)


def test_a_dataset_names_the_revoked_among_its_certificates(
    items: list[ReviewItem], project: Project, dana: User
) -> None:
    certificate = certify(project, *items)
    rests = {"id": certificate.public_id, "number": 1, "target": 0.95, "delta": 0.05, "n_spans": 3}
    for number, certificates in ((1, [rests]), (2, [])):
        DatasetBuild.objects.create(
            project=project,
            number=number,
            name="Notes",
            formats=["jsonl"],
            options={"seed": 0, "shares": {"train": 80, "dev": 10, "test": 10}, "window": 1200, "annotator": ""},
            manifest={"n_notes": 1, "n_spans": 3, "files": [], "certificates": certificates},
            created_by=dana,
            created_at=NOW,
        )
    api = Api(dana, project=project)
    assert [row["revoked"] for row in results(api.get("./builds/"))] == [[], []]
    Certificate.objects.update(status=Certificate.Status.REVOKING)
    assert [row["revoked"] for row in results(api.get("./builds/"))] == [[], [certificate.public_id]]
    assert results(api.get("./builds/"))[1]["certificates"] == [rests]
    assert Annotation.objects.filter(certificate=certificate).count() == 3
