"""Figures for a monitor: /metrics, in Prometheus' text format. Counts and ages; nothing from notes, no name of anyone.

What stands in the database is counted when it is asked for. What happens in web processes (requests, conflicts) is kept
in files of `METRICS_DIR`, one set a process, so that the answer holds for all of them, whichever answers.
"""

from __future__ import annotations

import hmac
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Count, Min, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from annotator.jobs.models import Job
from annotator.jobs.selectors import worker_health
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.web.callers import is_on_this_machine
from annotator.web.middleware import GetResponse

settings.METRICS_DIR.mkdir(mode=0o700, exist_ok=True)
REQUESTS = Counter("marginalia_requests", "Requests by route and status class", ["method", "route", "status"])
SECONDS = Histogram(
    "marginalia_request_seconds",
    "Time to answer by route",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
CONFLICTS = Counter("marginalia_conflicts", "Saves refused since somebody else had the note (409)", ["route"])
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


def clear(folder: Path) -> None:
    """Forget what the processes of an earlier start have counted; called before the first of a new start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def count_requests(get_response: GetResponse) -> GetResponse:
    """Counts each request under its route's name, and how long its answer took."""

    def middleware(request: HttpRequest) -> HttpResponse:
        begun = time.monotonic()
        response = get_response(request)
        route = request.resolver_match.view_name if request.resolver_match else "no route"
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(method, route, f"{response.status_code // 100}xx").inc()
        SECONDS.labels(route).observe(time.monotonic() - begun)
        if response.status_code == 409:
            CONFLICTS.labels(route).inc()
        return response

    return middleware


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures, for a program on this machine or one with METRICS_TOKEN; not there for anybody else."""
    if not (is_on_this_machine(request) or _has_token(request)):
        raise Http404
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    registry.register(DatabaseCollector(now=timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class DatabaseCollector:
    """Counts what stands in the database now. Seven queries."""

    def __init__(self, *, now: datetime) -> None:
        self._now = now

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing, so that registering asks nothing of the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._jobs()
        yield from self._label_jobs()
        yield from self._review()
        yield from self._workers()

    def _jobs(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("marginalia_jobs", "Background jobs by kind and state", labels=["kind", "status"])
        oldest = GaugeMetricFamily("marginalia_oldest_queued_seconds", "Age of what waits longest", labels=["queue"])
        rows = Job.objects.order_by().values_list("kind", "status").annotate(n=Count("pk"), since=Min("created_at"))
        waiting_since = []
        for kind, status, n, since in rows:
            jobs.add_metric([kind, status], n)
            if status == Job.Status.QUEUED:
                waiting_since.append(since)
        oldest.add_metric(["main"], self._age(min(waiting_since, default=None)))
        queued = LabelJob.objects.filter(status=LabelJob.Status.QUEUED)
        runs = LabelRun.objects.filter(pk__in=queued.values("run"))
        oldest.add_metric(["label"], self._age(runs.aggregate(since=Min("created_at"))["since"]))
        yield from (jobs, oldest)

    def _label_jobs(self) -> Iterator[GaugeMetricFamily]:
        found = GaugeMetricFamily("marginalia_label_jobs", "Notes of runs by state", labels=["status"])
        unrouted = GaugeMetricFamily("marginalia_unrouted", "Notes that were read and wait for their stream")
        rows = LabelJob.objects.order_by().values_list("status")
        n_unrouted = 0
        for status, n, n_without in rows.annotate(n=Count("pk"), n_unrouted=Count("pk", filter=Q(routed_at=None))):
            found.add_metric([status], n)
            n_unrouted += n_without if status == LabelJob.Status.DONE else 0
        unrouted.add_metric([], n_unrouted)
        yield from (found, unrouted)

    def _review(self) -> Iterator[GaugeMetricFamily]:
        items = GaugeMetricFamily("marginalia_open_items", "What waits for a person", labels=["unit", "stream"])
        leases = GaugeMetricFamily("marginalia_leases", "Notes that somebody has taken", labels=["state"])
        is_open = ReviewItem.objects.filter(status=ReviewItem.Status.OPEN).order_by()
        for unit, stream, n in is_open.values_list("unit", "stream").annotate(n=Count("pk")):
            items.add_metric([unit, stream], n)
        taken = is_open.filter(unit=ReviewItem.Unit.NOTE, leased_by__isnull=False)
        counted = taken.aggregate(
            held=Count("pk", filter=Q(lease_expires_at__gt=self._now)),
            expired=Count("pk", filter=Q(lease_expires_at__lte=self._now)),
        )
        for state, n in counted.items():
            leases.add_metric([state], n)
        unread = GaugeMetricFamily(
            "marginalia_unread_spans", "Suggestions held by a test, or accepted without review", labels=["status"]
        )
        statuses = [ReviewItem.Status.HELD, ReviewItem.Status.CERTIFIED]
        of_spans = ReviewItem.objects.filter(status__in=statuses).order_by()
        for status, n in of_spans.values_list("status").annotate(n=Count("pk")):
            unread.add_metric([status], n)
        decisions = GaugeMetricFamily("marginalia_decisions", "Decisions that people have made")
        decisions.add_metric([], Decision.objects.count())
        yield from (items, leases, unread, decisions)

    def _workers(self) -> Iterator[GaugeMetricFamily]:
        silence = GaugeMetricFamily(
            "marginalia_worker_silent_seconds", "Since the last sign of life", labels=["worker", "state"]
        )
        memory = GaugeMetricFamily(
            "marginalia_worker_memory_bytes", "The most memory that a worker has used", labels=["worker"]
        )
        for worker in worker_health(now=self._now):
            silence.add_metric([worker.name, worker.state], (self._now - worker.seen_at).total_seconds())
            memory.add_metric([worker.name], worker.memory_bytes)
        yield from (silence, memory)

    def _age(self, since: datetime | None) -> float:
        return max((self._now - since).total_seconds(), 0.0) if since else 0.0


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    wanted = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), wanted.encode())
