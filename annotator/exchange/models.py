from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.web.ids import new_public_id


class Import(models.Model):
    """One upload: first looked at (preview), then run by a job, all or nothing.

    The uploaded files lie in the spool folder named by `public_id`, until the import has ended.
    """

    class Status(models.TextChoices):
        PREVIEW = "preview", "Looked at"
        STARTED = "started", "Started"

    class SpansAs(models.TextChoices):
        NOTHING = "nothing", "Leave them out"
        ANNOTATIONS = "annotations", "As annotations of a person"
        SUGGESTIONS = "suggestions", "As suggestions of a labeler"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="imports")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    status = models.CharField(max_length=20, choices=Status, default=Status.PREVIEW)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    spans_as = models.CharField(max_length=20, choices=SpansAs, default=SpansAs.NOTHING)
    spans_by = models.CharField(max_length=150, blank=True, help_text="username, or the labeler's name")
    label_map = models.JSONField(default=dict, help_text="foreign label -> label of the schema, or '' to leave out")
    is_prelabelled = models.BooleanField(default=True, help_text="start pre-labelling when the notes are in")
    csv_layout = models.JSONField(
        default=dict,
        help_text="how rows of CSV files become notes: places of columns, never their names; {} without any",
    )
    result = models.JSONField(default=dict, help_text="counts and row-level errors; never note text")
