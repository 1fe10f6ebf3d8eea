"""Grammars that hold a torch model's answers to a form, by llguidance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from numpy.typing import NDArray

from annotator.core.prompting import note_of
from llm_labeler.backends import BackendError, Constraint, Request
from llm_labeler.copying import copy_lark


class Matcher:
    """Follows one answer through a grammar."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    def write_mask(self, masks: NDArray[np.int32], index: int) -> None:
        """Set the bits of row `index` for the tokens that may come next."""
        fill_next_token_bitmask(self._matcher, masks, index)

    def is_completed_by(self, token: int) -> bool:
        """Take the token; whether the answer is whole and nothing may follow it."""
        return self._matcher.consume_token(token) and self._matcher.is_stopped()


class Grammars:
    """Matchers for requests, over one tokenizer."""

    def __init__(self, tokenizer: Any, n_vocab: int, stops: Sequence[int]) -> None:
        self._source = (tokenizer, n_vocab, list(stops))
        self._json_matcher = lru_cache(maxsize=8)(self._new_json_matcher)

    @cached_property
    def tokens(self) -> LLTokenizer:
        """llguidance's view of the tokenizer; made when it is first needed, which takes seconds."""
        tokenizer, n_vocab, stops = self._source
        return from_tokenizer(tokenizer, n_vocab=n_vocab, eos_token=stops)

    def matcher(self, request: Request) -> Matcher | None:
        """A matcher for one answer, or None where nothing holds it."""
        if request.constraint is Constraint.NONE:
            return None
        if request.constraint is Constraint.JSON:
            return Matcher(self._json_matcher(json.dumps(request.schema)).deep_copy())
        grammar = copy_lark(request.schema, note_of(request.messages))
        return Matcher(self._checked(LLMatcher.grammar_from_lark(grammar), Constraint.COPY))

    def _new_json_matcher(self, schema: str) -> LLMatcher:
        grammar = LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_flexible": False})
        return self._checked(grammar, Constraint.JSON)

    def _checked(self, grammar: str, constraint: Constraint) -> LLMatcher:
        matcher = LLMatcher(self.tokens, grammar, log_level=0)
        if matcher.is_error():  # its message quotes the grammar, and so the note
            raise BackendError(f"the grammar for constraint {constraint.value!r} is too large: use a smaller window")
        return matcher


def allowed_tokens(matchers: Sequence[Matcher | None], n_vocab: int) -> NDArray[np.bool_] | None:
    """Which tokens may come next, `(n_matchers, n_vocab)`; None where nothing is held."""
    if all(matcher is None for matcher in matchers):
        return None
    masks = allocate_token_bitmask(len(matchers), n_vocab)
    for index, matcher in enumerate(matchers):
        if matcher is not None:
            matcher.write_mask(masks, index)
    return np.unpackbits(masks.view(np.uint8), axis=1, count=n_vocab, bitorder="little").view(np.bool_)
