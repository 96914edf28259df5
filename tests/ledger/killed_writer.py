"""A program that is killed (SIGKILL, by itself, in a forked process) before every statement it runs and after every COMMIT, in turn.

``killed_writer.py sqlite FOLDER`` or ``killed_writer.py postgres DSN``. After each death the ledger is opened again: all that
was acknowledged must be there, and what was not must be there whole or not at all. Prints ``ok POINTS`` or what is wrong.
With a third argument ``broken`` no statement is run in a transaction, which must be found out.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any

from crash_script import START, STEPS, day, picture

from loop_whiplash.ledger import Ledger, PostgresLedger, SQLiteLedger, sqlite

NEVER_KILLED = 10**6

_left: list[int] = []


def tick(sql: object, *, after: bool = False) -> None:
    """One more point at which the process may die. After a statement that commits nothing is before the next one."""
    if _left and (not after or sql in ("COMMIT", b"COMMIT") or str(sql).lstrip().startswith("INSERT INTO lw_inbox")):
        _left[0] -= 1
        if _left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Ticking(sqlite3.Connection):
    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        tick(sql)
        cursor = super().execute("SELECT 1" if "broken" in sys.argv and sql in ("BEGIN", "BEGIN IMMEDIATE", "COMMIT") else sql, *args)
        tick(sql, after=True)
        return cursor


def sqlite_ways(folder: str) -> tuple[Callable[[int], Ledger], Callable[[int], str]]:
    sqlite.AT_ONCE = 2  # so that what waits is filed in several transactions, and some die between two
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **options: connect(*args, factory=Ticking, **options)  # type: ignore[assignment]

    def reopen(run: int) -> str:
        ledger = SQLiteLedger(f"{folder}/{run}.db")  # as the next worker would: this recovers the log
        ledger.asides()  # and this files what is in its inbox
        ledger.close()
        connection = connect(f"{folder}/{run}.db")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        seen = picture(lambda sql: connection.execute(sql).fetchall())
        connection.close()
        return seen

    return lambda run: SQLiteLedger(f"{folder}/{run}.db", clock=lambda: START), reopen


def postgres_ways(dsn: str) -> tuple[Callable[[int], Ledger], Callable[[int], str]]:
    import psycopg

    execute = psycopg.Connection.execute

    def ticking(self: Any, sql: Any, *args: Any, **options: Any) -> Any:
        tick(sql)
        cursor = execute(self, sql, *args, **options)
        tick(sql, after=True)
        return cursor

    psycopg.Connection.execute = ticking  # type: ignore[method-assign]

    def reopen(run: int) -> str:
        ledger = PostgresLedger(dsn, shop=str(run))
        ledger.put("after", "x")  # waits for what the dead worker's session may still hold
        ledger.put("after", None)
        ledger.close()
        with psycopg.connect(dsn) as connection:
            return picture(lambda sql: connection.execute(sql).fetchall(), shop=str(run))

    return lambda run: PostgresLedger(dsn, shop=str(run)), reopen


def live(make: Callable[[int], Ledger], run: int, points: int, acknowledge: Callable[[], Any]) -> None:
    """One life of a worker, of so many points."""
    ledger = make(run)
    ledger.get("watermark")  # connected; the tables are there
    acknowledge()
    _left.append(points)
    for _ in day(ledger):
        acknowledge()
    _left.clear()
    ledger.close()


def main(kind: str, where: str) -> str:
    make, reopen = (sqlite_ways if kind == "sqlite" else postgres_ways)(where)
    pictures = [shot(make, reopen, steps) for steps in range(STEPS + 1)]
    points = 0
    while True:
        points += 1
        mine, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            live(make, points, points - 1, partial(os.write, theirs, b"."))
            os._exit(0)
        os.close(theirs)
        said = b""
        while more := os.read(mine, 100):
            said += more
        os.close(mine)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the worker failed by itself"
            return f"ok {points - 1}"
        assert os.WTERMSIG(status) == signal.SIGKILL
        acknowledged, found = len(said) - 1, reopen(points)
        if found not in pictures[acknowledged : acknowledged + 2]:
            return f"point {points}: after {acknowledged} acknowledged steps there is\n{found}\nnot\n{pictures[acknowledged]}\nor the next"


def shot(make: Callable[[int], Ledger], reopen: Callable[[int], str], steps: int) -> str:
    """The picture after so many steps, everything closed properly."""
    ledger = make(NEVER_KILLED + steps)
    ledger.get("watermark")
    for _ in islice(day(ledger), steps):
        pass
    ledger.close()
    return reopen(NEVER_KILLED + steps)


if __name__ == "__main__":
    print(main(*sys.argv[1:3]))
