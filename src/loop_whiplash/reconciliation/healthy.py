"""A cheap look at one pair of rows that finds most healthy ones: nothing to do, nothing wrong.

Of a million pairs nearly all are healthy, and mapping, matching and planning each of them would take ten times as long as
reading them. What is decided here is exactly what `plan` would find on an empty journal: each rule below names the row of
the table it stands for, and a property test holds both against each other. Whatever is not plainly healthy gets the answer
False and takes the long way; False never means "broken".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from loop_whiplash.loop.models import OutcomesProcessedAt, Return
from loop_whiplash.planning.settings import Settings

from .compact import ARRIVED, COUNTED, DELIVERED, KIND, LINES, UNCOUNTED, Catalogue

__all__ = ["HealthyCheck", "healthy_check"]

HealthyCheck = Callable[[Return, tuple[Any, ...] | None], bool]

#: Label words under which nothing follows for a parcel that has an RMA, however it goes on. "delivered" is not one of them.
_QUIET = frozenset({None, "no_label", "new", "pending", "unknown", "pre_transit", "in_transit", "out_for_delivery"})
_FAR = datetime(9000, 1, 1, tzinfo=UTC)  # so that no sum with a limit leaves the calendar


def healthy_check(settings: Settings, at: datetime, catalogue: Catalogue) -> HealthyCheck:
    """The check for one time: a return, and the compact record of its one RMA, or None where it surely has none."""
    skus = catalogue.skus
    scanned_since = at - settings.in_transit_stale_after
    reviewed_since = at - settings.review_stale_after
    paid_since = at - settings.paid_not_received_after

    def check(row: Return, record: tuple[Any, ...] | None) -> bool:
        state = row.state
        if record is None:
            if state == "cancelled" or state == "expired":
                return True  # row 7: watched
            return state == "closed" and _paid_lately(row, paid_since)
        kind = record[KIND]
        if state == "open" or state == "review":
            # Row 12: announced, nothing counted, and nothing late.
            if kind != UNCOUNTED or record[ARRIVED] is not None or record[DELIVERED] is not None or row.was_processed:
                return False
            times = row.outcomes_processed_at
            if times is not None and _any(times):
                return False
            if state == "review":
                touched = row.updated_at or row.created_at
                if touched is None or not reviewed_since < touched < _FAR:
                    return False
            return _moving(row, scanned_since) and _same_lines(row, record, skus)
        if state == "closed":
            if kind == COUNTED:
                return row.was_processed is not False  # row 6: processed, counted
            return kind == UNCOUNTED and _paid_lately(row, paid_since)
        return state == "expired" and kind == UNCOUNTED  # row 7: watched

    return check


def _any(times: OutcomesProcessedAt) -> bool:
    return (
        times.return_processed is not None
        or times.refund_processed is not None
        or times.gift_card_processed is not None
        or times.exchange_processed is not None
    )


def _paid_lately(row: Return, limit: datetime) -> bool:
    """Rows 6 and 7: paid, and the goods are still awaited; or over without either."""
    times = row.outcomes_processed_at
    since = None
    if times is not None:
        for time in (times.return_processed, times.refund_processed, times.gift_card_processed, times.exchange_processed):
            if time is not None and (since is None or time < since):
                since = time
    since = since or row.updated_at or row.created_at
    return since is not None and limit < since < _FAR


def _moving(row: Return, limit: datetime) -> bool:
    """The parcel was scanned lately, or the return is young; and no label says that it was delivered."""
    if row.label_status not in _QUIET:
        return False
    newest = row.label_updated_at
    for label in row.labels:
        if label.status not in _QUIET:
            return False
        time = label.updated_at
        if time is not None and (newest is None or time > newest):
            newest = time
    if newest is None:
        newest = row.created_at
    return newest is not None and limit < newest < _FAR


def _same_lines(row: Return, record: tuple[Any, ...], skus: list[str | None]) -> bool:
    """No line was removed, and both sides name the same SKUs as often."""
    lines = row.line_items
    if len(lines) == 1 and len(record) == LINES + 3:
        (line,) = lines
        sku = skus[record[LINES + 1]]
        return line.sku == sku and sku is not None and record[LINES + 2] == 1 and line.returned_at is not None
    theirs: list[str] = []
    for at in range(LINES, len(record), 3):
        sku, quantity = skus[record[at + 1]], record[at + 2]
        if sku is None or not 0 <= quantity <= len(lines):
            return False
        theirs += [sku] * quantity
    if not theirs or len(theirs) != len(lines):
        return False
    ours: list[str] = []
    for line in lines:
        if line.sku is None or line.returned_at is None:
            return False
        ours.append(line.sku)
    return sorted(ours) == sorted(theirs)
