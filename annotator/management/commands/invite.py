from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator import programs
from annotator.projects.invitations import invite
from annotator.projects.models import Membership
from annotator.projects.selectors import project_named


class Command(BaseCommand):
    help = "Print a link that makes whoever follows it first a member of a project, within seven days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("role", choices=Membership.Role.values)
        parser.add_argument("--base", help="address of the web server (default: where it was last started)")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        if settings.HTTPS and not options["base"]:
            raise CommandError("with HTTPS=1 the proxy's address is not known here: give --base https://HOST")
        path = invite(project=project, role=options["role"], actor=None, now=timezone.now())
        base = options["base"] or programs.read_address()
        self.stdout.write(base.rstrip("/") + path)
