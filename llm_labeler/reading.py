"""Windows through a model: a request for each, and from its answers the spans with all that is told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotator.core.chunks import Chunk
from annotator.core.prompting import Example, Message, answer_schema, render_messages
from annotator.core.schema import Schema
from llm_labeler.align import Quote, align
from llm_labeler.backends import Answer, Backend, BackendError, Constraint, Request
from llm_labeler.confidence import Signals, TokenPlaces, span_signals
from llm_labeler.labelled import LabelledSpan, agreed, compared
from llm_labeler.parse import parse_answer
from llm_labeler.recheck import recheck_request, recheck_signals

# Alternatives asked for at each token, for the margin between labels.
N_TOP = 10
# An answer is cut off at this many tokens and one for each character of its window: about twice what a window full of
# spans takes, so that a model that goes in circles is stopped soon.
LEAST_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Part:
    """A window of a note that is to be read, and how often its like were halved already."""

    note: int
    chunk: Chunk
    text: str
    n_halvings: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What was read in a window: spans in offsets of the note; `others` are the second labeler's."""

    chunk: Chunk
    text: str
    spans: list[LabelledSpan]
    others: list[LabelledSpan]
    problems: tuple[str, ...]
    is_truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A model with all that decides how it is asked: see `pipeline.label_notes`."""

    schema: Schema
    backend: Backend
    constraint: Constraint
    template: str
    n_passes: int
    temperature: float
    seed: int
    max_tokens: int
    examples: Callable[[str, int], Sequence[Example]] | None
    guideline: str
    second: Backend | None

    @property
    def group_size(self) -> int:
        """How many windows to read at once."""
        return self.backend.group_size // (1 + self.n_passes)

    def read(self, parts: Sequence[Part]) -> list[Read]:
        """Each window's spans. Raises what the model raises."""
        if not parts:
            return []
        messages = [self._messages(part) for part in parts]
        first = [self._request(part, sent) for part, sent in zip(parts, messages, strict=True)]
        later = [
            self._request(part, sent, n=self.n_passes, temperature=self.temperature)
            for part, sent in zip(parts, messages, strict=True)
            if self.n_passes
        ]
        answers = _answers(self.backend, [*first, *later])
        others = _answers(self.second, first) if self.second else []
        return [
            self._read(
                part,
                answers[place][:1] + (answers[len(parts) + place] if later else []),
                others[place][:1] if others else [],
            )
            for place, part in enumerate(parts)
        ]

    def recheck(self, asked: Sequence[tuple[str, LabelledSpan]]) -> list[Signals]:
        """What the model says when it is asked about each span, found in the window of this text."""
        requests = [recheck_request(self.schema, text, labelled, self.seed) for text, labelled in asked]
        return [recheck_signals(given) for given in _answers(self.backend, requests)]

    def _messages(self, part: Part) -> list[Message]:
        examples = self.examples(part.text, part.note) if self.examples else ()
        return render_messages(self.schema, part.text, examples, self.guideline, self.template)

    def _request(self, part: Part, messages: list[Message], n: int = 1, temperature: float = 0.0) -> Request:
        return Request(
            messages=messages,
            schema=answer_schema(self.schema),
            n=n,
            seed=self.seed,
            max_tokens=min(self.max_tokens, LEAST_TOKENS + len(part.text)),
            temperature=temperature,
            constraint=self.constraint,
            n_top=N_TOP,
        )

    def _read(self, part: Part, answers: Sequence[Answer], second: Sequence[Answer]) -> Read:
        # What a drawn answer would have said behind its cut is not known: it takes no part in the agreement.
        whole = [answers[0], *(answer for answer in answers[1:] if answer.finish_reason != "length")]
        readings = [self._labelled(part, answer) for answer in whole]
        spans = agreed([spans for spans, _ in readings])
        others = [found for answer in second for found in self._labelled(part, answer)[0]]
        if self.second:
            spans = compared(spans, others, self.second.name)
        return Read(part.chunk, part.text, spans, others, readings[0][1], answers[0].finish_reason == "length")

    def _labelled(self, part: Part, answer: Answer) -> tuple[list[LabelledSpan], tuple[str, ...]]:
        """The spans of one answer in offsets of the note, and what was wrong with it."""
        parsed = parse_answer(answer.text, self.schema)
        quotes = [
            Quote(pieces=item.quotes, key="\0".join((item.label, *item.quotes)), start=item.start)
            for item in parsed.items
        ]
        places = TokenPlaces(answer)
        spans = [
            LabelledSpan(
                span=aligned.span.shift(part.chunk.start) if aligned.span else None,
                quote=" ".join(item.quotes),
                label=item.label,
                attributes=item.attributes,
                alignment=aligned.alignment,
                signals=span_signals(item, aligned, places, self.schema.label_names),
                pieces=item.quotes,
            )
            for item, aligned in zip(parsed.items, align(part.text, quotes), strict=True)
        ]
        return spans, parsed.problems


def _answers(backend: Backend, requests: Sequence[Request]) -> list[list[Answer]]:
    answers = backend.generate(requests)
    if len(answers) != len(requests) or any(
        len(given) < request.n for given, request in zip(answers, requests, strict=True)
    ):
        raise BackendError(f"backend {backend.name!r} gave fewer answers than it was asked for")
    return answers
