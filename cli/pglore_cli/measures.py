"""Measures of a run by the library ir_measures, of pglore[eval]: those of lore.evaluate once more, and any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pglore

TOLERANCE = 1e-9
MOST = 1000  # documents that lore.search gives
Grades = Mapping[str, Mapping[str, int]]
Rankings = Mapping[str, Sequence[str]]


def load_library() -> Any | None:
    """The module ir_measures; None where it is not installed."""
    try:
        import ir_measures
    except ImportError as error:
        if error.name != "ir_measures":
            raise
        return None
    return ir_measures


def parse(names: Sequence[str]) -> list[Any]:
    """Measures by their names, such as AP@100. raises SetupError without the library, BadArgument for no measure"""
    library = load_library()
    if names and library is None:
        raise pglore.SetupError("--measure needs ir_measures", hint="pip install 'pglore[eval]'")
    measures = []
    for name in names:
        try:
            measures.append(library.parse_measure(name))  # type: ignore[union-attr]  # there where a name is
        except (NameError, ValueError, SyntaxError, TypeError) as error:
            hint = "Names are those of ir_measures: AP@100, P@5, Success@1, RBP(p=0.8)."
            raise pglore.BadArgument(f'"{name}" is no measure: {error}', hint=hint) from error
        if not 1 <= measures[-1].params.get("cutoff", 1) <= MOST:
            raise pglore.BadArgument(f'"{name}" is no measure', hint=f"What stands behind @ is 1 to {MOST:,}.")
    return measures


def rehearse(measures: Sequence[Any], judgements: Grades) -> None:
    """Measure rankings of the judged documents alone. raises BadArgument for a measure that cannot be worked out"""
    for name in measures:
        try:
            measure([name], judgements, {query: list(graded) for query, graded in judgements.items()})
        except Exception as error:
            hint = "Another measure may do: AP@100, P@5, Success@1, Bpref."
            raise pglore.BadArgument(f"ir_measures cannot work {name} out here: {error}", hint=hint) from error


def measure(measures: Sequence[Any], judgements: Grades, rankings: Rankings) -> dict[str, float]:
    """Means of measures over the judged queries, by the measures' names."""
    library = load_library()
    if library is None or not measures:
        return {}
    run = {
        query: {key: float(-place) for place, key in enumerate(dict.fromkeys(keys))} for query, keys in rankings.items()
    }
    found = library.calc_aggregate(measures, {query: dict(graded) for query, graded in judgements.items()}, run)
    return {str(measure): float(value) for measure, value in found.items()}


def check(row: pglore.Evaluation, k: int, judgements: Grades, rankings: Rankings) -> bool:
    """Whether ir_measures was there to agree with what the server found. raises InternalError where it does not"""
    library = load_library()
    if library is None:
        return False
    names = {f"nDCG@{k}": row.ndcg, f"R@{k}": row.recall, f"RR@{k}": row.mrr}
    found = measure([library.parse_measure(name) for name in names], judgements, rankings)
    for name, value in names.items():
        if abs(found[name] - value) > TOLERANCE:
            message = f"{name} of {row.variant} is {value} by the server, {found[name]} by ir_measures"
            raise pglore.InternalError(message)
    return True
