"""The operations: one name each, and what answers it. A new one is added here and in the SQL that calls it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import orjson

from . import admin, ask, cost, errors, generate, metrics, prometheus, text
from .accounting import Accounting
from .embed import embed, similarity, tokens
from .entry import shown
from .errors import HostError
from .estimate import estimate
from .frames import Request
from .identity import identity
from .metrics import Metrics
from .operators import OPERATORS, decided
from .quick import Quick
from .registrar import Registrar
from .registry import Registry
from .rerank import rerank
from .settings import Settings
from .tracing import Tracing

if TYPE_CHECKING:
    from .server import Server

INLINE_RESULT = 100  # rows; a longer result is written as JSON off the event loop
PLAIN: dict[str, Callable] = {  # (registry, arguments) -> anything that JSON can hold
    "tokens": tokens,
    "identity": identity,
    "similarity": similarity,
    "rerank": rerank,
    "generate": generate.generate,
    "chat": generate.generate,
    "generate_many": generate.generate_many,
    "answer": ask.answer,
    "standalone": ask.standalone,
    "chunk": text.chunk,
    **OPERATORS,
    "decided": decided,
}
STREAMS: dict[str, Callable] = {  # (registry, arguments) -> iterator of (whether more comes, what JSON can hold)
    "generate_stream": generate.stream,
    "chat_stream": generate.stream,
    "answer_stream": ask.stream,
}
ADMIN: dict[str, Callable] = {  # (registrar, arguments); the bridge lets none but lore_admin through
    "add_model": admin.add_model,
    "drop_model": admin.drop_model,
    "set_default": admin.set_default,
    "load_model": admin.load_model,
    "unload_model": admin.unload_model,
    "model_sources": admin.model_sources,
}
OWN_COST: dict[str, Callable] = {  # (accounts, caller, arguments): each sees what is its own
    "calls": cost.calls,
    "budgets": cost.budgets,
}
ADMIN_COST: dict[str, Callable] = {  # as ADMIN, of what calls cost and who may make them
    "all_calls": cost.all_calls,
    "all_budgets": cost.all_budgets,
    "set_budget": cost.set_budget,
    "drop_budget": cost.drop_budget,
    "grant_model": cost.grant_model,
    "revoke_model": cost.revoke_model,
    "model_grants": cost.model_grants,
}


class Operations:
    """Answers requests; holds what they share."""

    def __init__(self, settings: Settings, server: "Server") -> None:
        self._accounts = Accounting(settings.folder, settings.log_calls, settings.log_texts)
        self.registry = Registry(settings, self._accounts.policy)
        self._registrar = Registrar(self.registry)
        self._server, self._settings = server, settings
        self._metrics = Metrics(
            lambda alias, task: self.registry.find(alias, task).alias, self.registry.served, accounts=self._accounts
        )
        self.quick = Quick(self.registry, self._metrics, self._accounts)

    def begin(self) -> None:
        """Start what runs beside the requests; called in the event loop."""
        loop = asyncio.get_running_loop()
        self._accounts.begin()
        if self._settings.prometheus:
            prometheus.start(self._settings.prometheus, lambda: self._metrics.used_elsewhere(loop))
        if self._settings.otel:
            self._metrics.tracing = Tracing(self._settings.otel)
        self._beside = asyncio.create_task(self.registry.memory.unload_idle())

    def end(self) -> None:
        """Write what calls have cost, and deliver the spans that wait; blocks for a moment."""
        self._accounts.end()
        if self._metrics.tracing:
            self._metrics.tracing.close()

    async def answer(self, request: Request) -> tuple[dict, bytes]:
        """Header fields and body of the reply; raises HostError."""
        with self._metrics.observe(request):
            return await self._answer(request)

    async def stream(self, request: Request) -> AsyncIterator[tuple[bool, dict]]:
        """Whether more comes, and a reply, for each of the replies to a request of STREAMS; raises HostError."""
        with self._metrics.observe(request) as seen:
            async with aclosing(STREAMS[request.op](self.registry, request.arguments)) as replies:
                async for more, reply in replies:
                    self._note(reply, more)
                    seen.answered = not more
                    yield more, reply

    def _note(self, result: object, more: bool = False) -> None:
        """What spans and the log of calls tell of a result."""
        if (seen := metrics.current.get()) is not None:
            cost.note(seen, result, more, self._accounts.texts)

    async def _answer(self, request: Request) -> tuple[dict, bytes]:
        if request.op == "embed":
            return await embed(self.registry, request.arguments)
        if request.op in PLAIN:
            result = await PLAIN[request.op](self.registry, request.arguments)
            self._note(result)
        elif request.op == "parse":
            result = await text.parse(self.registry, request.arguments, request.body)
        elif request.op == "models":
            result = await self.registry.rows()
        elif request.op == "metrics":
            result = self._metrics.rows()
        elif request.op in ADMIN:
            result = await ADMIN[request.op](self._registrar, request.arguments)
        elif request.op == "estimate":
            result = await estimate(self.registry, self._accounts, request.arguments)
        elif request.op in OWN_COST:
            result = await OWN_COST[request.op](self._accounts, request.caller, request.arguments)
        elif request.op in ADMIN_COST:
            result = await ADMIN_COST[request.op](self._accounts, self.registry, request.caller, request.arguments)
        elif request.op == "status":
            damage = {"damage": self.registry.damage, "policy_damage": self.registry.policy.damage}
            result = {**self._server.status(self.registry), **damage}
        elif request.op == "stop":
            result = await self._server.stop()
        else:
            raise HostError(errors.BAD_ARGUMENT, f'there is no operation "{shown(request.op)}"')
        if isinstance(result, list) and len(result) > INLINE_RESULT:
            return {}, await asyncio.to_thread(orjson.dumps, result)
        return {}, orjson.dumps(result)
