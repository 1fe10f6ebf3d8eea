from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from annotator.doctor import Level, examine


class Command(BaseCommand):
    help = "Say what is wrong with this installation and what to do about it. Ends with 1 where something is broken."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program: one object a finding")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine(now=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(found) for found in findings], indent=2))
        else:
            for found in findings:
                self.stdout.write(f"{found.level:<8} {found.subject:<15} {found.said}")
                if found.remedy:
                    self.stdout.write(f"{'':<8} {'':<15} -> {found.remedy}")
        if any(found.level is Level.BROKEN for found in findings):
            sys.exit(1)
