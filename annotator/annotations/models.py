from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotator.accounts.models import User
from annotator.certificates.models import Certificate
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.projects.models import SchemaVersion
from annotator.suggestions.models import Suggestion
from annotator.web.ids import new_public_id


class AnnotationSet(models.Model):
    """What one reader says about one note; a submitted set with no annotation says that there is nothing.

    `annotator` answers for the set. A note that is taken over keeps its set; each annotation names who made it. Of
    kind *gold* it is what an adjudicator settled from all readings of the note, and stands in their place; of kind
    *trial* what a new annotator said of a note whose reference is known, of kind *second* what a second reader of
    audits said: neither is a reading of the project, and nothing is made of it.

    What certificates accept in a note is part of its reading. It is nobody's until someone takes the note, and then
    theirs.
    """

    class Kind(models.TextChoices):
        READING = "reading"
        GOLD = "gold"
        TRIAL = "trial"
        SECOND = "second"

    class Status(models.TextChoices):
        OPEN = "open", "In progress"
        SUBMITTED = "submitted", "Submitted"

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="annotation_sets")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="annotation_sets"
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.READING)
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    submitted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "annotator"], condition=Q(kind="reading"), name="annotation_set_once"
            ),
            models.UniqueConstraint(
                fields=["document", "annotator"], condition=Q(kind="trial"), name="annotation_set_trial"
            ),
            models.UniqueConstraint(
                fields=["document", "annotator"], condition=Q(kind="second"), name="annotation_set_second"
            ),
            models.UniqueConstraint(fields=["document"], condition=Q(kind="gold"), name="annotation_set_gold"),
            models.UniqueConstraint(fields=["document"], condition=Q(annotator=None), name="annotation_set_of_nobody"),
            models.CheckConstraint(
                condition=Q(annotator__isnull=False) | Q(kind="reading"), name="annotation_set_annotator"
            ),
        ]
        indexes = [models.Index(fields=["document", "status"], name="annotation_set_status")]

    @property
    def reader(self) -> User:
        """Whose it is. Raises ValueError where it is nobody's yet."""
        if self.annotator is None:
            raise ValueError("nobody has taken this note yet")
        return self.annotator


# The kinds that are no reading of the project, whatever is read of it.
APART = (AnnotationSet.Kind.TRIAL, AnnotationSet.Kind.SECOND)


class Annotation(models.Model):
    """A labelled span that a person asserts, or that was accepted under a certificate.

    Rows do not change but for `status`: an edit withdraws one and adds another, so that undo and history lose nothing.
    """

    class Stage(models.TextChoices):
        BASE = "base"
        REFINED = "refined"
        ADJUDICATED = "adjudicated"

    class Status(models.TextChoices):
        LIVE = "live"
        WITHDRAWN = "withdrawn"

    set = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, null=True, related_name="annotations")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    origin = models.ForeignKey(Suggestion, on_delete=models.PROTECT, null=True, related_name="annotations")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    first_version = models.CharField(max_length=16, blank=True, help_text="public id; empty in the first itself")
    label = models.CharField(max_length=40)
    fragments = models.CharField(max_length=500, help_text="'START END;START END', code points")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface = models.TextField()
    surface_key = models.CharField(max_length=32, help_text="core.surfaces.surface_key")
    attributes = models.JSONField(default=dict)
    stage = models.CharField(max_length=20, choices=Stage, default=Stage.BASE)
    status = models.CharField(max_length=20, choices=Status, default=Status.LIVE)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["set", "label", "fragments"], condition=Q(status="live"), name="annotation_once"
            ),
            models.CheckConstraint(condition=Q(start__gte=0, end__gt=F("start")), name="annotation_has_a_place"),
            models.CheckConstraint(
                condition=Q(annotator__isnull=False, certificate=None)
                | Q(annotator=None, certificate__isnull=False, origin__isnull=False),
                name="annotation_source",
            ),
        ]
        indexes = [
            models.Index(fields=["set", "status"], name="annotation_live"),
            models.Index(fields=["first_version"], condition=~Q(first_version=""), name="annotation_versions"),
            models.Index(fields=["surface_key", "status", "created_at"], name="annotation_surface"),
            models.Index(fields=["annotator", "surface_key", "status", "created_at"], name="annotation_surface_own"),
        ]

    @property
    def span(self) -> Span:
        return Span.parse(self.fragments)

    @property
    def person(self) -> User:
        """Who asserts it. Raises ValueError where a certificate does."""
        if self.annotator is None:
            raise ValueError("a certificate asserts this, no person")
        return self.annotator

    @property
    def thread(self) -> str:
        """What all versions of it have in common: the first one's public id."""
        return self.first_version or self.public_id


class Relation(models.Model):
    """A typed tie from one span of a set to another, as a person asserts it.

    Its ends are threads, so that it stays where one of its spans is edited. Rows change in `status` only.
    """

    set = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="relations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    type = models.CharField(max_length=40)
    head = models.CharField(max_length=16, help_text="thread of the annotation that it goes from")
    tail = models.CharField(max_length=16, help_text="thread of the annotation that it goes to")
    status = models.CharField(max_length=20, choices=Annotation.Status, default=Annotation.Status.LIVE)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["set", "type", "head", "tail"], condition=Q(status="live"), name="relation_once"
            ),
            models.CheckConstraint(condition=~Q(head=F("tail")), name="relation_of_two_spans"),
        ]
        indexes = [models.Index(fields=["set", "status"], name="relation_live")]


class DocumentValue(models.Model):
    """The value of a document label that a person gives the note as a whole. Rows change in `status` only."""

    set = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="document_values")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=40, help_text="of the document label")
    value = models.CharField(max_length=40)
    status = models.CharField(max_length=20, choices=Annotation.Status, default=Annotation.Status.LIVE)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["set", "name"], condition=Q(status="live"), name="document_value_once")
        ]


class Comment(models.Model):
    """What a person says about a span, or about the note as a whole, while they read it.

    A span is named by its annotation's thread or by its suggestion; where both are empty the note is meant. Flags and
    discussions may go without words.
    """

    class Kind(models.TextChoices):
        COMMENT = "comment", "Comment"
        FLAG = "flag", "Flag"
        DISCUSS = "discuss", "To discuss"

    class Status(models.TextChoices):
        OPEN = "open"
        WITHDRAWN = "withdrawn"

    set = models.ForeignKey(AnnotationSet, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    thread = models.CharField(max_length=16, blank=True, help_text="of the annotation that is meant")
    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, null=True, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    body = models.CharField(max_length=2000, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["set", "status"], name="comment_of_set")]
