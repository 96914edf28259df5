"""Worker processes: ``shop_worker.py`` forks one for each line of JSON it reads, which answers at the socket that is named in it.

A worker is the whole integration over real HTTP: it takes in webhooks, works on what is due and sweeps, as it is told over
its socket. With ``die_at`` it kills itself (SIGKILL) at that point of its life: points are before and after every COMMIT of a
transaction that writes, of every statement that is such a transaction of its own (what comes in), and of every request that
changes something at Loop or Whiplash.
"""

from __future__ import annotations

import base64
import json
import logging
import mmap
import os
import pickle
import signal
import socket
import sqlite3
import ssl
import struct
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from pace import Pace

from loop_whiplash import (
    Decision,
    Integration,
    LoopClient,
    MemoryLedger,
    Policy,
    Receipt,
    Rma,
    Settings,
    SharedRateLimit,
    SQLiteLedger,
    WhiplashClient,
    match,
)
from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.http.limit import Limiter, Unlimited
from loop_whiplash.http.transport import HttpTransport
from loop_whiplash.simulator import World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Made once, before any worker is: it takes longer than a worker's whole life. (Loopback has no TLS.)
CERTIFICATES = ssl.create_default_context()

_points = {"lived": 0, "die_at": 0}


def tick() -> None:
    """One more point at which the process may die."""
    _points["lived"] += 1
    if _points["lived"] == _points["die_at"]:
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A transport that may not live to see its answer. It tells the door whose a request is, and when it left."""

    def __init__(self, base_url: str, number: int, pace: Pace) -> None:
        self._wire = HttpTransport(base_url, verify=CERTIFICATES)
        self._number, self._pace = str(number), pace

    def send(self, request: Request) -> Reply:
        changes = request.method != "GET"
        if changes:
            tick()
        told = {"x-worker": self._number, "x-left": str(self._pace.microseconds())}
        reply = self._wire.send(attrs.evolve(request, headers={**request.headers, **told}))
        if changes:
            tick()
        return reply

    def close(self) -> None:
        self._wire.close()


class MortalConnection(sqlite3.Connection):
    """The same for what is written to SQLite."""

    writes = False

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            self.writes = sql == "BEGIN IMMEDIATE"
        alone = not self.in_transaction and sql.split(maxsplit=1)[0] in ("INSERT", "UPDATE", "DELETE")  # commits itself
        if not alone and (sql != "COMMIT" or not self.writes):
            return super().execute(sql, *values)
        tick()
        cursor = super().execute(sql, *values)
        tick()
        return cursor


def mortal_postgres() -> None:
    """The same for what is written to PostgreSQL."""
    import psycopg

    execute, writes = psycopg.Connection.execute, {"now": False}

    def mortal(self: Any, sql: Any, *values: Any, **options: Any) -> Any:
        word = bytes(sql, "ascii").split()[0] if isinstance(sql, str) else sql.split()[0]
        writes["now"] = word != b"BEGIN" and (writes["now"] or word in (b"INSERT", b"UPDATE", b"DELETE", b"WITH"))
        if word != b"COMMIT" or not writes["now"]:
            return execute(self, sql, *values, **options)
        tick()
        cursor = execute(self, sql, *values, **options)
        tick()
        return cursor

    psycopg.Connection.execute = mortal  # type: ignore[method-assign]


def clock_in(path: str) -> Callable[[], datetime]:
    """The world's virtual time, which the parent keeps in a file."""
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    return lambda: EPOCH + timedelta(microseconds=struct.unpack_from("q", memory)[0])


def limiter(facts: dict[str, Any], system: str, pace: Pace) -> Limiter | None:
    """What it keeps to: nothing; the client's own, with the published limit; or one budget for all who share the file."""
    if facts["limits"] == "none":
        return Unlimited()
    if facts["limits"] == "own":
        return None
    limit, per = (facts["rate_limits"][0], 60.0) if system == "loop" else (facts["rate_limits"][1], 1.0)
    return SharedRateLimit(f"{facts['folder']}/limits.db", limit, per, budget=system, clock=pace.seconds)


def told(file: Path) -> Callable[..., Decision]:
    """`match`; and the file is told what each decision was made of, and how it reads as JSON. What was told survives the process."""
    paper = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def matcher(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        decision = match(rma, receipts, policy=policy, at=at)
        line = pickle.dumps((rma, tuple(receipts), policy, at, json.dumps(decision.to_dict())))
        os.write(paper, struct.pack("=q", len(line)) + line)
        return decision

    return matcher


def work(facts: dict[str, Any], line: socket.socket) -> None:
    _points.update(lived=0, die_at=facts["die_at"])
    clock = clock_in(facts["clock"])
    number, folder = facts["number"], Path(facts["folder"])
    pace = Pace(folder / "pace", facts["seat"])
    if facts["ledger"] == "sqlite":
        connect = sqlite3.connect
        sqlite3.connect = lambda *args, **options: connect(*args, factory=MortalConnection, **options)  # type: ignore[assignment]
        ledger: Any = SQLiteLedger(facts["where"], clock=clock)
    else:
        from loop_whiplash import PostgresLedger

        mortal_postgres()
        ledger = PostgresLedger(facts["where"])
    # What a client waits for is waited for on the workers' clock; everything else goes by the world's.
    options: dict[str, Any] = {"clock": pace.now, "sleep": pace.sleep, "timeout": 5.0}
    loop = LoopClient(facts["api_key"], transport=Mortal(facts["loop_url"], number, pace), limiter=limiter(facts, "loop", pace), **options)
    whiplash = WhiplashClient(
        facts["token"],
        customer_id=facts["customer_id"],
        transport=Mortal(facts["whiplash_url"], number, pace),
        limiter=limiter(facts, "whiplash", pace),
        **options,
    )
    integration = Integration(
        loop,
        whiplash,
        ledger=ledger,
        settings=Settings(
            start=datetime.fromisoformat(facts["start"]), **{name: timedelta(seconds=value) for name, value in facts["settings"].items()}
        ),
        loop_secrets=[facts["loop_secret"]],
        whiplash_secrets=[facts["whiplash_secret"]],
        matcher=told(folder / f"decisions-{number}"),
        clock=clock,
    )
    with line.makefile("rb") as hears, line.makefile("wb") as says:
        for order in hears:
            pace.work()
            answer = obey(integration, loop, json.loads(order))
            pace.rest()
            says.write(json.dumps({"lived": _points["lived"], **answer}).encode() + b"\n")
            says.flush()


def obey(integration: Integration, loop: LoopClient, order: dict[str, Any]) -> dict[str, Any]:
    match order["do"]:
        case "webhook":
            handle = integration.handle_loop if order["system"] == "loop" else integration.handle_whiplash
            return {"status": handle(base64.b64decode(order["body"]), order["headers"]).status}
        case "run":
            return {"done": [[each.return_id, each.status, each.action] for each in integration.run_due(order["limit"])]}
        case "sweep":
            return {"complete": integration.sweep().complete}
        case "retry":
            integration.retry(order["return_id"])
            return {}
        case "read":
            return {"found": [loop.returns.get(order["return_id"]).id for _ in range(order["times"])]}
    raise AssertionError(order)


def warm_up() -> None:
    """Live through a return once, so that what is made on first use is there in every worker from the start."""
    world = World()
    options: dict[str, Any] = {"clock": world.clock.now, "sleep": world.clock.sleep}
    with (
        LoopClient(world.api_key, transport=world.loop_transport(), **options) as loop,
        WhiplashClient(world.token, customer_id=world.customer_id, transport=world.whiplash_transport(), **options) as whiplash,
    ):
        integration = Integration(
            loop,
            whiplash,
            ledger=MemoryLedger(clock=world.clock.now),
            settings=Settings(start=world.clock.now()),
            loop_secrets=[world.loop_secret],
            whiplash_secrets=[world.whiplash_secret],
            clock=world.clock.now,
        )
        returns = [world.shopper.submit_return(1) for _ in range(2)]
        for ret in returns:
            world.carrier.scan(ret, "pre_transit")
        world.run(integration, work=integration.run_due, hours=1)
        for damaged, ret in enumerate(returns):
            world.warehouse.receive(ret, damaged=damaged)
        world.run(integration, work=integration.run_due, hours=1)


def main() -> None:
    logging.disable()  # what goes wrong here is meant to
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for order in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            facts = json.loads(order)
            line = socket.socket(socket.AF_UNIX)
            line.connect(facts["line"])
            line.sendall(f"{facts['number']} {os.getpid()}\n".encode())
            work(facts, line)
            os._exit(0)


if __name__ == "__main__":
    main()
