"""What was done in a project, added up by day, so that no page has to add up every decision.

The rows are counts and name no note; of a note that was purged they keep that something was done
(`services.forget_types`).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.projects.models import Project
from annotator.suggestions.models import Labeler


class CountedProject(models.Model):
    """How far a project's days are counted: up to and with `day`; and what was left then.

    `queue` has, for each type of note, its notes by state, its readings to be finished by stream, and its audits.
    """

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="+", primary_key=True)
    day = models.DateField()
    counted_at = models.DateTimeField()
    queue = models.JSONField(default=dict)


class WorkDay(models.Model):
    """What a person did on a day in notes of one type: standing decisions by what they did, and undos.

    `n_judged` notes had suggestions decided, `n_decided` of them, and `n_timed` of those done had their time measured;
    the squares and products are of what a note has of each, for `core.estimates.Sums`.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    note_type = models.CharField(max_length=100, blank=True)
    n_notes = models.PositiveIntegerField(default=0)
    n_accept = models.PositiveIntegerField(default=0)
    n_relabel = models.PositiveIntegerField(default=0)
    n_bounds = models.PositiveIntegerField(default=0)
    n_reject = models.PositiveIntegerField(default=0)
    n_add = models.PositiveIntegerField(default=0)
    n_skip = models.PositiveIntegerField(default=0)
    n_other = models.PositiveIntegerField(default=0)
    n_undo = models.PositiveIntegerField(default=0)
    n_judged = models.PositiveIntegerField(default=0)
    n_accepted = models.PositiveIntegerField(default=0)
    n_decided = models.PositiveIntegerField(default=0)
    accepted_squared = models.PositiveBigIntegerField(default=0)
    accepted_decided = models.PositiveBigIntegerField(default=0)
    decided_squared = models.PositiveBigIntegerField(default=0)
    n_timed = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    chars = models.PositiveBigIntegerField(default=0)
    seconds_squared = models.FloatField(default=0)
    seconds_chars = models.FloatField(default=0)
    chars_squared = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "day", "reviewer", "note_type"], name="work_day_once")
        ]


class LabelDay(models.Model):
    """Of a day and a type of note: how often a label was given in the notes that were done, or, of a labeler's
    suggestions that were decided, how often it was suggested and accepted.

    The row without a label is that of all labels: `n` spans in `n_notes` notes. `n_all` of the others is the sum of
    what each note has of the label times what it has in all. `n_rejected` is of suggestions, and empty where a day was
    counted before this was.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    note_type = models.CharField(max_length=100, blank=True)
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    label = models.CharField(max_length=40, blank=True)
    n_notes = models.PositiveIntegerField(default=0)
    n = models.PositiveIntegerField(default=0)
    n_squared = models.PositiveBigIntegerField(default=0)
    n_all = models.PositiveBigIntegerField(default=0)
    n_accepted = models.PositiveIntegerField(default=0)
    n_rejected = models.PositiveIntegerField(null=True)
    accepted_squared = models.PositiveBigIntegerField(default=0)
    accepted_n = models.PositiveBigIntegerField(default=0)
    score = models.FloatField(default=0, help_text="sum over the suggestions")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "day", "note_type", "label"], condition=Q(labeler=None), name="label_day_once"
            ),
            models.UniqueConstraint(
                fields=["project", "day", "labeler", "note_type", "label"],
                condition=Q(labeler__isnull=False),
                name="labeler_day_once",
            ),
        ]
        indexes = [models.Index(fields=["project", "day"], name="label_day")]
