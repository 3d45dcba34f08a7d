"""Write the sync half of each client module from its async half: `python pyclient/derive.py [--check]`.

A module's async classes stand above MARK, what is derived from them below it. Only words change.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "pglore"
MARK = "# Below: the same without async, written by `python pyclient/derive.py`.\n"
WORDS = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\baclosing\b", "closing"),
    (r"\b__a(enter|exit)__", r"__\1__"),
)


def derived(text: str) -> str:
    """A module's text with its sync half written anew."""
    head = text[: text.index(MARK)]
    sync = head[head.index("\nclass Async") :]
    for pattern, replacement in WORDS:
        sync = re.sub(pattern, replacement, sync)
    return f"{head}{MARK}\n{sync.rstrip()}\n"


def main() -> int:
    """Write, or with --check only name, the modules whose sync half differs from what their async half gives."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path in sorted(FOLDER.glob("*.py")):
        text = path.read_text()
        if MARK in text and derived(text) != text:
            stale.append(path.name)
            if not check:
                path.write_text(derived(text))
    for name in stale:
        print(f"{'stale' if check else 'written'}: {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
