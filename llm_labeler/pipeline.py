"""Notes through a model: windows, prompts, answers, items, offsets, signals.

The windows of several notes go to the model in groups, those of short notes first, and each note comes out as soon as
its last window is read: a long note never holds up the short ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from annotator.core.chunks import OVERLAP, WINDOW, Chunk, chunks
from annotator.core.prompting import FULL, Example
from annotator.core.schema import Schema
from llm_labeler.backends import Backend, BackendAway, Constraint
from llm_labeler.labelled import LabelledSpan, counted_in, merged
from llm_labeler.reading import Part, Read, Reader

# A window whose answer is cut off is halved and asked again, this often and down to this size.
MAX_HALVINGS = 2
MIN_CHUNK = 200

# For the notes of a group, by their places in `texts`: those that are still to be read.
Keep = Callable[[Sequence[int]], Collection[int]]
Failed = Callable[[int, Exception], None]
# The examples to show for a window's text, and the place of its note in `texts`.
Examples = Callable[[str, int], Sequence[Example]]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a model is asked; part of every Labeler.

    `n_passes` more answers are drawn at `temperature` for each window, answer i with `seed` + i; the first is greedy.
    """

    window: int = WINDOW
    overlap: int = OVERLAP
    template: str = FULL
    constraint: Constraint = Constraint.COPY
    n_passes: int = 0
    temperature: float = 0.7
    seed: int = 0
    max_tokens: int = 2048
    is_rechecked: bool = False

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Decoding:
        """From a stored labeler's `decoding`; what it does not name is as above, what is not ours is passed over."""
        known = {one.name: given[one.name] for one in fields(cls) if one.name in given}
        if "constraint" in known:
            known["constraint"] = Constraint(known["constraint"])
        return cls(**known)


DEFAULT = Decoding()


@dataclass(frozen=True, slots=True)
class LabelResult:
    """All spans of a note by start and then longest first, unaligned ones last; problems hold no note text.

    `others` are the second labeler's, put together likewise. `n_truncated`: windows whose answer stayed cut off, also
    when asked again in halves.
    """

    spans: tuple[LabelledSpan, ...]
    others: tuple[LabelledSpan, ...]
    problems: tuple[str, ...]
    n_chunks: int
    n_truncated: int


@dataclass(slots=True)
class _Note:
    """A note on its way: how many of its windows are out, and what was read of it."""

    text: str
    n_left: int
    reads: list[Read] = field(default_factory=list)


def label_note(
    *,
    text: str,
    schema: Schema,
    backend: Backend,
    decoding: Decoding = DEFAULT,
    examples: Examples | None = None,
    guideline: str = "",
    second: Backend | None = None,
) -> LabelResult:
    """What `backend` finds in one text: see `label_notes`."""
    found = label_notes(
        texts=[text],
        schema=schema,
        backend=backend,
        decoding=decoding,
        examples=examples,
        guideline=guideline,
        second=second,
    )
    ((_, result),) = found
    return result


def label_notes(
    *,
    texts: Sequence[str],
    schema: Schema,
    backend: Backend,
    decoding: Decoding = DEFAULT,
    examples: Examples | None = None,
    guideline: str = "",
    second: Backend | None = None,
    keep: Keep | None = None,
    failed: Failed | None = None,
) -> Iterator[tuple[int, LabelResult]]:
    """What `backend` finds in each text, in offsets of that text, as (its place in `texts`, result), as notes finish.

    For every span with offsets `span.surface(text)` is what was quoted, apart from what its alignment names. `second`
    reads the same windows; its spans are not added: they tell of the others, and stand beside them. `keep` is called
    before each group, and before each note where a group failed: notes that it does not give back are read no further.
    With `failed`, a note that cannot be read is handed there and the others go on; without, the error is raised.
    BackendAway is always raised.
    """
    reader = Reader(
        schema=schema,
        backend=backend,
        constraint=decoding.constraint,
        template=decoding.template,
        n_passes=decoding.n_passes,
        temperature=decoding.temperature,
        seed=decoding.seed,
        max_tokens=decoding.max_tokens,
        examples=examples,
        guideline=guideline,
        second=second,
    )
    labelling = _Labelling(texts, decoding, reader, keep, failed)
    yield from labelling.results()


class _Labelling:
    """The windows that wait, and the notes that they are of."""

    def __init__(
        self, texts: Sequence[str], decoding: Decoding, reader: Reader, keep: Keep | None, failed: Failed | None
    ) -> None:
        self._decoding, self._reader, self._keep, self._failed = decoding, reader, keep, failed
        self._waiting: deque[Part] = deque()
        self._notes: dict[int, _Note] = {}
        for place in sorted(range(len(texts)), key=lambda place: len(texts[place])):
            text = texts[place]
            whole = [
                part
                for part in chunks(text, decoding.window, decoding.overlap)
                if not text[part.start : part.end].isspace()
            ]
            self._notes[place] = _Note(text, n_left=len(whole))
            self._waiting += [Part(place, chunk, text[chunk.start : chunk.end]) for chunk in whole]

    def results(self) -> Iterator[tuple[int, LabelResult]]:
        yield from self._finished(list(self._notes))
        while self._waiting:
            group = self._next_group()
            kept = self._kept([part.note for part in group])
            group = [part for part in group if part.note in kept]
            for part, outcome in self._guarded(group):
                if isinstance(outcome, Exception):
                    self._fail(part.note, outcome)
                elif part.note in self._notes:
                    self._take(part, outcome)
            yield from self._finished(list(dict.fromkeys(part.note for part in group)))

    def _next_group(self) -> list[Part]:
        n_parts = max(self._reader.group_size, 1)
        return [self._waiting.popleft() for _ in range(min(n_parts, len(self._waiting)))]

    def _kept(self, places: Sequence[int]) -> Collection[int]:
        """Which of the notes are read on; the others are forgotten."""
        distinct = list(dict.fromkeys(places))
        kept = set(distinct if self._keep is None else self._keep(distinct))
        for place in distinct:
            if place not in kept:
                self._forget(place)
        return kept

    def _guarded(self, group: Sequence[Part]) -> Iterator[tuple[Part, Read | Exception]]:
        """Each part with its answers, read. Where the model fails at a group, its notes are tried one by one."""
        if self._failed is None:
            yield from zip(group, self._reader.read(group), strict=True)
            return
        try:
            yield from list(zip(group, self._reader.read(group), strict=True))
        except BackendAway:
            raise
        except Exception as error:
            notes = list(dict.fromkeys(part.note for part in group))
            if len(notes) == 1:
                yield group[0], error
                return
            for place in notes:
                if place in self._kept([place]):
                    yield from self._guarded([part for part in group if part.note == place])

    def _take(self, part: Part, read: Read) -> None:
        """Keep what was read, or queue the window again in halves, ahead of all others."""
        note = self._notes[part.note]
        if read.is_truncated and part.n_halvings < MAX_HALVINGS and len(part.text) > MIN_CHUNK:
            halves = _halves(part)
            note.n_left += len(halves) - 1
            self._waiting.extendleft(reversed(halves))
        else:
            note.n_left -= 1
            note.reads.append(read)

    def _finished(self, places: Sequence[int]) -> Iterator[tuple[int, LabelResult]]:
        """Those of the notes that have no window left to read."""
        for place in places:
            note = self._notes.get(place)
            if note is None or note.n_left:
                continue
            try:
                result = self._result(place, note)
            except BackendAway:
                raise
            except Exception as error:
                if self._failed is None:
                    raise
                self._fail(place, error)
                continue
            if place in self._notes:
                del self._notes[place]
                yield place, result

    def _result(self, place: int, note: _Note) -> LabelResult:
        reads = sorted(note.reads, key=lambda read: read.chunk)
        spans = counted_in(note.text, merged(note.text, ((read.chunk, read.spans) for read in reads)))
        if self._decoding.is_rechecked:
            spans = self._rechecked(place, spans, reads)
        return LabelResult(
            spans=spans,
            others=merged(note.text, ((read.chunk, read.others) for read in reads)),
            problems=tuple(f"chunk {n}: {problem}" for n, read in enumerate(reads, 1) for problem in read.problems),
            n_chunks=len(reads),
            n_truncated=sum(read.is_truncated for read in reads),
        )

    def _rechecked(
        self, place: int, spans: tuple[LabelledSpan, ...], reads: Sequence[Read]
    ) -> tuple[LabelledSpan, ...]:
        """The spans, those with a place asked about once more, each in the first window that holds it."""
        asked = []
        for position, labelled in enumerate(spans):
            window = next((read for read in reads if labelled.span and _holds(read.chunk, labelled)), None)
            if window is not None:
                asked.append((position, window.text))
        told = list(spans)
        size = max(self._reader.group_size, 1)
        for start in range(0, len(asked), size):
            if place not in self._kept([place]):
                break
            group = asked[start : start + size]
            answers = self._reader.recheck([(text, spans[position]) for position, text in group])
            for (position, _), signals in zip(group, answers, strict=True):
                told[position] = told[position].told(signals)
        return tuple(told)

    def _fail(self, place: int, error: Exception) -> None:
        if place in self._notes and self._failed is not None:
            self._forget(place)
            self._failed(place, error)

    def _forget(self, place: int) -> None:
        self._notes.pop(place, None)
        self._waiting = deque(part for part in self._waiting if part.note != place)


def _holds(chunk: Chunk, labelled: LabelledSpan) -> bool:
    span = labelled.span
    return span is not None and chunk.start <= span.start and span.end <= chunk.end


def _halves(part: Part) -> list[Part]:
    """The window in two parts or three, blank ones left out."""
    size = (len(part.text) + 1) // 2 + MIN_CHUNK // 4
    return [
        Part(
            part.note,
            Chunk(part.chunk.start + half.start, part.chunk.start + half.end),
            part.text[half.start : half.end],
            part.n_halvings + 1,
        )
        for half in chunks(part.text, size)
        if not part.text[half.start : half.end].isspace()
    ]
