"""One shop wired to a simulated world, without sockets: what the integration tests and stories share.

`House(colour="async")` has the same face: every awaited method is run to its end, so a story is written once for both.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from loop_whiplash import (
    AsyncIntegration,
    AsyncLoopClient,
    AsyncWhiplashClient,
    Break,
    Case,
    Integration,
    LoopClient,
    MemoryLedger,
    Settings,
    WhiplashClient,
)
from loop_whiplash.http.flow import Interrupted, NotSent, Reply, Request
from loop_whiplash.simulator import World

Send = Callable[[Request], Reply]


def answers(status: int, body: object = None, **headers: str) -> Callable[[Request, Send], Reply]:
    """Somebody on the way answers with this; the system never sees the request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda request, send: Reply(status=status, headers={"content-type": "application/json", **headers}, body=raw)


def edits(change: Callable[[Any], object]) -> Callable[[Request, Send], Reply]:
    """The true answer, with something changed in its JSON."""

    def does(request: Request, send: Send) -> Reply:
        reply = send(request)
        body = json.loads(reply.body)
        change(body)
        return attrs.evolve(reply, body=json.dumps(body).encode())

    return does


def loses_reply(request: Request, send: Send) -> Reply:
    """It has its effect, and nobody hears of it."""
    send(request)
    raise Interrupted("timed out", timed_out=True)


def vanishes(request: Request, send: Send) -> Reply:
    """It never arrives, and nobody can know that."""
    raise Interrupted("timed out", timed_out=True)


def not_sent(request: Request, send: Send) -> Reply:
    """No connection was made."""
    raise NotSent("connection refused")


@attrs.define(kw_only=True)
class Fault:
    """What becomes of the next `times` requests of this kind."""

    system: str
    method: str
    path: str
    does: Callable[[Request, Send], Reply]
    times: int

    def strikes(self, system: str, request: Request) -> bool:
        return self.times > 0 and (self.system, self.method) == (system, request.method) and self.path in f"{request.path}?{request.params}"


class Wire:
    """A transport with a story of its own."""

    def __init__(self, house: House, system: str) -> None:
        self._house, self._system = house, system

    def send(self, request: Request) -> Reply:
        house, system = self._house, self._system
        house.calls.append((system, request.method, request.path))
        house.requests.append(request)
        for watcher in list(house.before):
            watcher(system, request)
        for fault in house.faults:
            if fault.strikes(system, request):
                fault.times -= 1
                return fault.does(request, lambda each: house.world.send(system, each))
        return house.world.send(system, request)

    def close(self) -> None:
        """Nothing to give back."""


class AsyncWire(Wire):
    """The same, awaited."""

    async def send(self, request: Request) -> Reply:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().send(request)

    async def aclose(self) -> None:
        """Nothing to give back."""


class Awaited:
    """An `AsyncIntegration` whose methods are run to their end."""

    def __init__(self, integration: AsyncIntegration) -> None:
        self._integration = integration

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._integration, name)

        def run(*args: Any, **options: Any) -> Any:
            return asyncio.run(method(*args, **options))

        return run


class House:
    """A world, an integration, and the short words a story needs."""

    def __init__(
        self,
        seed: int = 1,
        *,
        colour: str = "sync",
        webhooks: bool = True,
        ledger: Any = None,
        world: World | None = None,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.world = world or World(seed=seed)
        self.colour = colour
        self.ledger = ledger or MemoryLedger(clock=self.world.clock.now)
        self.webhooks = webhooks
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str, str]] = []
        self.requests: list[Request] = []
        self.before: list[Callable[[str, Request], object]] = []
        self.start = self.world.clock.now()
        self.integration: Any = self.open(settings or {}, **options)

    def open(self, settings: dict[str, Any], **options: Any) -> Any:
        """Another process on the same ledger and world."""
        world, clock = self.world, self.world.clock
        shared: dict[str, Any] = {
            "ledger": self.ledger,
            "settings": Settings(**{"start": self.start, **settings}),
            "loop_secrets": [world.loop_secret],
            "whiplash_secrets": [world.whiplash_secret],
            "clock": clock.now,
            **options,
        }
        key, token, customer = world.api_key, world.token, world.customer_id
        if self.colour == "async":
            time: dict[str, Any] = {"clock": clock.now, "sleep": clock.sleep_async}
            return Awaited(
                AsyncIntegration(
                    AsyncLoopClient(key, transport=AsyncWire(self, "loop"), **time),
                    AsyncWhiplashClient(token, customer_id=customer, transport=AsyncWire(self, "whiplash"), **time),
                    **shared,
                )
            )
        time = {"clock": clock.now, "sleep": clock.sleep}
        return Integration(
            LoopClient(key, transport=Wire(self, "loop"), **time),
            WhiplashClient(token, customer_id=customer, transport=Wire(self, "whiplash"), **time),
            **shared,
        )

    def fault(self, system: str, method: str, path: str, does: Callable[[Request, Send], Reply], times: int = 1) -> Fault:
        """Let something go wrong with the next requests of a kind; `path` is a part of it."""
        fault = Fault(system=system, method=method, path=path, does=does, times=times)
        self.faults.append(fault)
        return fault

    def run(self, **time: float) -> None:
        """Let time pass: webhooks are delivered (unless this house has none) and what is due is worked on."""
        step = timedelta(minutes=10) if time.keys() <= {"minutes", "hours"} else timedelta(hours=1)
        self.world.run(self.integration if self.webhooks else None, work=self.integration.run_due, step=step, **time)

    def shipped(self, lines: int | list[str] = 1, **options: Any) -> Any:
        """A return whose label was scanned; nobody has worked on it yet."""
        ret = self.world.shopper.submit_return(lines, **options)
        self.world.carrier.scan(ret, "pre_transit")
        return ret

    def announced(self, lines: int | list[str] = 1, **options: Any) -> Any:
        """A return whose label was scanned and whose RMA is made."""
        ret = self.shipped(lines, **options)
        self.run(hours=1)
        return ret

    def case(self, ret: Any) -> Case:
        """The case of a return, which there is."""
        case = self.integration.case(ret if isinstance(ret, int) else ret.id)
        assert isinstance(case, Case)
        return case

    def codes(self, return_id: int) -> list[str]:
        """The codes of the open breaks of a return."""
        case = self.integration.case(return_id)
        return sorted(found.code for found in case.breaks) if case else []

    def broken(self, ret: Any, code: str) -> Break:
        """The one break of this code."""
        (found,) = (found for found in self.case(ret).breaks if found.code == code)
        return found

    def rmas(self, ret: Any) -> int:
        """How many RMAs were ever made for a return, as the world knows."""
        return len(self.world.truth.rmas(ret.id))
