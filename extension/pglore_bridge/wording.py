"""How much of a query's wording stands in texts: arithmetic on its arguments, which reaches nothing."""

import math
import re

# In bytes, which is quicker: what is no letter, digit or "_" in ASCII, and the punctuation of U+00A0 and U+2000 on.
PLAIN = bytes(code if code >= 128 or chr(code).isalnum() or code == 95 else 32 for code in range(256))
ODD = re.compile(rb"\xc2[\xa0-\xbf]|\xe2[\x80\x81].|\xe3\x80[\x80-\x91]", re.S)


def wording(words, weights, texts):
    """For each text the weights of the words in it, of their pairs and of their triples in a row.

    words    list of str, W, in the order of the query
    weights  list of float or None, W: how rare a word is; None is reckoned by how few of the texts have it
    texts    list of str, N
    returns  list of float, N; a pair counts the mean weight of its words, and so does a triple
    """
    parts = [_words(text) for text in texts]
    lines = [f" {' '.join(part)} " for part in parts]
    sets = [set(part) for part in parts]
    here = [[word in one for one in sets] for word in words]
    known = [
        weight if weight is not None else math.log(1 + (len(lines) - sum(row) + 0.5) / (sum(row) + 0.5))
        for weight, row in zip(weights, here)  # noqa: B905  # Python 3.9
    ]
    scores = [0.0] * len(lines)
    for i, word in enumerate(words):
        for n, line in enumerate(lines):
            if here[i][n]:
                scores[n] += known[i]
                if i and here[i - 1][n] and f" {words[i - 1]} {word} " in line:
                    scores[n] += (known[i - 1] + known[i]) / 2
                    if i > 1 and here[i - 2][n] and f" {words[i - 2]} {words[i - 1]} {word} " in line:
                        scores[n] += (known[i - 2] + known[i - 1] + known[i]) / 3
    return scores


def _words(text):
    return ODD.sub(b" ", text.lower().encode()).translate(PLAIN).decode().split()
