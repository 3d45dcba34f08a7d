"""Tokens: texts to ids, and ids to windows that a model reads at once. Blocking: called from threads of its own."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from . import errors
from .errors import HostError

SLICE_TEXTS = 32  # encoded at once: between slices a cancelled request is noticed
SLICE_CHARACTERS = 1 << 15
SPACE = re.compile(r"\s+")


class ModelTokenizer:
    """The tokenizer of a model's folder, without the truncation and padding that its file may ask for."""

    def __init__(self, folder: Path, window_tokens: int) -> None:
        self.raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.raw.no_truncation()
        self.raw.no_padding()
        probe = self.raw.encode("a")
        special = probe.special_tokens_mask
        content = special.index(0)
        self._prefix = np.array(probe.ids[:content], dtype=np.int32)
        self._suffix = np.array(probe.ids[len(special) - special[::-1].index(0) :], dtype=np.int32)
        self.prefix_tokens, self.suffix_tokens = len(self._prefix), len(self._suffix)
        self.content_tokens = window_tokens - self.prefix_tokens - self.suffix_tokens

    def encode(self, texts: Sequence[str], stopped: Callable[[], bool] = lambda: False) -> list[np.ndarray]:
        """Content token ids of each text, no special tokens; ends early, with what it has, once `stopped()`.

        returns  one (L,) int32 array a text
        """
        found: list[np.ndarray] = []
        start = 0
        while start < len(texts) and not stopped():
            if len(texts[start]) > SLICE_CHARACTERS:
                found.append(self._encode_long(texts[start], stopped))
                start += 1
                continue
            end, characters = start, 0
            while end < len(texts) and end - start < SLICE_TEXTS and characters + len(texts[end]) <= SLICE_CHARACTERS:
                characters += len(texts[end])
                end += 1
            encoded = self.raw.encode_batch_fast(list(texts[start:end]), add_special_tokens=False)
            found.extend(np.array(entry.ids, dtype=np.int32) for entry in encoded)
            start = end
        return found

    def _encode_long(self, text: str, stopped: Callable[[], bool]) -> np.ndarray:
        """A long text in pieces cut at white space: the same ids where the tokenizer splits there first, as most do."""
        pieces, start = [], 0
        while start < len(text) and not stopped():
            space = SPACE.search(text, start + SLICE_CHARACTERS)
            end = space.start() if space and space.start() < start + 2 * SLICE_CHARACTERS else start + SLICE_CHARACTERS
            pieces.append(np.array(self.raw.encode(text[start:end], add_special_tokens=False).ids, dtype=np.int32))
            start = end
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)

    def count(self, text: str) -> int:
        """Number of content tokens."""
        return len(self.encode([text])[0])

    def windows(self, ids: np.ndarray) -> list[np.ndarray]:
        """Content ids cut into the fewest windows, of about equal size, each with the special tokens around it."""
        parts = np.array_split(ids, self.window_count(ids))
        return [np.concatenate((self._prefix, part, self._suffix)) for part in parts]

    def window_count(self, ids: np.ndarray) -> int:
        """Number of windows that content ids take."""
        return max(1, -(-len(ids) // self.content_tokens))


def check_windows(windows: int, limit: int, characters: int) -> None:
    """Refuse a text that takes more windows than allowed; raises HostError LO102."""
    if windows > limit:
        raise HostError(
            errors.INPUT_TOO_LONG,
            f"a text of {characters:,} characters takes {windows} windows of the model, over the limit of {limit}",
        )
