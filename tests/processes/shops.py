"""A simulated shop in this process, served on loopback, and worker processes that run the integration against it."""

from __future__ import annotations

import base64
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
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loop_whiplash import PostgresLedger, SQLiteLedger
from loop_whiplash.simulator import Message, SimulatedReturn, World

HERE = Path(__file__).parent
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATIENCE = 40.0
FAILED = b"processing failed"


class Died(Exception):
    """The worker was killed while it was asked something."""


class Worker:
    """One worker process, and the line to it."""

    def __init__(self, pid: int, line: socket.socket) -> None:
        self.pid = pid
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
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self._file.close()
        self._line.close()


class Shop:
    """The world, its clock in a file, its servers, its ledger, and the process that workers are forked from."""

    def __init__(
        self,
        folder: Path,
        ledger: str,
        where: str,
        *,
        seed: int,
        settings: dict[str, float] | None = None,
        rate_limits: tuple[int, int] = (10**6, 10**6),
    ) -> None:
        self.world = World(seed=seed)
        self.world.loop.manners.rate_limit, self.world.whiplash.manners.rate_limit = rate_limits
        self.acknowledged: Counter[tuple[int, bytes]] = Counter()
        self._kind, self._where = ledger, where
        self._clock_file = folder / "clock"
        self._clock_file.write_bytes(bytes(8))
        with self._clock_file.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)
        self._publish_time()
        self._serving = self.world.serve()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(folder / "line"))
        self._server.listen(16)
        self._server.settimeout(PATIENCE)
        self._nursery = subprocess.Popen(
            [sys.executable, str(HERE / "shop_worker.py"), str(folder / "line")], stdin=subprocess.PIPE, text=True, env=_environment()
        )
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
            "longest_sleep": 0.002,
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

    def hire(self, *, die_at: int = 0) -> Worker:
        """A new worker process; with `die_at`, one that kills itself at that point."""
        with self._hiring:
            self._number += 1
            assert self._nursery.stdin is not None
            self._nursery.stdin.write(json.dumps({**self._facts, "number": self._number, "die_at": die_at}) + "\n")
            self._nursery.stdin.flush()
            line, _ = self._server.accept()
            line.settimeout(PATIENCE)
            hello = b""
            while not hello.endswith(b"\n"):
                hello += line.recv(1)
            number, pid = map(int, hello.split())
            assert number == self._number
            worker = Worker(pid, line)
            self._workers.append(worker)
            return worker

    def hand_over(self, message: Message, worker: Worker) -> int:
        """Deliver one webhook to a worker, and remember what was answered with a 2xx: that must never be lost."""
        status = worker.webhook(message)
        if 200 <= status < 300 and message.system == "loop" and message.return_id is not None:
            # Of a failure its meaning is stored, and not its bytes.
            self.acknowledged[message.return_id, FAILED if message.topic.startswith("return.processing") else message.body] += 1
        return status

    def let_leases_run_out(self) -> None:
        """The ledger's clock is not moved for it, so the leases are."""
        if self._kind == "postgres":
            import psycopg

            with psycopg.connect(self._where) as connection:
                connection.execute("UPDATE lw_cases SET lease_until = lease_until - INTERVAL '1 day'")
        else:
            with closing(sqlite3.connect(self._where, timeout=PATIENCE)) as connection, connection:
                connection.execute("UPDATE lw_cases SET lease_until = lease_until - 86400000000")

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.close()
        if self._nursery.stdin is not None:
            self._nursery.stdin.close()
        self._nursery.wait(timeout=PATIENCE)
        self._server.close()
        self._serving.close()
        self.ledger.close()
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


def _environment() -> dict[str, str]:
    source = str(HERE.parent.parent / "src")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])}
