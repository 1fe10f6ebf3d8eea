from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.core.agreement import Kind, Pair
from annotator.core.differences import DifferenceKind
from annotator.documents.models import Document
from annotator.projects.models import Project
from annotator.suggestions.models import Labeler
from annotator.web.ids import new_public_id

# What a labeler's row id follows where a pair names it; people go by theirs alone, padded, so that they keep its order.
MODEL = "model-"


def person_key(user_id: int) -> str:
    return f"{user_id:010}"


class Adjudication(models.Model):
    """A note that several people have read, on its way to gold.

    It waits while another reader is still to come. `version` grows with every change, and every change names the one it
    saw. `n_cases` and `n_settled` are empty until someone has opened it: cases that readers agree on are not counted.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waits for a reader"
        OPEN = "open", "To adjudicate"
        DONE = "done", "Gold"

    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="adjudication")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    status = models.CharField(max_length=10, choices=Status)
    leased_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    lease_expires_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    n_cases = models.PositiveIntegerField(null=True)
    n_settled = models.PositiveIntegerField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at=None)),
                name="adjudication_done",
            )
        ]
        indexes = [models.Index(fields=["status", "document"], name="adjudication_status")]


class ReaderPair(models.Model):
    """Two who read the same notes, as `core.agreement.Pair` has them; `key` is that pair in words, rows' ids for names.

    Of a pair of annotators both readers are people; of kind *labeler* b is the labeler; of kind *gold*, a is gold, and
    b a person or a labeler.
    """

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="reader_pairs")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    key = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in Kind])
    reader_a = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reader_b = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="reader_pair_once")]

    @property
    def pair(self) -> Pair:
        kind, a, b = self.key.split(" ")
        return Pair(Kind(kind), a, b)


class Comparison(models.Model):
    """What a pair's readings of one note have in common, counted: tallies by label, which add up over notes.

    Written by `readings.comparing` alone, which makes a note's rows anew whenever its readings change. `at` is when the
    later of the two was done, `patient` the same number for all notes of a patient.
    """

    pair = models.ForeignKey(ReaderPair, on_delete=models.PROTECT, related_name="comparisons")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    patient = models.PositiveIntegerField()
    counts = models.JSONField(default=dict, help_text="by label: spans of a, of b, pairs that are equal, that overlap")
    ratings = models.JSONField(default=dict, help_text="core.tallies, of the two; empty where one is a labeler")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "pair"], name="comparison_once")]
        indexes = [models.Index(fields=["project", "id"], name="comparison_newest")]


class Difference(models.Model):
    """A place where two people, or one and gold, say different things: `core.differences`, offsets and no text.

    `surface_key` is that of the words there, as annotations have it.
    """

    pair = models.ForeignKey(ReaderPair, on_delete=models.PROTECT, related_name="differences", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+", db_index=False)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in DifferenceKind])
    label_a = models.CharField(max_length=40, blank=True, help_text="empty where a marks nothing")
    label_b = models.CharField(max_length=40, blank=True, help_text="empty where b marks nothing")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface_key = models.CharField(max_length=32, help_text="core.surfaces.surface_key")
    cost = models.PositiveSmallIntegerField(help_text="how many of the spans find no equal one")
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["project", "-cost", "-at", "id"], name="difference_cost"),
            models.Index(fields=["pair", "-cost", "-at", "id"], name="difference_of_pair"),
            models.Index(fields=["project", "label_a", "label_b", "-cost", "-at", "id"], name="difference_of_labels"),
            models.Index(fields=["project", "label_a", "-cost", "-at", "id"], name="difference_of_a"),
            models.Index(fields=["project", "label_b", "-cost", "-at", "id"], name="difference_of_b"),
            models.Index(fields=["project", "surface_key", "label_a", "label_b"], name="difference_of_surface"),
            models.Index(fields=["project", "-id"], name="difference_newest"),
        ]


class TokenRatings(models.Model):
    """How the readers of one note rate it together: tokens, attributes, labels of the note, as `core.tallies` has it.

    `ratings` is empty in a row that is older than they are: `readings.comparing.compare_older` compares its note anew.
    """

    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="token_ratings")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    patient = models.PositiveIntegerField()
    ratings = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], condition=Q(ratings__isnull=True), name="token_ratings_older")]
