from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.web.ids import new_public_id


class Kind(models.TextChoices):
    """What notices tell of. A new kind has a row in `browse.notice_rows.TOLD`, which says it in words; nothing else."""

    NOTE_TAKEN = "note_taken"
    GUIDELINE = "guideline"
    SCHEMA = "schema"
    RUN_DONE = "run_done"
    RUN_FAILED = "run_failed"
    RUN_WAITS = "run_waits"
    BUILD_DONE = "build_done"
    BUILD_FAILED = "build_failed"
    IMPORT_DONE = "import_done"
    IMPORT_FAILED = "import_failed"
    CERTIFICATE_GRANTED = "certificate_granted"
    CERTIFICATE_EXTENDED = "certificate_extended"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CERTIFICATE_ENDED = "certificate_ended"
    ROLE = "role"
    QUESTION = "question"
    CALIBRATOR_OFFERED = "calibrator_offered"
    ROUND_ASSIGNED = "round_assigned"
    ROUND_DUE = "round_due"
    ROUND_MADE = "round_made"
    ROUND_FAILED = "round_failed"
    ROUND_HANDED_BACK = "round_handed_back"
    DECOYS_ON = "decoys_on"
    DECOYS_OFF = "decoys_off"
    TRAINING_DONE = "training_done"
    TRAINING_FAILED = "training_failed"
    COMPARISON_DONE = "comparison_done"
    COMPARISON_FAILED = "comparison_failed"
    PROMOTED = "promoted"


class Notice(models.Model):
    """Something that happened to a person's work, while others did it. Rows never change but for `read_at`, and for one
    that is unread when the same happens again: it counts, and is of the last time.

    `project` is the project's public id, not a key: projects stand above. The field has no choices, so that a new kind
    is no migration.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notices")
    project = models.CharField(max_length=16)
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(max_length=40, help_text="a Kind")
    subject = models.CharField(max_length=16, blank=True, help_text="public id of what it leads to, or ''")
    n = models.PositiveIntegerField(default=1, help_text="how often it happened")
    detail = models.JSONField(default=dict, help_text="counts and dates; never note text, never an id from outside")
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "project", "kind", "subject"], condition=Q(read_at=None), name="notice_unread_once"
            )
        ]
        indexes = [models.Index(fields=["user", "-created_at"], name="notice_newest")]
