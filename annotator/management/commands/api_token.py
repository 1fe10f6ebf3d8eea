from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.accounts.selectors import user_named
from annotator.accounts.tokens import DEFAULT_LIFETIME, Scope, TokenError, make_token
from annotator.projects.selectors import project_named


class Command(BaseCommand):
    help = "Make an API token of a user and print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="what will use it")
        parser.add_argument(
            "--scope", required=True, nargs="+", action="extend", choices=[scope.value for scope in Scope]
        )
        parser.add_argument("--project", help="short name of the only project it opens (default: all of the user's)")
        parser.add_argument("--days", type=int, default=DEFAULT_LIFETIME, help="default: %(default)s")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_named(options["username"])
        if user is None:
            raise CommandError(f"there is no user {options['username']!r}")
        project = project_named(options["project"]) if options["project"] else None
        if options["project"] and project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        try:
            _, text = make_token(
                user=user,
                name=options["name"],
                scopes=options["scope"],
                project=project.public_id if project else "",
                lifetime=timedelta(days=options["days"]),
                now=timezone.now(),
            )
        except (TokenError, OverflowError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(text)
