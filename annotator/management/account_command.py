"""A command that does one thing to one account."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError


class AccountCommand(BaseCommand):
    """`act` does it and may raise AccountError; `done` is said of the user afterwards."""

    done: str

    def act(self, *, user: User, actor: User | None, now: datetime) -> None:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["username"])
        if user is None:
            raise CommandError(f"there is no user {options['username']!r}")
        try:
            self.act(user=user, actor=None, now=timezone.now())
        except AccountError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.username} {self.done}")
