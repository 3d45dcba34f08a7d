"""Which known words a misspelt one may stand for: arithmetic on its arguments, which reaches nothing."""


def spelling(word, known, most, share):
    """The known words that few changes of letters make of a word, the likest first.

    word    str, as it was typed
    known   list of str, in the order that decides between equally like ones
    most    int, how many words at most
    share   int, letters of the word for each change that is allowed; one is always
    returns list of str
    """
    allowed = max(1, len(word) // share)
    near = ((changes(word, other, allowed), place, other) for place, other in enumerate(known))
    return [other for distance, _, other in sorted(near) if distance <= allowed][:most]


def changes(one, other, allowed):
    """Letters put in, left out, replaced, or swapped with the next, of one word to another.

    A number above `allowed` says no more than that.

    Source: optimal string alignment, the restricted distance of Damerau (1964) and Levenshtein (1966).
    """
    if abs(len(one) - len(other)) > allowed:
        return allowed + 1
    before, above = [], list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, its in enumerate(other, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
