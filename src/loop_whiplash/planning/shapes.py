"""What an answer is made of: when to look again, what else is wrong, and the three shapes of a `Plan`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from loop_whiplash.returns.model import ReceivedUnit

from .breaks import open_break
from .model import Action, Break, Plan
from .situation import Situation

__all__ = [
    "FIRST_LOOK",
    "again",
    "broken",
    "day",
    "failed",
    "first_of",
    "in_state_since",
    "later",
    "living",
    "over",
    "retry_unused",
    "seldom",
]

#: The first look after something was sent; later ones come as late again as it has already lasted.
FIRST_LOOK = timedelta(minutes=15)
#: A return that is over for Loop is looked at less and less often, up to this.
LONGEST_LOOK = timedelta(days=7)

# ------------------------------------------------------------------------------------------------------ when next


def again(s: Situation, since: datetime | None) -> datetime:
    """As long again as it has already lasted: at least `FIRST_LOOK`, at most `Settings.recheck`."""
    lasted = s.at - since if since is not None else FIRST_LOOK
    return s.at + min(max(lasted, FIRST_LOOK), s.settings.recheck)


def seldom(s: Situation, since: datetime | None) -> datetime:
    """The same for a return that is over: at least `Settings.recheck`, at most `LONGEST_LOOK`."""
    lasted = s.at - since if since is not None else s.settings.recheck
    return s.at + min(max(lasted, s.settings.recheck), LONGEST_LOOK)


def first_of(s: Situation, *times: datetime | None) -> datetime:
    """The first of these times that is still to come, and in any case within `Settings.recheck`."""
    latest = s.at + s.settings.recheck
    return min((time for time in times if time is not None and s.at < time < latest), default=latest)


def day(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def in_state_since(s: Situation) -> datetime:
    """Since when it has been in its state at the latest: its last change, or our first sight of it, whichever was earlier."""
    known = (s.touched_at, s.journal.since.get(f"state:{s.state}"))
    return min((time for time in known if time is not None), default=s.at)


# --------------------------------------------------------------------------------------------------- what is wrong


def broken(
    s: Situation, code: str, *, reason: str, since: datetime | None = None, heals: bool | None = False, next_step: str | None = None
) -> Break:
    """A break of this return. `heals` None: as the table of breaks has it."""
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
        loop_read=s.observation.loop_read,
        whiplash_read=s.observation.whiplash_read,
    )


def besides(s: Situation) -> Iterable[Break]:
    """What is wrong with a living return whichever row speaks."""
    if s.review:
        since = in_state_since(s)
        if s.at >= since + s.settings.review_stale_after:
            yield broken(s, "REVIEW_STALE", since=since, reason=f"It has been in review since {day(since)}.")
    if s.held and s.journal.held_at is not None and s.at >= s.journal.held_at + s.settings.review_stale_after:
        reason = f"{s.journal.held_by} has been holding it since {day(s.journal.held_at)}."
        yield broken(s, "REVIEW_STALE", since=s.journal.held_at, reason=reason, next_step="release() it, or decide it in Loop.")
    if s.process_failed:
        yield failed(s)
    if s.retry_unused:
        yield retry_unused(s)
    if s.unreadable:
        yield broken(s, "UNREADABLE", reason=s.unreadable)
    nameless = [unit.id for receipt in s.receipts for unit in receipt.units if _nameless(unit)]
    if nameless:
        yield broken(s, "UNKNOWN_ITEM", since=s.counted_at, reason=f"Counted without any identifier: {', '.join(nameless)}.")


def _nameless(unit: ReceivedUnit) -> bool:
    return not (unit.sku or unit.line_id or unit.item_id or unit.barcode or unit.variant_id or unit.product_id)


def failed(s: Situation) -> Break:
    process = s.journal.process
    return broken(s, "PROCESSING_FAILED", since=process.settled_at or process.began_at, reason=f"Loop said: {process.reason or 'nothing'}")


def retry_unused(s: Situation, next_step: str | None = None) -> Break:
    process = s.journal.process
    reason = "A process of ours came to nothing; a person allowed one more, and it has not been sent yet."
    return broken(s, "PROCESSING_FAILED", since=s.journal.failed_at or process.began_at, reason=reason, next_step=next_step)


# ----------------------------------------------------------------------------------------------------- the shapes


def over(s: Situation, reason: str) -> Plan:
    return Plan(reasons=(reason, *_why_not(s)), row=s.row, rule=s.rule, decision=s.asked)


def later(s: Situation, reason: str, next_check_at: datetime, *breaks: Break, action: Action | None = None) -> Plan:
    return Plan(
        action=action,
        breaks=breaks,
        next_check_at=next_check_at,
        reasons=(reason, *_why_not(s)),
        row=s.row,
        rule=s.rule,
        decision=s.asked,
    )


def living(s: Situation, reason: str, *breaks: Break, until: datetime | None = None, action: Action | None = None) -> Plan:
    """For a return that is not over: looked at again within `recheck`, with whatever else is wrong."""
    codes = {found.code for found in breaks}
    rest = (found for found in besides(s) if found.code not in codes)
    return later(s, reason, first_of(s, until), *breaks, *rest, action=action)


def _why_not(s: Situation) -> tuple[str, ...]:
    reasons = []
    if s.held:
        note = f": {s.journal.hold_note}" if s.journal.hold_note else ""
        reasons.append(f"{s.journal.held_by} holds it{note}; nothing is done until release().")
    if s.before_start:
        reasons.append("It was created before Settings.start; it is reported, never acted on.")
    return tuple(reasons)
