"""Generation by a torch model: many prompts at once, in rows that come and go.

Rows end at different times; a finished one is dropped and another takes its place, so that every step of the model,
which costs about the same for one row as for several, does useful work. What all prompts begin with is computed once.

Keys and values are kept whole and packed to the right: a row's tokens are contiguous and end in the newest column. So
the distance between two columns is the distance between two tokens, which sliding-window layers count on, and masks
hide the padding at the left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.functional import pad

from llm_labeler.backends import TOP_K, TOP_P
from llm_labeler.backends.constraints import Matcher, allowed_tokens
from llm_labeler.backends.states import States

# Tokens of an answer that room is kept for when rows are chosen; longer ones are met by halving.
ANSWER_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Chosen:
    """A generated token with its log-probability, and the likeliest tokens at its place, best first."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(slots=True, eq=False)
class Row:
    """One answer in the making, to a prompt of two tokens or more; a temperature of 0 is greedy.

    `is_idle` is told each token, and says whether those behind it are worth nothing: the answer is cut off there.
    """

    prompt: list[int]
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    n_top: int = 0
    matcher: Matcher | None = None
    is_idle: Callable[[int], bool] | None = None
    made: list[Chosen] = field(default_factory=list)
    is_cut: bool = False
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311

    @property
    def newest(self) -> int:
        """The token that the model has not seen yet."""
        return self.made[-1].token if self.made else self.prompt[-1]

    @property
    def n_columns(self) -> int:
        """Tokens that it will fill, as far as can be told."""
        return len(self.prompt) + max(len(self.made), min(self.max_tokens, ANSWER_TOKENS))

    def take(self, chosen: Chosen, stops: frozenset[int]) -> bool:
        """Add a token; whether the row is finished."""
        if chosen.token in stops:
            return True
        self.made.append(chosen)
        is_idle = self.is_idle is not None and self.is_idle(chosen.token)
        self.is_cut = is_idle or len(self.made) >= self.max_tokens
        is_complete = self.matcher is not None and self.matcher.is_completed_by(chosen.token)
        if is_complete:
            self.is_cut = False
        return is_complete or self.is_cut


@dataclass(slots=True)
class _Running:
    """Rows with what the model has seen of each, all but its newest token; `mask` marks what is no padding."""

    rows: list[Row]
    states: States
    mask: torch.Tensor

    def keep(self, indices: Sequence[int]) -> None:
        """Drop the other rows, and columns that are padding to all that stay."""
        chosen = torch.tensor(indices, device=self.mask.device)
        mask = self.mask[chosen]
        lead = int(mask.any(dim=0).to(torch.uint8).argmax())
        self.states.change(lambda tensor: tensor[chosen, :, lead:])
        self.rows = [self.rows[index] for index in indices]
        self.mask = mask[:, lead:]

    def join(self, other: _Running) -> None:
        """Take the rows of `other` in, the narrower of the two padded at the left."""
        width = max(self.mask.shape[1], other.mask.shape[1])
        self.states.join(other.states, width)
        self.rows += other.rows
        self.mask = torch.cat([pad(mask, (width - mask.shape[1], 0)) for mask in (self.mask, other.mask)])


class Decoder:
    """A causal model of the library that fills rows. Keeps the states of the last shared prefix."""

    def __init__(self, model: Any, stops: frozenset[int]) -> None:
        self._model = model
        self._stops = stops
        self._n_layers = model.config.get_text_config().num_hidden_layers
        self._prefix: list[int] = []
        self._prefix_states: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forget(self) -> None:
        """Let go of kept states."""
        self._prefix, self._prefix_states = [], []

    @torch.inference_mode()
    def fill(self, rows: Sequence[Row], *, n_rows: int, n_tokens: int) -> Iterator[Row]:
        """Each row as it is finished, the longest prompts begun first.

        At most `n_rows` run at once, and no more than have room in `n_tokens`, but always one. Memory that does not
        suffice raises what torch raises; the rows that were given are done and the others have to be made anew.
        """
        waiting = sorted(rows, key=lambda row: len(row.prompt))
        prefix = self._shared_prefix(waiting)
        running: _Running | None = None
        while waiting or running:
            n_free = n_rows - len(running.rows) if running else n_rows
            # A free place waits until a quarter is free: prompts are cheaper together.
            entering = _entering(waiting, running, n_free, n_tokens) if n_free >= max(1, n_rows // 4) else []
            if entering:
                begun = self._begun(entering, prefix)
                if running:
                    running.join(begun)
                else:
                    running = begun
            if running:
                yield from self._step(running)
                running = running if running.rows else None

    def _shared_prefix(self, rows: Sequence[Row]) -> int:
        """The length of what all prompts begin with, its states computed. The last token is left to each row."""
        if not rows:
            return 0
        prompts = [row.prompt for row in rows]
        shared = min(_n_shared(prompts[0], prompt) for prompt in prompts)
        shared = min(shared, min(map(len, prompts)) - 1)
        kept = _n_shared(self._prefix, prompts[0][:shared])
        # States are kept between calls: a little less than what is shared does as well as all of it.
        if kept < shared - shared // 8 - 16 or not kept:
            self.forget()
            if not shared:
                return 0
            states = self._seen(torch.tensor([prompts[0][:shared]], device=self._model.device), None, 0)
            self._prefix, self._prefix_states = prompts[0][:shared], states.tensors()
            kept = shared
        return kept

    def _begun(self, rows: list[Row], prefix: int) -> _Running:
        """Rows whose prompts the model has seen, but for the last token of each. Equal prompts are seen once."""
        device = self._model.device
        numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(tuple(row.prompt) for row in rows))}
        rests = [prompt[prefix:-1] for prompt in numbers]
        longest = max(map(len, rests))
        lengths = torch.tensor([prefix + len(rest) for rest in rests], device=device)
        width = prefix + longest
        columns = torch.arange(width, device=device)
        if longest:
            ids = torch.tensor([[*rest, *[0] * (longest - len(rest))] for rest in rests], device=device)
            states = self._seen(ids, (columns < lengths[:, None]).long(), prefix)
        else:
            states = self._prefix_of(len(rests), prefix)
        # From packed to the left to packed to the right.
        source = (columns - (width - lengths)[:, None]).clamp(min=0)
        mask = (columns >= (width - lengths)[:, None]).long()
        chosen = torch.tensor([numbers[tuple(row.prompt)] for row in rows], device=device)
        places = source[chosen][:, None, :, None]
        states.change(lambda tensor: torch.take_along_dim(tensor[chosen], places, dim=2))
        return _Running(rows, states, mask[chosen])

    def _prefix_of(self, n_rows: int, n_columns: int) -> States:
        states = States(self._n_layers)
        if n_columns:
            states.begin_with(self._prefix_states, n_rows, n_columns)
        return states

    def _seen(self, ids: torch.Tensor, mask: torch.Tensor | None, prefix: int) -> States:
        """The states of `ids` behind the shared prefix."""
        states = self._prefix_of(len(ids), prefix)
        self._model.base_model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids) if mask is None else mask,
            position_ids=torch.arange(prefix, prefix + ids.shape[1], device=ids.device).expand(len(ids), -1),
            past_key_values=states.cache,
            use_cache=True,
        )
        return states

    def _step(self, running: _Running) -> Iterator[Row]:
        """One token for every row; yields the rows that it finished, which are dropped."""
        rows = running.rows
        device = running.mask.device
        mask = pad(running.mask, (0, 1), value=1)
        logits = self._model(
            input_ids=torch.tensor([[row.newest] for row in rows], device=device),
            attention_mask=mask,
            position_ids=running.mask.sum(dim=1, keepdim=True),
            past_key_values=running.states.cache,
            use_cache=True,
        ).logits[:, -1]
        running.mask = mask
        finished = [row.take(chosen, self._stops) for row, chosen in zip(rows, _choose(logits, rows), strict=True)]
        left = [index for index, is_finished in enumerate(finished) if not is_finished]
        if left and len(left) < len(rows):
            running.keep(left)
        elif not left:
            running.rows = []
        yield from (row for row, is_finished in zip(rows, finished, strict=True) if is_finished)


def _n_shared(one: Sequence[int], other: Sequence[int]) -> int:
    n = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        n += 1
    return n


def _entering(waiting: list[Row], running: _Running | None, n_free: int, n_tokens: int) -> list[Row]:
    """Taken off the end of `waiting`: the rows that may begin now."""
    held = running.rows if running else []
    longest = max((row.n_columns for row in held), default=0)
    entering: list[Row] = []
    while waiting and len(entering) < n_free:
        longest = max(longest, waiting[-1].n_columns)
        if (held or entering) and longest * (len(held) + len(entering) + 1) > n_tokens:
            break
        entering.append(waiting.pop())
    return entering


def _choose(logits: torch.Tensor, rows: Sequence[Row]) -> list[Chosen]:
    """The next token of each row. Log-probabilities are the model's own, before temperature and grammar."""
    logits = logits.float()
    logprobs = torch.log_softmax(logits, dim=-1)
    allowed = allowed_tokens([row.matcher for row in rows], logits.shape[-1])
    if allowed is not None:
        logits = logits.masked_fill(~torch.from_numpy(allowed).to(logits.device), -torch.inf)
    tokens = logits.argmax(dim=-1)
    drawn = [index for index, row in enumerate(rows) if row.temperature > 0]
    if drawn:
        chosen = torch.tensor(drawn, device=logits.device)
        tokens[chosen] = _drawn(logits[chosen], [rows[index] for index in drawn])
    own = logprobs.gather(1, tokens[:, None])[:, 0].tolist()
    n_top = max(row.n_top for row in rows)
    best = logprobs.topk(min(n_top, logprobs.shape[-1]))
    tops = [
        tuple(zip(others, values, strict=True))
        for others, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return [
        Chosen(token, logprob, top[: row.n_top])
        for row, token, logprob, top in zip(rows, tokens.tolist(), own, tops, strict=True)
    ]


def _drawn(logits: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor:
    """A token for each row, drawn by its own chance, so that other rows beside it make no difference."""
    temperatures = torch.tensor([row.temperature for row in rows], device=logits.device)
    values, tokens = logits.topk(min(TOP_K, logits.shape[-1]))
    shares = torch.softmax(values / temperatures[:, None], dim=-1)
    before = shares.cumsum(dim=-1) - shares
    shares = shares.masked_fill(before >= TOP_P, 0.0)
    sums = shares.cumsum(dim=-1)
    point = torch.tensor([[row.chance.random()] for row in rows], device=logits.device) * sums[:, -1:]
    place = torch.searchsorted(sums, point, right=True).clamp(max=int(values.shape[-1]) - 1)
    return tokens.gather(1, place)[:, 0]
