"""One note through a model: chunks, prompts, answers, items, offsets, signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from annotator.core.chunks import OVERLAP, WINDOW, Chunk, chunks
from annotator.core.prompting import Example, answer_schema, render_messages
from annotator.core.schema import Schema
from annotator.core.spans import Span
from llm_labeler.align import Alignment, Quote, align
from llm_labeler.backends import Answer, Backend, BackendError, Request
from llm_labeler.confidence import Signals, TokenPlaces, score_of, span_signals
from llm_labeler.parse import ParsedAnswer, parse_answer

# A chunk whose answer is cut off is halved and asked again, this often and down to this size.
MAX_HALVINGS = 2
MIN_CHUNK = 200


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """What a model said: a quote with label and attributes, and where it lies in the note; `span` None is unaligned.

    `quote` is the model's own wording, pieces joined by a space. `score` is exp of the label's log-probability.
    """

    span: Span | None
    quote: str
    label: str
    attributes: Mapping[str, str]
    alignment: Alignment
    score: float
    signals: Signals = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelResult:
    """All spans of a note by start and then longest first, unaligned ones last; problems hold no note text."""

    spans: tuple[LabelledSpan, ...]
    problems: tuple[str, ...]
    n_chunks: int
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class _Read:
    """A chunk with its answer, read."""

    chunk: Chunk
    answer: Answer
    parsed: ParsedAnswer


def label_note(
    *,
    text: str,
    schema: Schema,
    backend: Backend,
    examples: Sequence[Example] = (),
    guideline: str = "",
    max_chars: int = WINDOW,
    overlap: int = OVERLAP,
    max_tokens: int = 2048,
    seed: int = 0,
) -> LabelResult:
    """What `backend` finds in `text`, in offsets of `text`.

    All chunks go to the backend in one call; chunks whose answers are cut off are asked again in halves. For every span
    with offsets `span.surface(text)` is what was quoted, apart from what its alignment names.
    """
    form = answer_schema(schema)

    def asked(parts: Sequence[Chunk]) -> list[_Read]:
        requests = [
            Request(
                messages=render_messages(schema, text[part.start : part.end], examples, guideline),
                schema=form,
                seed=seed,
                max_tokens=max_tokens,
            )
            for part in parts
        ]
        answers = backend.generate(requests) if requests else []
        if len(answers) != len(requests) or not all(answers):
            raise BackendError(f"backend {backend.name!r} gave {len(answers)} answers to {len(requests)} requests")
        return [
            _Read(part, given[0], parse_answer(given[0].text, schema))
            for part, given in zip(parts, answers, strict=True)
        ]

    whole = [part for part in chunks(text, max_chars, overlap) if not text[part.start : part.end].isspace()]
    reads = asked(whole)
    for _ in range(MAX_HALVINGS):
        cut = [read for read in reads if _can_halve(read)]
        if not cut:
            break
        reads = [read for read in reads if not _can_halve(read)]
        reads += asked([half for read in cut for half in _halves(text, read.chunk)])
    reads.sort(key=lambda read: read.chunk)
    return LabelResult(
        spans=_merged(labelled for read in reads for labelled in _labelled(text, read)),
        problems=tuple(f"chunk {n}: {problem}" for n, read in enumerate(reads, 1) for problem in read.parsed.problems),
        n_chunks=len(reads),
        is_truncated=any(read.answer.finish_reason == "length" for read in reads),
    )


def _can_halve(read: _Read) -> bool:
    return read.answer.finish_reason == "length" and read.chunk.end - read.chunk.start > MIN_CHUNK


def _halves(text: str, chunk: Chunk) -> list[Chunk]:
    part = text[chunk.start : chunk.end]
    halves = chunks(part, (len(part) + 1) // 2 + MIN_CHUNK // 4)
    return [
        Chunk(chunk.start + half.start, chunk.start + half.end)
        for half in halves
        if not part[half.start : half.end].isspace()
    ]


def _labelled(text: str, read: _Read) -> Iterable[LabelledSpan]:
    """The spans of one chunk, in offsets of the note."""
    part = text[read.chunk.start : read.chunk.end]
    items = read.parsed.items
    quotes = [Quote(pieces=item.quotes, key="\0".join((item.label, *item.quotes)), start=item.start) for item in items]
    places = TokenPlaces(read.answer)
    for item, aligned in zip(items, align(part, quotes), strict=True):
        signals = span_signals(item, aligned, places)
        yield LabelledSpan(
            span=aligned.span.shift(read.chunk.start) if aligned.span else None,
            quote=" ".join(item.quotes),
            label=item.label,
            attributes=item.attributes,
            alignment=aligned.alignment,
            score=score_of(signals),
            signals=signals,
        )


def _merged(found: Iterable[LabelledSpan]) -> tuple[LabelledSpan, ...]:
    """Without repeats: of spans equal in fragments and label the best scored stays, then the earlier."""
    best: dict[tuple[str, str], LabelledSpan] = {}
    for labelled in found:
        key = (labelled.label, str(labelled.span) if labelled.span else f"quote {labelled.quote}")
        if key not in best or labelled.score > best[key].score:
            best[key] = labelled
    return tuple(sorted(best.values(), key=_order))


def _order(labelled: LabelledSpan) -> tuple[bool, int, int, str, str]:
    span = labelled.span
    return (span is None, span.start if span else 0, -span.end if span else 0, labelled.label, labelled.quote)
