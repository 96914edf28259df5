"""A simulated shop in this process, served on loopback, and worker processes that run the integration against it."""

from __future__ import annotations

import base64
import functools
import json
import mmap
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
from pace import SEATS, Pace

from loop_whiplash import PostgresLedger, SQLiteLedger
from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.simulator import Message, SimulatedReturn, World

HERE = Path(__file__).parent
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE = 40.0
FAILED = b"processing failed"


class Died(Exception):
    """The worker was killed while it was asked something."""


@attrs.define(kw_only=True)
class Sent:
    """A request of a worker, as it came to the door. `left`: microseconds since 1970, by the clock that workers wait by.

    `refused`: it was answered with 429; for at least so many seconds, where the answer said so.
    """

    system: str
    worker: int
    left: int
    refused: bool = False
    retry_after: float | None = None


class Worker:
    """One worker process, and the line to it."""

    def __init__(self, pid: int, line: socket.socket, *, seat: int) -> None:
        self.pid = pid
        self.seat = seat
        self.lived = 0
        self._line = line
        self._file = line.makefile("rb")

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Tell it to do something and wait for the answer. Raises `Died`."""
        try:
            self._line.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
            answer = self._file.readline()
        except (ConnectionError, BrokenPipeError):
            answer = b""
        if not answer:
            raise Died
        told: dict[str, Any] = json.loads(answer)
        self.lived = told["lived"]
        return told

    def webhook(self, message: Message) -> int:
        """Hand one over; 0 when nobody answered."""
        body = base64.b64encode(message.body).decode()
        try:
            return int(self.ask("webhook", system=message.system, body=body, headers=dict(message.headers))["status"])
        except Died:
            return 0

    def is_alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill it with SIGKILL, and see it gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        while self.is_alive():
            time.sleep(0.0002)

    def close(self) -> None:
        self._file.close()
        self._line.close()


class Shop:
    """The world, its clock in a file, its servers, its ledger, and its worker processes.

    Args:
        folder: an empty one. ledger: ``sqlite`` or ``postgres``; where: its path or dsn. settings: names of `Settings` and seconds.
        limits: what the workers keep to: ``none``; ``own``, each the published limits for himself; or ``shared``, all together
            `rate_limits`, by a file in the folder. rate_limits: what Loop lets in a minute and Whiplash a second, by the workers' clock.

    Attributes:
        door: every request of a worker, in the order in which they came. acknowledged: webhooks answered with a 2xx.
        retried: return id → how often a person allowed one more process.
    """

    def __init__(
        self,
        folder: Path,
        ledger: str,
        where: str,
        *,
        seed: int,
        settings: dict[str, float] | None = None,
        limits: str = "none",
        rate_limits: tuple[int, int] = (10**6, 10**6),
    ) -> None:
        self.world = World(seed=seed)
        self.world.loop.manners.rate_limit, self.world.whiplash.manners.rate_limit = rate_limits
        self.folder, self.limits, self.rate_limits = folder, limits, rate_limits
        self.door: list[Sent] = []
        self.retried: Counter[int] = Counter()
        self.acknowledged: Counter[tuple[int, bytes]] = Counter()
        self._kind, self._where = ledger, where
        self._clock_file = folder / "clock"
        self._clock_file.write_bytes(bytes(8))
        with self._clock_file.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)
        self._publish_time()
        self.pace = Pace(folder / "pace", begins=self.world.clock.now())
        self._watch_the_door()
        self._serving = self.world.serve()
        self.world._loop_api.limit_clock = self.world._whiplash_api.limit_clock = self.pace.now
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(folder / "line"))
        self._server.listen(SEATS)
        self._server.settimeout(PATIENCE)
        self._number = 0
        self._hiring = threading.Lock()
        self._workers: list[Worker] = []
        self._facts = {
            "ledger": ledger,
            "where": where,
            "clock": str(self._clock_file),
            "start": self.world.clock.now().isoformat(),
            "loop_url": self._serving.loop_url,
            "whiplash_url": self._serving.whiplash_url,
            "api_key": self.world.api_key,
            "token": self.world.token,
            "customer_id": self.world.customer_id,
            "loop_secret": self.world.loop_secret,
            "whiplash_secret": self.world.whiplash_secret,
            "settings": settings or {},
            "folder": str(folder),
            "line": str(folder / "line"),
            "limits": limits,
            "rate_limits": rate_limits,
        }
        self.ledger: Any = SQLiteLedger(where, clock=self.world.clock.now) if ledger == "sqlite" else PostgresLedger(where)
        self.ledger.now()  # the tables are there

    def _publish_time(self) -> None:
        clock, move = self.world.clock, self.world.clock.advance_to

        def publish() -> None:
            struct.pack_into("q", self._memory, 0, (clock.now() - EPOCH) // timedelta(microseconds=1))

        def advance_to(when: datetime) -> None:
            move(when)
            publish()

        clock.advance_to = advance_to  # type: ignore[method-assign]
        publish()

    def _watch_the_door(self) -> None:
        send = self.world.send

        def come_in(system: str, request: Request) -> Reply:
            told = {name.lower(): value for name, value in request.headers.items()}
            sent = Sent(system=system, worker=int(told["x-worker"]), left=int(told["x-left"]))
            self.door.append(sent)
            reply = send(system, request)
            if reply.status == 429:
                sent.refused, sent.retry_after = True, _seconds(reply.headers)
            return reply

        self.world.send = come_in  # type: ignore[method-assign]

    def hire(self, *, die_at: int = 0) -> Worker:
        """A new worker process; with `die_at`, one that kills itself at that point."""
        with self._hiring:
            self._number += 1
            taken = {worker.seat for worker in self._workers if worker.is_alive()}
            seat = next(seat for seat in range(SEATS) if seat not in taken)
            order_a_worker({**self._facts, "number": self._number, "seat": seat, "die_at": die_at})
            line, _ = self._server.accept()
            line.settimeout(PATIENCE)
            hello = b""
            while not hello.endswith(b"\n"):
                hello += line.recv(1)
            number, pid = map(int, hello.split())
            assert number == self._number
            worker = Worker(pid, line, seat=seat)
            self._workers.append(worker)
            return worker

    def hand_over(self, message: Message, worker: Worker) -> int:
        """Deliver one webhook to a worker, and remember what was answered with a 2xx: that must never be lost."""
        status = worker.webhook(message)
        if 200 <= status < 300 and message.system == "loop" and message.return_id is not None:
            # Of a failure its meaning is stored, and not its bytes.
            self.acknowledged[message.return_id, FAILED if message.topic.startswith("return.processing") else message.body] += 1
        return status

    def retry(self, ret: SimulatedReturn, worker: Worker) -> None:
        """A person allows one more process."""
        self.retried[ret.id] += 1
        worker.ask("retry", return_id=ret.id)

    def let_leases_run_out(self) -> None:
        """The ledger's clock is not moved for it, so the leases are."""
        if self._kind == "postgres":
            import psycopg

            with psycopg.connect(self._where) as connection:
                connection.execute("UPDATE lw_cases SET lease_until = lease_until - INTERVAL '1 day'")
        else:
            with closing(sqlite3.connect(self._where, timeout=PATIENCE)) as file, file:
                file.execute("UPDATE lw_cases SET lease_until = lease_until - 86400000000")

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.close()
        self._server.close()
        self._serving.close()
        self.ledger.close()
        self.pace.close()
        self._memory.close()

    # ------------------------------------------------------------------------------------------------ what came of it

    def journal(self, ret: SimulatedReturn) -> dict[str, Any]:
        case = self.ledger.case(ret.id)
        return dict(case.journal) if case else {}

    def breaks(self, ret: SimulatedReturn) -> set[str]:
        case = self.ledger.case(ret.id)
        return {found["code"] for found in case.summary.get("breaks", ())} if case else set()

    def lost(self, return_id: int) -> list[bytes]:
        """P1: bodies of webhooks that were answered with a 2xx and are not in the ledger."""
        kept: Counter[bytes] = Counter()
        for event in self.ledger.history(return_id):
            kept[FAILED if event.kind == "loop.processing_failed" else event.body] += event.count
        return [body for (owner, body), times in self.acknowledged.items() if owner == return_id and kept[body] < times]


def _seconds(headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after")
    return None if said is None else float(said)


@functools.cache
def _nursery() -> subprocess.Popen[str]:
    """The process that all workers are forked from; it ends with this one, when nobody can order any more."""
    return subprocess.Popen([sys.executable, str(HERE / "shop_worker.py")], stdin=subprocess.PIPE, text=True, env=_environment())


def order_a_worker(facts: dict[str, Any]) -> None:
    """It will call on the line that its facts name."""
    orders = _nursery().stdin
    assert orders is not None
    orders.write(json.dumps(facts) + "\n")
    orders.flush()


def _environment() -> dict[str, str]:
    source = str(HERE.parent.parent / "src")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])}
