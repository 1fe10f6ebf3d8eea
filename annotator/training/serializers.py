"""Trainings as the REST API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from annotator.jobs.models import Job
from annotator.training.models import TrainingRun
from annotator.training.options import GEMMA, OPTIONS
from annotator.web.api import PageQuery, StrictSerializer


class TrainingQuery(PageQuery):
    status = serializers.ChoiceField(Job.Status.choices, required=False)


class NewTrainingSerializer(StrictSerializer):
    """A model to be trained."""

    build = serializers.RegexField(r"\A[a-z2-7]{16}\Z", help_text="Id of the dataset that it learns from.")
    kind = serializers.ChoiceField(TrainingRun.Kind.choices)
    base = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=170,
        help_text=f"Of an adapter: `{GEMMA}`, the small model, or an id of the hub. Of a pipeline: nothing.",
    )
    recipe = serializers.DictField(
        child=serializers.FloatField(),
        default=dict,
        help_text="; ".join(
            f"{kind}: {', '.join(option.name for option in options)}" for kind, options in OPTIONS.items()
        ),
    )


class TrainingPointSerializer(serializers.Serializer):
    step = serializers.IntegerField()
    epoch = serializers.FloatField()
    loss = serializers.FloatField(allow_null=True)
    dev_loss = serializers.FloatField(allow_null=True)
    dev_f1 = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(help_text="Since the attempt began.")


class TrainingSerializer(serializers.Serializer):
    """A training; `revision` and what it learnt are there once it is done."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    status = serializers.ChoiceField(Job.Status.choices, source="job.status")
    n_done = serializers.IntegerField(source="job.n_done", help_text="Steps.")
    n_total = serializers.IntegerField(source="job.n_total")
    error = serializers.CharField(source="job.error", allow_blank=True)
    build = serializers.CharField(source="build.public_id")
    kind = serializers.ChoiceField(TrainingRun.Kind.choices)
    base = serializers.CharField(allow_blank=True)
    recipe = serializers.DictField(child=serializers.FloatField())
    revision = serializers.CharField(allow_blank=True, help_text="The sha256 of the weights.")
    labeler = serializers.CharField(
        source="labeler.name", default=None, allow_null=True, help_text="What reads notes with them."
    )
    n_rows = serializers.IntegerField(source="facts.n_rows", default=None, allow_null=True)
    files_removed_at = serializers.DateTimeField(allow_null=True, help_text="When the weights were removed.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()


class TrainingDetailSerializer(TrainingSerializer):
    points = TrainingPointSerializer(many=True)
