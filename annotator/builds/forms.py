"""The form of a dataset build."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from django import forms

from annotator.accounts.models import User
from annotator.builds.formats import DEFAULT_FORMATS, FORMATS, missing_package
from annotator.builds.options import LARGEST_WINDOW, PARTS, SMALLEST_WINDOW, BuildOptions, OptionError
from annotator.core.wording import sentence


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

    def __init__(self, *args: Any, readers: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(readers) < 2:
            del self.fields["annotator"]
            return
        choices = [("", "Leave it out")] + [(reader.public_id, f"Take {reader.username}'s") for reader in readers]
        self.fields["annotator"].choices = choices  # type: ignore[attr-defined]

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
    def defaults(name: str) -> dict[str, Any]:
        """What the form is filled with before anyone touches it."""
        options = BuildOptions()
        shares = dict(zip(PARTS, options.shares, strict=True))
        return {"name": name, "formats": list(DEFAULT_FORMATS), "window": options.window, "seed": options.seed} | shares

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if all(data.get(field) is not None for field in (*PARTS, "window", "seed")):
            try:
                data["options"] = BuildOptions(
                    seed=data["seed"],
                    shares=(data["train"], data["dev"], data["test"]),
                    window=data["window"],
                    annotator=data.get("annotator", ""),
                    has_comments=data.get("comments", False),
                    is_human_only=data.get("human_only", False),
                )
            except OptionError as error:
                self.add_error(None, sentence(str(error)))
        return data
