from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
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
# Of a note that was done and has to ask about some of its spans after all: it is done again when they are decided.
ASKED_AGAIN = "asked_again"
# The slots from here on are of trials.
FIRST_TRIAL = 1000


class Round(models.Model):
    """Notes that are read together: by how many people each, by whom, and until when.

    Its note items say who reads which note. `seed` is what the draw can be made again from.
    """

    class Assistance(models.TextChoices):
        SHOWN = "shown", "Everybody sees the suggestions"
        HIDDEN = "hidden", "Nobody sees them until the note is submitted"
        MIXED = "mixed", "One reader of each note, drawn at random, reads without"

    class Draw(models.TextChoices):
        STRATIFIED = "stratified", "Each note type in proportion, a patient's notes with the same readers"
        RANDOM = "random", "At random, whatever type or patient"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="rounds")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120, blank=True)
    n_readers = models.PositiveSmallIntegerField(help_text="how many people read each note")
    assistance = models.CharField(max_length=20, choices=Assistance, default=Assistance.SHOWN)
    draw = models.CharField(max_length=20, choices=Draw, default=Draw.STRATIFIED)
    seed = models.PositiveIntegerField()
    due_on = models.DateField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number"),
            models.CheckConstraint(condition=Q(n_readers__gte=1, n_readers__lte=10), name="round_has_readers"),
        ]

    def is_overdue(self, today: date) -> bool:
        """Whether what is left of it is late."""
        return self.due_on is not None and self.due_on < today


class RoundReader(models.Model):
    """Who reads in a round, and may take over what others of it hand back. `n_notes` is what was asked of them at the
    start: empty for an equal share.
    """

    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="readers")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    n_notes = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["round", "user"], name="round_reader_once")]


class ReviewItem(models.Model):
    """What is leased and decided.

    Each note has one item of unit *note* for every reader (`slot` 1..n). It carries the lease: who holds it decides
    the span items of the same note and slot. A note that a new annotator tries is an item of unit *trial*, in a slot of
    its own above FIRST_TRIAL, whose spans are of unit *trial span*: whatever asks for notes and spans sees neither, and
    nobody else is ever given it. `version` grows with every change, and every change names the version
    it saw. `confidence` stays empty until a calibrator has turned the suggestion's score into one. A
    span is *held* while a test decides whether it may be accepted without review, and *certified* once it was: nobody
    is asked, and whoever reads the note may decide it all the same. A note that certificates alone have finished is
    *decided* and leased by nobody. Of a span,
    `priority` is how uncertain it is, and `audit_key` the suggestion's: an index gives the project's next by either. Of
    a note, `priority` is what a minute of reading finds, and `audit_key` the note's `blind_key`: see `review.policies`.
    `project` is the note's, and moves with it when a purge takes the note (`purges.services`).

    A note item of a `round` is for `assigned_to`; for any other reader of the round where that is empty, but for who
    handed it back. `review.leases.is_for` is the rule.
    """

    class Unit(models.TextChoices):
        NOTE = "note"
        SPAN = "span"
        TRIAL = "trial"
        TRIAL_SPAN = "trial_span"

    class Stream(models.TextChoices):
        UNCERTAIN = "uncertain"
        AUDIT = "audit"
        BLIND = "blind"

    class Status(models.TextChoices):
        OPEN = "open"
        HELD = "held"
        CERTIFIED = "certified"
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
    round = models.ForeignKey(Round, on_delete=models.PROTECT, null=True, related_name="items", db_index=False)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    handed_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["suggestion", "slot"], condition=Q(suggestion__isnull=False), name="review_item_of_span"
            ),
            models.UniqueConstraint(
                fields=["document", "slot"], condition=Q(unit__in=["note", "trial"]), name="review_item_of_note"
            ),
            models.UniqueConstraint(
                fields=["document", "assigned_to"],
                condition=Q(unit="note", assigned_to__isnull=False),
                name="review_item_once_a_reader",
            ),
            models.CheckConstraint(
                condition=Q(unit="note", round__isnull=False) | Q(assigned_to=None, handed_back_by=None, round=None),
                name="review_item_of_round",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=["note", "trial"], suggestion=None)
                | Q(unit__in=["span", "trial_span"], suggestion__isnull=False),
                name="review_item_unit",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=["note", "span"], slot__lt=FIRST_TRIAL)
                | Q(unit__in=["trial", "trial_span"], slot__gte=FIRST_TRIAL),
                name="review_item_slot",
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
                fields=["project", "stream", "audit_key"],
                condition=Q(unit="note", status="open", skipped_at=None),
                name="review_item_random",
            ),
            models.Index(
                fields=["leased_by", "project", "unit", "status"],
                condition=Q(leased_by__isnull=False),
                name="review_item_held",
            ),
            models.Index(
                fields=["round", "assigned_to", "status"], condition=Q(round__isnull=False), name="review_item_round"
            ),
            models.Index(
                fields=["assigned_to", "status"], condition=Q(assigned_to__isnull=False), name="review_item_reader"
            ),
        ]

    @property
    def is_trial(self) -> bool:
        return self.unit == ReviewItem.Unit.TRIAL

    @property
    def set_kind(self) -> AnnotationSet.Kind:
        """What the sets are that this note item is worked on in."""
        return AnnotationSet.Kind.TRIAL if self.is_trial else AnnotationSet.Kind.READING

    def is_read_by(self, user: User) -> bool:
        """Whether the note is this person's: they took it last, and it was not given to others of its round since."""
        return self.leased_by_id == user.pk and (self.round_id is None or self.assigned_to_id == user.pk)


# The units that wait for no reader of a note.
OF_NO_READER = (ReviewItem.Unit.SPAN, ReviewItem.Unit.TRIAL, ReviewItem.Unit.TRIAL_SPAN)


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
