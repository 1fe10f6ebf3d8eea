from __future__ import annotations

import random
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from annotator.accounts.models import User
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.core.agreement import Agreement, Kind, Pair, measure_agreement
from annotator.core.reliability import Coefficient
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.core.surfaces import surface_key
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.projects.services import add_schema_version
from annotator.quality.agreement import read_notes
from annotator.quality.measuring import measure_pair, measure_project
from annotator.quality.reports import coefficient_json, scores_json
from annotator.readings.comparing import compare_notes, compare_older
from annotator.readings.models import Comparison, Difference, ReaderPair, TokenRatings, person_key
from annotator.readings.services import notes_read
from annotator.review.leases import take_note
from annotator.review.queue import ensure_note_items, tell_read
from annotator.review.services import FinishNote, Undo, decide
from tests.cast import NOW, TIED_SCHEMA, make_document, make_set
from tests.quality.scene import make_labeler, read, suggested

pytestmark = [pytest.mark.django_db, pytest.mark.db]

LABELS = ("Problem", "Medication")
STATED = ("present", "absent", "possible")
WORDS = (Span.of(0, 2), Span.of(3, 10), Span.of(15, 25), Span.of(40, 49), Span.of(40, 56), Span.of(20, 25))


def drawn(rng: random.Random) -> list[NewAnnotation]:
    said = {(rng.choice(WORDS), rng.choice(LABELS)) for _ in range(rng.randrange(5))}
    return [
        NewAnnotation(
            span=span, label=label, attributes={"assertion": rng.choice(STATED)} if label == "Problem" else {}
        )
        for span, label in sorted(said)
    ]


def valued(rng: random.Random) -> dict[str, str]:
    return rng.choice([{}, {"smoking": "never"}, {"smoking": "current"}])


def make_gold(document: Document, adjudicator: User, *news: NewAnnotation) -> None:
    """A finished gold set of the note."""
    made = make_set(document, adjudicator, *news)
    AnnotationSet.objects.filter(pk=made.pk).update(kind=AnnotationSet.Kind.GOLD)


def figures_of(agreement: Agreement) -> dict[tuple[str, ...], Any]:
    return {tuple(each.pair): (each.n_documents, scores_json(each.scores)) for each in agreement.comparisons}


def stored(project: Project) -> dict[str, Any]:
    return measure_project(project=project, labels=LABELS, since=None, n_resamples=50)


def assert_coefficients_are(measured: Agreement, report: dict[str, Any], project: Project) -> None:
    """Alpha and Fleiss' kappa of the report, and each pair's kappa, are those that are measured."""
    every = {
        "tokens": {"": measured.tokens},
        "label": measured.token_labels,
        "attribute": measured.attributes,
        "value": measured.document_labels,
    }
    found = report["coefficients"]
    rows = {row.pair: row for row in ReaderPair.objects.filter(project=project, kind="annotators")}
    of_pairs = {
        pair: measure_pair(project=project, row=row, labels=LABELS, since=None, n_resamples=50)
        for pair, row in rows.items()
    }
    n_compared = 0
    for rated, by_name in every.items():
        for name, reliability in by_name.items():
            for figure, coefficient in (
                ("krippendorff_alpha", reliability.alpha),
                ("fleiss_kappa", reliability.fleiss),
            ):
                if name in found[rated]:
                    assert_alike(found[rated][name][figure], coefficient)
                else:
                    assert coefficient.n_units == 0
            for (a, b), kappa in reliability.cohen.items():
                pair = Pair(Kind.ANNOTATORS, *(person_key(User.objects.get(username=each).pk) for each in (a, b)))
                if pair not in of_pairs:
                    pair = Pair(Kind.ANNOTATORS, pair.b, pair.a)
                own = of_pairs[pair]["coefficients"][rated].get(name)
                if own:
                    assert_alike(own["cohen_kappa"], kappa)
                    n_compared += 1
                else:
                    assert kappa.n_units == 0
    assert n_compared > 3


def assert_alike(told: dict[str, Any], coefficient: Coefficient) -> None:
    wanted = coefficient_json(coefficient)
    assert (told["n_units"], told["caveat"]) == (wanted["n_units"], wanted["caveat"])
    ends, wanted_ends = told["interval"] or (), wanted["interval"] or ()
    for one, other in zip((told["value"], *ends), (wanted["value"], *wanted_ends), strict=True):
        assert one == (other if other is None else pytest.approx(other, rel=1e-9, abs=1e-9))


def named(project: Project, report: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """The pairs of the report by the names that the command gives them."""
    names = {person_key(user.pk): user.username for user in User.objects.all()}
    names |= {f"model-{each.pk}": f"{each.name} #1" for each in project.labelers.all()} | {"gold": "gold"}
    return {
        (each["kind"], names[each["a"]], names[each["b"]]): (
            each["n_documents"],
            {key: each[key] for key in ("n_a", "n_b", "strict", "overlap")},
        )
        for each in report["pairs"]
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_is_stored_adds_up_to_what_is_measured(
    project: Project, alice: User, bob: User, dana: User, adam: User, seed: int
) -> None:
    """Figures and intervals of random readings, whoever read what, with a labeler and gold here and there."""
    rng = random.Random(seed)
    labeler = make_labeler(project)
    add_schema_version(project=project, schema=schema_from_json(TIED_SCHEMA), actor=None, now=NOW)
    documents = [
        make_document(project, external_id=f"note-{number:02}", patient_id=rng.choice(["", "p1", "p2", "p3"]))
        for number in range(12)
    ]
    found = [suggested(span, rng.choice(LABELS), 0.5) for span in rng.sample(WORDS, 3)]
    read(project, labeler, documents[::2], *found)
    for number, document in enumerate(documents):
        for reader in rng.sample([alice, bob, dana], rng.randrange(4)):
            make_set(document, reader, *drawn(rng), values=valued(rng))
        if number % 3 == 0:
            make_gold(document, adam, *drawn(rng))
    notes_read(document_ids=[document.pk for document in documents], waiting=[])
    measured = measure_agreement(read_notes(project), LABELS, n_resamples=50)
    report = stored(project)
    assert named(project, report) == figures_of(measured)
    assert report["n_documents"] == measured.n_documents
    assert_coefficients_are(measured, report, project)
    people = report["pools"]["people"]
    assert report["weeks"] == [["2026-03-02", people["n_a"], people["n_b"], *report["weeks"][0][3:]]]

    out = StringIO()
    call_command("compare", project.slug, stdout=out)
    assert stored(project) == report, "safe to repeat"
    assert out.getvalue() == f"{AnnotationSet.objects.values('document').distinct().count()} notes compared\n"


def test_rows_follow_what_is_submitted(project: Project, bob: User, adam: User) -> None:
    document = make_document(project)
    ensure_note_items(document=document, n_slots=2, priority=1.0)
    for reader in (bob, adam):
        item = take_note(document=document, reviewer=reader, now=NOW)
        assert not Comparison.objects.exists()
        decide(note_item=item, reviewer=reader, act=FinishNote(), key=reader.username, now=NOW)
    assert Comparison.objects.get().counts == {"": [0, 0, 0, 0]}
    assert (Difference.objects.count(), TokenRatings.objects.count()) == (0, 1)
    decide(note_item=item, reviewer=adam, act=Undo(), key="undo", now=NOW)
    assert not (Comparison.objects.exists() or TokenRatings.objects.exists())


def test_differences_are_kept_as_places(project: Project, bob: User, adam: User) -> None:
    document = make_document(project)
    pain, drug = Span.of(15, 25), Span.of(40, 49)
    make_set(document, bob, NewAnnotation(span=pain, label="Problem", attributes={}))
    make_set(
        document,
        adam,
        NewAnnotation(span=pain, label="Medication", attributes={}),
        NewAnnotation(span=drug, label="Medication", attributes={}),
    )
    make_gold(document, project.memberships.get(role="lead").user)
    tell_read(document_ids=[document.pk])
    rows = Difference.objects.filter(pair__kind="annotators").order_by("start")
    assert [(row.kind, row.label_a, row.label_b, row.start, row.end, row.cost) for row in rows] == [
        ("label", "Problem", "Medication", 15, 25, 2),
        ("only one", "", "Medication", 40, 49, 1),
    ]
    keys = [surface_key(project_id=project.pk, surface=document.text[row.start : row.end].upper()) for row in rows]
    assert [row.surface_key for row in rows] == keys
    against_gold = Difference.objects.filter(pair__kind="gold")
    assert sorted((row.pair.reader_b.username, row.label_a, row.label_b) for row in against_gold) == [
        *(("adam", "", "Medication"), ("adam", "", "Medication"), ("bob", "", "Problem"))
    ]


def test_of_a_labeler_the_newest_reading_counts(project: Project, bob: User) -> None:
    document = make_document(project)
    labeler = make_labeler(project)
    read(project, labeler, [document], suggested(Span.of(0, 10), "Problem", 0.5))
    read(project, labeler, [document], suggested(Span.of(15, 25), "Problem", 0.5))
    make_set(document, bob, NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={}))
    compare_notes(document_ids=[document.pk])
    assert Comparison.objects.get().counts["Problem"] == [1, 1, 1, 1]
    assert ReaderPair.objects.get().labeler == labeler


def test_queries_do_not_grow_with_notes(
    project: Project, alice: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    documents = [make_document(project, external_id=f"n{number}") for number in range(8)]
    read(project, make_labeler(project), documents, suggested(Span.of(0, 10), "Problem", 0.5))
    for document in documents:
        make_set(document, alice)
        make_set(document, bob, NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={}))
    with django_assert_max_num_queries(18):
        compare_notes(document_ids=[document.pk for document in documents])
    assert Comparison.objects.count() == 3 * 8
    with django_assert_max_num_queries(6):
        stored(project)


def test_rows_of_an_older_version_are_made_anew(
    project: Project, other_project: Project, alice: User, bob: User
) -> None:
    documents = [make_document(project, external_id=f"n{number}") for number in range(3)]
    for document in documents:
        make_set(document, alice)
        make_set(document, bob, NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={}))
    notes_read(document_ids=[document.pk for document in documents], waiting=[])
    TokenRatings.objects.update(ratings=None)
    Difference.objects.update(surface_key="")
    assert stored(project)["n_older"] == 3
    purged = documents[2]
    Document.objects.filter(pk=purged.pk).update(project=other_project)  # as a purge begins
    assert [compare_older(limit=1) for _ in range(3)] == [1, 1, 0]
    assert stored(project)["n_older"] == 0
    assert set(Difference.objects.exclude(surface_key="").values_list("document", flat=True)) == {
        document.pk for document in documents[:2]
    }
