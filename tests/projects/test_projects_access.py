from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404

from annotator.accounts.models import User
from annotator.projects.access import Action, membership_for
from annotator.projects.models import Membership, Project
from annotator.projects.navigation import _ITEMS
from annotator.projects.selectors import current_schema, memberships_of, project_named

ALLOWED = {
    "alice": set(Action),
    "bob": {Action.VIEW, Action.REVIEW},
    "adam": {Action.VIEW, Action.REVIEW, Action.READ_NOTES, Action.ADJUDICATE},
    "dana": {Action.VIEW, Action.READ_NOTES, Action.IMPORT, Action.BUILD, Action.MEASURE},
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("action", list(Action))
def test_a_role_does_what_it_is_for_and_no_more(
    project: Project, name: str, action: Action, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(name)
    if action in ALLOWED[name]:
        assert membership_for(user=user, project_id=project.public_id, action=action).project == project
    else:
        with pytest.raises(PermissionDenied, match=f"does not {action.value}"):
            membership_for(user=user, project_id=project.public_id, action=action)


@pytest.mark.parametrize("action", list(Action))
def test_who_does_not_belong_is_not_told_of_the_project(project: Project, charlie: User, action: Action) -> None:
    for user in (charlie, AnonymousUser()):
        with pytest.raises(Http404):
            membership_for(user=user, project_id=project.public_id, action=action)


def test_a_superuser_who_does_not_belong_is_an_outsider(project: Project, charlie: User) -> None:
    charlie.is_superuser = charlie.is_staff = True
    charlie.save()
    with pytest.raises(Http404):
        membership_for(user=charlie, project_id=project.public_id, action=Action.VIEW)


def test_a_project_is_reached_by_its_opaque_id_only(project: Project, alice: User) -> None:
    for wrong in (project.slug, str(project.pk), project.public_id.upper(), ""):
        with pytest.raises(Http404):
            membership_for(user=alice, project_id=wrong, action=Action.VIEW)


def test_access_costs_one_query(project: Project, bob: User, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        membership = membership_for(user=bob, project_id=project.public_id, action=Action.REVIEW)
        assert (membership.project.name, membership.user.username) == ("Discharge notes", "bob")


def test_who_has_left_is_an_outsider(project: Project, bob: User) -> None:
    Membership.objects.filter(user=bob).delete()
    with pytest.raises(Http404):
        membership_for(user=bob, project_id=project.public_id, action=Action.VIEW)


def test_every_page_of_the_navigation_asks_for_what_some_role_may() -> None:
    assert {action for _, _, action in _ITEMS} <= set().union(*ALLOWED.values())


def test_memberships_of_a_person_are_theirs_alone(project: Project, other_project: Project, bob: User) -> None:
    assert [membership.project for membership in memberships_of(bob)] == [project]


def test_a_project_is_found_by_its_short_name(project: Project) -> None:
    assert project_named("discharge-notes") == project
    assert project_named(project.public_id) is None
    assert current_schema(project).number == 1
