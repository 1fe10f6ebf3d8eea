"""Adjudications as the REST API shows and takes them: readers by letters, never by name, and no labeler's word."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import letter
from annotator.core.cases import Case, Kind, SaidSpan, Version
from annotator.readings.models import Adjudication
from annotator.web.api import FragmentsField, PageQuery, SpanSerializer, StrictSerializer

What = Choice.What
REDO = "redo"
_DIGEST = r"\A[0-9a-f]{16}\Z"
_NOT_ASKED = {"key", "what", "active_seconds"}
# What each way to choose must and may say besides; undo and redo say nothing.
_MUST: dict[str, set[str]] = {
    What.VERSION: {"case", "digest", "version"},
    What.ALL: {"case", "digest"},
    What.NEITHER: {"case", "digest", "reason"},
    What.EDIT: {"case", "digest", "version"},
}
_MAY: dict[str, set[str]] = {What.EDIT: {"spans", "value"}}
_REMARKS = {"reason", "proposes_example"}


class AdjudicationQuery(PageQuery):
    status = serializers.ChoiceField(Adjudication.Status.choices, required=False)


class AdjudicationSerializer(serializers.Serializer):
    """A note that several people have read. Its cases are counted once someone has opened it."""

    id = serializers.CharField(source="public_id")
    document = serializers.CharField(source="document.public_id")
    status = serializers.ChoiceField(Adjudication.Status.choices)
    lease_expires_at = serializers.DateTimeField(allow_null=True, help_text="Until when someone has it.")
    n_cases = serializers.IntegerField(allow_null=True, help_text="Cases in which readers differ.")
    n_settled = serializers.IntegerField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)


class SaidSpanSerializer(SpanSerializer):
    """Read from a SaidSpan, with the CaseFile in the context."""

    start = serializers.IntegerField(source="span.start")
    end = serializers.IntegerField(source="span.end")
    fragments = FragmentsField(source="span")
    surface = serializers.SerializerMethodField()  # type: ignore[assignment]
    attributes = serializers.SerializerMethodField()  # type: ignore[assignment]

    def get_surface(self, said: SaidSpan) -> str:
        return said.span.surface(self.context["file"].text)

    def get_attributes(self, said: SaidSpan) -> dict[str, str]:
        return dict(said.attributes)


class SaidTieSerializer(serializers.Serializer):
    type = serializers.CharField()
    head = serializers.CharField(help_text="A case, or where it has several spans the span, as start and end.")
    tail = serializers.CharField()


class ContentSerializer(serializers.Serializer):
    """What is said in a case; all is empty where nothing is. Read from a Version."""

    spans = SaidSpanSerializer(many=True)
    relations = SaidTieSerializer(source="ties", many=True)
    value = serializers.CharField(allow_blank=True, help_text="Of a label of the note.")


class VersionSerializer(ContentSerializer):
    digest = serializers.CharField()
    readers = serializers.SerializerMethodField(help_text="Letters, drawn for each note.")

    def get_readers(self, version: Version) -> list[str]:
        return [letter(place) for place in version.readers]


class StandingSerializer(ContentSerializer):
    """What gold says of a case, and how that came about. Read from a mapping."""

    what = serializers.ChoiceField([What.AGREED, What.VERSION, What.ALL, What.NEITHER, What.EDIT])
    rule = serializers.CharField(allow_blank=True, help_text="The rule that chose, where no person did.")
    reason = serializers.CharField(allow_blank=True)


class CaseSerializer(serializers.Serializer):
    """One thing that readers say, alike or not. A case of the note as a whole is at 0, 0. With the CaseFile in the
    context.
    """

    key = serializers.CharField()
    digest = serializers.CharField(help_text="Of what the readers say here.")
    kind = serializers.ChoiceField([kind.value for kind in Kind], help_text="How they differ, or agreed.")
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    versions = VersionSerializer(many=True)
    may_take_all = serializers.SerializerMethodField(help_text="The versions can stand side by side.")
    stands = serializers.SerializerMethodField(help_text="Null where it is still to be settled.")

    def get_may_take_all(self, case: Case) -> bool:
        return case.both is not None

    @extend_schema_field(StandingSerializer(allow_null=True))
    def get_stands(self, case: Case) -> dict[str, Any] | None:
        choice, version = self.context["file"].taken(case)
        if choice is None or version is None:
            return None
        said = {"spans": version.spans, "ties": version.ties, "value": version.value}
        came_about = {"what": choice.what, "rule": choice.rule, "reason": choice.reason}
        return StandingSerializer(said | came_about, context=self.context).data


class AdjudicatedNoteSerializer(AdjudicationSerializer):
    """The note with its text and cases, in the order of the text. Read from a CaseFile, which stands in the context."""

    id = serializers.CharField(source="adjudication.public_id")
    document = serializers.CharField(source="adjudication.document.public_id")
    status = serializers.ChoiceField(Adjudication.Status.choices, source="adjudication.status")
    lease_expires_at = serializers.DateTimeField(source="adjudication.lease_expires_at", allow_null=True)
    n_cases = serializers.IntegerField()
    n_settled = serializers.IntegerField()
    done_at = serializers.DateTimeField(source="adjudication.done_at", allow_null=True)
    note_type = serializers.CharField(source="adjudication.document.note_type", allow_blank=True)
    text = serializers.CharField(help_text="Offsets count its Unicode code points.")
    cases = CaseSerializer(many=True)


class NewSpanSerializer(StrictSerializer):
    """A span of a third version."""

    fragments = FragmentsField(help_text="Code points, half-open.")
    label = serializers.CharField(max_length=40)  # type: ignore[assignment]
    attributes = serializers.DictField(child=serializers.CharField(max_length=40), default=dict)


class NewChoiceSerializer(StrictSerializer):
    """One choice. `key` is yours: a request that is sent again with it is answered with the first choice.

    version: `case`, `digest`, `version`. all: `case`, `digest`. neither: these and a `reason`. edit: a third version,
    made from `version`: all `spans` that the case is to have or, for a label of the note, its `value`. undo takes back
    the last choice in the note, redo does it again.
    """

    key = serializers.RegexField(r"\A[A-Za-z0-9_-]{8,64}\Z", help_text="Idempotency key, such as a UUID.")
    what = serializers.ChoiceField([*_MUST, What.UNDO.value, REDO])
    case = serializers.CharField(required=False, max_length=100, help_text="Key of the case.")
    digest = serializers.RegexField(_DIGEST, required=False, help_text="Of the case, as you saw it.")
    version = serializers.RegexField(_DIGEST, required=False, help_text="Digest of the version.")
    spans = serializers.ListField(child=NewSpanSerializer(), required=False, max_length=100)
    value = serializers.CharField(required=False, max_length=40)
    reason = serializers.CharField(required=False, max_length=Choice._meta.get_field("reason").max_length)
    proposes_example = serializers.BooleanField(required=False, help_text="For the guideline.")
    active_seconds = serializers.FloatField(required=False, min_value=0, max_value=86_400)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        what, given = attrs["what"], set(attrs) - _NOT_ASKED
        must = _MUST.get(what, set())
        may = _MAY.get(what, set()) | (_REMARKS if must else set())
        if not must <= given or given - must - may:
            wanted = ", ".join(sorted(must)) or "nothing else"
            more = f", and perhaps {', '.join(sorted(may - must))}" if may - must else ""
            raise serializers.ValidationError(f"{what} goes with {wanted}{more}.")
        return attrs


class ChoiceSerializer(serializers.Serializer):
    """What was chosen; `case` is the one of which it was undone, where it was."""

    what = serializers.ChoiceField(What.choices)
    case = serializers.CharField(source="case_key")
    version = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField()
