from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.core.servers import ServerError
from annotator.projects.selectors import project_named
from annotator.suggestions.disclosure import allow_server, allowed_servers, forbid_server


class Command(BaseCommand):
    help = "Let a project's notes be sent to a model server on another machine, or take that back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("url", nargs="?", help="https://HOST:PORT; without it, what is allowed is listed")
        parser.add_argument("--remove", action="store_true", help="do not allow it any more")

    def handle(self, *, project: str, url: str | None, remove: bool, **_: Any) -> None:
        found = project_named(project)
        if found is None:
            raise CommandError(f"there is no project {project!r}")
        if url is None:
            for server in allowed_servers(found):
                self.stdout.write(server)
            return
        try:
            change = forbid_server if remove else allow_server
            server = change(project=found, url=url, now=timezone.now())
        except ServerError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"notes of {found.slug} {'stay away from' if remove else 'may go to'} {server}")
