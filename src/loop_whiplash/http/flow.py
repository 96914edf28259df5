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
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import attrs

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@attrs.frozen(kw_only=True)
class Request:
    """One HTTP request, ready to send. `path` is below the transport's base URL; `timeout` and `connect_timeout` are seconds."""

    method: str
    path: str
    params: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    timeout: float = 30.0
    connect_timeout: float = 5.0


@attrs.frozen(kw_only=True)
class Reply:
    """One HTTP reply. Header names are lower case. `elapsed` is seconds."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    elapsed: float = 0.0


class NotSent(Exception):
    """No connection was made: the other side certainly did not receive the request. Stays inside; callers see `ConnectionFailed`."""


class Interrupted(Exception):
    """The request may have been received: time-out, reset, or a reply cut short. Stays inside; callers see `TimedOut` or `OutcomeUnknown`."""


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
        answer, error = None, None
        try:
            while True:
                try:
                    step = flow.throw(error) if error else flow.send(answer)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer, error = None, None
                try:
                    answer = self._perform(step)
                except Exception as raised:
                    error = raised
        finally:
            flow.close()

    def iterate(self, rows: AsyncGenerator[T, None]) -> Iterator[T]:
        try:
            while True:
                try:
                    yield self.run(_next(rows))
                except StopAsyncIteration:
                    return
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
        answer, error = None, None
        try:
            while True:
                try:
                    step = flow.throw(error) if error else flow.send(answer)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                answer, error = None, None
                try:
                    answer = await self._perform(step)
                except Exception as raised:
                    error = raised
        finally:
            flow.close()

    async def iterate(self, rows: AsyncGenerator[T, None]) -> AsyncIterator[T]:
        try:
            while True:
                try:
                    row = await self.run(_next(rows))
                except StopAsyncIteration:
                    return
                yield row
        finally:
            await self.run(_close(rows))


async def _next(rows: AsyncGenerator[T, None]) -> T:
    return await anext(rows)


async def _close(rows: AsyncGenerator[T, None]) -> None:
    await rows.aclose()
