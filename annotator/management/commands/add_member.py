from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from annotator.accounts.models import User
from annotator.accounts.selectors import user_named
from annotator.accounts.services import AccountError, activate_user, create_user
from annotator.browse.services import give_role
from annotator.projects.models import Membership
from annotator.projects.selectors import project_named
from annotator.projects.services import ProjectError


class Command(BaseCommand):
    help = "Make a user a member of a project, or change the member's role."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("username")
        parser.add_argument("role", choices=Membership.Role.values)
        parser.add_argument(
            "--create",
            action="store_true",
            help="make the account where there is none, or open it where an import has made it",
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        username, now = options["username"], timezone.now()
        try:
            user = self._user(username, is_made=options["create"], now=now)
            give_role(project=project, user=user, role=options["role"], actor=None, now=now)
        except AccountError as error:
            raise CommandError(str(error)) from error
        except ProjectError as error:
            raise CommandError(f"{project.slug}: {error}") from error
        self.stdout.write(f"{username} is {options['role']} of {project.slug}")

    def _user(self, username: str, *, is_made: bool, now: datetime) -> User:
        """The account; with `is_made` it is made where there is none, and opened where an import has made it."""
        user = user_named(username)
        if user is None and not is_made:
            raise AccountError(f"there is no user {username!r}; --create makes the account")
        if user is not None and (user.is_active or not is_made):
            return user
        if user is None:
            user = create_user(username=username, actor=None, now=now)
        else:
            activate_user(user=user, actor=None, now=now)
        self.stdout.write(f"user {username} made; manage.py sign_in_link {username} prints the way in")
        return user
