"""Keeps the counts by day: the sweeper adds what was done since, again and again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from annotator.documents.models import Document
from annotator.progress.counting import count_day, count_queue, day_of, decisions_of
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.projects.models import Project
from annotator.projects.services import lock_projects

COUNTED_EVERY = timedelta(minutes=5)
# What is undone is mostly undone soon: the last days are counted again, those before only once.
DAYS_COUNTED_AGAIN = 2
# A sweep has other things to do; the next goes on.
MOST_DAYS = 14


def count_projects(*, now: datetime) -> int:
    """Count what was done in the projects that people belong to and that were not counted just now; how many days."""
    today, recently = timezone.localdate(now), now - COUNTED_EVERY
    up_to_date = CountedProject.objects.filter(day__gte=today, counted_at__gt=recently).values("project")
    due = Project.objects.filter(memberships__isnull=False).exclude(pk__in=up_to_date).distinct().order_by("pk")
    return sum(count_project(project=project, now=now) for project in due)


def count_project(*, project: Project, now: datetime) -> int:
    """Count the project's days from the last counted ones to today, a fortnight of them at most; how many."""
    today = timezone.localdate(now)
    counted = CountedProject.objects.filter(project=project).first()
    if counted is None:
        first_at = decisions_of(project).aggregate(first=Min("decided_at"))["first"]
        first = timezone.localdate(first_at) if first_at else today
    else:
        first = counted.day - timedelta(days=DAYS_COUNTED_AGAIN - 1)
    days = [first + timedelta(days=n) for n in range(min((today - first).days + 1, MOST_DAYS))]
    queue = count_queue(project)
    for day in days:
        _store(project, day, *count_day(day_of(project, day)), queue, now=now)
    return len(days)


@transaction.atomic
def _store(
    project: Project, day: date, work: list[WorkDay], labels: list[LabelDay], queue: Mapping[str, Any], *, now: datetime
) -> None:
    """In place of what was counted of the day before. What a purge has taken meanwhile is left out."""
    lock_projects(project)
    if not Project.objects.filter(pk=project.pk).exists():
        return
    types = set(_types_of(project.public_id))
    for table in (WorkDay, LabelDay):
        table.objects.filter(project=project, day=day).delete()
    WorkDay.objects.bulk_create([row for row in work if row.note_type in types])
    LabelDay.objects.bulk_create([row for row in labels if row.note_type in types])
    left = {note_type: counts for note_type, counts in queue.items() if note_type in types}
    CountedProject.objects.update_or_create(project=project, defaults={"day": day, "counted_at": now, "queue": left})


def forget_types(*, project_id: str) -> None:
    """Delete what was counted of types of which no note is left, since their names came with the notes."""
    types = _types_of(project_id)
    for table in (WorkDay, LabelDay):
        table.objects.filter(project__public_id=project_id).exclude(note_type__in=types).delete()
    for counted in CountedProject.objects.filter(project__public_id=project_id):
        counted.queue = {note_type: counts for note_type, counts in counted.queue.items() if note_type in set(types)}
        counted.save(update_fields=["queue"])


def _types_of(project_id: str) -> QuerySet:
    """The types of the project's notes, as a list of values."""
    found = Document.objects.filter(project__public_id=project_id).order_by()
    return found.values_list("note_type", flat=True).distinct()
