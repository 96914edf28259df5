"""The three ledgers, each with a way to let time pass, as the conformance suite sees them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from loop_whiplash.ledger import Claim, Event, Ledger, MemoryLedger, PostgresLedger, SQLiteLedger

#: Decision times in these tests count from here.
START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=10)


def at(minutes: float = 0) -> datetime:
    return START + timedelta(minutes=minutes)


def hint(return_id: int | None = 7, body: bytes = b"{}", *, kind: str = "loop.hint", minutes: float = 0) -> Event:
    return Event(kind=kind, return_id=return_id, at=at(minutes), body=body, source="return return.updated")


@attrs.define
class Bench:
    """One storage. `open` gives another ledger on it; `pass_time` lets the ledger's clock run, which leases go by."""

    name: str
    open: Callable[..., Ledger]
    pass_time: Callable[[timedelta], None]
    ledger: Ledger = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ledger = self.open()

    def claimed(self, return_id: int = 7, minutes: float = 0) -> Claim:
        """A return that was hinted at, under a lease of ours."""
        self.ledger.accept(hint(return_id, minutes=minutes), due_at=at(minutes))
        claim = self.ledger.claim(return_id, at=at(minutes), lease=LEASE)
        assert claim is not None
        return claim

    def done(self, claim: Claim, *, due_at: datetime | None = None, minutes: float = 0, **facts: Any) -> None:
        """Finish with everything that was unread taken in."""
        read_to = max((event.seq for event in claim.unread), default=0)
        values = {"journal": {"n": claim.fence}, "summary": {}, "read_to": read_to, **facts}
        self.ledger.finish(claim, due_at=due_at, at=at(minutes), **values)


@attrs.define
class Clock:
    time: datetime = START

    def __call__(self) -> datetime:
        return self.time

    def move(self, by: timedelta) -> None:
        self.time += by


def memory_bench() -> Bench:
    clock = Clock()
    ledger = MemoryLedger(clock=clock)
    return Bench("memory", lambda **_: ledger, clock.move)


def sqlite_bench(folder: Path) -> Iterator[Bench]:
    clock, opened = Clock(), []

    def open_another(**options: Any) -> Ledger:
        opened.append(SQLiteLedger(folder / "ledger.db", clock=clock, **options))
        return opened[-1]

    yield Bench("sqlite", open_another, clock.move)
    for ledger in opened:
        ledger.close()


def postgres_bench(dsn: str) -> Iterator[Bench]:
    import psycopg

    opened: list[PostgresLedger] = []

    def open_another(**options: Any) -> Ledger:
        opened.append(PostgresLedger(dsn, **options))
        return opened[-1]

    def move(by: timedelta) -> None:
        # The database's clock cannot be moved; so the leases are.
        with psycopg.connect(dsn) as connection:
            connection.execute("UPDATE lw_cases SET lease_until = lease_until - %s", (by,))

    yield Bench("postgres", open_another, move)
    for ledger in opened:
        ledger.close()


BENCHES = ("memory", "sqlite", "postgres")
DURABLE = ("sqlite", "postgres")


def bench_for(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The bench that `request.param` names."""
    if request.param == "memory":
        yield memory_bench()
    elif request.param == "sqlite":
        yield from sqlite_bench(request.getfixturevalue("tmp_path"))
    else:
        yield from postgres_bench(request.getfixturevalue("postgres"))


HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"


def command(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", str(HERE / program), *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])}


def together(*works: Callable[[], None]) -> None:
    """Run all at once; raise what any of them raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    if raised:
        raise raised[0]
