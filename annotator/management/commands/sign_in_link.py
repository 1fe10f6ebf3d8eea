from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator import programs
from annotator.accounts.services import AccountError, first_sign_in_link, sign_in_link


class Command(BaseCommand):
    help = "Print a link that signs a user in once, within ten minutes, from a browser on this machine."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", help="default: the first user, while no account has a password")
        parser.add_argument("--base", help="address of the web server (default: where it was last started)")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.HTTPS:
            raise CommandError("with HTTPS=1 no link signs in: reset_link prints one that sets a password")
        if options["username"]:
            try:
                path = sign_in_link(username=options["username"], now=timezone.now())
            except AccountError as error:
                raise CommandError(str(error)) from error
        else:
            first = first_sign_in_link(now=timezone.now())
            if first is None:
                raise CommandError("an account has a password already: name the user, `sign_in_link USERNAME`")
            path = first
        base = options["base"] or programs.read_address()
        self.stdout.write(base.rstrip("/") + path)
