"""Beginnings of prompts whose states are kept for the next prompt that begins alike, as a system prompt does.

A beginning is kept in blocks; the key of a block is the hash of all tokens up to its end.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
import torch

BLOCK = 32  # tokens


class Prefixes:
    """Blocks of states, the least recently used leave first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._blocks: OrderedDict[bytes, list[torch.Tensor]] = OrderedDict()
        self.bytes = 0

    def find(self, ids: Sequence[int]) -> list[list[torch.Tensor]]:
        """The states of the longest beginning that is known, block for block; the last token is never among them."""
        found = []
        for key in _keys(ids[:-1]):
            if key not in self._blocks:
                break
            self._blocks.move_to_end(key)
            found.append(self._blocks[key])
        return found

    def missing(self, ids: Sequence[int]) -> Iterator[tuple[bytes, int]]:
        """Key and start of each whole block of a prompt that is not kept yet."""
        for number, key in enumerate(_keys(ids)):
            if key not in self._blocks:
                yield key, number * BLOCK

    def keep(self, key: bytes, states: list[torch.Tensor]) -> None:
        """Keep a block, and let old ones go for it."""
        size = sum(part.numel() * part.element_size() for part in states)
        if size > self._limit:
            return
        self._blocks[key] = states
        self.bytes += size
        while self.bytes > self._limit:
            _, old = self._blocks.popitem(last=False)
            self.bytes -= sum(part.numel() * part.element_size() for part in old)

    def forget(self) -> None:
        """Let all go."""
        self._blocks.clear()
        self.bytes = 0


def _keys(ids: Sequence[int]) -> Iterator[bytes]:
    running = hashlib.sha256()
    for start in range(0, len(ids) - BLOCK + 1, BLOCK):
        running.update(np.asarray(ids[start : start + BLOCK], dtype=np.int64).tobytes())
        yield running.digest()
