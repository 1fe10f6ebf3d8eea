"""Lists of the API: pages, filters, what independence leaves out, and no query a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotator.accounts.models import User
from annotator.annotations.comments import add_comment
from annotator.annotations.relations import add_relation, add_value
from annotator.annotations.services import NewAnnotation, add_annotation, open_set, submit_set
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Membership, Project
from annotator.projects.services import set_member
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.services import FinishNote, Reject, decide
from annotator.suggestions.models import Suggestion
from tests.api.scene import Api, make_build, make_upload, queue, results, suggest
from tests.cast import NOW, TIED_SCHEMA, make_document, make_member, make_set

pytestmark = pytest.mark.django_db

METFORMIN = NewAnnotation(span=Span.of(40, 49), label="Medication", attributes={})
CHEST_PAIN = NewAnnotation(span=Span.of(15, 25), label="Problem", attributes={})


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(TIED_SCHEMA)


@pytest.fixture
def api(alice: User, project: Project) -> Api:
    return Api(alice, project=project)


def walk(api: Api, address: str) -> list[dict[str, Any]]:
    """The rows of all pages, two a page."""
    found, cursor = [], ""
    for _ in range(50):
        page = api.get(f"{address}?limit=2{cursor}").json()
        assert len(page["results"]) <= 2
        found += page["results"]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"
    raise AssertionError("the pages do not end")


def say(document: Document, reader: User, *, origin_id: int | None = None) -> None:
    """In the reader's set: two spans, a relation from one to the other, and a label of the note."""
    version = document.project.schema_versions.get()
    who: dict[str, Any] = {"annotator": reader, "schema_version": version, "now": NOW}
    own = open_set(document=document, annotator=reader)
    head, tail = (
        add_annotation(target=own, text=document.text, new=replace(new, origin_id=origin_id), **who)
        for new in (METFORMIN, CHEST_PAIN)
    )
    add_relation(target=own, type="treats", head=head, tail=tail, **who)
    add_value(target=own, name="smoking", value="never", **who)


def fill(project: Project, n: int, *, reader: User, lead: User) -> None:
    """Of every resource `n` rows more."""
    begin = Document.objects.filter(project=project).count()
    for number in range(begin, begin + n):
        document = make_document(project, external_id=f"note-{number}")
        suggestions = suggest(project, document, "chest pain")
        queue(document, suggestions)
        note_item = take_note(document=document, reviewer=reader, now=timezone.now())
        item = ReviewItem.objects.get(document=document, unit="span")
        decide(note_item=note_item, reviewer=reader, act=Reject(target=item), key=f"r{number}-key", now=NOW)
        say(document, reader, origin_id=suggestions[0].pk)
        own = open_set(document=document, annotator=reader)
        for about in (suggestions[0], own.annotations.latest("pk"), None):
            add_comment(target=own, author=reader, about=about, kind="comment", body="Unsure.", now=NOW)
        decide(note_item=note_item, reviewer=reader, act=FinishNote(), key=f"d{number}-key", now=NOW)
        make_upload(project, lead)
        make_build(project, lead)
        make_member(project, f"person-{number}", Membership.Role.ANNOTATOR)


LISTS = (
    *("members", "documents", "imports", "runs", "suggestions", "annotations", "relations", "document-labels"),
    *("decisions", "comments", "review", "builds"),
)


def test_a_list_costs_the_same_however_long_it_is(api: Api, project: Project, alice: User) -> None:
    fill(project, 2, reader=alice, lead=alice)
    for name in LISTS:
        api.get(f"./{name}/")  # the hour's read event
    counts = {name: count_queries(api, f"./{name}/") for name in LISTS}
    lengths = {name: len(results(api.get(f"./{name}/"))) for name in LISTS}
    fill(project, 3, reader=alice, lead=alice)
    for name in LISTS:
        assert len(results(api.get(f"./{name}/"))) > lengths[name] > 1, name
        assert count_queries(api, f"./{name}/") == counts[name], name
        assert counts[name] <= 6, name


def count_queries(api: Api, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert api.get(address).status_code == 200
    return len(captured)


def test_projects_cost_the_same_however_many_there_are(
    api: Api, alice: User, other_project: Project, django_assert_num_queries: Any
) -> None:
    api.get("projects/")
    with django_assert_num_queries(2):
        assert len(results(api.get("projects/"))) == 1
    set_member(project=other_project, user=alice, role=Membership.Role.ANNOTATOR, actor=None, now=NOW)
    with django_assert_num_queries(2):
        found = results(api.get("projects/"))
    assert [(each["name"], each["role"]) for each in found] == [
        ("Other notes", "annotator"),
        ("Discharge notes", "lead"),
    ]


def test_the_pages_of_a_list_are_the_list(api: Api, project: Project, alice: User) -> None:
    fill(project, 5, reader=alice, lead=alice)
    for name in LISTS:
        whole = results(api.get(f"./{name}/"))
        assert len(whole) >= 5, name
        assert walk(api, f"./{name}/") == whole, name


def test_a_row_that_comes_in_between_moves_no_page(api: Api, project: Project) -> None:
    for number in range(4):
        make_document(project, external_id=f"b-{number}")
    first = api.get("./documents/?limit=2").json()
    make_document(project, external_id="a-first-of-all")
    second = api.get(f"./documents/?limit=2&cursor={first['next']}").json()
    shown = [row["external_id"] for row in first["results"] + second["results"]]
    assert shown == ["b-0", "b-1", "b-2", "b-3"]


def test_spans_are_filtered_by_note_label_and_run(api: Api, project: Project, alice: User) -> None:
    one, two = make_document(project, external_id="n-1"), make_document(project, external_id="n-2")
    suggest(project, one, "chest pain")
    (metformin,) = suggest(project, two, "metformin", label="Medication")
    make_set(one, alice, CHEST_PAIN)
    assert {row["surface"] for row in results(api.get("./suggestions/"))} == {"chest pain", "metformin"}
    assert [row["surface"] for row in results(api.get(f"./suggestions/?document={one.public_id}"))] == ["chest pain"]
    assert [row["surface"] for row in results(api.get("./suggestions/?label=Medication"))] == ["metformin"]
    run = metformin.job.run.public_id
    assert [row["run"] for row in results(api.get(f"./suggestions/?run={run}"))] == [run]
    (row,) = results(api.get("./annotations/?label=Problem"))
    assert (row["document"], row["reader"], row["annotator"]) == (one.public_id, "alice", "alice")
    assert (row["start"], row["end"], row["fragments"], row["surface"]) == (15, 25, [[15, 25]], "chest pain")
    assert results(api.get(f"./annotations/?document={two.public_id}")) == []


def test_relations_and_labels_of_notes_are_filtered(api: Api, project: Project, alice: User) -> None:
    document = make_document(project)
    say(document, alice)
    submit_set(target=open_set(document=document, annotator=alice), now=NOW)
    ids = {row["surface"]: row["id"] for row in results(api.get("./annotations/"))}
    (relation,) = results(api.get(f"./relations/?type=treats&document={document.public_id}"))
    assert (relation["head"], relation["tail"]) == (ids["metformin"], ids["chest pain"])
    assert (relation["document"], relation["reader"], relation["annotator"]) == (document.public_id, "alice", "alice")
    (value,) = results(api.get("./document-labels/?document_label=smoking"))
    assert (value["document_label"], value["value"], value["document"]) == ("smoking", "never", document.public_id)
    assert results(api.get("./relations/?type=cures")) == results(api.get("./document-labels/?document_label=x")) == []


def test_a_suggestion_without_a_place_is_shown_so(api: Api, project: Project) -> None:
    (found,) = suggest(project, make_document(project), "chest pain")
    Suggestion.objects.filter(pk=found.pk).update(alignment="unaligned", start=None, end=None, fragments="")
    (row,) = results(api.get("./suggestions/"))
    assert (row["start"], row["end"], row["fragments"]) == (None, None, [])


@pytest.fixture
def two_readers(project: Project, bob: User, adam: User) -> Document:
    """A note for two: Bob has submitted his reading, Adam's slot is open."""
    Project.objects.filter(pk=project.pk).update(n_readers=2)
    document = make_document(project)
    queue(document, suggest(project, document, "chest pain"), n_slots=2)
    note_item = take_note(document=document, reviewer=bob, now=timezone.now())
    for item in ReviewItem.objects.filter(document=document, unit="span", slot=note_item.slot):
        decide(note_item=note_item, reviewer=bob, act=Reject(target=item), key="bob-rejects", now=NOW)
    say(document, bob)
    decide(note_item=note_item, reviewer=bob, act=FinishNote(), key="bob-is-done", now=NOW)
    return document


ALL = [2, 1, 1]


def _seen(user: User, project: Project, resource: str) -> int:
    return len(results(Api(user, project=project).get(f"./{resource}/")))


def _said(user: User, project: Project) -> list[int]:
    """How many spans, relations and labels of notes the user sees; `say` says ALL."""
    return [_seen(user, project, resource) for resource in ("annotations", "relations", "document-labels")]


def test_what_is_not_submitted_is_shown_to_nobody(
    project: Project, alice: User, bob: User, adam: User, dana: User
) -> None:
    document = make_document(project)
    say(document, adam)
    for user in (alice, adam, dana):
        assert _said(user, project) == [0, 0, 0], user.username


def test_a_reader_to_come_does_not_see_what_another_said(
    two_readers: Document, project: Project, alice: User, adam: User, dana: User
) -> None:
    """Alice and Adam may both take the open slot; Dana cannot review."""
    assert _said(adam, project) == [0, 0, 0]
    assert _said(alice, project) == [0, 0, 0]
    assert _seen(alice, project, "decisions") == 0
    assert _said(dana, project) == ALL
    take_note(document=two_readers, reviewer=adam, now=timezone.now())
    assert _said(adam, project) == [0, 0, 0], "the reader of an unsubmitted note sees what another said"


def test_all_is_seen_once_every_reader_is_done(
    two_readers: Document, project: Project, alice: User, adam: User
) -> None:
    note_item = take_note(document=two_readers, reviewer=adam, now=timezone.now())
    for item in ReviewItem.objects.filter(document=two_readers, unit="span", slot=note_item.slot):
        decide(note_item=note_item, reviewer=adam, act=Reject(target=item), key="adam-rejects", now=NOW)
    decide(note_item=note_item, reviewer=adam, act=FinishNote(), key="adam-is-done", now=NOW)
    for user in (adam, alice):
        assert _said(user, project) == ALL, user.username
    assert _seen(alice, project, "decisions") == 4


def test_ones_own_reading_is_always_seen(two_readers: Document, project: Project, bob: User) -> None:
    set_member(project=project, user=bob, role=Membership.Role.ADJUDICATOR, actor=None, now=NOW)
    assert _said(bob, project) == ALL


def test_a_blind_reader_sees_no_suggestion(project: Project, alice: User, adam: User, dana: User) -> None:
    document = make_document(project)
    queue(document, suggest(project, document, "chest pain"))
    assert _seen(adam, project, "suggestions") == 1
    ReviewItem.objects.filter(document=document, unit="note").update(stream=ReviewItem.Stream.BLIND)
    for user, expected in ((adam, 0), (alice, 0), (dana, 1)):
        assert _seen(user, project, "suggestions") == expected, user.username
        address = f"./suggestions/?document={document.public_id}"
        assert len(results(Api(user, project=project).get(address))) == expected, user.username
    ReviewItem.objects.filter(document=document, unit="note").update(status=ReviewItem.Status.DECIDED)
    assert _seen(adam, project, "suggestions") == 1


def test_withdrawn_annotations_are_not_listed(api: Api, project: Project, alice: User) -> None:
    found = make_set(make_document(project), alice, CHEST_PAIN)
    assert len(results(api.get("./annotations/"))) == 1
    found.annotations.update(status="withdrawn")
    assert results(api.get("./annotations/")) == []
