"""One budget for several processes of one host: the places of a `RateLimit` in a file."""

from __future__ import annotations

import os
import sqlite3
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loop_whiplash.errors import ConfigurationError, ConnectionFailed

from .limit import RateLimit

__all__ = ["SharedRateLimit"]


class SharedRateLimit:
    """`RateLimit` for all processes that name the same file and budget. Places, holds and what replies said are shared.

    The file holds times and nothing else; losing it costs at most one stretch of over-spending. For several hosts write a
    `Limiter` over a server that they share.

    Args:
        path: of the file. limit: requests. per: seconds. budget: which of several in the file, one for each key or customer.
        slack: as for `RateLimit`. clock: seconds since 1970, the same for all who share the file.

    Example:
        >>> SharedRateLimit("limits.db", 300, 60, budget="loop/main-shop")  # doctest: +SKIP
        SharedRateLimit('limits.db', 300, 60, budget='loop/main-shop')
    """

    blocking: bool = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        limit: int,
        per: float,
        *,
        budget: str = "default",
        slack: float = 0.03,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = os.fspath(path)
        if not self._path or self._path.startswith(":memory:"):
            raise ConfigurationError("a SharedRateLimit needs a file that other processes see; use RateLimit for one process")
        self._budget = budget
        self._make: Callable[[], RateLimit] = lambda: RateLimit(limit, per, slack=slack, clock=clock)
        self._shown = f"{self._path!r}, {limit}, {per}, budget={budget!r}"
        self._make()
        with self._file() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS loop_whiplash_limits "
                "(budget TEXT PRIMARY KEY, places BLOB NOT NULL, held_until REAL NOT NULL, refusals INTEGER NOT NULL)"
            )

    def __repr__(self) -> str:
        return f"SharedRateLimit({self._shown})"

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = OFF")  # what a power cut loses here, it gives back as time
                yield db
            finally:
                db.close()
        except sqlite3.Error as error:
            raise ConnectionFailed(
                f"the shared rate limit could not be read or written ({type(error).__name__}): mend its file; nothing was sent"
            ) from error

    def _read(self, db: sqlite3.Connection) -> RateLimit:
        rate = self._make()
        row = db.execute("SELECT places, held_until, refusals FROM loop_whiplash_limits WHERE budget = ?", (self._budget,)).fetchone()
        if row is not None:
            places = array("d")
            places.frombytes(row[0])
            rate.restore(places, held_until=row[1], refusals=row[2])
        return rate

    @contextmanager
    def _alone(self) -> Iterator[RateLimit]:
        """The limiter as it is in the file, for one at a time; written back afterwards."""
        with self._file() as db:
            db.execute("BEGIN IMMEDIATE")
            rate = self._read(db)
            yield rate
            places, held_until, refusals = rate.state()
            db.execute(
                "INSERT OR REPLACE INTO loop_whiplash_limits (budget, places, held_until, refusals) VALUES (?, ?, ?, ?)",
                (self._budget, array("d", places).tobytes(), held_until, refusals),
            )
            db.execute("COMMIT")

    def reserve(self) -> float:
        """Take the next free place of all processes; seconds until it comes."""
        with self._alone() as rate:
            return rate.reserve()

    def held(self) -> float:
        """Seconds for which no process may send."""
        with self._file() as db:
            return self._read(db).held()

    def learn(self, *, remaining: int | None = None, refused: bool = False, retry_after: float | None = None) -> None:
        """What a reply said to one process, for all of them. Most replies say nothing new and write nothing."""
        if not refused:
            with self._file() as db:
                rate = self._read(db)
                before = rate.state()
                rate.learn(remaining=remaining)
                if rate.state() == before:
                    return
        with self._alone() as rate:
            rate.learn(remaining=remaining, refused=refused, retry_after=retry_after)
