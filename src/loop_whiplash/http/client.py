"""What the clients of both systems share: options, closing, the driver, and requests nobody wrote a function for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar

import attrs

from loop_whiplash.errors import ConfigurationError

from .auth import Auth
from .call import Method, System
from .flow import AsyncDriver, AsyncTransport, Flow, Reply, SyncDriver, Transport
from .hooks import AttemptHook
from .limit import Limiter, RateLimit
from .retry import Retry
from .session import Session

if TYPE_CHECKING:
    from .transport import Verify

__all__ = ["AsyncClient", "Client", "Options"]

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What may be set for some calls only: `with_options`."""

    timeout: float
    connect_timeout: float
    retry: Retry
    limiter: Limiter
    hooks: Iterable[AttemptHook]
    headers: Mapping[str, str]


def make_session(
    system: System,
    *,
    transport: Transport | AsyncTransport,
    auth: Auth,
    limiter: Limiter | None,
    rate: tuple[int, float],
    retry: Retry | None,
    timeout: float,
    connect_timeout: float,
    headers: Mapping[str, str],
    clock: Callable[[], datetime] | None,
    random: Callable[[], float] | None,
    hooks: Iterable[AttemptHook],
) -> Session:
    """One session, with the vendor's published rate limit where none was passed in."""
    if clock is not None and clock().tzinfo is None:
        raise ConfigurationError("clock() gave a naive datetime; give one with a time zone, e.g. datetime.now(UTC)")
    if limiter is None:
        limiter = RateLimit(*rate) if clock is None else RateLimit(*rate, clock=lambda: clock().timestamp())
    optional: dict[str, Any] = {} if random is None else {"random": random}
    return Session(
        system=system, transport=transport, auth=auth, limiter=limiter, retry=retry or Retry(), timeout=timeout,
        connect_timeout=connect_timeout, headers=dict(headers), clock=clock, hooks=hooks, **optional,
    )  # fmt: skip


def changed(session: Session, options: Options) -> Session:
    unknown = set(options) - Options.__annotations__.keys()
    if unknown:
        raise ConfigurationError(f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(sorted(Options.__annotations__))}")
    given: dict[str, Any] = dict(options)
    if "headers" in given:
        given["headers"] = {**session.headers, **given["headers"]}
    return attrs.evolve(session, **given)


class Client:
    """A sync client: safe to share between threads."""

    def __init__(self, session: Session, *, sleep: Callable[[float], None] | None, close: Callable[[], None] | None) -> None:
        self.session = session
        self.driver: SyncDriver = SyncDriver() if sleep is None else SyncDriver(sleep)
        self._close = close
        self._open()

    def _open(self) -> None:
        """Bind the groups of methods to the session."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self.session.transport, 'base_url', '…')!r})"

    def run(self, flow: Flow[T]) -> T:
        """Run a flow of this library with this client's driver."""
        return self.driver.run(flow)

    def iterate(self, rows: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Run an async generator of this library with this client's driver."""
        return self.driver.iterate(rows)

    def request(
        self, method: Method, path: str, *, params: Mapping[str, str] | None = None, json: object = None, repeatable: bool | None = None
    ) -> Reply:
        """An endpoint this library has no method for, with the same safety: `Reply` with ``.status``, ``.headers``, ``.json()``.

        Args:
            path: below the base URL, e.g. ``"/label-requests"``. params: the query. json: the body.
            repeatable: sending it twice does what sending it once does; by default only GET is.
        """
        return self.run(self.session.request(method, path, params=params, json=json, repeatable=repeatable))

    def replies(self) -> AbstractContextManager[list[Reply]]:
        """The raw replies of what is called inside the ``with`` block, retried ones included.

        ``with loop.replies() as replies: loop.returns.get(5)`` and then ``replies[-1].headers``, ``.request_id``, ``.status``.
        """
        return self.session.replies()

    def with_options(self, **options: Any) -> Self:
        """The same client with other options for some calls: `timeout`, `connect_timeout`, `retry`, `limiter`, `hooks`, `headers`.

        It shares connections and rate limit, and closing it closes nothing.
        """
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.session = changed(self.session, Options(**options))  # type: ignore[typeddict-item]
        other._close = None
        other._open()
        return other

    def close(self) -> None:
        """Close the connections this client opened. One that was handed a transport closes nothing."""
        if self._close is not None:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """An async client, on asyncio: safe to share between tasks of one event loop."""

    def __init__(
        self, session: Session, *, sleep: Callable[[float], Awaitable[None]] | None, close: Callable[[], Coroutine[Any, Any, None]] | None
    ) -> None:
        self.session = session
        self.driver: AsyncDriver = AsyncDriver() if sleep is None else AsyncDriver(sleep)
        self._close = close
        self._open()

    def _open(self) -> None:
        """Bind the groups of methods to the session."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self.session.transport, 'base_url', '…')!r})"

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow of this library with this client's driver."""
        return await self.driver.run(flow)

    def iterate(self, rows: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Run an async generator of this library with this client's driver."""
        return self.driver.iterate(rows)

    async def request(
        self, method: Method, path: str, *, params: Mapping[str, str] | None = None, json: object = None, repeatable: bool | None = None
    ) -> Reply:
        """An endpoint this library has no method for, with the same safety. See `Client.request`."""
        return await self.run(self.session.request(method, path, params=params, json=json, repeatable=repeatable))

    def replies(self) -> AbstractContextManager[list[Reply]]:
        """The raw replies of what is awaited inside the ``with`` block (a plain one), retried ones included. See `Client.replies`."""
        return self.session.replies()

    def with_options(self, **options: Any) -> Self:
        """The same client with other options for some calls. See `Client.with_options`."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.session = changed(self.session, Options(**options))  # type: ignore[typeddict-item]
        other._close = None
        other._open()
        return other

    async def aclose(self) -> None:
        """Close the connections this client opened. One that was handed a transport closes nothing."""
        if self._close is not None:
            await self._close()

    async def close(self) -> None:
        """`aclose`."""
        await self.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def opened(transport: Transport | None, base_url: str, verify: Verify, proxy: str | None) -> tuple[Transport, Callable[[], None] | None]:
    """The transport to use, and how to close it if it is ours."""
    if transport is not None:
        return transport, None
    from .transport import HttpTransport

    ours = HttpTransport(base_url, verify=verify, proxy=proxy)
    return ours, ours.close


def opened_async(
    transport: AsyncTransport | None, base_url: str, verify: Verify, proxy: str | None
) -> tuple[AsyncTransport, Callable[[], Coroutine[Any, Any, None]] | None]:
    """`opened`, for the async client."""
    if transport is not None:
        return transport, None
    from .transport import AsyncHttpTransport

    ours = AsyncHttpTransport(base_url, verify=verify, proxy=proxy)
    return ours, ours.aclose
