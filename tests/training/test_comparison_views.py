"""The pages of comparisons, their file, and the API."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.models import User
from annotator.builds.models import LockedGroup, LockedTestSet
from annotator.projects.models import Project
from annotator.suggestions.labelers import current_spec
from annotator.training.comparison_pages import alone_words, assisted_words, score_caveat, signed, verdict
from annotator.training.models import LabelerComparison
from tests.cast import HTMX, sign_in
from tests.training.lab import Lab, make_comparison, make_lab, report_of_two, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(project: Project, alice: User, bob: User) -> Lab:
    return make_lab(project, lead=alice, reader=bob)


@pytest.fixture
def lead(client: Client, alice: User) -> Client:
    return sign_in(client, alice)


def url(lab: Lab, name: str, comparison: LabelerComparison | None = None) -> str:
    args = [lab.project.public_id, *([comparison.public_id] if comparison else [])]
    return reverse(f"training:{name}", args=args)


def words(html: bytes) -> str:
    """What stands on the page, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html.decode()))


def keys(lab: Lab) -> dict[str, str]:
    return {"candidate": lab.candidate.digest[:12], "current": lab.current.digest[:12]}


def test_the_form_offers_the_candidate_against_another_and_says_what_will_be_read(lab: Lab, lead: Client) -> None:
    page = words(lead.get(url(lab, "new_comparison")).content)
    assert "Finished notes of the locked test set (dataset 1)12" in page
    assert "Neither has learned from a test patient" in page


def test_what_new_runs_use_can_be_compared_before_it_has_read_a_note(lab: Lab, lead: Client) -> None:
    installed = current_spec(lab.project)
    page = lead.get(url(lab, "new_comparison")).content
    key = installed.digest[:12]
    assert f'<option value="{key}" selected>{installed.name}</option>' in page.decode()
    assert "Notes that the current labeler still has to read12" in words(page)
    assert not lab.project.labelers.filter(digest=installed.digest).exists()
    response = lead.post(url(lab, "start_comparison"), keys(lab) | {"current": key})
    comparison = LabelerComparison.objects.get()
    assert response["Location"] == url(lab, "comparison", comparison)
    assert (comparison.current.digest, comparison.candidate) == (installed.digest, lab.candidate)
    assert comparison.current_run is not None
    assert comparison.current_run.jobs.count() == 12


def test_the_checks_follow_the_form(lab: Lab, lead: Client) -> None:
    same = {"candidate": lab.current.digest[:12], "current": lab.current.digest[:12]}
    response = lead.get(url(lab, "new_comparison"), same, headers=HTMX)
    assert b"<html" not in response.content
    assert "These are one labeler: choose two" in words(response.content)
    assert "Notes that the candidate still has to read12" in words(
        lead.get(url(lab, "new_comparison"), keys(lab), headers=HTMX).content
    )
    assert "Choose two labelers" in words(
        lead.get(url(lab, "new_comparison"), {"candidate": "x"}, headers=HTMX).content
    )


def test_a_comparison_starts_and_its_page_moves_until_it_has_ended(lab: Lab, lead: Client) -> None:
    response = lead.post(url(lab, "start_comparison"), keys(lab))
    comparison = LabelerComparison.objects.get()
    assert (response.status_code, response["Location"]) == (303, url(lab, "comparison", comparison))
    page = lead.get(url(lab, "comparison", comparison)).content
    assert b'hx-trigger="every 2s"' in page
    assert "0 of 12" in words(page)
    assert "all, before" in words(page)
    assert "No worker is running" in words(page)
    assert lead.post(url(lab, "cancel_comparison", comparison)).status_code == 303
    page = lead.get(url(lab, "comparison", comparison)).content
    assert b"hx-trigger" not in page.split(b'id="comparison"')[1].split(b"</header>")[0]
    assert "Cancelled; nothing was measured." in words(page)
    assert lead.get(url(lab, "comparison_csv", comparison)).status_code == 404


def test_what_cannot_be_compared_is_said_in_the_form(lab: Lab, lead: Client) -> None:
    LockedGroup.objects.all().delete()
    LockedTestSet.objects.all().delete()
    response = lead.post(url(lab, "start_comparison"), keys(lab))
    assert response.status_code == 422
    assert "No test set is locked: lock the part test of a dataset first." in words(response.content)
    assert not LabelerComparison.objects.exists()


def test_the_page_says_who_is_better_and_shows_where(lab: Lab, lead: Client, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    page = words(lead.get(url(lab, "comparison", comparison)).content)
    assert (
        "The candidate is better: strict F1 1.00 against .40, difference +.60 (95 % +.60 to +.60), over 6 patients"
        in page
    )
    assert "24 places where the candidate does better, 0 where the current labeler does" in page
    assert "Only the candidate found it" in page
    assert "1 to 20 of 24 places" in page
    assert "None of these labels was made with suggestions in view." in page
    assert "raw score" in page


def test_what_was_won_can_be_filtered(lab: Lab, lead: Client, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    here = url(lab, "comparison", comparison)
    assert "None that fit." in words(lead.get(here, {"side": "lost"}).content)
    of_label = words(lead.get(here, {"side": "won", "label": "Medication"}).content)
    assert of_label.count("Only the candidate found it") == 12
    assert "Only the current labeler made it" not in of_label
    assert "1 to 20 of 24 places" in words(lead.get(here, {"label": "Nonsense"}).content)


def test_a_line_of_the_note_is_marked_for_gold_and_both(lab: Lab, lead: Client, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    page = lead.get(url(lab, "comparison", comparison), {"label": "Medication"}).content.decode()
    row = page.split('<table class="table parted"')[1].split("</tr>")[1]
    marks = re.findall(r"<mark[^>]*>([^<]*)</mark>", row)
    assert marks == ["metformin", "met", "metformin"]
    assert "Still on" in row
    assert "chest pain" not in row


def test_the_table_is_a_file_of_numbers(lab: Lab, lead: Client, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    response = lead.get(url(lab, "comparison_csv", comparison))
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [(row["label"], row["scheme"]) for row in rows][:3] == [
        ("", "strict"),
        ("", "overlap"),
        ("Problem", "strict"),
    ]
    assert float(rows[0]["difference"]) == pytest.approx(0.6)
    assert float(rows[0]["current_recall"]) == 0.5


@pytest.mark.parametrize("name", ["bob", "adam"])
def test_who_reviews_sees_none_of_it(
    lab: Lab, client: Client, name: str, request: pytest.FixtureRequest, alice: User
) -> None:
    comparison = make_comparison(lab, alice)
    other = sign_in(client, request.getfixturevalue(name))
    for page in ("comparison", "comparison_csv"):
        assert other.get(url(lab, page, comparison)).status_code == 403


def test_an_outsider_finds_nothing(lab: Lab, client: Client, charlie: User, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    other = sign_in(client, charlie)
    for page in ("comparison", "comparison_csv"):
        assert other.get(url(lab, page, comparison)).status_code == 404
    assert other.get(url(lab, "comparisons")).status_code == 404


def test_pages_take_as_many_queries_however_much_there_is(lab: Lab, lead: Client, alice: User) -> None:
    comparison = make_comparison(lab, alice)
    lead.get(url(lab, "comparison", comparison))
    counts = []
    for query in ({"label": "Problem", "side": "won"}, {}):
        with CaptureQueriesContext(connection) as caught:
            lead.get(url(lab, "comparison", comparison), query)
        counts.append(len(caught))
    assert counts[0] == counts[1] <= 14
    with CaptureQueriesContext(connection) as one:
        lead.get(url(lab, "comparisons"))
    make_comparison_again(lab, alice)
    with CaptureQueriesContext(connection) as two:
        lead.get(url(lab, "comparisons"))
    assert len(one) == len(two) <= 9


def make_comparison_again(lab: Lab, actor: User) -> None:
    comparison = start(lab, actor)
    assert comparison.candidate_run is None


def test_a_purged_note_is_shown_no_more(lab: Lab, lead: Client, alice: User, other_project: Project) -> None:
    comparison = make_comparison(lab, alice)
    for document in lab.documents:
        document.project = other_project
        document.save()
    page = words(lead.get(url(lab, "comparison", comparison)).content)
    assert "None that fit." in page
    assert "metformin" not in page


def test_a_verdict_is_only_as_strong_as_its_interval() -> None:
    report = report_of_two()
    strict = report["overall"]["strict"]["difference"]
    assert verdict(report).bold == "The candidate is better"
    assert "a rough interval: fewer than 10 patients" in verdict(report).rest
    strict["interval"] = (-0.1, 0.2)
    assert verdict(report).bold == "No difference shown"
    strict["interval"] = (-0.3, -0.2)
    assert verdict(report).bold == "The candidate is worse"
    strict["interval"] = None
    assert verdict(report).bold == "No difference shown"


def test_differences_have_a_sign() -> None:
    assert [signed(value) for value in (0.07, -0.034, 0.001, -1.0, None)] == ["+.07", "−.03", ".00", "−1.00", "–"]


def test_assisted_labels_are_named_as_such() -> None:
    report = report_of_two()
    report["assisted"] |= {"n_notes": 1, "n_spans": 1, "n_notes_alone": 1}
    assert assisted_words(report).startswith("1 of 2 test labels (50%) are assisted")
    assert alone_words(report).startswith("Only 1 note was read without suggestions")
    report["assisted"]["alone"] = report_of_two()
    assert alone_words(report).startswith("On the 1 note read without suggestions: the candidate is better: strict F1")
    report["scores"]["current"] = {"calibrator": 2, "n_fitted_here": 7}
    assert (
        score_caveat(report)
        == "Its calibrator was fitted on decisions in these notes (7 for current), which flatters it."
    )
