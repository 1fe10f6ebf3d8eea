"""The form of a new API token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms

from annotator.accounts.tokens import DEFAULT_LIFETIME, LIFETIMES, NAME_LENGTH, SCOPES, Scope


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=NAME_LENGTH,
        help_text="What will use it, so that you know which to revoke.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        choices=[(scope.value, f"{scope}: {words}") for scope, words in SCOPES.items()],
        initial=[Scope.READ.value],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
        help_text="What it may do; never more than your own role in a project allows.",
    )
    project = forms.ChoiceField(label="Project", required=False)
    days = forms.TypedChoiceField(
        label="Good for",
        coerce=int,
        choices=[(days, f"{days} days") for days in LIFETIMES],
        initial=DEFAULT_LIFETIME,
    )

    def __init__(self, *args: Any, projects: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = [("", "All of your projects"), *projects]  # type: ignore[attr-defined]

    def lifetime(self) -> timedelta:
        """How long a valid form wants the token to be good for."""
        return timedelta(days=self.cleaned_data["days"])
