"""Where OAuth tokens are kept, so that a refreshed pair outlives the process and is shared with others.

Refresh tokens may rotate: the new pair must be stored before it is used, or a crash locks everybody out until a person logs
in again. And a refresh token may be good for one use only: who refreshes must be one at a time, across threads, tasks and
processes. So a store has two powers: to give out a *claim* to refresh, which lapses by itself, and to replace a token only
if it still is the one that was refreshed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

import attrs

from loop_whiplash.errors import ConfigurationError

__all__ = ["MemoryTokenStore", "SQLiteTokenStore", "Token", "TokenStore"]


@attrs.frozen(kw_only=True)
class Token:
    """An access token, and what renews it. `expires_at` is aware; None: not known."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str | None = attrs.field(default=None, repr=False)
    expires_at: datetime | None = attrs.field(default=None)
    scope: str | None = None

    @expires_at.validator
    def _aware(self, _: object, value: datetime | None) -> None:
        if value is not None and value.tzinfo is None:
            raise ConfigurationError("expires_at has no time zone")


class TokenStore(Protocol):
    """Keeps one account's token. Every method is one short transaction and may be called from any thread."""

    def load(self) -> Token | None:
        """The token as it is now, or None."""
        ...

    def save(self, token: Token, *, replaces: Token | None) -> bool:
        """Put `token` in the place of `replaces`, durably, before returning. False, and nothing done, if another is there by now."""
        ...

    def claim(self, seconds: float) -> str | None:
        """Be the one who refreshes, for so many seconds at most. Gives a name for this claim; None while another is the one."""
        ...

    def release(self, claim: str) -> None:
        """Stop being the one who refreshes, unless the claim of that name has lapsed and another has his by now."""
        ...


class MemoryTokenStore:
    """A store for one process. A rotated refresh token is lost with it: for tests, and where tokens do not rotate.

    Args:
        token: the first one. clock: seconds, never going back.
    """

    def __init__(self, token: Token | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._token = token
        self._clock = clock
        self._lock = threading.Lock()
        self._claim, self._claimed_until = "", float("-inf")

    def __repr__(self) -> str:
        return "MemoryTokenStore(…)"

    def load(self) -> Token | None:
        with self._lock:
            return self._token

    def save(self, token: Token, *, replaces: Token | None) -> bool:
        with self._lock:
            if self._token != replaces:
                return False
            self._token = token
            return True

    def claim(self, seconds: float) -> str | None:
        with self._lock:
            if self._clock() < self._claimed_until:
                return None
            self._claim, self._claimed_until = os.urandom(8).hex(), self._clock() + seconds
            return self._claim

    def release(self, claim: str) -> None:
        with self._lock:
            if self._claim == claim:
                self._claimed_until = float("-inf")


class SQLiteTokenStore:
    """A store in a file, for all processes of one host. Several accounts may share a file, each under its own name.

    The file is made readable by its owner alone. Tokens are in it in clear text: keep it as you keep a private key.

    Args:
        path: of the file. account: which token in it. clock: seconds since 1970, the same for all who share the file.
    """

    def __init__(self, path: str | os.PathLike[str], *, account: str = "whiplash", clock: Callable[[], float] = time.time) -> None:
        self._path = os.fspath(path)
        if not self._path or self._path.startswith(":memory:"):
            raise ConfigurationError("a SQLiteTokenStore needs a file that other processes see; use MemoryTokenStore for one process")
        self._account = account
        self._clock = clock
        # Made by us, so that it never is readable by others, not even for a moment.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        with self._transaction() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS loop_whiplash_tokens (account TEXT PRIMARY KEY, access_token TEXT, refresh_token TEXT, "
                "expires_at TEXT, scope TEXT, claimed_by TEXT, claimed_until REAL NOT NULL DEFAULT 0)"
            )
            db.execute("INSERT OR IGNORE INTO loop_whiplash_tokens (account) VALUES (?)", (account,))

    def __repr__(self) -> str:
        return f"SQLiteTokenStore({self._path!r}, account={self._account!r})"

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own: a refresh is rare, and no connection is then shared by threads or forks."""
        db = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
        try:
            yield db
        finally:
            db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction, on disk when it ends."""
        with self._opened() as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _read(self, db: sqlite3.Connection) -> Token | None:
        row = db.execute(
            "SELECT access_token, refresh_token, expires_at, scope FROM loop_whiplash_tokens WHERE account = ?", (self._account,)
        ).fetchone()
        if row is None or row[0] is None:
            return None
        expires_at = datetime.fromisoformat(row[2]) if row[2] else None
        return Token(access_token=row[0], refresh_token=row[1], expires_at=expires_at, scope=row[3])

    def load(self) -> Token | None:
        with self._opened() as db:
            return self._read(db)

    def save(self, token: Token, *, replaces: Token | None) -> bool:
        expires_at = None if token.expires_at is None else token.expires_at.astimezone(UTC).isoformat()
        with self._transaction() as db:
            if self._read(db) != replaces:
                return False
            db.execute(
                "UPDATE loop_whiplash_tokens SET access_token = ?, refresh_token = ?, expires_at = ?, scope = ? WHERE account = ?",
                (token.access_token, token.refresh_token, expires_at, token.scope, self._account),
            )
            return True

    def claim(self, seconds: float) -> str | None:
        now, claim = self._clock(), os.urandom(8).hex()
        with self._transaction() as db:
            taken = db.execute(
                "UPDATE loop_whiplash_tokens SET claimed_by = ?, claimed_until = ? WHERE account = ? AND claimed_until <= ?",
                (claim, now + seconds, self._account, now),
            ).rowcount
        return claim if taken else None

    def release(self, claim: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE loop_whiplash_tokens SET claimed_until = 0 WHERE account = ? AND claimed_by = ?", (self._account, claim))
