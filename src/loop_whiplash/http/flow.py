"""One body of logic for sync, async and the simulator.

A *flow* is an ``async def`` that awaits only the three values below. Each is frozen and its ``__await__`` yields
itself to whoever drives the flow:

* `Send`: one HTTP exchange over a transport. The driver answers with a `Reply`, or throws a `NotSent` or an `Interrupted`.
* `Store`: one ledger transaction, as a function. The driver answers with what it returns, or throws what it raises.
* `Sleep`: so many seconds. The driver answers None.

Awaiting anything else is a `TypeError`: a flow has no event loop of its own. Dropping a flow between two steps is
exactly a crash of its process between them, which is how the simulator crashes one.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request, ready to send.

    `path` is below the transport's base URL, or with `from_root` below its origin (``/oauth/token``). `timeout` is seconds
    for the whole exchange, `connect_timeout` for making the connection.
    """

    method: str
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    timeout: float = 30.0
    connect_timeout: float = 5.0
    from_root: bool = False


@attrs.frozen(kw_only=True)
class Reply:
    """One HTTP reply. Header names are lower case. `elapsed` is seconds."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    elapsed: float = 0.0

    @property
    def request_id(self) -> str | None:
        """The vendor's id of this exchange, to quote to its support; None when it sent none."""
        return next((self.headers[name] for name in REQUEST_ID_HEADERS if self.headers.get(name)), None)

    def json(self) -> Any:
        """The body as JSON, numbers with a fraction as `Decimal`. Raises `DecodeError`."""
        from loop_whiplash.decoding.json_text import NotJson, loads
        from loop_whiplash.errors import DecodeError

        try:
            return loads(self.body, exact=True)
        except NotJson as error:
            raise DecodeError(f"the body cannot be read: {error}", problems=(f"$: {error}",)) from None


#: Where an exchange's id is found. Loop's is from a captured reply of June 2026; cf-ray is what Cloudflare, in front of Loop, adds.
REQUEST_ID_HEADERS = ("x-loop-request-id", "x-request-id", "request-id", "cf-ray")


class NotSent(Exception):
    """No connection was made: the other side certainly did not receive the request. Stays inside; callers see `ConnectionFailed`.

    `final`: trying again cannot help (a certificate that does not verify, a client that was closed).
    """

    def __init__(self, message: str = "no connection could be made", *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Interrupted(Exception):
    """The request may have been received: time-out, reset, or a reply cut short. Stays inside; callers see `TimedOut` or `OutcomeUnknown`.

    `final`: trying again cannot help (a reply larger than allowed). `timed_out`: it was the clock that interrupted.
    """

    def __init__(self, message: str = "the exchange was interrupted", *, final: bool = False, timed_out: bool = False) -> None:
        super().__init__(message)
        self.final = final
        self.timed_out = timed_out


class Transport(Protocol):
    """What carries one request; raises `NotSent` or `Interrupted`. Ours wraps httpx; the simulator has its own."""

    def send(self, request: Request) -> Reply: ...


class AsyncTransport(Protocol):
    """The same, awaited."""

    def send(self, request: Request) -> Awaitable[Reply]: ...


@attrs.frozen
class Send:
    """One HTTP exchange over `transport`."""

    request: Request
    transport: Transport | AsyncTransport

    def __await__(self) -> Generator[Send, Any, Reply]:
        reply: Reply = yield self
        return reply


@attrs.frozen
class Store(Generic[T]):
    """One ledger transaction: `transaction` is called once, and committed when it returns."""

    transaction: Callable[[], T]

    def __await__(self) -> Generator[Store[T], Any, T]:
        answer: T = yield self
        return answer


@attrs.frozen
class Sleep:
    """So many seconds."""

    seconds: float

    def __await__(self) -> Generator[Sleep, Any, None]:
        yield self


Step = Send | Store[Any] | Sleep
Flow = Coroutine[Any, Any, T]


class SyncDriver:
    """Runs flows on the calling thread. `sleep` takes seconds."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep

    def _perform(self, step: object) -> Any:
        match step:
            case Send(request, transport):
                return transport.send(request)
            case Store(transaction):
                return transaction()
            case Sleep(seconds):
                return self._sleep(seconds)
        raise TypeError(f"a flow awaits only Send, Store and Sleep, not {type(step).__name__}")

    def run(self, flow: Flow[T]) -> T:
        """Run one flow to its end. Raises what it raises."""
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer = error = None
                try:
                    answer = self._perform(step)
                except Exception as raised:
                    error = raised
        finally:
            error = None  # an exception whose traceback holds the frame that holds it would wait for the garbage collector
            flow.close()

    def iterate(self, rows: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """Run an async generator of rows, a row at a time. Close or drop it at any time."""
        try:
            following = _first(rows)
            while True:
                try:
                    row = self.run(following)
                except StopAsyncIteration:
                    return
                yield row
                following = _next(rows)
        finally:
            self.run(_close(rows))


class AsyncDriver:
    """Runs flows on the running event loop; `Store` runs in a thread, so that a disk never blocks the loop."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep

    async def _perform(self, step: object) -> Any:
        match step:
            case Send(request, transport):
                return await transport.send(request)  # type: ignore[misc]  # an async client holds an AsyncTransport
            case Store(transaction):
                return await asyncio.to_thread(transaction)
            case Sleep(seconds):
                return await self._sleep(seconds)
        raise TypeError(f"a flow awaits only Send, Store and Sleep, not {type(step).__name__}")

    async def run(self, flow: Flow[T]) -> T:
        """Run one flow to its end. Raises what it raises; cancelling it is a crash of the flow."""
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer = error = None
                try:
                    answer = await self._perform(step)
                except Exception as raised:
                    error = raised
        finally:
            error = None
            flow.close()

    async def iterate(self, rows: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Run an async generator of rows, a row at a time. Close or drop it at any time."""
        try:
            following = _first(rows)
            while True:
                try:
                    row = await self.run(following)
                except StopAsyncIteration:
                    return
                yield row
                following = _next(rows)
        finally:
            await self.run(_close(rows))


def _first(rows: AsyncGenerator[T, None]) -> Flow[T]:
    """Start an async generator without telling the event loop.

    The loop would want to close a dropped one itself, in a task that knows nothing of `Send`. Ours hold nothing open between
    two rows, so dropping them is enough: without the loop's hooks they are closed on the spot.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        first = rows.__anext__()  # the hooks in force now are the ones it keeps
    finally:
        sys.set_asyncgen_hooks(*hooks)
    return _row(first)


def _next(rows: AsyncGenerator[T, None]) -> Flow[T]:
    return _row(rows.__anext__())


async def _row(row: Awaitable[T]) -> T:
    return await row


async def _close(rows: AsyncGenerator[T, None]) -> None:
    await rows.aclose()
