"""Words, and how many tokens each is: counts for any span of a text without tokenising it again and again."""

import re
from collections.abc import Iterator

from tokenizers import Tokenizer

from .stopping import check

_WORD = re.compile(r"[^\s\u3002\uff01\uff1f]+[\u3002\uff01\uff1f]*|[\u3002\uff01\uff1f]+")
_LONG = 100  # characters: a WordPiece tokenizer reads a longer word as one unknown token
_SLICE = 64  # characters of a long word that are counted at a time
_BATCH = 2048  # words: some 50 ms
_PART = 1 << 17  # characters of a text that are searched at a time: the search holds up all other threads


class WordTokens(dict[str, int]):
    """Tokens by word, filled once for all distinct words of a text.

    Exact for tokenizers that part words at whitespace (BERT's); for the others a close estimate. A word over 100
    characters counts by slices, and one of control characters counts as a token, so that what is no language (a picture
    in base64) does not pass for little.
    """

    def __init__(self, tokenizer: Tokenizer, text: str) -> None:
        super().__init__()
        if tokenizer.truncation or tokenizer.padding:
            tokenizer = Tokenizer.from_str(tokenizer.to_str())
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._space = "" if "Bert" in type(tokenizer.pre_tokenizer).__name__ else " "
        distinct: dict[str, None] = {}
        for first in range(0, len(text), _PART):  # a word that is cut in two here is counted when it is asked for
            check()
            distinct.update((word, None) for word in _WORD.findall(text, first, first + _PART) if len(word) <= _LONG)
        words = list(distinct)
        for first in range(0, len(words), _BATCH):
            check()
            self._fill(words[first : first + _BATCH])

    def count(self, text: str, start: int, end: int) -> int:
        """The tokens of text[start:end]."""
        check()
        return sum(map(self.__getitem__, _WORD.findall(text, start, end)))

    def __missing__(self, word: str) -> int:
        if len(word) > _LONG:
            return sum(self[word[first : first + _SLICE]] for first in range(0, len(word), _SLICE))
        self._fill([word])
        return self[word]

    def _fill(self, words: list[str]) -> None:
        encoded = self._tokenizer.encode_batch_fast([self._space + word for word in words], add_special_tokens=False)
        self.update((word, max(1, len(one))) for word, one in zip(words, encoded, strict=True))


def word_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The words of text[start:end], as spans into the whole text."""
    return (match.span() for match in _WORD.finditer(text, start, end))
