"""The ledger's transactions over an SQL database. SQLite and PostgreSQL differ only in how one transaction is run."""

from __future__ import annotations

import os
import secrets
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Protocol, TypeVar

from loop_whiplash.errors import LedgerError

from .protocol import CaseRow, Claim, Event, Intent
from .statements import MIGRATIONS, SET_VERSION, VERSION, Statements, Words
from .stored import aware, digest, from_json, intent_exists, lease_lost, plain, positive, returned, storable, to_json

__all__ = ["SqlLedger", "Transaction", "check_version", "migrate"]

T = TypeVar("T")

#: The return id of events that name no return.
ASIDE = 0

#: How many events one transaction of `expire` looks at.
STRETCH = 5000


class Transaction(Protocol):
    """One open transaction."""

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement that gives rows."""

    def change(self, sql: str, **values: Any) -> int:
        """Run a statement that changes rows; gives how many."""


class SqlLedger(ABC):
    """A `Ledger` over an SQL database; `SQLiteLedger` and `PostgresLedger` say which."""

    statements: ClassVar[Statements]

    def __init__(self, *, shop: str) -> None:
        self.shop: str = plain(shop)
        _in_this_process.add(self)

    @abstractmethod
    def now(self) -> datetime:
        """The ledger's clock, aware, UTC."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections. Idempotent."""

    @abstractmethod
    def _run(self, body: Callable[[Transaction], T], *, write: bool = True, filed: bool = True) -> T:
        """Run `body` in one transaction: committed when it returns, rolled back when it raises; run again when nothing was written.

        `filed`: it is about cases or events, so whatever came in by `accept` must have been filed among them.
        """

    @abstractmethod
    def _stamp(self, at: datetime) -> Any:
        """A time as the database keeps it."""

    @abstractmethod
    def _read(self, stored: Any) -> datetime:
        """The time that `_stamp` made."""

    @abstractmethod
    def _clock(self) -> dict[str, Any]:
        """The parameters for ``{now}`` and ``{clock}``."""

    @abstractmethod
    def _length(self, lease: timedelta) -> Any:
        """The length of a lease, to be added to ``{now}``."""

    @abstractmethod
    def _before_fork(self) -> None:
        """Called by the thread that forks, just before."""

    @abstractmethod
    def _after_fork(self, *, child: bool) -> None:
        """Called by the thread that forks, just after, in both processes."""

    def _stamp_or_none(self, at: datetime | None, name: str) -> Any:
        return None if at is None else self._stamp(aware(at, name))

    # ------------------------------------------------------------------------------------------------ events come in

    def accept(self, event: Event, *, due_at: datetime | None) -> None:
        row = self._row(event, due_at)
        self._run(lambda tx: self._file(tx, row))

    def accept_many(self, events: Iterable[tuple[Event, datetime | None]]) -> int:
        rows = [self._row(event, due_at) for event, due_at in events]
        # In the same order by everybody, so that two of these never wait for each other crosswise.
        rows.sort(key=lambda row: (row["return_id"] == ASIDE, row["return_id"] or digest(row["kind"], row["body"])))

        def file(tx: Transaction) -> None:
            for row in rows:
                self._file(tx, row)

        self._run(file)
        return len(rows)

    def _row(self, event: Event, due_at: datetime | None) -> dict[str, Any]:
        return {
            "shop": self.shop,
            "return_id": ASIDE if event.return_id is None else returned(event.return_id),
            "at": self._stamp(aware(event.at, "the time of an event")),
            "due_at": self._stamp_or_none(due_at, "due_at"),
            "times": event.count,
            "kind": plain(event.kind),
            "source": plain(event.source),
            "body": bytes(event.body),
        }

    def _file(self, tx: Transaction, row: dict[str, Any]) -> None:
        """Put an event among the events, and its case among those that are due."""
        if row["return_id"] != ASIDE:
            tx.change(self.statements.bring_forward, **row)
        tx.change(self.statements.append, **row, digest=digest(row["kind"], row["body"]))

    # ------------------------------------------------------------------------------------------------ claims

    def claim_due(self, *, at: datetime, limit: int, lease: timedelta) -> list[Claim]:
        due, length, token = self._stamp(aware(at)), self._length(positive(lease)), secrets.token_hex(8)

        def claim(tx: Transaction) -> list[Claim]:
            clock = self._clock()
            tx.change(self.statements.release, shop=self.shop, **clock)
            found = tx.rows(self.statements.lease_due, shop=self.shop, at=due, limit=limit, token=token, lease=length, **clock)
            return self._claims(tx, token, found[0][0]) if found else []

        return self._run(claim)

    def claim(self, return_id: int, *, at: datetime, lease: timedelta) -> Claim | None:
        names = {"shop": self.shop, "return_id": returned(return_id), "at": self._stamp(aware(at))}
        length, token = self._length(positive(lease)), secrets.token_hex(8)

        def claim(tx: Transaction) -> Claim | None:
            found = tx.rows(self.statements.lease_one, **names, token=token, lease=length, **self._clock())
            return self._claims(tx, token, found[0][0])[0] if found else None

        return self._run(claim)

    def _claims(self, tx: Transaction, token: str, until: Any) -> list[Claim]:
        which = {"shop": self.shop, "token": token, "lease_until": until}
        unread: dict[int, list[Event]] = {}
        for row in tx.rows(self.statements.claimed_unread, **which):
            unread.setdefault(row[1], []).append(self._event(row))
        return [
            Claim(
                return_id=return_id,
                fence=fence,
                token=token,
                lease_until=self._read(until),
                journal=from_json(journal),
                unread=tuple(unread.get(return_id, ())),
                is_new=journal is None,
            )
            for return_id, fence, journal in tx.rows(self.statements.claimed, **which)
        ]

    # ------------------------------------------------------------------------------------------------ fenced writes

    def commit(
        self,
        claim: Claim,
        *,
        journal: Mapping[str, Any],
        read_to: int = 0,
        intent: Intent | None = None,
        withdraw: Intent | None = None,
        events: Iterable[Event] = (),
    ) -> bool:
        names = {"shop": self.shop, "return_id": claim.return_id}
        text, steps = to_json(journal, "journal"), [storable(event, claim.return_id) for event in events]

        def write(tx: Transaction) -> bool:
            forgotten = self._guard(tx, claim)
            if intent is not None and tx.rows(self.statements.has_unread, **names, read_to=read_to):
                return False
            if withdraw is not None:
                tx.change(self.statements.withdraw, **names, kind=plain(withdraw.kind), ordinal=withdraw.ordinal)
            if intent is not None:
                self._intend(tx, claim.return_id, intent)
            self._mark_read(tx, names, read_to, forgotten)
            tx.change(self.statements.write_journal, **names, journal=text)
            self._append_steps(tx, steps)
            return True

        return self._run(write)

    def finish(
        self,
        claim: Claim,
        *,
        journal: Mapping[str, Any],
        read_to: int,
        due_at: datetime | None,
        summary: Mapping[str, Any],
        at: datetime,
        events: Iterable[Event] = (),
    ) -> None:
        names = {"shop": self.shop, "return_id": claim.return_id}
        text, told = to_json(journal, "journal"), to_json(summary, "summary")
        steps, has_breaks = [storable(event, claim.return_id) for event in events], bool(summary.get("breaks"))
        due, when = self._stamp_or_none(due_at, "due_at"), self._stamp(aware(at))

        def write(tx: Transaction) -> None:
            forgotten = self._guard(tx, claim)
            self._mark_read(tx, names, read_to, forgotten)
            tx.change(self.statements.write_all, **names, journal=text, summary=told, has_breaks=has_breaks, at=when)
            self._append_steps(tx, steps)
            more = tx.rows(self.statements.has_unread, **names, read_to=read_to)
            tx.change(self.statements.give_back, **names, due_at=when if more else due)

        self._run(write)

    def _guard(self, tx: Transaction, claim: Claim) -> bool:
        """Lock the case; raise `LeaseLost` unless it is still ours. Gives whether the return was forgotten."""
        names = {"shop": self.shop, "return_id": claim.return_id, "fence": claim.fence, "token": claim.token}
        owned = tx.rows(self.statements.guard, **names, **self._clock())
        if not owned:
            raise lease_lost(claim)
        return bool(owned[0][0])

    def _mark_read(self, tx: Transaction, names: Mapping[str, Any], read_to: int, forgotten: bool) -> None:
        if read_to > 0:
            tx.change(self.statements.mark_read, **names, read_to=read_to, forgotten=forgotten, nothing=b"")

    def _intend(self, tx: Transaction, return_id: int, intent: Intent) -> None:
        row = {"kind": plain(intent.kind), "ordinal": intent.ordinal, "evidence": plain(intent.evidence)}
        if not tx.change(self.statements.intend, shop=self.shop, return_id=return_id, at=self._stamp(aware(intent.at)), **row):
            raise intent_exists(return_id, intent)

    def _append_steps(self, tx: Transaction, steps: Iterable[Event]) -> None:
        for step in steps:
            row = {"at": self._stamp(step.at), "times": step.count, "kind": step.kind, "source": step.source, "body": step.body}
            tx.change(self.statements.append_step, shop=self.shop, return_id=step.return_id, **row)

    # ------------------------------------------------------------------------------------------------ read

    def case(self, return_id: int) -> CaseRow | None:
        found = self._look(self.statements.case, return_id=returned(return_id), **self._clock())
        return self._case(found[0]) if found else None

    def history(self, return_id: int) -> list[Event]:
        return [self._event(row) for row in self._look(self.statements.history, return_id=returned(return_id))]

    def unread(self, return_id: int) -> list[Event]:
        return [self._event(row) for row in self._look(self.statements.unread, return_id=returned(return_id))]

    def open_cases(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        return [self._case(row) for row in self._look(self.statements.open_cases, after=after, limit=limit, **self._clock())]

    def cases_with_breaks(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        return [self._case(row) for row in self._look(self.statements.cases_with_breaks, after=after, limit=limit, **self._clock())]

    def asides(self, *, limit: int = 100) -> list[Event]:
        return [self._event(row) for row in self._look(self.statements.asides, limit=limit)]

    def stats(self, *, at: datetime) -> Mapping[str, Any]:
        due, ask = self._stamp(aware(at)), self.statements

        def count(tx: Transaction) -> Mapping[str, Any]:
            waiting, oldest_waiting = tx.rows(ask.count_waiting, shop=self.shop, at=due)[0]
            taken, oldest_taken = tx.rows(ask.count_taken, shop=self.shop, at=due)[0]
            oldest = min((each for each in (oldest_waiting, oldest_taken) if each is not None), default=None)
            return {
                "cases": tx.rows(ask.count_cases, shop=self.shop)[0][0],
                "open": tx.rows(ask.count_open, shop=self.shop)[0][0],
                "due": waiting + taken,
                "leased": tx.rows(ask.count_leased, shop=self.shop, **self._clock())[0][0],
                "oldest_due_at": None if oldest is None else self._read(oldest),
                "asides": tx.rows(ask.count_asides, shop=self.shop)[0][0],
                "events": tx.rows(ask.count_events, shop=self.shop)[0][0],
            }

        return self._run(count, write=False)

    def _look(self, sql: str, *, filed: bool = True, **values: Any) -> list[tuple[Any, ...]]:
        return self._run(lambda tx: tx.rows(sql, shop=self.shop, **values), write=False, filed=filed)

    def _case(self, row: tuple[Any, ...]) -> CaseRow:
        return_id, due_at, leased, journal, summary, created_at, updated_at = row
        return CaseRow(
            return_id=return_id,
            due_at=None if due_at is None else self._read(due_at),
            leased=bool(leased),
            journal=from_json(journal),
            summary=from_json(summary),
            created_at=self._read(created_at),
            updated_at=self._read(created_at if updated_at is None else updated_at),
        )

    def _event(self, row: tuple[Any, ...]) -> Event:
        kind, return_id, at, body, source, seq, times = row
        return Event(kind=kind, return_id=return_id or None, at=self._read(at), body=body, source=source, seq=seq, count=times)

    # ------------------------------------------------------------------------------------------------ facts, retention

    def get(self, key: str) -> str | None:
        found = self._look(self.statements.get, name=plain(key), filed=False)
        return found[0][0] if found else None

    def put(self, key: str, value: str | None) -> None:
        name = plain(key)
        if value is None:
            self._run(lambda tx: tx.change(self.statements.remove, shop=self.shop, name=name), filed=False)
        else:
            text = plain(value)
            self._run(lambda tx: tx.change(self.statements.put, shop=self.shop, name=name, value=text), filed=False)

    def put_first(self, key: str, value: str) -> str:
        fact = {"shop": self.shop, "name": plain(key)}

        def put(tx: Transaction) -> str:
            tx.change(self.statements.put_first, **fact, value=plain(value))
            stands: str = tx.rows(self.statements.get, **fact)[0][0]
            return stands

        return self._run(put, filed=False)

    def expire(self, *, before: datetime) -> int:
        """See `Ledger.expire`. In many short transactions, so that no webhook waits for it."""
        limit, after, gone = self._stamp(aware(before, "before")), 0, 0
        while True:
            upto = self._run(lambda tx, after=after: tx.rows(self.statements.stretch, after=after, limit=STRETCH), write=False)[0][0]  # type: ignore[misc]
            if upto is None:
                return gone
            values = {"shop": self.shop, "after": after, "upto": upto, "before": limit}
            gone += self._run(partial(self._expire, values=values))
            after = upto

    def _expire(self, tx: Transaction, values: dict[str, Any]) -> int:
        gone = tx.change(self.statements.expire, **values)
        tx.change(self.statements.blank, **values, nothing=b"")
        return gone

    def forget(self, return_id: int) -> None:
        names = {"shop": self.shop, "return_id": returned(return_id)}

        def forget(tx: Transaction) -> None:
            tx.rows(self.statements.lock_case, **names)
            tx.change(self.statements.forget_case, **names)
            tx.change(self.statements.forget_summary, **names)
            tx.change(self.statements.forget_events, **names, nothing=b"")

        self._run(forget)


def migrate(tx: Transaction, words: Words, current: int) -> None:
    """Bring the schema from version `current` (0: nothing is there) to ours, in one transaction. Refuses a newer one."""
    check_version(current)
    for sql in (words.fill(statement) for version in MIGRATIONS[current:] for statement in version):
        if sql:
            tx.change(sql)
    for sql in SET_VERSION:
        tx.change(words.fill(sql), version=VERSION)


def check_version(current: int) -> None:
    """Raise `LedgerError` for a ledger that a newer release has written."""
    if current > VERSION:
        raise LedgerError(
            f"this ledger has schema version {current}, and this release of loop-whiplash knows no later one than {VERSION}: "
            "a newer release has opened it, so upgrade loop-whiplash here"
        )


# A connection must not be carried into a forked process, which gunicorn's --preload and multiprocessing would do.
_in_this_process: weakref.WeakSet[SqlLedger] = weakref.WeakSet()
_forking: list[SqlLedger] = []


def _before() -> None:
    _forking[:] = list(_in_this_process)
    for ledger in _forking:
        ledger._before_fork()


def _after(*, child: bool) -> None:
    for ledger in _forking:
        ledger._after_fork(child=child)
    _forking.clear()


if hasattr(os, "register_at_fork"):  # Windows cannot fork
    os.register_at_fork(before=_before, after_in_parent=lambda: _after(child=False), after_in_child=lambda: _after(child=True))
