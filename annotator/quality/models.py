from __future__ import annotations

from django.db import models

from annotator.jobs.models import Job
from annotator.projects.models import Project


class AgreementReport(models.Model):
    """How far a project's readers agree, as it was counted once: figures and ids, no text and no name.

    Of a large project a job counts; until it is done `computed_at` is empty. `n_comparisons` and `last_comparison` say
    what was counted, so that what has changed since is known. `of_pairs` has more of pairs with many notes, by their
    public ids: it is read where one is chosen.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="agreement_reports")
    days = models.PositiveSmallIntegerField(help_text="of what was compared in the last so many days; 0 for all")
    round = models.CharField(
        max_length=16, blank=True, help_text="public id of the round whose notes count; empty: all"
    )
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+")
    data = models.JSONField(default=dict)
    of_pairs = models.JSONField(default=dict)
    n_comparisons = models.PositiveIntegerField(default=0)
    last_comparison = models.PositiveBigIntegerField(default=0)
    computed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["project", "days", "round", "id"], name="agreement_report_newest")]
