"""What is done where a row of the table speaks: one small function each, from a `Situation` to a `Plan`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from loop_whiplash.matching.decision import Decision
from loop_whiplash.returns.model import Receipt

from .breaks import BREAKS, open_break
from .model import Action, Break, CreateRma, DeleteRma, Flag, Plan, Process, UpdateRma
from .settings import Settings
from .situation import A_BIT, NEVER_SCANNED_AFTER, UNLABELLED_BREAK_AFTER, Situation, untouched

__all__ = ["NOTE_LENGTH", "note_text"]

#: The first look after something was sent; later ones come as late again as it has already lasted.
FIRST_LOOK = timedelta(minutes=15)
#: A return that is over for Loop is looked at less and less often, up to this.
LONGEST_LOOK = timedelta(days=7)
#: A short receipt is given at most this long by the default policy before it is flagged.
LONGEST_GRACE = timedelta(days=14)
#: Loop's notes hold fewer than 255 characters, else 422.
NOTE_LENGTH = 250

# ------------------------------------------------------------------------------------------------------ when next


def _again(s: Situation, since: datetime | None) -> datetime:
    """As long again as it has already lasted: at least `FIRST_LOOK`, at most `Settings.recheck`."""
    lasted = s.at - since if since is not None else FIRST_LOOK
    return s.at + min(max(lasted, FIRST_LOOK), s.settings.recheck)


def _seldom(s: Situation, since: datetime | None) -> datetime:
    """The same for a return that is over: at least `Settings.recheck`, at most `LONGEST_LOOK`."""
    lasted = s.at - since if since is not None else s.settings.recheck
    return s.at + min(max(lasted, s.settings.recheck), LONGEST_LOOK)


def _first(s: Situation, *times: datetime | None) -> datetime:
    """The first of these times that is still to come, and in any case within `Settings.recheck`."""
    latest = s.at + s.settings.recheck
    return min((time for time in times if time is not None and s.at < time < latest), default=latest)


def _day(time: datetime) -> str:
    return f"{time.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


# --------------------------------------------------------------------------------------------------- what is wrong


def _break(s: Situation, code: str, *, since: datetime | None, reason: str, heals: bool = False, next_step: str | None = None) -> Break:
    return open_break(
        code,
        since=since,
        return_id=s.return_id,
        rma=s.rma,
        receipts=s.receipts,
        journal=s.journal,
        at=s.at,
        reason=reason,
        heals=heals,
        next_step=next_step,
    )


def _besides(s: Situation) -> Iterable[Break]:
    """What is wrong with a living return whichever row speaks."""
    if s.review:
        since = _in_state_since(s)
        if s.at >= since + s.settings.review_stale_after:
            yield _break(s, "REVIEW_STALE", since=since, reason=f"It has been in review since {_day(since)}.")
    if s.held and s.journal.held_at is not None and s.at >= s.journal.held_at + s.settings.review_stale_after:
        reason = f"{s.journal.held_by} has been holding it since {_day(s.journal.held_at)}."
        yield _break(s, "REVIEW_STALE", since=s.journal.held_at, reason=reason, next_step="release() it, or decide it in Loop.")
    if s.process_failed:
        yield _failed(s)
    if s.retry_unused:
        yield _retry_unused(s)
    if s.unreadable:
        yield _break(s, "UNREADABLE", since=None, reason=s.unreadable)
    nameless = [unit.id for receipt in s.receipts for unit in receipt.units if _nameless(unit)]
    if nameless:
        yield _break(s, "UNKNOWN_ITEM", since=s.counted_at, reason=f"Counted without any identifier: {', '.join(nameless)}.")


def _nameless(unit: object) -> bool:
    return not any(getattr(unit, name) for name in ("line_id", "sku", "item_id", "barcode", "variant_id", "product_id"))


def _failed(s: Situation) -> Break:
    process = s.journal.process
    return _break(s, "PROCESSING_FAILED", since=process.settled_at or process.began_at, reason=f"Loop said: {process.reason or 'nothing'}")


def _retry_unused(s: Situation, next_step: str | None = None) -> Break:
    process = s.journal.process
    reason = "A process of ours came to nothing; a person allowed one more, and it has not been sent yet."
    return _break(s, "PROCESSING_FAILED", since=s.journal.failed_at or process.began_at, reason=reason, next_step=next_step)


# ----------------------------------------------------------------------------------------------------- the shapes


def _over(s: Situation, reason: str) -> Plan:
    return Plan(reasons=(reason, *_why_not(s)), row=s.row, rule=s.rule, decision=s.asked)


def _later(s: Situation, reason: str, next_check_at: datetime, *breaks: Break, action: Action | None = None) -> Plan:
    return Plan(
        action=action,
        breaks=breaks,
        next_check_at=next_check_at,
        reasons=(reason, *_why_not(s)),
        row=s.row,
        rule=s.rule,
        decision=s.asked,
    )


def _living(s: Situation, reason: str, *breaks: Break, until: datetime | None = None, action: Action | None = None) -> Plan:
    """For a return that is not over: looked at again within `recheck`, with whatever else is wrong."""
    codes = {found.code for found in breaks}
    rest = (found for found in _besides(s) if found.code not in codes)
    return _later(s, reason, _first(s, until), *breaks, *rest, action=action)


def _why_not(s: Situation) -> tuple[str, ...]:
    reasons = []
    if s.held:
        note = f": {s.journal.hold_note}" if s.journal.hold_note else ""
        reasons.append(f"{s.journal.held_by} holds it{note}; nothing is done until release().")
    if s.before_start:
        reasons.append("It was created before Settings.start; it is reported, never acted on.")
    return tuple(reasons)


# ------------------------------------------------------------------------------------------------------- row 1, 2


def incomplete(s: Situation) -> Plan:
    said = "; ".join(s.observation.problems) or "one side could not be read"
    code = "UNREADABLE" if s.unreadable else "SOURCE_INCOMPLETE"
    since = s.journal.since.get(code)
    # What the side that could be read shows is told all the same.
    double = [_double(s)] if s.observation.whiplash_read and len(s.rivals) > 1 else []
    return _later(s, f"Could not look: {said}.", _again(s, since), _break(s, code, since=since, reason=said), *double)


def _double(s: Situation) -> Break:
    ids = ", ".join(str(receipt.id) for receipt in s.rivals)
    return _break(s, "DUPLICATE_IN_WMS", since=_second_made(s), reason=f"Whiplash has {len(s.rivals)} RMAs for this return: {ids}.")


def several(s: Situation) -> Plan:
    breaks = [_double(s), *([_unconfirmed(s)] if s.process_in_doubt and _overdue(s) else [])]
    surplus = _surplus(s)
    if surplus is not None and s.settings.delete_duplicates and s.may_act:
        action = DeleteRma(consumer_return_id=surplus.id, why=f"one of {len(s.rivals)} RMAs of return {s.return_id}, untouched")
        return _later(s, f"RMA {surplus.id} is a double of ours that nobody has touched.", _again(s, None), *breaks, action=action)
    return _later(s, "Which RMA is the right one is for a person to say.", _first(s), *breaks)


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
    sent = "Loop accepted the process" if process.phase == "accepted" else "A process was sent and its reply was lost"
    reason = f"{sent}; its effect has not been seen in {s.settings.confirm_by}."
    return _break(s, "ACTION_UNCONFIRMED", since=process.began_at, reason=reason)


def process_in_doubt(s: Situation) -> Plan:
    process = s.journal.process
    if process.began_at is not None and not _overdue(s):
        until = process.began_at + s.settings.confirm_by
        next_check_at = min(_again(s, process.began_at), until)
        return _later(s, f"A process was sent; its effect is looked for until {_day(until)}.", next_check_at)
    if s.review:
        found = _break(s, "PROCESSING_FAILED", since=process.began_at, reason="A process was sent, and Loop moved the return to review.")
    else:
        found = _unconfirmed(s)
    return _later(s, "A process was sent and its effect was not seen in time; a person's turn.", _first(s), found)


# ------------------------------------------------------------------------------------------------------ rows 4 - 7


def orphan_of_nobody(s: Situation) -> Plan:
    made = min((receipt.created_at for receipt in s.receipts if receipt.created_at), default=None)
    since = s.journal.since.get("ORPHAN_IN_WMS") or made
    found = _break(s, "ORPHAN_IN_WMS", since=since, reason="Whiplash has an RMA for a return that Loop does not know.")
    return _later(s, "Loop, asked by id, knows no such return.", _seldom(s, found.since), found)


def unknown_to_both(s: Situation) -> Plan:
    # Since Loop ceased to know it, not since it was met: a key of another shop, put in by mistake, must not end what is old.
    unknown = s.journal.since.get("UNKNOWN_TO_LOOP") or s.journal.first_seen_at
    over = None if unknown is None else unknown + s.settings.orphan_grace
    if over is not None and s.create.phase == "sending":
        over = max(over, s.create_bound)
    if over is not None and s.at >= over:
        return _over(s, "Neither system knows it, and the grace is over.")
    return _later(s, "Neither system knows it yet.", _first(s, over))


def cancelled_untouched(s: Situation) -> Plan:
    found = _break(s, "ORPHAN_IN_WMS", since=s.touched_at, reason="The return was cancelled; its RMA is still live and untouched.")
    if s.settings.delete_orphans and s.may_act and len(s.receipts) == 1 and s.ours(s.receipts[0]):
        action = DeleteRma(consumer_return_id=s.receipts[0].id, why=f"return {s.return_id} was cancelled; nobody has touched it")
        return _later(s, "Our RMA of a cancelled return, untouched.", _again(s, None), found, action=action)
    return _later(s, "Cancelled; the RMA is for a person to delete.", _seldom(s, s.touched_at), found)


def corrected(s: Situation) -> Plan:
    since = max((receipt.updated_at for receipt in s.receipts if receipt.updated_at), default=None)
    found = _break(s, "POST_ACTION_CORRECTION", since=since, reason="What was counted is not what it was processed on.")
    return _later(s, "What was counted changed after we processed it.", _seldom(s, found.since), found)


def nothing_was_to_come(s: Situation) -> Plan:
    return _over(s, "Closed and processed; nothing was announced to Whiplash, and nothing had to be.")


def paid_not_received(s: Situation) -> Plan:
    return _paid(s, _ended(s, s.rma.released_at if s.rma else None))


def _in_state_since(s: Situation) -> datetime:
    """Since when it has been in its state at the latest: its last change, or our first sight of it, whichever was earlier."""
    known = (s.touched_at, s.journal.since.get(f"state:{s.state}"))
    return min((time for time in known if time is not None), default=s.at)


def _ended(s: Situation, dated: datetime | None = None) -> datetime:
    """When it ended, as near as Loop dates it; else when we first saw it so."""
    return dated or _in_state_since(s)


def _paid(s: Situation, since: datetime) -> Plan:
    limit = since + s.settings.paid_not_received_after
    if s.at < limit:
        return _later(s, f"Paid; the goods are awaited until {_day(limit)}.", min(_seldom(s, since), limit))
    found = _break(s, "PAID_NOT_RECEIVED", since=since, reason=f"Loop released the value by {_day(since)}; no goods have been counted.")
    return _later(s, "Paid, and the goods never came.", _seldom(s, since), found)


def settled(s: Situation) -> Plan:
    return _over(s, "Closed, processed and counted.")


def received_after_close(s: Situation) -> Plan:
    found = _break(s, "RECEIVED_AFTER_CLOSE", since=s.counted_at, reason=f"Goods were counted for a return that is {s.state} and unpaid.")
    return _later(s, f"It is {s.state}, and goods came.", _seldom(s, found.since), found)


def watch(s: Situation) -> Plan:
    since = _ended(s)
    horizon = since + s.settings.watch_for
    if s.at >= horizon:
        return _over(s, f"It is {s.state}, and no goods came within {s.settings.watch_for}.")
    return _later(s, f"It is {s.state}; goods that still come are watched for until {_day(horizon)}.", min(_seldom(s, since), horizon))


# ----------------------------------------------------------------------------------------------------- rows 8 - 11


def create_in_doubt(s: Situation) -> Plan:
    return _living(s, f"A create was sent and its reply was lost; it is looked for until {_day(s.create_bound)}.", until=s.create_bound)


def create_stayed_in_doubt(s: Situation) -> Plan:
    repeat = s.may_repeat_create and s.may_act and s.state in ("open", "review")
    found = _break(
        s,
        "MISSING_IN_WMS",
        since=s.create.began_at,
        reason="A create was sent, its reply was lost, and no RMA has turned up.",
        heals=repeat,
    )
    if repeat:
        return _living(s, "The create cannot have been made any more; it may be tried again.", found, action=CreateRma())
    return _living(s, "Whether the create was made is for a person to find out.", found)


def create_refused(s: Situation) -> Plan:
    code, said = s.create_problem
    found = _break(s, code, since=s.create.problem_at or s.create.began_at, reason=said or "Whiplash refused the RMA.")
    return _living(s, "Whiplash refused the RMA; a person's turn.", found)


def rma_gone(s: Situation) -> Plan:
    done_at = s.create.done_at
    if done_at is not None and s.at <= done_at + s.settings.bound:
        return _living(s, "The RMA was just made and does not show yet.", until=done_at + s.settings.bound + A_BIT)
    found = _break(s, "MISSING_IN_WMS", since=done_at, reason="The RMA was there and is gone; it is not made again by itself.")
    return _living(s, "The RMA is gone from Whiplash; a person's turn.", found)


def before_start_never_announced(s: Situation) -> Plan:
    return _over(s, "No RMA was made for it.")


def before_start_counted(s: Situation) -> Plan:
    found = _break(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason="Counted, and created before Settings.start.")
    return _living(s, "The goods were counted; it is for a person to decide.", found)


def nothing_to_ship(s: Situation) -> Plan:
    what = "it has no units to send back" if s.rma is not None and not s.rma.units else "its destination is not ours"
    return _over(s, f"Nothing to announce: {what}.")


def not_yet_eligible(s: Situation) -> Plan:
    since = s.created_at
    if s.announced_from is not None:
        return _living(s, f"No label says that it is on its way; announced from {_day(s.announced_from)}.", until=s.announced_from)
    if not s.label_tells:
        limit = since + UNLABELLED_BREAK_AFTER
        if s.at < limit:
            return _living(s, "It has no label that says that it is on its way.", until=limit)
        reason = "No label says that it is on its way, and Settings.unlabelled_after is None."
        step = "Announce it by hand in Whiplash and attach() it, or hold() it."
        return _living(s, reason, _break(s, "MISSING_IN_WMS", since=since, reason=reason, next_step=step))
    limit = (s.rma.label_updated_at if s.rma and s.rma.label_updated_at else since) + NEVER_SCANNED_AFTER
    word = "/".join(s.labels)
    if s.at < limit:
        return _living(s, f"Its label is {word}; announced from {s.settings.create_on} on.", until=limit)
    found = _break(
        s, "IN_TRANSIT_STALE", since=limit - NEVER_SCANNED_AFTER, reason=f"Its label has been {word} for {NEVER_SCANNED_AFTER.days} days."
    )
    return _living(s, f"Its label is still {word}.", found)


def held(s: Situation) -> Plan:
    return _living(s, "Waiting for a person.")


def create(s: Situation) -> Plan:
    unsaid = "No label will say that it is on its way; it is announced all the same."
    reason = "A label says that it is on its way." if s.on_its_way else unsaid
    until = s.at + s.settings.bound + A_BIT
    if s.create.problem:
        code, said = s.create_problem
        found = _break(s, code, since=s.create.problem_at, reason=said, heals=BREAKS[code].heals)
        return _living(s, reason, found, until=until, action=CreateRma())
    if s.at < s.eligible_since + s.settings.confirm_by:
        return _living(s, reason, until=until, action=CreateRma())
    overdue = f"An RMA has been due since {_day(s.eligible_since)}, and there is none yet."
    found = _break(s, "MISSING_IN_WMS", since=s.eligible_since, reason=overdue, heals=True)
    return _living(s, reason, found, until=until, action=CreateRma())


# ---------------------------------------------------------------------------------------------------------- row 12


def under_way(s: Situation) -> Plan:
    breaks = [*_late_parcel(s), *_late_money(s)]
    if s.drift:
        since = s.journal.since.get("ITEMS_DRIFT") or s.touched_at
        breaks.append(_break(s, "ITEMS_DRIFT", since=since, reason=s.drift))
    update = _label_update(s) if s.may_act else None
    if update is not None:
        return _living(s, "Loop issued another label.", *breaks, action=update)
    verify = s.create.done_at + s.settings.lag + A_BIT if s.create.done_at is not None and not s.create.verified else None
    return _living(s, "Announced; nothing has been counted yet.", *breaks, until=min(filter(None, (verify, *_limits(s))), default=None))


def _delivered_at(s: Situation) -> datetime | None:
    """When the parcel came to the warehouse's door, by the carrier or by Whiplash; None while nobody says so."""
    times = [time for receipt in s.receipts for time in (receipt.delivered_at, receipt.arrived_at) if time is not None]
    if "delivered" in s.labels:
        times.append((s.rma.label_updated_at if s.rma else None) or s.created_at)
    return min(times, default=None)


def _last_scan(s: Situation) -> datetime:
    return (s.rma.label_updated_at if s.rma else None) or s.created_at


def _limits(s: Situation) -> tuple[datetime, ...]:
    delivered = _delivered_at(s)
    parcel = delivered + s.settings.delivered_not_received_after if delivered else _last_scan(s) + s.settings.in_transit_stale_after
    money = (s.rma.released_at + s.settings.paid_not_received_after,) if s.rma and s.rma.released_at else ()
    return tuple(limit for limit in (parcel, *money) if limit > s.at)


def _late_parcel(s: Situation) -> Iterable[Break]:
    delivered = _delivered_at(s)
    if delivered is not None:
        if s.at >= delivered + s.settings.delivered_not_received_after:
            reason = f"The parcel was delivered by {_day(delivered)}; nothing has been counted."
            yield _break(s, "DELIVERED_NOT_RECEIVED", since=delivered, reason=reason)
    elif s.at >= _last_scan(s) + s.settings.in_transit_stale_after:
        yield _break(s, "IN_TRANSIT_STALE", since=_last_scan(s), reason=f"No scan since {_day(_last_scan(s))}.")


def _late_money(s: Situation) -> Iterable[Break]:
    """Paid before inspection, or on a carrier's scan: somebody must chase the goods though the return is still open."""
    if s.rma is not None and s.released:
        since = _ended(s, s.rma.released_at)
        if s.at >= since + s.settings.paid_not_received_after:
            yield _break(s, "PAID_NOT_RECEIVED", since=since, reason=f"Loop released value by {_day(since)}; no goods have been counted.")


def _label_update(s: Situation) -> UpdateRma | None:
    if s.rma is None or not s.rma.tracking or s.state not in ("open", "review"):
        return None
    for receipt in s.rivals:
        mine = receipt.id == s.create.consumer_return_id and untouched(receipt)
        if mine and s.rma.tracking not in (s.create.tracking, receipt.tracking):
            return UpdateRma(consumer_return_id=receipt.id, tracking=s.rma.tracking, carrier=s.rma.carrier)
    return None


# ----------------------------------------------------------------------------------------------------- rows 13 - 16


def wait(s: Situation) -> Plan:
    deadline = s.decision.deadline
    if deadline is not None and deadline > s.at:
        return _living(s, f"The matcher waits until {_day(deadline)}.", until=deadline)
    reason = "The matcher waits without a deadline that is still to come."
    return _living(s, reason, _break(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=reason))


def unreadable_receipt(s: Situation) -> Plan:
    return _living(s, "What was counted cannot be read whole; it is never processed on a part.")


def processing_failed(s: Situation) -> Plan:
    return _living(s, "Loop did not process it; a person's turn.", _failed(s))


def process_from_review(s: Situation) -> Plan:
    return _send_process(s, "Flagged by us, and cured by new evidence since.")


def in_review(s: Situation) -> Plan:
    if s.retry_unused:
        step = "Set the return back to open in Loop, and it is sent once more; or process it there by hand."
        return _living(s, "A person allowed one more process, and nothing is sent to a return in review.", _retry_unused(s, next_step=step))
    if not s.flagged_by_us:
        return _living(s, "In review, and not by us; a person's turn.")
    word = "what we flagged is cured by now; processing it from review is" if s.says_process else "it is"
    return _living(s, f"In review after our flag; {word} a person's turn.")


def unknown_state(s: Situation) -> Plan:
    since = s.journal.since.get(f"state:{s.state}") or s.touched_at or s.at
    limit = since + s.settings.confirm_by
    if s.at < limit:
        return _living(s, f"Loop says {s.state!r}, which is not a state we know.", until=limit)
    code = "RECEIVED_NOT_ACTIONED" if s.receipts else "MISSING_IN_WMS"
    reason = f"Loop says {s.state!r} since {_day(since)}, which is not a state we know; nothing is done in it."
    return _living(s, reason, _break(s, code, since=since, reason=reason))


# ----------------------------------------------------------------------------------------------------- rows 17 - 20


def flag_in_doubt(s: Situation) -> Plan:
    flag = s.journal.flag
    if flag.began_at is not None and s.at < flag.began_at + s.settings.confirm_by:
        until = min(_again(s, flag.began_at), flag.began_at + s.settings.confirm_by)
        return _living(s, "A flag was sent; its effect is looked for.", until=until)
    reason = f"A flag was sent; the return has not been seen in review within {s.settings.confirm_by}."
    return _living(s, "A person's turn.", _break(s, "ACTION_UNCONFIRMED", since=flag.began_at, reason=reason))


def flag_refused(s: Situation) -> Plan:
    flag = s.journal.flag
    reason = f"Loop refused the flag: {flag.reason or 'no reason given'}"
    return _living(s, reason, _break(s, "RECEIVED_NOT_ACTIONED", since=flag.settled_at or s.counted_at, reason=reason))


def flagged_before(s: Situation) -> Plan:
    reason = "All that is wrong was flagged before, and a person took the flag away; it is not flagged again."
    return _living(s, reason, _not_actioned(s, reason))


def _not_actioned(s: Situation, reason: str) -> Break:
    return _break(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=reason)


def flag(s: Situation) -> Plan:
    action = Flag(evidence=s.decision.evidence, keys=s.keys, note=note_text(s.settings, s.decision) if s.settings.notes else "")
    return _send(s, f"Flag: {_headline(s.decision)}", action, LONGEST_GRACE + s.settings.confirm_by)


def _headline(decision: Decision) -> str:
    blocking = [finding for finding in decision.findings if finding.blocking]
    return blocking[0].message or blocking[0].code if blocking else "the matcher says so."


def note_text(settings: Settings, decision: Decision) -> str:
    """The note that goes before a flag: our marker, which evidence, what is wrong; at most `NOTE_LENGTH` characters."""
    evidence = f" {decision.evidence[:8]}" if decision.evidence else ""
    text = decision.note(prefix=f"{settings.note_prefix}{evidence}: ")
    return text if len(text) <= NOTE_LENGTH else text[: NOTE_LENGTH - 1] + "…"


def same_evidence(s: Situation) -> Plan:
    reason = "The verdict is PROCESS by now, on the same evidence that we flagged; that is for a person to process."
    return _living(s, reason, _not_actioned(s, reason))


def process_after_flag(s: Situation) -> Plan:
    return _send_process(s, "A person took our flag away, and new evidence cured it.")


def released_already(s: Situation) -> Plan:
    reason = "Loop has released value for it already; it is never processed a second time."
    return _living(s, reason, _not_actioned(s, reason))


def sent_already(s: Situation) -> Plan:
    reason = "A process of ours was sent and settled, and the return is open again; it is never processed a second time by itself."
    return _living(s, reason, _not_actioned(s, reason))


def process(s: Situation) -> Plan:
    return _send_process(s, "What was counted agrees with what was expected.")


def _send_process(s: Situation, reason: str) -> Plan:
    return _send(s, reason, Process(evidence=s.decision.evidence), s.settings.confirm_by)


def _send(s: Situation, reason: str, action: Process | Flag, within: timedelta) -> Plan:
    """Act; and say so where the goods have been there for long, so that what can never be sent does not stay unseen."""
    until = s.at + FIRST_LOOK
    if s.last_counted_at is None or s.at < s.last_counted_at + within:
        return _living(s, reason, until=until, action=action)
    overdue = f"Counted by {_day(s.last_counted_at)}, and not acted on yet."
    return _living(
        s, reason, _break(s, "RECEIVED_NOT_ACTIONED", since=s.counted_at, reason=overdue, heals=True), until=until, action=action
    )


def nothing_to_do(s: Situation) -> Plan:
    reason = "The matcher says that nothing is to be done, and the return is still open."
    return _living(s, reason, _not_actioned(s, reason))
