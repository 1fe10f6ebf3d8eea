from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.annotations.models import AnnotationSet
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob
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
    voice_map = models.JSONField(
        default=dict, help_text="who speaks in the files, 'person:NAME' or 'model:NAME' -> what their spans become"
    )
    new_labels = models.JSONField(default=list, help_text="labels that a new version of the schema gets")
    source_format = models.CharField(
        max_length=20, blank=True, help_text="what the files are read as where they can be; empty: what they look like"
    )
    is_prelabelled = models.BooleanField(default=True, help_text="start pre-labelling when the notes are in")
    csv_layout = models.JSONField(
        default=dict,
        help_text="how rows of CSV files become notes: places of columns, never their names; {} without any",
    )
    result = models.JSONField(default=dict, help_text="counts and row-level errors; never note text")


class ImportedReading(models.Model):
    """Where what is said of a note came from: the row of a file, and who said it there.

    Of annotations it has the set, of suggestions the run's note. Rows never change.
    """

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    annotation_set = models.OneToOneField(AnnotationSet, on_delete=models.PROTECT, null=True, related_name="imported")
    label_job = models.OneToOneField(LabelJob, on_delete=models.PROTECT, null=True, related_name="imported")
    import_id = models.CharField(max_length=16, blank=True, help_text="public id; empty from the command line")
    file_sha256 = models.CharField(max_length=64)
    where = models.CharField(max_length=200, help_text="row, task or file, as errors name it")
    voice = models.CharField(max_length=130, help_text="'person:NAME' or 'model:NAME', as the file has it")
    imported_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(annotation_set__isnull=False, label_job=None)
                | models.Q(annotation_set=None, label_job__isnull=False),
                name="imported_reading_of_one",
            ),
        ]
