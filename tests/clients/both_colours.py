"""Both clients in both colours, so that a test is written once.

``loop = colour.loop(...)`` makes a client; ``loop.call(lambda c: c.returns.get(5))`` gives the value whichever the colour, and
``loop.rows(lambda c: c.returns.list(...))`` the rows. `Script` is a transport that answers from a list.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.loop.client import AsyncLoopClient, LoopClient
from loop_whiplash.whiplash.client import AsyncWhiplashClient, WhiplashClient

LOOP_URL = "https://loop.example/api/v1"
WHIPLASH_URL = "https://whiplash.example/api/v2"


def reply(status: int = 200, body: object = None, **headers: str) -> Reply:
    """A reply; `body` is bytes, or a value that becomes JSON. Header names with ``_`` for ``-``."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=status, body=raw, headers={name.replace("_", "-"): value for name, value in headers.items()})


class Script:
    """A transport that gives these outcomes one after the other, or what a function of the request says."""

    base_url = LOOP_URL

    def __init__(self, *outcomes: Reply | Exception, answer: Callable[[Request], Reply] | None = None) -> None:
        self.outcomes = list(outcomes)
        self.answer = answer
        self.requests: list[Request] = []
        self.closed = False

    def send(self, request: Request) -> Reply:
        self.requests.append(request)
        outcome = self.outcomes.pop(0) if self.outcomes else self.answer(request) if self.answer else pytest.fail(f"unexpected {request}")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        self.closed = True

    @property
    def last(self) -> Request:
        return self.requests[-1]

    @property
    def sent_json(self) -> Any:
        return json.loads(self.last.body or b"null")


class AsyncScript:
    """The same, awaited."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.base_url = script.base_url

    async def send(self, request: Request) -> Reply:
        await asyncio.sleep(0)
        return self.script.send(request)

    async def aclose(self) -> None:
        self.script.close()


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Driven:
    """A client of either colour."""

    def __init__(self, client: Any, runner: asyncio.Runner | None) -> None:
        self.client = client
        self._runner = runner

    def call(self, use: Callable[[Any], Any], client: Any = None) -> Any:
        client = client or self.client
        if self._runner is None:
            return use(client)

        async def awaited() -> Any:
            return await use(client)

        return self._runner.run(awaited())

    def rows(self, use: Callable[[Any], Any]) -> list[Any]:
        return self.take(use)[0]

    def take(self, use: Callable[[Any], Any]) -> tuple[list[Any], Exception | None]:
        """The rows, and what was raised after them."""
        found: list[Any] = []
        if self._runner is None:
            try:
                found.extend(use(self.client))
            except Exception as error:
                return found, error
            return found, None

        async def awaited() -> Exception | None:
            try:
                async for row in use(self.client):
                    found.append(row)
            except Exception as error:
                return error
            return None

        return found, self._runner.run(awaited())

    def close(self) -> None:
        self.call(lambda c: c.close())


class Colour:
    """Sync or async."""

    def __init__(self, name: str, runner: asyncio.Runner | None) -> None:
        self.name = name
        self.is_async = runner is not None
        self._runner = runner

    def _options(self, script: Script | None, time: Time | None, options: dict[str, Any]) -> dict[str, Any]:
        options = {"random": lambda: 1.0} | options
        if script is not None:
            options["transport"] = AsyncScript(script) if self.is_async else script
        if time is not None:
            options |= {"clock": time.now, "sleep": time.sleep_async if self.is_async else time.sleep}
        return options

    def loop(self, script: Script | None = None, *, key: Any = "key-of-loop", time: Time | None = None, **options: Any) -> Driven:
        options = {"base_url": LOOP_URL} | self._options(script, time, options)
        return Driven((AsyncLoopClient if self.is_async else LoopClient)(key, **options), self._runner)

    def whiplash(
        self, script: Script | None = None, *, token: Any = "token-of-whiplash", time: Time | None = None, **options: Any
    ) -> Driven:
        options = {"base_url": WHIPLASH_URL} | self._options(script, time, options)
        if script is not None and script.base_url == LOOP_URL:
            script.base_url = WHIPLASH_URL
        return Driven((AsyncWhiplashClient if self.is_async else WhiplashClient)(token, **options), self._runner)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    if request.param == "sync":
        yield Colour("sync", None)
    else:
        with asyncio.Runner() as runner:
            yield Colour("async", runner)


@pytest.fixture
def time() -> Time:
    return Time()
