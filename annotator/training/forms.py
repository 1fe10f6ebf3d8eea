"""The form of a training: of which dataset, and the options of one kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from annotator.builds.models import DatasetBuild
from annotator.core.wording import counted
from annotator.training.models import TrainingRun
from annotator.training.options import GEMMA, OPTIONS, Option

Kind = TrainingRun.Kind


class TrainingForm(forms.Form):
    """Shape only; whether the dataset can be learnt from is the service's business. The fields are those of `kind`."""

    build = forms.ChoiceField(label="Dataset")

    def __init__(self, *args: Any, kind: str, builds: Iterable[DatasetBuild], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind
        self._builds = {found.public_id: found for found in builds}
        self.fields["build"].choices = [  # type: ignore[attr-defined]
            (public_id, f"{found.number}: {found.name}, {counted(found.manifest['n_notes'], 'note')}")
            for public_id, found in self._builds.items()
        ]
        if kind == Kind.LORA:
            self.fields["base"] = forms.CharField(
                max_length=170,
                initial=GEMMA,
                help_text="gemma, the small model; or an id of the hub, like google/medgemma-4b-it.",
            )
        for option in OPTIONS[kind]:
            self.fields[option.name] = _field(option)

    @property
    def chosen_build(self) -> DatasetBuild | None:
        """What stands in the form, be it bound or not; the newest where nothing does."""
        chosen = self["build"].value()
        return self._builds.get(chosen) if chosen else next(iter(self._builds.values()), None)

    @property
    def chosen_base(self) -> str:
        return str(self["base"].value() or "").strip() if self._kind == Kind.LORA else ""

    @property
    def recipe(self) -> dict[str, Any]:
        return {option.name: self.cleaned_data[option.name] for option in OPTIONS[self._kind]}

    def number_fields(self) -> list[forms.BoundField]:
        return [self[option.name] for option in OPTIONS[self._kind]]


def _field(option: Option) -> forms.Field:
    given: dict[str, Any] = {
        "label": option.label,
        "initial": option.default,
        "min_value": option.least,
        "max_value": option.most,
        "help_text": option.help,
    }
    if isinstance(option.default, int):
        return forms.IntegerField(**given)
    return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **given)
