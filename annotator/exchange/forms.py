"""Forms of the import pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from django import forms

from annotator.core.csv_rows import DELIMITERS, ENCODINGS, Column, CsvLayout, LayoutError, checked_layout
from annotator.core.wording import sentence
from annotator.exchange.models import Import
from annotator.exchange.sources import NOTES
from annotator.exchange.uploads import ImportOptions

_SHOWN_REPEATS = 3
SpansAs = Import.SpansAs


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class UploadForm(forms.Form):
    """A folder, or single files. The files themselves are in the spool by now: `names` are theirs."""

    folder = forms.FileField(
        label="Choose a folder",
        required=False,
        widget=ManyFilesInput(attrs={"webkitdirectory": True, "multiple": True}),
    )
    notes = forms.FileField(
        label="Choose files",
        required=False,
        widget=ManyFilesInput(attrs={"multiple": True, "accept": ".txt,.ann,.jsonl,.csv,.tsv"}),
    )
    paths = forms.CharField(required=False, widget=forms.HiddenInput, strip=False)

    def __init__(self, *args: Any, names: Sequence[str] = (), limit: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names, self._limit = names, limit

    def clean(self) -> dict[str, Any]:
        if self._limit:
            raise forms.ValidationError(self._limit)
        if not any(name.lower().endswith(tuple(NOTES)) for name in self._names):
            raise forms.ValidationError(
                "Choose a folder or files with notes: .txt, with or without .ann, .jsonl, .csv or .tsv. "
                "Archives and office files are not read: unpack them, or save them as one of these."
            )
        repeated = [name for name, n in Counter(self._names).items() if n > 1]
        if repeated:
            shown = ", ".join(repeated[:_SHOWN_REPEATS]) + (" …" if len(repeated) > _SHOWN_REPEATS else "")
            raise forms.ValidationError(
                f"Files have the same name: {shown}. A note's name becomes its id, so give each another, "
                "or import the subfolders one after the other."
            )
        return self.cleaned_data


class LayoutForm(forms.Form):
    """How the rows of an upload's CSV files become notes. Columns are places from 0, "" is none of them."""

    csv_encoding = forms.ChoiceField(label="Encoding", choices=list(ENCODINGS.items()))
    csv_delimiter = forms.ChoiceField(label="Delimiter", choices=list(DELIMITERS.items()))
    csv_has_header = forms.BooleanField(label="The first row names the columns", required=False)
    csv_text = forms.ChoiceField(label="Text", required=False)
    csv_external_id = forms.ChoiceField(label="Id", required=False)
    csv_patient_id = forms.ChoiceField(label="Patient id", required=False)
    csv_note_type = forms.ChoiceField(label="Note type", required=False)
    csv_metadata = forms.MultipleChoiceField(
        label="Kept as metadata", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any = None, *, layout: CsvLayout, columns: Sequence[Column]) -> None:
        super().__init__(data, initial={f"csv_{name}": value for name, value in layout.to_json().items()})
        self._columns = columns
        named = [(str(one.position), one.name) for one in columns]
        shown = named if layout.has_header else [(str(one.position), f"{one.name}: {one.example}") for one in columns]
        for name, nothing in (("external_id", "Number the rows"), ("patient_id", "None"), ("note_type", "None")):
            self._choices(f"csv_{name}").choices = [("", nothing), *shown]
        self._choices("csv_text").choices = shown if layout.text is not None else [("", "Choose one"), *shown]
        self._choices("csv_metadata").choices = [choice for choice in named if choice[0] != str(layout.text)]

    def column_fields(self) -> list[forms.BoundField]:
        """The fields that choose one column each."""
        return [self[f"csv_{name}"] for name in ("text", "external_id", "patient_id", "note_type")]

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                checked_layout(self.layout(), len(self._columns))
            except LayoutError as error:
                raise forms.ValidationError(sentence(str(error))) from error
        return self.cleaned_data

    def layout(self) -> CsvLayout:
        """What a valid form asks for."""
        data = self.cleaned_data
        places = {
            name: int(data[f"csv_{name}"]) if data[f"csv_{name}"] else None
            for name in ("text", "external_id", "patient_id", "note_type")
        }
        return CsvLayout(
            encoding=data["csv_encoding"],
            delimiter=data["csv_delimiter"],
            has_header=data["csv_has_header"],
            metadata=tuple(map(int, data["csv_metadata"])),
            **places,
        )

    def _choices(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])


class OptionsForm(forms.Form):
    """What becomes of an upload. Each foreign label has a field of its own, `label_0` and on."""

    spans_as = forms.ChoiceField(
        label="Their spans become", choices=SpansAs.choices, initial=SpansAs.NOTHING, widget=forms.RadioSelect
    )
    annotator = forms.ChoiceField(label="Annotations of", required=False)
    labeler = forms.CharField(
        label="Suggestions of", required=False, max_length=120, help_text="The model or tool that made the spans."
    )
    is_prelabelled = forms.BooleanField(label="Pre-label these notes now", required=False, initial=True)

    def __init__(
        self,
        *args: Any,
        labels: Sequence[tuple[str, int]],
        schema_labels: Sequence[str],
        people: Sequence[str],
        own_name: str,
        may_prelabel: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._labels = labels
        if labels:
            annotator = cast(forms.ChoiceField, self.fields["annotator"])
            annotator.choices = [(name, name) for name in people]
            annotator.initial = own_name
        else:
            for name in ("spans_as", "annotator", "labeler"):
                del self.fields[name]
        if not may_prelabel:
            del self.fields["is_prelabelled"]
        same_name = {name.casefold(): name for name in schema_labels}
        for position, (label, _) in enumerate(labels):
            self.fields[f"label_{position}"] = forms.ChoiceField(
                label=label,
                required=False,
                choices=[("", "Leave out"), *((name, name) for name in schema_labels)],
                initial=same_name.get(label.casefold(), ""),
            )

    def label_rows(self) -> list[tuple[forms.BoundField, int]]:
        """The field of each foreign label, and how many spans have it."""
        return [(self[f"label_{position}"], n) for position, (_, n) in enumerate(self._labels)]

    def clean(self) -> dict[str, Any]:
        spans_as = self.cleaned_data.get("spans_as")
        if spans_as == SpansAs.ANNOTATIONS and not self.cleaned_data.get("annotator"):
            self.add_error("annotator", "Say whose annotations they are.")
        if spans_as == SpansAs.SUGGESTIONS and not self.cleaned_data.get("labeler"):
            self.add_error("labeler", "Name the labeler that made the spans.")
        return self.cleaned_data

    def options(self) -> ImportOptions:
        """What a valid form asks for."""
        data = self.cleaned_data
        spans_as = data.get("spans_as") or SpansAs.NOTHING
        by = {SpansAs.ANNOTATIONS: data.get("annotator", ""), SpansAs.SUGGESTIONS: data.get("labeler", "")}
        return ImportOptions(
            spans_as=spans_as,
            spans_by=by.get(spans_as, ""),
            label_map={label: data[f"label_{position}"] for position, (label, _) in enumerate(self._labels)},
            is_prelabelled=data.get("is_prelabelled", False),
        )
