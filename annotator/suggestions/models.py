from __future__ import annotations

from typing import TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q, QuerySet

from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import Guideline, Project, SchemaVersion
from annotator.web.ids import new_public_id

_Row = TypeVar("_Row", bound=models.Model)


class ForReview(models.Manager[_Row]):
    """Those of runs that are for review. What a run for a comparison read is measured and nothing else: to routing, to
    reviewers and to trust it is as if the notes had not been read. Who asks what a labeler has read asks here.
    """

    def __init__(self, *, run: str = "") -> None:
        super().__init__()
        self._purpose = f"{run}__purpose" if run else "purpose"

    def get_queryset(self) -> QuerySet[_Row]:
        return super().get_queryset().filter(**{self._purpose: LabelRun.Purpose.WORK})


class ExamplePool(models.Model):
    """Windows of finished notes with the answers that are right for them, frozen: prompts show the nearest of them.

    A purge may take examples away; a pool that lacks some is used no more, since nothing could be made again with it.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="example_pools")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text="sha256 of texts, items and their order")
    n_examples = models.PositiveIntegerField()
    options = models.JSONField(default=dict, help_text="seed, window, and how many notes were looked at")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["project", "number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="example_pool_number")]


class PromptExample(models.Model):
    """One example of a pool: a window of a note, and its answer's items as `core.prompting` writes them."""

    pool = models.ForeignKey(ExamplePool, on_delete=models.PROTECT, related_name="examples")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    patient_id = models.CharField(max_length=200, blank=True)
    position = models.PositiveIntegerField()
    text = models.TextField()
    items = models.JSONField(default=list)

    class Meta:
        ordering = ["pool", "position"]
        constraints = [models.UniqueConstraint(fields=["pool", "position"], name="prompt_example_position")]


class PoolWish(models.Model):
    """A place in a finished note that a lead wants among the examples of the next pool; the window that holds it comes
    first when a pool is frozen, and is then its `example`.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waits for the next pool"
        USED = "used", "In a pool"
        WITHDRAWN = "withdrawn", "Withdrawn"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="pool_wishes")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    example = models.ForeignKey(PromptExample, on_delete=models.PROTECT, null=True, related_name="wishes")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "start", "end"], condition=Q(status="waiting"), name="pool_wish_once"
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="pool_wish_has_a_place"),
            models.CheckConstraint(
                condition=Q(status="used", example__isnull=False) | (~Q(status="used") & Q(example=None)),
                name="pool_wish_used",
            ),
        ]
        indexes = [models.Index(fields=["project", "status", "id"], name="pool_wish_waiting")]


class Labeler(models.Model):
    """Everything that decides what a model suggests, as one immutable row: a changed prompt is another Labeler."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="labelers")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    backend = models.CharField(max_length=40)
    model_id = models.CharField(max_length=200)
    revision = models.CharField(max_length=64)
    prompt_digest = models.CharField(max_length=64, blank=True)
    decoding = models.JSONField(default=dict, help_text="windows, prompt template and sampling")
    guideline = models.ForeignKey(Guideline, on_delete=models.PROTECT, null=True, related_name="+")
    pool = models.ForeignKey(ExamplePool, on_delete=models.PROTECT, null=True, related_name="+")
    n_examples = models.PositiveSmallIntegerField(default=0, help_text="of the pool, in each prompt")
    digest = models.CharField(max_length=64, help_text="of all of the above but the schema, which has its own")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "schema_version", "digest"], name="labeler_once")]


class ServerPermission(models.Model):
    """A model server on another machine that a project's notes may be sent to, by its name: `https://HOST:PORT`."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    server = models.CharField(max_length=300)
    allowed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "server"], name="server_permission_once")]


class Promotion(models.Model):
    """A lead's word that new runs of a project use this labeler. The newest holds; without one, the installation's."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="promotions")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="promotions")
    previous = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="+")
    comparison = models.CharField(max_length=16, blank=True, help_text="public id of the one that it rests on")
    promoted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    promoted_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="promotion_newest")]


class LabelRun(models.Model):
    """One labeler sent over a set of notes. What a run for a comparison finds is measured, and goes to no reviewer."""

    class Purpose(models.TextChoices):
        WORK = "work", "For review"
        COMPARISON = "comparison", "For a comparison"

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="label_runs")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="runs")
    purpose = models.CharField(max_length=12, choices=Purpose, default=Purpose.WORK)
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    trouble = models.CharField(
        max_length=500, blank=True, help_text="what its notes wait for, where the model is away; never note text"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = models.Manager["LabelRun"]()
    for_review = ForReview["LabelRun"]()

    class Meta:
        ordering = ["project", "-number"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="label_run_number")]


class LabelJob(models.Model):
    """One note of a run. The row is the queue; a Celery message only says that there is work.

    `run_token` and `lease_expires_at` belong to the worker that claimed the note, and fence its commit. A note that was
    read for a comparison counts as routed, to nobody, from then on.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Being read"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    run = models.ForeignKey(LabelRun, on_delete=models.PROTECT, related_name="jobs")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="label_jobs")
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    run_token = models.CharField(max_length=32, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True, help_text="never note text")
    n_suggestions = models.PositiveIntegerField(default=0)
    n_unaligned = models.PositiveIntegerField(default=0)
    n_truncated = models.PositiveIntegerField(default=0, help_text="windows whose answer stayed cut off")
    n_problems = models.PositiveIntegerField(default=0, help_text="parts of answers that could not be read")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    routed_at = models.DateTimeField(null=True)

    objects = models.Manager["LabelJob"]()
    for_review = ForReview["LabelJob"](run="run")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "document"], name="label_job_once")]
        indexes = [
            models.Index(fields=["run", "status"], name="label_job_run_status"),
            models.Index(fields=["status", "lease_expires_at"], name="label_job_lease"),
            models.Index(fields=["run", "finished_at"], name="label_job_rate"),
        ]


class Suggestion(models.Model):
    """A labelled span that a model proposes. What people make of it lives in other tables.

    `score` is the model's raw number. An unaligned suggestion has a quote but no place in the note; it is kept and
    shown, never decided. `audit_key` is a uniform random number that fixes its place in the order of audits.
    """

    class Alignment(models.TextChoices):
        EXACT = "exact"
        NORMALIZED = "normalized"
        FUZZY = "fuzzy"
        UNALIGNED = "unaligned"

    job = models.ForeignKey(LabelJob, on_delete=models.PROTECT, related_name="suggestions")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="suggestions")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    label = models.CharField(max_length=40)
    fragments = models.CharField(max_length=500, blank=True, help_text="'START END;START END', code points")
    start = models.PositiveIntegerField(null=True)
    end = models.PositiveIntegerField(null=True)
    surface = models.TextField(help_text="the model's quote where unaligned")
    attributes = models.JSONField(default=dict)
    alignment = models.CharField(max_length=20, choices=Alignment)
    score = models.FloatField()
    signals = models.JSONField(default=dict)
    audit_key = models.FloatField()

    objects = models.Manager["Suggestion"]()
    for_review = ForReview["Suggestion"](run="job__run")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "label", "fragments"], condition=~Q(fragments=""), name="suggestion_once"
            ),
            models.CheckConstraint(
                condition=Q(alignment="unaligned", start=None, end=None, fragments="")
                | (~Q(alignment="unaligned") & Q(start__gte=0, end__gt=F("start")) & ~Q(fragments="")),
                name="suggestion_has_a_place",
            ),
        ]
        indexes = [models.Index(fields=["document", "label", "fragments"], name="suggestion_span")]

    @property
    def span(self) -> Span:
        """Raises SpanError where the suggestion is unaligned."""
        return Span.parse(self.fragments)


class Candidate(models.Model):
    """A place that only the job's second reader labelled: no suggestion, asked about when a note is all decided."""

    job = models.ForeignKey(LabelJob, on_delete=models.PROTECT, related_name="candidates")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="candidates")
    label = models.CharField(max_length=40)
    fragments = models.CharField(max_length=500, help_text="'START END;START END', code points")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface = models.TextField()
    score = models.FloatField()

    objects = models.Manager["Candidate"]()
    for_review = ForReview["Candidate"](run="job__run")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "label", "fragments"], name="candidate_once"),
            models.CheckConstraint(
                condition=Q(start__gte=0, end__gt=F("start")) & ~Q(fragments=""), name="candidate_has_a_place"
            ),
        ]

    @property
    def span(self) -> Span:
        return Span.parse(self.fragments)
