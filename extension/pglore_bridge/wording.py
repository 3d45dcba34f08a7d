"""How much of a query's wording stands in texts: arithmetic on its arguments, which reaches nothing."""

import math
import re

# In bytes, which is quicker: what is no letter, digit or "_" in ASCII, and the punctuation of U+00A0 and U+2000 on.
PLAIN = bytes(code if code >= 128 or chr(code).isalnum() or code == 95 else 32 for code in range(256))
ODD = re.compile(rb"\xc2[\x85\xa0-\xbf]|\xe2[\x80\x81].|\xe3\x80[\x80-\x91]", re.S)


def wording(words, weights, texts):
    """For each text the weights of the words in it, of their pairs and of their triples in a row.

    words    list of str, W, in the order of the query
    weights  list of float or None, W: how rare a word is; None is reckoned by how few of the texts have it
    texts    list of str, N; None holds no word
    returns  list of float, N; a pair counts the mean weight of its words, and so does a triple
    """
    lines = [_line(text or "") for text in texts]
    bare = [word.encode().decode("latin-1") for word in words]
    padded = [f" {word} " for word in bare]
    # Without the spaces first: letters are rarer, so that the search skips more.
    here = [[word in line and whole in line for line in lines] for word, whole in zip(bare, padded)]  # noqa: B905
    known = [
        weight if weight is not None else math.log(1 + (len(lines) - sum(row) + 0.5) / (sum(row) + 0.5))
        for weight, row in zip(weights, here)  # noqa: B905  # Python 3.9
    ]
    scores = [0.0] * len(lines)
    single = {}  # number of a text: its line with one space between words, which only pairs need
    for i, row in enumerate(here):
        pair = i and padded[i - 1] + padded[i][1:]
        triple = i > 1 and padded[i - 2] + pair[1:]
        for n, line in enumerate(lines):
            if row[n]:
                scores[n] += known[i]
                if i and here[i - 1][n]:
                    if n not in single:
                        single[n] = _single(line)
                    if pair in single[n]:
                        scores[n] += (known[i - 1] + known[i]) / 2
                        if triple and here[i - 2][n] and triple in single[n]:
                            scores[n] += (known[i - 2] + known[i - 1] + known[i]) / 3
    return scores


def _line(text):
    """The words of a text in lower case, spaces around each; its bytes as characters: quicker to search than bytes."""
    plain = text.lower().encode()
    if not text.isascii():
        plain = ODD.sub(b" ", plain)
    return f" {plain.translate(PLAIN).decode('latin-1')} "


def _single(line):
    """A line with one space where there are several."""
    while "  " in line:
        line = line.replace("  ", " ")
    return line
