"""The cache of states: a row for each sequence under way, in one block a layer, within a bound of tokens.

Letters: R rows, H key heads, C states that a row has room for, D width of a head.
Nothing behind the end of a row is ever seen (see attention.py), so rows are not cleared, but they are always finite.
"""

from collections.abc import Sequence

import torch
from transformers import Cache

from .attention import Step

GRAIN = 64  # states that a row grows by


class RowCache(Cache):
    """Keys and values of every layer; written and read by the model's own code, through update."""

    def __init__(self, device: str) -> None:
        super().__init__(layers=[])
        self._device = device
        self._blocks: list[list[torch.Tensor]] = []  # a layer: keys and values, each (R, H, C, D)
        self._like: list[list[torch.Tensor]] = []  # a layer's shapes, (1, H, 0, D)
        self.rows = self.capacity = 0
        self.step: Step | None = None

    @property
    def bytes_per_token(self) -> int:
        """Of one state in all layers; known after the first step."""
        return sum(like.shape[1] * like.shape[3] * like.element_size() for pair in self._like for like in pair)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep new states, (B, H, T, D) each; returns those that the step reads, (B, H, L, D)."""
        while layer_idx >= len(self._blocks):
            pair = [key_states, value_states]
            self._like.append([states.new_zeros((1, states.shape[1], 0, states.shape[3])) for states in pair])
            self._blocks.append([self._room(like, self.rows, self.capacity) for like in self._like[-1]])
        step = self.step
        low, high = step.low, step.low + len(step.positions)
        found = []
        for block, states in zip(self._blocks[layer_idx], (key_states, value_states), strict=True):
            if step.together is not None:
                block[low:high, :, step.together : step.together + states.shape[2]] = states
            else:
                block[low:high].transpose(1, 2)[step.rows, step.positions] = states.transpose(1, 2)
            found.append(block[low:high, :, : step.length])
        return found[0], found[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Some models ask, and use it only where no positions are given."""
        return 0

    def resize(self, rows: int, capacity: int, keep: int = 0) -> None:
        """Give each row another room, and there be another number of rows; the first `keep` rows stay as they are."""
        length = min(self.capacity, capacity)
        self.rows, self.capacity = rows, capacity
        for layer, pair in enumerate(self._blocks):
            for side, old in enumerate(pair):
                new = self._room(self._like[layer][side], rows, capacity)
                new[:keep, :, :length] = old[:keep, :, :length]
                pair[side] = new

    def _room(self, like: torch.Tensor, rows: int, capacity: int) -> torch.Tensor:
        return torch.zeros((rows, like.shape[1], capacity, like.shape[3]), dtype=like.dtype, device=self._device)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy a row's states over another's."""
        for pair in self._blocks:
            for block in pair:
                block[target, :, :length] = block[source, :, :length]

    def swap(self, one: int, other: int, length: int) -> None:
        """Let two rows change places."""
        for pair in self._blocks:
            for block in pair:
                block[[one, other], :, :length] = block[[other, one], :, :length]

    def clear(self, row: int) -> None:
        """Zeros: after a sequence whose states were not finite."""
        for pair in self._blocks:
            for block in pair:
                block[row] = 0

    def taken(self, row: int, start: int, end: int) -> list[torch.Tensor]:
        """A copy of states of a row: keys and values of each layer, (H, end - start, D)."""
        return [block[row, :, start:end].clone() for pair in self._blocks for block in pair]

    def put(self, row: int, start: int, parts: Sequence[Sequence[torch.Tensor]]) -> None:
        """Write copies that were taken one behind the other into a row."""
        blocks = [block for pair in self._blocks for block in pair]
        for number, block in enumerate(blocks):
            joined = torch.cat([part[number] for part in parts], dim=1)
            block[row, :, start : start + joined.shape[1]] = joined


def rounded(tokens: int) -> int:
    """Room for so many states, in whole grains."""
    return -(-tokens // GRAIN) * GRAIN
