"""Text as it comes: ids to the part of a text that can be told already, up to a stop string.

What may be the beginning of a stop string, or of a character, is held back until the next token decides.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class Writer:
    """The text of one sequence."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, [word for word in stop if word]
        self._stream: DecodeStream | None = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._told = 0  # characters given out
        self._text = ""  # decoded so far
        self.stopped = False  # by a stop string

    def add(self, token: int) -> str:
        """The text that the token adds, as far as it can be told."""
        self._ids.append(token)
        if self._stream is None:
            return ""
        try:
            self._text += self._stream.step(self._tokenizer, token) or ""
        except Exception:  # the library gives up on some sequences of bytes: the rest comes with the end
            self._stream = None
            return ""
        return self._tell(self._text)

    def end(self) -> str:
        """What was held back, once nothing more comes."""
        whole = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        if self.stopped or not whole.startswith(self._text[: self._told]):
            return ""
        told = self._tell(whole)
        return told if self.stopped else told + self._rest(whole)

    def _rest(self, text: str) -> str:
        start, self._told = self._told, len(text)
        return text[start:]

    def _tell(self, text: str) -> str:
        if not self._stop:
            return self._rest(text)
        start = self._told
        found = [place for word in self._stop if (place := text.find(word, start)) >= 0]
        if found:
            self.stopped, end = True, min(found)
        else:
            end = len(text) - max(overlap(text[start:], word) for word in self._stop)
        self._told = max(start, end)
        return text[start : self._told]


def overlap(text: str, word: str) -> int:
    """Length of the longest end of a text that begins a word."""
    return next((size for size in range(min(len(text), len(word) - 1), 0, -1) if word.startswith(text[-size:])), 0)
