"""The forms of the lead's page: what is shown, and what a lead wants of a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from annotator.certificates.models import AcceptanceTarget

DEFAULT_TARGET, DEFAULT_DELTA = 95.0, 5.0


class ChosenForm(forms.Form):
    """Which label the charts are of; what is not on offer is ignored."""

    label = forms.ChoiceField(required=False)

    def __init__(self, data: Mapping[str, str], labels: Sequence[str]) -> None:
        super().__init__(data, auto_id="trust_%s")
        self.fields["label"].choices = [("", "All labels"), *((label, label) for label in labels)]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def chosen(self) -> str:
        return self.cleaned_data.get("label") or ""


class TargetForm(forms.Form):
    """Shape only: what is asked of a label, in per cent. `label` is empty for all that have no target of their own."""

    label = forms.ChoiceField(required=False, widget=forms.HiddenInput)
    status = forms.ChoiceField(
        label="Accept without review",
        choices=[
            (AcceptanceTarget.Status.OFF, "Off: everything goes to people"),
            (AcceptanceTarget.Status.ON, "On, under a certificate"),
        ],
        widget=forms.RadioSelect,
    )
    target = forms.FloatField(
        label="Right, of what is accepted",
        min_value=50,
        max_value=99.9,
        step_size=0.1,
        help_text="Per cent, at least. 95 is a start; 98 takes several times as many audits.",
    )
    delta = forms.FloatField(
        label="Risk that a certificate is false",
        min_value=0.1,
        max_value=20,
        step_size=0.1,
        help_text="Per cent. It is this label's own: of many labels with a risk of 5, one in twenty may be false.",
    )

    def __init__(self, *args: Any, labels: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].choices = [("", ""), *((label, label) for label in labels)]  # type: ignore[attr-defined]

    @classmethod
    def of(cls, target: AcceptanceTarget | None, *, label: str, labels: Sequence[str]) -> TargetForm:
        """Filled with the target that counts."""
        return cls(
            labels=labels,
            initial={
                "label": label,
                "status": target.status if target else AcceptanceTarget.Status.OFF,
                "target": round(target.target * 100, 3) if target else DEFAULT_TARGET,
                "delta": round(target.delta * 100, 3) if target else DEFAULT_DELTA,
            },
        )
