"""Runs and suggestions as the REST API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.suggestions.models import LabelRun, Suggestion
from annotator.web.api import PageQuery, SpanSerializer


class RunQuery(PageQuery):
    status = serializers.ChoiceField(LabelRun.Status.choices, required=False)


class LabelerSerializer(serializers.Serializer):
    """Everything that decides what a model suggests."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    backend = serializers.CharField()
    model_id = serializers.CharField()
    revision = serializers.CharField(allow_blank=True)
    prompt_sha256 = serializers.CharField(source="prompt_digest", allow_blank=True)
    schema_number = serializers.IntegerField(source="schema_version.number")
    guideline_number = serializers.IntegerField(source="guideline.number", default=None, allow_null=True)
    pool_number = serializers.IntegerField(source="pool.number", default=None, allow_null=True)
    n_examples = serializers.IntegerField()
    digest = serializers.CharField(help_text="Of all of the above but the schema: what names it in a project.")


class ProgressSerializer(serializers.Serializer):
    """Notes of a run by state, suggestions, and what was lost of the model's answers: windows and items."""

    n_total = serializers.IntegerField()
    n_done = serializers.IntegerField()
    n_failed = serializers.IntegerField()
    n_running = serializers.IntegerField()
    n_waiting = serializers.IntegerField()
    n_cancelled = serializers.IntegerField()
    n_suggestions = serializers.IntegerField()
    n_unaligned = serializers.IntegerField()
    n_truncated = serializers.IntegerField(help_text="Windows whose answer was cut off.")
    n_problems = serializers.IntegerField(help_text="Parts of answers that could not be read.")


class RunSerializer(serializers.Serializer):
    """A run. Context: progress, the RunProgress of each run by row id."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    status = serializers.ChoiceField(LabelRun.Status.choices)
    purpose = serializers.ChoiceField(
        LabelRun.Purpose.choices, help_text="What a run for a comparison finds goes to no reviewer."
    )
    labeler = LabelerSerializer()
    trouble = serializers.CharField(allow_blank=True, help_text="Why the run waits for its model; empty if it doesn't.")
    progress = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, run: LabelRun) -> dict[str, Any]:
        return ProgressSerializer(self.context["progress"][run.pk]).data


class ImportedSerializer(serializers.Serializer):
    """The row of a file that what is said came from, and who said it there."""

    file_sha256 = serializers.CharField()
    where = serializers.CharField(help_text="Row, task or file.")
    voice = serializers.CharField(help_text="'person:NAME' or 'model:NAME', as the file has it.")


class SuggestionSerializer(SpanSerializer):
    """A span that a model proposes. One that is unaligned has a quote and no place."""

    id = serializers.CharField(source="public_id")
    document = serializers.CharField(source="document.public_id")
    run = serializers.CharField(source="job.run.public_id")
    alignment = serializers.ChoiceField(Suggestion.Alignment.choices)
    score = serializers.FloatField(help_text="The model's raw number; no probability.")
    imported = ImportedSerializer(
        source="job.imported", default=None, allow_null=True, help_text="Null where it came from no file."
    )
