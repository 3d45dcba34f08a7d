"""Prompt templates: what is said to a generator around the sources, in versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .call import build, call, first
from .session import AsyncSession, Session


@dataclass(frozen=True, slots=True)
class Template:
    """One row of `lore.templates`: a version of a template, for one collection or, None, for all."""

    name: str
    collection: str | None
    version: int
    is_current: bool
    system: str
    prompt: str
    created_by: str | None
    created_at: datetime | None


class AsyncTemplates(AsyncSession):
    async def set_template(
        self, name: str, prompt: str, *, system: str | None = None, collection: str | None = None
    ) -> int:
        """Write a new version of a prompt template; its number.

        name        "default" is taken where `ask` names none
        prompt      with {sources} and {question}, perhaps {history} and {language}
        system      the instruction; None is pglore's own
        collection  the template is for this one alone; None is for all
        raises      EmptyInput, BadArgument, UnknownCollection, CatalogMissing
        """
        statement = call("lore.set_template", name=name, prompt=prompt, system=system, collection=collection)
        return first(await self._rows(statement))

    async def drop_template(
        self, name: str, *, collection: str | None = None, version: int | None = None, if_exists: bool = False
    ) -> int:
        """Delete a template with all its versions, or one of them; how many. raises BadArgument, UnknownCollection"""
        statement = call("lore.drop_template", name=name, collection=collection, version=version, if_exists=if_exists)
        return first(await self._rows(statement))

    async def templates(self) -> list[Template]:
        """All versions of all templates. raises CatalogMissing"""
        return [build(Template, row) for row in await self._rows((b"SELECT * FROM lore.templates", []))]


# Below: the same without async, written by `python pyclient/derive.py`.


class Templates(Session):
    def set_template(
        self, name: str, prompt: str, *, system: str | None = None, collection: str | None = None
    ) -> int:
        """Write a new version of a prompt template; its number.

        name        "default" is taken where `ask` names none
        prompt      with {sources} and {question}, perhaps {history} and {language}
        system      the instruction; None is pglore's own
        collection  the template is for this one alone; None is for all
        raises      EmptyInput, BadArgument, UnknownCollection, CatalogMissing
        """
        statement = call("lore.set_template", name=name, prompt=prompt, system=system, collection=collection)
        return first(self._rows(statement))

    def drop_template(
        self, name: str, *, collection: str | None = None, version: int | None = None, if_exists: bool = False
    ) -> int:
        """Delete a template with all its versions, or one of them; how many. raises BadArgument, UnknownCollection"""
        statement = call("lore.drop_template", name=name, collection=collection, version=version, if_exists=if_exists)
        return first(self._rows(statement))

    def templates(self) -> list[Template]:
        """All versions of all templates. raises CatalogMissing"""
        return [build(Template, row) for row in self._rows((b"SELECT * FROM lore.templates", []))]
