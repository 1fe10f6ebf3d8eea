from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotator.projects.selectors import project_named
from annotator.purges.selectors import doomed_by_note, doomed_by_patient, doomed_notes, toll_of
from annotator.purges.services import purge_notes


class Command(BaseCommand):
    help = (
        "Delete a patient from a project: all notes, and all that was said of them. The id is asked for, or read from "
        "standard input, since arguments can be seen in the list of processes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's short name")
        parser.add_argument(
            "--note", action="store_true", help="the id is a note's: its patient goes, or the note where it names none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if project is None:
            raise CommandError(f"there is no project {options['project']!r}")
        kind = "note" if options["note"] else "patient"
        given = _read_id(f"Id of the {kind} (not shown): ")
        if options["note"]:
            doomed = doomed_by_note(project=project, note=given)
        else:
            doomed = doomed_by_patient(project=project, patient_id=given)
        if doomed is None:
            raise CommandError(f"the project has no {kind} of this id")
        toll = toll_of(project=project, notes=doomed_notes(project=project, doomed=doomed))
        tombstone = purge_notes(project=project, doomed=doomed, actor=None, now=timezone.now())
        self.stdout.write(
            f"{toll.n_notes} notes with {toll.n_annotations} annotations and {toll.n_decisions} decisions are out of "
            f"reach, {toll.n_builds} datasets lose their files; a worker deletes them (purge {tombstone.public_id})"
        )


def _read_id(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")
