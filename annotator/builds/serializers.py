"""Dataset builds as the REST API shows and takes them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.builds.formats import DEFAULT_FORMATS, FORMATS
from annotator.builds.models import DatasetBuild
from annotator.builds.options import LARGEST_WINDOW, PARTS, SMALLEST_WINDOW, BuildOptions, OptionError
from annotator.core.wording import sentence
from annotator.jobs.models import Job
from annotator.web.api import PageQuery, StrictSerializer

_DEFAULTS = BuildOptions()


class BuildQuery(PageQuery):
    status = serializers.ChoiceField(Job.Status.choices, required=False)


class SharesSerializer(StrictSerializer):
    """Per cent of the patients; they make 100."""

    train = serializers.IntegerField(min_value=0, max_value=100)
    dev = serializers.IntegerField(min_value=0, max_value=100)
    test = serializers.IntegerField(min_value=0, max_value=100)


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
        default=_DEFAULTS.window,
        min_value=SMALLEST_WINDOW,
        max_value=LARGEST_WINDOW,
        help_text="Code points of a note in one chat row.",
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

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        shares = attrs.get("shares")
        try:
            options = BuildOptions(
                seed=attrs["seed"],
                shares=tuple(shares[part] for part in PARTS) if shares else _DEFAULTS.shares,
                window=attrs["window"],
                annotator=attrs.get("annotator", ""),
                has_comments=attrs["comments"],
                is_human_only=attrs["human_only"],
            )
        except OptionError as error:
            raise serializers.ValidationError(sentence(str(error))) from error
        return {"name": attrs["name"], "formats": attrs["formats"], "options": options}


class BuildOptionsSerializer(serializers.Serializer):
    seed = serializers.IntegerField()
    shares = SharesSerializer()
    window = serializers.IntegerField()
    annotator = serializers.CharField(allow_blank=True)
    comments = serializers.BooleanField(default=False)
    human_only = serializers.BooleanField(default=False)


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
