from __future__ import annotations

from django.db import models
from django.db.models import Q

from annotator.projects.models import Project
from annotator.web.ids import new_public_id


class Document(models.Model):
    """One clinical note. Its text never changes: every span counts code points of it.

    `blind_key` is a uniform random number that fixes the note's place in every random order.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="documents")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    external_id = models.CharField(max_length=200)
    patient_id = models.CharField(max_length=200, blank=True, help_text="pseudonym that groups a patient's notes")
    note_type = models.CharField(max_length=100, blank=True)
    text = models.TextField()
    n_chars = models.PositiveIntegerField(help_text="code points")
    sha256 = models.CharField(max_length=64)
    metadata = models.JSONField(default=dict)
    blind_key = models.FloatField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "external_id"], name="document_external_id"),
            models.CheckConstraint(condition=Q(n_chars__gt=0), name="document_has_text"),
        ]
        indexes = [models.Index(fields=["project", "note_type"], name="document_of_type")]

    def __str__(self) -> str:
        return self.public_id
