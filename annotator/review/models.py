from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.annotations.models import Annotation, DocumentValue, Relation
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import Suggestion
from annotator.web.ids import new_public_id

# Reasons that are not routing's: why an item was closed without a decision, or came back.
SUPERSEDED = "superseded"
INHERITED = "inherited"
LATE = "late"
UNSEEN = "unseen"
# Of a note that was read blind and submitted once: its suggestions are shown from then on.
REVEALED = "revealed"


class ReviewItem(models.Model):
    """What is leased and decided.

    Each note has one item of unit *note* for every reader (`slot` 1..n). It carries the lease: who holds it decides
    the span items of the same note and slot. `version` grows with every change, and every change names the version
    it saw. `confidence` stays empty until a calibrator has turned the suggestion's score into one. Of a span,
    `priority` is how uncertain it is, and `audit_key` the suggestion's: an index gives the project's next by either.
    `project` is the note's, and moves with it when a purge takes the note (`purges.services`).
    """

    class Unit(models.TextChoices):
        NOTE = "note"
        SPAN = "span"

    class Stream(models.TextChoices):
        UNCERTAIN = "uncertain"
        AUDIT = "audit"
        BLIND = "blind"

    class Status(models.TextChoices):
        OPEN = "open"
        DECIDED = "decided"
        CLOSED = "closed"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="review_items")
    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, null=True, related_name="review_items")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    unit = models.CharField(max_length=10, choices=Unit)
    slot = models.PositiveSmallIntegerField(default=1)
    stream = models.CharField(max_length=20, choices=Stream, default=Stream.UNCERTAIN)
    reason = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.OPEN)
    confidence = models.FloatField(null=True)
    priority = models.FloatField(default=0.0, help_text="higher is served first")
    audit_key = models.FloatField(null=True)
    version = models.PositiveIntegerField(default=1)
    skipped_at = models.DateTimeField(null=True)
    leased_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    lease_expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["suggestion", "slot"], condition=Q(suggestion__isnull=False), name="review_item_of_span"
            ),
            models.UniqueConstraint(fields=["document", "slot"], condition=Q(unit="note"), name="review_item_of_note"),
            models.CheckConstraint(
                condition=Q(unit="note", suggestion=None) | Q(unit="span", suggestion__isnull=False),
                name="review_item_unit",
            ),
        ]
        indexes = [
            models.Index(fields=["document", "slot", "unit", "status"], name="review_item_queue"),
            models.Index(fields=["project", "unit", "status", "-priority"], name="review_item_next"),
            models.Index(
                fields=["project", "stream", "audit_key"],
                condition=Q(unit="span", status="open", skipped_at=None),
                name="review_item_audit",
            ),
            models.Index(
                fields=["leased_by", "project", "unit", "status"],
                condition=Q(leased_by__isnull=False),
                name="review_item_held",
            ),
        ]


class Decision(models.Model):
    """One thing a reviewer did, append-only. `idempotency_key` makes a repeat answer with the first result.

    `withdrew` and `made` are the annotations before and after, and so for relations and the values of document labels;
    undo swaps them back. A redo has the verdict of what it does again. What was dismissed is no annotation and no item:
    its label and place stand here. `project` is that of the note.
    """

    class Verdict(models.TextChoices):
        ACCEPT = "accept"
        REJECT = "reject"
        EDIT = "edit"
        ADD = "add"
        SKIP = "skip"
        RELATE = "relate"
        UNRELATE = "unrelate"
        CLASSIFY = "classify"
        DISMISS = "dismiss"
        UNDO = "undo"
        NOTE_DONE = "note_done"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    note_item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="decisions_on_note")
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, null=True, related_name="decisions")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=20, choices=Verdict)
    stream = models.CharField(max_length=20, help_text="stream of the item, or 'unasked'")
    withdrew = models.ForeignKey(Annotation, on_delete=models.PROTECT, null=True, related_name="+")
    made = models.ForeignKey(Annotation, on_delete=models.PROTECT, null=True, related_name="+")
    withdrew_relation = models.ForeignKey(Relation, on_delete=models.PROTECT, null=True, related_name="+")
    made_relation = models.ForeignKey(Relation, on_delete=models.PROTECT, null=True, related_name="+")
    withdrew_value = models.ForeignKey(DocumentValue, on_delete=models.PROTECT, null=True, related_name="+")
    made_value = models.ForeignKey(DocumentValue, on_delete=models.PROTECT, null=True, related_name="+")
    dismissed_label = models.CharField(max_length=40, blank=True)
    dismissed_fragments = models.CharField(max_length=500, blank=True)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    redoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="redone_by")
    batch = models.CharField(max_length=64, blank=True, help_text="decisions that are undone as one")
    active_seconds = models.FloatField(null=True, help_text="of the reviewer's work on it, as the page measured it")
    idempotency_key = models.CharField(max_length=64, unique=True)
    asked_sha256 = models.CharField(max_length=64, help_text="of the act in the words of who asked for it")
    decided_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["note_item", "reviewer", "-id"], name="decision_of_note"),
            models.Index(fields=["batch"], condition=~Q(batch=""), name="decision_of_batch"),
            models.Index(fields=["reviewer", "decided_at"], name="decision_of_reviewer"),
            models.Index(fields=["project", "reviewer", "decided_at"], name="decision_in_project"),
        ]
