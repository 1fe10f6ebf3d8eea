from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.web.ids import new_public_id


class Job(models.Model):
    """Background work of one piece that shows progress and can be cancelled (an import, a build, a purge, a report).

    `run_token` and `lease_expires_at` belong to the worker that holds the job; nobody else may write to it. Who asked
    is told how it ended: `subject` is the public id of what it works for, `project` that of its project.
    """

    class Kind(models.TextChoices):
        IMPORT = "import"
        BUILD = "build"
        PURGE = "purge"
        RULE = "rule"
        REPORT = "report"
        ROUND = "round"
        TRAINING = "training"
        COMPARISON = "comparison"

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        CANCELLING = "cancelling"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    project = models.CharField(max_length=16, blank=True)
    subject = models.CharField(max_length=16, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    phase = models.CharField(max_length=40, blank=True)
    n_done = models.PositiveIntegerField(default=0)
    n_total = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, help_text="for the person who started it; never note text")
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    run_token = models.CharField(max_length=32, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["status", "lease_expires_at"], name="job_status")]

    @property
    def is_finished(self) -> bool:
        return self.status in {self.Status.DONE, self.Status.FAILED, self.Status.CANCELLED}


class WorkerBeat(models.Model):
    """The last sign of life of one worker process, written every ten seconds."""

    name = models.CharField(max_length=200, unique=True)
    queues = models.CharField(max_length=100)
    device = models.CharField(max_length=100, blank=True)
    model_id = models.CharField(max_length=200, blank=True)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
