from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation, add_adjudicated, reopen_set, submit_set, withdraw
from annotator.core.agreement import measure_agreement
from annotator.core.readings import Reading, ReadNote, ReadSpan
from annotator.core.schema import schema_from_json
from annotator.projects.models import Project
from annotator.projects.services import create_project
from annotator.quality.agreement import read_notes
from annotator.quality.reports import agreement_json, agreement_lines
from tests.cast import NOW, TEXT, TIED_SCHEMA, Bells, make_document, make_set
from tests.exchange.files import write_rows
from tests.quality.scene import CHEST_PAIN, FOUND, METFORMIN, PART, WRONG, finish, make_labeler, make_notes, read

pytestmark = [pytest.mark.django_db, pytest.mark.db]

PAIN = {"start": 15, "end": 25, "label": "Problem", "attributes": {"assertion": "absent"}}
PRESENT_PAIN = PAIN | {"attributes": {"assertion": "present"}}
DRUG = {"start": 40, "end": 49, "label": "Medication"}
DOSE_TOO = {"start": 40, "end": 56, "label": "Medication"}


def told(project: Project, *arguments: str) -> str:
    out = StringIO()
    call_command("agreement", project.slug, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def imported(project: Project, bells: Bells, tmp_path: Path) -> Project:
    """Three notes: ann, ben and cy have read the first, ann and ben the second, ann the third; a model all."""
    said: dict[str, dict[str, list[dict[str, Any]]]] = {
        "ann": {"note-1": [PAIN, DRUG], "note-2": [PAIN], "note-3": [DRUG]},
        "ben": {"note-1": [PRESENT_PAIN, DOSE_TOO], "note-2": [PAIN]},
        "cy": {"note-1": [PAIN, DRUG]},
    }
    for number in (1, 2, 3):
        make_document(project, external_id=f"note-{number}", patient_id=f"p{number}")
    for name, sets in said.items():
        rows = write_rows(tmp_path / f"{name}.jsonl", *({"id": note, "spans": spans} for note, spans in sets.items()))
        call_command("import_annotations", project.slug, rows, "--annotator", name, stdout=StringIO())
    found = write_rows(tmp_path / "model.jsonl", *({"id": f"note-{n}", "spans": [DRUG]} for n in (1, 2, 3)))
    call_command("import_suggestions", project.slug, found, "--labeler", "clinspan", stdout=StringIO())
    return project


def test_the_command_tells_all_figures(imported: Project) -> None:
    figures = json.loads(told(imported, "--json", "--resamples", "50"))
    assert (figures["n_documents"], figures["n_patients"]) == (2, 2)
    ann_ben, ann_cy, ben_cy = figures["pairs"]
    assert [(each["a"], each["b"], each["n_documents"]) for each in figures["pairs"]] == [
        *(("ann", "ben", 2), ("ann", "cy", 1), ("ben", "cy", 1))
    ]
    assert {key: ann_ben["strict"][key] for key in ("p", "r", "f1")} == dict.fromkeys(("p", "r", "f1"), 2 / 3)
    low, high = ann_ben["strict"]["interval"]
    assert 0.5 <= low <= 2 / 3 <= high <= 1
    assert ann_ben["strict"]["caveat"] == "a rough interval: fewer than 10 patients"
    assert (ann_ben["overlap"]["f1"], ann_cy["strict"]["f1"], ben_cy["strict"]["f1"]) == (1, 1, 0.5)
    assert (ann_cy["strict"]["interval"], ann_cy["strict"]["caveat"]) == (None, "no interval: fewer than 2 patients")
    assert figures["strict_f1_mean"] == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert figures["strict_f1_sd"] == pytest.approx(0.2079, abs=0.0001)
    drug = figures["labels"]["Medication"]
    assert [each["strict"]["f1"] for each in drug["pairs"]] == [0, 1, 0]
    assert (drug["strict_f1_mean"], drug["overlap_f1_mean"]) == (pytest.approx(1 / 3), 1)
    assert list(figures["documents"]) == ["note-1", "note-2"]
    assert figures["documents"]["note-2"]["pairs"][0]["strict"]["f1"] == 1
    assert figures["coefficients"]["tokenizer"] == "marginalia-1"
    drug_tokens = figures["coefficients"]["labels"]["Medication"]
    assert drug_tokens["cohen_kappa"][1] == {
        "a": "ann",
        "b": "cy",
        "n_units": 20,
        "value": 1,
        "interval": None,
        "caveat": "no interval: fewer than 2 patients",
    }
    assert figures["coefficients"]["tokens"]["fleiss_kappa"]["value"] is None  # three readers, then two
    assertion = figures["attributes"]["assertion"]
    assert (assertion["krippendorff_alpha"]["n_units"], assertion["cohen_kappa"][0]["n_units"]) == (2, 2)
    assert assertion["cohen_kappa"][0]["value"] == 0
    model = {each["a"]: each for each in figures["labelers"]}
    assert {(name, each["b"], each["n_documents"]) for name, each in model.items()} == {
        *(("ann", "clinspan #1", 3), ("ben", "clinspan #1", 2), ("cy", "clinspan #1", 1))
    }
    assert (model["ann"]["strict"]["p"], model["ann"]["strict"]["r"]) == (2 / 3, 1 / 2)
    assert model["ann"]["labels"]["Problem"]["strict"]["p"] is None
    assert figures["gold"] is None


def test_the_tables_say_the_same(imported: Project) -> None:
    tables = told(imported, "--resamples", "50", "--label", "Medication")
    assert tables.startswith("2 notes of 2 patients with two readers or more\n")
    rows = [line.split() for line in tables.splitlines()]
    assert ["all", "ann", "cy", "1", "1", "1", *["1.000"] * 3, "-", *["1.000"] * 3] == next(
        row[:13] for row in rows if row[:3] == ["all", "ann", "cy"]
    )
    assert "mean F1 of the pairs: strict 0.333 (sd 0.471), overlap 1.000 (sd 0.000)" in tables
    assert "labelers (b) against annotators (a)" in tables
    assert "Problem" not in tables
    assert "note-1" not in tables


def test_gold_is_told_where_there_is_some() -> None:
    pain, drug = ReadSpan(CHEST_PAIN, "Problem", {}), ReadSpan(METFORMIN, "Medication", {})
    note = ReadNote(
        "note-1", "", TEXT, {"ann": Reading([pain])}, {"clinspan #1": Reading([drug])}, Reading([pain, drug])
    )
    agreement = measure_agreement([note], ["Problem", "Medication"])
    ann, clinspan = agreement_json(agreement)["gold"]
    assert (ann["a"], ann["b"], clinspan["b"]) == ("gold", "ann", "clinspan #1")
    assert (ann["strict"]["p"], ann["strict"]["r"], ann["strict"]["f1"]) == (1, 0.5, pytest.approx(2 / 3))
    assert clinspan["labels"]["Medication"]["strict"]["f1"] == 1
    assert "readers (b) against gold (a)" in list(agreement_lines(agreement))


def test_what_the_command_refuses(project: Project) -> None:
    with pytest.raises(CommandError, match="there is no label 'Age': Problem, Medication"):
        told(project, "--label", "Age")
    with pytest.raises(CommandError, match="there is no project 'nope'"):
        call_command("agreement", "nope")
    with pytest.raises(CommandError, match="0 or more"):
        told(project, "--resamples", "-1")
    assert told(project) == "0 notes of 0 patients with two readers or more\n"
    assert json.loads(told(project, "--json"))["pairs"] == []


def test_only_what_is_live_and_submitted_is_read(project: Project, alice: User, bob: User, dana: User) -> None:
    both, opened, unread = make_notes(project, 3)
    new = NewAnnotation(span=CHEST_PAIN, label="Problem", attributes={})
    for document in (both, opened):
        finish(document, alice)
        make_set(document, bob, new)
    reopen_set(target=AnnotationSet.objects.get(document=opened, annotator=bob))
    withdraw(AnnotationSet.objects.get(document=both, annotator=alice).annotations.get(label="Medication"))
    read(project, make_labeler(project), [both, unread], *FOUND)
    gold = make_set(unread, dana)
    AnnotationSet.objects.filter(pk=gold.pk).update(kind="gold")
    first, second, third = read_notes(project)
    assert (first.gold, third.annotators, third.gold) == (None, {}, Reading([], {}))
    pain = ReadSpan(CHEST_PAIN, "Problem", {"assertion": "present"})
    assert first.annotators == {"alice": Reading([pain], {}), "bob": Reading([pain], {})}
    assert sorted(each.span for each in first.labelers["Rules #1"].spans) == [WRONG, CHEST_PAIN, PART]
    assert second.annotators == {"alice": Reading([pain, ReadSpan(METFORMIN, "Medication", {})], {})}
    assert (second.labelers, second.text) == ({}, TEXT)


def test_values_of_the_note_are_read(alice: User, bob: User) -> None:
    project = create_project(name="Tied", schema=schema_from_json(TIED_SCHEMA), lead=alice, now=NOW)
    document = make_document(project)
    make_set(document, alice, values={"smoking": "never"})
    make_set(document, bob)
    (note,) = read_notes(project)
    assert note.annotators == {"alice": Reading([], {"smoking": "never"}), "bob": Reading([], {})}


def test_queries_do_not_grow_with_notes(project: Project, alice: User, django_assert_num_queries: Any) -> None:
    documents = make_notes(project, 7)
    read(project, make_labeler(project), documents, *FOUND)
    for document in documents:
        finish(document, alice)
    with django_assert_num_queries(7):
        assert len(list(read_notes(project))) == 7


def test_gold_is_read_once_it_is_finished_and_as_nobodys_reading(project: Project, alice: User, bob: User) -> None:
    (document,) = make_notes(project, 1)
    finish(document, alice)
    make_set(document, bob, NewAnnotation(span=CHEST_PAIN, label="Problem", attributes={}))
    gold = AnnotationSet.objects.create(document=document, annotator=alice, kind=AnnotationSet.Kind.GOLD)
    add_adjudicated(
        target=gold,
        annotator=alice,
        text=document.text,
        schema_version=project.schema_versions.get(),
        news=[NewAnnotation(span=METFORMIN, label="Medication", attributes={})],
        now=NOW,
    )
    (note,) = read_notes(project)
    assert (note.gold, sorted(note.annotators)) == (None, ["alice", "bob"])
    submit_set(target=gold, now=NOW)
    (finished,) = read_notes(project)
    assert finished.gold == Reading([ReadSpan(METFORMIN, "Medication", {})], {})
    assert finished.annotators == note.annotators
    alices, bobs = json.loads(told(project, "--json"))["gold"]
    assert (alices["strict"]["r"], bobs["strict"]["r"]) == (1, 0)
