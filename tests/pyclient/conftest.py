"""The client under test, once sync and once async: the same test runs on both."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Iterator

import pytest

import pglore

PAGES = [
    pglore.Document("vacuum", "VACUUM reclaims storage occupied by dead tuples.", {"title": "Vacuum", "year": 2020}),
    pglore.Document("backup", "pg_dump writes a backup of one database to a file.", {"title": "Backup", "year": 2024}),
    ("index", "An index lets the server find rows quickly.", {"title": "Indexes", "year": 2024}),
    {"key": "role", "content": "A role may own tables and may be a member of other roles."},
]


class Blocking:
    """An object whose async methods are run to their end, so that it can be used like a sync one."""

    def __init__(self, inner: object, run: Callable):
        self._inner, self._run = inner, run

    def __getattr__(self, name: str):
        value = getattr(self._inner, name)
        return self._wrapped(value) if inspect.ismethod(value) else value

    def _wrapped(self, method: Callable) -> Callable:
        def call(*args, **options):
            result = method(*args, **options)
            if inspect.iscoroutine(result):
                result = self._run(result)
            if inspect.isasyncgen(result):
                return self._pieces(result)
            return Blocking(result, self._run) if isinstance(result, pglore.AsyncCollection) else result

        return call

    def _pieces(self, pieces: AsyncGenerator) -> Iterator:
        try:
            while (piece := self._run(anext(pieces, None))) is not None:
                yield piece
        finally:
            self._run(pieces.aclose())


@pytest.fixture(params=["sync", "async"])
def open_client(request, dsn: str) -> Iterator[Callable]:
    """A function that opens a client of either kind: open_client(user='someone')."""
    if request.param == "sync":
        opened = []

        def opener(**options):
            opened.append(pglore.connect(dsn, **options))
            return opened[-1]

        yield opener
        for client in opened:
            client.close()
    else:
        with asyncio.Runner() as runner:
            opened = []

            def opener(**options):
                opened.append(Blocking(runner.run(pglore.aconnect(dsn, **options)), runner.run))
                return opened[-1]

            yield opener
            for client in opened:
                client.close()


@pytest.fixture
def lore(open_client):
    """A client of the superuser."""
    return open_client()


@pytest.fixture
def pages(lore):
    """A collection of four short documents."""
    collection = lore.create_collection("pages")
    collection.add_many(PAGES)
    return collection
