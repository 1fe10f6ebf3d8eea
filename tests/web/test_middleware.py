from __future__ import annotations

from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.projects.models import Project


def test_htmx_without_a_session_is_sent_to_the_sign_in_page(client: Client, project: Project) -> None:
    page = f"/p/{project.public_id}/review/"
    response = client.get(page, headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}"})
    assert response["HX-Redirect"] == f"{reverse('accounts:sign_in')}?next=%2Fp%2F{project.public_id}%2Freview%2F"
    assert not response.content


def test_a_browser_without_a_session_is_redirected(client: Client, project: Project) -> None:
    response = client.get(f"/p/{project.public_id}/review/")
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:sign_in"))


def test_a_form_without_a_session_leads_back_to_its_page(client: Client, project: Project) -> None:
    page = f"/p/{project.public_id}/review/"
    response = client.post(f"{page}next/", headers={"Referer": f"http://testserver{page}?focus=a1"})
    assert response.status_code == 302
    came_from = f"%2Fp%2F{project.public_id}%2Freview%2F%3Funsaved%3D1"
    assert response["Location"] == f"{reverse('accounts:sign_in')}?next={came_from}"


def test_pages_are_not_stored_and_have_a_strict_policy(client: Client, alice: User, project: Project) -> None:
    response = client.get(reverse("accounts:sign_in"))
    assert response["Cache-Control"] == "no-store"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
