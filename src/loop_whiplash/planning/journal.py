"""What must be remembered of one return: a fold over what people and webhooks said, and over what was observed.

Two functions write a `Journal` here: `fold` takes in one stored event, `learn` takes in one observation. Both are pure
and idempotent, so a crash between two steps, or the same webhook twice, changes nothing. (The third writer is whoever
acts: an intent before a request, its outcome after it.)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import attrs

from loop_whiplash.redaction import shown
from loop_whiplash.returns.model import Receipt, Rma

from .drift import drift
from .model import Acknowledged, Act, Create, Journal, Observation, Seen
from .settings import Settings

__all__ = ["Happened", "fold", "learn", "settle", "state_of"]

#: Loop's webhook pages have called one state by several names (https://docs.loopreturns.com/webhook-reference/topics/return-webhook).
_SPELLINGS = {"needs review": "review", "needs_review": "review", "canceled": "cancelled"}


def state_of(rma: Rma) -> str:
    """Loop's state in one spelling: ``open``, ``closed``, ``cancelled``, ``expired``, ``review``, or an unknown word as it came."""
    state = rma.state.strip().lower()
    return _SPELLINGS.get(state, state)


def released(rma: Rma) -> bool:
    """Loop surely gave value: it says so, or says when."""
    return rma.was_processed is True or rma.released_at is not None


class Happened(Protocol):
    """What `fold` reads of a ledger's event."""

    @property
    def kind(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def body(self) -> bytes: ...


# ------------------------------------------------------------------------------------------------------- events


def fold(journal: Journal, event: Happened, *, settings: Settings | None = None) -> Journal:
    """Take in one stored event. Kinds it does not know change nothing; a body it cannot read is taken as empty. Never raises.

    ``loop.hint``, ``whiplash.hint``, ``sweep.hint`` (body ``{"side": "loop" | "whiplash" | "both"}``, Loop by default) say
    who found it first; ``loop.processing_failed`` settles a process of ours; ``person.hold``, ``.release``, ``.retry``,
    ``.acknowledge``, ``.attach`` and ``.detach`` are what people say.
    """
    taker = _TAKERS.get(event.kind)
    if taker is None:
        return journal
    journal = attrs.evolve(journal, first_seen_at=min(journal.first_seen_at or event.at, event.at))
    return taker(journal, event.at, _said(event.body))


def _said(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _loop_hint(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    return attrs.evolve(journal, found_by=journal.found_by or "webhook")


#: Whiplash webhooks that tell nothing of a receipt.
_NO_RECEIPT = ("consumer_return.created", "consumer_return.deleted")


def _whiplash_hint(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    if said.get("event_name") in _NO_RECEIPT:
        return journal
    return attrs.evolve(journal, receipt_found_by=journal.receipt_found_by or "webhook")


def _sweep_hint(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    side = _text(said, "side") or "loop"
    return attrs.evolve(
        journal,
        found_by=journal.found_by or ("sweep" if side in ("loop", "both") else None),
        receipt_found_by=journal.receipt_found_by or ("sweep" if side in ("whiplash", "both") else None),
    )


def _processing_failed(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    message = shown(_text(said, "message"))[:200] or "Loop gave no reason"  # a journal is kept for good, and names nobody
    journal = attrs.evolve(journal, found_by=journal.found_by or "webhook", failed_at=at, failure=message)
    process = journal.process
    # A failure that came in before the send in doubt began speaks of an earlier one.
    if process.phase in ("sending", "accepted") and (process.began_at is None or at >= process.began_at):
        journal = attrs.evolve(journal, process=attrs.evolve(process, phase="failed", settled_at=at, reason=message))
    return journal


def _hold(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    note = _text(said, "note") or None
    return attrs.evolve(journal, held_by=_text(said, "by") or "somebody", hold_note=note, held_at=journal.held_at or at)


def _release(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    return attrs.evolve(journal, held_by=None, hold_note=None, held_at=None)


#: A `retry()` so soon after the send that an earlier one allowed is that one, said twice: a button that was clicked twice.
SAID_TWICE = timedelta(minutes=5)


def _retry(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    """One more send of process, never more than one unused; a create or a flag that was refused or is in doubt may be tried again."""
    process, flag, create = journal.process, journal.flag, journal.create
    in_doubt = process.phase in ("sending", "accepted")
    if in_doubt and process.sends > 1 and process.began_at is not None and at < process.began_at + SAID_TWICE:
        return journal
    if process.phase != "confirmed":
        process = attrs.evolve(process, phase="none", began_at=None, settled_at=None, reason=None)
        journal = attrs.evolve(journal, process=process, allowed_sends=process.sends + 1)
    if flag.phase in ("sending", "accepted"):
        # The person looked: whatever became of the flag, it does not stand any more, and stays remembered as made.
        flag = attrs.evolve(flag, phase="cleared", settled_at=at)
    elif flag.phase in ("refused", "failed"):
        flag = attrs.evolve(flag, phase="none", began_at=None, settled_at=None, reason=None)
    if create.phase == "sending":
        # Still only after the bounds: until then the first one may be on its way.
        create = attrs.evolve(create, allowed_attempts=create.attempt + 1)
    else:
        # One that was made is found again by its id where it still lives; only one that is gone is made anew.
        create = attrs.evolve(create, phase="none", began_at=None, problem=None, problem_at=None)
    return attrs.evolve(journal, flag=flag, create=create)


def _acknowledge(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    code = _text(said, "code")
    try:
        until = datetime.fromisoformat(_text(said, "until"))
    except ValueError:
        return journal
    if not code:
        return journal
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
    word = Acknowledged(until=until, by=_text(said, "by"), note=_text(said, "note"))
    return attrs.evolve(journal, acknowledged={**journal.acknowledged, code: word})


def _attach(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    consumer_return_id = said.get("consumer_return_id")
    if type(consumer_return_id) is not int or consumer_return_id in journal.attached:
        return journal
    return attrs.evolve(journal, attached=tuple(sorted((*journal.attached, consumer_return_id))))


def _detach(journal: Journal, at: datetime, said: Mapping[str, Any]) -> Journal:
    """A person has attached it to another return."""
    left = tuple(number for number in journal.attached if number != said.get("consumer_return_id"))
    return attrs.evolve(journal, attached=left)


# A new kind needs a new version of the ledger's schema: an older release would mark such an event as read without taking it in,
# and a ledger of a newer version it does not open.
_TAKERS: Mapping[str, Callable[[Journal, datetime, Mapping[str, Any]], Journal]] = {
    "loop.hint": _loop_hint,
    "whiplash.hint": _whiplash_hint,
    "sweep.hint": _sweep_hint,
    "loop.processing_failed": _processing_failed,
    "person.hold": _hold,
    "person.release": _release,
    "person.retry": _retry,
    "person.acknowledge": _acknowledge,
    "person.attach": _attach,
    "person.detach": _detach,
}

# ------------------------------------------------------------------------------------------------- observations


def learn(journal: Journal, observation: Observation, *, at: datetime, settings: Settings | None = None) -> Journal:
    """What one observation settles and what it shows for the first time: effects seen, an RMA found, first-seen times."""
    settings = _DEFAULTS if settings is None else settings
    journal = settle(journal, observation, at=at, settings=settings)
    if observation.whiplash_read:
        create = _settled_create(journal.create, journal, observation.receipts, at, settings)
        seen = _seen(journal.seen, observation.receipts, at)
        if create is not journal.create or seen != journal.seen:
            journal = attrs.evolve(journal, create=create, seen=seen)
    since = _since(journal, observation, at)
    if since != journal.since or journal.first_seen_at is None:
        journal = attrs.evolve(journal, since=since, first_seen_at=journal.first_seen_at or at)
    return journal


def settle(journal: Journal, observation: Observation, *, at: datetime, settings: Settings | None = None) -> Journal:
    """The part of `learn` that `plan` itself rests on: what became of process and flag. The same journal when nothing changed."""
    if observation.rma is None or not observation.loop_read:
        return journal
    process = _settled_process(journal.process, observation.rma, at, _DEFAULTS if settings is None else settings)
    flag = _settled_flag(journal.flag, observation.rma, at)
    if process is journal.process and flag is journal.flag:
        return journal
    return attrs.evolve(journal, process=process, flag=flag)


_DEFAULTS = Settings()


def _settled_process(process: Act, rma: Rma, at: datetime, settings: Settings) -> Act:
    if process.phase == "confirmed" or (process.phase == "none" and process.sends == 0):
        return process
    state = state_of(rma)
    if state == "closed" and released(rma):
        # A refusal too, and one that a person allowed to be sent again: an earlier reply may have been lost. We held the
        # intent and it is paid, so it is settled.
        return attrs.evolve(process, phase="confirmed", settled_at=at, reason=None)
    overdue = process.began_at is None or at >= process.began_at + settings.confirm_by
    # Closed and cancelled returns are read-only (https://docs.loopreturns.com, return actions guide): no effect can follow.
    unpaid = state == "cancelled" or (state == "closed" and rma.was_processed is False)
    if process.phase in ("sending", "accepted") and overdue and unpaid:
        return attrs.evolve(process, phase="failed", settled_at=at, reason=f"the return was {state} without being processed")
    return process


def _settled_flag(flag: Act, rma: Rma, at: datetime) -> Act:
    state = state_of(rma)
    unseen = flag.unseen_at is not None and (flag.began_at is None or flag.unseen_at >= flag.began_at)
    if flag.phase in ("sending", "accepted") and state == "review":
        return attrs.evolve(flag, phase="confirmed", settled_at=at, answered=flag.phase == "accepted" and not unseen)
    if flag.phase == "accepted" and state == "open" and not unseen:
        # It shows late, or a person took it away at once. If it is in review later, that may be somebody else's doing.
        return attrs.evolve(flag, unseen_at=at)
    if flag.phase == "confirmed" and state == "open":
        return attrs.evolve(flag, phase="cleared", settled_at=at)
    return flag


def _settled_create(create: Create, journal: Journal, receipts: tuple[Receipt, ...], at: datetime, settings: Settings) -> Create:
    ours = [receipt for receipt in receipts if receipt.id not in journal.attached]
    if len(ours) > 1 or not receipts:
        return create
    # What a person attached stands for the RMA where there is no other: it ends a doubt, and is missed when it goes.
    found = ours[0] if ours else min(receipts, key=lambda receipt: receipt.id)
    if create.phase != "done" and create.consumer_return_id == found.id:
        return attrs.evolve(create, phase="done", original_id=None, problem=None, problem_at=None)
    if create.phase != "done" or create.consumer_return_id != found.id:
        kept = create.lines if create.phase == "sending" else {}
        return attrs.evolve(
            create,
            phase="done",
            original_id=None,
            done_at=at,
            verified=False,
            consumer_return_id=found.id,
            adopted=True,
            lines=kept,
            tracking=found.tracking,
            problem=None,
            problem_at=None,
        )
    if not create.verified and (create.done_at is None or at > create.done_at + settings.lag):
        return attrs.evolve(create, verified=True)
    return create


def _seen(seen: Mapping[str, Seen], receipts: tuple[Receipt, ...], at: datetime) -> Mapping[str, Seen]:
    fresh = dict(seen)
    for receipt in receipts:
        if not receipt.units and not receipt.final:
            continue
        known = fresh.get(str(receipt.id), Seen())
        # A receipt can be reopened and completed again; its final time is that of this completion.
        final_at = (known.final_at or at) if receipt.final else None
        fresh[str(receipt.id)] = Seen(counted_at=known.counted_at or at, final_at=final_at)
    return fresh


def _since(journal: Journal, observation: Observation, at: datetime) -> Mapping[str, datetime]:
    known = journal.since
    now = {key: known.get(key, at) for key, holds in _TIMELESS.items() if holds(observation, journal)}
    state = state_of(observation.rma) if observation.rma is not None else ""
    if state:
        key = f"state:{state}"
        now[key] = known.get(key, at)
    if not (observation.loop_read and observation.whiplash_read):
        # What could not be seen is not over.
        return {**known, **now}
    return now


def _unread(observation: Observation, journal: Journal) -> bool:
    return not (observation.loop_read and observation.whiplash_read)


def _unreadable(observation: Observation, journal: Journal) -> bool:
    return any(problem.startswith("UNREADABLE") for problem in observation.problems) or any(r.problems for r in observation.receipts)


def _double(observation: Observation, journal: Journal) -> bool:
    return sum(receipt.id not in journal.attached for receipt in observation.receipts) > 1


def _orphan(observation: Observation, journal: Journal) -> bool:
    return observation.loop_read and bool(observation.receipts) and (observation.rma is None or state_of(observation.rma) == "cancelled")


def _drifted(observation: Observation, journal: Journal) -> bool:
    rma, double = observation.rma, _double(observation, journal)
    return rma is not None and not double and drift(rma, observation.receipts, journal) is not None


def _unknown(observation: Observation, journal: Journal) -> bool:
    return observation.loop_read and observation.rma is None


#: Conditions that neither system dates: code → does it hold in this observation.
_TIMELESS: Mapping[str, Callable[[Observation, Journal], bool]] = {
    "UNKNOWN_TO_LOOP": _unknown,
    "SOURCE_INCOMPLETE": _unread,
    "UNREADABLE": _unreadable,
    "DUPLICATE_IN_WMS": _double,
    "ORPHAN_IN_WMS": _orphan,
    "ITEMS_DRIFT": _drifted,
}
