"""The ledger that lives as long as its process: for tests, trials and the simulator.

It keeps no promise about what is on disk; in everything else it behaves as the other two do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import attrgetter
from typing import Any

import attrs

from loop_whiplash.errors import LedgerUnavailable

from .protocol import CaseRow, Claim, Event, Intent
from .stored import aware, from_json, intent_exists, lease_lost, plain, positive, returned, storable, to_json, utc_now

__all__ = ["MemoryLedger"]


@attrs.define(eq=False)
class _Kept:
    """An event, and whether a plan has taken it in."""

    event: Event
    unread: bool


@attrs.define
class _Case:
    return_id: int
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None
    fence: int = 0
    token: str | None = None
    lease_until: datetime | None = None
    journal: str | None = None
    summary: str | None = None
    has_breaks: bool = False
    forgotten: bool = False
    events: list[_Kept] = attrs.field(factory=list)


class MemoryLedger:
    """A `Ledger` in memory. Thread-safe; gone with its process.

    Args:
        clock: the ledger's clock, by which leases go; gives an aware datetime. Real time by default.
        shop: which shop's returns it keeps.

    >>> from datetime import UTC, datetime
    >>> ledger = MemoryLedger(shop="acme")
    >>> ledger.accept(Event(kind="loop.hint", return_id=7, at=datetime(2026, 1, 1, tzinfo=UTC)), due_at=datetime(2026, 1, 1, tzinfo=UTC))
    >>> ledger.case(7).due_at.isoformat()
    '2026-01-01T00:00:00+00:00'
    """

    def __init__(self, *, clock: Callable[[], datetime] = utc_now, shop: str = "") -> None:
        self.shop: str = plain(shop)
        self._clock = clock
        self._lock = threading.RLock()
        self._cases: dict[int, _Case] = {}
        self._asides: list[_Kept] = []
        self._unread: dict[tuple[int | None, str, bytes], _Kept] = {}
        self._intents: set[tuple[int, str, int]] = set()
        self._facts: dict[str, str] = {}
        self._seq = self._claims = 0
        self._closed = False

    def now(self) -> datetime:
        return aware(self._clock(), "what the ledger's clock gives")

    # ------------------------------------------------------------------------------------------------ events come in

    def accept(self, event: Event, *, due_at: datetime | None) -> None:
        event = storable(event)
        due_at = None if due_at is None else aware(due_at, "due_at")
        with self._open():
            self._accept(event, due_at)

    def accept_many(self, events: Iterable[tuple[Event, datetime | None]]) -> int:
        ready = [(storable(event), None if due_at is None else aware(due_at, "due_at")) for event, due_at in events]
        with self._open():
            for event, due_at in ready:
                self._accept(event, due_at)
        return len(ready)

    def _accept(self, event: Event, due_at: datetime | None) -> None:
        if event.return_id is not None:
            case = self._cases.setdefault(event.return_id, _Case(event.return_id, event.at, event.at, None))
            _advance_due(case, due_at)
        same = self._unread.pop((event.return_id, event.kind, event.body), None)
        if same is not None:
            self._pile(event).remove(same)
            event = attrs.evolve(event, count=same.event.count + event.count, source=same.event.source)
        self._append(event, unread=True)

    def _pile(self, event: Event) -> list[_Kept]:
        return self._asides if event.return_id is None else self._cases[event.return_id].events

    def _append(self, event: Event, *, unread: bool) -> None:
        self._seq += 1
        kept = _Kept(attrs.evolve(event, seq=self._seq), unread)
        self._pile(event).append(kept)
        if unread:
            self._unread[(event.return_id, event.kind, event.body)] = kept

    # ------------------------------------------------------------------------------------------------ work on a return

    def claim_due(self, *, at: datetime, limit: int, lease: timedelta) -> list[Claim]:
        at, lease = aware(at), positive(lease)
        with self._open():
            now = self.now()
            free = [case for case in self._cases.values() if case.due_at is not None and case.due_at <= at and not _leased(case, now)]
            longest = nsmallest(limit, free, key=attrgetter("due_at", "return_id"))
            return [self._lease(case, now + lease) for case in longest]

    def claim(self, return_id: int, *, at: datetime, lease: timedelta) -> Claim | None:
        return_id, at, lease = returned(return_id), aware(at), positive(lease)
        with self._open():
            now = self.now()
            case = self._cases.get(return_id)
            if case is None:
                case = self._cases[return_id] = _Case(return_id, at, at, at)
            elif _leased(case, now):
                return None
            _advance_due(case, at)
            return self._lease(case, now + lease)

    def _lease(self, case: _Case, until: datetime) -> Claim:
        case.fence += 1
        self._claims += 1
        case.token, case.lease_until = f"claim-{self._claims}", until
        return Claim(
            return_id=case.return_id,
            fence=case.fence,
            token=case.token,
            lease_until=until,
            journal=from_json(case.journal),
            unread=tuple(kept.event for kept in case.events if kept.unread),
            is_new=case.journal is None,
        )

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
        text = to_json(journal, "journal")
        steps = [storable(event, claim.return_id) for event in events]
        with self._open():
            case = self._owned(claim)
            if intent is not None and any(kept.unread and kept.event.seq > read_to for kept in case.events):
                return False
            withdrawn = None if withdraw is None else _row(claim, withdraw)
            if intent is not None and (wanted := _row(claim, intent)) != withdrawn and wanted in self._intents:
                raise intent_exists(claim.return_id, intent)
            if withdrawn is not None:
                self._intents.discard(withdrawn)
            if intent is not None:
                self._intents.add(_row(claim, intent))
            self._write(case, text, read_to, steps)
            return True

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
        text, told, at = to_json(journal, "journal"), to_json(summary, "summary"), aware(at)
        due_at = None if due_at is None else aware(due_at, "due_at")
        steps = [storable(event, claim.return_id) for event in events]
        with self._open():
            case = self._owned(claim)
            self._write(case, text, read_to, steps)
            case.summary, case.has_breaks, case.updated_at = told, bool(summary.get("breaks")), at
            case.due_at = at if any(kept.unread for kept in case.events) else due_at
            case.token = case.lease_until = None

    def _owned(self, claim: Claim) -> _Case:
        case = self._cases.get(claim.return_id)
        if case is None or (case.fence, case.token) != (claim.fence, claim.token) or not _leased(case, self.now()):
            raise lease_lost(claim)
        return case

    def _write(self, case: _Case, journal: str, read_to: int, steps: list[Event]) -> None:
        case.journal = journal
        for kept in case.events:
            if kept.unread and kept.event.seq <= read_to:
                kept.unread = False
                del self._unread[(case.return_id, kept.event.kind, kept.event.body)]
                if case.forgotten:
                    kept.event = attrs.evolve(kept.event, body=b"")
        for step in steps:
            self._append(step, unread=False)

    # ------------------------------------------------------------------------------------------------ read

    def case(self, return_id: int) -> CaseRow | None:
        return_id = returned(return_id)
        with self._open():
            case = self._cases.get(return_id)
            return None if case is None else _shown(case, self.now())

    def history(self, return_id: int) -> list[Event]:
        return_id = returned(return_id)
        with self._open():
            case = self._cases.get(return_id)
            return [kept.event for kept in case.events] if case else []

    def unread(self, return_id: int) -> list[Event]:
        return_id = returned(return_id)
        with self._open():
            case = self._cases.get(return_id)
            return [kept.event for kept in case.events if kept.unread] if case else []

    def open_cases(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        return self._page(lambda case: case.due_at is not None, after, limit)

    def cases_with_breaks(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        return self._page(lambda case: case.has_breaks, after, limit)

    def _page(self, wanted: Callable[[_Case], bool], after: int, limit: int) -> list[CaseRow]:
        with self._open():
            now = self.now()
            found = (case for case in self._cases.values() if case.return_id > after and wanted(case))
            return [_shown(case, now) for case in nsmallest(limit, found, key=attrgetter("return_id"))]

    def asides(self, *, limit: int = 100) -> list[Event]:
        with self._open():
            return [kept.event for kept in self._asides[: -limit - 1 : -1]]

    def stats(self, *, at: datetime) -> Mapping[str, Any]:
        at = aware(at)
        with self._open():
            now = self.now()
            cases = list(self._cases.values())
            due = [case.due_at for case in cases if case.due_at is not None and case.due_at <= at]
            return {
                "cases": len(cases),
                "open": sum(case.due_at is not None for case in cases),
                "due": len(due),
                "leased": sum(_leased(case, now) for case in cases),
                "oldest_due_at": min(due, default=None),
                "asides": len(self._asides),
                "events": sum(len(case.events) for case in cases) + len(self._asides),
            }

    # ------------------------------------------------------------------------------------------------ facts, retention

    def get(self, key: str) -> str | None:
        with self._open():
            return self._facts.get(plain(key))

    def put(self, key: str, value: str | None) -> None:
        with self._open():
            if value is None:
                self._facts.pop(plain(key), None)
            else:
                self._facts[plain(key)] = plain(value)

    def put_first(self, key: str, value: str) -> str:
        with self._open():
            return self._facts.setdefault(plain(key), plain(value))

    def expire(self, *, before: datetime) -> int:
        before = aware(before, "before")
        gone = 0
        with self._open():
            settled = (case.events for case in self._cases.values() if case.due_at is None)
            for pile in (self._asides, *settled):
                old = [kept for kept in pile if kept.event.at < before]
                pile[:] = [kept for kept in pile if kept.event.at >= before]
                for kept in old:
                    if kept.unread:
                        del self._unread[(kept.event.return_id, kept.event.kind, kept.event.body)]
                gone += len(old)
            for kept in (each for case in self._cases.values() if case.due_at is not None for each in case.events):
                if not kept.unread and kept.event.at < before:
                    kept.event = attrs.evolve(kept.event, body=b"")
        return gone

    def forget(self, return_id: int) -> None:
        return_id = returned(return_id)
        with self._open():
            case = self._cases.get(return_id)
            if case is None:
                return
            case.summary, case.has_breaks, case.forgotten = None, False, True
            for kept in case.events:
                if not kept.unread:
                    kept.event = attrs.evolve(kept.event, body=b"")

    def close(self) -> None:
        with self._lock:
            self._closed = True

    def _open(self) -> threading.RLock:
        if self._closed:
            raise LedgerUnavailable("this ledger was closed")
        return self._lock


def _leased(case: _Case, now: datetime) -> bool:
    return case.lease_until is not None and case.lease_until > now


def _advance_due(case: _Case, due_at: datetime | None) -> None:
    if due_at is not None and (case.due_at is None or case.due_at > due_at):
        case.due_at = due_at


def _row(claim: Claim, intent: Intent) -> tuple[int, str, int]:
    return claim.return_id, plain(intent.kind), intent.ordinal


def _shown(case: _Case, now: datetime) -> CaseRow:
    return CaseRow(
        return_id=case.return_id,
        due_at=case.due_at,
        leased=_leased(case, now),
        journal=from_json(case.journal),
        summary=from_json(case.summary),
        created_at=case.created_at,
        updated_at=case.updated_at,
    )
