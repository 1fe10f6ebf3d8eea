"""Dataset builds as the REST API shows and takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.builds.comparing import ADDED, CHANGED, REMOVED, BuildDifferences
from annotator.builds.criteria import STATES, STREAMS, FilterError, Filters
from annotator.builds.formats import DEFAULT_FORMATS, FORMATS
from annotator.builds.models import DatasetBuild
from annotator.builds.options import (
    KEEP,
    LARGEST_WINDOW,
    LONGEST_LICENCE,
    OWN,
    PARTS,
    REPLACE,
    SHARED,
    SMALLEST_WINDOW,
    BuildOptions,
    OptionError,
)
from annotator.core.prompting import FULL, TEMPLATES
from annotator.core.schema import PALETTE
from annotator.core.wording import sentence
from annotator.documents.selectors import type_key
from annotator.jobs.models import Job
from annotator.web.api import FragmentsField, PageQuery, StrictSerializer

_DEFAULTS = BuildOptions()
KINDS = [ADDED, REMOVED, CHANGED]


class BuildQuery(PageQuery):
    status = serializers.ChoiceField(Job.Status.choices, required=False)


class SharesSerializer(StrictSerializer):
    """Per cent of the patients; they make 100."""

    train = serializers.IntegerField(min_value=0, max_value=100)
    dev = serializers.IntegerField(min_value=0, max_value=100)
    test = serializers.IntegerField(min_value=0, max_value=100)


class FiltersSerializer(StrictSerializer):
    """Which finished notes: those that meet all that is given. Empty or left out: all."""

    states = serializers.ListField(child=serializers.ChoiceField(list(STATES)), required=False, max_length=len(STATES))
    streams = serializers.ListField(
        child=serializers.ChoiceField(list(STREAMS)), required=False, max_length=len(STREAMS)
    )
    note_types = serializers.ListField(
        child=serializers.CharField(max_length=100, allow_blank=True), required=False, max_length=200
    )
    labels = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        max_length=len(PALETTE),
        help_text="Spans with other labels are left out.",
    )
    since = serializers.DateField(required=False, allow_null=True, help_text="The day it was finished, or later.")
    until = serializers.DateField(required=False, allow_null=True)
    min_agreement = serializers.IntegerField(
        required=False, min_value=0, max_value=100, help_text="Strict F1 of a note's readers, in per cent."
    )


class NewBuildSerializer(StrictSerializer):
    """A dataset to be built."""

    name = serializers.CharField(max_length=120)
    formats = serializers.ListField(
        child=serializers.ChoiceField(list(FORMATS)),
        min_length=1,
        max_length=len(FORMATS),
        default=list(DEFAULT_FORMATS),
        help_text="; ".join(f"{name}: {found.HINT}" for name, found in FORMATS.items()),
    )
    shares = SharesSerializer(required=False)
    window = serializers.IntegerField(
        required=False,
        min_value=SMALLEST_WINDOW,
        max_value=LARGEST_WINDOW,
        help_text="Code points of a note in one chat row; left out, as many as the project's labeler reads.",
    )
    template = serializers.ChoiceField(
        list(TEMPLATES), required=False, help_text="In which words chat rows ask; left out, the labeler's own."
    )
    seed = serializers.IntegerField(
        default=_DEFAULTS.seed, min_value=0, max_value=2**31 - 1, help_text="Equal seeds make equal parts."
    )
    annotator = serializers.RegexField(
        r"\A[a-z2-7]{16}\Z",
        required=False,
        help_text="Id of the person whose annotations are taken where several people read a note.",
    )

    comments = serializers.BooleanField(
        default=_DEFAULTS.has_comments,
        help_text="What readers wrote about notes too; the formats jsonl and brat hold it.",
    )

    human_only = serializers.BooleanField(
        default=_DEFAULTS.is_human_only, help_text="Leave notes out in which certificates have accepted spans."
    )

    stratified = serializers.BooleanField(default=True, help_text="Spread labels evenly over the parts.")
    keep_twins = serializers.BooleanField(
        default=_DEFAULTS.keeps_twins, help_text="Keep patients whose notes say nearly the same in one part."
    )
    licence = serializers.CharField(
        default="", allow_blank=True, max_length=LONGEST_LICENCE, help_text="What the notes' owner allows."
    )
    identifiers = serializers.ChoiceField(
        [KEEP, REPLACE], default=KEEP, help_text="Replace what names a person by surrogates; comments and metadata go."
    )
    surrogates = serializers.ChoiceField(
        [OWN, SHARED],
        default=OWN,
        help_text="Of a key that nobody keeps, or the same as in the project's other datasets.",
    )
    filters = FiltersSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        defaults: BuildOptions = self.context["defaults"]
        shares = attrs.get("shares")
        try:
            options = BuildOptions(
                seed=attrs["seed"],
                shares=tuple(shares[part] for part in PARTS) if shares else defaults.shares,
                window=attrs.get("window", defaults.window),
                template=attrs.get("template", defaults.template),
                annotator=attrs.get("annotator", ""),
                has_comments=attrs["comments"],
                is_human_only=attrs["human_only"],
                is_stratified=attrs["stratified"],
                keeps_twins=attrs["keep_twins"],
                licence=" ".join(attrs["licence"].split()),
                identifiers=attrs["identifiers"],
                surrogates=attrs["surrogates"],
                filters=_filters(attrs.get("filters", {})),
            )
        except (OptionError, FilterError) as error:
            raise serializers.ValidationError(sentence(str(error))) from error
        return {"name": attrs["name"], "formats": attrs["formats"], "options": options}


def _filters(given: Mapping[str, Any]) -> Filters:
    """Types are kept as what stands for their names. Raises FilterError."""
    lists = {name: tuple(given.get(name, ())) for name in ("states", "streams", "labels")}
    return Filters(
        **lists,
        note_types=tuple(type_key(name) for name in given.get("note_types", ())),
        since=given.get("since"),
        until=given.get("until"),
        min_agreement=given.get("min_agreement", 0),
    ).normal()


class ChosenFiltersSerializer(serializers.Serializer):
    states = serializers.ListField(child=serializers.CharField(), default=list)
    streams = serializers.ListField(child=serializers.CharField(), default=list)
    note_types = serializers.ListField(
        child=serializers.CharField(), default=list, help_text="The first twelve digits of the sha256 of each."
    )
    labels = serializers.ListField(child=serializers.CharField(), default=list)
    since = serializers.CharField(allow_null=True, default=None)
    until = serializers.CharField(allow_null=True, default=None)
    min_agreement = serializers.IntegerField(default=0)


class BuildOptionsSerializer(serializers.Serializer):
    seed = serializers.IntegerField()
    shares = SharesSerializer()
    window = serializers.IntegerField()
    template = serializers.CharField(default=FULL)
    annotator = serializers.CharField(allow_blank=True)
    comments = serializers.BooleanField(default=False)
    human_only = serializers.BooleanField(default=False)
    stratified = serializers.BooleanField(default=False)
    keep_twins = serializers.BooleanField(default=False)
    licence = serializers.CharField(allow_blank=True, default="")
    identifiers = serializers.CharField(default=KEEP)
    surrogates = serializers.CharField(default=OWN)
    filters = ChosenFiltersSerializer(default=dict)


class BuildCertificateSerializer(serializers.Serializer):
    """A certificate that spans of the dataset were accepted under, without review."""

    id = serializers.CharField()
    number = serializers.IntegerField()
    target = serializers.FloatField()
    delta = serializers.FloatField()
    n_spans = serializers.IntegerField()


class BuildFileSerializer(serializers.Serializer):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    n_bytes = serializers.IntegerField()
    n_rows = serializers.IntegerField(allow_null=True)


class BuildSerializer(serializers.Serializer):
    """A frozen dataset; counts and files are there once it is done. `context["revoked"]` is of `revoked_under`."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.SerializerMethodField()
    n_done = serializers.IntegerField(source="job.n_done", default=0)
    n_total = serializers.IntegerField(source="job.n_total", default=0)
    error = serializers.CharField(source="job.error", default="", allow_blank=True)
    formats = serializers.ListField(child=serializers.CharField())
    options = BuildOptionsSerializer()
    n_notes = serializers.IntegerField(source="manifest.n_notes", default=None, allow_null=True)
    n_spans = serializers.IntegerField(source="manifest.n_spans", default=None, allow_null=True)
    certificates = BuildCertificateSerializer(source="manifest.certificates", many=True, default=list)
    revoked = serializers.SerializerMethodField(
        help_text="Ids of those of them that have been revoked since: then the dataset is flagged."
    )
    files = BuildFileSerializer(source="manifest.files", many=True, default=list)
    files_removed_at = serializers.DateTimeField(allow_null=True, help_text="When a purge removed the files.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()

    def get_revoked(self, build: DatasetBuild) -> list[str]:
        return [certificate.public_id for certificate in self.context["revoked"].get(build.pk, ())]

    @extend_schema_field(serializers.ChoiceField(Job.Status.choices))
    def get_status(self, build: DatasetBuild) -> str:
        return build.job.status if build.job else Job.Status.DONE


class VerifiedSerializer(serializers.Serializer):
    """What was found of a dataset's files: names of those that are not as they were written."""

    is_right = serializers.BooleanField()
    n_right = serializers.IntegerField(help_text="Files that are as they were, the manifest included.")
    missing = serializers.ListField(child=serializers.CharField())
    altered = serializers.ListField(child=serializers.CharField())
    extra = serializers.ListField(child=serializers.CharField())


# `with` is a word of Python's.
CompareQuery = type(
    "CompareQuery",
    (PageQuery,),
    {
        "__doc__": "The dataset that is compared with, and which of the notes that differ are listed.",
        "with": serializers.RegexField(
            r"\A[a-z2-7]{16}\Z", required=False, help_text="Id of the dataset that is compared with."
        ),
    },
)


class SettingSerializer(serializers.Serializer):
    name = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class LabelCountSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]  # likewise
    before = serializers.IntegerField()
    after = serializers.IntegerField()


class SaidSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name, which the framework allows
    attributes = serializers.DictField(child=serializers.CharField())
    by = serializers.CharField(help_text="`certificate`, or `person` with the stage.")


class SpanChangeSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(KINDS)
    fragments = FragmentsField(source="place")
    before = SaidSerializer(allow_null=True)
    after = SaidSerializer(allow_null=True)


class NoteChangeSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(KINDS)
    external_id = serializers.CharField(source="id")
    parts = serializers.ListField(child=serializers.CharField(allow_blank=True), min_length=2, max_length=2)
    is_other_text = serializers.BooleanField()
    spans = SpanChangeSerializer(many=True)
    n_relations = serializers.IntegerField(help_text="Relations that are in one of the two only.")
    n_document_labels = serializers.IntegerField(help_text="Labels of the note that are not the same.")


class CountsSerializer(serializers.Serializer):
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()


class DifferencesSerializer(serializers.Serializer):
    """`notes` and what follows is null where the files of one were purged, or it was built before this was kept."""

    settings = SettingSerializer(many=True)
    labels = LabelCountSerializer(many=True)
    notes = CountsSerializer(source="notes.notes", default=None, allow_null=True)
    spans = CountsSerializer(source="notes.spans", default=None, allow_null=True)
    n_same = serializers.IntegerField(source="notes.n_same", default=None, allow_null=True)
    n_moved = serializers.IntegerField(
        source="notes.n_moved", default=None, allow_null=True, help_text="Notes that are in another part."
    )
    results = NoteChangeSerializer(source="notes.changes", many=True, default=list)
    next = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField(allow_null=True, help_text="`cursor` of the next page."))
    def get_next(self, found: BuildDifferences) -> str | None:
        return self.context["next"]


class LockSerializer(StrictSerializer):
    build = serializers.RegexField(r"\A[a-z2-7]{16}\Z", help_text="Id of the dataset whose part test is locked.")


class TestSetSerializer(serializers.Serializer):
    """Patients who stay in the part test, as a dataset had them."""

    build_number = serializers.IntegerField()
    n_patients = serializers.IntegerField(source="n_groups")
    locked_by = serializers.CharField(source="locked_by.username")
    locked_at = serializers.DateTimeField()
