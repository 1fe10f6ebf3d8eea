"""The form of a comparison, and the filter of what was won and lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django import forms

from annotator.suggestions.models import Labeler

SIDES = {"won": "Candidate does better", "lost": "Current does better"}


class ComparisonForm(forms.Form):
    """Two of the project's labelers, by what names them in it. Whether they can be compared the service says."""

    candidate = forms.ChoiceField(help_text="Whether it is better is what you want to know.")
    current = forms.ChoiceField(label="Current", help_text="What it is compared with.")

    def __init__(self, *args: Any, labelers: Sequence[Labeler], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._by_key = {key_of(labeler): labeler for labeler in labelers}
        names = Counter(labeler.name for labeler in labelers)
        choices = [
            (key, f"{labeler.name} ({key})" if names[labeler.name] > 1 else labeler.name)
            for key, labeler in self._by_key.items()
        ]
        for field in self.fields.values():
            field.choices = choices  # type: ignore[attr-defined]

    def labeler(self, name: str) -> Labeler:
        """What was chosen in that field, of a valid form."""
        return self._by_key[self.cleaned_data[name]]


class PartingFilter(forms.Form):
    """Which of the places where the two part are listed."""

    side = forms.ChoiceField(choices=[("", "Both"), *SIDES.items()], required=False)
    label = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, labels: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "All labels"), *((label, label) for label in labels)]
        self.fields["label"].choices = choices  # type: ignore[attr-defined]

    def chosen(self, name: str) -> str:
        """What is chosen there; '' where nothing is, or nothing that can be."""
        self.is_valid()
        return str(self.cleaned_data.get(name) or "")


def key_of(labeler: Labeler) -> str:
    """What names a labeler of one schema version in an address, within the project."""
    return labeler.digest[:12]
