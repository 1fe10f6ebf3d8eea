"""The `transformers` backend: MedGemma, any Gemma 3 or like causal model, by torch on a GPU, a Mac or a CPU."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from annotator.core.prompting import note_of
from llm_labeler.backends import Answer, BackendError, Request, Token
from llm_labeler.backends.constraints import Grammars
from llm_labeler.backends.decoding import Chosen, Decoder, Row
from llm_labeler.backends.pieces import texts_of
from llm_labeler.backends.weights import Weights, device_name, is_out_of_memory, load_weights
from llm_labeler.chat import prompt_text
from llm_labeler.circles import Circles

# Requests that run at once, and tokens of prompts and answers that they may have together.
_BATCHES = {"cuda": (32, 32_768), "mps": (8, 8_192), "cpu": (8, 8_192)}
# MedGemma thinks between these, sometimes unasked.
_THINKING, _THOUGHT = "<unused94>", "<unused95>"
_TURN_END = "<end_of_turn>"
_Decoder = codecs.getincrementaldecoder("utf-8")


class TransformersBackend:
    """Answers prompts with a causal model of the transformers library.

    Scores are the model's own: log-probabilities before temperature and constraint.
    """

    name = "transformers"

    def __init__(self, weights: Weights, *, batch_size: int | None, max_batch_tokens: int | None) -> None:
        self.model_id = weights.model_id
        self.revision = weights.revision
        self.device = device_name(weights.model.device)
        self._tokenizer = weights.tokenizer
        config = weights.model.config.get_text_config()
        self._n_positions = config.max_position_embeddings
        n_rows, n_tokens = _BATCHES.get(weights.model.device.type, _BATCHES["cpu"])
        self._n_rows = batch_size or n_rows
        self._n_tokens = max_batch_tokens or n_tokens
        # A group of twice the batch keeps its rows filled while answers of unlike lengths end.
        self.group_size = 2 * self._n_rows
        special = (number for number, token in self._tokenizer.added_tokens_decoder.items() if token.special)
        self._silent = {*special, *range(len(self._tokenizer), config.vocab_size)}
        vocabulary = self._tokenizer.get_vocab()
        self._thinking, self._thought = vocabulary.get(_THINKING), vocabulary.get(_THOUGHT)
        stops = _stops(weights)
        self._grammars = Grammars(self._tokenizer, config.vocab_size, sorted(stops))
        self._decoder = Decoder(weights.model, stops)

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        """For each request its `n` answers. Where memory does not suffice, the batch is halved and stays so.

        Raises BackendError where one request alone is too much; the batch is then as it was.
        """
        n_rows = self._n_rows
        prompts = [self.prompt_tokens(request) for request in requests]
        answers: dict[tuple[int, int], Answer] = {}
        wanted = [(index, number) for index, request in enumerate(requests) for number in range(request.n)]
        while left := [key for key in wanted if key not in answers]:
            rows = {self._row(requests[index], prompts[index], number): (index, number) for index, number in left}
            if self._fill(rows, answers):
                break
            if min(self._n_rows, len(left)) == 1:
                self._free()
                self._n_rows = n_rows
                raise BackendError(
                    f"{self.model_id} runs out of memory at one prompt of {max(map(len, prompts))} tokens: use a "
                    "smaller window, fewer examples, quantization '4bit' or a smaller model"
                )
            self._n_rows = min(self._n_rows, len(left)) // 2
            self._free()
        return [[answers[index, number] for number in range(request.n)] for index, request in enumerate(requests)]

    def _fill(self, rows: Mapping[Row, tuple[int, int]], answers: dict[tuple[int, int], Answer]) -> bool:
        """Write the answer of each row into `answers`; False where memory ran out before the last."""
        try:
            for row in self._decoder.fill(list(rows), n_rows=self._n_rows, n_tokens=self._n_tokens):
                answers[rows[row]] = self._answer(row)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    def _free(self) -> None:
        self._decoder.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def prompt_tokens(self, request: Request) -> list[int]:
        """The prompt's tokens."""
        text = prompt_text(self._tokenizer, request.messages)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) + request.max_tokens > self._n_positions:
            raise BackendError(
                f"a prompt of {len(ids)} tokens and {request.max_tokens} for its answer are more than the "
                f"{self._n_positions} of {self.model_id}: use a smaller window or fewer examples"
            )
        return ids

    def _row(self, request: Request, prompt: list[int], number: int) -> Row:
        return Row(
            prompt=prompt,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
            seed=request.seed + number,
            n_top=request.n_top,
            matcher=self._grammars.matcher(request),
            is_idle=self._circles(request),
        )

    def _circles(self, request: Request) -> Callable[[int], bool]:
        """Whether an answer to the request goes in circles, told its tokens one by one."""
        circles, decoder = Circles(note_of(request.messages)), _Decoder("replace")
        return lambda token: circles.closes_with(decoder.decode(self._piece(token)))

    def _answer(self, row: Row) -> Answer:
        made = [chosen for chosen in self._spoken(row.made) if chosen.token not in self._silent]
        tokens = tuple(
            Token(text, chosen.logprob, tuple((self._alone(token), logprob) for token, logprob in chosen.top))
            for text, chosen in zip(texts_of(self._piece(chosen.token) for chosen in made), made, strict=True)
        )
        return Answer(
            text="".join(token.text for token in tokens),
            tokens=tokens,
            finish_reason="length" if row.is_cut else "stop",
        )

    def _spoken(self, made: Sequence[Chosen]) -> Iterator[Chosen]:
        """Without what the model thought."""
        is_thought = False
        for chosen in made:
            is_thought = is_thought or chosen.token == self._thinking
            if not is_thought:
                yield chosen
            is_thought = is_thought and chosen.token != self._thought

    def _piece(self, token: int) -> bytes:
        return self._grammars.tokens.decode_bytes([token])

    def _alone(self, token: int) -> str:
        return self._piece(token).decode("utf-8", "replace")


def load(
    *,
    model: str | None = None,
    revision: str | None = None,
    adapter: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    quantization: str | None = None,
    batch_size: int | None = None,
    max_batch_tokens: int | None = None,
    **unknown: Any,
) -> TransformersBackend:
    """The backend over a model that is on this machine. Raises BackendError.

    model: an id of the hub that was fetched before, a folder with safetensors, or a GGUF file; without one the small
    model with our adapter. revision: a commit of the hub. adapter: folder of a LoRA adapter. device: cuda, cuda:1, mps
    or cpu. dtype: bfloat16 or float32. quantization: "4bit", by bitsandbytes. batch_size: answers generated at once,
    with at most max_batch_tokens tokens of prompts and answers together.
    """
    if unknown:
        raise BackendError(f"backend 'transformers' has no option {', '.join(sorted(unknown))}")
    for name, given in (("batch_size", batch_size), ("max_batch_tokens", max_batch_tokens)):
        if given is not None and given < 1:
            raise BackendError(f"{name} is {given}: at least 1 is wanted")
    weights = load_weights(
        model=model, revision=revision, adapter=adapter, device=device, dtype=dtype, quantization=quantization
    )
    return TransformersBackend(weights, batch_size=batch_size, max_batch_tokens=max_batch_tokens)


def _stops(weights: Weights) -> frozenset[int]:
    """Tokens that end an answer: all that the model and its tokenizer name, and the end of a turn."""
    named = weights.model.generation_config.eos_token_id
    ends = {*(named if isinstance(named, list) else [named]), weights.tokenizer.eos_token_id}
    ends.add(weights.tokenizer.get_vocab().get(_TURN_END))
    return frozenset(end for end in ends if end is not None)
