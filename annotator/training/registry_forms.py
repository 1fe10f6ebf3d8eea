"""The form that promotes a labeler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from annotator.training.models import LabelerComparison

WITHOUT, NONE = "without a comparison", "none"


class PromoteForm(forms.Form):
    """On which comparison the promotion rests; none has to be typed out, so that nobody forgets one by a click."""

    comparison = forms.ChoiceField(label="It rests on", help_text="A comparison of the two on the locked test set.")
    confirmation = forms.CharField(
        label="Confirm",
        required=False,
        max_length=40,
        help_text=f"Where it rests on no comparison, type: {WITHOUT}.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, comparisons: Sequence[LabelerComparison], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._comparisons = {found.public_id: found for found in comparisons}
        if not self._comparisons:
            del self.fields["comparison"]
            self.fields["confirmation"].help_text = f"The two were not compared. To promote it anyway, type: {WITHOUT}."
            return
        known = [(key, f"Comparison {found.number}") for key, found in self._comparisons.items()]
        self.fields["comparison"].choices = [*known, (NONE, "No comparison")]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        said = " ".join(data.get("confirmation", "").casefold().split())
        if not self._comparisons and said != WITHOUT:
            self.add_error("confirmation", f"Type “{WITHOUT}”.")
        elif data.get("comparison") == NONE and said != WITHOUT:
            self.add_error("confirmation", f"Choose a comparison, or type “{WITHOUT}”.")
        return data

    @property
    def chosen_comparison(self) -> LabelerComparison | None:
        return self._comparisons.get(self.cleaned_data.get("comparison", NONE))
