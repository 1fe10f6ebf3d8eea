"""Comparisons as the REST API shows and takes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.jobs.models import Job
from annotator.suggestions.serializers import LabelerSerializer
from annotator.training.models import LabelerComparison
from annotator.web.api import PageQuery, StrictSerializer

_DIGEST = r"\A[0-9a-f]{64}\Z"


class ComparisonQuery(PageQuery):
    status = serializers.ChoiceField(Job.Status.choices, required=False)


class NewComparisonSerializer(StrictSerializer):
    """Two labelers of the newest schema, by digest."""

    candidate = serializers.RegexField(_DIGEST)
    current = serializers.RegexField(
        _DIGEST, required=False, default="", help_text="Left out: what new runs of the project use."
    )


class ComparisonSerializer(serializers.Serializer):
    """A comparison; figures are there once it is done. Runs are null where the labeler had read all notes before."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    status = serializers.ChoiceField(Job.Status.choices, source="job.status")
    error = serializers.CharField(source="job.error", allow_blank=True)
    candidate = LabelerSerializer()
    current = LabelerSerializer()
    candidate_run = serializers.CharField(source="candidate_run.public_id", default=None, allow_null=True)
    current_run = serializers.CharField(source="current_run.public_id", default=None, allow_null=True)
    n_notes = serializers.IntegerField(source="report.n_notes", default=None, allow_null=True)
    difference = serializers.SerializerMethodField(help_text="Strict F1 of the candidate less that of the current one.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_difference(self, found: LabelerComparison) -> float | None:
        difference: float | None = found.report["overall"]["strict"]["difference"]["value"] if found.report else None
        return difference


class ComparisonReportSerializer(ComparisonSerializer):
    """The same with its report, as `docs/models.md` tells it."""

    report = serializers.SerializerMethodField(help_text="Empty while it is not done. No text of a note is in it.")

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_report(self, found: LabelerComparison) -> dict[str, Any]:
        report: dict[str, Any] = found.report
        return report
