"""The wire. The one module that imports httpx, and none of its classes leave it.

httpx's transports are used without its client: no redirect is followed, no cookie kept, no netrc read, and no URL logged
(its client logs each URL with its query, where e-mails and tracking numbers are). A transport knows one base URL and
reaches nothing else, so a credential cannot end up at another origin.

Times: `Request.connect_timeout` for the connection, `Request.timeout` for the whole exchange. On the sync side a server
that trickles may take up to one more such time, because a blocking read cannot be cut short.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from loop_whiplash.errors import ConfigurationError

from .flow import Interrupted, NotSent, Reply, Request

__all__ = ["AsyncHttpTransport", "HttpTransport", "Verify"]

Verify = bool | str | ssl.SSLContext
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes of a reply, unpacked, that are read at most. A page of 750 returns is about 3 MB."""

log: logging.Logger = logging.getLogger("loop_whiplash.http")

#: The request did not leave: https://www.python-httpx.org/exceptions/
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class _Wire:
    """What both colours share: where it goes, what a request looks like there, and what a failure means."""

    def __init__(self, base_url: str, *, verify: Verify = True, proxy: str | None = None, largest_body: int = LARGEST_BODY) -> None:
        try:
            parts = urlsplit(base_url)
            host, port = parts.hostname, parts.port
        except (ValueError, TypeError, AttributeError):
            raise ConfigurationError("base_url cannot be read; give one like https://api.loopreturns.com/api/v1") from None
        if parts.scheme not in ("https", "http") or not host or parts.query or parts.fragment or parts.username or parts.password:
            raise ConfigurationError("base_url is https://host/path, without query, fragment or credentials")
        if not parts.path.strip("/"):
            # Every path would be a 404 there, which reads as "there is no such return".
            raise ConfigurationError(f"base_url {base_url!r} lacks the version path, as in https://api.loopreturns.com/api/v1")
        if parts.scheme == "http" and host not in _LOOPBACK:
            log.warning("%s is reached without TLS: credentials can be read on the way", host)
        if verify is False:
            log.warning("certificates of %s are not verified, because verify=False was passed", host)
        self.base_url: str = base_url.rstrip("/")
        self._origin = f"{parts.scheme}://{parts.netloc}"
        proxy = proxy or _proxy_for(parts.scheme, host, port)
        self._where = f"{self._origin} through the proxy" if proxy else self._origin
        self._largest_body = largest_body
        self._options: dict[str, Any] = {
            "verify": ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify,
            "proxy": proxy,
        }
        self.closed = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def _build(self, request: Request) -> httpx.Request:
        if self.closed:
            raise NotSent("the client was closed", final=True)
        url = (self._origin if request.from_root else self.base_url) + request.path
        if request.params:
            # Loop's own examples encode a space as %20 and a colon as %3A, not as "+".
            url += "?" + urlencode(request.params, quote_via=quote)
        half = request.timeout / 2
        timeout = {
            "connect": min(request.connect_timeout, half), "pool": half, "read": request.timeout, "write": request.timeout,
        }  # fmt: skip
        return httpx.Request(request.method, url, headers=dict(request.headers), content=request.body, extensions={"timeout": timeout})

    def _too_large(self, size: int) -> Interrupted | None:
        return Interrupted(f"the reply is larger than {self._largest_body} bytes", final=True) if size > self._largest_body else None


def _proxy_for(scheme: str, host: str, port: int | None) -> str | None:
    """The proxy the environment asks for (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY); loopback is reached directly."""
    if host in _LOOPBACK or proxy_bypass(host if port is None else f"{host}:{port}"):
        return None
    known = getproxies()
    found = known.get(scheme) or known.get("all")
    return found if not found or "://" in found else f"http://{found}"


#: Why no connection came about, by what the system said; the first that fits.
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (httpx.PoolTimeout, "all connections of this client are busy"),
    (httpx.ConnectTimeout, "it does not answer"),
    (httpx.ProxyError, "the proxy did not let it through"),
    (socket.gaierror, "its name is not known here"),
    (ConnectionRefusedError, "nothing listens there"),
    (ssl.SSLError, "it does not speak TLS as it should"),
)


def _failure(error: Exception, where: str) -> NotSent | Interrupted:
    """What an exception of httpx means. Its text and the request it holds are left behind: they may carry credentials."""
    name = type(error).__name__
    if isinstance(error, _NOT_SENT):
        causes = _causes(error)
        if problem := next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None):
            return NotSent(f"the certificate could not be verified: {problem.verify_message or 'unknown reason'}", final=True)
        why = next((said for kind, said in _WHY if any(isinstance(each, kind) for each in causes)), name)
        message = f"no connection to {where} could be made, {why}; check base_url and the network"
        return NotSent(message, final=isinstance(error, httpx.UnsupportedProtocol))
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Interrupted(f"no answer came in time ({name})", timed_out=True)
    return Interrupted(f"the exchange was interrupted ({name})")


def _causes(error: BaseException | None) -> list[BaseException]:
    """The exception and all that it came from; anyio groups the attempts at several addresses."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    return found


_Failures = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)


class HttpTransport(_Wire):
    """Carries requests to one base URL. Keeps connections open until `close`; safe to share between threads.

    Args:
        base_url: https://host/path with the version. verify: True, the path of a CA file, or an `ssl.SSLContext` (client certificates
            go there). proxy: its URL; by default what the environment says. largest_body: bytes of a reply that are read at most.
    """

    def __init__(self, base_url: str, *, verify: Verify = True, proxy: str | None = None, largest_body: int = LARGEST_BODY) -> None:
        super().__init__(base_url, verify=verify, proxy=proxy, largest_body=largest_body)
        self._http = httpx.HTTPTransport(**self._options)

    def send(self, request: Request) -> Reply:
        """One exchange. Raises `NotSent` or `Interrupted`."""
        built = self._build(request)
        try:
            return self._exchange(built, request.timeout, time.monotonic)
        except _Failures as error:
            failure = _failure(error, self._where)
        # Raised out here, so that the request httpx hangs on its exceptions is not dragged along as context.
        raise failure

    def _exchange(self, built: httpx.Request, timeout: float, clock: Callable[[], float]) -> Reply:
        began = clock()
        response = self._http.handle_request(built)
        response.request = built
        try:
            chunks, size = [], 0
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if problem := self._too_large(size):
                    raise problem
                if clock() - began > timeout:
                    raise Interrupted("the answer was not complete in time", timed_out=True)
        finally:
            response.close()
        return Reply(status=response.status_code, headers=dict(response.headers.items()), body=b"".join(chunks), elapsed=clock() - began)

    def close(self) -> None:
        """Close all connections. Sending afterwards raises; closing twice does nothing."""
        if not self.closed:
            self.closed = True
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncHttpTransport(_Wire):
    """`HttpTransport`, awaited, on asyncio. Connections belong to the event loop they were made on; another loop gets its own."""

    def __init__(self, base_url: str, *, verify: Verify = True, proxy: str | None = None, largest_body: int = LARGEST_BODY) -> None:
        super().__init__(base_url, verify=verify, proxy=proxy, largest_body=largest_body)
        self._http = httpx.AsyncHTTPTransport(**self._options)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _of_this_loop(self) -> httpx.AsyncHTTPTransport:
        running = asyncio.get_running_loop()
        if self._loop is not running:
            if self._loop is not None:  # connections of a loop that is gone cannot be used, nor closed
                self._http = httpx.AsyncHTTPTransport(**self._options)
            self._loop = running
        return self._http

    async def send(self, request: Request) -> Reply:
        """One exchange. Raises `NotSent` or `Interrupted`."""
        built = self._build(request)
        http = self._of_this_loop()
        try:
            async with asyncio.timeout(request.timeout):
                return await self._exchange(http, built)
        except _Failures as error:
            failure = _failure(error, self._where)
        raise failure

    async def _exchange(self, http: httpx.AsyncHTTPTransport, built: httpx.Request) -> Reply:
        began = time.monotonic()
        response = await http.handle_async_request(built)
        response.request = built
        try:
            chunks, size = [], 0
            async for chunk in response.aiter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if problem := self._too_large(size):
                    raise problem
        finally:
            await response.aclose()
        body = b"".join(chunks)
        return Reply(status=response.status_code, headers=dict(response.headers.items()), body=body, elapsed=time.monotonic() - began)

    async def aclose(self) -> None:
        """Close all connections. Sending afterwards raises; closing twice does nothing."""
        if not self.closed:
            self.closed = True
            if self._loop in (None, asyncio.get_running_loop()):
                await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
