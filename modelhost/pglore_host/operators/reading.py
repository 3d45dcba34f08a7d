"""Vectors of inputs and of labels, by the embedder that an alias names.

Letters: N texts, D length of a vector.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import errors, quality
from ..embed import vectors_of
from ..entry import Use
from ..errors import HostError
from ..pooling import unit

PIECE_CHARACTERS = 8000  # a longer text is read in pieces, whose vectors are averaged
GROUP_TEXTS = 256
GROUP_CHARACTERS = 200_000
KEPT_BYTES = 64 << 20  # of vectors of labels
POISON = (errors.EMPTY_INPUT, errors.INPUT_TOO_LONG)  # what one text can have that the others have not


class Reader:
    """Reads with one embedder, in the hands of one request."""

    def __init__(self, use: Use, lane: str = "interactive") -> None:
        self._use, self._lane = use, lane

    @property
    def fingerprint(self) -> str:
        """Identity of its vectors."""
        return self._use.model.fingerprint if self._use.is_remote else self._use.fingerprint

    async def vectors(self, texts: Sequence[str]) -> list:
        """(D,) unit vectors of texts, whatever their length; a HostError in the place of one that cannot be read."""
        owners, pieces = [], []
        for number, text in enumerate(texts):
            for start in range(0, len(text), PIECE_CHARACTERS):
                if not (piece := text[start : start + PIECE_CHARACTERS]).isspace():
                    owners.append(number)
                    pieces.append(piece)
        found: list = [[] for _ in texts]
        for group in _groups(pieces):
            for number, vector in zip(group, await self._read([pieces[i] for i in group]), strict=True):
                found[owners[number]].append((vector, len(pieces[number])))
        return [_joined(parts) for parts in found]

    async def _read(self, texts: list[str]) -> list:
        """Vectors or errors: where the texts fail together, each half is tried for itself."""
        try:
            vectors, _ = await vectors_of(self._use, texts, "document", self._lane)
            return list(vectors)
        except HostError as error:
            if error.code not in POISON:
                raise
            if len(texts) == 1:
                return [error]
        half = len(texts) // 2
        return [*await self._read(texts[:half]), *await self._read(texts[half:])]

    async def labels(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) unit vectors of labels, conditions and other words of the caller; kept for the next call.

        raises  HostError LO101, LO102
        """
        key = (self.fingerprint, hashlib.sha256("\0".join(texts).encode()).digest())
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        found = await self.vectors(texts)
        for one in found:
            if isinstance(one, HostError):
                raise one
        vectors = np.array(found, dtype=np.float32)
        _kept[key] = vectors
        while sum(kept.nbytes for kept in _kept.values()) > KEPT_BYTES and len(_kept) > 1:
            _kept.popitem(last=False)
        return vectors

    async def background(self) -> np.ndarray:
        """(31, D) vectors of texts of all kinds: what is near to those is near to anything."""
        return await self.labels(quality.texts())


_kept: OrderedDict[tuple, np.ndarray] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near labels are to texts, against how near they are to texts of all kinds.

    vectors  (C, D) of the labels
    mean     (C,) cosine of each to the background
    spread   (C,) its standard deviation
    """

    vectors: np.ndarray
    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    async def of(cls, reader: Reader, labels: Sequence[str]) -> "Nearness":
        """Of labels, each as a topic and as the word itself."""
        plain = await reader.labels(labels)
        about = await reader.labels([f"This text is about {label}." for label in labels])
        vectors = unit(plain + about)
        cosines = (await reader.background()) @ vectors.T
        return cls(vectors, cosines.mean(axis=0), cosines.std(axis=0) + 1e-6)

    def of_texts(self, vectors: np.ndarray) -> np.ndarray:
        """(N, C) cosines above the mean."""
        return vectors @ self.vectors.T - self.mean

    def deviations(self, near: np.ndarray) -> np.ndarray:
        """The same in standard deviations."""
        return near / self.spread


def _groups(texts: list[str]) -> list[list[int]]:
    groups: list[list[int]] = []
    size = GROUP_CHARACTERS
    for number, text in enumerate(texts):
        if not groups or len(groups[-1]) == GROUP_TEXTS or size + len(text) > GROUP_CHARACTERS:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += len(text)
    return groups


def _joined(parts: list) -> object:
    """One vector of a text's pieces, by their lengths; the error of a piece that has one."""
    if not parts:
        return HostError(errors.EMPTY_INPUT, "the text is empty")
    for vector, _ in parts:
        if isinstance(vector, HostError):
            return vector
    if len(parts) == 1:
        return parts[0][0]
    return unit(np.average([vector for vector, _ in parts], axis=0, weights=[size for _, size in parts]))
