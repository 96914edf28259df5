"""One flow, two drivers: same answers, nothing awaited but three steps, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from loop_whiplash.http.flow import AsyncDriver, Interrupted, Reply, Request, Send, Sleep, Store, SyncDriver

REQUEST = Request(method="GET", path="/x")


class Echo:
    def send(self, request: Request) -> Reply:
        return Reply(status=200, body=request.path.encode())


class AsyncEcho:
    async def send(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        return Reply(status=200, body=request.path.encode())


async def flow(transport: Any, seen: list[str]) -> bytes:
    seen.append((await Send(REQUEST, transport)).body.decode())
    seen.append(await Store(lambda: threading.current_thread().name))
    await Sleep(1.5)
    try:
        await Store(lambda: 1 / 0)
    except ZeroDivisionError:
        seen.append("caught")
    return b"done"


def test_the_same_flow_in_both_colours() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    seen: list[str] = []
    assert SyncDriver(slept.append).run(flow(Echo(), seen)) == b"done"
    assert seen == ["/x", "MainThread", "caught"]
    seen = []
    assert asyncio.run(AsyncDriver(sleep).run(flow(AsyncEcho(), seen))) == b"done"
    assert (seen[0], seen[2]) == ("/x", "caught")
    assert seen[1] != "MainThread"
    assert slept == [1.5, 1.5]


async def foreign() -> None:
    await asyncio.sleep(0)


class Odd:
    def __await__(self) -> Any:
        yield "something"


async def awaits_odd() -> None:
    await Odd()


def test_anything_else_awaited_is_a_type_error() -> None:
    for made in (foreign, awaits_odd):
        with pytest.raises(TypeError, match="only Send, Store and Sleep"):
            SyncDriver().run(made())
    with pytest.raises(TypeError):
        asyncio.run(AsyncDriver().run(awaits_odd()))


class Closed(list[str]):
    """Rows that say when they are closed."""


async def rows(closed: Closed, count: int = 5) -> AsyncGenerator[int, None]:
    try:
        for number in range(count):
            await Store(lambda: None)
            yield number
    finally:
        closed.append("closed")


def test_rows_in_both_colours() -> None:
    closed = Closed()
    assert list(SyncDriver().iterate(rows(closed))) == [0, 1, 2, 3, 4]

    async def use() -> list[int]:
        return [row async for row in AsyncDriver().iterate(rows(closed))]

    assert asyncio.run(use()) == [0, 1, 2, 3, 4]
    assert closed == ["closed", "closed"]


def test_rows_dropped_half_way_are_closed_on_the_spot() -> None:
    closed = Closed()
    for row in SyncDriver().iterate(rows(closed)):
        if row == 1:
            break
    gc.collect()
    assert closed == ["closed"]


def test_async_rows_dropped_half_way_leave_no_task_and_no_generator_to_the_loop() -> None:
    closed = Closed()

    async def use() -> None:
        tasks = asyncio.all_tasks()
        async for row in AsyncDriver().iterate(rows(closed)):
            if row == 1:
                break
        await asyncio.sleep(0.01)
        assert closed == ["closed"]
        assert asyncio.all_tasks() == tasks

    asyncio.run(use())


def test_the_event_loop_never_learns_of_the_inner_generator() -> None:
    known: list[Any] = []
    inner: list[Any] = []

    async def use() -> None:
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(lambda generator: known.append(generator), hooks.finalizer)
        made = rows(Closed())
        inner.append(made)
        outer = AsyncDriver().iterate(made)
        await anext(outer)
        await outer.aclose()
        sys.set_asyncgen_hooks(*hooks)

    asyncio.run(use())
    assert inner[0] not in known
    assert sys.get_asyncgen_hooks() == (None, None)


def test_async_rows_can_be_closed_by_hand_and_by_error() -> None:
    closed = Closed()

    async def use() -> None:
        outer = AsyncDriver().iterate(rows(closed))
        assert await anext(outer) == 0
        await outer.aclose()
        with pytest.raises(RuntimeError, match="mine"):
            async for _ in AsyncDriver().iterate(rows(closed)):
                raise RuntimeError("mine")

    asyncio.run(use())
    gc.collect()
    assert closed == ["closed", "closed"]


async def failing() -> AsyncGenerator[int, None]:
    yield 1
    raise Interrupted("later")


def test_an_error_after_rows_arrives_after_the_rows() -> None:
    found: list[int] = []
    with pytest.raises(Interrupted):
        for row in SyncDriver().iterate(failing()):
            found.append(row)
    assert found == [1]


def test_a_cancelled_task_is_a_crash_of_its_flow() -> None:
    events: list[str] = []

    class Never:
        async def send(self, request: Request) -> Reply:
            await asyncio.sleep(3600)
            raise AssertionError

    async def waiting() -> None:
        try:
            await Send(REQUEST, Never())
        finally:
            events.append("dropped")

    async def use() -> None:
        task = asyncio.create_task(AsyncDriver().run(waiting()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(use())
    assert events == ["dropped"]


class Canary:
    pass


def test_a_failed_flow_leaves_no_reference_cycle() -> None:
    kept: list[weakref.ref[Canary]] = []

    async def failing_flow() -> None:
        canary = Canary()
        kept.append(weakref.ref(canary))
        await Store(lambda: 1 / 0)

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(ZeroDivisionError):
            SyncDriver().run(failing_flow())
        assert kept[0]() is None
    finally:
        gc.enable()
