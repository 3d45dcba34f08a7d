"""Text from a prompt."""

from __future__ import annotations

from .call import call, first
from .session import AsyncSession, Session


class AsyncGenerate(AsyncSession):
    async def generate(
        self, prompt: str, *, model: str | None = None, system: str | None = None, max_tokens: int | None = None
    ) -> str:
        """What a generator answers to a prompt.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        statement = call("lore.generate", prompt=prompt, model=model, system=system, max_tokens=max_tokens)
        return first(await self._rows(statement))


# Below: the same without async, written by `python pyclient/derive.py`.


class Generate(Session):
    def generate(
        self, prompt: str, *, model: str | None = None, system: str | None = None, max_tokens: int | None = None
    ) -> str:
        """What a generator answers to a prompt.

        raises  EmptyInput, InputTooLong, UnknownModel, HostBusy
        """
        statement = call("lore.generate", prompt=prompt, model=model, system=system, max_tokens=max_tokens)
        return first(self._rows(statement))
