"""Weights: the tensors of a safetensors file, read by its header alone and checked before any library opens it.

Format: 8 bytes (length of the header), the header as JSON, then the tensors without gaps.
Source: huggingface.co/docs/safetensors, "Format".
"""

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .inspection import refused

BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "BOOL": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
HEADER_LIMIT = 100_000_000  # bytes, as the library has it
DIMENSIONS_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a tensor lies in its file."""

    dtype: str
    shape: tuple[int, ...]
    start: int  # bytes from the start of the file
    size: int  # bytes

    @property
    def count(self) -> int:
        """Numbers it holds."""
        return math.prod(self.shape)


def header(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name.

    raises  HostError LO204 for a file that is damaged or no safetensors
    """
    total = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else -1
        if not 2 <= length <= min(HEADER_LIMIT, total - 8):
            raise _damaged(path, "its header has no possible length")
        raw = file.read(length)
    try:
        found = json.loads(raw, object_pairs_hook=_unique)
        found.pop("__metadata__", None)
        tensors = {name: _tensor(entry, 8 + length) for name, entry in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise _damaged(path, "its header cannot be read") from None
    end = 8 + length
    for name, tensor in sorted(tensors.items(), key=lambda pair: (pair[1].start, pair[1].size)):
        if tensor.start != end or tensor.size != tensor.count * BYTES[tensor.dtype]:
            raise _damaged(path, f"the tensor {name[:80]!r} is not where it should be")
        end += tensor.size
    if end != total:
        raise _damaged(path, f"it has {total:,} bytes where its header says {end:,}")
    if not tensors:
        raise _damaged(path, "it holds nothing")
    return tensors


def _tensor(entry: dict, base: int) -> Tensor:
    shape, (start, end) = tuple(entry["shape"]), entry["data_offsets"]
    numbers = (*shape, start, end)
    if len(shape) > DIMENSIONS_LIMIT or not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError
    if entry["dtype"] not in BYTES or end < start:
        raise ValueError
    return Tensor(entry["dtype"], shape, base + start, end - start)


def _unique(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def array(path: Path, tensor: Tensor) -> np.ndarray:
    """A tensor's numbers as float32."""
    with path.open("rb") as file:
        data = os.pread(file.fileno(), tensor.size, tensor.start)
    if tensor.dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
    if tensor.dtype not in kinds:
        raise _damaged(path, f"numbers of the kind {tensor.dtype} cannot be computed with")
    return np.frombuffer(data, kinds[tensor.dtype]).astype(np.float32).reshape(tensor.shape)


def _damaged(path: Path, why: str) -> Exception:
    return refused(f"{path.name} is damaged or no safetensors: {why}")
