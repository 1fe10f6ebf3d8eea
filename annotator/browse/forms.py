"""The forms of a new project and of a role, and the filters of lists."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources

from django import forms
from django.db.models import QuerySet

from annotator.annotations.models import Comment
from annotator.browse.selectors import NoteState
from annotator.core.schema import Schema, SchemaError, schema_from_json
from annotator.core.wording import sentence
from annotator.documents.selectors import type_key
from annotator.notices.models import Notice
from annotator.projects.models import Membership, Project
from annotator.review.decoying import MOST_PERCENT

LONGEST_SCHEMA = 200_000
_UNSTORABLE = re.compile("[\ud800-\udfff]")


def starting_schema() -> str:
    """The JSON that new projects start from: the schema of the demo."""
    return resources.files("annotator.demo").joinpath("schema.json").read_text(encoding="utf-8").strip()


class NewProjectForm(forms.Form):
    """`cleaned_data["schema"]` is the checked Schema."""

    name = forms.CharField(max_length=120, help_text="A short name for the command line is made from it.")
    schema = forms.CharField(
        max_length=LONGEST_SCHEMA,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "autocomplete": "off"}),
        help_text="JSON: the labels with their definitions and examples, which people and the labeler read, and the "
        "attributes. A label's code, colour and key may be left out. Later changes are new versions.",
    )

    def clean_schema(self) -> Schema:
        try:
            data = json.loads(self.cleaned_data["schema"])
        except json.JSONDecodeError as error:
            raise forms.ValidationError(
                f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
            ) from error
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("This JSON is nested too deep, or has a number too long to read.") from error
        if _UNSTORABLE.search(json.dumps(data, ensure_ascii=False)) or "\\u0000" in json.dumps(data):
            raise forms.ValidationError("The schema has a character that cannot be stored (U+0000 or half of a pair).")
        try:
            return schema_from_json(data)
        except SchemaError as error:
            raise forms.ValidationError(sentence(str(error))) from error


class RoleForm(forms.Form):
    """The role that a member gets, or whoever follows an invitation."""

    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.ANNOTATOR)


class AwayForm(forms.Form):
    """The last day on which a member is away; none where they are here."""

    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


class StreamsForm(forms.Form):
    """How notes and spans come to reviewers: see `review.streams`."""

    policy = forms.ChoiceField(label="What comes next", choices=Project.Policy.choices, widget=forms.RadioSelect)
    blind_percent = forms.IntegerField(
        label="Notes read blind, %",
        min_value=0,
        max_value=100,
        help_text="Of the notes that no round has, drawn at random: read without suggestions until they are submitted, "
        "then gone through with them. They show what the model misses, and how long reading takes without it. A note "
        "that somebody has begun stays as it is.",
    )
    watch_percent = forms.IntegerField(
        label="Accepted spans still decided, %",
        min_value=1,
        max_value=100,
        help_text="Of what a certificate would accept without review, drawn at random: people decide it all the same, "
        "so that a drop is noticed.",
    )
    audits = forms.ChoiceField(
        label="Before the reviewer of an audit decides",
        choices=Project.Audits.choices,
        widget=forms.RadioSelect,
        help_text="Audits are spans picked at random, to see whether the model can be trusted.",
    )
    decoy_percent = forms.IntegerField(
        label="Decoys for a hundred suggestions",
        min_value=0,
        max_value=MOST_PERCENT,
        help_text="Deliberately wrong suggestions in notes that come from now on, to see whether reviewers look. 0 is "
        "none. Reviewers are told that there are some, and of each when they have submitted its note. Accepting one "
        "makes no annotation.",
    )
    seconds = forms.ChoiceField(
        label="Who decides audits again",
        choices=Project.Seconds.choices,
        widget=forms.RadioSelect,
        help_text="Of tests that begin from now on. A second reviewer decides every audit that the first found wrong, "
        "and a share of those found right, drawn when the test begins. Their decision is what counts for the "
        "certificate; what stands in the note stays the first’s.",
    )
    second_percent = forms.IntegerField(
        label="Right audits decided again, %",
        min_value=0,
        max_value=100,
        help_text="Drawn at random, so that being asked again tells nothing, and what is overlooked is measured.",
    )


class NoteFilter(forms.Form):
    """Which notes are listed. What is not on offer is ignored: read the fields with `chosen`."""

    state = forms.ChoiceField(required=False)
    type = forms.ChoiceField(required=False)
    note = forms.RegexField(r"\A[a-z2-7]{16}\Z", required=False, widget=forms.HiddenInput)

    def __init__(self, data: object, *, note_types: Sequence[str], counts: dict[NoteState, int]) -> None:
        super().__init__(data, auto_id="filter_%s")  # type: ignore[arg-type]
        self._types = {type_key(name): name for name in note_types}
        states = [(state.value, f"{state.label} ({counts[state]:,})") for state in NoteState]
        types = [(key, name or "No type") for key, name in self._types.items()]
        self.fields["state"].choices = [("", "Any state"), *states]  # type: ignore[attr-defined]
        self.fields["type"].choices = [("", "Any type"), *types]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def chosen_state(self) -> NoteState | None:
        given = self.cleaned_data.get("state")
        return NoteState(given) if given else None

    @property
    def chosen_type(self) -> str | None:
        return self._types.get(self.cleaned_data.get("type") or "-")

    @property
    def chosen_note(self) -> str:
        return self.cleaned_data.get("note") or ""

    @property
    def is_filtered(self) -> bool:
        return bool(self.chosen_state or self.chosen_type is not None or self.chosen_note)


class CommentFilter(forms.Form):
    """Which comments are listed. A kind that there is not is ignored: read it with `chosen`."""

    kind = forms.ChoiceField(required=False, choices=[("", "Any kind"), *Comment.Kind.choices])

    def __init__(self, data: Mapping[str, str]) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.is_valid()

    @property
    def chosen(self) -> str:
        return self.cleaned_data.get("kind") or ""


class NoticeFilter(forms.Form):
    """Of which project notices are listed. One that is not the person's is ignored: read it with `chosen`."""

    project = forms.ChoiceField(required=False)

    def __init__(self, data: Mapping[str, str], *, projects: Sequence[Project]) -> None:
        super().__init__(data, auto_id="filter_%s")
        named = [(project.public_id, project.name) for project in projects]
        self.fields["project"].choices = [("", "All projects"), *named]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def chosen(self) -> str:
        return self.cleaned_data.get("project") or ""

    def narrowed(self, notices: QuerySet[Notice]) -> QuerySet[Notice]:
        return notices.filter(project=self.chosen) if self.chosen else notices
