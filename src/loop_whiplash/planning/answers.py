"""What is done where a row of the table speaks: one small function each, from a `Situation` to a `Plan`.

Rows 1 to 12: what can be said before anybody has judged what was counted. The others are `verdicts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from loop_whiplash.returns.model import Receipt

from .breaks import NAMED
from .model import Break, CreateRma, DeleteRma, Plan, UpdateRma
from .shapes import again, broken, day, first_of, in_state_since, later, living, over, seldom
from .situation import A_BIT, NEVER_SCANNED_AFTER, UNLABELLED_BREAK_AFTER, Situation, believed, untouched

# ------------------------------------------------------------------------------------------------------- row 1, 2


def incomplete(s: Situation) -> Plan:
    said = "; ".join(problem.removeprefix("UNREADABLE: ") for problem in s.observation.problems) or "one side could not be read"
    code = "UNREADABLE" if s.unreadable else "SOURCE_INCOMPLETE"
    since = s.journal.since.get(code)
    # What the side that could be read shows is told all the same.
    double = [_double(s)] if s.observation.whiplash_read and len(s.rivals) > 1 else []
    return later(s, f"Could not look: {said}.", again(s, since), broken(s, code, reason=said), *double)


def _double(s: Situation) -> Break:
    ids = ", ".join(str(receipt.id) for receipt in s.rivals[:NAMED]) + (", …" if len(s.rivals) > NAMED else "")
    return broken(s, "DUPLICATE_IN_WMS", since=_second_made(s), reason=f"Whiplash has {len(s.rivals)} RMAs for this return: {ids}.")


def several(s: Situation) -> Plan:
    breaks = [_double(s), *([_unconfirmed(s)] if s.process_in_doubt and _overdue(s) else [])]
    surplus = _surplus(s)
    if surplus is not None and s.settings.delete_duplicates and s.may_act:
        action = DeleteRma(consumer_return_id=surplus.id, why=f"one of {len(s.rivals)} RMAs of return {s.return_id}, untouched")
        return later(s, f"RMA {surplus.id} is a double of ours that nobody has touched.", again(s, None), *breaks, action=action)
    return later(s, "Which RMA is the right one is for a person to say.", first_of(s), *breaks)


def _second_made(s: Situation) -> datetime | None:
    made = sorted(receipt.created_at for receipt in s.rivals if receipt.created_at is not None)
    return made[1] if len(made) == len(s.rivals) else None


def _surplus(s: Situation) -> Receipt | None:
    """The newest double that is ours and untouched; never the one that is kept, never while a create is in doubt."""
    if s.create.phase == "sending" and s.at < s.create_bound:
        return None
    by_id = sorted(s.rivals, key=lambda receipt: receipt.id)
    touched = [receipt for receipt in by_id if not untouched(receipt)]
    known = [receipt for receipt in by_id if receipt.id == s.create.consumer_return_id]
    kept = (touched or known or by_id)[0]
    surplus = [receipt for receipt in by_id if receipt is not kept and untouched(receipt) and s.ours(receipt)]
    return surplus[-1] if surplus else None


# --------------------------------------------------------------------------------------------------------- row 3


def _overdue(s: Situation) -> bool:
    began = s.journal.process.began_at
    return began is None or s.at >= began + s.settings.confirm_by


def _unconfirmed(s: Situation) -> Break:
    process = s.journal.process
    if process.phase == "accepted":
        sent = "Loop accepted the process"
    else:
        sent = f"A process was sent; the answer: {process.reason}" if process.reason else "A process was sent and its reply was lost"
    reason = f"{sent}; its effect has not been seen{f' in {s.settings.confirm_by}' if _overdue(s) else ''}."
    return broken(s, "ACTION_UNCONFIRMED", since=process.began_at, reason=reason)


def process_in_doubt(s: Situation) -> Plan:
    process = s.journal.process
    if process.began_at is not None and not _overdue(s):
        until = process.began_at + s.settings.confirm_by
        next_check_at = min(again(s, process.began_at), until)
        # An answer that was neither yes nor a clear no is for a person to know of at once.
        answered = [_unconfirmed(s)] if process.phase == "sending" and process.reason else []
        return later(s, f"A process was sent; its effect is looked for until {day(until)}.", next_check_at, *answered)
    if s.review:
        found = broken(s, "PROCESSING_FAILED", since=process.began_at, reason="A process was sent, and Loop moved the return to review.")
    else:
        found = _unconfirmed(s)
    return later(s, "A process was sent and its effect was not seen in time; a person's turn.", first_of(s), found)


# ------------------------------------------------------------------------------------------------------ rows 4 - 7


def orphan_of_nobody(s: Situation) -> Plan:
    made = min((receipt.created_at for receipt in s.receipts if receipt.created_at), default=None)
    since = s.journal.since.get("ORPHAN_IN_WMS") or made
    goods = any(receipt.units for receipt in s.receipts)
    step = "Its goods are there: make a return for them in Loop, or send them back; the RMA itself stays as it is." if goods else None
    found = broken(s, "ORPHAN_IN_WMS", since=since, reason="Whiplash has an RMA for a return that Loop does not know.", next_step=step)
    return later(s, "Loop, asked by id, knows no such return.", seldom(s, found.since), found)


def unknown_to_both(s: Situation) -> Plan:
    # Since Loop ceased to know it, not since it was met: a key of another shop, put in by mistake, must not end what is old.
    unknown = s.journal.since.get("UNKNOWN_TO_LOOP") or s.journal.first_seen_at
    ends = None if unknown is None else unknown + s.settings.orphan_grace
    if ends is not None and s.create.phase == "sending":
        ends = max(ends, s.create_bound)
    if ends is not None and s.at >= ends:
        return over(s, "Neither system knows it, and the grace is over.")
    return later(s, "Neither system knows it yet.", first_of(s, ends))


def cancelled_untouched(s: Situation) -> Plan:
    found = broken(s, "ORPHAN_IN_WMS", since=s.touched_at, reason="The return was cancelled; its RMA is still live and untouched.")
    if s.settings.delete_orphans and s.may_act and len(s.receipts) == 1 and s.ours(s.receipts[0]):
        action = DeleteRma(consumer_return_id=s.receipts[0].id, why=f"return {s.return_id} was cancelled; nobody has touched it")
        return later(s, "Our RMA of a cancelled return, untouched.", again(s, None), found, action=action)
    return later(s, "Cancelled; the RMA is for a person to delete.", seldom(s, s.touched_at), found)


def corrected(s: Situation) -> Plan:
    since = max((receipt.updated_at for receipt in s.receipts if receipt.updated_at), default=None)
    found = broken(s, "POST_ACTION_CORRECTION", since=since, reason="What was counted is not what it was processed on.")
    return later(s, "What was counted changed after we processed it.", seldom(s, found.since), found)


def nothing_was_to_come(s: Situation) -> Plan:
    return over(s, "Closed and processed; nothing was announced to Whiplash, and nothing had to be.")


def paid_not_received(s: Situation) -> Plan:
    return _paid(s, _ended(s, s.released_at))


def _ended(s: Situation, dated: datetime | None = None) -> datetime:
    """When it ended, as near as Loop dates it; else when we first saw it so."""
    return believed(dated, s.at) or in_state_since(s)


def _paid(s: Situation, since: datetime) -> Plan:
    limit = since + s.settings.paid_not_received_after
    if s.at < limit:
        return later(s, f"Paid; the goods are awaited until {day(limit)}.", min(seldom(s, since), limit))
    found = broken(s, "PAID_NOT_RECEIVED", since=since, reason=f"Loop released the value by {day(since)}; no goods have been counted.")
    return later(s, "Paid, and the goods never came.", seldom(s, since), found)


def settled(s: Situation) -> Plan:
    return over(s, "Closed, processed and counted.")


def received_after_close(s: Situation) -> Plan:
    found = broken(s, "RECEIVED_AFTER_CLOSE", since=s.counted_at, reason=f"Goods were counted for a return that is {s.state} and unpaid.")
    return later(s, f"It is {s.state}, and goods came.", seldom(s, found.since), found)


def watch(s: Situation) -> Plan:
    since = _ended(s)
    horizon = since + s.settings.watch_for
    if s.at >= horizon:
        return over(s, f"It is {s.state}, and no goods came within {s.settings.watch_for}.")
    return later(s, f"It is {s.state}; goods that still come are watched for until {day(horizon)}.", min(seldom(s, since), horizon))


# ----------------------------------------------------------------------------------------------------- rows 8 - 11


def create_in_doubt(s: Situation) -> Plan:
    return living(s, f"A create was sent and its reply was lost; it is looked for until {day(s.create_bound)}.", until=s.create_bound)


def create_stayed_in_doubt(s: Situation) -> Plan:
    repeat = s.may_repeat_create and s.may_act and s.state in ("open", "review")
    found = broken(
        s,
        "MISSING_IN_WMS",
        since=s.create.began_at,
        reason="A create was sent, its reply was lost, and no RMA has turned up.",
        heals=repeat,
    )
    if repeat:
        return living(s, "The create cannot have been made any more; it may be tried again.", found, action=CreateRma())
    return living(s, "Whether the create was made is for a person to find out.", found)


def create_refused(s: Situation) -> Plan:
    code, said = s.create_problem
    found = broken(s, code, since=s.create.problem_at or s.create.began_at, reason=said or "Whiplash refused the RMA.")
    return living(s, "Whiplash refused the RMA; a person's turn.", found)


def rma_gone(s: Situation) -> Plan:
    done_at = s.create.done_at
    if done_at is not None and s.at <= done_at + s.settings.bound:
        return living(s, "The RMA was just made and does not show yet.", until=done_at + s.settings.bound + A_BIT)
    found = broken(s, "MISSING_IN_WMS", since=done_at, reason="The RMA was there and is gone; it is not made again by itself.")
    return living(s, "The RMA is gone from Whiplash; a person's turn.", found)


def before_start_never_announced(s: Situation) -> Plan:
    return over(s, "No RMA was made for it.")


def before_start_counted(s: Situation) -> Plan:
    found = broken(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason="Counted, and created before Settings.start.")
    return living(s, "The goods were counted; it is for a person to decide.", found)


def nothing_to_ship(s: Situation) -> Plan:
    what = "it has no units to send back" if s.rma is not None and not s.rma.units else "its destination is not ours"
    return over(s, f"Nothing to announce: {what}.")


def not_yet_eligible(s: Situation) -> Plan:
    if s.announced_from is not None:
        return living(s, f"No label says that it is on its way; announced from {day(s.announced_from)}.", until=s.announced_from)
    if not s.label_tells:
        limit = s.created_at + UNLABELLED_BREAK_AFTER
        if s.at < limit:
            return living(s, "It has no label that says that it is on its way.", until=limit)
        reason = "No label says that it is on its way, and Settings.unlabelled_after is None."
        step = "Announce it by hand in Whiplash and attach() it, or hold() it."
        return living(s, reason, broken(s, "MISSING_IN_WMS", since=s.created_at, reason=reason, next_step=step))
    limit = s.last_scan_at + NEVER_SCANNED_AFTER
    word = "/".join(s.labels)
    if s.at < limit:
        return living(s, f"Its label is {word}; announced from {s.settings.create_on} on.", until=limit)
    found = broken(s, "IN_TRANSIT_STALE", since=s.last_scan_at, reason=f"Its label has been {word} for {NEVER_SCANNED_AFTER.days} days.")
    return living(s, f"Its label is still {word}.", found)


def held(s: Situation) -> Plan:
    return living(s, "Waiting for a person.")


def create(s: Situation) -> Plan:
    unsaid = "No label will say that it is on its way; it is announced all the same."
    reason = "A label says that it is on its way." if s.on_its_way else unsaid
    return living(s, reason, *_not_made(s), until=s.at + s.settings.bound + A_BIT, action=CreateRma())


def _not_made(s: Situation) -> Iterable[Break]:
    if s.create.problem:
        code, said = s.create_problem
        yield broken(s, code, since=s.create.problem_at, reason=said, heals=None)
    elif s.at >= s.eligible_since + s.settings.confirm_by:
        overdue = f"An RMA has been due since {day(s.eligible_since)}, and there is none yet."
        yield broken(s, "MISSING_IN_WMS", since=s.eligible_since, reason=overdue, heals=None)


# ---------------------------------------------------------------------------------------------------------- row 12


def under_way(s: Situation) -> Plan:
    breaks = [*_late_parcel(s), *_late_money(s)]
    if s.drift:
        since = s.journal.since.get("ITEMS_DRIFT") or s.touched_at
        breaks.append(broken(s, "ITEMS_DRIFT", since=since, reason=s.drift))
    update = _label_update(s) if s.may_act else None
    if update is not None:
        return living(s, "Loop issued another label.", *breaks, action=update)
    verify = s.create.done_at + s.settings.lag + A_BIT if s.create.done_at is not None and not s.create.verified else None
    return living(s, "Announced; nothing has been counted yet.", *breaks, until=first_of(s, verify, *_limits(s)))


def _delivered_at(s: Situation) -> datetime | None:
    """When the parcel came to the warehouse's door, by the carrier or by Whiplash; None while nobody says so."""
    dates = [believed(time, s.at) for receipt in s.receipts for time in (receipt.delivered_at, receipt.arrived_at)]
    times = [time for time in dates if time is not None]
    if "delivered" in s.labels:
        times.append(s.last_scan_at)
    return min(times, default=None)


def _limits(s: Situation) -> tuple[datetime, ...]:
    delivered = _delivered_at(s)
    parcel = delivered + s.settings.delivered_not_received_after if delivered else s.last_scan_at + s.settings.in_transit_stale_after
    return (parcel, s.released_at + s.settings.paid_not_received_after) if s.released_at else (parcel,)


def _late_parcel(s: Situation) -> Iterable[Break]:
    delivered = _delivered_at(s)
    if delivered is not None:
        if s.at >= delivered + s.settings.delivered_not_received_after:
            reason = f"The parcel was delivered by {day(delivered)}; nothing has been counted."
            yield broken(s, "DELIVERED_NOT_RECEIVED", since=delivered, reason=reason)
    elif s.at >= s.last_scan_at + s.settings.in_transit_stale_after:
        yield broken(s, "IN_TRANSIT_STALE", since=s.last_scan_at, reason=f"No scan since {day(s.last_scan_at)}.")


def _late_money(s: Situation) -> Iterable[Break]:
    """Paid before inspection, or on a carrier's scan: somebody must chase the goods though the return is still open."""
    if s.released:
        since = _ended(s, s.released_at)
        if s.at >= since + s.settings.paid_not_received_after:
            yield broken(s, "PAID_NOT_RECEIVED", since=since, reason=f"Loop released value by {day(since)}; no goods have been counted.")


def _label_update(s: Situation) -> UpdateRma | None:
    if s.rma is None or not s.rma.tracking or s.state not in ("open", "review"):
        return None
    for receipt in s.rivals:
        mine = receipt.id == s.create.consumer_return_id and untouched(receipt)
        if mine and s.rma.tracking not in (s.create.tracking, receipt.tracking):
            return UpdateRma(consumer_return_id=receipt.id, tracking=s.rma.tracking, carrier=s.rma.carrier)
    return None
