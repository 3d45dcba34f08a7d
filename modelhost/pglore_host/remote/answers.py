"""Answers: what a server sent as vectors or scores, checked number by number.

Letters: N texts, D dimensions.
"""

import base64
import binascii
from collections.abc import Sequence

import numpy as np


class Useless(ValueError):
    """An answer that cannot be used; its text goes on with "the answer of the server"."""


def ordered(items: object, count: int, what: str) -> list[dict]:
    """The items of an answer in the order of the question, by their "index" where they have one.

    raises  Useless unless there is one item for each of `count`
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Useless(f"has no list of {what}")
    if len(items) != count:
        raise Useless(f"has {len(items):,} {what} for {count:,} texts")
    places = [item.get("index") for item in items]
    if all(place is None for place in places):
        return items
    if any(type(place) is not int for place in places) or sorted(places) != list(range(count)):  # type: ignore[type-var]
        raise Useless(f"has {what} of which it is not clear to what text they belong")
    return [item for _, item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0])]  # type: ignore[arg-type]


def vectors(rows: Sequence[object], dimensions: int | None) -> np.ndarray:
    """Rows of numbers, or base64 of little-endian float32, as (N, D) float32 of unit rows.

    raises  Useless; DifferentWidth where D is not `dimensions`
    """
    try:
        given = np.array([_decoded(row) if isinstance(row, str) else row for row in rows])
    except (ValueError, OverflowError):
        raise Useless("has vectors that are not equally long, or no vectors at all") from None
    if given.dtype.kind not in "fi" or given.ndim != 2 or not given.size:
        raise Useless("has vectors that are not lists of numbers")
    if dimensions and given.shape[1] != dimensions:
        raise DifferentWidth(f"has vectors of {given.shape[1]:,} dimensions, not {dimensions:,}")
    given = given.astype(np.float64)
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(given, axis=1, keepdims=True)
        unit = (given / norms).astype(np.float32)
    if not np.isfinite(given).all() or not np.isfinite(unit).all() or not np.isfinite(norms).all():
        raise Useless("has a vector of zeros, or one with a number that is not finite")
    return unit


class DifferentWidth(Useless):
    """Vectors of another number of dimensions than the model's."""


def _decoded(text: str) -> np.ndarray:
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    except binascii.Error:
        raise Useless("has a text in place of numbers") from None


def scores(values: Sequence[object]) -> list[float]:
    """Scores as finite floats; raises Useless."""
    found = [float(value) for value in values if type(value) in (int, float)]  # type: ignore[arg-type]
    if len(found) != len(values) or not np.isfinite(found).all():
        raise Useless("has a score that is no finite number")
    return found
