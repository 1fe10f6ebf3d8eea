from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.quality.selectors import labelers_with_notes
from annotator.suggestions.models import Suggestion
from tests.cast import HTMX, body, sign_in
from tests.quality.scene import FOUND, make_labeler, make_measured, make_notes, read

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def measured(project: Project, dana: User, bob: User) -> Project:
    make_measured(project, importer=dana, reviewer=bob, n_imported=12, n_reviewed=8)
    return project


def url(project: Project) -> str:
    return reverse("quality:quality", args=[project.public_id])


def table(page: str, title: str) -> str:
    return page.split(f'id="{title}-title"')[1].split("</section>")[0]


def test_the_page_says_how_good_the_labeler_is(alice_client: Client, measured: Project) -> None:
    page = body(alice_client.get(url(measured)))
    assert "F1 .40 strict, .80 by overlap</b>, on 40 gold spans of 20 finished notes." in page
    spans = table(page, "labels")
    assert '<th scope="row">Problem</th> <td class="num">20</td> <td class="num">40</td>' in spans
    assert '<td class="num">.50</td><td class="num">1.00</td><td class="num"><b>.67</b></td>' in spans
    assert "20 (25.0%)" in table(page, "quotes")
    assert "<dd>1.00 (1.00–1.00)<br>" in table(page, "score")
    assert "label logprob" in table(page, "signals")


def test_a_signal_that_few_spans_have_ranks_nothing(alice_client: Client, measured: Project) -> None:
    for found in Suggestion.objects.filter(label="Problem").order_by("score")[::39]:
        found.signals["yes_share"] = found.score
        found.save(update_fields=["signals"])
    row = table(body(alice_client.get(url(measured))), "signals").split("yes share")[1].split("</tr>")[0]
    assert row.count("–") == 2


def test_the_charts_have_tables(alice_client: Client, measured: Project) -> None:
    page = body(alice_client.get(url(measured)))
    assert "Share of right spans by score, in per cent: 0 at the lowest scores, 100 at the highest" in page
    assert '<td class="num">0.90</td><td class="num">1.00</td><td class="num">20</td>' in table(page, "reliability")
    assert '<td class="num">100%</td><td class="num">66.7 %</td>' in table(page, "risk")


def test_where_the_gold_comes_from_is_said(alice_client: Client, measured: Project) -> None:
    assert "8 of these 20 notes were reviewed with suggestions on the page" in body(alice_client.get(url(measured)))
    imported = body(alice_client.get(url(measured), {"gold": "imported"}))
    assert "of 12 finished notes" in imported
    assert "with suggestions on the page" not in imported


def test_another_labeler_can_be_chosen(alice_client: Client, measured: Project) -> None:
    other = make_labeler(measured, "Other")
    read(measured, other, list(measured.documents.all()))
    chosen, rules = labelers_with_notes(measured)
    assert "F1 .00 strict" in body(alice_client.get(url(measured)))
    assert "F1 .40 strict" in body(alice_client.get(url(measured), {"labeler": rules.key}))
    assert "F1 .00 strict" in body(alice_client.get(url(measured), {"labeler": "made up", "gold": "made up"}))
    assert chosen.labeler == other


def test_few_notes_are_not_enough(alice_client: Client, project: Project, dana: User, bob: User) -> None:
    make_measured(project, importer=dana, reviewer=bob, n_imported=2, n_reviewed=0)
    page = body(alice_client.get(url(project)))
    assert "2 finished notes</b> with 4 gold spans: too few to say how good it is." in page
    assert "not enough data: fewer than 10 gold spans" in table(page, "labels")
    assert "not enough data: 2 right and 4 wrong, 10 of each are needed" in table(page, "score")
    assert "50 spans with different scores are needed" in table(page, "risk")
    assert "Below 10 notes there are no intervals." in page


def test_nothing_finished_is_said(alice_client: Client, project: Project) -> None:
    read(project, make_labeler(project), make_notes(project, 1), *FOUND)
    assert "of these notes it has read none that is finished" in body(alice_client.get(url(project)))


def test_nothing_read_is_said(alice_client: Client, project: Project) -> None:
    assert "No labeler has read a note of this project yet." in body(alice_client.get(url(project)))


def test_htmx_gets_the_inside_of_the_page(alice_client: Client, measured: Project) -> None:
    response = alice_client.get(url(measured), headers=HTMX)
    assert body(response).startswith('<div id="quality">')
    assert "HX-Request" in response["Vary"]


def test_data_scientists_may_see_it_and_annotators_may_not(
    client: Client, project: Project, dana: User, bob: User, adam: User, charlie: User
) -> None:
    statuses = [sign_in(client, user).get(url(project)).status_code for user in (dana, bob, adam, charlie)]
    assert statuses == [200, 403, 403, 404]


def test_the_page_is_in_the_navigation(alice_client: Client, project: Project) -> None:
    assert f'<a href="{url(project)}" aria-current="page" data-second>Quality</a>' in body(
        alice_client.get(url(project))
    )


def test_queries_do_not_grow_with_the_notes(
    alice_client: Client, measured: Project, dana: User, bob: User, django_assert_max_num_queries: Any
) -> None:
    alice_client.get(url(measured))
    with django_assert_max_num_queries(14):
        alice_client.get(url(measured))
