from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.services import NewAnnotation
from annotator.audit.models import AuditEvent
from annotator.core.schema import schema_from_json
from annotator.core.spans import Span
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.projects.models import Project
from annotator.projects.services import add_guideline, add_schema_version
from annotator.quality import services
from annotator.quality.measuring import measure_pair
from annotator.quality.models import AgreementReport
from annotator.quality.services import write_report
from annotator.readings.models import Comparison, Difference, ReaderPair
from annotator.readings.services import notes_read
from annotator.review.models import ReviewItem, Round
from tests.api.scene import Api
from tests.cast import HTMX, NOW, SCHEMA, Bells, body, make_document, make_set, make_user, sign_in
from tests.quality.reading_scene import make_read

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def url(project: Project) -> str:
    return reverse("quality:agreement", args=[project.public_id])


def part(page: str, title: str) -> str:
    return page.split(f'id="{title}-title"')[1].split("</section>")[0]


@pytest.fixture
def readers(project: Project, alice: User, bob: User) -> list[User]:
    return [alice, bob, make_user("=cy")]


@pytest.fixture
def read(project: Project, readers: list[User]) -> Project:
    make_read(project, readers, n_notes=24, n_weeks=3, labeler="Rules")
    return project


def test_the_page_says_how_far_people_agree(alice_client: Client, read: Project, alice: User) -> None:
    since = NOW - timedelta(weeks=1)
    add_guideline(project=read, text="Mark it.", actor=alice, now=since)
    page = body(alice_client.get(url(read)))
    assert re.search(r"People agree at <b>F1 \.\d\d</b> on 24 double-read notes\. The weakest pair is", page)
    assert "<b>bob and =cy</b></a>" in page
    pairs = part(page, "pairs")
    assert re.search(r'data-step="[0-6]" title="alice and bob: F1 (\.\d\d[,–;] ?)+\d+ spans in 8 notes"', pairs)
    assert "Rules" in pairs
    assert "Krippendorff’s alpha on tokens, people only: <b>." in pairs
    assert "grey ring: Rules" in part(page, "per-label")
    assert "guideline 1</text>" in part(page, "weeks")
    rows = re.findall(
        r'<th scope="row">([^<]*guideline[^<]*)</th><td class="num">(\.\d\d)</td>.*?(\d+)</td></tr>', page, re.I
    )
    assert [row[0] for row in rows] == ["No guideline yet", "Guideline 1"]
    for (_, f1, n_spans), when in zip(rows, ({"at__lt": since}, {"at__gte": since}), strict=True):
        rows_of = Comparison.objects.filter(pair__kind="annotators", **when)
        counts = [counts[""] for counts in rows_of.values_list("counts", flat=True)]
        n_a, n_b, n_strict, _ = map(sum, zip(*counts, strict=True))
        assert (f1, int(n_spans)) == (f"{2 * n_strict / (n_a + n_b):.2f}"[1:], n_a + n_b - n_strict)
    assert AuditEvent.objects.filter(verb="differences.read").count() == 1
    assert "quality/" not in alice_client.get(url(read), headers=HTMX).content.decode()[:200]


def test_a_pair_and_a_cell_narrow_the_list(alice_client: Client, read: Project, readers: list[User]) -> None:
    pair = ReaderPair.objects.get(kind="annotators", reader_a=readers[1], reader_b=readers[2])
    found = Difference.objects.filter(pair=pair)
    page = body(alice_client.get(url(read), {"pair": pair.public_id}))
    assert f"Disagreements, bob and =cy</h2> <p>{found.count()}" in page
    assert f'id="pair-{pair.public_id}"' in page.split("data-current")[1][:200]
    cell = {"pair": pair.public_id, "cell": "Problem|Medication"}
    narrowed = part(body(alice_client.get(url(read), cell)), "differences")
    assert narrowed.count('<th scope="row"') == found.filter(label_a="Problem", label_b="Medication").count() > 0
    overlap = part(body(alice_client.get(url(read), {"scheme": "overlap"})), "differences")
    assert "Edges" not in overlap
    assert "Edges" in part(body(alice_client.get(url(read))), "differences")
    only = part(body(alice_client.get(url(read), {"label": "Problem"})), "differences")
    assert only.count("Problem") >= only.count('<th scope="row"') > 0
    for nonsense in (
        {"pair": "x", "cell": "a|b|c", "days": "7", "readers": "x", "page": "x"},
        {"cell": "|", "readers": "9" * 5000},
    ):
        assert alice_client.get(url(read), nonsense).status_code == 200


def test_a_pair_narrows_what_is_told_of_labels(alice_client: Client, read: Project, readers: list[User]) -> None:
    pair = ReaderPair.objects.get(kind="annotators", reader_a=readers[1], reader_b=readers[2])
    page = body(alice_client.get(url(read), {"pair": pair.public_id}))
    counts = [counts["Problem"] for counts in Comparison.objects.filter(pair=pair).values_list("counts", flat=True)]
    n_a, n_b, n_strict, _ = map(sum, zip(*counts, strict=True))
    per_label = part(page, "per-label")
    assert "F1 per label, bob and =cy</h2>" in per_label and "grey ring" not in per_label
    f1 = f"{2 * n_strict / (n_a + n_b):.2f}"[1:]
    assert re.search(rf'Problem</span>.*?<td class="num">{re.escape(f1)}</td>', per_label)
    own = Difference.objects.filter(pair=pair, label_a="Problem", label_b="Medication").count()
    confusion = part(page, "confusion")
    assert "row: bob, column: =cy" in confusion
    assert f'title="Problem against Medication: {own}"' in confusion
    chance = part(page, "chance")
    assert "Beyond chance, bob and =cy" in chance and "Krippendorff" not in chance
    everybody = part(body(alice_client.get(url(read))), "chance")
    assert "Krippendorff’s alpha" in everybody and "Attribute: assertion" in everybody


def test_of_a_pair_with_many_notes_the_report_tells(
    alice_client: Client, read: Project, readers: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "AT_ONCE_OF_PAIR", 7)
    pair = ReaderPair.objects.get(kind="annotators", reader_a=readers[1], reader_b=readers[2])
    live = measure_pair(project=read, row=pair, labels=("Problem", "Medication"), since=None)
    before = body(alice_client.get(url(read), {"pair": pair.public_id}))
    report = AgreementReport.objects.get()
    assert set(report.of_pairs) == {row.public_id for row in ReaderPair.objects.filter(kind="annotators")}
    assert json.loads(json.dumps(live)) == report.of_pairs[pair.public_id]
    AgreementReport.objects.update(of_pairs={pair.public_id: {**report.of_pairs[pair.public_id], "confusion": []}})
    assert part(before, "confusion") != part(body(alice_client.get(url(read), {"pair": pair.public_id})), "confusion")


def test_a_round_narrows_everything(alice_client: Client, read: Project, alice: User, bob: User) -> None:
    made = Round.objects.create(
        project=read, number=3, name="Pilot", n_readers=2, seed=1, created_by=alice, created_at=NOW
    )
    inside = list(read.documents.order_by("pk")[:9])
    for document in inside:
        ReviewItem.objects.create(project=read, document=document, unit="note", status="closed", slot=9, round=made)
    page = body(alice_client.get(url(read), {"round": made.public_id}))
    assert f'<option value="{made.public_id}" selected>Round 3: Pilot</option>' in page
    assert "on 9 double-read notes" in page
    n_differences = Difference.objects.filter(document__in=inside, pair__kind="annotators").count()
    assert f"Disagreements</h2> <p>{n_differences}</p>" in page
    assert "on 24 double-read notes" in body(alice_client.get(url(read), {"round": "unknown"}))
    assert set(AgreementReport.objects.values_list("round", flat=True)) == {"", made.public_id}
    answer = alice_client.get(reverse("quality:agreement_csv", args=[read.public_id]), {"round": made.public_id})
    labels = [row for row in csv.DictReader(StringIO(answer.content.decode())) if row["label"] == "Problem"]
    assert labels[0]["n_documents"] == "9"
    api = Api(alice, project=read)
    assert api.get(f"./agreement/?round={made.public_id}").json()["n_documents"] == 9
    assert api.get("./agreement/?round=unknown").status_code == 404


def test_the_place_is_shown_in_its_note_and_escaped(
    alice_client: Client, project: Project, readers: list[User], dana: User
) -> None:
    document = make_document(project, text="Given <b>aspirin</b> & rest.", external_id="n-1")
    for reader, label in zip(readers, ("Problem", "Medication"), strict=False):
        make_set(document, reader, NewAnnotation(span=Span.of(9, 16), label=label, attributes={}))
    notes_read(document_ids=[document.pk], waiting=[])
    page = body(alice_client.get(url(project)))
    assert "Given &lt;b&gt;<b>aspirin</b>&lt;/b&gt; &amp; rest." in page
    assert reverse("adjudication:note", args=[project.public_id, document.adjudication.public_id]) + "?at=9" in page
    sign_in(alice_client, dana)
    assert f"?note={document.public_id}" in body(alice_client.get(url(project))), (
        "who does not adjudicate sees the note"
    )
    assert "Not enough data</b> on 1 double-read note: 2 spans." in page
    assert ">–</a>" in part(page, "pairs")


def test_notes_that_wait_for_a_reader_are_left_out(alice_client: Client, read: Project) -> None:
    document = Difference.objects.filter(pair__kind="annotators").first().document
    ReviewItem.objects.create(project=read, document=document, unit="note", slot=3)
    notes_read(document_ids=[document.pk], waiting=[document.pk])
    page = body(alice_client.get(url(read)))
    assert "on 23 double-read notes" in page
    assert "1 double-read note that waits for another reader is left out." in page
    assert document.external_id not in page


def test_a_data_scientist_sees_no_name(client: Client, read: Project, dana: User) -> None:
    sign_in(client, dana)
    for address in (url(read), reverse("quality:agreement_csv", args=[read.public_id])):
        page = body(client.get(address))
        assert "Reader 3" in page
        assert not {"alice", "bob", "=cy"} & set(re.findall(r"[=\w]+", page))


def test_the_table_is_safe_to_open(alice_client: Client, read: Project) -> None:
    answer = alice_client.get(reverse("quality:agreement_csv", args=[read.public_id]))
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert [(row["a"], row["b"]) for row in rows if row["kind"] == "annotators" and not row["label"]] == [
        *(("alice", "bob"), ("alice", "'=cy"), ("bob", "'=cy"))
    ]
    scores = [row for row in rows if row["kind"] != "coefficients"]
    assert {row["label"] for row in scores} == {"", "Problem", "Medication"}
    assert all(row["strict_f1"] for row in scores)
    rated = {(row["rated"], row["label"], row["coefficient"]) for row in rows if row["kind"] == "coefficients"}
    assert {("tokens", "", "krippendorff_alpha"), ("label", "Problem", "fleiss_kappa")} < rated
    assert AuditEvent.objects.filter(verb="agreement.download").count() == 1


def test_programs_get_the_figures_of_the_command(read: Project, alice: User, dana: User) -> None:
    figures = Api(alice, project=read).get("./agreement/?days=0").json()
    told = json.loads(_told(read))
    keys = ("a", "b", "n_documents", "n_a", "n_b")
    assert sorted(tuple(pair[key] for key in keys) for pair in figures["pairs"]) == sorted(
        _by_row(read, pair, keys) for pair in told["pairs"]
    )
    assert figures["n_documents"] == told["n_documents"] == 24
    alpha = figures["coefficients"]["tokens"]["krippendorff_alpha"]
    assert alpha["value"] == pytest.approx(told["coefficients"]["tokens"]["krippendorff_alpha"]["value"])
    for own, others in ((figures[key], told[key]) for key in ("attributes", "document_labels")):
        assert own.keys() == others.keys()
    for label, each in figures["coefficients"]["labels"].items():
        wanted = told["coefficients"]["labels"][label]
        for figure in ("krippendorff_alpha", "fleiss_kappa"):
            assert each[figure]["value"] == pytest.approx(wanted[figure]["value"])
    assert (figures["gold"], len(figures["labelers"]), figures["n_since"]) == (None, 3, 0)
    anonymous = Api(dana, project=read).get("./agreement/").json()
    assert {pair["a"] for pair in anonymous["pairs"]} <= {"Reader 1", "Reader 2", "Reader 3"}


def _told(project: Project) -> str:
    out = StringIO()
    call_command("agreement", project.slug, "--json", "--resamples", "0", stdout=out)
    return out.getvalue()


def _by_row(project: Project, pair: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    """The pair, whose readers the command sorts by name, with who has the older account first."""
    a, b = sorted((pair["a"], pair["b"]), key=lambda name: User.objects.get(username=name).pk)
    turned = pair if a == pair["a"] else {**pair, "a": a, "b": b, "n_a": pair["n_b"], "n_b": pair["n_a"]}
    return tuple(turned[key] for key in keys)


def test_a_large_project_is_counted_by_a_job(
    alice_client: Client, read: Project, bells: Bells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "AT_ONCE", 10)
    with bells.after_commit():
        page = body(alice_client.get(url(read)))
        alice_client.get(url(read))
    assert "72 comparisons are being counted for the first time" in page
    assert 'hx-trigger="every 2s"' in page
    (job,) = Job.objects.all()
    assert bells == [("annotator.run_report", (job.pk,), "main")]
    run_job(job_id=job.pk, work=lambda held: write_report(job=held, clock=timezone.now), clock=timezone.now)
    assert "People agree at" in body(alice_client.get(url(read)))

    more = schema_from_json({**SCHEMA, "labels": [*SCHEMA["labels"], {"name": "Age", "definition": "Years."}]})
    add_schema_version(project=read, schema=more, actor=None, now=NOW)
    assert "; 0 comparisons" not in body(alice_client.get(url(read))), "shown until it is counted anew"
    document = read.documents.get(external_id="N-2000")
    notes_read(document_ids=[document.pk], waiting=[])
    page = body(alice_client.get(url(read)))
    assert "; 3 comparisons since, being counted." in page
    newer = Job.objects.exclude(pk=job.pk).get()
    run_job(job_id=newer.pk, work=lambda held: write_report(job=held, clock=timezone.now), clock=timezone.now)
    assert (AgreementReport.objects.get().job, list(Job.objects.all())) == (newer, [newer])


def test_queries_do_not_grow_with_notes(
    alice_client: Client, read: Project, readers: list[User], django_assert_max_num_queries: Any
) -> None:
    alice_client.get(url(read))
    with django_assert_max_num_queries(17):
        alice_client.get(url(read))


def test_of_many_readers_the_weakest_come_first(alice_client: Client, project: Project) -> None:
    many = [make_user(f"reader-{number:02}") for number in range(14)]
    make_read(project, many, n_notes=91)
    pairs = part(body(alice_client.get(url(project))), "pairs")
    assert "1 / 2" in pairs
    assert "reader-13" in pairs
    assert "reader-00" not in pairs
    assert "reader-00" in part(body(alice_client.get(url(project), {"readers": "2"})), "pairs")


def test_nothing_to_compare_is_said(alice_client: Client, project: Project) -> None:
    page = body(alice_client.get(url(project)))
    assert "No note has two readers yet." in page
    assert "Nothing to compare yet" in page
