from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.readings.models import Adjudication


class Choice(models.Model):
    """One thing that was settled about a note, append-only. `idempotency_key` makes a repeat answer with the first.

    It holds for as long as the case of its key has its digest, which is what the readings say there. The newest that
    holds, and is not undone, counts. A redo has the words of what it does again. Of *agreed* all cases are meant that
    the readings agree on and nobody settled otherwise.
    """

    class What(models.TextChoices):
        AGREED = "agreed"
        VERSION = "version"
        ALL = "all"
        NEITHER = "neither"
        EDIT = "edit"
        UNDO = "undo"

    adjudication = models.ForeignKey(Adjudication, on_delete=models.PROTECT, related_name="choices")
    adjudicator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    what = models.CharField(max_length=10, choices=What)
    case_key = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=16, blank=True, help_text="of what the readings say in the case")
    kind = models.CharField(max_length=20, blank=True, help_text="how the readings differ: core.cases.Kind")
    version = models.CharField(max_length=16, blank=True, help_text="digest of the one taken, or edited")
    edited = models.JSONField(
        default=dict, help_text="the third version: spans as [fragments, label, attributes]; value"
    )
    between = models.CharField(max_length=300, blank=True, help_text="the labels that the readings give")
    label = models.CharField(max_length=300, blank=True, help_text="the one of them that was taken")
    rule = models.CharField(max_length=20, blank=True, help_text="which rule chose, where no person did")
    reason = models.CharField(max_length=500, blank=True)
    proposes_example = models.BooleanField(default=False)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    redoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="redone_by")
    active_seconds = models.FloatField(null=True, help_text="of the adjudicator's work on it, as the page measured it")
    idempotency_key = models.CharField(max_length=64, unique=True)
    asked_sha256 = models.CharField(max_length=64, blank=True, help_text="of the act in the words of who asked for it")
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["adjudication", "id"], name="choice_of_adjudication"),
            models.Index(fields=["between", "label"], condition=~Q(between=""), name="choice_between"),
        ]


class RuleRun(models.Model):
    """A rule that a lead had applied to the notes which wait: what it settled of them, by a job."""

    class Rule(models.TextChoices):
        UNANIMOUS = "unanimous", "Unanimous"
        MAJORITY = "majority", "Majority"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="rule_runs")
    rule = models.CharField(max_length=20, choices=Rule)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    n_settled = models.PositiveIntegerField(default=0, help_text="differences")
    n_finished = models.PositiveIntegerField(default=0, help_text="notes")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()


class Gold(models.Model):
    """Where one row of a gold set comes from: the choice that made it, and the readers' annotations behind it."""

    choice = models.ForeignKey(Choice, on_delete=models.PROTECT, related_name="gold")
    annotation = models.OneToOneField(Annotation, on_delete=models.PROTECT, null=True, related_name="gold")
    relation = models.OneToOneField(Relation, on_delete=models.PROTECT, null=True, related_name="gold")
    value = models.OneToOneField(DocumentValue, on_delete=models.PROTECT, null=True, related_name="gold")
    sources = models.ManyToManyField(Annotation, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(annotation__isnull=False, relation=None, value=None)
                | Q(annotation=None, relation__isnull=False, value=None)
                | Q(annotation=None, relation=None, value__isnull=False),
                name="gold_of_one_row",
            )
        ]
