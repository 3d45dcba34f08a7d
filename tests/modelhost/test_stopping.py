"""A cancelled call ends the work that it had begun in a thread."""

import asyncio
import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from pglore_host import chunk, parse, stopping

NUMBERS = random.Random(7)
TEXTS = {
    "numbers": " ".join(str(NUMBERS.randrange(10**9)) for _ in range(400_000))[:4_000_000],
    "prose": ("# A heading\n\n" + "Some words of a sentence that goes on for a while. " * 200 + "\n\n") * 400,
    "small words": "x " * 2_000_000,
}
PAGE = "".join(f"<h2>{i}</h2><p>Words of a paragraph.</p><table><tr><td>{i}</td></tr></table>" for i in range(30_000))


def stops_after(function, *arguments, begun_s: float, **named) -> float:
    """Seconds from the cancel of a call that has run for begun_s to the end of its work in the thread.

    Infinite where the work was not ended but came to its own end.
    """
    finished: list[None] = []

    def work() -> None:
        while True:  # again and again, so that it runs when the cancel comes, however late that is
            function(*arguments, **named)
            finished.append(None)
            stopping.check()

    async def main() -> float:
        with ThreadPoolExecutor(1) as executor:
            task = asyncio.create_task(stopping.run(executor, work))
            await asyncio.sleep(begun_s)
            before = len(finished)
            task.cancel()
            cancelled = time.perf_counter()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.get_running_loop().run_in_executor(executor, lambda: None)  # its turn comes after the work
            return time.perf_counter() - cancelled if len(finished) == before else math.inf

    return asyncio.run(main())


@pytest.mark.parametrize("begun_s", [0.01, 0.2, 0.6])
@pytest.mark.parametrize("name", TEXTS)
def test_chunk_stops_soon(model_folder: Path, name: str, begun_s: float):
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    took = [stops_after(chunk.chunk, TEXTS[name], tokenizer, size=500, overlap=50, begun_s=begun_s) for _ in range(3)]
    assert min(took) < 5, took


@pytest.mark.parametrize("begun_s", [0.01, 0.15])
def test_parse_stops_soon(begun_s: float):
    took = [stops_after(parse.parse, PAGE.encode(), "text/html", begun_s=begun_s) for _ in range(3)]
    assert min(took) < 5, took


def test_work_of_one_call_does_not_end_with_another():
    go = threading.Event()

    async def main() -> list:
        with ThreadPoolExecutor(1) as executor:
            first = asyncio.create_task(stopping.run(executor, go.wait, 60))
            second = asyncio.create_task(stopping.run(executor, lambda: [stopping.check(), "done"][1]))
            await asyncio.sleep(0.02)  # where first has not begun by then, it never will
            first.cancel()
            go.set()
            return await asyncio.gather(first, second, return_exceptions=True)

    ended, result = asyncio.run(main())
    assert isinstance(ended, asyncio.CancelledError) and result == "done"
    stopping.check()  # nobody's call: it does nothing
