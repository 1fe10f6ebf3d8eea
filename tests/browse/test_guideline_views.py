"""The guideline: its versions, what changed, and who may write the next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.audit.models import AuditEvent
from annotator.browse.examples import examples_of
from annotator.projects.models import Project
from annotator.projects.services import GUIDELINE_LENGTH, add_guideline
from annotator.readings.models import Adjudication
from tests.browse.settled import settle
from tests.cast import NOW, body, make_document, sign_in


def url(name: str, project: Project) -> str:
    return reverse(f"browse:{name}", args=[project.public_id])


def write(project: Project, *texts: str) -> None:
    for number, text in enumerate(texts):
        add_guideline(project=project, text=text, actor=None, now=NOW + timedelta(days=number))


def test_a_lead_writes_the_first_version_and_the_next(alice_client: Client, project: Project) -> None:
    assert "Write the first version" in body(alice_client.get(url("guideline", project)))
    response = alice_client.post(url("new_guideline", project), {"text": "Mark drugs.\r\nNot foods.\r\n", "changes": 0})
    assert (response.status_code, response["Location"]) == (303, url("guideline", project))
    assert project.guidelines.get().text == "Mark drugs.\nNot foods."
    form = alice_client.get(url("new_guideline", project)).content.decode()
    assert "Mark drugs.\nNot foods.</textarea>" in form
    assert AuditEvent.objects.get(verb="guideline.add").detail["number"] == 1


def test_the_newest_version_is_shown_with_what_it_changed(alice_client: Client, project: Project) -> None:
    write(project, "Mark drugs.\nNot foods.", "Mark drugs.\nNot <foods> & teas.")
    page = body(alice_client.get(url("guideline", project)))
    assert "<b>Version 2</b> counts" in page
    assert "<del><span>−</span>Not foods.</del><ins><span>+</span>Not &lt;foods&gt; &amp; teas.</ins>" in page
    older = body(alice_client.get(url("guideline", project), {"version": 1}))
    assert "<b>Version 1</b> is an older one" in older and 'class="diff"' not in older
    for unknown in ("3", "x", "²", "9" * 40):
        assert alice_client.get(url("guideline", project), {"version": unknown}).status_code == 404


def test_an_equal_text_is_no_new_version(alice_client: Client, project: Project) -> None:
    write(project, "Mark drugs.")
    alice_client.post(url("new_guideline", project), {"text": " Mark drugs.\n", "changes": 0})
    assert project.guidelines.count() == 1


def test_an_empty_text_takes_the_guideline_back(alice_client: Client, project: Project) -> None:
    write(project, "Mark drugs.")
    assert alice_client.post(url("new_guideline", project), {"text": "", "changes": 1}).status_code == 303
    assert "This version is empty" in body(alice_client.get(url("guideline", project)))


def test_a_text_that_is_too_long_comes_back_with_the_reason(alice_client: Client, project: Project) -> None:
    response = alice_client.post(url("new_guideline", project), {"text": "x" * (GUIDELINE_LENGTH + 1), "changes": 0})
    assert response.status_code == 422
    assert "at most 20,000 are wanted" in body(response)
    assert not project.guidelines.exists()


def test_what_another_lead_wrote_meanwhile_is_not_replaced_unseen(alice_client: Client, project: Project) -> None:
    write(project, "Mark drugs.")
    form = body(alice_client.get(url("new_guideline", project)))
    assert 'name="changes" value="1"' in form
    write(project, "Mark drugs and doses.")
    mine = {"text": "Mark no foods.", "changes": 1}
    response = alice_client.post(url("new_guideline", project), mine)
    assert response.status_code == 422
    page = body(response)
    assert "Version 2 was written meanwhile" in page and "Mark no foods." in page
    assert 'name="changes" value="2"' in page
    assert alice_client.post(url("new_guideline", project), mine | {"changes": 2}).status_code == 303
    assert project.guidelines.count() == 3


def test_a_text_that_is_too_long_still_knows_what_it_was_made_of(alice_client: Client, project: Project) -> None:
    write(project, "Mark drugs.", "Mark drugs and doses.")
    too_long = {"text": "x" * (GUIDELINE_LENGTH + 1), "changes": 1}
    assert 'name="changes" value="1"' in body(alice_client.post(url("new_guideline", project), too_long))


def test_an_annotator_reads_it_and_writes_none(client: Client, project: Project, bob: User) -> None:
    write(project, "Mark drugs.")
    reader = sign_in(client, bob)
    page = body(reader.get(url("guideline", project)))
    assert "Mark drugs." in page and "Write the next version" not in page
    assert reader.post(url("new_guideline", project), {"text": "x", "changes": 0}).status_code == 403


def test_the_page_takes_as_many_queries_for_many_versions(
    alice_client: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    write(project, *(f"Version {n}." for n in range(9)))
    with django_assert_max_num_queries(9):
        alice_client.get(url("guideline", project))


def test_what_was_settled_becomes_an_example_once_a_lead_has_seen_it(
    alice_client: Client, project: Project, adam: User
) -> None:
    write(project, "## Medication\n\n- A drug by any name.")
    first, second = (make_document(project, external_id=name) for name in ("n1", "n2"))
    key = settle(first, adam, "metformin", "Medication", "Problem")
    settle(second, adam, "metformin", "Medication", "Problem")
    settle(second, adam, "chest pain", "Problem")  # nobody gave another label
    settle(second, adam, "Diabetes", "Problem", proposes=True)
    page = body(alice_client.get(url("guideline", project)))
    assert page.index("Make “Diabetes”") < page.index("Make “metformin”") and "Make “chest pain”" not in page
    draft = alice_client.get(reverse("browse:new_example", args=[project.public_id, key]))
    assert "These words come out of a note" in body(draft)
    text = draft.context["form"].initial["text"]
    assert text == "## Medication\n\n- A drug by any name.\n- “metformin” → Medication, not Problem"
    assert project.guidelines.count() == 1
    alice_client.post(url("new_guideline", project), {"text": text, "changes": 1})
    assert "Make “metformin”" not in body(alice_client.get(url("guideline", project)))


def test_examples_are_for_leads_and_out_of_finished_gold(client: Client, project: Project, adam: User) -> None:
    document = make_document(project)
    key = settle(document, adam, "metformin", "Medication", "Problem")
    reader = sign_in(client, adam)
    assert "metformin" not in body(reader.get(url("guideline", project)))
    assert reader.get(reverse("browse:new_example", args=[project.public_id, key])).status_code == 403
    Adjudication.objects.update(status="open", done_at=None)
    assert examples_of(project) == []
