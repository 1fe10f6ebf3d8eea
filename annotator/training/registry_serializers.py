"""A project's labelers as the REST API shows them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.suggestions.models import Labeler
from annotator.suggestions.serializers import LabelerSerializer
from annotator.training import registry
from annotator.training.registry import Entry
from annotator.training.registry_forms import WITHOUT
from annotator.web.api import StrictSerializer

STATES = [
    registry.CURRENT,
    registry.CANDIDATE,
    registry.FORMER,
    registry.REMOVED,
    registry.BESIDE,
    registry.OUTDATED,
]


class LineTrainingSerializer(serializers.Serializer):
    """The training that a labeler came from, and its dataset."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    kind = serializers.CharField()
    build = serializers.CharField(source="build.public_id")
    build_number = serializers.IntegerField(source="build.number")


class LineDatasetSerializer(serializers.Serializer):
    """A dataset with spans that came from the labeler's suggestions."""

    id = serializers.CharField(source="build.public_id")
    number = serializers.IntegerField(source="build.number")
    n_spans = serializers.IntegerField()


class ModelSerializer(serializers.Serializer):
    """A labeler with its line: dataset, training, labeler, runs, suggestions, decisions, datasets.

    Context: entries, the Entry of each labeler by row id.
    """

    id = serializers.CharField(source="public_id")
    labeler = LabelerSerializer(source="*")
    state = serializers.SerializerMethodField()
    cannot = serializers.SerializerMethodField()
    training = serializers.SerializerMethodField()
    n_runs = serializers.SerializerMethodField()
    n_notes = serializers.SerializerMethodField()
    n_suggestions = serializers.SerializerMethodField()
    n_decided = serializers.SerializerMethodField()
    n_accepted = serializers.SerializerMethodField()
    n_rejected = serializers.SerializerMethodField()
    datasets = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def _entry(self, labeler: Labeler) -> Entry:
        found: Entry = self.context["entries"][labeler.pk]
        return found

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_state(self, labeler: Labeler) -> str:
        return self._entry(labeler).state

    @extend_schema_field(serializers.CharField(help_text="Why it cannot be promoted; empty where it can."))
    def get_cannot(self, labeler: Labeler) -> str:
        return self._entry(labeler).cannot

    @extend_schema_field(LineTrainingSerializer(allow_null=True))
    def get_training(self, labeler: Labeler) -> object:
        training = self._entry(labeler).training
        return LineTrainingSerializer(training).data if training else None

    @extend_schema_field(serializers.IntegerField())
    def get_n_runs(self, labeler: Labeler) -> int:
        return self._entry(labeler).n_runs

    @extend_schema_field(serializers.IntegerField(help_text="Notes that its runs have read."))
    def get_n_notes(self, labeler: Labeler) -> int:
        return self._entry(labeler).n_notes

    @extend_schema_field(serializers.IntegerField())
    def get_n_suggestions(self, labeler: Labeler) -> int:
        return self._entry(labeler).n_suggestions

    @extend_schema_field(serializers.IntegerField(help_text="Of its suggestions, by the last count."))
    def get_n_decided(self, labeler: Labeler) -> int:
        return self._entry(labeler).n_decided

    @extend_schema_field(serializers.IntegerField(help_text="Of these, taken unchanged."))
    def get_n_accepted(self, labeler: Labeler) -> int:
        return self._entry(labeler).n_accepted

    @extend_schema_field(
        serializers.IntegerField(allow_null=True, help_text="The rest was changed. Null where it is not known.")
    )
    def get_n_rejected(self, labeler: Labeler) -> int | None:
        return self._entry(labeler).n_rejected

    @extend_schema_field(LineDatasetSerializer(many=True))
    def get_datasets(self, labeler: Labeler) -> object:
        return LineDatasetSerializer(self._entry(labeler).datasets, many=True).data


class PromoteSerializer(StrictSerializer):
    comparison = serializers.RegexField(
        r"\A[a-z2-7]{16}\Z", required=False, help_text="Id of the comparison that the promotion rests on."
    )
    confirmation = serializers.ChoiceField(
        [WITHOUT], required=False, help_text="Wanted where it rests on no comparison."
    )

    def validate(self, data: dict[str, str]) -> dict[str, str]:
        if "comparison" in data and "confirmation" in data:
            raise serializers.ValidationError({"confirmation": "Not beside a comparison."})
        if not data:
            raise serializers.ValidationError({"comparison": f"Name a comparison, or confirm: {WITHOUT}."})
        return data


class PromotionSerializer(serializers.Serializer):
    """A promotion: what new runs use from then on, and what they used before."""

    labeler = serializers.CharField(source="labeler.public_id")
    previous = serializers.CharField(source="previous.public_id")
    comparison = serializers.CharField(allow_blank=True, help_text="Id; empty where it rests on none.")
    promoted_by = serializers.CharField(source="promoted_by.username")
    promoted_at = serializers.DateTimeField()
