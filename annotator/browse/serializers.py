"""What the REST API lists across a project, and the filters of these lists."""

from __future__ import annotations

from rest_framework import serializers

from annotator.annotations.models import Comment
from annotator.browse.selectors import NoteState
from annotator.documents.serializers import DocumentSerializer, DocumentTextSerializer
from annotator.jobs.models import Job
from annotator.notices.models import Kind
from annotator.projects.models import Project
from annotator.review.decoying import MOST_PERCENT
from annotator.review.models import Decision, Round, RoundJob
from annotator.review.rounds import MOST_NOTES, MOST_READERS
from annotator.web.api import PageQuery, StrictSerializer


class StreamsSerializer(StrictSerializer):
    """How notes and spans come to a project's reviewers."""

    policy = serializers.ChoiceField(
        Project.Policy.choices,
        help_text="What comes next: `benefit`, the note in which a minute finds most that is wrong; `least_certain`, "
        "the least certain span and its note; `random`, notes in random order.",
    )
    blind_percent = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Of the notes of no round, read without suggestions until submitted."
    )
    watch_percent = serializers.IntegerField(
        min_value=1, max_value=100, help_text="Of what certificates would accept, decided by people all the same."
    )
    audits = serializers.ChoiceField(
        Project.Audits.choices, help_text="What the reviewer of an audit sees before deciding."
    )
    decoy_percent = serializers.IntegerField(
        min_value=0,
        max_value=MOST_PERCENT,
        help_text="Deliberately wrong suggestions for a hundred others; reviewers are told that there are some.",
    )
    seconds = serializers.ChoiceField(
        Project.Seconds.choices,
        help_text="Who decides audits again, of tests that begin from now on: all that the first reader found wrong, "
        "and a share of the right ones. Their decision is what counts.",
    )
    second_percent = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Of the audits found right, drawn at random when the test begins."
    )


class DocumentQuery(PageQuery):
    state = serializers.ChoiceField(NoteState.choices, required=False)


class NoteSerializer(DocumentSerializer):
    """A note and where it is on its way."""

    state = serializers.ChoiceField(NoteState.choices)


class NoteTextSerializer(DocumentTextSerializer):
    state = serializers.ChoiceField(NoteState.choices)


class _OfNoteQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="Of this note only.")


class SpanQuery(_OfNoteQuery):
    label = serializers.CharField(required=False, max_length=40)  # type: ignore[assignment]


class SuggestionQuery(SpanQuery):
    run = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="Of this run only.")


class RelationQuery(_OfNoteQuery):
    type = serializers.CharField(required=False, max_length=40)


class DocumentValueQuery(_OfNoteQuery):
    document_label = serializers.CharField(required=False, max_length=40)


class DecisionQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="In this note only.")
    verdict = serializers.ChoiceField(Decision.Verdict.choices, required=False)


class NoticeSerializer(serializers.Serializer):
    """Something that happened to the caller's work."""

    id = serializers.CharField(source="public_id")
    project = serializers.CharField(help_text="Id of the project.")
    kind = serializers.ChoiceField(Kind.choices)
    subject = serializers.CharField(help_text="Id of the run, import or dataset that it is about; empty for others.")
    n = serializers.IntegerField(help_text="How often it happened while it was unread.")
    detail = serializers.DictField(help_text="Counts, by kind.")
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class CommentQuery(PageQuery):
    document = serializers.RegexField(r"\A[a-z2-7]{16}\Z", required=False, help_text="In this note only.")
    kind = serializers.ChoiceField(Comment.Kind.choices, required=False)


class ReadingsSerializer(serializers.Serializer):
    """Readings: notes, each once for every one of its readers."""

    n_all = serializers.IntegerField()
    n_done = serializers.IntegerField()
    n_begun = serializers.IntegerField(source="n_in_hand")
    n_left = serializers.IntegerField(help_text="Not done.")


class RoundWorkSerializer(serializers.Serializer):
    """The job that makes a round of many notes, or takes one back."""

    task = serializers.ChoiceField(RoundJob.Task.choices)
    status = serializers.ChoiceField(Job.Status.choices, source="job.status")
    phase = serializers.CharField(source="job.phase", allow_blank=True)
    n_done = serializers.IntegerField(source="job.n_done")
    n_total = serializers.IntegerField(source="job.n_total")
    error = serializers.CharField(source="job.error", allow_blank=True)


class RoundSerializer(serializers.Serializer):
    """A round, without who reads in it."""

    id = serializers.CharField(source="public_id")
    number = serializers.IntegerField()
    name = serializers.CharField(allow_blank=True)
    n_readers = serializers.IntegerField(help_text="How many people read each note.")
    assistance = serializers.ChoiceField(Round.Assistance.choices, help_text="Who sees the suggestions.")
    draw = serializers.ChoiceField(Round.Draw.choices, help_text="How notes were given to readers.")
    seed = serializers.IntegerField(help_text="What the draw can be made again from.")
    due_on = serializers.DateField(allow_null=True)
    created_by = serializers.CharField(source="created_by.username")
    created_at = serializers.DateTimeField()
    work = RoundWorkSerializer(allow_null=True, help_text="Null once it is under way, so that its readers may begin.")


class ReaderReadingsSerializer(ReadingsSerializer):
    id = serializers.CharField(source="user.public_id")
    username = serializers.CharField(source="user.username")


class RoundProgressSerializer(RoundSerializer):
    """A round and how far it is."""

    progress = ReadingsSerializer()
    n_handed_back = serializers.IntegerField(help_text="Readings that wait for any reader of the round.")
    readers = ReaderReadingsSerializer(many=True)


class RoundReaderSerializer(StrictSerializer):
    id = serializers.RegexField(r"\A[a-z2-7]{16}\Z", help_text="A member who reviews.")
    n_notes = serializers.IntegerField(
        min_value=0, max_value=MOST_NOTES, required=False, help_text="None: an equal share of what is left."
    )


class NewRoundSerializer(StrictSerializer):
    """A round to be made, of notes that nobody has begun and no round has: some of one type, or those listed."""

    name = serializers.CharField(max_length=120, default="")
    readers = RoundReaderSerializer(many=True, allow_empty=False)
    n_readers = serializers.IntegerField(
        min_value=1, max_value=MOST_READERS, help_text="How many people read each note."
    )
    assistance = serializers.ChoiceField(Round.Assistance.choices, default=Round.Assistance.SHOWN)
    draw = serializers.ChoiceField(Round.Draw.choices, default=Round.Draw.STRATIFIED)
    due_on = serializers.DateField(default=None, allow_null=True)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=None, allow_null=True)
    n_notes = serializers.IntegerField(min_value=1, max_value=MOST_NOTES, default=None, allow_null=True)
    note_type = serializers.CharField(max_length=100, allow_blank=True, default=None, allow_null=True)
    external_ids = serializers.ListField(
        child=serializers.CharField(max_length=200), allow_empty=False, default=None, allow_null=True
    )


class RoundUploadSerializer(serializers.Serializer):
    """A round of the notes that a file lists. The file itself goes past the serializer."""

    round = serializers.CharField(help_text="The round as JSON, without `n_notes`, `note_type` and `external_ids`.")
    ids_file = serializers.FileField(
        help_text="Ids one a line (.txt), or in the first column (.csv, .tsv); UTF-8, 16 MB at most."
    )
