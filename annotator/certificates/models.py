"""What is known of how far a labeler can be trusted: rows only. `routing` runs the process that writes them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotator.projects.models import Project
from annotator.suggestions.models import Labeler, Suggestion
from annotator.web.ids import new_public_id


class AcceptanceTarget(models.Model):
    """What a lead wants of suggestions that are accepted without review. Rows are never changed: the newest of a label
    counts, and a label without one is off.

    `label` is empty for all labels together that have none of their own.
    """

    class Status(models.TextChoices):
        ON = "on", "On"
        OFF = "off", "Off"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="acceptance_targets")
    label = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=10, choices=Status)
    target = models.FloatField(help_text="share of the accepted that is to be right, above 0 and below 1")
    delta = models.FloatField(help_text="how likely a certificate may be false")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(target__gt=0, target__lt=1, delta__gt=0, delta__lt=1), name="acceptance_target_shares"
            )
        ]
        indexes = [models.Index(fields=["project", "label", "-id"], name="acceptance_target_newest")]


class Calibrator(models.Model):
    """What turns a labeler's scores into confidence, as it was fitted on decided suggestions: an immutable version.

    One of a labeler is current. One that was fitted while a test rests on the current one is *offered*: a lead adopts
    it, which ends what rests on the other.
    """

    class Status(models.TextChoices):
        CURRENT = "current", "In use"
        OFFERED = "offered", "Offered"
        REPLACED = "replaced", "Replaced"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="calibrators")
    labeler = models.ForeignKey(Labeler, on_delete=models.PROTECT, related_name="calibrators")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, help_text="platt or isotonic")
    curves = models.JSONField(help_text="core.calibration.Calibration.to_json")
    report = models.JSONField(default=dict, help_text="what it is worth on decisions that it did not see")
    n_cases = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status)
    applied_to = models.PositiveBigIntegerField(
        null=True, default=0, help_text="the last note whose spans have its confidence; empty when all have"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", help_text="empty: by count"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="calibrator_number"),
            models.UniqueConstraint(fields=["labeler"], condition=Q(status="current"), name="calibrator_current"),
        ]


class FitWish(models.Model):
    """That a lead wants a calibrator fitted on what is decided by now. The fit takes it away.

    `begun_at` is when a worker took it up; where that is long ago and the wish still there, the worker is gone.
    """

    labeler = models.OneToOneField(Labeler, on_delete=models.PROTECT, related_name="fit_wish")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)


class CalibratorCase(models.Model):
    """A decided suggestion that a calibrator was fitted on: no test of its labeler may rest on it again."""

    calibrator = models.ForeignKey(Calibrator, on_delete=models.PROTECT, related_name="cases")
    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, related_name="+")
    is_right = models.BooleanField(help_text="whether the reviewer took it unchanged")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["calibrator", "suggestion"], name="calibrator_case_once")]


class Batch(models.Model):
    """A frozen set of undecided suggestions on which a promise is tested: its members, their random order and its
    regions are fixed before any of them is read.

    `label` is that of its target: empty for all that have none of their own. The promise is the batch's own copy.
    `looked_at` is empty while its spans are to be held, and `ended_at` while some are to be released. Where nothing was
    to be gained it ended as it began, without a member.
    """

    class Status(models.TextChoices):
        TESTING = "testing", "Being audited"
        SETTLED = "settled", "Audited"
        ENDED = "ended", "Ended"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="batches")
    calibrator = models.ForeignKey(Calibrator, on_delete=models.PROTECT, related_name="batches")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=40, blank=True)
    target = models.FloatField()
    delta = models.FloatField()
    status = models.CharField(max_length=10, choices=Status, default=Status.TESTING)
    reason = models.CharField(max_length=40, blank=True, help_text="why it is no longer tested, as a code")
    second_percent = models.PositiveSmallIntegerField(
        null=True,
        help_text="of audits found right, decided by a second reader as those found wrong; empty: no second reader",
    )
    plan = models.JSONField(default=dict, help_text="seed, planned size, and what was expected of it")
    n_members = models.PositiveIntegerField()
    frozen_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True, help_text="when the evidence was counted last")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="batch_number"),
            models.UniqueConstraint(
                fields=["calibrator", "label"], condition=~Q(status="ended"), name="batch_one_at_a_time"
            ),
        ]


class BatchMember(models.Model):
    """A suggestion of a frozen batch: its confidence and rank then, the most confident first, and its random place in
    the order of audits, drawn for this batch; and by `second_key`, whether a second reader decides it if it is found
    right, drawn with it.

    `outcome` is what people decided, as the last look found it: by the second reader's word where there is one, and
    empty while it is waited for.
    """

    class Outcome(models.TextChoices):
        RIGHT = "right"
        WRONG = "wrong"

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="members")
    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, related_name="+")
    rank = models.PositiveIntegerField(help_text="1 is the most confident")
    confidence = models.FloatField()
    audit_key = models.FloatField()
    second_key = models.FloatField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "suggestion"], name="batch_member_once"),
            models.UniqueConstraint(fields=["batch", "rank"], name="batch_member_rank"),
        ]
        indexes = [models.Index(fields=["batch", "audit_key"], name="batch_member_order")]


class Region(models.Model):
    """A rung of a batch's ladder: its `size` most confident members. `place` is the order in which rungs are claimed.

    Counts and evidence are those of the last look. A region that has passed at any look has for good, unless a decision
    is corrected: all looks are counted again from the start.
    """

    class Chain(models.TextChoices):
        A = "A"
        B = "B"

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="regions")
    place = models.PositiveSmallIntegerField()
    chain = models.CharField(max_length=1, choices=Chain)
    size = models.PositiveIntegerField()
    threshold = models.FloatField(help_text="confidence of its last member")
    n_audited = models.PositiveIntegerField(default=0, help_text="of the longest decided prefix of the random order")
    n_wrong = models.PositiveIntegerField(default=0)
    log_evidence = models.FloatField(null=True, help_text="empty while there is none")
    lower_bound = models.FloatField(null=True, help_text="of its precision, at the confidence of its chain")
    passed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "place"], name="region_place"),
            models.CheckConstraint(
                condition=Q(size__gte=1, n_audited__lte=F("size"), n_wrong__lte=F("n_audited")), name="region_counts"
            ),
        ]


class Certificate(models.Model):
    """The statement that a region has earned, and what was accepted under it.

    It is extended by a larger region of the same batch. While it is live, later suggestions above its threshold are
    accepted as an extrapolation, some of them watched. Revoked, everything accepted under it is withdrawn; *revoking*
    until that is done. Ended, it accepts nothing more. `watched_at` is empty while its region is to be accepted.
    """

    class Status(models.TextChoices):
        LIVE = "live", "Certified"
        REVOKING = "revoking", "Being withdrawn"
        REVOKED = "revoked", "Revoked"
        ENDED = "ended", "Ended"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="certificates")
    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, related_name="certificate")
    region = models.ForeignKey(Region, on_delete=models.PROTECT, related_name="+")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.LIVE)
    reason = models.CharField(max_length=40, blank=True, help_text="why it is no longer live, as a code")
    n_audited = models.PositiveIntegerField(help_text="in its region when it was granted or extended last")
    n_wrong = models.PositiveIntegerField()
    n_accepted = models.PositiveIntegerField(default=0, help_text="of its region")
    n_extrapolated = models.PositiveIntegerField(default=0, help_text="of later suggestions")
    n_watched = models.PositiveIntegerField(default=0, help_text="decided audits since it was granted")
    n_watched_wrong = models.PositiveIntegerField(default=0)
    log_watch = models.FloatField(default=0.0, help_text="evidence that its precision is below the target")
    granted_at = models.DateTimeField()
    extended_at = models.DateTimeField(null=True)
    watched_at = models.DateTimeField(null=True, help_text="when that evidence was counted last")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="certificate_number")]
        indexes = [models.Index(fields=["project", "status"], name="certificate_status")]


class WatchedSuggestion(models.Model):
    """A suggestion that a live certificate would have accepted, drawn at random for a person to decide.

    Their row ids are the order in which they count.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="watched")
    suggestion = models.ForeignKey(Suggestion, on_delete=models.PROTECT, related_name="+")
    second_key = models.FloatField(null=True)
    outcome = models.CharField(max_length=10, choices=BatchMember.Outcome, blank=True)
    drawn_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["certificate", "suggestion"], name="watched_suggestion_once")]
