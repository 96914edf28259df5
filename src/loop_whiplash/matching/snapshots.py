"""Receipts as snapshots: the newest version of each, how far its count is, and the times deadlines may run from.

Deadlines run from evidence, never from the time of asking; else asking again would move them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.returns.model import Receipt, Rma

from .policy import Policy

__all__ = ["Clock", "Progress", "later", "newest", "progress_of", "utc"]

# Arrived, being counted, "problem" (no longer used), and completed: somebody has the box in hand.
_IN_HAND = frozenset({150, 200, 250, 300})
_BELIEVED_AHEAD = timedelta(days=1)
_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)


def utc(time: datetime | None) -> datetime | None:
    """Aware and in UTC; a time without a zone is UTC, as both vendors write it."""
    if time is None:
        return None
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.utcoffset() is None else time.astimezone(UTC)


def later(time: datetime, by: timedelta) -> datetime:
    """`time` + `by`, at most the last time there is."""
    try:
        return time + by
    except OverflowError:
        return _LAST


def newest(receipts: Iterable[Receipt]) -> tuple[Receipt, ...]:
    """One version of each receipt, by id: the newest by `updated_at`.

    Where no time tells which of two is newer, the one that is not final is taken (it waits rather than pays), then the
    first by its text, so that the order in which they came never matters.
    """
    chosen: dict[int, Receipt] = {}
    for receipt in receipts:
        if not isinstance(receipt, Receipt):
            raise ConfigurationError(f"receipts must hold Receipt values, made by to_receipt(); found a {type(receipt).__name__}")
        known = chosen.get(receipt.id)
        if known is None or (known is not receipt and known != receipt and _newer(receipt, known)):
            chosen[receipt.id] = receipt
    return tuple([chosen[key] for key in sorted(chosen)])


def _newer(one: Receipt, other: Receipt) -> bool:
    left, right = utc(one.updated_at) or _FIRST, utc(other.updated_at) or _FIRST
    return (left, not one.final, repr(other)) > (right, not other.final, repr(one))


@attrs.frozen
class Progress:
    """How far the counting is, over all receipts of a return.

    `finals`: their count is over. `open`: somebody has the box in hand. `under_way`: whether one is announced, and not more.
    """

    finals: tuple[Receipt, ...]
    open: tuple[Receipt, ...]
    under_way: bool


def is_final(receipt: Receipt, policy: Policy) -> bool:
    """It says so itself, and its status (if it has one) is among the policy's."""
    return receipt.final and (receipt.status is None or receipt.status in policy.compiled.finals)


def progress_of(receipts: Sequence[Receipt], policy: Policy) -> Progress:
    finals, open_, under_way = [], [], False
    for receipt in receipts:
        if is_final(receipt, policy):
            finals.append(receipt)
        elif receipt.units or _in_hand(receipt, policy):
            open_.append(receipt)
        else:
            under_way = True
    return Progress(tuple(finals), tuple(open_), under_way)


def _in_hand(receipt: Receipt, policy: Policy) -> bool:
    if receipt.status is None:
        return receipt.received_at is not None
    return receipt.status in _IN_HAND or receipt.status not in policy.compiled.statuses


@attrs.frozen
class Clock:
    """From which times deadlines run, at one time of asking."""

    at: datetime
    progress: Progress
    rma: Rma
    policy: Policy

    def evidence(self, receipt: Receipt) -> datetime | None:
        """When it was received. A time more than a day ahead is no evidence: a slip of a year would wait for a year."""
        time = utc(receipt.received_at)
        return None if time is None or time > later(self.at, _BELIEVED_AHEAD) else time

    @property
    def counted_at(self) -> datetime | None:
        """When the last of the finished receipts was counted; None if one of them has no time to go by and none is known."""
        times = [self.evidence(receipt) for receipt in self.progress.finals if receipt.received_at is not None]
        known = [time for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None

    def _ends(self, until: datetime | None, receipts: Iterable[Receipt]) -> datetime | None:
        """`until`, or later where one of their times, still too far ahead, will be evidence by then: a deadline once given stays."""
        ahead = [time for receipt in receipts if self.evidence(receipt) is None and (time := utc(receipt.received_at)) is not None]
        for time in sorted(ahead):
            if until is not None and time - _BELIEVED_AHEAD <= until:
                until = later(time, self.policy.unfinished_grace)
        return until

    def counted_until(self, receipt: Receipt) -> datetime | None:
        """Until when an open box may stay half counted."""
        start = self.evidence(receipt)
        if start is not None:
            return later(start, self.policy.unfinished_grace)
        if receipt.units or self.counted_at is None:
            return None
        # An empty box without a time: as if it came with the others.
        return self._ends(later(self.counted_at, self.policy.unfinished_grace), [receipt])

    @property
    def arrives_until(self) -> datetime | None:
        """Until when nothing at all may have been counted."""
        arrived = [self.evidence(receipt) for receipt in self.progress.open]
        times = [time for time in arrived if time is not None]
        if times:
            return self._ends(later(max(times), self.policy.unfinished_grace), self.progress.open)
        created = utc(self.rma.created_at)
        if created is None or created > later(self.at, _BELIEVED_AHEAD):
            return None
        return self._ends(later(created, self.policy.arrival_grace), self.progress.open)

    @property
    def several(self) -> bool:
        """More than one parcel is known: by labels, or by an RMA that is still under way. Receipts that came do not count."""
        return len(self.rma.trackings) > 1 or len(self.rma.label_statuses) > 1 or self.progress.under_way
