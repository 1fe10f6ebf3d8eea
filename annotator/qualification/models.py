from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.annotations.models import AnnotationSet
from annotator.core.qualification import Matching, Standard
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.web.ids import new_public_id


class Qualification(models.Model):
    """One immutable version of what annotators show before they read a project's notes; the newest counts.

    Admissions since the version `counts_from` count: a change keeps them, unless all are to pass again.
    """

    class Status(models.TextChoices):
        ON = "on", "On"
        OFF = "off", "Off"

    class Matching(models.TextChoices):
        STRICT = Matching.STRICT.value, "Strict: place and label equal"
        OVERLAP = Matching.OVERLAP.value, "Overlap: label equal, a character in common"

    class Suggestions(models.TextChoices):
        HIDDEN = "hidden", "Read without suggestions"
        SHOWN = "shown", "Show what the model suggested"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="qualifications")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.ON)
    matching = models.CharField(max_length=10, choices=Matching)
    threshold = models.FloatField(help_text="F1 that each judged label has to reach")
    thresholds = models.JSONField(default=dict, help_text="F1 by label, of those with one of their own")
    min_spans = models.PositiveSmallIntegerField(help_text="in the reference, for a label to be judged")
    n_notes = models.PositiveSmallIntegerField(help_text="of one try")
    n_tries = models.PositiveSmallIntegerField()
    suggestions = models.CharField(max_length=10, choices=Suggestions)
    counts_from = models.PositiveIntegerField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="qualification_number"),
            models.CheckConstraint(condition=Q(threshold__gte=0, threshold__lte=1), name="qualification_threshold"),
        ]

    @property
    def standard(self) -> Standard:
        return Standard(
            matching=Matching(self.matching),
            threshold=self.threshold,
            min_spans=self.min_spans,
            thresholds=self.thresholds,
        )


class ReferenceNote(models.Model):
    """A note that a version draws its tries from, with the submitted set that answers are held against."""

    qualification = models.ForeignKey(Qualification, on_delete=models.PROTECT, related_name="reference_notes")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    reference = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["qualification", "document"], name="reference_note_once")]


class Trial(models.Model):
    """One try of a person. `figures` are written when its last note is submitted, one a label."""

    class Status(models.TextChoices):
        OPEN = "open", "Under way"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Not passed"

    qualification = models.ForeignKey(Qualification, on_delete=models.PROTECT, related_name="trials")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveSmallIntegerField(help_text="of the person's tries that count")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    figures = models.JSONField(default=list, help_text="core.qualification.Figure, one a label")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["qualification", "user", "number"], name="trial_once"),
            models.CheckConstraint(
                condition=Q(status="open", finished_at=None) | (~Q(status="open") & Q(finished_at__isnull=False)),
                name="trial_finished",
            ),
        ]


class TrialNote(models.Model):
    """A note of a try, which a person never gets twice: what they say of it is their AnnotationSet of kind *trial*."""

    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="notes")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    reference = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trial", "document"], name="trial_note_once")]


class Admission(models.Model):
    """That a person reads the project's notes: they passed, or a lead let them in, or they had been reading before."""

    class Reason(models.TextChoices):
        PASSED = "passed", "Passed"
        LEAD = "lead", "Let in"
        MEMBER = "member", "Was here before"

    qualification = models.ForeignKey(Qualification, on_delete=models.PROTECT, related_name="admissions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=10, choices=Reason)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["qualification", "user"], name="admission_once")]
