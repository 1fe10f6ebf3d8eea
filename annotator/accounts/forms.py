"""Forms of the account pages: Django's own for new passwords, with the words of ours."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm, UsernameField
from django.contrib.auth.password_validation import password_validators_help_texts

from annotator.accounts.models import User

_CODE_CHARS = 20  # with the spaces that a person types


class SignInForm(forms.Form):
    """Name and password, as they are typed: whether they belong together, the view asks."""

    username = UsernameField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        strip=False, max_length=4096, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self["username"].value():  # a second try: mostly it is the password that was wrong
            del self.fields["username"].widget.attrs["autofocus"]
            self.fields["password"].widget.attrs["autofocus"] = True


class CodeForm(forms.Form):
    """A code of the app, or a recovery code."""

    code = forms.CharField(
        max_length=_CODE_CHARS,
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
    )


class PasswordAgainForm(forms.Form):
    """The person's own password, once more."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class TurnOnForm(CodeForm, PasswordAgainForm):
    """The first code of an app that has just been set up."""

    field_order = ("code", "password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code that the app shows"


class NewPersonForm(forms.ModelForm):
    """The name of a new account."""

    class Meta:
        model = User
        fields = ("username",)
        labels = {"username": "User name"}
        help_texts = {"username": "Letters, digits and @ . + - _. It stays: every annotation is signed with it."}
        widgets = {"username": forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "spellcheck": "false"})}


class NewPasswordForm(SetPasswordForm):
    """For who came by a sign-in link, or has no password yet."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = " ".join(password_validators_help_texts())
        self.fields["new_password2"].label = "The same again"
        self.fields["new_password2"].help_text = ""


class ChangePasswordForm(PasswordChangeForm, NewPasswordForm):
    """For who has a password: the old one is asked for."""
