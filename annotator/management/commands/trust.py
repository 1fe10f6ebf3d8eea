from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotator.exchange.terminal import project_given
from annotator.routing.figures import trust_json, trust_lines
from annotator.routing.selectors import trust_of


class Command(BaseCommand):
    help = "Tell what a project accepts without review: targets, calibrators, batches with evidence, certificates."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument("--json", action="store_true", help="all figures")

    def handle(self, *args: Any, **options: Any) -> None:
        trust = trust_of(project_given(options["project"]))
        if options["json"]:
            self.stdout.write(json.dumps(trust_json(trust), indent=2))
        else:
            self.stdout.write("\n".join(trust_lines(trust)))
