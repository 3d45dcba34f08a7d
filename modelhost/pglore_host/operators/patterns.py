"""Patterns: what can be told by its form to be personal: e-mail, phone, IBAN, card and IP addresses.

A candidate is found by an expression of bounded length and then checked: IBAN and cards by their check digits
(python-stdnum), phone numbers by each country's plan (phonenumbers), IP addresses by the standard library.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator

from ..stopping import check

Span = tuple[int, int]  # 0-based, half-open, in characters

_EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}")
_CARD = re.compile(r"(?<![0-9])(?<![0-9][ .-])[2-6](?:[ -]?[0-9]){12,18}(?![ .-]?[0-9])")
_IPV4 = re.compile(r"(?<![0-9A-Za-z.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f.]{0,4}:)[0-9A-Fa-f:.]{2,45}(?<![.:])(?![0-9A-Za-z:])")
_SIZE = 20_000  # characters that the matcher of phone numbers is given at a time
_OVERLAP = 60


def emails(text: str, region: str | None) -> Iterator[Span]:
    """Addresses of e-mail."""
    for match in _EMAIL.finditer(text):
        check()
        yield match.span()


def ibans(text: str, region: str | None) -> Iterator[Span]:
    """Numbers of bank accounts whose check digits are right."""
    from stdnum import iban

    position = 0
    while match := _IBAN.search(text, position):
        check()
        start, end = match.span()
        position = start + 4
        while end - start >= 15:
            if (end == len(text) or not text[end].isalnum()) and iban.is_valid(text[start:end]):
                yield start, end
                position = end
                break
            end -= 1


def cards(text: str, region: str | None) -> Iterator[Span]:
    """Numbers of payment cards whose check digit is right."""
    from stdnum import luhn

    for match in _CARD.finditer(text):
        check()
        if luhn.is_valid(re.sub(r"[ -]", "", match[0])):
            yield match.span()


def addresses(text: str, region: str | None) -> Iterator[Span]:
    """IP addresses, of both versions."""
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            check()
            try:
                ipaddress.ip_address(match[0])
            except ValueError:
                continue
            yield match.span()


def phones(text: str, region: str | None) -> Iterator[Span]:
    """Phone numbers: those that begin with +, and those of a region."""
    import phonenumbers

    for start in range(0, len(text), _SIZE):
        part = text[start : start + _SIZE + _OVERLAP]
        for match in phonenumbers.PhoneNumberMatcher(part, region):
            check()
            if match.start < _SIZE:
                yield start + match.start, start + match.end


PATTERNS: dict[str, Callable[[str, str | None], Iterator[Span]]] = {
    "email": emails,
    "iban": ibans,
    "card": cards,
    "ip": addresses,
    "phone": phones,
}
