from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator import programs
from annotator.accounts.services import AccountError, first_user, reset_link


class Command(BaseCommand):
    help = "Print a link by which a user sets a new password once, within 24 hours, from any machine."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help="default: the first user, while no account has a password")
        parser.add_argument("--base", help="address of the site (default: where the web server was last started)")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        username = options["username"]
        if not username:
            user = first_user(now=now)
            if user is None:
                raise CommandError("an account has a password already: name the user, `reset_link USERNAME`")
            username = user.username
        try:
            path = reset_link(username=username, actor=None, now=now)
        except AccountError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self._base(options["base"]) + path)

    def _base(self, given: str | None) -> str:
        """Behind a TLS proxy the site has another address than the web server."""
        default = f"https://{settings.ALLOWED_HOSTS[0]}" if settings.HTTPS else programs.read_address()
        return (given or default).rstrip("/")
