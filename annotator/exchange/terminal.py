"""What the import commands share: their arguments, progress on a terminal, and how a refusal reads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser, OutputWrapper

from annotator.core.csv_rows import DELIMITERS, ENCODINGS, CsvLayout, LayoutError, with_named_columns
from annotator.core.foreign import Voice
from annotator.exchange.archives import ArchiveError, is_archive, unpacked_beside
from annotator.exchange.passes import Progress, silent
from annotator.exchange.previews import look_at
from annotator.exchange.reports import ImportReport, summary_lines
from annotator.exchange.services import ImportRefused
from annotator.exchange.sources import Source, SourceError, in_order, likely_layout, source_at
from annotator.exchange.tables import names_in
from annotator.exchange.targets import Becomes
from annotator.exchange.tools import FORMAT_NAMES, Format
from annotator.projects.models import Project
from annotator.projects.selectors import project_named

_MAX_UNPACKED = 50 * 1024**3  # of an archive that somebody with a shell on the machine brings in
# A tab and a pipe are awkward to type in a shell.
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}


def add_source_arguments(parser: CommandParser, *, has_tables: bool = False) -> None:
    more = ".csv, .tsv, " if has_tables else ""
    parser.add_argument("project", help="the project's short name")
    parser.add_argument(
        "path", type=Path, help=f"a folder of .txt, .ann, .jsonl, {more}.json, .xml and .xmi files, or one, or a .zip"
    )
    parser.add_argument(
        "--format",
        default="",
        choices=["", *FORMAT_NAMES],
        metavar="TOOL",
        help=f"read the files as one of {', '.join(FORMAT_NAMES)}; what they look like, if it is not said",
    )


def add_voice_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--person",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=USER",
        help="what NAME of the files annotated are annotations of USER, made if it is new; 'NAME=' leaves it out",
    )
    parser.add_argument(
        "--suggestions",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=LABELER",
        help="what the person or model NAME of the files said are suggestions of LABELER",
    )


def voices_given(options: Mapping[str, Any]) -> dict[str, Becomes]:
    """What becomes of those who speak in the files, by their keys."""
    people = _pairs_given("--person", options["person"], "users")
    models = _pairs_given("--suggestions", options["suggestions"], "labelers")
    found = {Voice(name).key: Becomes(annotator=user) for name, user in people.items()}
    for name, labeler in models.items():
        found |= {Voice(name, is_model).key: Becomes(labeler=labeler) for is_model in (False, True)}
    return found


def write_look(stream: OutputWrapper, source: Source) -> None:
    """Tell what an import would find, as the preview page does; never note text."""
    look = look_at(source)
    formats = ", ".join(FORMAT_NAMES[Format(name)] for name, _ in look["formats"])
    n_notes = look["n_notes"] or look["n_rows"]
    stream.write(f"{n_notes:,} notes in {look['n_files']:,} files{formats and f': {formats}'}")
    stream.write(f"{look['n_spans']:,} spans, {look['n_relations']:,} relations")
    for title, rows in (("label", look["labels"]), ("loss", look["losses"])):
        for name, n in rows:
            stream.write(f"  {title} {name}: {n:,}")
    for key, n_readings, n_spans in look["voices"]:
        stream.write(f"  {key}: {n_spans:,} spans in {n_readings:,} notes")
    for error in look["errors"]:
        stream.write(f"  error {error['where']}: {error['message']}")
    if look["n_errors"] > len(look["errors"]):
        stream.write(f"  and {look['n_errors'] - len(look['errors']):,} errors more")


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


@contextmanager
def source_given(path: Path, options: Mapping[str, Any]) -> Iterator[Source]:
    """The source at `path`, as `_source_given` has it. A `.zip` is unpacked for as long as this lasts."""
    has_tables = "text_column" in options
    if not (path.is_file() and is_archive(path.name)):
        yield _source_given(source_at_path(path, options["format"]), options if has_tables else None)
        return
    with tempfile.TemporaryDirectory(dir=settings.SPOOL_DIR) as folder:
        try:
            packed = unpacked_beside(path, Path(folder), max_bytes=_MAX_UNPACKED)
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        source = in_order(packed.files, n_other_files=packed.n_other_files, format=options["format"])
        yield _source_given(source, options if has_tables else None)


def source_at_path(path: Path, format: str) -> Source:
    try:
        return source_at(path, format=format)
    except SourceError as error:
        raise CommandError(str(error)) from error


def _source_given(source: Source, options: Mapping[str, Any] | None) -> Source:
    """The source; the rows of its CSV files become notes as `options` (`add_table_arguments`) say.

    Without `options` spans are wanted, which CSV files do not have, so that they are left out.
    """
    if options is None:
        others = len(source.tables)
        files = tuple(file for file in source.files if file not in source.tables)
        return replace(source, files=files, n_other_files=source.n_other_files + others)
    try:
        return replace(source, layout=_layout_given(source, options))
    except LayoutError as error:
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
    """The map of `--map A=B`."""
    return _pairs_given("--map", pairs, "labels")


def _pairs_given(option: str, pairs: Sequence[str], what: str) -> dict[str, str]:
    """The map of `A=B` arguments."""
    label_map: dict[str, str] = {}
    for pair in pairs:
        foreign, equals, label = pair.rpartition("=")
        if not equals or not foreign:
            raise CommandError(f"{option} wants A=B, not {pair!r}")
        if label_map.setdefault(foreign, label) != label:
            raise CommandError(f"{option} gives {foreign!r} two {what}")
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
