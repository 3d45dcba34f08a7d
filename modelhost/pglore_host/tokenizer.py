"""Tokens: texts to ids, and ids to windows that a model reads at once. Blocking: called from threads of its own."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, normalizers

from . import errors
from .errors import HostError
from .files import ModelFiles
from .inspection import VOCABULARY_LIMIT, refused

SLICE_TEXTS = 32  # encoded at once: between slices a cancelled request is noticed
SLICE_CHARACTERS = 1 << 15
SPACE = re.compile(r"\s+")


class ModelTokenizer:
    """The tokenizer of a model's folder, without the truncation and padding that its file may ask for."""

    def __init__(
        self,
        path: Path,
        window_tokens: int,
        *,
        vocabulary: int | None = None,
        token_types: int = 1,
        lower_case: bool = False,
    ) -> None:
        """`path` is tokenizer.json or its folder; ids must be below `vocabulary`, segments below `token_types`.

        raises  HostError LO204 for a file that is no tokenizer, or not the model's
        """
        self.raw = _opened(path / "tokenizer.json" if path.is_dir() else path)
        self.raw.no_truncation()
        self.raw.no_padding()
        if lower_case:
            own = self.raw.normalizer
            self.raw.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([own] if own else [])])
        if vocabulary is not None and (highest := max(self.raw.get_vocab().values(), default=0)) >= vocabulary:
            raise refused(f"its tokenizer gives the id {highest}, and the model knows {vocabulary:,}")
        probe = self.raw.encode("a")
        special = probe.special_tokens_mask
        if 0 not in special:
            raise refused("its tokenizer finds no token in a text")
        content = special.index(0)
        self._prefix = np.array(probe.ids[:content], dtype=np.int32)
        self._suffix = np.array(probe.ids[len(special) - special[::-1].index(0) :], dtype=np.int32)
        self.prefix_tokens, self.suffix_tokens = len(self._prefix), len(self._suffix)
        self.window_tokens = window_tokens
        self.content_tokens = window_tokens - self.prefix_tokens - self.suffix_tokens
        if self.content_tokens < 1:
            raise refused(f"its window of {window_tokens} tokens has no room for a text")
        self._pair = _pair_template(self.raw, token_types)

    @classmethod
    def of(cls, files: ModelFiles) -> "ModelTokenizer":
        """The tokenizer of a model; raises HostError LO204."""
        config = files.config
        return cls(
            files.tokenizer,
            files.window_tokens,
            vocabulary=config.vocabulary,
            token_types=config.token_types,
            lower_case=files.lower_case,
        )

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
        count = self.window_count(ids)
        parts = [ids] if count == 1 else np.array_split(ids, count)
        return [np.concatenate((self._prefix, part, self._suffix)) for part in parts]

    def window_count(self, ids: np.ndarray) -> int:
        """Number of windows that content ids take."""
        return max(1, -(-len(ids) // self.content_tokens))

    def pairs(self, first: np.ndarray, second: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """A query with a document as a cross-encoder reads them: in as many windows as the document takes.

        first, second  (L,) content ids
        returns        ids and segments, (L,) int32, of each window; each holds the whole query
        raises         HostError LO102 for a query that leaves too little room
        """
        parts = self._pair
        room = self.window_tokens - len(first) - sum(len(ids) for ids, _ in parts.special)
        if room < min(self.window_tokens // 8, max(1, len(second))):
            raise HostError(
                errors.INPUT_TOO_LONG,
                f"the query takes {len(first)} tokens of the {self.window_tokens} that the reranker reads at once",
                "Ask in fewer words.",
            )
        count = max(1, -(-len(second) // room))
        return [parts.joined(first, part) for part in np.array_split(second, count)]


@dataclass(frozen=True, slots=True)
class PairTemplate:
    """Special tokens before, between and behind two texts, as (ids, segments), and the segments of the texts."""

    special: tuple[tuple[np.ndarray, np.ndarray], ...]
    segments: tuple[int, int]

    def joined(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and segments of the two texts together."""
        (before, one), (between, two), (behind, three) = self.special
        types = (one, np.full(len(first), self.segments[0]), two, np.full(len(second), self.segments[1]), three)
        return (
            np.concatenate((before, first, between, second, behind)).astype(np.int32),
            np.concatenate(types).astype(np.int32),
        )


def _pair_template(raw: Tokenizer, token_types: int) -> PairTemplate:
    probe = raw.encode("a", "b")
    ids, types = np.array(probe.ids), np.minimum(np.array(probe.type_ids), token_types - 1)
    owners = [
        None if special else owner for owner, special in zip(probe.sequence_ids, probe.special_tokens_mask, strict=True)
    ]
    if 0 not in owners or 1 not in owners:
        raise refused("its tokenizer cannot join two texts")
    bounds = [
        owners.index(0),
        len(owners) - owners[::-1].index(0),
        owners.index(1),
        len(owners) - owners[::-1].index(1),
    ]
    gaps = ((0, bounds[0]), (bounds[1], bounds[2]), (bounds[3], len(ids)))
    return PairTemplate(
        tuple((ids[low:high], types[low:high]) for low, high in gaps), (int(types[bounds[0]]), int(types[bounds[2]]))
    )


def _opened(path: Path) -> Tokenizer:
    try:
        if path.stat().st_size > VOCABULARY_LIMIT:
            raise refused("its tokenizer.json is too large")
        return Tokenizer.from_file(str(path))
    except HostError:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # the library's own panics are no Exceptions
        raise refused("its tokenizer.json is not one") from None
