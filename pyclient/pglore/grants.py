"""Rights to models: which roles may use which."""

from __future__ import annotations

from dataclasses import dataclass

from .call import build, call
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class ModelGrant:
    """A role that may use a model, with its members; public is every role."""

    alias: str
    role: str


class AsyncGrants(AsyncSession):
    async def model_grants(self) -> list[ModelGrant]:
        """Which roles may use which models; for lore_admin. raises HostDown"""
        rows = await self._rows((b"SELECT * FROM lore.model_grants ORDER BY alias, role", []))
        return [build(ModelGrant, row) for row in rows]

    async def grant_model(self, alias: str, role: str) -> None:
        """Let a role and its members use a model; "public" lets all. raises BadArgument, UnknownModel"""
        await self._rows(call("lore.grant_model", alias=alias, role=role))

    async def revoke_model(self, alias: str, role: str) -> None:
        """Take it from a role; "public": from all it is not granted to. raises BadArgument, UnknownModel"""
        await self._rows(call("lore.revoke_model", alias=alias, role=role))


# Below: the same without async, written by `python pyclient/derive.py`.


class Grants(Session):
    def model_grants(self) -> list[ModelGrant]:
        """Which roles may use which models; for lore_admin. raises HostDown"""
        rows = self._rows((b"SELECT * FROM lore.model_grants ORDER BY alias, role", []))
        return [build(ModelGrant, row) for row in rows]

    def grant_model(self, alias: str, role: str) -> None:
        """Let a role and its members use a model; "public" lets all. raises BadArgument, UnknownModel"""
        self._rows(call("lore.grant_model", alias=alias, role=role))

    def revoke_model(self, alias: str, role: str) -> None:
        """Take it from a role; "public": from all it is not granted to. raises BadArgument, UnknownModel"""
        self._rows(call("lore.revoke_model", alias=alias, role=role))
