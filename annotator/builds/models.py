from __future__ import annotations

from django.conf import settings
from django.db import models

from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.web.ids import new_public_id


class DatasetBuild(models.Model):
    """One frozen dataset: what was asked for, and the manifest of the files that came of it.

    Never changed after, but for a purge of one of its `documents`: then the files go, and the manifest keeps hashes and
    counts; and for what the last look at its files found, `verified`.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="dataset_builds")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    formats = models.JSONField(default=list)
    options = models.JSONField(default=dict, help_text="seed, shares of the splits, window")
    manifest = models.JSONField(default=dict)
    documents = models.ManyToManyField(Document, related_name="+", help_text="the notes in the files")
    files_removed_at = models.DateTimeField(null=True)
    verified = models.JSONField(default=dict, help_text="names of files: missing, altered, extra; how many were right")
    verified_at = models.DateTimeField(null=True)
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="dataset_build_number")]


class LockedTestSet(models.Model):
    """The patients of a project that are in the part test of every dataset from now on, as one dataset had them."""

    project = models.OneToOneField(Project, on_delete=models.PROTECT, related_name="locked_test_set")
    build_number = models.PositiveIntegerField(help_text="of the dataset whose part test it was")
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    locked_at = models.DateTimeField()


class LockedGroup(models.Model):
    """A patient of a locked test set, or a note that names none, by digest; it goes with a purge of theirs."""

    test_set = models.ForeignKey(LockedTestSet, on_delete=models.PROTECT, related_name="groups")
    digest = models.CharField(max_length=64, help_text="builds.splits.group_digest")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["test_set", "digest"], name="locked_group_once")]
