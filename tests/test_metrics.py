"""/metrics: who may read it, what it counts, and what it never tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from annotator import metrics
from annotator.accounts.models import User
from annotator.jobs.models import Job
from annotator.jobs.services import create_job, record_beat
from annotator.projects.models import Project, SchemaVersion
from annotator.review.holding import hold_spans
from annotator.review.leases import take_note
from annotator.review.models import ReviewItem
from annotator.review.queue import ensure_note_items
from annotator.suggestions.models import LabelJob
from tests.cast import NOW, make_document, sign_in
from tests.review.certified import certify
from tests.review.conftest import CHEST_PAIN, DIABETES, suggest
from tests.suggestions.scene import claim, make_run

pytestmark = pytest.mark.django_db
TOKEN = "plain-brown-fox"
CANARY = "Zebrafever"
HERE: dict[str, Any] = {"headers": {"Host": "localhost"}}


def figures(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """(name, values of labels) -> figure."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(client: Client) -> dict[tuple[str, tuple[str, ...]], float]:
    response = client.get("/metrics", **HERE)
    assert response.status_code == 200
    return figures(response.content.decode())


def test_who_is_elsewhere_needs_the_token(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.7", **HERE}
    assert sign_in(client, alice).get("/metrics", **elsewhere).status_code == 404
    assert client.get("/metrics", headers={"Host": "localhost", "X-Forwarded-For": "10.0.0.7"}).status_code == 404
    given = {"headers": {"Host": "localhost", "Authorization": f"Bearer {TOKEN}"}, "REMOTE_ADDR": "10.0.0.7"}
    assert client.get("/metrics", **given).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer None"}, REMOTE_ADDR="10.0.0.7").status_code == 404
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    assert client.get("/metrics", **given).status_code == 200
    assert client.get("/metrics", **elsewhere).status_code == 404


def test_behind_a_tls_proxy_nobody_is_on_this_machine(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "HTTPS", True)
    assert client.get("/metrics", **HERE).status_code == 404


def test_work_is_counted_as_it_stands(client: Client, project: Project, bob: User) -> None:
    create_job(kind=Job.Kind.IMPORT, now=timezone.now())
    run = make_run(project, n=3)
    claim(run, limit=1)
    LabelJob.objects.filter(status="running").update(status="done")
    document = make_document(project, external_id="taken")
    ensure_note_items(document=document, n_slots=1, priority=1.0)
    take_note(document=document, reviewer=bob, now=timezone.now())
    beat: dict[str, Any] = {"queues": "main", "model_id": "", "device": "", "started_at": NOW}
    record_beat(name="main@here", memory_bytes=7, now=timezone.now(), **beat)
    found = read(client)
    assert found["marginalia_jobs", ("import", "queued")] == 1
    assert found["marginalia_label_jobs", ("queued",)] == 2
    assert found["marginalia_unrouted", ()] == 1
    assert found["marginalia_open_items", ("uncertain", "note")] == 1
    assert (found["marginalia_leases", ("held",)], found["marginalia_leases", ("expired",)]) == (1, 0)
    assert found["marginalia_decisions", ()] == 0
    assert found["marginalia_worker_memory_bytes", ("main@here",)] == 7
    assert found["marginalia_oldest_queued_seconds", ("label",)] > 0


def test_spans_that_nobody_reads_are_counted(client: Client, project: Project, schema_version: SchemaVersion) -> None:
    document = make_document(project)
    suggest(document, [(CHEST_PAIN, "Problem", 0.9), (DIABETES, "Problem", 0.9)], schema_version=schema_version)
    items = list(ReviewItem.objects.filter(unit="span").select_related("suggestion__job__run__labeler"))
    certify(project, items[0])
    hold_spans(suggestions=[items[1].suggestion_id or 0])
    found = read(client)
    assert found["marginalia_unread_spans", ("certified",)] == found["marginalia_unread_spans", ("held",)] == 1
    assert ("marginalia_open_items", ("uncertain", "span")) not in found


def test_requests_are_counted_by_route_and_never_by_address(client: Client, alice: User) -> None:
    before = read(client)
    assert sign_in(client, alice).get("/").status_code == 200
    assert client.get(f"/{CANARY}", **HERE).status_code == 404
    assert client.get(reverse("accounts:first", args=[CANARY]), **HERE).status_code == 410
    after = read(client)

    def grown(name: str, *labels: str) -> float:
        return after.get((name, labels), 0) - before.get((name, labels), 0)

    assert grown("marginalia_requests_total", "GET", "home", "2xx") == 1
    assert grown("marginalia_requests_total", "GET", "no route", "4xx") == 1
    assert grown("marginalia_requests_total", "GET", "accounts:first", "4xx") == 1
    assert grown("marginalia_request_seconds_count", "home") == 1
    assert CANARY not in str(after)


def test_a_conflict_is_counted(client: Client, project: Project, alice: User, bob: User) -> None:
    document = make_document(project)
    ensure_note_items(document=document, n_slots=1, priority=1.0)
    held = take_note(document=document, reviewer=bob, now=timezone.now())
    before = read(client).get(("marginalia_conflicts_total", ("review:note",)), 0)
    page = reverse("review:note", args=[project.public_id, held.public_id])
    assert sign_in(client, alice).get(page).status_code == 409
    assert read(client)["marginalia_conflicts_total", ("review:note",)] == before + 1


def test_nothing_of_notes_and_people_is_told(client: Client, project: Project, bob: User) -> None:
    make_document(project, text=f"{CANARY}.", external_id=f"mrn-{CANARY}", patient_id=CANARY)
    text = client.get("/metrics", **HERE).content.decode()
    assert not [secret for secret in (CANARY, project.name, project.slug, bob.username) if secret in text]


def test_the_number_of_queries_does_not_grow(
    client: Client, project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(8):
        client.get("/metrics", **HERE)
    make_run(project, n=5)
    with django_assert_num_queries(8):
        client.get("/metrics", **HERE)


def test_what_another_process_counts_is_in_the_answer(client: Client) -> None:
    program = (
        "import django; django.setup()\n"
        "from annotator.metrics import REQUESTS\n"
        "REQUESTS.labels('GET', 'elsewhere', '2xx').inc(3)\n"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(settings.DATA_DIR)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert read(client)["marginalia_requests_total", ("GET", "elsewhere", "2xx")] == 3


def test_a_new_start_counts_from_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    metrics.clear(folder)
    (folder / "counter_1.db").touch()
    metrics.clear(folder)
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
