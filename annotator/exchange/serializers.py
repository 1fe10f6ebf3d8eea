"""Imports as the REST API shows and takes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.core.csv_rows import DELIMITERS, ENCODINGS, MAX_COLUMNS, CsvLayout
from annotator.core.foreign import MAX_LABEL, Voice
from annotator.core.wording import sentence
from annotator.exchange.models import Import
from annotator.exchange.targets import Becomes
from annotator.exchange.tools import FORMAT_NAMES
from annotator.exchange.uploads import ImportOptions
from annotator.jobs.models import Job
from annotator.web.api import PageQuery, StrictSerializer
from annotator.web.api_problems import ErrorSerializer

NOT_STARTED = "not_started"
STATES = [NOT_STARTED, *Job.Status.values]
SpansAs = Import.SpansAs


class ImportQuery(PageQuery):
    status = serializers.ChoiceField(STATES, required=False)


class NewDocumentSerializer(serializers.Serializer):
    """A note as it comes in: the row of a JSONL file (docs/formats.md). Its spans come in by an import."""

    id = serializers.CharField(max_length=200, help_text="Unique in the project.")
    text = serializers.CharField(help_text="CRLF becomes LF.")
    patient_id = serializers.CharField(max_length=200, required=False)
    note_type = serializers.CharField(max_length=100, required=False)
    metadata = serializers.DictField(child=serializers.JSONField(), required=False)


class NewDocumentsSerializer(StrictSerializer):
    """The shape, for the schema: rows are checked by the importer, which names each that is wrong."""

    documents = NewDocumentSerializer(many=True)


class DocumentsQuery(StrictSerializer):
    prelabel = serializers.BooleanField(
        default=False, help_text="Start a run over what is new; wants the scope run and the role to run."
    )


class DocumentsAddedSerializer(serializers.Serializer):
    n_rows = serializers.IntegerField()
    n_added = serializers.IntegerField()
    n_known = serializers.IntegerField(help_text="Skipped: the project has the same text under the same id.")
    n_repeated = serializers.IntegerField(help_text="Skipped: said before in this body.")
    run_number = serializers.IntegerField(allow_null=True)


class UploadSerializer(serializers.Serializer):
    """The shape of an upload, for the schema. The files themselves go straight to the spool."""

    files = serializers.ListField(
        child=serializers.FileField(),
        help_text="Files of notes (docs/formats.md) or a .zip of them; one part of the form for each.",
    )


class CountedLabelSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]
    n_spans = serializers.IntegerField()


class FoundVoiceSerializer(serializers.Serializer):
    """Who speaks in the files; `voice` is the key that `voices` of a start has."""

    voice = serializers.CharField()
    n_notes = serializers.IntegerField()
    n_spans = serializers.IntegerField()


class FoundLossSerializer(serializers.Serializer):
    what = serializers.CharField()
    n = serializers.IntegerField()


class LookSerializer(serializers.Serializer):
    """What a look at an upload found. Counts are of the rows looked at."""

    n_files = serializers.IntegerField()
    n_rows = serializers.IntegerField()
    is_whole = serializers.BooleanField(help_text="Whether all rows were looked at.")
    n_spans = serializers.IntegerField()
    n_errors = serializers.IntegerField()
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]
    labels = serializers.SerializerMethodField()
    voices = serializers.SerializerMethodField(help_text="Who speaks; 'person:' is nobody whose name is known.")
    n_relations = serializers.IntegerField(default=0)
    n_document_labels = serializers.IntegerField(default=0)
    losses = serializers.SerializerMethodField(help_text="What has no place here and will not come in.")
    formats = serializers.SerializerMethodField(help_text="What the files are read as.")

    @extend_schema_field(FoundVoiceSerializer(many=True))
    def get_voices(self, look: dict[str, Any]) -> list[dict[str, Any]]:
        found = look.get("voices", [])
        return [{"voice": key, "n_notes": n_notes, "n_spans": n_spans} for key, n_notes, n_spans in found]

    @extend_schema_field(FoundLossSerializer(many=True))
    def get_losses(self, look: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"what": what, "n": n} for what, n in look.get("losses", [])]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_formats(self, look: dict[str, Any]) -> list[str]:
        return [format for format, _ in look.get("formats", [])]

    @extend_schema_field(CountedLabelSerializer(many=True))
    def get_labels(self, look: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"label": label, "n_spans": n} for label, n in look["labels"]]


class ReportSerializer(serializers.Serializer):
    """What an import did, or why it did nothing: the first hundred errors by row."""

    n_rows = serializers.IntegerField()
    n_added = serializers.IntegerField()
    n_known = serializers.IntegerField()
    n_repeated = serializers.IntegerField()
    n_annotated = serializers.IntegerField(help_text="Notes with spans.")
    n_sets_known = serializers.IntegerField()
    n_spans = serializers.IntegerField()
    n_spans_repeated = serializers.IntegerField()
    n_spans_left_out = serializers.IntegerField()
    n_attributes_left_out = serializers.IntegerField()
    n_relations = serializers.IntegerField(default=0)
    n_relations_left_out = serializers.IntegerField(default=0)
    n_document_labels = serializers.IntegerField(default=0)
    n_document_labels_left_out = serializers.IntegerField(default=0)
    n_ignored = serializers.IntegerField()
    n_other_files = serializers.IntegerField()
    n_readings_left_out = serializers.IntegerField(default=0)
    losses = serializers.DictField(child=serializers.IntegerField(), default=dict)
    targets = serializers.DictField(
        child=serializers.ListField(child=serializers.IntegerField()),
        default=dict,
        help_text="What spans of several people or models became: notes and spans of each.",
    )
    schema_number = serializers.IntegerField(allow_null=True, default=None)
    run_number = serializers.IntegerField(allow_null=True)
    n_errors = serializers.IntegerField()
    errors = ErrorSerializer(many=True)  # type: ignore[assignment]


class CsvSerializer(StrictSerializer):
    """How the rows of CSV files become notes. Columns are places from 0; null is none of them."""

    encoding = serializers.ChoiceField(list(ENCODINGS), default="utf-8")
    delimiter = serializers.ChoiceField(list(DELIMITERS), default=",")
    has_header = serializers.BooleanField(default=True)
    text = serializers.IntegerField(min_value=0, max_value=MAX_COLUMNS, allow_null=True)
    external_id = serializers.IntegerField(min_value=0, max_value=MAX_COLUMNS, allow_null=True, default=None)
    patient_id = serializers.IntegerField(min_value=0, max_value=MAX_COLUMNS, allow_null=True, default=None)
    note_type = serializers.IntegerField(min_value=0, max_value=MAX_COLUMNS, allow_null=True, default=None)
    metadata = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=MAX_COLUMNS), max_length=MAX_COLUMNS, default=list
    )


class ImportSerializer(serializers.Serializer):
    id = serializers.CharField(source="public_id")
    status = serializers.SerializerMethodField()
    phase = serializers.CharField(source="job.phase", default="", allow_blank=True)
    n_done = serializers.IntegerField(source="job.n_done", default=0)
    n_total = serializers.IntegerField(source="job.n_total", default=0)
    error = serializers.CharField(source="job.error", default="", allow_blank=True)
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    spans_as = serializers.ChoiceField(SpansAs.choices)
    csv = serializers.SerializerMethodField(help_text="How CSV files are read; null where there is none.")
    look = LookSerializer(source="result.look", default=None, allow_null=True)
    report = ReportSerializer(source="result.report", default=None, allow_null=True)

    @extend_schema_field(serializers.ChoiceField(STATES))
    def get_status(self, item: Import) -> str:
        return item.job.status if item.job else NOT_STARTED

    @extend_schema_field(CsvSerializer(allow_null=True))
    def get_csv(self, item: Import) -> dict[str, Any] | None:
        return item.csv_layout or None


class PreviewRowSerializer(serializers.Serializer):
    """One of the first rows: a note, or the fault of what is none."""

    where = serializers.CharField()
    external_id = serializers.CharField(allow_blank=True)
    patient_id = serializers.CharField(allow_blank=True)
    note_type = serializers.CharField(allow_blank=True)
    excerpt = serializers.CharField(allow_blank=True)
    n_chars = serializers.IntegerField()
    n_spans = serializers.IntegerField(allow_null=True)
    voice = serializers.CharField(source="voice.key")
    fault = serializers.CharField(allow_blank=True)


class PreviewSerializer(serializers.Serializer):
    first_rows = PreviewRowSerializer(many=True)


class BecomesSerializer(StrictSerializer):
    """Annotations of a user, or suggestions of a labeler; with neither the spans are left out."""

    annotator = serializers.CharField(default="", allow_blank=True, max_length=150)
    labeler = serializers.CharField(default="", allow_blank=True, max_length=120)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["annotator"] and attrs["labeler"]:
            raise serializers.ValidationError("Annotations or suggestions, not both.")
        return attrs


class ImportOptionsSerializer(StrictSerializer):
    """What becomes of an upload."""

    spans_as = serializers.ChoiceField(SpansAs.choices, default=SpansAs.NOTHING)
    annotator = serializers.CharField(
        required=False, max_length=150, help_text="User name whose annotations the spans become; leads name anyone."
    )
    labeler = serializers.CharField(required=False, max_length=120, help_text="Name of what made the suggestions.")
    label_map = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=40),
        required=False,
        default=dict,
        help_text="Label of the files: label of the schema, or '' to leave it out. Equal names need no entry.",
    )
    voices = serializers.DictField(
        child=BecomesSerializer(),
        required=False,
        default=dict,
        help_text="For each voice of the look that has a name, what its spans become. Models need no entry.",
    )
    new_labels = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        default=list,
        max_length=12,
        help_text="Labels that a new version of the schema gets; leads only.",
    )
    source_format = serializers.ChoiceField(
        [("", "What they look like"), *((each.value, name) for each, name in FORMAT_NAMES.items())],
        required=False,
        help_text="What the files are read as, where the look guessed wrong.",
    )
    prelabel = serializers.BooleanField(
        default=False, help_text="Start a run over what is new; wants the scope run and the role to run."
    )
    csv = CsvSerializer(required=False, help_text="Left out: CSV files are read as the import says that they are.")

    def validate_label_map(self, value: dict[str, str]) -> dict[str, str]:
        if any(len(label) > MAX_LABEL for label in value):
            raise serializers.ValidationError(f"A label has at most {MAX_LABEL} characters.")
        return value

    def validate_voices(self, value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        try:
            for key in value:
                Voice.of_key(key)
        except ValueError as error:
            raise serializers.ValidationError(sentence(str(error))) from error
        for key, becomes in value.items():
            if key.startswith("model:") and becomes["annotator"]:
                raise serializers.ValidationError("What a model says becomes suggestions.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = {SpansAs.ANNOTATIONS: "annotator", SpansAs.SUGGESTIONS: "labeler"}.get(attrs["spans_as"])
        for name in ("annotator", "labeler"):
            if (name == wanted) != (name in attrs):
                message = (
                    f"This goes with spans_as {attrs['spans_as']}."
                    if name == wanted
                    else "This goes with other spans_as."
                )
                raise serializers.ValidationError({name: message})
        return attrs

    def options(self) -> ImportOptions:
        """What valid data ask for."""
        data = self.validated_data
        return ImportOptions(
            spans_as=data["spans_as"],
            spans_by=data.get("annotator") or data.get("labeler") or "",
            label_map=data["label_map"],
            voices={key: Becomes(**becomes) for key, becomes in data["voices"].items()},
            new_labels=tuple(data["new_labels"]),
            is_prelabelled=data["prelabel"],
            csv_layout=CsvLayout.from_json(data["csv"]) if "csv" in data else None,
        )
