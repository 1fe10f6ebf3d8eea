"""Keys and values that a model keeps of the rows it reads, with room to grow.

The library's own cache copies all of them at every step, and forgets what slides out of a window, which rows of unlike
lengths cannot do together. This one keeps everything; the library's masks hide what a layer may not see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import pad
from transformers.cache_utils import Cache, DynamicLayer

_GROWTH = 64  # columns


class _Layer(DynamicLayer):
    """States of one layer, `(n_rows, n_heads, n_columns, size)`: views of tensors with more columns."""

    keys: torch.Tensor
    values: torch.Tensor
    _keys: torch.Tensor
    _values: torch.Tensor

    def hold(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Replace what is held. The tensors are not written to."""
        self.dtype, self.device = keys.dtype, keys.device
        self.keys = self._keys = keys
        self.values = self._values = values
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append states; returns all."""
        if not self.is_initialized:
            self.hold(key_states, value_states)
            return key_states, value_states
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self._keys.shape[-2]:
            self._keys, self._values = _with_room(self.keys, end + _GROWTH), _with_room(self.values, end + _GROWTH)
        self._keys[..., start:end, :] = key_states
        self._values[..., start:end, :] = value_states
        self.keys, self.values = self._keys[..., :end, :], self._values[..., :end, :]
        return self.keys, self.values


class States:
    """The states of some rows in all layers; `cache` is what the model takes and appends to."""

    def __init__(self, n_layers: int) -> None:
        self._layers = [_Layer() for _ in range(n_layers)]
        self.cache = Cache(layers=list(self._layers))

    def change(self, made: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Replace every tensor by what `made` makes of it."""
        for layer in self._layers:
            layer.hold(made(layer.keys), made(layer.values))

    def join(self, other: States, width: int) -> None:
        """Add the rows of `other`, both widened to `width` columns at the left."""
        for mine, theirs in zip(self._layers, other._layers, strict=True):
            mine.hold(
                torch.cat([_widened(mine.keys, width), _widened(theirs.keys, width)]),
                torch.cat([_widened(mine.values, width), _widened(theirs.values, width)]),
            )

    def tensors(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of each layer."""
        return [(layer.keys, layer.values) for layer in self._layers]

    def begin_with(self, tensors: Sequence[tuple[torch.Tensor, torch.Tensor]], n_rows: int, n_columns: int) -> None:
        """Hold the first columns of one row's tensors, for each of `n_rows`."""
        for layer, pair in zip(self._layers, tensors, strict=True):
            keys, values = (states[..., :n_columns, :].expand(n_rows, -1, -1, -1) for states in pair)
            layer.hold(keys, values)


def _with_room(states: torch.Tensor, n_columns: int) -> torch.Tensor:
    grown = states.new_zeros((*states.shape[:-2], n_columns, states.shape[-1]))
    grown[..., : states.shape[-2], :] = states
    return grown


def _widened(states: torch.Tensor, width: int) -> torch.Tensor:
    return pad(states, (0, 0, width - states.shape[-2], 0))
