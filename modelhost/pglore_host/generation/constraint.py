"""Constraints: a JSON Schema, a regex, choices or a grammar to the tokens that may come next, by llguidance.

A text that must end within so many tokens is steered to its end in time (see Guide): without that, a model that
writes on and on would leave half a document.
Letters: V size of the vocabulary.
"""

import re
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer

from .. import errors
from ..errors import HostError
from .grammar import complaint, reach
from .grammar import grammar as of
from .request import KINDS, Constraint

KEPT = 64  # compiled constraints
MARGIN = 32  # tokens
TRIES = 8  # of ways that go by chance
FIRST_STEPS, STEPS = 4000, 400  # of all ways that are looked for at the beginning, and later behind one token
# What ends something in JSON, tried in this order: outside of a string, and inside.
MARKS = (("}", "]", ",", ":", "0", "1", '"', "n", "t", "f", "[", "{", "-"), ('"',))
# Numbers with an exponent can be larger than anything that reads them: no piece is to bring one.
EXPONENT, BEGUN_EXPONENT = re.compile(rb'(?:^|")[^"]*[0-9][eE]'), re.compile(rb"[eE]")


class Grammars:
    """Compiles constraints for one tokenizer; the tokenizer is read when the first one comes."""

    def __init__(self, hf_tokenizer: Any, vocabulary: int, ends: frozenset[int] | set[int]) -> None:
        self._hf, self.vocabulary, self._ends = hf_tokenizer, vocabulary, sorted(ends)
        self._compiled: OrderedDict[str, LLMatcher] = OrderedDict()
        self._reaches: dict[str, int] = {}
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None

    @property
    def tokenizer(self) -> LLTokenizer:
        """llguidance's view of the tokenizer; takes a second with a large vocabulary."""
        if self._tokenizer is None:
            tokenizer = from_tokenizer(self._hf, n_vocab=self.vocabulary, eos_token=self._ends or None)
            special = {end for end in range(self.vocabulary) if tokenizer.is_special_token(end)}
            pieces = [b"" if end in special else tokenizer.decode_bytes([end]) for end in range(self.vocabulary)]
            self.pieces = pieces
            # What leaves a character unfinished comes last.
            self.worth = np.array([2 * len(piece) if _whole(piece) else len(piece) > 0 for piece in pieces], np.int32)
            self.single = {piece.decode(): end for end, piece in reversed([*enumerate(pieces)]) if piece in _SINGLE}
            self.exponent = np.array([EXPONENT.search(piece) is not None for piece in pieces])
            self.begun = np.array([BEGUN_EXPONENT.match(piece) is not None for piece in pieces]) | self.exponent
            one = [piece if len(piece) == 1 and piece.isascii() else b"" for piece in pieces]
            # Single characters: letters and digits, and the others.
            self.marks = [
                np.array([piece.isalnum() for piece in one]),
                np.array([piece != b"" and not piece.isalnum() for piece in one]),
            ]
            self._tokenizer = tokenizer
        return self._tokenizer

    def guide(self, constraint: Constraint, max_tokens: int) -> "Guide":
        """What leads a text along a constraint; blocking, up to a second.

        raises  HostError LO103, LO105 for a constraint that cannot be used, or not within so many tokens
        """
        if constraint.kind not in KINDS:
            raise HostError(errors.BAD_ARGUMENT, f"there is no constraint of the kind {constraint.kind!r}")
        code = errors.BAD_SCHEMA if constraint.kind == "schema" else errors.BAD_ARGUMENT
        grammar = of(constraint)
        guide = Guide(
            self, self._matcher(grammar, code, constraint.kind), constraint.kind, self._reach(constraint, grammar)
        )
        guide.begin(max_tokens)
        return guide

    def _reach(self, constraint: Constraint, grammar: str) -> int:
        """Tokens by which one more can make the way to the end longer, about: the names and marks that then must
        follow stand in the constraint, as often as arrays ask for."""
        if grammar not in self._reaches:
            if len(self._reaches) >= KEPT:
                self._reaches.clear()
            tokens = len(self.tokenizer.tokenize_str(grammar))
            self._reaches[grammar] = int(tokens * max(1, reach(constraint.value) / len(grammar)))
        return self._reaches[grammar]

    def _matcher(self, grammar: str, code: str, kind: str) -> LLMatcher:
        with self._lock:
            tokenizer = self.tokenizer
            if kept := self._compiled.get(grammar):
                self._compiled.move_to_end(grammar)
                return kept.deep_copy()
        matcher = LLMatcher(tokenizer, grammar, log_level=0)
        if not matcher.is_error():
            matcher.compute_bitmask()  # what is too complex shows here first
        if matcher.is_error():
            raise HostError(code, f"the {kind} cannot be used: {_said(matcher)}")
        with self._lock:
            self._compiled[grammar] = matcher.deep_copy()
            if len(self._compiled) > KEPT:
                self._compiled.popitem(last=False)
        return matcher


_SINGLE = {mark.encode() for mark in MARKS[0]}


class Guide:
    """One text under a constraint.

    While the text grows, the guide looks for a short way to its end from where the text stands. A token is taken only
    if after it there is still a way that fits into what is left of max_tokens; else the last way that did is gone.
    """

    def __init__(self, grammars: Grammars, matcher: LLMatcher, kind: str, size: int) -> None:
        self._grammars, self._matcher, self._kind = grammars, matcher, kind
        self._code = errors.BAD_SCHEMA if kind == "schema" else errors.BAD_ARGUMENT
        self._quote = 0  # 0 outside of a JSON string, 1 inside, 2 behind a backslash there
        self._last = b""  # byte of the text so far
        self._way: list[int] | None = None  # tokens from here to an end, where they have been looked for
        self._far = size + MARGIN  # tokens; a way to the end is hardly ever longer, whatever one token begins
        self._ends = False  # whether a way was found at the beginning
        self._chancy = False  # ... only by chance
        self._words = np.empty((grammars.vocabulary + 31) // 32, dtype=np.int32)

    def begin(self, max_tokens: int) -> None:
        """Look for a way to the end; raises HostError where there is none of so many tokens."""
        self._way = self._to_end(self._matcher, self._quote, max_tokens, 0, FIRST_STEPS)
        if self._way is None:
            self._way = self._to_end(self._matcher, self._quote, max_tokens, TRIES, FIRST_STEPS)
            self._chancy = self._way is not None
        probe = self._matcher.deep_copy()
        probe.compute_ff_tokens()
        if probe.is_error():
            raise HostError(self._code, f"the {self._kind} is too complex: {_said(probe)}")
        self._ends = self._way is not None
        self._far += len(self._way or ())
        if not self._ends and self._kind in ("schema", "choices"):
            raise HostError(
                self._code,
                f"no text of at most {max_tokens:,} tokens was found that the {self._kind} allows",
                "Raise max_tokens, or ask for less.",
            )

    @property
    def complete(self) -> bool:
        """Whether the text may end here."""
        return self._matcher.is_accepting()

    @property
    def ended(self) -> bool:
        """Whether nothing but the end may follow."""
        return self._matcher.is_stopped()

    def allowed(self) -> np.ndarray:
        """(V,) bool: the tokens that may come next; raises HostError LO103, LO105 where that takes too much."""
        self._matcher.unsafe_compute_mask_ptr(self._words.ctypes.data, self._words.nbytes)
        if self._matcher.is_error():
            raise HostError(self._code, f"the {self._kind} is too complex: {_said(self._matcher)}")
        mask = _unpacked(self._words, self._grammars.vocabulary)
        if self._kind == "schema" and not self._quote:
            plain = mask & ~(self._grammars.begun if self._last.isdigit() else self._grammars.exponent)
            return plain if plain.any() else mask  # a constant may be written so
        return mask

    def take(self, token: int, left: int) -> int | None:
        """Go on by a token, or by another that leads to the end, when only `left` tokens may follow it.

        returns  the token that was taken, None where the text is to end here
        raises   HostError LO103, LO105
        """
        if self._ends:
            token, self._way = self._steered(token, left)
            if token is None:
                return None
        if not self._matcher.consume_token(token):
            raise HostError(self._code, f"the {self._kind} is too complex: {_said(self._matcher)}")
        piece = self._grammars.pieces[token]
        self._quote, self._last = _quoted(self._quote, piece), piece[-1:]
        return token

    def _steered(self, token: int, left: int) -> tuple[int | None, list[int] | None]:
        """The token to take, and a way from behind it to the end where one had to be looked for."""
        way = self._way
        if left > self._far:
            return token, None
        if way and way[0] == token:
            return token, way[1:]
        tried = self._matcher.deep_copy()
        if tried.consume_token(token):
            quote = _quoted(self._quote, self._grammars.pieces[token])
            found = self._to_end(tried, quote, left, TRIES if self._chancy else 0, STEPS)
            if found is not None:
                return token, found
        if way is None:
            way = self._to_end(self._matcher, self._quote, left + 1, TRIES, STEPS)
        if way is None:
            return token, None
        return (way[0], way[1:]) if way else (None, None)

    def _to_end(self, matcher: LLMatcher, quote: int, limit: int, tries: int, steps: int) -> list[int] | None:
        """Tokens of a short way to an end, None where none of at most `limit` was found in so many steps.

        The first try always takes the longest piece of text; where that leads nowhere, others leave it to chance.
        """
        found, steps = self._walked(matcher, quote, limit, None, steps)
        for number in range(tries if found is None else 0):
            shorter = min(limit, len(found) - 1) if found else limit
            better, steps = self._walked(matcher, quote, shorter, np.random.default_rng(number), steps)
            found = found if better is None else better
        return found

    def _walked(
        self, matcher: LLMatcher, quote: int, limit: int, chance: np.random.Generator | None, steps: int
    ) -> tuple[list[int] | None, int]:
        """One way, or None, and how many steps may still be taken."""
        at, way = matcher.deep_copy(), []
        while not at.is_accepting():
            tokens = at.compute_ff_tokens()
            if not tokens:
                tokens, steps = self._step(at, quote, chance), steps - 1
            way += tokens
            if steps < 0 or not tokens or len(way) > limit or not at.consume_tokens(tokens):
                return None, steps
            for token in tokens:
                quote = _quoted(quote, self._grammars.pieces[token])
        return way, steps

    def _step(self, at: LLMatcher, quote: int, chance: np.random.Generator | None) -> list[int]:
        """What leads nearer to an end: a closing mark where one may stand, else some piece of text."""
        single = self._grammars.single
        for mark in MARKS[min(quote, 1)] if self._kind == "schema" else ():
            if chance is not None and mark.isalnum():
                continue
            if quote < 2 and mark in single and at.validate_tokens([single[mark]]) == 1:
                return [single[mark]]
        words = np.empty_like(self._words)
        at.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        mask = _unpacked(words, self._grammars.vocabulary)
        if chance is not None and len(short := np.flatnonzero(mask & self._grammars.marks[chance.integers(2)])):
            return [int(chance.choice(short))]
        worth = np.where(mask, self._grammars.worth, 0)
        best = int(worth.argmax())
        return [best] if worth[best] else []


def _whole(piece: bytes) -> bool:
    """Whether a piece ends with a whole character; it may begin within one."""
    try:
        return bool(piece.lstrip(bytes(range(0x80, 0xC0))).decode() or piece)
    except UnicodeDecodeError:
        return False


def _unpacked(words: np.ndarray, vocabulary: int) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), bitorder="little")[:vocabulary].astype(bool)


def _quoted(state: int, piece: bytes) -> int:
    """Whether the end of a piece is inside a JSON string."""
    if not state and b'"' not in piece:
        return 0
    for byte in piece:
        if state == 2:
            state = 1
        elif byte == 0x22:
            state = 1 - state
        elif byte == 0x5C and state:
            state = 2
    return state


def _said(matcher: LLMatcher) -> str:
    """llguidance's complaint."""
    return complaint(matcher.get_error()) or "llguidance gave up on it"
