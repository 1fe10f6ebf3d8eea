"""Which days and notes the page of a project's progress is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django import forms

from annotator.documents.selectors import type_key

PERIODS = {"28": 28, "91": 91, "364": 364, "all": None}
_WORDS = [("28", "Last 4 weeks"), ("91", "Last 13 weeks"), ("364", "Last 52 weeks"), ("all", "All time")]


class ProgressFilter(forms.Form):
    """What is not on offer is ignored: read the fields with `days` and `chosen_type`."""

    period = forms.ChoiceField(required=False, choices=_WORDS)
    type = forms.ChoiceField(required=False)

    def __init__(self, data: Mapping[str, str], note_types: Sequence[str]) -> None:
        super().__init__(data, auto_id="progress_%s")
        self._types = {type_key(name): name for name in note_types}
        types = [(key, name or "No type") for key, name in self._types.items()]
        self.fields["type"].choices = [("", "Any type"), *types]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def _period(self) -> str:
        return self.cleaned_data.get("period") or _WORDS[0][0]

    @property
    def days(self) -> int | None:
        """How many days back; None for all."""
        return PERIODS[self._period]

    @property
    def period_words(self) -> str:
        return dict(_WORDS)[self._period].lower()

    @property
    def chosen_type(self) -> str | None:
        """The type of note, which may be empty; None for all."""
        return self._types.get(self.cleaned_data.get("type") or "-")
