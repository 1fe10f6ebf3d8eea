from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.suggestions.models import Labeler, LabelRun
from annotator.web.ids import new_public_id


class TrainingRun(models.Model):
    """One model that is trained from a dataset: what was asked for, and what came of it.

    Its weights are in `settings.MODELS_DIR`, in the folder of its public id. `labeler` is the row that reads notes with
    them, made when the training has ended. A purge of a patient who was in the dataset takes the weights away.
    """

    class Kind(models.TextChoices):
        LORA = "lora", "LoRA adapter"
        SPACY = "spacy", "spaCy pipeline"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="training_runs")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    build = models.ForeignKey(DatasetBuild, on_delete=models.PROTECT, related_name="training_runs")
    kind = models.CharField(max_length=10, choices=Kind)
    base = models.CharField(max_length=200, blank=True, help_text="what a LoRA adapter is for: gemma, or a hub's id")
    recipe = models.JSONField(default=dict, help_text="options of the command that differ from its own")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    facts = models.JSONField(default=dict, help_text="training.json of the finished run; never note text")
    revision = models.CharField(max_length=64, blank=True, help_text="sha256 of the weights")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, null=True, related_name="trainings")
    files_removed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="training_run_number")]


class TrainingPoint(models.Model):
    """What the training told at one step: the curve on its page."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    epoch = models.FloatField()
    loss = models.FloatField(null=True)
    dev_loss = models.FloatField(null=True)
    dev_f1 = models.FloatField(null=True)
    seconds = models.FloatField(help_text="since the training began")

    class Meta:
        ordering = ["run", "step"]
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="training_point_step")]


class LabelerComparison(models.Model):
    """A candidate against the current labeler on the notes of the locked test set.

    `report` holds measures and names, never note text. A run is null where the labeler had read all the notes before.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="labeler_comparisons")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    candidate = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    current = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    candidate_run = models.ForeignKey(LabelRun, on_delete=models.PROTECT, null=True, related_name="+")
    current_run = models.ForeignKey(LabelRun, on_delete=models.PROTECT, null=True, related_name="+")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    report = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="labeler_comparison_number")]


class ComparedSpan(models.Model):
    """A span by which one of the two labelers of a comparison does better: a gold span that it alone found to the
    letter, or a span that touches no gold span of its label, which the other alone made.

    `around` is what gold and both say there, as [fragments, label], when they were compared. No text is kept.
    """

    class Deed(models.TextChoices):
        FOUND = "found", "Found"
        FALSE = "false", "False"

    comparison = models.ForeignKey(LabelerComparison, on_delete=models.PROTECT, related_name="spans")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    is_won = models.BooleanField(help_text="the candidate does better here")
    deed = models.CharField(max_length=10, choices=Deed)
    label = models.CharField(max_length=40)
    fragments = models.CharField(max_length=500, help_text="'START END;START END', code points")
    around = models.JSONField(default=dict)

    class Meta:
        ordering = ["comparison", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "document", "is_won", "deed", "label", "fragments"], name="compared_span_once"
            )
        ]
