from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet, DocumentValue, Relation
from annotator.certificates.models import Batch, BatchMember
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project
from annotator.suggestions.models import LabelJob, Suggestion
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
# In the place of a decision's stream, where nobody had asked.
UNASKED = "unasked"
# The slots from here on are of no readers of the note: of trials, and of second readers of audits.
FIRST_APART = 1000
# The stream of decisions on decoys, by which whatever counts decisions leaves them out.
ON_DECOY = "decoy"


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

    @property
    def work(self) -> RoundJob | None:
        """The job that makes it or takes it back; None where it is under way."""
        return getattr(self, "under_work", None)

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


class RoundJob(models.Model):
    """A job that makes a round, or takes it back. While it is there nobody reads in the round, whomever its notes are
    assigned to already. `documents` are the row ids of the notes that were chosen.
    """

    class Task(models.TextChoices):
        MAKE = "make"
        UNDO = "undo"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    round = models.OneToOneField(Round, on_delete=models.PROTECT, related_name="under_work")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="+")
    task = models.CharField(max_length=10, choices=Task)
    documents = models.JSONField(default=list)


class ReviewItem(models.Model):
    """What is leased and decided.

    Each note has one item of unit *note* for every reader (`slot` 1..n). It carries the lease: who holds it decides
    the span items of the same note and slot. A note that a new annotator tries is an item of unit *trial*, in a slot of
    its own above FIRST_APART, whose spans are of unit *trial span*: whatever asks for notes and spans sees neither, and
    nobody else is ever given it. A `Decoy` has an item of unit *decoy*: its reader is asked as about a span, and
    whatever counts, tests or learns from spans does not see it. Who decides audits of the note again has an item of
    unit *second* in a slot above FIRST_APART too, and items of unit *second span* for all that was suggested in it:
    those to be decided are open audits, the others held. `version` grows with every change, and every change
    names the version it saw. `confidence` stays empty until a calibrator has turned the suggestion's score into one. A
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
        DECOY = "decoy"
        SECOND = "second"
        SECOND_SPAN = "second_span"

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
    unit = models.CharField(max_length=20, choices=Unit)
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
                fields=["document", "slot"],
                condition=Q(unit__in=["note", "trial", "second"]),
                name="review_item_of_note",
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
                condition=Q(unit__in=["note", "trial", "decoy", "second"], suggestion=None)
                | Q(unit__in=["span", "trial_span", "second_span"], suggestion__isnull=False),
                name="review_item_unit",
            ),
            models.CheckConstraint(
                condition=Q(unit__in=["note", "span", "decoy"], slot__lt=FIRST_APART)
                | Q(unit__in=["trial", "trial_span", "second", "second_span"], slot__gte=FIRST_APART),
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
    def is_second(self) -> bool:
        return self.unit == ReviewItem.Unit.SECOND

    @property
    def asked(self) -> Suggestion | Decoy | None:
        """What a span item asks about; None of a note."""
        return self.decoy if self.unit == ReviewItem.Unit.DECOY else self.suggestion

    @property
    def set_kind(self) -> AnnotationSet.Kind:
        """What the sets are that this note item is worked on in."""
        if self.is_second:
            return AnnotationSet.Kind.SECOND
        return AnnotationSet.Kind.TRIAL if self.is_trial else AnnotationSet.Kind.READING

    def is_read_by(self, user: User) -> bool:
        """Whether the note is this person's: they took it last, and it was not given to others of its round since."""
        return self.leased_by_id == user.pk and (self.round_id is None or self.assigned_to_id == user.pk)


# The units that wait for no reader of a note. A second reader of audits is one, whom others must not sway.
OF_NO_READER = (
    *(ReviewItem.Unit.SPAN, ReviewItem.Unit.TRIAL, ReviewItem.Unit.TRIAL_SPAN),
    *(ReviewItem.Unit.DECOY, ReviewItem.Unit.SECOND_SPAN),
)
# Notes as somebody reads them in earnest, and what counts as no reading of the project.
IN_HAND = (ReviewItem.Unit.NOTE, ReviewItem.Unit.SECOND)
APART = (ReviewItem.Unit.TRIAL, ReviewItem.Unit.SECOND)
# The units that the reader of a note is asked about.
ASKED_OF_READER = (ReviewItem.Unit.SPAN, ReviewItem.Unit.DECOY)


class _Place(models.Model):
    """A label on words of a note, as `Suggestion` and `Annotation` have it."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    label = models.CharField(max_length=40)
    fragments = models.CharField(max_length=500, help_text="'START END;START END', code points")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface = models.TextField()
    attributes = models.JSONField(default=dict)

    class Meta:
        abstract = True

    @property
    def span(self) -> Span:
        return Span.parse(self.fragments)


class Decoy(_Place):
    """A suggestion that nobody made: words that the project never labelled, with a label and all that a suggestion of
    the note's `job` would have, which shows whether its reader looks. Accepting it makes no annotation.

    When the note is submitted first, its reader is told (`told_at`), and who did what is kept as it is then.
    """

    class Answer(models.TextChoices):
        REJECTED = "rejected", "rejected"
        ACCEPTED = "accepted", "accepted"
        CHANGED = "changed", "changed"

    item = models.OneToOneField(ReviewItem, on_delete=models.CASCADE, related_name="decoy")
    job = models.ForeignKey(LabelJob, on_delete=models.PROTECT, related_name="+")
    score = models.FloatField()
    signals = models.JSONField(default=dict)
    answer = models.CharField(max_length=10, choices=Answer, blank=True)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(start__gte=0, end__gt=F("start")), name="decoy_has_a_place"),
            models.CheckConstraint(
                condition=Q(told_at=None, answer="", answered_by=None)
                | (Q(told_at__isnull=False, answered_by__isnull=False) & ~Q(answer="")),
                name="decoy_is_told",
            ),
        ]

    alignment = Suggestion.Alignment.EXACT

    @property
    def thread(self) -> str:
        """What comments on it and on what was made of it name."""
        return self.public_id

    @property
    def origin_id(self) -> None:
        """It comes from no suggestion."""


class DecoyAnswer(_Place):
    """What a reader who accepted or changed a decoy sees in their note, in the place of an annotation, until they are
    told. As with annotations, rows change in `status` only.
    """

    decoy = models.ForeignKey(Decoy, on_delete=models.PROTECT, related_name="answers")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=20, choices=Annotation.Status, default=Annotation.Status.LIVE)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["decoy"], condition=Q(status="live"), name="decoy_answer_once"),
            models.CheckConstraint(condition=Q(start__gte=0, end__gt=F("start")), name="decoy_answer_has_a_place"),
        ]

    stage = Annotation.Stage.BASE

    @property
    def origin(self) -> Decoy:
        return self.decoy

    @property
    def origin_id(self) -> None:
        """It comes from no suggestion."""

    @property
    def thread(self) -> str:
        return self.decoy.thread

    @property
    def person(self) -> User:
        return self.annotator


class SecondRead(models.Model):
    """An audited suggestion that a second reader decides, or decided; and what the first had said when it was asked.

    Without an `item` nobody was left who could decide it without knowing the first's word, which then counts. `outcome`
    is the second's, as the last look found it, and empty until then.
    """

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="second_reads")
    suggestion = models.OneToOneField(Suggestion, on_delete=models.PROTECT, related_name="+")
    item = models.OneToOneField(ReviewItem, on_delete=models.PROTECT, null=True, related_name="second_read")
    first = models.CharField(max_length=10, choices=BatchMember.Outcome)
    outcome = models.CharField(max_length=10, choices=BatchMember.Outcome, blank=True)
    asked_at = models.DateTimeField()


class Barred(models.Model):
    """Somebody who may not be the second reader of a note: they decided there first, or have had it in hand since."""

    item = models.ForeignKey(ReviewItem, on_delete=models.CASCADE, related_name="barred")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "user"], name="barred_once")]


class Decision(models.Model):
    """One thing a reviewer did, append-only. `idempotency_key` makes a repeat answer with the first result.

    `withdrew` and `made` are the annotations before and after, and so for relations, the values of document labels and
    what stands for an annotation of a decoy; undo swaps them back. A redo has the verdict of what it does again. What
    was dismissed is no annotation and no item: its label and place stand here. `project` is that of the note.
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
    stream = models.CharField(max_length=20, help_text="stream of the item, 'unasked', or 'decoy'")
    withdrew = models.ForeignKey(Annotation, on_delete=models.PROTECT, null=True, related_name="+")
    made = models.ForeignKey(Annotation, on_delete=models.PROTECT, null=True, related_name="+")
    withdrew_relation = models.ForeignKey(Relation, on_delete=models.PROTECT, null=True, related_name="+")
    made_relation = models.ForeignKey(Relation, on_delete=models.PROTECT, null=True, related_name="+")
    withdrew_value = models.ForeignKey(DocumentValue, on_delete=models.PROTECT, null=True, related_name="+")
    made_value = models.ForeignKey(DocumentValue, on_delete=models.PROTECT, null=True, related_name="+")
    withdrew_answer = models.ForeignKey(DecoyAnswer, on_delete=models.PROTECT, null=True, related_name="+")
    made_answer = models.ForeignKey(DecoyAnswer, on_delete=models.PROTECT, null=True, related_name="+")
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

    @property
    def taken(self) -> Annotation | DecoyAnswer | None:
        """What stood in the note before, and does not any more."""
        return self.withdrew or self.withdrew_answer

    @property
    def put(self) -> Annotation | DecoyAnswer | None:
        """What stands in the note since."""
        return self.made or self.made_answer
