"""The ledger protocol: append an event, claim a due return under a lease, write an intent with a unique key, record, read.

Two clocks meet here and are kept apart. *Due* times are decision times: the caller passes `at`. *Leases* go by the
ledger's own clock, because only that one is shared by all workers.

Every method is one transaction (`expire` is several short ones), synchronous, and safe to call from several threads.
All refuse the same things with `ConfigurationError`: a return id that is no positive 64-bit int, a time without zone, a
journal or summary that is not strict JSON. In text, NUL and lone surrogates become U+FFFD, because not every storage can
hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

import attrs

__all__ = ["CaseRow", "Claim", "Event", "Intent", "Ledger"]


@attrs.frozen(kw_only=True)
class Event:
    """One thing that happened: a webhook, a person's word, a step of ours.

    Attributes:
        kind: e.g. ``loop.hint``, ``whiplash.hint``, ``loop.processing_failed``, ``person.hold``, ``unreadable``, ``step.create.sent``.
        return_id: None for what could not be tied to a return (kept aside, expires by age).
        at: decision time, aware, UTC. body: bytes as received, or JSON of ours. source: free text.
        seq: given by the ledger, rising. count: how often the same unread event arrived.
    """

    kind: str
    return_id: int | None
    at: datetime
    body: bytes = attrs.field(default=b"", repr=False)
    source: str = ""
    seq: int = 0
    count: int = 1


@attrs.frozen(kw_only=True)
class Intent:
    """The unique row (shop, return, kind, ordinal) that allows one action to be sent."""

    kind: str
    ordinal: int
    at: datetime
    evidence: str = ""


@attrs.frozen(kw_only=True)
class Claim:
    """One return, owned by one worker until `lease_until` (ledger's clock). `fence` rises with every claim.

    `journal` is the stored JSON object ({} when new). `unread` are the events a plan has not yet taken in, oldest first.
    """

    return_id: int
    fence: int
    token: str
    lease_until: datetime
    journal: Mapping[str, Any]
    unread: tuple[Event, ...] = ()
    is_new: bool = False


@attrs.frozen(kw_only=True)
class CaseRow:
    """A case as stored. `summary` is the JSON written by `finish` (breaks, decision, reasons). `due_at` None: settled."""

    return_id: int
    due_at: datetime | None
    leased: bool
    journal: Mapping[str, Any]
    summary: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


class Ledger(Protocol):
    """What must outlive the process. All methods raise `LedgerUnavailable` when storage fails."""

    shop: str

    def now(self) -> datetime:
        """The ledger's clock, aware, UTC: leases go by it."""

    def accept(self, event: Event, *, due_at: datetime | None) -> None:
        """Append an event; durable when it returns.

        If it names a return, that return has a case from now on, and with `due_at` it is due no later than then. An event
        equal (kind, return, body) to an *unread* one is not stored again: that one is counted up, dated `event.at` and
        moved to the end with a new seq, so that the order of last words holds and a worker sees that something came in.
        """

    def accept_many(self, events: Iterable[tuple[Event, datetime | None]]) -> int:
        """`accept` for many in one transaction (a sweep's hints); gives how many."""

    def claim_due(self, *, at: datetime, limit: int, lease: timedelta) -> list[Claim]:
        """Lease up to `limit` unleased returns that are due at `at`, the longest due first. A lease that ran out is no lease."""

    def claim(self, return_id: int, *, at: datetime, lease: timedelta) -> Claim | None:
        """Lease this return whether due or not, making its case if it has none; None while another worker owns it.

        Until `finish` says otherwise it is due at `at` at the latest: should its worker die, another goes on.
        """

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
        """Write the journal in one transaction, keeping the lease.

        `read_to`: events up to this seq have been taken into the journal. `intent`: insert its unique row; the whole
        transaction is refused with `IntentExists` when it is taken, and gives False, writing nothing, when an event
        has arrived that is still unread (seq above `read_to`): look again before acting. `withdraw`: delete that row.
        `events`: steps of ours, appended to this return as already read. Raises `LeaseLost` when the fence or the lease
        is not ours any more.

        Should the storage fail while it commits, `LedgerUnavailable` leaves open whether the intent stands: do not send.
        """

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
        """Write journal, summary and when it is due again, and give the lease back. With unread events it is due at once (`at`).

        Raises `LeaseLost`, writing nothing, as `commit` does.
        """

    def case(self, return_id: int) -> CaseRow | None:
        """One case, or None."""

    def history(self, return_id: int) -> list[Event]:
        """Its events, oldest first."""

    def unread(self, return_id: int) -> list[Event]:
        """Its events that no plan has taken in yet, oldest first."""

    def open_cases(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        """Cases that are not settled (`due_at` is not None), by return id above `after`."""

    def cases_with_breaks(self, *, after: int = 0, limit: int = 1000) -> list[CaseRow]:
        """Cases whose summary holds a non-empty ``breaks`` list, settled or not."""

    def asides(self, *, limit: int = 100) -> list[Event]:
        """Events that name no return, newest first."""

    def stats(self, *, at: datetime) -> Mapping[str, Any]:
        """How many ``cases``, ``open``, ``due`` at `at` (leased or not), ``leased``, ``asides``, ``events``; and ``oldest_due_at`` or None.

        A return whose worker dies again and again stays in ``oldest_due_at``.
        """

    def get(self, key: str) -> str | None:
        """A named fact (a watermark, a sweep's progress), or None."""

    def put(self, key: str, value: str | None) -> None:
        """Store a named fact; None removes it."""

    def put_first(self, key: str, value: str) -> str:
        """Store a named fact unless one of that name stands already; gives the one that stands. Of several at once, one is first."""

    def expire(self, *, before: datetime) -> int:
        """Delete asides, and events of settled cases, older than `before`; gives how many. Journals and intents stay.

        Of a case that is open, maybe for years, such events stay as a line of its history, without their bodies.
        """

    def forget(self, return_id: int) -> None:
        """Delete event bodies and the summary of this return (personal data); what guards against paying twice stays.

        The body of an unread event is kept until a plan has taken it in: a person's word is never lost.
        """

    def close(self) -> None:
        """Give back connections. Idempotent."""
