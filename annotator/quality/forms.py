"""What is measured: which labeler, against which notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django import forms

from annotator.core.wording import counted
from annotator.quality.selectors import GoldSource, LabelerChoice

_SOURCES = [(GoldSource.ALL, "All finished notes"), (GoldSource.IMPORTED, "Imported annotations only")]


class QualityForm(forms.Form):
    """What is not on offer is ignored: read the fields with `chosen`."""

    labeler = forms.ChoiceField(required=False)
    gold = forms.ChoiceField(required=False, choices=[(source.value, words) for source, words in _SOURCES])

    def __init__(self, data: Mapping[str, str], choices: Sequence[LabelerChoice]) -> None:
        super().__init__(data, auto_id="quality_%s")
        self._choices = {choice.key: choice for choice in choices}
        self.fields["labeler"].choices = [(key, _words(choice)) for key, choice in self._choices.items()]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def chosen_labeler(self) -> LabelerChoice | None:
        """The labeler that was asked for, else the one that read last; None where none has read a note."""
        wanted = self._choices.get(self.cleaned_data.get("labeler", ""))
        return wanted or next(iter(self._choices.values()), None)

    @property
    def chosen_source(self) -> GoldSource:
        return GoldSource(self.cleaned_data.get("gold") or GoldSource.ALL)


def _words(choice: LabelerChoice) -> str:
    number = choice.labeler.schema_version.number
    return f"{choice.labeler.name}, schema {number}, {choice.labeler.digest[:6]}: {counted(choice.n_read, 'note')} read"
