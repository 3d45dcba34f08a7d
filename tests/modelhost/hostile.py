"""What the tests of hostile folders share: a trap, and the refusal that it must meet."""

import time
from pathlib import Path

import pytest

from pglore_host import files
from pglore_host.errors import HostError
from pglore_host.tokenizer import ModelTokenizer

RAN = "pglore-test-code-was-run"


class Trap:
    """A pickle that makes a file when it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return Path.touch, (self.place / RAN,)


def refusal(folder: Path, task: str = "embed") -> HostError:
    """The error for a folder, given quickly, without its place and without running anything."""
    started = time.process_time()
    with pytest.raises(HostError) as caught:
        found = files.read(folder, task)
        ModelTokenizer.of(found)
    assert time.process_time() - started < 60
    assert caught.value.code == "LO204" and caught.value.message.startswith("the model is refused: ")
    assert str(folder.parent) not in caught.value.message + str(caught.value.hint)
    assert not list(folder.parent.rglob(RAN))
    return caught.value
