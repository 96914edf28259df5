"""The breaks: what cannot be put right by itself. One literal table; the documentation is made from it.

A code is stable: people filter, acknowledge and count by it. What a break is worth is what *process* releases for the
whole return, where money hangs on it at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

import attrs

from loop_whiplash.returns.model import Receipt, Rma

from .model import Break, Journal

__all__ = ["BREAKS", "BreakKind", "missed_webhook", "open_break", "worth"]


@attrs.frozen(kw_only=True)
class BreakKind:
    """One row of the table.

    Attributes:
        code: stable. meaning: a sentence. owner: whose turn it is. next_step: what that person does.
        at_risk: what the money stands for; empty: no money hangs on it.
        heals: it goes away by itself once the planned action, a later look or the next webhook puts it right.
        needs_journals: it cannot be told from the two systems alone, only from what was remembered.
    """

    code: str
    meaning: str
    owner: str
    next_step: str
    at_risk: str = ""
    heals: bool = False
    needs_journals: bool = False


_TABLE = (
    BreakKind(
        code="MISSING_IN_WMS",
        meaning="Loop expects goods back and Whiplash has no RMA for them.",
        owner="support",
        next_step="Look in Whiplash for the order or the tracking number; attach() what is there, or retry() to have it made.",
        at_risk="goods that will arrive unannounced",
        heals=True,
    ),
    BreakKind(
        code="DUPLICATE_IN_WMS",
        meaning="Whiplash has more than one live RMA for one return.",
        owner="support",
        next_step="Delete the untouched one in Whiplash, or attach() it when both are parcels of this return.",
        at_risk="goods that may be counted twice",
    ),
    BreakKind(
        code="ITEMS_DRIFT",
        meaning="The lines announced in Whiplash are not the lines of the return in Loop.",
        owner="support",
        next_step="Correct the lines of the RMA in Whiplash; its API cannot change them.",
        at_risk="a return that would be flagged wrongly",
    ),
    BreakKind(
        code="ORPHAN_IN_WMS",
        meaning="Whiplash has an RMA whose return is cancelled, or unknown to Loop.",
        owner="support",
        next_step="Delete the RMA in Whiplash if no goods will come.",
    ),
    BreakKind(
        code="UNEXPECTED_RETURN",
        meaning="Whiplash holds goods of a consumer return that belongs to no return in Loop.",
        owner="support",
        next_step="Find the return it belongs to and attach() it, or make one in Loop.",
    ),
    BreakKind(
        code="UNRESOLVED_ITEM",
        meaning="The RMA cannot be made: a unit has no item in Whiplash, or more than one.",
        owner="support",
        next_step="Give the item its SKU or barcode in Whiplash, or make it unique; the RMA is then made at the next look.",
        at_risk="goods that will arrive unannounced",
        heals=True,
    ),
    BreakKind(
        code="UNKNOWN_ITEM",
        meaning="A unit was counted that is in no catalogue.",
        owner="warehouse",
        next_step="Have the warehouse say what the unit is.",
    ),
    BreakKind(
        code="DELIVERED_NOT_RECEIVED",
        meaning="The parcel was delivered days ago and nothing has been counted.",
        owner="warehouse",
        next_step="Have the warehouse look for the parcel by its tracking number.",
        at_risk="goods, and a shopper who waits",
    ),
    BreakKind(
        code="IN_TRANSIT_STALE",
        meaning="The parcel has had no scan for days.",
        owner="carrier",
        next_step="Ask the carrier, and the shopper whether it was sent at all.",
        at_risk="goods that may be lost on the way",
    ),
    BreakKind(
        code="RECEIVED_NOT_ACTIONED",
        meaning="The goods were counted and the return is still open in Loop.",
        owner="support",
        next_step="Decide it in Loop: process, flag or cancel.",
        at_risk="a shopper who waits",
    ),
    BreakKind(
        code="PAID_NOT_RECEIVED",
        meaning="Loop released the value and the goods never came.",
        owner="support",
        next_step="Chase the parcel or charge the shopper; check that Loop does not process on carrier scans.",
        at_risk="a loss",
    ),
    BreakKind(
        code="RECEIVED_AFTER_CLOSE",
        meaning="Goods were counted for a return that is cancelled, expired, or closed without being paid.",
        owner="support",
        next_step="Pay the shopper by hand or send the goods back.",
        at_risk="a dispute",
    ),
    BreakKind(
        code="REVIEW_STALE",
        meaning="The return has been waiting for a person for days.",
        owner="support",
        next_step="Decide it in Loop: clear the flag, process or cancel.",
        at_risk="a shopper who waits",
    ),
    BreakKind(
        code="SOURCE_INCOMPLETE",
        meaning="One of the two systems could not be read; nothing is concluded from what is not there.",
        owner="engineering",
        next_step="Check the credentials and that both systems answer; it is read again by itself.",
    ),
    BreakKind(
        code="UNREADABLE",
        meaning="An answer about this return is not of a shape that can be read.",
        owner="engineering",
        next_step="Look at the named fields; handle the return by hand until they can be read.",
    ),
    BreakKind(
        code="ACTION_UNCONFIRMED",
        meaning="A process or a flag was sent and its effect was not seen in time.",
        owner="support",
        next_step="Look at the return in Loop. If nothing happened there, retry() allows one more send.",
        at_risk="value that may or may not have been released",
        needs_journals=True,
    ),
    BreakKind(
        code="PROCESSING_FAILED",
        meaning="Loop refused to process the return, or failed to.",
        owner="support",
        next_step="Put the cause right in Loop, then process it there, or retry() to send it once more.",
        at_risk="a shopper who waits",
        needs_journals=True,
    ),
    BreakKind(
        code="POST_ACTION_CORRECTION",
        meaning="What was counted changed after the return was processed on it.",
        owner="support",
        next_step="Compare both counts; charge or pay the difference by hand.",
        at_risk="paid too much or too little",
        needs_journals=True,
    ),
    BreakKind(
        code="WEBHOOK_MISSED",
        meaning="The sweep found what no webhook had told.",
        owner="engineering",
        next_step="Nothing for this return. If many are missed, run check(): the subscription may be off.",
        heals=True,
        needs_journals=True,
    ),
)

#: So many ids are named in one sentence.
NAMED = 12
#: Code → its row.
BREAKS: Mapping[str, BreakKind] = MappingProxyType({kind.code: kind for kind in _TABLE})


def worth(rma: Rma | None) -> Decimal | None:
    """What *process* releases for the whole return, in `rma.currency`; None when unknown.

    >>> worth(None) is None
    True
    """
    if rma is None:
        return None
    if rma.total is not None:
        return rma.total
    values = [unit.value for unit in rma.units if unit.value is not None]
    return sum(values, Decimal(0)) if values else None


def loop_word(rma: Rma | None) -> str:
    """Loop's word in one line: state, label, units. No personal data."""
    if rma is None:
        return "unknown to Loop"
    label = f", label {'/'.join(rma.label_statuses)}" if rma.label_statuses else ", no label"
    paid = ", processed" if rma.was_processed else ""
    return f"{rma.state}{paid}{label}, {len(rma.units)} unit{'' if len(rma.units) == 1 else 's'}"


def whiplash_word(receipts: tuple[Receipt, ...]) -> str:
    """Whiplash's word in one line: each RMA with its status and what was counted."""
    if not receipts:
        return "no RMA"
    words = []
    for receipt in receipts[:NAMED]:
        damaged = sum(unit.condition == "damaged" for unit in receipt.units)
        announced = sum(line.quantity for line in receipt.lines)
        counted = f"{len(receipt.units)} of {announced} counted" if receipt.lines else f"{len(receipt.units)} counted"
        words.append(f"RMA {receipt.id}, status {receipt.status}, {counted}{f', {damaged} damaged' if damaged else ''}")
    if len(receipts) > NAMED:
        words.append(f"and {len(receipts) - NAMED:,} more")
    return "; ".join(words)


def open_break(
    code: str,
    *,
    at: datetime,
    return_id: int | None = None,
    rma: Rma | None = None,
    receipts: tuple[Receipt, ...] = (),
    journal: Journal | None = None,
    since: datetime | None = None,
    reason: str = "",
    next_step: str | None = None,
    heals: bool | None = None,
    loop_read: bool = True,
    whiplash_read: bool = True,
) -> Break:
    """A break of this code: owner, next step and money by the table, each side's word from what is given.

    `since` is the event it dates from, UTC; where there is none it is when the journal first saw it, else `at`. A
    person's word on it is marked while it is in force at `at`. A side that was not read is quoted only where it is given
    all the same: no RMA in hand is then not "no RMA".
    """
    kind = BREAKS[code]
    word = journal.acknowledged.get(code) if journal is not None else None
    first = receipts[0] if receipts else None
    named = return_id is not None or rma is not None or first is not None
    return Break(
        code=code,
        return_id=return_id if return_id is not None or rma is None else rma.return_id,
        consumer_return_id=first.id if first is not None else None,
        since=since or (journal.since.get(code) if journal is not None else None) or at,
        money=worth(rma) if kind.at_risk else None,
        currency=rma.currency if rma is not None and kind.at_risk else None,
        owner=kind.owner,
        next_step=kind.next_step if next_step is None else next_step,
        loop_says=loop_word(rma) if rma is not None or (named and loop_read) else "",
        whiplash_says=whiplash_word(receipts) if receipts or (named and whiplash_read) else "",
        reason=reason or kind.meaning,
        heals=kind.heals if heals is None else heals,
        order_name=rma.order_name if rma is not None else None,
        tracking=(rma.tracking if rma is not None else None) or (first.tracking if first is not None else None),
        acknowledged=word if word is not None and word.until > at else None,
    )


def missed_webhook(
    return_id: int, journal: Journal, *, at: datetime, rma: Rma | None = None, receipts: tuple[Receipt, ...] = ()
) -> Break | None:
    """`WEBHOOK_MISSED` where the sweep found the return or its receipt first; None where webhooks told of both.

    It never stands among a plan's breaks: it has healed by the time it is known, and is only counted. It dates from what
    there was to tell: the return's creation, the count of its goods; where neither is given, from when the journal began.
    """
    counted = min((receipt.received_at for receipt in receipts if receipt.received_at is not None), default=None)
    sides = (("the return", journal.found_by, rma.created_at if rma else None), ("the receipt", journal.receipt_found_by, counted))
    found = [(side, time) for side, by, time in sides if by == "sweep"]
    if not found:
        return None
    since = min((time for _, time in found if time is not None), default=journal.first_seen_at)
    reason = f"The sweep found {' and '.join(side for side, _ in found)}; no webhook had told."
    return open_break(
        "WEBHOOK_MISSED",
        at=at,
        since=since,
        return_id=return_id,
        rma=rma,
        receipts=receipts,
        reason=reason,
        loop_read=False,
        whiplash_read=False,
    )
