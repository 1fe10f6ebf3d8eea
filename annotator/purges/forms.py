"""The forms of the data page."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms

from annotator.projects.models import Project
from annotator.purges.selectors import Doomed, doomed_by_note, doomed_by_patient

WORD = "delete"
PATIENT, NOTE = "patient", "note"


class RetentionForm(forms.Form):
    """`cleaned_data["until"]` is None where the project is to be kept for as long as it is wanted."""

    until = forms.DateField(
        required=False,
        label="Keep until",
        help_text="The day after, everything in the project is deleted. Leave it empty to keep the project.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, data: Any = None, *, today: date, **options: Any) -> None:
        super().__init__(data, **options)
        self._today = today
        self.fields["until"].widget.attrs["min"] = (today + timedelta(days=1)).isoformat()

    def clean_until(self) -> date | None:
        until: date | None = self.cleaned_data["until"]
        if until is not None and until <= self._today:
            raise forms.ValidationError("This day is over, or is today: name one to come.")
        return until


class FindForm(forms.Form):
    """Whom to remove; `doomed` is set where the project has such a note. POSTed: what is typed names a person."""

    by = forms.ChoiceField(
        choices=[(PATIENT, "Patient"), (NOTE, "Note")], initial=PATIENT, label="Look for", widget=forms.RadioSelect
    )
    value = forms.CharField(
        max_length=200,
        strip=False,
        label="Id",
        help_text="The patient's id, or a note's as the list of notes shows it. A note leads to its patient; a note "
        "that names none is removed by itself.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, project: Project, **options: Any) -> None:
        super().__init__(data, **options)
        self._project = project
        self.doomed: Doomed | None = None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "by" in cleaned and "value" in cleaned:
            self.doomed = self._doomed(cleaned["by"], cleaned["value"])
            if self.doomed is None:
                self.add_error("value", f"The project has no {cleaned['by']} of this id.")
        return cleaned

    def _doomed(self, by: str, value: str) -> Doomed | None:
        if by == PATIENT:
            return doomed_by_patient(project=self._project, patient_id=value)
        return doomed_by_note(project=self._project, note=value)


class ConfirmForm(forms.Form):
    """The word that says that it is meant."""

    word = forms.CharField(max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, data: Any = None, *, word: str, label: str, **options: Any) -> None:
        super().__init__(data, **options)
        self._word = word
        self.fields["word"].label = label

    def clean_word(self) -> str:
        given: str = self.cleaned_data["word"]
        if given.strip() != self._word:
            raise forms.ValidationError(f"Type {self._word} to go on.")
        return given
