"""HTTP to a remote server: one request with its retries, within one time-out.

Nothing of the environment is trusted but PGLORE_HTTPS_PROXY, which the operator sets in host.json. Redirects are not
followed: the key goes to the registered server alone.
"""

import asyncio
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpx2
import orjson

from .. import __version__, errors, log
from ..errors import HostError
from . import refusals
from .slots import OutOfReach

T = TypeVar("T")

ATTEMPTS = 5
EVENTS = "text/event-stream"
TURN = 32  # events of a stream after which others get their turn
DONE = "[DONE]"  # the last event of a stream in OpenAI's protocol
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0  # each delay doubles the one before
CONNECT_S = 5.0
ERROR_LIMIT = 64 << 10  # bytes of a refusal that are read
OFF_LOOP = 128 << 10  # bytes of a reply from which it is parsed in a thread
AGAIN = (408, 424, 425, 429, 500, 502, 503, 504)  # 424: a batch failed in TEI
UNREADABLE = (httpx2.HTTPError, httpx2.InvalidURL)  # what is left when BROKEN has been looked at
BROKEN = (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ConnectTimeout, httpx2.ProxyError)


class Client:
    """Connections to one server."""

    def __init__(self, url: str, *, key: str | None, ca_file: str | None, timeout_s: float, connections: int) -> None:
        self._url, self._key, self._timeout_s = url.rstrip("/"), key, timeout_s
        self._users, self._closed = 0, False
        secure = url.startswith("https:")
        headers = {"User-Agent": f"pglore/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx2.AsyncClient(
            headers=headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept
            verify=_certificates(ca_file) if secure else False,  # plain HTTP is spared reading them
            trust_env=False,
            proxy=(os.environ.get("PGLORE_HTTPS_PROXY") or None) if secure else None,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=min(CONNECT_S, timeout_s)),  # the rest is bounded as a whole
            limits=httpx2.Limits(max_connections=connections + 1, keepalive_expiry=30),
        )

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep the connections open until the block ends, also when close is called meanwhile."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if self._closed and not self._users:
                await self._http.aclose()

    async def close(self) -> None:
        """Close the connections, once nobody holds them."""
        self._closed = True
        if not self._users:
            await self._http.aclose()

    async def ask(
        self,
        path: str,
        body: Mapping | None = None,
        *,
        limit: int,
        until: float,
        texts: Sequence[str] = (),
        missing: object = None,
    ) -> object:
        """The parsed JSON of the answer to a POST, or to a GET where there is no body.

        limit    bytes of an answer
        until    by the monotonic clock
        texts    of the caller, which a refusal must not repeat
        missing  what is returned in place of an error where the server does not know the route
        raises   HostError LO102, LO103, LO204, LO301 (OutOfReach where nothing was answered), LO302, LO304
        """
        content = None if body is None else orjson.dumps(body)

        async def once() -> object:
            status, headers, data = await self._once(path, content, limit)
            if status == 200:
                return await self._parsed(data)
            if status in (404, 405) and missing is not None:
                return missing
            raise self._refused(status, headers, data, texts)

        return await self._within(until, self._with_retries(once, path, until))

    async def events(
        self, path: str, body: Mapping, *, limit: int, until: float, texts: Sequence[str] = ()
    ) -> AsyncIterator[object]:
        """The parsed JSON of each server-sent event of the answer to a POST; an answer that is no stream is one event.

        raises  as ask; once an event has come nothing is asked again, and an answer that ends early is BrokeOff
        """
        content = orjson.dumps(body)
        response, event, rest = await self._within(
            until, self._with_retries(lambda: self._begun(path, content, limit, texts), path, until)
        )
        try:
            size = count = 0
            while event != DONE:
                size, count = size + len(event), count + 1
                if not count % TURN:  # many that came together do not let the loop go by themselves
                    await asyncio.sleep(0)
                if size > limit:
                    raise refusals.useless(f"is over {limit:,} bytes")
                yield _event(event)
                event = await self._within(until, anext(rest, DONE))
        except OutOfReach:  # not out of reach, since it has begun
            raise refusals.broke_off(f"did not come to an end within {self._timeout_s:g} s") from None
        except BROKEN:
            raise refusals.broke_off() from None
        except UNREADABLE as broken:
            raise refusals.garbled(f"is no stream that can be read ({type(broken).__name__})") from None
        finally:
            await response.aclose()

    async def _begun(
        self, path: str, content: bytes, limit: int, texts: Sequence[str]
    ) -> tuple[httpx2.Response, str, AsyncIterator[str]]:
        """The response to a POST, its first event, and the rest of them."""
        response = await self._http.send(self._request(path, content), stream=True)
        try:
            if response.status_code != 200:
                raise self._refused(response.status_code, response.headers, await _body(response, limit), texts)
            if response.headers.get("content-type", "").partition(";")[0].strip().lower() != EVENTS:
                return response, (await _body(response, limit)).decode("utf-8", "replace"), _data(None)
            rest = _data(httpx2.EventSource(response, max_event_size=limit))
            return response, await anext(rest, DONE), rest
        except BaseException:
            await response.aclose()
            raise

    async def _within(self, until: float, work: Awaitable[T]) -> T:
        """What `work` returns; raises OutOfReach when that takes too long."""
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await work
        except TimeoutError:
            raise refusals.gone(f"did not answer within {self._timeout_s:g} s") from None

    def _refused(self, status: int, headers: Mapping[str, str], data: bytes, texts: Sequence[str]) -> Exception:
        """What to raise for a status other than 200."""
        error = refusals.refusal(status, data, texts, self._key)
        if status not in AGAIN or error.code == errors.BUDGET_SPENT:
            return error
        return _Again(error, _retry_after(headers.get("retry-after")))

    async def _with_retries(self, once: Callable[[], Awaitable[T]], path: str, until: float) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            asked = 0.0
            try:
                return await once()
            except _Again as again:
                error, asked = again.error, again.delay_s
            except BROKEN as broken:
                if isinstance(broken, httpx2.ConnectError) and "CERTIFICATE" in str(broken):
                    raise refusals.untrusted() from None
                error = refusals.gone("cannot be reached" if isinstance(broken, httpx2.ConnectError) else "broke off")
            except UNREADABLE as broken:
                raise refusals.useless(f"is no HTTP that can be read ({type(broken).__name__})") from None
            delay = max(asked, random.uniform(0.5, 1) * min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (attempt - 1)))
            if attempt == ATTEMPTS or time.monotonic() + delay >= until:
                break
            await asyncio.sleep(delay)
        log.write("remote gave up", url=self._url, path=path, attempts=attempt, code=error.code)
        raise error from None

    def _request(self, path: str, content: bytes | None) -> httpx2.Request:
        return self._http.build_request(
            "GET" if content is None else "POST",
            self._url + path,
            content=content,
            headers={"Content-Type": "application/json"} if content is not None else None,
        )

    async def _once(self, path: str, content: bytes | None, limit: int) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one exchange; the body of a refusal is cut, that of an answer never."""
        response = await self._http.send(self._request(path, content), stream=True)
        try:
            return response.status_code, response.headers, await _body(response, limit)
        finally:
            await response.aclose()

    async def _parsed(self, data: bytes) -> object:
        try:
            return orjson.loads(data) if len(data) < OFF_LOOP else await asyncio.to_thread(orjson.loads, data)
        except orjson.JSONDecodeError:
            raise refusals.useless("is no JSON") from None


class _Again(Exception):
    """A refusal after which the same request may be sent once more."""

    def __init__(self, error: HostError, delay_s: float) -> None:
        super().__init__(error.message)
        self.error, self.delay_s = error, delay_s


async def _body(response: httpx2.Response, limit: int) -> bytes:
    """The body of a response; that of a refusal is cut, that of an answer never."""
    got = bytearray()
    async for part in response.aiter_bytes():  # at most 1 MiB each, also where the server compressed more
        got += part
        if response.status_code != 200 and len(got) > ERROR_LIMIT:
            break
        if len(got) > limit:
            raise refusals.useless(f"is over {limit:,} bytes")
    return bytes(got)


async def _data(source: httpx2.EventSource | None) -> AsyncIterator[str]:
    """The texts of events; of none where there is no stream."""
    if source is not None:
        async for event in source:
            yield event.data


def _event(data: str) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise refusals.garbled("is no JSON") from None


def _certificates(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
    except OSError as error:  # ssl's errors are of that class
        log.write("certificates refused", file=ca_file, reason=str(error))
        raise HostError(errors.MODEL_NOT_LOADED, "the certificates to trust (ca_file) cannot be read") from None
    return context


def _retry_after(value: str | None) -> float:
    """Seconds from a Retry-After header: a number or a date; 0 where it says nothing."""
    if not value:
        return 0
    try:
        return max(
            0.0, float(value) if value.strip().isdigit() else parsedate_to_datetime(value).timestamp() - time.time()
        )
    except (ValueError, OverflowError):
        return 0
