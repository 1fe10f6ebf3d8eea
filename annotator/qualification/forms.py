"""The form of a version of the qualification."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.forms import BoundField

from annotator.annotations.models import AnnotationSet
from annotator.qualification.models import Qualification
from annotator.qualification.services import NewQualification

NEW, EVERYONE = "new", "everyone"


class _ShareField(forms.FloatField):
    """A number from 0 to 1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=1, step_size=0.01, **kwargs)


class QualificationForm(forms.Form):
    """Shape only; whether the notes suffice is the service's business. Each label has a field for a threshold of its
    own.
    """

    matching = forms.ChoiceField(label="A span is right where", choices=Qualification.Matching.choices)
    threshold = _ShareField(label="F1 of each label")
    min_spans = forms.IntegerField(
        label="From so many spans on",
        min_value=1,
        max_value=1000,
        help_text="A label with fewer in the reference of a try is shown, not judged.",
    )
    n_notes = forms.IntegerField(label="Notes of one try", min_value=1, max_value=50)
    n_tries = forms.IntegerField(label="Tries", min_value=1, max_value=20, help_text="Each has other notes.")
    suggestions = forms.ChoiceField(label="The notes are read", choices=Qualification.Suggestions.choices)
    who = forms.ChoiceField(
        label="Who is asked",
        choices=[(NEW, "Who joins from now on"), (EVERYONE, "Every annotator, also those who passed")],
        widget=forms.RadioSelect,
        help_text="Who reads notes here now goes on, or passes first. What they have in hand they may finish.",
    )
    notes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": "Choose the notes that are tried.",
            "invalid_choice": "A note that you chose can no longer be a reference: choose again.",
        },
    )

    def __init__(self, *args: Any, labels: Sequence[str], offered: Sequence[AnnotationSet], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.labels, self.offered = labels, offered
        names = [(found.document.public_id, found.document.external_id) for found in offered]
        self.fields["notes"].choices = names  # type: ignore[attr-defined]
        for number, label in enumerate(labels):
            self.fields[f"threshold_{number}"] = _ShareField(label=label, required=False)

    @staticmethod
    def initial_of(before: Qualification | None, labels: Sequence[str]) -> dict[str, Any]:
        """What the form is filled with before anyone touches it: the version that counts, or a usual one."""
        if before is None:
            return {
                "matching": Qualification.Matching.OVERLAP,
                "threshold": 0.8,
                "min_spans": 3,
                "n_notes": 3,
                "n_tries": 2,
                "suggestions": Qualification.Suggestions.HIDDEN,
                "who": NEW,
            }
        names = ("matching", "threshold", "min_spans", "n_notes", "n_tries", "suggestions")
        own = {f"threshold_{number}": before.thresholds.get(label) for number, label in enumerate(labels)}
        notes = list(before.reference_notes.values_list("document__public_id", flat=True))
        return {name: getattr(before, name) for name in names} | own | {"who": NEW, "notes": notes}

    def threshold_fields(self) -> Iterator[BoundField]:
        return (self[f"threshold_{number}"] for number in range(len(self.labels)))

    def rows(self) -> list[tuple[AnnotationSet, bool]]:
        """The notes that are offered, and whether each is chosen."""
        chosen = set(self["notes"].value() or [])
        return [(found, found.document.public_id in chosen) for found in self.offered]

    @property
    def references(self) -> list[AnnotationSet]:
        chosen = set(self.cleaned_data["notes"])
        return [found for found in self.offered if found.document.public_id in chosen]

    @property
    def asked(self) -> NewQualification:
        data = self.cleaned_data
        own = {label: data[f"threshold_{number}"] for number, label in enumerate(self.labels)}
        return NewQualification(
            matching=data["matching"],
            threshold=data["threshold"],
            thresholds={label: share for label, share in own.items() if share is not None},
            min_spans=data["min_spans"],
            n_notes=data["n_notes"],
            n_tries=data["n_tries"],
            suggestions=data["suggestions"],
        )
