"""Forms of the import pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, cast

from django import forms

from annotator.core.csv_rows import DELIMITERS, ENCODINGS, Column, CsvLayout, LayoutError, checked_layout
from annotator.core.foreign import Voice
from annotator.core.schema import PALETTE, label_name
from annotator.core.wording import sentence
from annotator.exchange.archives import ARCHIVE
from annotator.exchange.models import Import
from annotator.exchange.sources import NOTES, SUFFIXES, Source
from annotator.exchange.targets import Becomes, identities
from annotator.exchange.tools import FORMAT_NAMES, SUFFIX_FORMATS, Format
from annotator.exchange.uploads import ImportOptions

_SHOWN_REPEATS = 3
SpansAs = Import.SpansAs


NEW = "+"  # before the name of a label that is to be added to the schema
_ANNOTATIONS, _SUGGESTIONS = "annotations:", "suggestions:"
_CLOSE = 0.8  # how alike two names are, as difflib measures it, that are taken for one


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
        widget=ManyFilesInput(attrs={"multiple": True, "accept": ",".join(sorted({*SUFFIXES, ARCHIVE}))}),
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
                "Choose a folder or files with notes: .txt, with or without .ann, .jsonl, .csv, .tsv, .json, .xml or "
                ".xmi, or a .zip of these. Other archives and office files are not read: unpack them, or save them as "
                "one of these."
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


class FormatForm(forms.Form):
    """What an upload's JSON, JSONL or XML files are read as; "" is what they look like."""

    source_format = forms.ChoiceField(label="Read as", required=False)

    def __init__(self, data: Any = None, *, source: Source, chosen: str) -> None:
        super().__init__(data, initial={"source_format": chosen})
        found = sorted({FORMAT_NAMES[file.format] for file in source.files if file.format}) if not chosen else []
        possible = {each for file in source.files for each in SUFFIX_FORMATS.get(file.suffix, ())}
        as_found = f"What it looks like{': ' if found else ''}{', '.join(found)}"
        choices = [("", as_found), *((each.value, FORMAT_NAMES[each]) for each in Format if each in possible)]
        cast(forms.ChoiceField, self.fields["source_format"]).choices = choices


class OptionsForm(forms.Form):
    """What becomes of an upload. Each foreign label has a field of its own, `label_0` and on, and each person and model
    that speaks in the files one of theirs, `voice_0` and on.
    """

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
        voices: Sequence[tuple[Voice, int, int]],
        has_unnamed: bool,
        schema_labels: Sequence[str],
        people: Sequence[str],
        own_name: str,
        may_prelabel: bool,
        may_manage: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._labels, self._voices = labels, voices
        self._n_free = len(PALETTE) - len(schema_labels)
        if has_unnamed:
            annotator = cast(forms.ChoiceField, self.fields["annotator"])
            annotator.choices = [(name, name) for name in people]
            annotator.initial = own_name
        else:
            for name in ("spans_as", "annotator", "labeler"):
                del self.fields[name]
        if not may_prelabel:
            del self.fields["is_prelabelled"]
        names = identities(voice for voice, _, _ in voices if not voice.is_model)
        for position, (voice, _, _) in enumerate(voices):
            self.fields[f"voice_{position}"] = _voice_field(voice, people, names.get(voice, ""), may_manage)
        for position, (label, _) in enumerate(labels):
            self.fields[f"label_{position}"] = _label_field(label, schema_labels, may_manage and self._n_free > 0)

    def label_rows(self) -> list[tuple[forms.BoundField, int]]:
        """The field of each foreign label, and how many spans have it."""
        return [(self[f"label_{position}"], n) for position, (_, n) in enumerate(self._labels)]

    def voice_rows(self) -> list[tuple[forms.BoundField, Voice, int, int]]:
        """The field of each person and model, who it is, and how many notes and spans they speak of."""
        return [(self[f"voice_{position}"], *each) for position, each in enumerate(self._voices)]

    def clean(self) -> dict[str, Any]:
        new = self._new_labels()
        if len(new) > self._n_free:
            self.add_error(None, f"The schema has room for {self._n_free} more labels, and these are {len(new)}.")
        spans_as = self.cleaned_data.get("spans_as")
        if spans_as == SpansAs.ANNOTATIONS and not self.cleaned_data.get("annotator"):
            self.add_error("annotator", "Say whose annotations they are.")
        if spans_as == SpansAs.SUGGESTIONS and not self.cleaned_data.get("labeler"):
            self.add_error("labeler", "Name the labeler that made the spans.")
        return self.cleaned_data

    def _new_labels(self) -> tuple[str, ...]:
        chosen = [self.cleaned_data.get(f"label_{position}", "") for position in range(len(self._labels))]
        return tuple(dict.fromkeys(name.removeprefix(NEW) for name in chosen if name.startswith(NEW)))

    def options(self) -> ImportOptions:
        """What a valid form asks for."""
        data = self.cleaned_data
        spans_as = data.get("spans_as") or SpansAs.NOTHING
        by = {SpansAs.ANNOTATIONS: data.get("annotator", ""), SpansAs.SUGGESTIONS: data.get("labeler", "")}
        return ImportOptions(
            spans_as=spans_as,
            spans_by=by.get(spans_as, ""),
            label_map={
                label: data[f"label_{position}"].removeprefix(NEW) for position, (label, _) in enumerate(self._labels)
            },
            voices={
                voice.key: _becomes(data[f"voice_{position}"]) for position, (voice, _, _) in enumerate(self._voices)
            },
            new_labels=self._new_labels(),
            is_prelabelled=data.get("is_prelabelled", False),
        )


def _label_field(label: str, schema_labels: Sequence[str], may_add: bool) -> forms.ChoiceField:
    """What becomes of a foreign label: first one of the same name is suggested, then one of a name like it."""
    names = {_spelling(name): name for name in schema_labels}
    alike = get_close_matches(_spelling(label), names, n=1, cutoff=_CLOSE)
    new = label_name(label)
    is_new = may_add and new and _spelling(new) not in names
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[
            ("", "Leave out"),
            *((name, name) for name in schema_labels),
            *([(NEW + new, f"{new}, a new label")] if is_new else []),
        ],
        initial=names[alike[0]] if alike else "",
    )


def _spelling(name: str) -> str:
    """What names have in common that differ in case, blanks and the like."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _voice_field(voice: Voice, people: Sequence[str], identity: str, may_manage: bool) -> forms.ChoiceField:
    """What becomes of a voice's spans; of a person, a member of the same name is suggested, then a name for them."""
    suggestions = (f"{_SUGGESTIONS}{voice.name}", f"Suggestions of {voice.name}")
    if voice.is_model:
        choices, initial = [suggestions, ("", "Leave out")], suggestions[0]
    else:
        own = [(f"{_ANNOTATIONS}{name}", f"Annotations of {name}") for name in people]
        new = [(f"{_ANNOTATIONS}{identity}", f"New: {identity}")] if may_manage else []
        wanted = {voice.name.casefold(), voice.name.partition("@")[0].casefold()}
        same = [choice for choice, name in zip(own, people, strict=True) if name.casefold() in wanted]
        choices = [*own, *(each for each in new if each not in own), suggestions, ("", "Leave out")]
        initial = (same or new or [suggestions])[0][0]
    return forms.ChoiceField(label=voice.name, required=False, choices=choices, initial=initial)


def _becomes(choice: str) -> Becomes:
    if choice.startswith(_ANNOTATIONS):
        return Becomes(annotator=choice.removeprefix(_ANNOTATIONS))
    return Becomes(labeler=choice.removeprefix(_SUGGESTIONS))
