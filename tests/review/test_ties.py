"""Relations and labels of the note on the review page, without a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, Relation
from annotator.core.schema import Schema, schema_from_json
from annotator.core.spans import Span
from annotator.projects.services import add_schema_version
from annotator.review.models import Decision, ReviewItem
from annotator.review.relations import document_values_of
from annotator.review.selectors import note_view
from annotator.review.services import Add, Classify, Relate
from annotator.review.ties import note_labels, relating_context
from tests.cast import SCHEMA, TIED_SCHEMA, body, sign_in
from tests.review.conftest import CHEST_PAIN, DIABETES, METFORMIN, Desk
from tests.review.test_services import do
from tests.review.test_views import HTMX, _real_clock, post, url

pytestmark = [pytest.mark.usefixtures(_real_clock.__name__)]


@pytest.fixture
def schema() -> Schema:
    return schema_from_json(TIED_SCHEMA)


def added(desk: Desk, reviewer: User, span: Span, label: str) -> Annotation:
    made = do(desk, reviewer, Add(span=span, label=label)).made
    assert made is not None
    return made


@pytest.fixture
def ends(desk: Desk, bob: User) -> tuple[str, str]:
    """The keys of a drug and a problem that Bob has labelled beside the suggestions."""
    drug = added(desk, bob, Span.of(85, 94), "Medication")
    return f"a{drug.public_id}", f"a{added(desk, bob, Span.of(18, 25), 'Problem').public_id}"


def test_without_script_a_relation_is_drawn_by_links_and_one_button(
    client: Client, desk: Desk, bob: User, ends: tuple[str, str]
) -> None:
    drug, problem = ends
    sign_in(client, bob)
    page = body(client.get(url(desk, "note"), {"focus": problem, "relate": drug}))
    assert f'name="relate" value="{drug}"' in page and 'name="relation" value="out:treats"' in page
    answer = post(client, desk, htmx=False, target=problem, relate=drug, relation="out:treats")
    assert answer.status_code == 303 and answer["Location"].endswith(f"?focus={drug}#{drug}")
    card = body(client.get(url(desk, "note"), {"focus": problem}, **HTMX))
    assert "treats ←" in card
    relation = Relation.objects.get()
    post(client, desk, htmx=False, target=problem, unrelate=relation.public_id)
    relation.refresh_from_db()
    assert relation.status == "withdrawn"


def test_offers_go_both_ways_and_only_a_single_type_is_meant_by_itself(
    desk: Desk, bob: User, ends: tuple[str, str]
) -> None:
    drug, problem = ends
    do(desk, bob, Relate("treats", *(Annotation.objects.get(public_id=key[1:]) for key in ends)))
    view = note_view(note_item=desk.note_item)
    relating = relating_context(view, view.marks[problem], view.marks[drug], in_queue="")["relating"]
    assert [(offer.asked, offer.stands) for offer in relating.offers] == [
        ("out:seen with", False),
        ("in:treats", True),
        ("in:seen with", False),
    ]
    assert relating.sole is None
    between_drugs = relating_context(
        view, view.marks[drug], view.marks[f"i{desk.item(METFORMIN).public_id}"], in_queue=""
    )["relating"]
    assert between_drugs.waits is not None
    assert [offer.asked for offer in between_drugs.offers] == ["out:seen with", "in:seen with"]


def test_accepting_on_the_way_goes_on_with_the_relation(
    client: Client, desk: Desk, bob: User, ends: tuple[str, str]
) -> None:
    sign_in(client, bob)
    item = f"i{desk.item(DIABETES).public_id}"
    refused = post(client, desk, target=item, relate=ends[0], relation="out:treats")
    assert refused.status_code == 422
    assert "Accept the suggestion first" in body(refused) and f'name="relate" value="{ends[0]}"' in body(refused)
    on_the_way = body(post(client, desk, target=item, relate=ends[0], verdict="accept"))
    made = Annotation.objects.get(surface="Diabetes")
    assert f'name="target" value="a{made.public_id}"' in on_the_way
    assert f'name="relate" value="{ends[0]}"' in on_the_way
    first = f"i{desk.item(METFORMIN).public_id}"
    from_it = body(post(client, desk, target=first, relate=first, verdict="accept"))
    made = Annotation.objects.get(surface="metformin", start=METFORMIN.start)
    assert f'name="relate" value="a{made.public_id}"' in from_it


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"relation": "in:treats"}, 422),
        ({"relation": "out:cures"}, 422),
        ({"relation": "treats"}, 422),
        ({"relation": "out:treats", "relate": f"a{'b' * 16}"}, 409),
        ({"unrelate": "b" * 16}, 409),
        ({"classify": "smoking=often"}, 422),
        ({"classify": "smoking="}, 422),
        ({"classify": "smoking"}, 422),
        ({"classify": "smoking=never", "relation": "out:treats"}, 422),
    ],
)
def test_what_the_rules_refuse_saves_nothing(
    client: Client, desk: Desk, bob: User, ends: tuple[str, str], data: dict[str, str], status: int
) -> None:
    drug, problem = ends
    before = Decision.objects.count()
    response = post(sign_in(client, bob), desk, **{"target": problem, "relate": drug, **data})
    assert response.status_code == status
    assert 'role="alert"' in body(response)
    assert Decision.objects.count() == before


def test_a_key_that_comes_again_is_one_relation_and_no_other(
    client: Client, desk: Desk, bob: User, ends: tuple[str, str]
) -> None:
    sign_in(client, bob)
    asked = {"key": "same", "target": ends[1], "relate": ends[0], "relation": "out:treats"}
    for relation, status in (("out:treats", 200), ("out:treats", 200), ("out:seen with", 422)):
        assert client.post(url(desk, "decide"), asked | {"relation": relation}, **HTMX).status_code == status
    assert [each.type for each in Relation.objects.all()] == ["treats"]


def test_the_note_s_labels_have_keys_and_go_back_by_the_same(client: Client, desk: Desk, bob: User) -> None:
    sign_in(client, bob)
    answer = post(client, desk, htmx=False, classify="smoking=former")
    page = body(client.get(answer["Location"]))
    assert 'name="classify" value="smoking=" data-key="2" aria-pressed="true"' in page
    assert "smoking <b>former</b>" in page
    assert [choice[3] for label in note_labels(note_view(note_item=desk.note_item)) for choice in label.choices] == [
        *("1", "2", "3"),
        *("4", "5"),
    ]
    post(client, desk, classify="smoking=")
    assert document_values_of(desk.note_item) == {}


def test_a_done_note_shows_them_to_read(client: Client, desk: Desk, bob: User, ends: tuple[str, str]) -> None:
    do(desk, bob, Relate("treats", *(Annotation.objects.get(public_id=key[1:]) for key in ends)))
    do(desk, bob, Classify("smoking", "never"))
    ReviewItem.objects.filter(pk=desk.note_item.pk).update(status=ReviewItem.Status.DECIDED)
    page = body(sign_in(client, bob).get(url(desk, "note"), {"focus": ends[0], "relate": ends[0]}))
    assert "treats →" in page and "smoking <b>never</b>" in page
    assert 'name="unrelate"' not in page and 'data-key="relate"' not in page and 'name="relate"' not in page
    labels = body(client.get(url(desk, "note"), {"classify": "1"}, **HTMX))
    assert labels.count('name="classify"') == labels.count('aria-pressed="true" disabled') + labels.count(
        'aria-pressed="false" disabled'
    )


def test_a_schema_without_them_shows_none_of_it(client: Client, desk: Desk, bob: User, ends: tuple[str, str]) -> None:
    do(desk, bob, Relate("treats", *(Annotation.objects.get(public_id=key[1:]) for key in ends)))
    add_schema_version(project=desk.document.project, schema=schema_from_json(SCHEMA), actor=None, now=desk.now)
    page = body(sign_in(client, bob).get(url(desk, "note"), {"focus": ends[0]}))
    for sign in ("Relations", "⇧R", "⇧N", "smoking", 'data-glyph="tied"', "note-values"):
        assert sign not in page, sign


def test_they_cost_two_queries_however_many_there_are(
    client: Client, desk: Desk, bob: User, ends: tuple[str, str], django_assert_max_num_queries: Any
) -> None:
    drug, *problems = [
        *(Annotation.objects.get(public_id=key[1:]) for key in ends),
        *(added(desk, bob, Span.of(start, start + 1), "Problem") for start in range(12, 22)),
    ]
    for problem in problems:
        do(desk, bob, Relate("treats", drug, problem))
    sign_in(client, bob)
    with django_assert_max_num_queries(27):
        client.get(url(desk, "note"))
    with django_assert_max_num_queries(39):
        post(client, desk, CHEST_PAIN, verdict="accept")
