"""What is measured: which labeler, against which notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from django import forms

from annotator.core.wording import counted
from annotator.quality.selectors import GoldSource, LabelerChoice
from annotator.review.models import Round

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


_SCHEMES = [("strict", "Exact match"), ("overlap", "Overlap")]
PERIODS = [("0", "All time"), ("90", "Last 90 days"), ("30", "Last 30 days")]
_CELL_SEPARATOR = "|"


class AgreementForm(forms.Form):
    """What of the agreement is shown, and which differences are listed; what is not on offer is ignored."""

    scheme = forms.ChoiceField(required=False, choices=_SCHEMES)
    days = forms.ChoiceField(required=False, choices=PERIODS)
    round = forms.ChoiceField(required=False)
    label = forms.ChoiceField(required=False)
    pair = forms.CharField(required=False, widget=forms.HiddenInput)
    cell = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, str], labels: Sequence[str], rounds: Sequence[Round]) -> None:
        super().__init__(data, auto_id="agreement_%s")
        self._labels = labels
        of_rounds = [(each.public_id, _round_words(each)) for each in rounds]
        self.fields["round"].choices = [("", "All rounds"), *of_rounds]  # type: ignore[attr-defined]
        self.fields["label"].choices = [("", "Any label"), *((label, label) for label in labels)]  # type: ignore[attr-defined]
        self.is_valid()

    @property
    def is_strict(self) -> bool:
        return self.cleaned_data.get("scheme") != "overlap"

    @property
    def chosen_days(self) -> int:
        """Of the last so many days; 0 for all time."""
        return int(self.cleaned_data.get("days") or 0)

    @property
    def chosen_round(self) -> str:
        """The public id of a round; empty for all notes, of a round or not."""
        return self.cleaned_data.get("round") or ""

    @property
    def chosen_label(self) -> str:
        return self.cleaned_data.get("label") or ""

    @property
    def chosen_pair(self) -> str:
        return self.cleaned_data.get("pair") or ""

    @property
    def chosen_cell(self) -> tuple[str, str] | None:
        """The labels that the two readers give; empty where one gives none."""
        sides = self.cleaned_data.get("cell", "").split(_CELL_SEPARATOR)
        known = len(sides) == 2 and sides != ["", ""] and all(side in {"", *self._labels} for side in sides)
        return (sides[0], sides[1]) if known else None

    def asked(self, **changed: str | None) -> str:
        """The query of the page that differs from this one in what is `changed`."""
        chosen = {name: self.cleaned_data.get(name) for name in self.fields} | changed
        return urlencode({name: value for name, value in chosen.items() if value not in {None, "", "0"}})


def _round_words(found: Round) -> str:
    return f"Round {found.number}: {found.name}" if found.name else f"Round {found.number}"


def cell_key(label_a: str, label_b: str) -> str:
    """What names a cell of the table of confusion in an address."""
    return f"{label_a}{_CELL_SEPARATOR}{label_b}"
