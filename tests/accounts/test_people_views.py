from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotator.accounts.lockout import Kind, begin_attempt
from annotator.accounts.models import SignInLink, User
from annotator.accounts.two_factor import has_two_factor
from annotator.audit.models import AuditEvent
from annotator.projects.models import Project
from tests.accounts.codes import set_up
from tests.cast import body, make_user, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> User:
    """The only administrator."""
    return make_user("root", is_staff=True)


@pytest.fixture
def root_client(client: Client, root: User) -> Client:
    return sign_in(client, root)


def act(client: Client, user: User, what: str):
    return client.post(reverse("accounts:change_person", args=[user.public_id]), {"act": what})


def cells_of(page: str, user: User) -> list[str]:
    found = re.search(rf"<tr>(?:(?!</tr>).)*>{user.username}</a>.*?</tr>", page)
    assert found is not None
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", found.group())]


def test_the_list_says_who_gets_in_and_how(root_client: Client, project: Project, bob: User, alice: User) -> None:
    set_up(alice, now=timezone.now())
    for _ in range(5):
        begin_attempt(kind=Kind.NAME, who="bob", address="10.0.0.1", now=timezone.now())
    kim = make_user("kim", is_active=False)
    page = body(root_client.get(reverse("accounts:people")))
    assert "4 accounts." in page
    assert cells_of(page, alice) == ["alice", "No password yet", "On", "–", "1", "–"]
    assert cells_of(page, bob) == ["bob", "Locked", "Off", "–", "1", "–"]
    assert cells_of(page, kim) == ["kim", "Disabled", "Off", "–", "0", "–"]
    assert cells_of(page, User.objects.get(username="root"))[3:5] == ["Yes", "0"]


def test_the_list_is_paged_and_its_cost_does_not_grow(root_client: Client, django_assert_num_queries: Any) -> None:
    root_client.get(reverse("home"))
    for number in range(60):
        make_user(f"user-{number:02}")
    with django_assert_num_queries(6):  # session, user, browser, count, accounts, failures
        page = body(root_client.get(reverse("accounts:people")))
    assert "1 to 50 of 61 accounts" in page
    assert "user-59" in body(root_client.get(reverse("accounts:people"), {"page": 2}))


def test_who_is_no_administrator_finds_nothing(client: Client, alice: User, root: User) -> None:
    sign_in(client, alice)
    before = AuditEvent.objects.count()
    for name, arguments in (("people", []), ("new_person", []), ("person", [root.public_id])):
        assert client.get(reverse(f"accounts:{name}", args=arguments)).status_code == 404
    assert client.post(reverse("accounts:new_person"), {"username": "erin"}).status_code == 404
    assert client.post(reverse("accounts:reset_link", args=[root.public_id])).status_code == 404
    for what in ("disable", "make_administrator", "unmake_administrator", "remove_two_factor", "unlock", "enable"):
        assert act(client, alice, what).status_code == 404
    assert AuditEvent.objects.count() == before
    assert not SignInLink.objects.exists()


def test_an_account_is_made_with_a_link_that_sets_its_password(root_client: Client, root: User) -> None:
    page = root_client.post(reverse("accounts:new_person"), {"username": "erin"})
    assert page.status_code == 200
    found = re.search(r"http://testserver(/accounts/reset/[^<\s]+)", page.content.decode())
    assert found is not None
    new = {"new_password1": "nine dry umbrellas", "new_password2": "nine dry umbrellas"}
    assert Client().post(found.group(1), new).status_code == 303
    erin = User.objects.get(username="erin")
    assert erin.check_password("nine dry umbrellas")
    assert not erin.is_staff
    assert AuditEvent.objects.get(verb="account.create").actor == root


@pytest.mark.parametrize("name", ["", "two words", "root", "x" * 151, "<b>"])
def test_a_bad_name_is_refused_with_the_form(root_client: Client, name: str) -> None:
    page = root_client.post(reverse("accounts:new_person"), {"username": name})
    assert page.status_code == 422
    assert 'class="error"' in body(page)
    assert User.objects.count() == 1


def test_a_reset_link_is_shown_once_and_stored_hashed(root_client: Client, alice: User, root: User) -> None:
    page = root_client.post(reverse("accounts:reset_link", args=[alice.public_id])).content.decode()
    found = re.search(r"/accounts/reset/([^/\s]+)/", page)
    assert found is not None
    assert found.group(1) not in str(list(SignInLink.objects.values()))
    assert found.group(1) not in root_client.get(reverse("accounts:person", args=[alice.public_id])).content.decode()
    assert AuditEvent.objects.get(verb="account.link").actor == root


def test_no_link_for_a_disabled_account(root_client: Client) -> None:
    kim = make_user("kim", is_active=False)
    page = root_client.post(reverse("accounts:reset_link", args=[kim.public_id]))
    assert page.status_code == 422
    assert "is disabled." in body(page)


def test_a_disabled_person_is_out_at_once_and_in_again_when_enabled(root_client: Client, alice: User) -> None:
    theirs = sign_in(Client(), alice)
    theirs.get(reverse("home"))
    response = act(root_client, alice, "disable")
    assert (response.status_code, response["Location"]) == (303, reverse("accounts:person", args=[alice.public_id]))
    assert theirs.get(reverse("home")).status_code == 302
    act(root_client, alice, "enable")
    assert theirs.get(reverse("home")).status_code == 302, "the session does not come back"
    assert sign_in(theirs, alice).get(reverse("home")).status_code == 200


def test_the_last_administrator_is_told_to_make_another(root_client: Client, root: User) -> None:
    for what in ("disable", "unmake_administrator"):
        page = act(root_client, root, what)
        assert page.status_code == 422
        assert "is the last administrator" in body(page)
    root.refresh_from_db()
    assert root.is_staff
    assert root.is_active


def test_an_administrator_hands_over_and_leaves(root_client: Client, root: User, alice: User) -> None:
    act(root_client, alice, "make_administrator")
    response = act(root_client, root, "unmake_administrator")
    assert response["Location"] == reverse("home")
    assert root_client.get(reverse("accounts:people")).status_code == 404
    assert sign_in(Client(), alice).get(reverse("accounts:people")).status_code == 200


def test_a_lost_factor_is_removed_and_a_lock_opened(root_client: Client, alice: User) -> None:
    set_up(alice, now=timezone.now())
    for _ in range(5):
        begin_attempt(kind=Kind.CODE, who=alice.public_id, address="10.0.0.1", now=timezone.now())
    url = reverse("accounts:person", args=[alice.public_id])
    assert "Unlock</button>" in body(root_client.get(url))
    act(root_client, alice, "unlock")
    assert "Unlock</button>" not in body(root_client.get(url))
    act(root_client, alice, "remove_two_factor")
    assert not has_two_factor(alice)
    assert act(root_client, alice, "remove_two_factor").status_code == 422


def test_an_act_that_there_is_not_is_refused(root_client: Client, alice: User) -> None:
    assert act(root_client, alice, "delete").status_code == 422
    assert root_client.get(reverse("accounts:person", args=["a" * 16])).status_code == 404
