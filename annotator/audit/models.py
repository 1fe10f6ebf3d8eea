from __future__ import annotations

from django.conf import settings
from django.db import models


class AuditChain(models.Model):
    """The head of one project's chain of events; locked while an event is appended.

    `project` is the project's public id, not a key, so that events outlive a purged project. Events that belong to
    no project stand in the chain "".
    """

    project = models.CharField(max_length=16, unique=True)
    n_events = models.PositiveBigIntegerField(default=0)
    head_sha256 = models.CharField(max_length=64, default="0" * 64)


class AuditEvent(models.Model):
    """Who did what to which object, append-only; each event carries the hash of the one before it."""

    chain = models.ForeignKey(AuditChain, on_delete=models.PROTECT, related_name="events")
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    verb = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40, help_text="a public id, never a name from outside")
    detail = models.JSONField(default=dict, help_text="counts, ids and settings; never note text")
    previous_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["chain", "number"]
        constraints = [models.UniqueConstraint(fields=["chain", "number"], name="audit_event_number")]
        indexes = [
            models.Index(fields=["chain", "verb", "object_id", "actor", "at"], name="audit_event_read"),
            models.Index(fields=["chain", "actor", "at"], name="audit_event_of_actor"),
        ]
