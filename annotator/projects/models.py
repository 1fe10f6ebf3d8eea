from __future__ import annotations

from functools import cached_property

from django.conf import settings
from django.db import models

from annotator.core.schema import Schema, schema_from_json
from annotator.web.ids import new_public_id


class Project(models.Model):
    """Notes, a schema and the people who label them. `slug` names it on the command line, `public_id` in URLs."""

    class Audits(models.TextChoices):
        SHOWN = "shown", "Show what the model says"
        BLIND = "blind", "Hide label and score until decided"

    class Seconds(models.TextChoices):
        OFF = "off", "Nobody"
        ON = "on", "Another reviewer, who is not told"

    class Policy(models.TextChoices):
        BENEFIT = "benefit", "Where a minute of reading finds most that is wrong, note by note"
        LEAST_CERTAIN = "least_certain", "The least certain first"
        RANDOM = "random", "At random"

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    n_readers = models.PositiveSmallIntegerField(default=1, help_text="how many people read each note")
    audits = models.CharField(max_length=20, choices=Audits, default=Audits.SHOWN)
    policy = models.CharField(max_length=20, choices=Policy, default=Policy.BENEFIT)
    blind_percent = models.PositiveSmallIntegerField(default=0, help_text="of the notes, read without suggestions")
    watch_percent = models.PositiveSmallIntegerField(
        default=5, help_text="of what certificates would accept, decided by people all the same"
    )
    decoy_percent = models.PositiveSmallIntegerField(
        default=0, help_text="decoys for a hundred suggestions; reviewers are told where it is not 0"
    )
    seconds = models.CharField(
        max_length=10,
        choices=Seconds,
        default=Seconds.OFF,
        help_text="who decides audits again, of batches frozen from now on",
    )
    second_percent = models.PositiveSmallIntegerField(
        default=10, help_text="of the audits that were found right; those found wrong are all decided again"
    )
    created_at = models.DateTimeField()
    retain_until = models.DateField(null=True, help_text="after this day everything in the project is purged")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(n_readers__gte=1), name="project_has_readers"),
            models.CheckConstraint(
                condition=models.Q(blind_percent__lte=100, watch_percent__gte=1, watch_percent__lte=100),
                name="project_percents",
            ),
            models.CheckConstraint(condition=models.Q(decoy_percent__lte=10), name="project_decoys"),
            models.CheckConstraint(condition=models.Q(second_percent__lte=100), name="project_second_percent"),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    class Role(models.TextChoices):
        LEAD = "lead", "Lead"
        ANNOTATOR = "annotator", "Annotator"
        ADJUDICATOR = "adjudicator", "Adjudicator"
        DATA_SCIENTIST = "data_scientist", "Data scientist"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    away_until = models.DateField(null=True, help_text="the last day on which others read what is assigned to them")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]


class SchemaVersion(models.Model):
    """One immutable version of a project's schema; a change is a new version."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="schema_versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField(help_text="annotator.core.schema.Schema.to_json")
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="schema_version_number")]

    @cached_property
    def schema(self) -> Schema:
        return schema_from_json(self.definition)


class Guideline(models.Model):
    """One immutable version of how a project's labels are to be given, in Markdown, for people and models alike.

    A change is a new version; the newest counts.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="guidelines")
    number = models.PositiveIntegerField()
    text = models.TextField()
    digest = models.CharField(max_length=64, help_text="sha256 of the text")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="guideline_number")]


class Invitation(models.Model):
    """A link that makes whoever follows it first a member, with an account of their own or a new one.

    Only the hash of its token is stored. `created_by` is empty where the command line made it.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="invitations")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    role = models.CharField(max_length=20, choices=Membership.Role)
    token_sha256 = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
