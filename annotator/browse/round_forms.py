"""The forms of rounds: a new one, its last day, who else reads, who takes notes over."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from django import forms
from django.forms import BoundField

from annotator.accounts.models import User
from annotator.core.id_lists import IdList, IdListError, read_ids
from annotator.core.wording import counted, sentence
from annotator.documents.selectors import type_key
from annotator.review.models import Round
from annotator.review.rounds import MOST_NOTES, MOST_READERS, Chosen
from annotator.web.files import OneFile

ANYBODY = "anybody"
_LONGEST_LIST = 1_000_000
IDS_FILE = "ids_file"
MAX_IDS_BYTES = 16 * 1024 * 1024


def ids_in(upload: OneFile) -> IdList | None:
    """The ids of an uploaded list; None where none came. Raises IdListError."""
    if upload.is_too_large:
        raise IdListError(f"a list of ids may have {MAX_IDS_BYTES // 1024**2} MB")
    return None if upload.content is None else read_ids(upload.content, name=upload.name, most=MOST_NOTES)


def day_field(**options: Any) -> forms.DateField:
    """A day that may be left out."""
    return forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **options)


class NewRoundForm(forms.Form):
    """Shape only; whether there are such notes and enough readers is the service's business.

    `chosen` and `readers` say what the service asks for. Each of `people` has a field for the number of notes. `upload`
    is the file of ids as it came, which is read here and kept nowhere.
    """

    name = forms.CharField(max_length=120, required=False)
    n_notes = forms.IntegerField(
        label="How many notes",
        min_value=1,
        max_value=MOST_NOTES,
        required=False,
        help_text="Taken at random from those that nobody has begun. Empty: all of them.",
    )
    note_type = forms.ChoiceField(label="Of which type", required=False)
    external_ids = forms.CharField(
        label="Or these notes",
        required=False,
        max_length=_LONGEST_LIST,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
        help_text="Ids as the list of notes shows them, one a line.",
    )
    # Drawn only: the file itself goes past the form, into `upload`.
    ids_file = forms.FileField(
        label="Or the notes of a file",
        required=False,
        widget=forms.FileInput(attrs={"accept": ".txt,.csv,.tsv,text/plain,text/csv", "hx-preserve": "true"}),
        help_text=f"Ids one a line, or in the first column of a CSV file; at most {MOST_NOTES:,}.",
    )
    n_readers = forms.IntegerField(label="Readers of each note", min_value=1, max_value=MOST_READERS, initial=2)
    reads = forms.MultipleChoiceField(
        label="Who reads", widget=forms.CheckboxSelectMultiple, error_messages={"required": "Choose who reads."}
    )
    assistance = forms.ChoiceField(
        label="Suggestions",
        choices=Round.Assistance.choices,
        initial=Round.Assistance.SHOWN,
        widget=forms.RadioSelect,
    )
    draw = forms.ChoiceField(
        label="Who gets which",
        choices=Round.Draw.choices,
        initial=Round.Draw.STRATIFIED,
        widget=forms.RadioSelect,
    )
    due_on = day_field(label="To be read by")
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Any = None,
        *,
        people: Sequence[User],
        note_types: Sequence[str],
        upload: OneFile | None = None,
        **options: Any,
    ) -> None:
        self._upload = upload
        self._listed: IdList | None = None
        super().__init__(data, initial={"seed": secrets.randbelow(2**31), "reads": []}, **options)
        self._people = {user.public_id: user for user in people}
        self._types = {type_key(name): name for name in note_types}
        types = [(key, name or "No type") for key, name in self._types.items()]
        self.fields["note_type"].choices = [("", "Any type"), *types]  # type: ignore[attr-defined]
        self.fields["reads"].choices = [(key, user.username) for key, user in self._people.items()]  # type: ignore[attr-defined]
        for key, user in self._people.items():
            self.fields[_number_of(key)] = forms.IntegerField(
                label=f"Notes for {user.username}", min_value=0, max_value=MOST_NOTES, required=False
            )

    @property
    def person_fields(self) -> list[tuple[Any, BoundField]]:
        """The box of each person, with the field of their number."""
        boxes = {str(box.data["value"]): box for box in self["reads"]}
        return [(boxes[key], self[_number_of(key)]) for key in self._people]

    def clean_external_ids(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["external_ids"].splitlines() if line.strip()]

    def clean_ids_file(self) -> None:
        try:
            self._listed = ids_in(self._upload) if self._upload else None
        except IdListError as refusal:
            raise forms.ValidationError(sentence(str(refusal))) from refusal

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        named = [name for name in ("external_ids", IDS_FILE) if (data.get(name) or (name == IDS_FILE and self._listed))]
        if named and (data.get("n_notes") or data.get("note_type")):
            self.add_error(named[0], "Name notes here, or say how many of which type: not both.")
        elif len(named) > 1:
            self.add_error(IDS_FILE, "Name the notes in the field, or in a file: not both.")
        return data

    @property
    def chosen(self) -> Chosen:
        data = self.cleaned_data
        if self._listed is not None:
            return Chosen(external_ids=self._listed.ids, rows=self._listed.rows)
        return Chosen(
            n_notes=data["n_notes"],
            note_type=self._types.get(data["note_type"]),
            external_ids=data["external_ids"] or None,
        )

    @property
    def readers(self) -> list[tuple[User, int | None]]:
        chosen = self.cleaned_data["reads"]
        return [(user, self.cleaned_data[_number_of(key)]) for key, user in self._people.items() if key in chosen]


class DueForm(forms.Form):
    due_on = day_field(label="To be read by", help_text="Empty: no such day.")


class PersonForm(forms.Form):
    """One of some people, by public id; `person` is who was chosen."""

    user = forms.ChoiceField(label="Reader")

    def __init__(self, data: Any = None, *, people: Sequence[User], **options: Any) -> None:
        super().__init__(data, **options)
        self._people = {user.public_id: user for user in people}
        self.fields["user"].choices = [(key, user.username) for key, user in self._people.items()]  # type: ignore[attr-defined]

    @property
    def person(self) -> User:
        return self._people[self.cleaned_data["user"]]


class ReassignForm(forms.Form):
    """Whose open notes go to whom; `from_person` is None for those that wait for anybody, `to_person` for whoever comes
    first.
    """

    from_user = forms.ChoiceField(label="Open notes of")
    to = forms.ChoiceField(label="Go to")
    n_notes = forms.IntegerField(
        label="How many", min_value=1, required=False, help_text="Empty: all. What is not begun goes first."
    )

    def __init__(
        self,
        data: Any = None,
        *,
        holders: Sequence[tuple[User, int]],
        n_waiting: int,
        readers: Sequence[User],
        **options: Any,
    ) -> None:
        super().__init__(data, auto_id="reassign_%s", **options)
        self._people = {user.public_id: user for user in [*readers, *(user for user, _ in holders)]}
        whose = [(user.public_id, f"{user.username} ({counted(n, 'note')})") for user, n in holders]
        waiting = [(ANYBODY, f"nobody ({counted(n_waiting, 'note')})")] if n_waiting else []
        self.fields["from_user"].choices = [*whose, *waiting]  # type: ignore[attr-defined]
        to = [(ANYBODY, "whoever of the round comes first"), *((user.public_id, user.username) for user in readers)]
        self.fields["to"].choices = to  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "from_user" in data and "to" in data and data["from_user"] == data["to"]:
            self.add_error("to", "These notes are there already.")
        return data

    @property
    def from_person(self) -> User | None:
        return self._people.get(self.cleaned_data["from_user"])

    @property
    def to_person(self) -> User | None:
        return self._people.get(self.cleaned_data["to"])


def _number_of(key: str) -> str:
    return f"n_{key}"
