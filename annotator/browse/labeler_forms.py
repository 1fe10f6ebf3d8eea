"""The forms of the Labelers page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from annotator.core import prompting
from annotator.core.wording import counted
from annotator.projects.models import Guideline
from annotator.suggestions.labelers import CONSTRAINTS
from annotator.suggestions.models import ExamplePool, Labeler

NONE, NEW = "", "new"
MAX_EXAMPLES, MAX_PASSES = 8, 8
_TEMPLATES = {
    prompting.FULL: "Full: guideline, definitions, rules, examples",
    prompting.COMPACT: "Compact: only the labels' names, for a model that was trained on the task",
}


class NewLabelerForm(forms.Form):
    """Shape only, and that a compact prompt holds nothing; the rest is for `make_labeler` to refuse."""

    template = forms.ChoiceField(label="Prompt", choices=list(_TEMPLATES.items()))
    guideline = forms.ChoiceField(required=False, help_text="Stands in every prompt.")
    pool = forms.ChoiceField(
        label="Examples",
        required=False,
        help_text="Windows of finished notes with their spans. A pool never changes.",
    )
    n_examples = forms.IntegerField(
        label="Examples in a prompt",
        min_value=1,
        max_value=MAX_EXAMPLES,
        help_text="The nearest to the text that is read, never of the same patient.",
    )
    constraint = forms.ChoiceField(
        label="Answers are held to",
        choices=list(CONSTRAINTS.items()),
        help_text="As far as the model's runtime can.",
    )
    n_passes = forms.IntegerField(
        label="Further readings",
        min_value=0,
        max_value=MAX_PASSES,
        help_text="Sampled answers beside the first; how many agree goes into the score. Each takes as long.",
    )

    def __init__(
        self, *args: Any, guidelines: Iterable[Guideline], pools: Iterable[ExamplePool], n_ready: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._guidelines = {str(found.number): found for found in guidelines}
        self._pools = {str(found.number): found for found in pools}
        self._offer("guideline", [(number, f"Version {number}") for number in self._guidelines])
        kept = [(number, f"Pool {number}: {found.n_examples} examples") for number, found in self._pools.items()]
        new = [(NEW, f"Freeze a new pool, from {counted(n_ready, 'finished note')}")] if n_ready else []
        self._offer("pool", kept + new)

    def _offer(self, name: str, choices: Sequence[tuple[str, str]]) -> None:
        self.fields[name].choices = [(NONE, "None"), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("template") == prompting.COMPACT and (data.get("guideline") or data.get("pool")):
            self.add_error("template", "The compact prompt has neither guideline nor examples. Choose the full one.")
        return data

    @property
    def chosen_guideline(self) -> Guideline | None:
        return self._guidelines.get(self.cleaned_data["guideline"])

    @property
    def chosen_pool(self) -> ExamplePool | None:
        """One that is there already."""
        return self._pools.get(self.cleaned_data["pool"])

    @property
    def wants_new_pool(self) -> bool:
        return bool(self.cleaned_data["pool"] == NEW)


class ReadForm(forms.Form):
    """Which labeler is to read, by its digest."""

    labeler = forms.ChoiceField()

    def __init__(self, *args: Any, labelers: Iterable[Labeler], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._labelers = {found.digest: found for found in labelers}
        self.fields["labeler"].choices = [(digest, digest) for digest in self._labelers]  # type: ignore[attr-defined]

    @property
    def chosen_labeler(self) -> Labeler:
        return self._labelers[self.cleaned_data["labeler"]]
