"""An OpenAI-compatible server that stands for a good language model: it answers operators' prompts as a function says.

It shows which texts reach the model and what is made of its answers. Of how well a model answers it shows nothing.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable

from .scripted import Scripted
from .speech import MODELS, said

TEXT = re.compile(r"<text>\n(.*)\n</text>\Z", re.DOTALL)


class Oracle:
    """A scripted server in a thread of its own: answer(instruction, text) says what the model says."""

    def __init__(self, answer: Callable[[str, str], str]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []  # instruction and text of each request
        self.bodies: list[dict] = []
        self._server = Scripted()
        self._server.always = self._reply
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(60)
        self.url = f"http://127.0.0.1:{self._server.port}/v1"

    def _reply(self, body: dict) -> bytes:
        if "messages" not in body:
            return MODELS
        system, user = (message["content"] for message in body["messages"][:2])
        text = TEXT.search(user)[1]
        self.bodies.append(body)
        self.asked.append((system, text))
        found = self.answer(system, text)
        return said(found if isinstance(found, str) else json.dumps(found))

    @property
    def texts(self) -> list[str]:
        """The texts that reached the model, in the order of their coming."""
        return [text for _, text in self.asked]

    def forget(self) -> None:
        """Begin a new list."""
        self.asked.clear()
        self.bodies.clear()

    def stop(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
