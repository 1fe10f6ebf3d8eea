from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.documents.models import Document
from annotator.web.ids import new_public_id


class Adjudication(models.Model):
    """A note that several people have read, on its way to gold.

    It waits while another reader is still to come. `version` grows with every change, and every change names the one it
    saw. `n_cases` and `n_settled` are empty until someone has opened it: cases that readers agree on are not counted.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waits for a reader"
        OPEN = "open", "To adjudicate"
        DONE = "done", "Gold"

    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="adjudication")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    status = models.CharField(max_length=10, choices=Status)
    leased_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    lease_expires_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    n_cases = models.PositiveIntegerField(null=True)
    n_settled = models.PositiveIntegerField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at=None)),
                name="adjudication_done",
            )
        ]
        indexes = [models.Index(fields=["status", "document"], name="adjudication_status")]
