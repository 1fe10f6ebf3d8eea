"""What a model has to do to label notes, and the backends by name.

To add one: a module here with a `load(**config) -> Backend`, and a line in `BACKENDS`. Its heavy imports stay inside
the module, which is imported only when the backend is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

from annotator.core.prompting import Message

# name -> module with `load(**config)`
BACKENDS: Mapping[str, str] = {
    "openai": "llm_labeler.backends.openai",
    "presidio": "llm_labeler.backends.presidio",
    "spacy": "llm_labeler.backends.spacy",
    "trained": "llm_labeler.backends.trained",
    "transformers": "llm_labeler.backends.transformers",
}
# What Gemma's authors sample from; what a server does by itself differs from server to server.
TOP_K, TOP_P = 64, 0.95


class BackendError(ValueError):
    """A backend that cannot be loaded or used; the message names it and what to do, never note text."""


class BackendAway(BackendError):
    """A backend that may answer later, like a server that is starting: its notes go back to the queue uncounted."""


class Constraint(StrEnum):
    """What an answer is held to while it is generated."""

    NONE = "none"
    JSON = "json"  # the request's JSON schema
    COPY = "copy"  # the JSON schema, and every quote a run of the chunk's own words (llm_labeler.copying)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of generated text with its natural-log probability, and the likeliest tokens at its place, best first.

    A model's token may end within a character: the text of such a one is "" and the character comes with the last.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt: the messages, the JSON schema of valid answers, and how many answers of what length are wanted.

    A temperature of 0 is greedy; answer i of n is drawn with seed + i. `n_top`: alternatives wanted for each token.
    """

    messages: list[Message]
    schema: dict[str, Any]
    n: int = 1
    seed: int = 0
    max_tokens: int = 2048
    temperature: float = 0.0
    constraint: Constraint = Constraint.COPY
    n_top: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """Generated text. Its tokens' texts joined are the text, or there are none where the model gives no scores.

    `finish_reason` is "stop", or "length" where the answer was cut at `max_tokens`. `is_masked`: the log-probabilities
    are those after the constraint's mask, in which a forced token has 0; else they are the model's own.
    """

    text: str
    tokens: tuple[Token, ...]
    finish_reason: str
    is_masked: bool = False


@runtime_checkable
class Backend(Protocol):
    """A model that answers prompts. `model_id` and `revision` identify it exactly; `device` says where it computes, in
    words for people.

    `group_size`: how many answers it likes to be asked for at once; what it gets keeps near that, so that finished
    notes come out one by one.
    """

    name: str
    model_id: str
    revision: str
    device: str
    group_size: int

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        """For each request, in order, its `n` answers."""
        ...


def load_backend(name: str, **config: Any) -> Backend:
    """The backend of that name, loaded. Raises BackendError for an unknown name or option."""
    if name not in BACKENDS:
        raise BackendError(f"unknown backend {name!r}: one of {', '.join(sorted(BACKENDS))} is wanted")
    return cast(Backend, import_module(BACKENDS[name]).load(**config))
