"""The shape of what the adjudication pages send."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from annotator.adjudication.models import Choice
from annotator.readings.models import Adjudication

_DIGEST = r"\A[0-9a-f]{16}\Z"
_TAKE = r"\A(version:[0-9a-f]{16}|all|neither|edit|undo|redo)\Z"
_MOVE = r"\A(start|end):-?1\Z"
_KEY = r"\A[A-Za-z0-9_-]{8,64}\Z"


class ThirdForm(forms.Form):
    """A third version of a case while it is written: the version that it begins with, which of its spans is changed,
    and how. Attributes come as `attribute-…`.
    """

    edit = forms.RegexField(_DIGEST, required=False)
    part = forms.IntegerField(min_value=0, required=False)
    start = forms.IntegerField(min_value=0, required=False)
    end = forms.IntegerField(min_value=1, required=False)
    snap = forms.BooleanField(required=False)
    move = forms.RegexField(_MOVE, required=False)
    label = forms.CharField(max_length=40, required=False)
    value = forms.CharField(max_length=40, required=False)

    def clean(self) -> dict[str, object]:
        prefix = "attribute-"
        given = {name.removeprefix(prefix): self.data[name] for name in self.data if name.startswith(prefix)}
        return {**self.cleaned_data, "attributes": given}


class ChoiceForm(ThirdForm):
    """A choice; without one in `take`, a third version that is to be drawn as it is now."""

    key = forms.RegexField(_KEY)
    take = forms.RegexField(_TAKE, required=False)
    case = forms.CharField(max_length=100, required=False)
    digest = forms.RegexField(_DIGEST, required=False)
    reason = forms.CharField(max_length=Choice._meta.get_field("reason").max_length, required=False)
    proposes_example = forms.BooleanField(required=False)
    active_seconds = forms.FloatField(min_value=0, max_value=86_400, required=False)


class AdjudicationFilter(forms.Form):
    """Which notes are listed. A state that there is not is ignored."""

    state = forms.ChoiceField(required=False)

    def __init__(self, data: Mapping[str, str], *, counts: Mapping[str, int]) -> None:
        super().__init__(data, auto_id="filter_%s")
        states = [(status.value, f"{status.label} ({counts.get(status, 0):,})") for status in Adjudication.Status]
        self.fields["state"].choices = [("", "Any state"), *states]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def chosen(self) -> str:
        return self.cleaned_data.get("state") or ""
