from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotator.audit.heads import Head, HeadFileError, first_broken_head, read_heads
from annotator.audit.models import AuditChain
from annotator.audit.services import first_broken_event
from annotator.projects.selectors import project_named


class Command(BaseCommand):
    help = "Check the audit chains: each in itself, and against the heads that were written down day by day."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "project", nargs="?", help="short name, or id where the project is purged (default: every chain)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            heads = read_heads()
        except HeadFileError as error:
            raise CommandError(str(error)) from error
        chains = {chain.project: chain for chain in AuditChain.objects.order_by("project")}
        wanted = sorted({*chains, *heads})
        if options["project"]:
            wanted = [self._public_id(options["project"], known=wanted)]
        n_broken = 0
        self.stdout.write(f"{'project':<16}  {'events':>9}  {'head':<64}  state")
        for project in wanted:
            chain = chains.get(project) or AuditChain(project=project)
            state = _state(project, heads.get(project, []))
            n_broken += state != "OK"
            self.stdout.write(f"{project or 'installation':<16}  {chain.n_events:>9}  {chain.head_sha256}  {state}")
        if n_broken:
            raise CommandError(f"{n_broken} of {len(wanted)} chains {'is' if n_broken == 1 else 'are'} broken")

    def _public_id(self, given: str, *, known: list[str]) -> str:
        project = project_named(given)
        if project is not None:
            return project.public_id
        if given not in known:
            raise CommandError(f"there is no project {given!r}, and no chain of that id")
        return given


def _state(project: str, heads: list[Head]) -> str:
    broken = first_broken_event(project=project)
    if broken is not None:
        return f"broken at event {broken}"
    changed = first_broken_head(project=project, heads=heads)
    if changed is not None:
        return f"rewritten: event {changed.n_events} is not what it was on {changed.day}"
    return "OK"
