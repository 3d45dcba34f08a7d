"""Refusals: what each way of getting no answer means to the caller.

The messages follow the model's alias, and none names the URL.
"""

from collections.abc import Sequence

from .. import errors
from ..errors import HostError
from .slots import OutOfReach
from .words import TOO_LONG, word

SPENT = (b"insufficient_quota", b"billing_hard_limit_reached")  # an OpenAI 429 that waiting does not help


def refusal(status: int, body: bytes, texts: Sequence[str], key: str | None) -> HostError:
    """The error for a status other than 200; `texts` and `key` are not repeated in it."""
    if 300 <= status < 400:
        hint = "Register the URL that it leads to: redirects are not followed."
        return HostError(errors.MODEL_NOT_LOADED, f"its server answers with a redirect ({status})", hint)
    if status in (401, 403):
        hint = "Look at key_env or key_file of the model, and at what the server lets that key do."
        return HostError(errors.MODEL_NOT_LOADED, f"its server refuses the key, or the lack of one ({status})", hint)
    said = word(body, texts, key)
    tail = f" ({status}): {said}" if said else f" ({status})"
    if status in (404, 405):
        hint = "Look at the model's URL, its protocol and its name."
        return HostError(errors.MODEL_NOT_LOADED, f"its server does not know the route or the model{tail}", hint)
    if status == 402 or (status == 429 and any(sign in body for sign in SPENT)):
        return HostError(
            errors.BUDGET_SPENT, f"its server says that its budget is spent{tail}", "Look at the account there."
        )
    if status == 429:
        return HostError(errors.HOST_BUSY, f"its server is busy{tail}")
    if status == 413 or (status in (400, 422) and TOO_LONG.search(said)):
        return HostError(errors.INPUT_TOO_LONG, f"its server says that the input is too long{tail}")
    if status in (400, 422):
        return HostError(errors.BAD_ARGUMENT, f"its server refuses the request{tail}", "Look at the model's options.")
    if status in (408, 424, 425) or status >= 500:
        hint = "Try again in a moment, or look at that server."
        return HostError(errors.HOST_DOWN, f"its server failed{tail}", hint)
    return HostError(errors.MODEL_NOT_LOADED, f"its server answers with the status {status}")


def gone(what: str) -> OutOfReach:
    """The error for no answer at all."""
    hint = "Try again in a moment, or look whether that server runs."
    return OutOfReach(errors.HOST_DOWN, f"its server {what}", hint)


def untrusted() -> HostError:
    """The error for a certificate that nobody known has signed."""
    message = "its server shows a certificate that is not trusted"
    return HostError(errors.MODEL_NOT_LOADED, message, "Name the certificates to trust with ca_file.")


def useless(what: str, code: str = errors.MODEL_NOT_LOADED) -> HostError:
    """The error for an answer that is none."""
    return HostError(code, f"the answer of its server {what}", "Look at the model's URL, its protocol and its options.")


class BrokeOff(HostError):
    """LO301 because an answer ended in its middle: no reason for others not to ask."""


class Garbled(HostError):
    """LO204 because an answer cannot be used: another may do."""


def broke_off(what: str = "broke off in the middle of its answer") -> BrokeOff:
    """The error for half an answer."""
    hint = "Try again in a moment, or look whether that server runs."
    return BrokeOff(errors.HOST_DOWN, f"its server {what}", hint)


def garbled(what: str) -> Garbled:
    """The error for an answer whose parts make no sense."""
    error = useless(what)
    return Garbled(error.code, error.message, error.hint)


def unable(what: str, hint: str) -> HostError:
    """The error for what a server of this kind has no way to do."""
    return HostError(errors.UNKNOWN_ENGINE, f"its server has no way to keep to {what}", hint)
