"""The ledger in one SQLite file: the default, for all workers of one host.

Nothing but the standard library. Write-ahead log with ``synchronous=FULL``, so what was committed is on the disk when
the call returns (https://www.sqlite.org/pragma.html#pragma_synchronous: with NORMAL a commit may be rolled back by a
power loss). Not for network file systems (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, ClassVar, TypeVar

from loop_whiplash.errors import ConfigurationError, LedgerError, LedgerUnavailable
from loop_whiplash.redaction import kind_of

from .protocol import Event
from .sql import SqlLedger, Transaction, migrate
from .statements import VERSION, Statements, Words
from .stored import aware, utc_now
from .turns import Turns

__all__ = ["SQLiteLedger"]

T = TypeVar("T")

log: logging.Logger = logging.getLogger("loop_whiplash.ledger")

WORDS = Words(
    now=":now",
    clock=":now",
    long_ago="0",
    lock="",
    skip_locked="",
    serial="INTEGER PRIMARY KEY AUTOINCREMENT",  # a seq is never given twice, not even after the newest event was deleted
    time="INTEGER",  # microseconds since 1970, UTC
    bytes="BLOB",
    long="INTEGER",
    clustered="WITHOUT ROWID",
    by_lease="INDEXED BY lw_cases_leased",
    inbox="""
        CREATE TABLE lw_inbox (
            place INTEGER PRIMARY KEY,
            shop TEXT NOT NULL,
            return_id INTEGER NOT NULL,
            happened_at INTEGER NOT NULL,
            due_at INTEGER,
            times INTEGER NOT NULL,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            body BLOB NOT NULL
        )
    """,
    parameter=r":\1",
)

#: What comes in is one row of the inbox; no more is written before a webhook is answered. Whoever looks at cases or events
#: files it among them first, a writer in the same transaction.
INBOX = ("place", "shop", "return_id", "at", "due_at", "times", "kind", "source", "body")
PUT_IN = """
    INSERT INTO lw_inbox (shop, return_id, happened_at, due_at, times, kind, source, body)
    VALUES (:shop, :return_id, :at, :due_at, :times, :kind, :source, :body)
"""
SIZES = "SELECT place, LENGTH(body) FROM lw_inbox ORDER BY place LIMIT :limit"
OLDEST = """
    SELECT place, shop, return_id, happened_at, due_at, times, kind, source, body FROM lw_inbox WHERE place <= :upto ORDER BY place
"""
TAKE_OUT = "DELETE FROM lw_inbox WHERE place <= :upto"
ANY = "SELECT 1 FROM lw_inbox LIMIT 1"

#: As much is filed in one transaction: rows, and bytes of their bodies (one row may have more).
AT_ONCE = 200
AT_ONCE_BYTES = 2_000_000

#: Whoever waits for another process looks again after so many seconds at most. Whoever files a long inbox stays away for
#: longer between two transactions: so a webhook waits for one of them and not for all.
NAP = 0.002
BREATH = 0.003

#: Set on every connection. A checkpoint each 8 MB of log instead of 4: rarer, and still not a long wait for the one that makes it.
PRAGMAS = (
    ("fullfsync", 1),
    ("checkpoint_fullfsync", 1),
    ("foreign_keys", 1),
    ("secure_delete", 1),  # what `forget` deletes is overwritten
    ("trusted_schema", 0),
    ("wal_autocheckpoint", 2000),
    ("journal_size_limit", 64 << 20),
    ("cache_size", -16000),
)

#: UPDATE FROM, RETURNING and MATERIALIZED; https://www.sqlite.org/releaselog/3_35_0.html
OLDEST_SQLITE = (3, 35, 0)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL})


#: What to do, by the first words of SQLite's name for what went wrong (https://www.sqlite.org/rescode.html).
ADVICE = {
    "SQLITE_NOTADB": "it is no SQLite file, or was damaged; give the ledger a file of its own, or restore a backup",
    "SQLITE_CORRUPT": "it was damaged; restore a backup",
    "SQLITE_READONLY": "this user must be allowed to write the file and its directory",
    "SQLITE_CANTOPEN": "this user must be allowed to open the file, and to make files in its directory",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk failed",
    "SQLITE_BUSY": "another process kept it locked",
}


class _Lane:
    """One connection and the order in which threads have it."""

    def __init__(self, patience: float) -> None:
        self.turns = Turns(timeout=patience)
        self.session: _Session | None = None

    def __del__(self) -> None:
        self.drop()

    def drop(self) -> None:
        """Close the connection; the next transaction opens a new one."""
        if self.session is not None:
            with contextlib.suppress(sqlite3.Error):
                self.session.connection.close()
            self.session = None


class _Session:
    """An open connection, as a `Transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()

    def change(self, sql: str, **values: Any) -> int:
        return self.connection.execute(sql, values).rowcount


class SQLiteLedger(SqlLedger):
    """A `Ledger` in one SQLite file, for any number of threads and processes of one host.

    One connection writes and one reads; threads take turns in the order they came. Another process that is writing is
    waited for. Forked workers open connections of their own.

    Args:
        path: the file; made with mode 0600 when it is not there. Its ``-wal`` and ``-shm`` files belong to it.
        clock: the ledger's clock, by which leases go; gives an aware datetime. Real time by default. The same for all workers.
        shop: which shop's returns this is about; several shops may share a file.
        busy_timeout: seconds to wait for other writers before `LedgerUnavailable`.

    Raises:
        ConfigurationError: no such directory, or no path to a file.
        LedgerError: the file is not a ledger, or a newer release has written it.
        LedgerUnavailable: it cannot be opened, or the disk cannot keep what P1 promises.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = SQLiteLedger(folder + "/ledger.db", shop="acme")
    ...     ledger.put("watermark", "2026-01-01")
    ...     ledger.get("watermark")
    ...     ledger.close()
    '2026-01-01'
    """

    statements: ClassVar[Statements] = Statements.in_words(WORDS)

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], datetime] = utc_now,
        shop: str = "",
        busy_timeout: float = 30.0,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or later is needed")
        super().__init__(shop=shop)
        self._path = _file(path)
        self._now = clock
        self._patience = busy_timeout
        self._writer, self._reader = _Lane(busy_timeout), _Lane(busy_timeout)
        self._held_back: list[_Lane] = []
        self._closed = False
        _make(self._path)
        self._identity = _identity(self._path)
        self._transaction(lambda tx: tx.rows(self.statements.version))

    def now(self) -> datetime:
        return aware(self._now(), "what the ledger's clock gives")

    def close(self) -> None:
        self._closed = True
        for lane in (self._reader, self._writer):  # the writer last: it takes the log into the file
            with contextlib.suppress(TimeoutError), lane.turns:
                lane.drop()

    def expire(self, *, before: datetime) -> int:
        gone = super().expire(before=before)
        self._empty_the_log()
        return gone

    def forget(self, return_id: int) -> None:
        super().forget(return_id)
        self._empty_the_log()

    def _empty_the_log(self) -> None:
        """What was deleted would be in it until it is written over. Left for another time while somebody reads."""
        with contextlib.suppress(TimeoutError, sqlite3.Error), self._writer.turns:
            if self._writer.session is not None:
                self._writer.session.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    # ------------------------------------------------------------------------------------------------ the inbox

    def accept(self, event: Event, *, due_at: datetime | None) -> None:
        row = self._row(event, due_at)
        self._transaction(lambda tx: tx.change(PUT_IN, **row), begin="")  # one statement is a transaction of its own

    def accept_many(self, events: Iterable[tuple[Event, datetime | None]]) -> int:
        rows = [self._row(event, due_at) for event, due_at in events]

        def put_in(tx: Transaction) -> None:
            for row in rows:
                tx.change(PUT_IN, **row)

        self._transaction(put_in)
        return len(rows)

    def _file_some(self, tx: Transaction) -> bool:
        """File the oldest of what is in the inbox; gives whether there may be more."""
        sizes = tx.rows(SIZES, limit=AT_ONCE)
        if not sizes:
            return False
        fit = sum(so_far <= AT_ONCE_BYTES for so_far in accumulate(size for _, size in sizes)) or 1
        upto = sizes[fit - 1][0]
        for values in tx.rows(OLDEST, upto=upto):
            self._file(tx, dict(zip(INBOX, values, strict=True)))
        tx.change(TAKE_OUT, upto=upto)
        return fit < len(sizes) or len(sizes) == AT_ONCE

    def _run(self, body: Callable[[Transaction], T], *, write: bool = True, filed: bool = True) -> T:
        def after_filing(tx: Transaction) -> tuple[bool, Any]:
            return (False, None) if self._file_some(tx) else (True, body(tx))

        if filed and write:
            while True:
                done, answer = self._transaction(after_filing)
                if done:
                    found: T = answer
                    return found
                time.sleep(BREATH)
        if filed and self._transaction(lambda tx: tx.rows(ANY), write=False):
            while self._transaction(self._file_some):
                time.sleep(BREATH)
        return self._transaction(body, write=write)

    # ------------------------------------------------------------------------------------------------ transactions

    def _transaction(self, body: Callable[[Transaction], T], *, write: bool = True, begin: str = "BEGIN IMMEDIATE") -> T:
        """Run `body` on the connection that writes or on the one that reads. `begin`: empty for a body that is one statement."""
        lane = self._writer if write else self._reader
        try:
            with lane.turns:
                return self._patiently(lane, body, begin if write else "BEGIN")
        except TimeoutError:
            raise LedgerUnavailable(f"other threads kept the ledger busy for {self._patience:g} seconds; nothing was stored") from None
        except sqlite3.Error as failed:
            raise self._unavailable(failed) from None

    def _transact(self, lane: _Lane, body: Callable[[Transaction], T], begin: str) -> T:
        session = self._session(lane)
        try:
            if not begin:
                return body(session)
            session.change(begin)
            answer = body(session)
            session.change("COMMIT")
        except BaseException as raised:
            fit = not isinstance(raised, sqlite3.Error) or _busy(raised)
            try:
                if session.connection.in_transaction:
                    session.change("ROLLBACK")
            except sqlite3.Error:
                fit = False
            if not fit:  # after a failure of the storage, start over with a new connection
                lane.drop()
            raise
        return answer

    def _patiently(self, lane: _Lane, body: Callable[[Transaction], T], begin: str) -> T:
        """Try until no other process is in the way. SQLite's own waiting sleeps 100 ms at a time, which a busy writer can starve."""
        started, pause = None, 0.0005
        while True:
            try:
                return self._transact(lane, body, begin)
            except sqlite3.Error as failed:
                started = started or time.monotonic()
                if not _busy(failed) or time.monotonic() > started + self._patience:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.5, NAP)

    def _unavailable(self, failed: sqlite3.Error) -> LedgerUnavailable:
        name = getattr(failed, "sqlite_errorname", type(failed).__name__)  # never its message, which may quote what was written
        advice = next((f": {said}" for begins, said in ADVICE.items() if name.startswith(begins)), "")
        return LedgerUnavailable(f"the ledger {self._path} could not be read or written ({name}); nothing was stored{advice}")

    # ------------------------------------------------------------------------------------------------ connections

    def _session(self, lane: _Lane) -> _Session:
        if self._closed:
            raise LedgerUnavailable("this ledger was closed")
        if _identity(self._path) != self._identity:
            lane.drop()
            raise LedgerUnavailable(
                f"the ledger {self._path} was removed or replaced while it was open: stop all workers and start them again"
            )
        if lane.session is not None and lane.session.connection.in_transaction:
            lane.drop()  # an interrupt came while another was seen to: what is written now must not wait for the end of that
        if lane.session is None:
            lane.session = _Session(sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False))
            try:
                self._prepare(lane.session)
            except BaseException:
                lane.drop()
                raise
        return lane.session

    def _prepare(self, session: _Session) -> None:
        found = session.rows("SELECT name = 'lw_schema' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        if found and not any(ours for (ours,) in found):
            raise LedgerError(f"{self._path} is an SQLite file, but not a ledger; give the ledger a file of its own")
        if (mode := session.rows("PRAGMA journal_mode = WAL")[0][0]) != "wal":
            raise LedgerUnavailable(f"SQLite cannot keep a write-ahead log for {self._path} (it says {mode!r}); is it on a local disk?")
        session.change("PRAGMA synchronous = FULL")
        if (level := session.rows("PRAGMA synchronous")[0][0]) < 2:
            raise LedgerUnavailable(f"SQLite does not write through to the disk (synchronous is {level}), so a webhook could be lost")
        for name, value in PRAGMAS:
            session.rows(f"PRAGMA {name} = {value}")
        if not found or session.rows(self.statements.version)[0][0] != VERSION:
            self._migrate(session)

    def _migrate(self, session: _Session) -> None:
        session.change("BEGIN IMMEDIATE")
        try:
            there = session.rows("SELECT 1 FROM sqlite_master WHERE name = 'lw_schema'")
            version = session.rows(self.statements.version)[0][0] if there else 0
            if version != VERSION:  # another process may have been quicker
                migrate(session, WORDS, version)
            session.change("COMMIT")
        except BaseException:
            session.change("ROLLBACK")
            raise

    def _before_fork(self) -> None:
        # SQLite keeps its locks by process: a child would believe it holds those of its parent. So nothing is open meanwhile.
        self._held_back = []
        for lane in (self._reader, self._writer):
            with contextlib.suppress(TimeoutError):
                lane.turns.take()
                self._held_back.append(lane)
                lane.drop()

    def _after_fork(self, *, child: bool) -> None:
        if child:  # the threads that waited for their turn are not in this process
            self._writer, self._reader = _Lane(self._patience), _Lane(self._patience)
        else:
            for lane in self._held_back:
                lane.turns.pass_on()

    # ------------------------------------------------------------------------------------------------ times

    def _stamp(self, at: datetime) -> int:
        return (at - _EPOCH) // _MICROSECOND

    def _read(self, stored: int) -> datetime:
        return _EPOCH + stored * _MICROSECOND

    def _clock(self) -> dict[str, Any]:
        return {"now": self._stamp(self.now())}

    def _length(self, lease: timedelta) -> int:
        return lease // _MICROSECOND


def _busy(failed: sqlite3.Error) -> bool:
    return getattr(failed, "sqlite_errorcode", 0) & 0xFF in _BUSY


def _file(path: str | os.PathLike[str]) -> str:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise ConfigurationError(f"path must name a file, such as 'returns.db'; got {kind_of(path)}: is its environment variable set?")
    name: object = os.fspath(path)
    if not isinstance(name, str) or not name or name.startswith(("file:", ":memory:")):
        raise ConfigurationError("path must name a file; to keep nothing on disk, use MemoryLedger")
    folder = os.path.dirname(os.path.abspath(name))
    if not os.path.isdir(folder):
        raise ConfigurationError(f"there is no directory {folder} to make the ledger in")
    if os.path.isdir(name):
        raise ConfigurationError(f"{name} is a directory; name the file in it, such as {os.path.join(name, 'returns.db')}")
    return os.path.abspath(name)


def _make(path: str) -> None:
    """Make the file for its owner alone; SQLite gives its log files the same mode."""
    try:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            if os.name == "posix" and os.stat(path).st_mode & 0o007:
                log.warning("%s can be read or written by others; it holds personal data: chmod 600", path)
            return
        if os.name == "posix":  # the name of the file must survive a power loss too
            folder = os.open(os.path.dirname(path), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as failed:
        raise LedgerUnavailable(f"the ledger {path} cannot be made: {failed.strerror}") from None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
