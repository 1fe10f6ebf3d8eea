from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.administration import remove_two_factor
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError


class Command(BaseCommand):
    help = "Let a user sign in without a second factor that is lost, where no administrator can."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["username"])
        if user is None:
            raise CommandError(f"there is no user {options['username']!r}")
        try:
            remove_two_factor(user=user, actor=None, now=timezone.now())
        except AccountError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{user.username} signs in by password alone")
