from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotator.builds.comparing import NoteChange, compare_builds
from annotator.builds.models import DatasetBuild


class Command(BaseCommand):
    help = "What changed from one dataset of a project to another: options, counts of labels, notes, annotations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("before", help="id of the older dataset")
        parser.add_argument("after", help="id of the newer one")
        parser.add_argument("--notes", type=int, default=0, metavar="N", help="list so many of the notes that differ")
        parser.add_argument("--skip", type=int, default=0, metavar="N", help="of the list, leave the first N out")

    def handle(self, *args: Any, **options: Any) -> None:
        before, after = self._build(options["before"]), self._build(options["after"])
        if before.project_id != after.project_id:
            raise CommandError("these datasets are of two projects")
        found = compare_builds(before=before, after=after, first=max(options["skip"], 0), n=max(options["notes"], 0))
        for setting in found.settings:
            self.stdout.write(f"{setting.name}: {setting.before} -> {setting.after}")
        for label in found.labels:
            self.stdout.write(f"{label.label}: {label.before} -> {label.after} ({label.change:+})")
        if found.notes is None:
            self.stdout.write("notes: not known; the files of one were purged, or it was built before this was kept")
            return
        for what, counts in (("notes", found.notes.notes), ("annotations", found.notes.spans)):
            self.stdout.write(f"{what}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
        self.stdout.write(f"in another part: {found.notes.n_moved}; the same: {found.notes.n_same}")
        for change in found.notes.changes:
            self.stdout.write(_line(change))

    def _build(self, public_id: str) -> DatasetBuild:
        build = DatasetBuild.objects.filter(public_id=public_id).first()
        if build is None or not build.manifest:
            raise CommandError(f"there is no finished dataset {public_id!r}")
        return build


def _line(change: NoteChange) -> str:
    """The note, and how many of its annotations: none of its words."""
    kinds = [found.kind for found in change.spans]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("added", "removed", "changed") if kind in kinds)
    moved = f" ({change.parts[0]} -> {change.parts[1]})" if change.has_moved else ""
    return f"{change.kind} {change.id}{moved}" + (f": {counts}" if counts else "")
