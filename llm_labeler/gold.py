"""Gold spans for an evaluation, from a folder of brat files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from annotator.core.brat import parse_ann
from annotator.core.matching import Labelled
from annotator.core.spans import SpanError, checked_surface
from annotator.core.text import TextError, normal_text

# In a mapping, every type that is not named.
EVERY = "*"


class GoldError(ValueError):
    """A folder, file or line that cannot be read as gold; the message names it, never what it reads."""


@dataclass(frozen=True, slots=True)
class GoldNote:
    """A note as it is stored (line ends are LF), and its gold spans without repeats."""

    name: str
    text: str
    gold: tuple[Labelled, ...]


@dataclass(frozen=True, slots=True)
class Gold:
    """The notes, by name; `left_out` counts the spans of types that have no label, `n_repeats` those given twice."""

    notes: tuple[GoldNote, ...]
    left_out: Mapping[str, int]
    n_repeats: int


def read_gold(folder: Path, labels: Mapping[str, str], *, limit: int | None = None) -> Gold:
    """The notes of `folder`, the first `limit` by name, each `NAME.txt` with its `NAME.ann`.

    `labels` says which label a type of span has; what it does not name is left out. Raises GoldError.
    """
    paths = sorted(folder.glob("*.txt"))[:limit]
    if not paths:
        raise GoldError(f"{folder}: a folder with .txt and .ann files is wanted, no .txt is there")
    left_out: Counter[str] = Counter()
    notes = [_read_note(path, labels, left_out) for path in paths]
    return Gold(
        notes=tuple(GoldNote(name, text, tuple(dict.fromkeys(gold))) for name, text, gold in notes),
        left_out=dict(left_out.most_common()),
        n_repeats=sum(len(gold) - len(set(gold)) for _, _, gold in notes),
    )


def _read_note(path: Path, labels: Mapping[str, str], left_out: Counter[str]) -> tuple[str, str, list[Labelled]]:
    beside = path.with_suffix(".ann")
    if not beside.exists():
        raise GoldError(f"{path}: {beside.name} is not beside it; one without a line says that there is no span")
    raw = _decoded(path)
    try:
        text = normal_text(raw)
    except TextError as error:
        raise GoldError(f"{path}: {error}") from None
    found = parse_ann(_decoded(beside))
    if found.faults:
        raise GoldError(f"{beside}, {found.faults[0]}")
    gold = []
    for span in found.spans:
        label = labels.get(span.label, labels.get(EVERY))
        if label is None:
            left_out[span.label] += 1
            continue
        try:
            checked_surface(text=raw, span=span.span, surface=span.surface)
            gold.append(Labelled(text.span_from_raw(span.span), label))
        except SpanError as error:
            raise GoldError(f"{beside}, {span.where}: {error}") from None
    return path.stem, text.text, gold


def _decoded(path: Path) -> str:
    """The file's text with its own line ends, which brat's offsets count."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise GoldError(f"{path}: not UTF-8 at byte {error.start}") from None
