"""What the import commands share: their arguments, progress on a terminal, and how a refusal reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from annotator.exchange.passes import Progress, silent
from annotator.exchange.reports import ImportReport, summary_lines
from annotator.exchange.services import ImportRefused
from annotator.exchange.sources import Source, SourceError, source_at
from annotator.projects.models import Project
from annotator.projects.selectors import project_named


def add_source_arguments(parser: CommandParser) -> None:
    parser.add_argument("project", help="the project's short name")
    parser.add_argument("path", type=Path, help="a folder of .txt, .ann and .jsonl files, or one .txt or .jsonl file")


def add_map_argument(parser: CommandParser) -> None:
    parser.add_argument(
        "--map",
        nargs="+",
        action="extend",
        default=[],
        metavar="A=B",
        help="label A of the files is label B of the schema; 'A=' leaves A out",
    )


def project_given(slug: str) -> Project:
    project = project_named(slug)
    if project is None:
        raise CommandError(f"there is no project {slug!r}")
    return project


def source_given(path: Path) -> Source:
    try:
        return source_at(path)
    except SourceError as error:
        raise CommandError(str(error)) from error


def label_map_given(pairs: Sequence[str]) -> dict[str, str]:
    """The map of `A=B` arguments."""
    label_map: dict[str, str] = {}
    for pair in pairs:
        foreign, equals, label = pair.rpartition("=")
        if not equals or not foreign:
            raise CommandError(f"--map wants A=B, not {pair!r}")
        if label_map.setdefault(foreign, label) != label:
            raise CommandError(f"--map gives {foreign!r} two labels")
    return label_map


def progress_on(stream: OutputWrapper) -> Progress:
    """A line that is written over, on a terminal; silence elsewhere."""
    if not stream.isatty():
        return silent

    def show(phase: str, n_done: int, n_total: int) -> None:
        end = "\n" if n_total and n_done >= n_total else ""
        stream.write(f"\r{phase} {n_done:,} of {n_total:,}", ending=end)
        stream.flush()

    return show


def refused(refusal: ImportRefused) -> CommandError:
    """The refusal with its rows, one a line."""
    lines = [str(refusal)]
    lines += [f"  {error['where']}: {error['message']}" for error in refusal.report.errors]
    if refusal.report.n_errors_unlisted:
        lines.append(f"  and {refusal.report.n_errors_unlisted} more")
    return CommandError("\n".join(lines))


def write_summary(stream: OutputWrapper, report: ImportReport) -> None:
    for line in summary_lines(report.to_json()):
        stream.write(line.text)
