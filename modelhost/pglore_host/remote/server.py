"""A server as one model uses it: requests of its protocol over a client, answers checked.

Letters: N texts, D dimensions.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from types import ModuleType
from typing import Any

import numpy as np

from .. import errors
from ..errors import HostError
from ..generation.request import GenerationRequest
from . import chat, openai, refusals, tei
from .answers import DifferentWidth, Useless
from .client import Client
from .options import DIMENSIONS_LIMIT, RemoteOptions
from .slots import OutOfReach

SPEAKS: dict[str, ModuleType] = {"openai": openai, "tei": tei}
NUMBER_BYTES = 32  # the longest that a number with its comma is written
SCORE_BYTES = 1024  # of a score with what is around it
SPARE_BYTES = 64 << 10
MODELS_BYTES = 8 << 20  # of the list of a server's models
ANSWER_BYTES = 16 << 20  # of a text with what is around it


class Server:
    """Connections, protocol, and what the server has told about its model."""

    def __init__(self, url: str, name: str, options: RemoteOptions, key: str | None) -> None:
        """`name` is what the server calls the model; raises HostError LO204 for certificates that cannot be read."""
        self._name, self._options, self._protocol = name, options, SPEAKS[options.protocol]
        self._client = Client(
            url, key=key, ca_file=options.ca_file, timeout_s=options.timeout_s, connections=options.concurrency
        )
        self.held, self.close = self._client.held, self._client.close
        self.batch_texts = options.batch_texts
        self.dimensions: int | None = options.dimensions  # this and the rest are known once learn() has returned
        self.window_tokens: int | None = options.window_tokens
        self.served: str | None = None  # the model as the server names it, where it tells
        self._tokens, self._counted = "max_tokens", True  # how it is asked for a text; learnt from its refusals

    async def learn(self, task: str, until: float) -> None:
        """Ask what there is to know, and for a probe of one word; raises as the requests do."""
        if self._protocol.INFO:
            about = self._protocol.about(
                await self._client.ask(self._protocol.INFO, limit=SPARE_BYTES, until=until, missing={})
            )
            if about.get("task") not in (None, task):
                raise HostError(errors.MODEL_NOT_LOADED, f"its server has a model for {about['task']}, not for {task}")
            self.served = about.get("served") or None
            self.window_tokens = about.get("window_tokens") or self.window_tokens
            self.batch_texts = min(self.batch_texts, about.get("batch_texts") or self.batch_texts)
        if task == "generate":  # not asked for a text, which may cost
            self.window_tokens = self.window_tokens or await self._listed_window(until)
        elif task == "rerank":
            await self.scores("probe", ["probe"], until)
        else:
            self.dimensions = (await self.vectors(["probe"], False, until)).shape[1]

    async def _listed_window(self, until: float) -> int | None:
        """The window of a generator where the server's list of models tells it; raises as the requests do.

        A server that is there, but fails at its list, may do its work: `transformers serve` without a cache, say.
        """
        try:
            listed = await self._client.ask(chat.MODELS, limit=MODELS_BYTES, until=until, missing={})
        except HostError as error:
            if isinstance(error, OutOfReach) or error.code == errors.MODEL_NOT_LOADED:
                raise
            return None
        return chat.window_tokens(listed, self._name)

    async def vectors(self, texts: Sequence[str], truncate: bool, until: float) -> np.ndarray:
        """One request for vectors: (N, D) float32 unit rows."""
        path, body = self._protocol.embed(self._options, self._name, texts, truncate)
        limit = SPARE_BYTES + len(texts) * (self.dimensions or DIMENSIONS_LIMIT) * NUMBER_BYTES
        answer = await self._client.ask(path, body, limit=limit, texts=texts, until=until)
        return _read(self._protocol.vectors, answer, len(texts), self.dimensions)

    async def scores(self, query: str, documents: Sequence[str], until: float) -> list[float]:
        """One request for scores, in the order of the documents; some servers send the documents back."""
        path, body = self._protocol.rerank(self._options, self._name, query, documents)
        limit = SPARE_BYTES + len(documents) * SCORE_BYTES + 8 * sum(map(len, documents))
        answer = await self._client.ask(path, body, limit=limit, texts=[query, *documents], until=until)
        return _read(self._protocol.scores, answer, len(documents))

    async def events(self, request: GenerationRequest, until: float) -> AsyncIterator[object]:
        """The events of one request for a text; what servers differ in is learnt from a refusal, once."""
        texts = [message["content"] for message in request.messages if message.get("content")]
        while True:
            body = chat.body(self._options, self._name, request, tokens=self._tokens, counted=self._counted)
            try:
                events = self._client.events(chat.PATH, body, limit=ANSWER_BYTES, until=until, texts=texts)
                async with aclosing(events):  # type: ignore[type-var]
                    async for event in events:
                        yield event
                return
            except HostError as error:
                if error.code != errors.BAD_ARGUMENT or not self._learn_from(error.message, body):
                    raise

    def _learn_from(self, said: str, body: dict) -> bool:
        """Whether a refusal is of what can be asked in another way, which is done from now on."""
        if self._tokens in body and "max_completion_tokens" in said and self._tokens != "max_completion_tokens":
            self._tokens = "max_completion_tokens"
        elif "stream_options" in said and self._counted:
            self._counted = False
        else:
            return False
        return True


def _read(read: Callable[..., Any], *arguments: object) -> Any:
    """What an answer holds; raises HostError LO205 for another number of dimensions, LO204 for what cannot be used."""
    try:
        return read(*arguments)
    except Useless as error:
        code = errors.DIMENSION_MISMATCH if isinstance(error, DifferentWidth) else errors.MODEL_NOT_LOADED
        raise refusals.useless(str(error), code) from None
