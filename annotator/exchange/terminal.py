"""What the import commands share: their arguments, progress on a terminal, and how a refusal reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from annotator.core.csv_rows import DELIMITERS, ENCODINGS, CsvLayout, LayoutError, with_named_columns
from annotator.exchange.passes import Progress, silent
from annotator.exchange.reports import ImportReport, summary_lines
from annotator.exchange.services import ImportRefused
from annotator.exchange.sources import Source, SourceError, likely_layout, source_at
from annotator.exchange.tables import names_in
from annotator.projects.models import Project
from annotator.projects.selectors import project_named

# A tab and a pipe are awkward to type in a shell.
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def add_source_arguments(parser: CommandParser, *, has_tables: bool = False) -> None:
    more = ", .csv and .tsv" if has_tables else ""
    parser.add_argument("project", help="the project's short name")
    parser.add_argument("path", type=Path, help=f"a folder of .txt, .ann, .jsonl{more} files, or one such file")


def add_table_arguments(parser: CommandParser) -> None:
    group = parser.add_argument_group("CSV", "What is not said is guessed from how the first file begins, and told.")
    for role, what in (("text", "the note"), ("id", "its id"), ("patient", "the patient's id"), ("type", "its type")):
        group.add_argument(f"--{role}-column", default="", metavar="COLUMN", help=f"{what}: a column's name or number")
    group.add_argument("--metadata-column", action="append", default=[], metavar="COLUMN", help="kept; repeatable")
    group.add_argument("--number-rows", action="store_true", help="the id is the file's name and the row's number")
    group.add_argument("--no-header", action="store_true", help="the first row is a note")
    group.add_argument("--delimiter", default="", metavar="CHARACTER", help=f"one of {', '.join(_DELIMITERS)}")
    group.add_argument("--encoding", default="", choices=list(ENCODINGS), help="of the file, if it is not UTF-8")


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


def source_given(path: Path, options: Mapping[str, Any] | None = None) -> Source:
    """The source at `path`; the rows of its CSV files become notes as `options` (`add_table_arguments`) say.

    Without `options` spans are wanted, which CSV files do not have, so that they are left out.
    """
    try:
        source = source_at(path)
        if options is None:
            others = len(source.tables)
            files = tuple(file for file in source.files if file not in source.tables)
            return replace(source, files=files, n_other_files=source.n_other_files + others)
        return replace(source, layout=_layout_given(source, options))
    except (SourceError, LayoutError) as error:
        raise CommandError(str(error)) from error


def _layout_given(source: Source, options: Mapping[str, Any]) -> CsvLayout | None:
    delimiter = _DELIMITERS.get(options["delimiter"], options["delimiter"])
    if delimiter and delimiter not in DELIMITERS:
        raise LayoutError(f"--delimiter is one of {', '.join(_DELIMITERS)}")
    layout = likely_layout(
        source,
        encoding=options["encoding"],
        delimiter=delimiter,
        has_header=False if options["no_header"] else None,
    )
    if layout is None:
        return None
    if options["number_rows"]:
        layout = replace(layout, external_id=None)
    chosen = {role: options[f"{role}_column"] for role in ("text", "id", "patient", "type")}
    return with_named_columns(layout, names_in(source.tables[0].path, layout), chosen, options["metadata_column"])


def write_layout(stream: OutputWrapper, source: Source) -> None:
    """Tell which columns of the CSV files are what, since that may be a guess."""
    layout = source.layout
    if layout is None:
        return
    names = names_in(source.tables[0].path, layout) if layout.has_header else ()
    roles = {"text": layout.text, "id": layout.external_id, "patient": layout.patient_id, "type": layout.note_type}
    used = [
        f"{role} from {names[place] if names else f'column {place + 1}'}"
        for role, place in roles.items()
        if place is not None
    ]
    header = "a header" if layout.has_header else "no header"
    shape = f"{ENCODINGS[layout.encoding]}, {DELIMITERS[layout.delimiter].lower()}, {header}"
    stream.write(f"CSV: {shape}; {', '.join(used) or 'no text column found: say --text-column'}")


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
