from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.administration import make_administrator
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError


class Command(BaseCommand):
    help = "Let a user administer the installation, where no administrator can: the audit chain says that it was done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["username"])
        if user is None:
            raise CommandError(f"there is no user {options['username']!r}")
        try:
            make_administrator(user=user, actor=None, now=timezone.now())
        except AccountError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.username} is an administrator")
