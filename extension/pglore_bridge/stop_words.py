"""The server's lists of stop words: files beside the extension's own, which its dictionaries read too."""

import os


def stop_words(names):
    """The words of lists; of one that cannot be read none.

    names   list of str, of small letters, digits and underscores, as PostgreSQL has them
    returns list of str, in lower case
    """
    share = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    words = []
    for name in names:
        try:
            with open(os.path.join(share, "tsearch_data", name + ".stop"), encoding="utf-8") as lines:
                words += [line.split()[0].lower() for line in lines if line.strip()]
        except (OSError, ValueError):
            continue
    return words
