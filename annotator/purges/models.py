from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.jobs.models import Job
from annotator.web.ids import new_public_id


class Tombstone(models.Model):
    """A purge, and what is left of what it purged: opaque ids and counts, no text and no pseudonym.

    `project` and `document_ids` are public ids, not keys, so that they outlive what they name; the notes of a project
    are not listed, since its id stands for them. `patient_id` is emptied once the notes are gone.
    """

    class Subject(models.TextChoices):
        PATIENT = "patient", "Patient"
        NOTE = "note", "Note"
        PROJECT = "project", "Project"

    class Cause(models.TextChoices):
        ASKED = "asked", "Asked for"
        RETENTION = "retention", "Retention date passed"

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    project = models.CharField(max_length=16)
    subject = models.CharField(max_length=20, choices=Subject)
    cause = models.CharField(max_length=20, choices=Cause)
    patient_id = models.CharField(max_length=200, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    document_ids = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    purged_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-asked_at"], name="tombstone_of_project")]
