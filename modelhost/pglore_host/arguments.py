"""Arguments of an operation: taken out of a request with their kind checked."""

from typing import Any

from . import errors
from .errors import HostError


def text(arguments: dict, name: str, *, limit: int = 1_000_000) -> str:
    """A required text of at most `limit` characters; raises HostError LO102, LO103."""
    value = arguments.get(name)
    if not isinstance(value, str):
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be a text")
    if len(value) > limit:
        raise HostError(errors.INPUT_TOO_LONG, f"{name} is {len(value):,} characters, over the limit of {limit:,}")
    return value


def visible(arguments: dict, name: str, *, limit: int = 1_000_000) -> str:
    """A required text with something to read in it; raises HostError LO101 too."""
    value = text(arguments, name, limit=limit)
    if not value or value.isspace():
        raise HostError(errors.EMPTY_INPUT, f"{name} is empty")
    return value


def optional_text(arguments: dict, name: str) -> str | None:
    """A text, or None where it is missing or null; raises HostError LO103."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, str):
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be a text")
    return value


def integer(arguments: dict, name: str, low: int, high: int, default: Any = None) -> Any:
    """A whole number from low to high, or the default where it is missing or null; raises HostError LO103."""
    value = arguments.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be a whole number from {low} to {high:,}")
    return value


def number(arguments: dict, name: str, low: float, high: float, default: float | None = None) -> float | None:
    """A number from low to high, or the default where it is missing or null; raises HostError LO103."""
    value = arguments.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not low <= value <= high:
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def flag(arguments: dict, name: str) -> bool:
    """Yes or no, or no where it is missing or null; raises HostError LO103."""
    value = arguments.get(name)
    if value is not None and not isinstance(value, bool):
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be true or false")
    return bool(value)


def choice(arguments: dict, name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few words, or the default; raises HostError LO103."""
    value = arguments.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise HostError(errors.BAD_ARGUMENT, f"{name} must be one of {', '.join(allowed)}")
    return value
