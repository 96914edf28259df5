"""What it stands: a storm of webhooks into one process, and how much dearer a webhook is than the bare commit it needs.

``python benchmarks/load.py storm`` starts `examples/fastapi_app.py` under one uvicorn process, posts 10,000 signed webhooks over
32 connections, kills the process (SIGKILL) with the last answer, and counts what is in its ledger. While the storm lasts the
app works on what is due, against both fakes.

``python benchmarks/load.py accept`` compares `Integration.handle_loop` (verify, parse, store durably, due) with a bare commit of a
row with the same body under ``synchronous=FULL``, in turn in the same run on the same disk. Each commit waits for the disk, so
the fast disks of virtual machines, which only say that they have written, make the rest look dear;
``--flush 1.0`` adds so many milliseconds to every commit of both, as a disk that keeps its word takes.

``python benchmarks/ledger.py claims`` has the ledger of a million cases.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from ledger import told
from loop_whiplash import Integration, LoopClient, Settings, SQLiteLedger, WhiplashClient
from loop_whiplash.simulator import World
from loop_whiplash.testing import loop_return_webhook, sign_loop

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SECRET = "loop-webhook-secret"


# ------------------------------------------------------------------------------------------------------------- storm


def storm(count: int, connections: int) -> bool:
    world = World(seed=1, start=datetime.now(UTC).replace(microsecond=0))
    returns = [world.shopper.submit_return(1).id for _ in range(max(1, count // 20))]
    template = loop_return_webhook().body
    bodies = [_about(template, returns[number % len(returns)], number) for number in range(count)]
    with tempfile.TemporaryDirectory(prefix="lw-load-", dir=os.environ.get("BENCH_DIR")) as folder, world.serve() as fakes:
        path, port = f"{folder}/returns.db", _free_port()
        env = {
            **os.environ,
            "LOOP_API_KEY": world.api_key,
            "LOOP_URL": fakes.loop_url,
            "LOOP_SECRETS": SECRET,
            "WHIPLASH_TOKEN": world.token,
            "WHIPLASH_CUSTOMER": str(world.customer_id),
            "WHIPLASH_URL": fakes.whiplash_url,
            "WHIPLASH_SECRETS": world.whiplash_secret,
            "RETURNS_DB": path,
            "GO_LIVE": (world.clock.now() - timedelta(days=1)).isoformat(),
        }
        command = [sys.executable, "-m", "uvicorn", "--factory", "fastapi_app:create_app", "--port", str(port), "--log-level", "warning"]
        with open(f"{folder}/log", "wb") as log:
            app = subprocess.Popen(command, cwd=EXAMPLES, env=env, stdout=log, stderr=log)
        try:
            _wait_for(port, app)
            _post(port, bodies[0])
            process = psutil.Process(app.pid)
            before = process.memory_info().rss
            answers, times, peak, spent = _pour(port, bodies[1:], connections, process)
        finally:
            app.send_signal(signal.SIGKILL)
            app.wait()
        kept = _kept(path)
    acknowledged = answers[200] + 1
    print(f"{count:,} webhooks of {len(bodies[0]):,} bytes about {len(returns):,} returns over {connections} connections")
    print(f"answers {dict(answers)}; {acknowledged / spent:,.0f} a second")
    print(told("one webhook, as its sender sees it", times))
    print(f"acknowledged {acknowledged:,}, in the ledger after SIGKILL {kept:,}")
    print(f"memory before {before / 2**20:.1f} MiB, peak {peak / 2**20:.1f} MiB, {(peak - before) / count:.0f} bytes a webhook")
    return kept >= acknowledged == count and peak - before < 64 * 2**20


def _about(template: bytes, return_id: int, number: int) -> bytes:
    import json

    payload = json.loads(template)
    payload.update(id=return_id, updated_at=f"2026-03-01T00:00:00.{number:06}Z")
    return json.dumps(payload).encode()


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, app: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
            return
        except OSError:
            if app.poll() is not None:
                raise SystemExit("the app did not start; it needs: pip install '.[dev]'") from None
            time.sleep(0.05)
    raise SystemExit("the app does not listen")


def _post(port: int, body: bytes, connection: http.client.HTTPConnection | None = None) -> int:
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/loop", body=body, headers=sign_loop(body, SECRET))
    reply = connection.getresponse()
    reply.read()
    return reply.status


def _pour(port: int, bodies: list[bytes], connections: int, process: psutil.Process) -> tuple[Counter[int], list[float], int, float]:
    """Answers by status, milliseconds each took, the most memory seen (sampled), and seconds in all."""
    answers, times, memory = Counter[int](), list[float](), [process.memory_info().rss]
    over = threading.Event()

    def sender(mine: list[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for body in mine:
            start = time.perf_counter()
            try:
                status = _post(port, body, connection)
            except (OSError, http.client.HTTPException):
                status = 0
                connection.close()
            times.append((time.perf_counter() - start) * 1000)
            answers[status] += 1
        connection.close()

    def watcher() -> None:
        while not over.wait(0.05):
            memory.append(process.memory_info().rss)

    threads = [threading.Thread(target=sender, args=(bodies[place::connections],)) for place in range(connections)]
    watching = threading.Thread(target=watcher)
    began = time.perf_counter()
    for thread in (watching, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    over.set()
    watching.join()
    return answers, times, max(memory), spent


def _kept(path: str) -> int:
    connection = sqlite3.connect(path)
    tables = "SELECT times, kind FROM lw_events UNION ALL SELECT times, kind FROM lw_inbox"
    kept = connection.execute(f"SELECT SUM(times) FROM ({tables}) WHERE kind = 'loop.hint'").fetchone()[0]
    connection.close()
    return int(kept)


# ------------------------------------------------------------------------------------------------------------ accept


class _Slow(sqlite3.Connection):
    """A connection whose commits take a little longer, as on a disk that waits until it has written."""

    flush = 0.0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
        if not self.flush:
            return super().execute(sql, *values)  # type: ignore[arg-type]
        changed = self.total_changes
        cursor = super().execute(sql, *values)  # type: ignore[arg-type]
        if sql == "COMMIT" or (not self.in_transaction and self.total_changes > changed):  # or one statement, a transaction of its own
            end = time.perf_counter() + self.flush
            while time.perf_counter() < end:
                pass
        return cursor


def accept(count: int, flush: float) -> bool:
    _Slow.flush = flush / 1000
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, factory=_Slow, **options)  # type: ignore[assignment]
    warm = 1500  # until both logs have come round to their beginning and are written over instead of growing
    with tempfile.TemporaryDirectory(prefix="lw-load-", dir=os.environ.get("BENCH_DIR")) as folder:
        bare = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB)")
        ledger = SQLiteLedger(f"{folder}/ledger.db")
        integration = Integration(
            LoopClient("key"),
            WhiplashClient("token", customer_id=1),
            ledger=ledger,
            settings=Settings(start=datetime(2026, 1, 1, tzinfo=UTC)),
            loop_secrets=[SECRET],
            whiplash_secrets=["another"],
        )
        template = loop_return_webhook().body
        runs: dict[str, list[float]] = {"bare commit of a row with the body": [], "handle_loop": []}

        def commit(body: bytes, headers: dict[str, str]) -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO bodies (body) VALUES (?)", (body,))
            bare.execute("COMMIT")

        def handle(body: bytes, headers: dict[str, str]) -> None:
            assert integration.handle_loop(body, headers).status == 200

        calls: list[Callable[[bytes, dict[str, str]], None]] = [commit, handle]
        for number in range(count + warm):
            for times, call in zip(runs.values(), calls, strict=True):
                body = _about(template, number + 1, number)  # for each anew: neither finds a processor that just woke up from the disk
                headers = sign_loop(body, SECRET)
                start = time.perf_counter()
                call(body, headers)
                if number >= warm:
                    times.append((time.perf_counter() - start) * 1000)
        print(f"{count:,} webhooks of {len(body):,} bytes, {flush:g} ms added to every commit")
        for name, times in runs.items():
            print(told(name, times))
        ledger.close()
        bare.close()
    base, whole = runs.values()
    ratios = [_at(whole, share) / _at(base, share) for share in (0.5, 0.99)]
    print(f"handle_loop / bare commit: {ratios[0]:.2f} at the median, {ratios[1]:.2f} at p99")
    return ratios[0] <= 1.5


def _at(times: list[float], share: float) -> float:
    return statistics.quantiles(times, n=100)[round(share * 100) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["storm", "accept"])
    parser.add_argument("--count", type=int, default=0, help="webhooks: 10,000 in a storm, 3,000 to accept")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--flush", type=float, default=0.0, help="milliseconds added to every commit")
    given = parser.parse_args()
    held = storm(given.count or 10_000, given.connections) if given.what == "storm" else accept(given.count or 3000, given.flush)
    print("holds" if held else "DOES NOT HOLD")
    sys.exit(not held)


if __name__ == "__main__":
    main()
