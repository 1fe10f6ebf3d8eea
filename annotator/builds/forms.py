"""The form of a dataset build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from django import forms

from annotator.accounts.models import User
from annotator.builds.criteria import STATES, STREAMS, FilterError, Filters
from annotator.builds.formats import DEFAULT_FORMATS, FORMATS, missing_package
from annotator.builds.options import (
    KEEP,
    LARGEST_WINDOW,
    LONGEST_LICENCE,
    OWN,
    PARTS,
    REPLACE,
    SHARED,
    SMALLEST_WINDOW,
    BuildOptions,
    OptionError,
)
from annotator.core.prompting import COMPACT, FULL
from annotator.core.wording import sentence
from annotator.documents.selectors import type_key

MORE = ("keep_twins", "comments", "window", "template", "seed", "licence")
FILTERS = ("states", "streams", "note_types", "since", "until", "min_agreement", "labels")


def _day_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class FormatChoices(forms.CheckboxSelectMultiple):
    """Checkboxes, of which those cannot be ticked whose package is missing here."""

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **kwargs)
        if missing_package(FORMATS[str(value)]):
            option["attrs"]["disabled"] = True
        return option


class BuildForm(forms.Form):
    """Shape only; whether there is anything to build is the service's business."""

    name = forms.CharField(max_length=120)
    formats = forms.MultipleChoiceField(
        label="Formats", choices=[(name, found.TITLE) for name, found in FORMATS.items()], widget=FormatChoices
    )
    train = forms.IntegerField(label="Train %", min_value=0, max_value=100)
    dev = forms.IntegerField(label="Dev %", min_value=0, max_value=100)
    test = forms.IntegerField(label="Test %", min_value=0, max_value=100)
    window = forms.IntegerField(
        min_value=SMALLEST_WINDOW,
        max_value=LARGEST_WINDOW,
        help_text="Characters of a note in one chat row. Use the labeler's own.",
    )
    template = forms.ChoiceField(
        label="Prompt",
        choices=[(FULL, "Full, for MedGemma and the like"), (COMPACT, "Compact, for the small model")],
        required=False,
        help_text="In whose words chat rows ask: use the labeler's own.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, help_text="Equal seeds make equal parts.")
    comments = forms.BooleanField(
        label="Readers' comments too",
        required=False,
        help_text="Free text about notes, in JSONL spans and brat; people may have written names there.",
    )
    human_only = forms.BooleanField(
        label="Only what people decided",
        required=False,
        help_text="Leaves notes out in which certificates have accepted spans.",
    )
    annotator = forms.ChoiceField(
        label="Where several people read a note",
        required=False,
        help_text="A note waits for adjudication, or one person's annotations are taken.",
    )

    stratified = forms.BooleanField(
        label="Spread labels evenly over the parts",
        required=False,
        help_text="The rarest first, patient by patient. Equal seeds make equal parts all the same.",
    )
    keep_twins = forms.BooleanField(
        label="Near-duplicate notes in one part",
        required=False,
        help_text="Patients whose notes say nearly the same go together. Those too near to a locked one stay out.",
    )
    licence = forms.CharField(
        label="Terms of the notes",
        required=False,
        max_length=LONGEST_LICENCE,
        help_text="What the notes' owner allows. It stands on the dataset's card.",
    )
    identifiers = forms.ChoiceField(
        label="Names, dates and whatever else names a person",
        choices=[(KEEP, "Keep them"), (REPLACE, "Replace them by surrogates")],
        required=False,
        widget=forms.RadioSelect,
        help_text="Replaced is what is marked as Identifier; dates of a patient move by some days. Comments, metadata "
        "and the marks are left out, and notes whose identifiers are not all decided. A report says what may be left: "
        "it is not nothing.",
    )
    same_surrogates = forms.BooleanField(
        label="Same surrogates as in this project's other datasets",
        required=False,
        help_text="Where they are replaced. Who has two datasets can then join what they say of a patient; otherwise "
        "nobody can, not even here.",
    )
    states = forms.MultipleChoiceField(
        label="How they were finished",
        required=False,
        choices=list(STATES.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    streams = forms.MultipleChoiceField(
        label="How they were read",
        required=False,
        choices=list(STREAMS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text="Only notes that were read blind owe nothing to a suggestion.",
    )
    note_types = forms.MultipleChoiceField(label="Note types", required=False, widget=forms.CheckboxSelectMultiple)
    since = forms.DateField(label="Finished from", required=False, widget=_day_input())
    until = forms.DateField(label="Finished until", required=False, widget=_day_input())
    min_agreement = forms.IntegerField(
        label="Agreement of %",
        required=False,
        min_value=0,
        max_value=100,
        help_text="Strict F1 of a note's readers. Leaves out what one person alone has read.",
    )
    labels = forms.MultipleChoiceField(
        label="Only these labels",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Spans with other labels are left out, and notes stay. None chosen: all.",
    )

    def __init__(
        self, *args: Any, readers: Sequence[User], note_types: Sequence[str], labels: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._choose("note_types", [(type_key(name), name or "No type") for name in note_types])
        self._choose("labels", [(name, name) for name in labels])
        if len(readers) < 2:
            del self.fields["annotator"]
            return
        choices = [("", "Leave it out")] + [(reader.public_id, f"Take {reader.username}'s") for reader in readers]
        self._choose("annotator", choices)

    @property
    def has_more(self) -> bool:
        """Whether an option that is folded away is asked for, or wrong."""
        asked = any(self[name].value() for name in ("keep_twins", "comments", "licence"))
        return asked or any(self[name].errors for name in MORE)

    def _choose(self, field: str, choices: list[tuple[str, str]]) -> None:
        self.fields[field].choices = choices  # type: ignore[attr-defined]

    @property
    def is_filtered(self) -> bool:
        """Whether a filter stands in the form, be it right or wrong."""
        return any(self[name].value() or self[name].errors for name in FILTERS)

    def usual_formats(self) -> list[dict[str, Any]]:
        return [row for row in self._format_rows() if row["format"].NAME in DEFAULT_FORMATS]

    def further_formats(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """The other formats by what they are for."""
        further = [row for row in self._format_rows() if row["format"].NAME not in DEFAULT_FORMATS]
        return [(title, list(rows)) for title, rows in groupby(further, key=lambda row: row["format"].GROUP)]

    def has_further_formats(self) -> bool:
        return not set(self["formats"].value() or ()) <= set(DEFAULT_FORMATS)

    def _format_rows(self) -> Iterator[dict[str, Any]]:
        """Each format with its checkbox, and the package that is missing for it."""
        for box in self["formats"]:
            found = FORMATS[box.data["value"]]
            yield {"box": box, "format": found, "missing": missing_package(found)}

    @staticmethod
    def filled(name: str, formats: Sequence[str], options: BuildOptions) -> dict[str, Any]:
        """What the form holds before anyone touches it, for a build as this one."""
        return {
            "name": name,
            "formats": [found for found in formats if found in FORMATS],
            **dict(zip(PARTS, options.shares, strict=True)),
            "window": options.window,
            "template": options.template,
            "seed": options.seed,
            "annotator": options.annotator,
            "comments": options.has_comments,
            "human_only": options.is_human_only,
            "stratified": options.is_stratified,
            "keep_twins": options.keeps_twins,
            "licence": options.licence,
            "identifiers": options.identifiers,
            "same_surrogates": options.surrogates == SHARED,
            **{name: getattr(options.filters, name) or None for name in FILTERS},
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        identifiers = data.get("identifiers") or KEEP
        if all(data.get(field) is not None for field in (*PARTS, "window", "seed")):
            try:
                data["options"] = BuildOptions(
                    seed=data["seed"],
                    shares=(data["train"], data["dev"], data["test"]),
                    window=data["window"],
                    template=data.get("template") or FULL,
                    annotator=data.get("annotator", ""),
                    has_comments=data.get("comments", False),
                    is_human_only=data.get("human_only", False),
                    is_stratified=data.get("stratified", False),
                    keeps_twins=data.get("keep_twins", False),
                    licence=" ".join(data.get("licence", "").split()),
                    identifiers=identifiers,
                    # Ticked beside *Keep them* it says nothing.
                    surrogates=SHARED if identifiers == REPLACE and data.get("same_surrogates") else OWN,
                    filters=Filters(
                        states=tuple(data.get("states", ())),
                        streams=tuple(data.get("streams", ())),
                        note_types=tuple(data.get("note_types", ())),
                        labels=tuple(data.get("labels", ())),
                        since=data.get("since"),
                        until=data.get("until"),
                        min_agreement=data.get("min_agreement") or 0,
                    ).normal(),
                )
            except (OptionError, FilterError) as error:
                self.add_error(None, sentence(str(error)))
        return data
