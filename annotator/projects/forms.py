"""The form of who joins a project with a new account."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import UsernameField
from django.contrib.auth.validators import UnicodeUsernameValidator

from annotator.accounts.forms import NewPasswordForm
from annotator.accounts.models import User

NAME_LENGTH = 150


class NewAccountForm(NewPasswordForm):
    """Checks the letters of the name, and the password. Whether the name is taken is for `invitations` to say."""

    field_order = ["username", "new_password1", "new_password2"]
    username = UsernameField(
        label="User name",
        max_length=NAME_LENGTH,
        validators=[UnicodeUsernameValidator()],
        help_text="Letters, digits and @ . + - _. Others in the project see it beside what you label.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(User(), *args, **kwargs)
        self.fields["new_password1"].label = "Password"

    def clean_username(self) -> str:
        """The name, which the password is then compared with."""
        self.user.username = self.cleaned_data["username"]
        return self.user.username
