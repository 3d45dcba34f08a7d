"""HTTP to a remote server: one request with its retries, within one time-out.

Nothing of the environment is trusted but PGLORE_HTTPS_PROXY, which the operator sets in host.json. Redirects are not
followed: the key goes to the registered server alone.
"""

import asyncio
import os
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2
import orjson

from .. import __version__, errors, log
from ..errors import HostError
from . import refusals

ATTEMPTS = 5
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
        try:
            async with asyncio.timeout(until - time.monotonic()):
                return await self._with_retries(path, body, limit, until, texts, missing)
        except TimeoutError:
            raise refusals.gone(f"did not answer within {self._timeout_s:g} s") from None

    async def _with_retries(
        self, path: str, body: Mapping | None, limit: int, until: float, texts: Sequence[str], missing: object
    ) -> object:
        content = None if body is None else orjson.dumps(body)
        for attempt in range(1, ATTEMPTS + 1):
            asked = 0.0
            try:
                status, headers, data = await self._once(path, content, limit)
                if status == 200:
                    return await self._parsed(data)
                if status in (404, 405) and missing is not None:
                    return missing
                error = refusals.refusal(status, data, texts, self._key)
                if status not in AGAIN or error.code == errors.BUDGET_SPENT:
                    raise error
                asked = _retry_after(headers.get("retry-after"))
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

    async def _once(self, path: str, content: bytes | None, limit: int) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one exchange; the body of a refusal is cut, that of an answer never."""
        request = self._http.build_request(
            "GET" if content is None else "POST",
            self._url + path,
            content=content,
            headers={"Content-Type": "application/json"} if content is not None else None,
        )
        response = await self._http.send(request, stream=True)
        try:
            got = bytearray()
            async for part in response.aiter_bytes():  # at most 1 MiB each, also where the server compressed more
                got += part
                if response.status_code != 200 and len(got) > ERROR_LIMIT:
                    break
                if len(got) > limit:
                    raise refusals.useless(f"is over {limit:,} bytes")
            return response.status_code, response.headers, bytes(got)
        finally:
            await response.aclose()

    async def _parsed(self, data: bytes) -> object:
        try:
            return orjson.loads(data) if len(data) < OFF_LOOP else await asyncio.to_thread(orjson.loads, data)
        except orjson.JSONDecodeError:
            raise refusals.useless("is no JSON") from None


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
