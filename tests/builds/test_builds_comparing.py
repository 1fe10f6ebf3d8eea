"""What two datasets have different: on the page, over the API, on the command line."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.builds.comparing import NoteChange, SpanChange, compare_builds, note_differences
from annotator.builds.models import DatasetBuild
from annotator.builds.options import BuildOptions
from annotator.builds.services import create_build, withdraw_files, write_build
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from tests.builds.scene import annotate, make_scene
from tests.cast import NOW, make_document, sign_in


@pytest.fixture(autouse=True)
def builds_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(settings, "BUILDS_DIR", tmp_path)
    return tmp_path


def built(project: Project, actor: User, **options: Any) -> DatasetBuild:
    build = create_build(
        project=project, name="Clinic", formats=["messages"], options=BuildOptions(**options), actor=actor, now=NOW
    )
    assert build.job is not None
    run_job(job_id=build.job.pk, work=lambda job: write_build(job=job, clock=lambda: NOW), clock=lambda: NOW)
    return DatasetBuild.objects.get(pk=build.pk)


@pytest.fixture
def pair(project: Project, bob: User, dana: User) -> tuple[DatasetBuild, DatasetBuild]:
    """A dataset, and one after a note came, one went and one changed in three annotations."""
    make_scene(project, bob)
    before = built(project, dana, shares=(100, 0, 0))
    annotate(make_document(project, text="Cough.", external_id="b-2", patient_id="p2"), bob, ("Cough", "Problem"))
    AnnotationSet.objects.filter(document__external_id="d-1").update(status="open", submitted_at=None)
    first = Annotation.objects.filter(set__document__external_id="a-1")
    first.filter(surface="Fever").update(label="Medication")
    first.filter(fragments__contains=";").update(attributes={"assertion": "absent"})
    first.filter(surface__startswith="Paracetamol").update(status=Annotation.Status.WITHDRAWN)
    return before, built(project, dana, shares=(100, 0, 0), window=500)


def labels_of(change: NoteChange) -> list[tuple[str, str, str]]:
    """What each annotation was and is labelled as, '' where there is none."""
    return [
        (span.kind, span.before.label if span.before else "", span.after.label if span.after else "")
        for span in change.spans
    ]


def test_notes_annotations_counts_and_options_are_compared(pair: tuple[DatasetBuild, DatasetBuild]) -> None:
    before, after = pair
    found = compare_builds(before=before, after=after)
    assert [tuple(setting) for setting in found.settings] == [("window", "1500", "500")]
    assert {row.label: (row.before, row.after) for row in found.labels} == {"Problem": (3, 3), "Medication": (3, 2)}
    assert found.notes is not None
    assert found.notes.notes == {"added": 1, "removed": 1, "changed": 1}
    assert found.notes.spans == {"added": 1, "removed": 2, "changed": 2}
    assert [(change.kind, change.id) for change in found.notes.changes] == [
        ("changed", "a-1"),
        ("added", "b-2"),
        ("removed", "d-1"),
    ]
    (changed, *_) = found.notes.changes
    assert labels_of(changed) == [
        ("changed", "Problem", "Medication"),
        ("changed", "Problem", "Problem"),
        ("removed", "Medication", ""),
    ]


def test_a_dataset_and_its_like_do_not_differ(project: Project, bob: User, dana: User) -> None:
    make_scene(project, bob)
    found = compare_builds(before=built(project, dana), after=built(project, dana))
    assert found.settings == ()
    assert found.notes is not None
    assert (found.notes.n_changes, found.notes.n_same, found.notes.changes) == (0, 5, ())


def line(name: str, *spans: tuple[str, str], part: str = "train", **more: Any) -> str:
    row = {
        "id": name,
        "part": part,
        "text": "0",
        "spans": [[list(span), {}, "person, base"] for span in spans],
        "relations": [],
        "document_labels": {},
    }
    return json.dumps(row | more) + "\n"


def test_of_two_annotations_at_one_place_the_one_with_the_same_label_is_compared() -> None:
    before = [line("a", ("0 5", "A"), ("0 5", "B"))]
    after = [line("a", ("0 5", "B"), ("0 5", "C"))]
    (change,) = note_differences(before, after).changes
    assert labels_of(change) == [("changed", "A", "C")]


def test_parts_relations_labels_of_notes_and_texts_count_too() -> None:
    before = [line("a"), line("b"), line("c"), line("d"), line("e")]
    after = [
        line("a", part="test"),
        line("b", relations=[["r", "0 1 A", "2 3 B"]]),
        line("c", document_labels={"smoking": "never"}),
        line("d", text="1"),
        line("e"),
    ]
    found = note_differences(before, after)
    assert (found.n_moved, found.n_same, found.notes["changed"]) == (1, 1, 4)
    a, b, c, d = found.changes
    assert (a.parts, b.n_relations, c.n_document_labels, d.is_other_text) == (("train", "test"), 1, 1, True)


def test_a_page_of_the_notes_is_kept_and_all_are_counted() -> None:
    after = [line(f"{number:02}", ("0 1", "A")) for number in range(30)]
    found = note_differences([], after, first=10, n=5)
    assert [change.id for change in found.changes] == ["10", "11", "12", "13", "14"]
    assert (found.n_changes, found.spans["added"]) == (30, 30)
    assert found.changes[0].spans[0] == SpanChange("added", "0 1", None, found.changes[0].spans[0].after)


def test_without_files_only_counts_and_options_are_compared(pair: tuple[DatasetBuild, DatasetBuild]) -> None:
    before, after = pair
    withdraw_files(builds=DatasetBuild.objects.filter(pk=before.pk), now=NOW)
    before.refresh_from_db()
    found = compare_builds(before=before, after=after)
    assert found.notes is None
    assert found.labels and found.settings


def test_the_page_compares_with_the_one_before_or_the_one_chosen(
    client: Client,
    project: Project,
    dana: User,
    pair: tuple[DatasetBuild, DatasetBuild],
    django_assert_max_num_queries: Any,
) -> None:
    sign_in(client, dana)
    before, after = pair
    address = reverse("builds:compare", args=[project.public_id, after.public_id])
    client.get(reverse("home"))  # the session's first request writes of its own
    with django_assert_max_num_queries(6):
        page = client.get(address).content.decode()
    assert "from dataset 1 to dataset 2" in page
    assert "<b>3 notes</b> differ, 3 are the same" in page
    assert "Problem → Medication" in page
    back = reverse("builds:compare", args=[project.public_id, before.public_id])
    assert "from dataset 2 to dataset 1" in client.get(back, {"with": after.public_id}).content.decode()
    for odd in ({"page": "99"}, {"page": "x"}, {"with": "nothing"}):
        assert client.get(address, odd).status_code == 200


def test_the_page_is_for_who_may_build(
    client: Client, project: Project, bob: User, charlie: User, pair: tuple[DatasetBuild, DatasetBuild]
) -> None:
    address = reverse("builds:compare", args=[project.public_id, pair[1].public_id])
    sign_in(client, charlie)
    assert client.get(address).status_code == 404
    sign_in(client, bob)
    assert client.get(address).status_code == 403


def test_an_unfinished_dataset_cannot_be_compared(client: Client, project: Project, bob: User, dana: User) -> None:
    make_scene(project, bob)
    build = create_build(project=project, name="N", formats=["jsonl"], options=BuildOptions(), actor=dana, now=NOW)
    sign_in(client, dana)
    assert client.get(reverse("builds:compare", args=[project.public_id, build.public_id])).status_code == 404


def test_the_command_counts_and_lists_without_a_word_of_a_note(
    pair: tuple[DatasetBuild, DatasetBuild], other_project: Project, charlie: User
) -> None:
    before, after = pair
    out = StringIO()
    call_command("compare_builds", before.public_id, after.public_id, "--notes", "2", stdout=out)
    said = out.getvalue()
    assert "window: 1500 -> 500" in said
    assert "annotations: 1 added, 2 removed, 2 changed" in said
    assert "changed a-1: 1 removed, 2 changed" in said
    assert "d-1" not in said
    assert "Fever" not in said
    annotate(make_document(other_project), charlie)
    theirs = built(other_project, charlie)
    with pytest.raises(CommandError, match="two projects"):
        call_command("compare_builds", before.public_id, theirs.public_id)
    with pytest.raises(CommandError, match="no finished dataset"):
        call_command("compare_builds", before.public_id, "nothing")
