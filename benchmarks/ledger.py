"""What the ledger costs: accepting a webhook durably, claiming among very many cases, and the bytes it keeps.

``python benchmarks/ledger.py accept`` compares `Ledger.accept`, and the whole way of an event (accept, claim, finish), with a bare
commit of a row with the same body under ``synchronous=FULL``, in turn in the same run on the same disk.

``python benchmarks/ledger.py claims --cases 1000000 [--postgres]`` fills a ledger with settled cases, open ones, due ones, and
10,000 due ones that others have leased, all longer due than the rest; then claims one at a time, and a hundred at a time.
PostgreSQL is the one the tests start, or ``--dsn``.

``python benchmarks/ledger.py inbox --cases 50000`` lets so many events wait unfiled on SQLite, has another process file them, and
times `Ledger.accept` in this one meanwhile.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loop_whiplash.ledger import Event, Ledger, PostgresLedger, SQLiteLedger

AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(hours=12)
LEASED_BY_OTHERS = 10_000
DUE = 20_000
#: Bytes of what the integration stores for a settled return of two lines: journal, summary with its decision; and of a webhook.
JOURNAL, SUMMARY, WEBHOOK = 800, 950, 4000
#: Bytes of the one event of each case here.
EVENT = 300
#: So many first, not counted: until both write-ahead logs have come round to their beginning and are written over instead of
#: growing, which is how a ledger spends its life (growing costs about twice as much a commit, in the bare one too).
WARM = 1500


def timed(call: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def noise(size: int) -> str:
    """Text that does not compress."""
    return base64.b64encode(os.urandom(size))[:size].decode()


def told(name: str, times: list[float]) -> str:
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{name:44s} n={len(times):5d}  median {statistics.median(times):8.3f} ms  p99 {p99:8.3f} ms  max {ordered[-1]:8.3f} ms"


# ---------------------------------------------------------------------------------------------------- accept


def accept(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="lw-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        bare = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB)")
        ledger = SQLiteLedger(f"{folder}/ledger.db")
        runs: dict[str, list[float]] = {name: [] for name in ("bare commit of a row with the body", "accept", "accept, claim, finish")}
        for number in range(1, count + WARM + 1):
            body = json.dumps({"id": str(number), "pad": "x" * (WEBHOOK - 40)}).encode()

            def commit(body: bytes = body) -> None:
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO bodies (body) VALUES (?)", (body,))
                bare.execute("COMMIT")

            def take(return_id: int = 2 * number, body: bytes = body) -> None:
                event = Event(kind="loop.hint", return_id=return_id, at=AT, body=body, source="return return.updated")
                ledger.accept(event, due_at=AT)

            def work(return_id: int = 2 * number + 1) -> None:
                take(return_id)
                claim = ledger.claim(return_id, at=AT, lease=LEASE)
                assert claim is not None
                ledger.finish(claim, journal={"n": 1}, read_to=claim.unread[-1].seq, due_at=None, summary={}, at=AT)

            spent = [timed(call) for call in (commit, take, work)]
            if number > WARM:
                for times, each in zip(runs.values(), spent, strict=True):
                    times.append(each)
        base = next(iter(runs.values()))
        for name, times in runs.items():
            print(told(name, times), f" ratio of medians {statistics.median(times) / statistics.median(base):.2f}")
        bare.close()
        ledger.close()


# ---------------------------------------------------------------------------------------------------- inbox

#: Another process: files all that waits when it is told to.
FILER = """
import sys
from loop_whiplash.ledger import SQLiteLedger
ledger = SQLiteLedger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
ledger.case(1)
"""


def inbox(waiting: int) -> None:
    with tempfile.TemporaryDirectory(prefix="lw-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        ledger, pad = SQLiteLedger(f"{folder}/ledger.db"), b"x" * (WEBHOOK - 40)
        numbers = itertools.count(1)

        def event() -> Event:
            number = next(numbers)
            return Event(kind="loop.hint", return_id=number, at=AT, body=b"%d %b" % (number, pad), source="return return.updated")

        for _ in range(0, waiting, 5000):
            ledger.accept_many([(event(), AT) for _ in range(5000)])
        alone = [timed(lambda: ledger.accept(event(), due_at=AT)) for _ in range(WARM)]
        command = [sys.executable, "-c", FILER, f"{folder}/ledger.db"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as filer:
            assert filer.stdin is not None
            assert filer.stdout is not None
            filer.stdout.readline()
            filer.stdin.write("\n")
            filer.stdin.flush()
            meanwhile = []
            while filer.poll() is None:
                meanwhile.append(timed(lambda: ledger.accept(event(), due_at=AT)))
        print(told("accept alone", alone))
        print(told(f"accept while {waiting} are filed elsewhere", meanwhile))
        ledger.close()


# ---------------------------------------------------------------------------------------------------- claims

FILL = (
    """
    INSERT INTO lw_cases (shop, return_id, due_at, created_at, fence, lease_until, lease_token)
    SELECT '', n,
        CASE WHEN n <= :leased THEN :long_due WHEN n <= :due THEN :just_due WHEN n <= :open THEN :later END,
        :at, 1,
        CASE WHEN n <= :leased THEN :until END, CASE WHEN n <= :leased THEN 'other' END
    FROM {series}
    """,
    """
    INSERT INTO lw_journals (shop, return_id, journal, summary, has_breaks) SELECT '', n, :journal, :summary, n % 50 = 0
    FROM {series}
    """,
    """
    INSERT INTO lw_events (shop, return_id, happened_at, times, digest, kind, source, body)
    SELECT '', n, :at, 1, CASE WHEN n <= :due THEN randomblob(32) END, 'loop.hint', 'return return.updated', :body
    FROM {series}
    """,
)

#: Of a row in each of these tables, the bytes that are the caller's.
DATA = (0, JOURNAL + SUMMARY, EVENT)


def claims(count: int, postgres: bool, dsn: str | None) -> None:
    values = {
        "leased": LEASED_BY_OTHERS,
        "due": LEASED_BY_OTHERS + DUE,
        "open": count // 10,
        "journal": json.dumps({"pad": noise(JOURNAL - 11)}),
        "summary": json.dumps({"pad": noise(SUMMARY - 11)}),
        "body": noise(EVENT).encode(),
    }
    with tempfile.TemporaryDirectory(prefix="lw-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        start = time.perf_counter()
        ledger = fill_postgres(count, values, dsn) if postgres else fill_sqlite(f"{folder}/ledger.db", count, values)
        print(f"{count:,} cases, {LEASED_BY_OTHERS:,} longer due and leased by others, {DUE:,} due")
        print(f"filled in {time.perf_counter() - start:.0f} s")
        measure(ledger)
        ledger.close()


def measure(ledger: Ledger) -> None:
    def claim(limit: int) -> Callable[[], object]:
        def call() -> None:
            assert len(ledger.claim_due(at=AT, limit=limit, lease=LEASE)) == limit

        return call

    for _ in range(20):
        claim(1)()
    print(told("claim one", [timed(claim(1)) for _ in range(1000)]))
    print(told("claim a hundred", [timed(claim(100)) for _ in range(60)]))

    def one() -> None:
        (found,) = ledger.claim_due(at=AT, limit=1, lease=LEASE)
        ledger.commit(found, journal=found.journal, read_to=found.unread[-1].seq)
        ledger.finish(found, journal=found.journal, read_to=0, due_at=None, summary={"pad": "s" * SUMMARY}, at=AT)

    print(told("claim one, commit, finish", [timed(one) for _ in range(300)]))
    print(told("stats", [timed(lambda: ledger.stats(at=AT)) for _ in range(3)]))
    print(told("a page of 1,000 open cases", [timed(lambda: ledger.open_cases(after=50_000)) for _ in range(10)]))


def fill_sqlite(path: str, count: int, values: dict[str, object]) -> Ledger:
    SQLiteLedger(path).close()

    def stamp(at: datetime) -> int:
        return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"
    before = 0
    for sql, data in zip(FILL, DATA, strict=True):
        connection.execute(sql.format(series=series), {**values, **{name: stamp(at) for name, at in times().items()}})
        connection.commit()
        size = connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        print(f"{sql.split()[2]}: {(size - before) / count:.0f} bytes a row with its indexes, {data} of them given")
        before = size
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with open(path, "rb") as file:
        os.fsync(file)  # or the first claim would pay for all of it
    return SQLiteLedger(path)


def fill_postgres(count: int, values: dict[str, object], dsn: str | None) -> Ledger:
    import re

    import psycopg

    if dsn is None:
        sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
        from postgres_server import server

        dsn = server()
    ledger = PostgresLedger(dsn)
    ledger.now()
    with psycopg.connect(dsn, autocommit=True) as connection:
        for sql in FILL:
            words = re.sub(
                r":([a-z_]+)",
                r"%(\1)s",
                sql.replace("n % 50", "n %% 50")
                .replace("randomblob(32)", "sha256(CAST(CAST(n AS text) AS bytea))")
                .format(series=f"generate_series(1, {count}) AS s(n)"),
            )
            words = re.sub(r"(%\((?:at|long_due|just_due|later|until)\)s)", r"\1::timestamptz", words)
            connection.execute(words, {**values, **times()})
        connection.execute("VACUUM ANALYZE")
        for table, data in zip(("lw_cases", "lw_journals", "lw_events"), DATA, strict=True):
            size = connection.execute(f"SELECT pg_total_relation_size('{table}')").fetchone()
            print(f"{table}: {size[0] / count:.0f} bytes a row with its indexes, {data} of them given")
    return ledger


def times() -> dict[str, datetime]:
    return {
        "at": AT,
        "long_due": AT - timedelta(days=2),
        "just_due": AT - timedelta(hours=1),
        "later": AT + timedelta(days=1),
        "until": datetime.now(UTC) + timedelta(days=1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["accept", "claims", "inbox"])
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--dsn")
    given = parser.parse_args()
    if given.what == "accept":
        accept(given.count)
    elif given.what == "inbox":
        inbox(given.cases)
    else:
        claims(given.cases, given.postgres or given.dsn is not None, given.dsn)


if __name__ == "__main__":
    main()
