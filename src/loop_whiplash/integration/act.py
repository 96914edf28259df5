"""One effect on one of the two systems: intent, send once, outcome.

The shape of every action is the same and is what makes it safe:

1. `commit` the intent in one transaction: journal and unique row, fenced by the lease. It is refused when anything has
   come in since the plan was made (a webhook, a person's word): then the plan is made again.
2. Send once. The transport never repeats it, and does not send at all when the worker was paused for longer than
   `Settings.pause` since the intent.
3. Write what came of it: *made*; *not made* (a connection that failed, 401, 403, 429: the intent is withdrawn and the
   return is due again); *refused*; or nothing at all, which is what a crash writes too: *unknown*.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import attrs

from loop_whiplash.errors import (
    ActionRefused,
    ApiError,
    AuthenticationFailed,
    Conflict,
    ConnectionFailed,
    DecodeError,
    IntentExists,
    ListIncomplete,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ScopeMissing,
    ServerError,
    TimedOut,
    UnresolvedItems,
)
from loop_whiplash.http.call import Call
from loop_whiplash.http.flow import Store
from loop_whiplash.http.session import Session
from loop_whiplash.ledger.protocol import Claim, Event, Intent
from loop_whiplash.loop.calls import add_note, flag_return, get_notes, get_return, process_return
from loop_whiplash.planning import untouched
from loop_whiplash.planning.model import Action, Create, CreateRma, DeleteRma, Flag, Journal, Observation, Process, UpdateRma
from loop_whiplash.returns import ConsumerReturnDraft, to_consumer_return, to_rma
from loop_whiplash.returns.model import Rma
from loop_whiplash.whiplash.calls import create_consumer_return, delete_consumer_return, get_consumer_return, update_consumer_return
from loop_whiplash.whiplash.models import ConsumerReturn

from .announce import Unresolved, candidates, resolve, shop_orders, twins
from .core import SETTLE_AFTER, Core
from .inbox import rma_key
from .observe import receipt_of

__all__ = ["Acted", "LookAgain", "act", "rehearse"]

T = TypeVar("T")


class LookAgain(Exception):
    """Something came in between plan and intent, or both differ by now: nothing was sent; plan again. Stays inside."""


@attrs.frozen(kw_only=True)
class Acted:
    """The journal after an action, what came of it, and when to look again."""

    journal: Journal
    result: str
    due_at: datetime
    reason: str = ""


@attrs.frozen(kw_only=True)
class Step:
    """One claimed return, about to be acted upon. `read_to`: the last event the plan has taken in."""

    core: Core
    claim: Claim
    journal: Journal
    observation: Observation
    read_to: int

    @property
    def return_id(self) -> int:
        return self.claim.return_id

    async def commit(self, journal: Journal, intent: Intent | None = None, withdraw: Intent | None = None, note: str = "") -> None:
        """Write the journal; with an intent, refuse when anything has come in since."""
        at = self.core.now()
        events = [Event(kind=f"step.{note}", return_id=self.return_id, at=at, source=intent.evidence if intent else "")] if note else []
        written = await Store(
            lambda: self.core.ledger.commit(
                self.claim, journal=journal.to_dict(), read_to=self.read_to, intent=intent, withdraw=withdraw, events=events
            )
        )
        if not written:
            raise LookAgain

    async def still_as_observed(self) -> None:
        """Read the return once more; its state and lines must be those the plan was made on."""
        try:
            now = to_rma(await self.core.loop.perform(get_return(self.return_id)))
        except ApiError as unread:
            raise LookAgain from unread
        seen = self.observation.rma
        if seen is None or _facts(now) != _facts(seen):
            raise LookAgain

    async def own_the_goods(self) -> None:
        """The goods that are about to be paid for are this return's; a person may have said meanwhile whose they are."""
        for receipt in self.observation.receipts:
            owner = await Store(partial(self.core.ledger.put_first, rma_key(receipt.id), str(self.return_id)))
            if owner != str(self.return_id):
                raise LookAgain

    def recently_read(self) -> None:
        """A worker that was paused since it began to read reads again: `pause` for that, `effect` for the reading itself."""
        settings, read_from = self.core.settings, self.observation.read_from
        if read_from is not None and self.core.now() - read_from > settings.pause + settings.effect:
            raise LookAgain


async def act(core: Core, claim: Claim, journal: Journal, observation: Observation, action: Action, read_to: int) -> Acted:
    """Carry out one action. Raises `LookAgain` when the plan must be made again; nothing was sent then."""
    step = Step(core=core, claim=claim, journal=journal, observation=observation, read_to=read_to)
    match action:
        case CreateRma():
            return await _create(step)
        case Process():
            return await _process(step, action)
        case Flag():
            return await _flag(step, action)
        case UpdateRma():
            return await _update(step, action)
        case DeleteRma():
            return await _delete(step, action)


async def rehearse(core: Core, claim: Claim, journal: Journal, observation: Observation, action: Action, read_to: int) -> Acted | None:
    """In shadow mode, what can be learnt without acting: an RMA that is there is adopted, one that could not be made is a break."""
    if not isinstance(action, CreateRma):
        return None
    step = Step(core=core, claim=claim, journal=journal, observation=observation, read_to=read_to)
    prepared = await _prepare(step)
    return prepared if isinstance(prepared, Acted) else None


def _facts(rma: Rma) -> object:
    return rma.state, rma.was_processed, [(unit.line_id, unit.sku, unit.value) for unit in rma.units]


# --------------------------------------------------------------------------------------------------- send once

#: What passes by itself.
PASSING = (ConnectionFailed, RateLimited, TimedOut, ServerError, OutcomeUnknown)
#: How long after a refused key, a refused search, or an answer that cannot be read the same is tried again.
AFTER_LOCKED_OUT = timedelta(minutes=15)
#: Replies that prove the request had no effect.
NOT_MADE = (ConnectionFailed, RateLimited, AuthenticationFailed, ScopeMissing)
#: Replies, or their absence, that prove nothing; so does any other that says `maybe_applied`.
UNKNOWN = (OutcomeUnknown, TimedOut, ServerError, DecodeError)


def _in_doubt(failure: ApiError) -> bool:
    return failure.maybe_applied or isinstance(failure, UNKNOWN)


async def _send_once(core: Core, session: Session, call: Call[T], began_at: datetime) -> T:
    """Send, never repeat; and not at all when more than P has passed since the intent was committed."""

    def in_time() -> None:
        if core.now() - began_at > core.settings.pause:
            raise ConnectionFailed("this worker was paused for longer than Settings.pause after its intent; nothing was sent")

    return await session.perform(call, once=True, before_send=in_time)


# ------------------------------------------------------------------------------------------------------ create


async def _prepare(step: Step) -> ConsumerReturnDraft | Acted:
    """All of a create but the sending: is there an RMA already, and which items are they? Changes nothing in either system."""
    core, rma = step.core, step.observation.rma
    assert rma is not None  # plan() creates only for a return it has read
    try:
        orders = await shop_orders(core, rma)
        found = await candidates(core, rma, orders)
        if len(found) == 1:
            if also := await twins(core, rma, found[0]):
                others = ", ".join(map(str, also))
                return await _problem(
                    step,
                    f"DUPLICATE_IN_WMS: consumer return {found[0].id} fits this return by its order, and return {others} of the same order "
                    "as well; attach it to the right one",
                )
            return await _adopt(step, found[0])
        if found:
            ids = ", ".join(str(row.id) for row in found)
            return await _problem(
                step, f"DUPLICATE_IN_WMS: consumer returns {ids} fit this return by order or tracking; attach the right one"
            )
        resolved = await resolve(core, rma, orders)
        return to_consumer_return(
            rma,
            item_ids=resolved.item_ids,
            order_id=resolved.order_id,
            warehouse_id=core.settings.warehouses.get(rma.destination_id or ""),
            original_id=core.original_id(rma.return_id),
            requires_label=core.settings.requires_label,
            return_actions=core.settings.return_actions,
            return_action=core.settings.return_action,
            eta=rma.created_at + core.settings.eta if rma.created_at and core.settings.eta else None,
        )
    except (Unresolved, UnresolvedItems) as unresolved:
        return await _problem(step, f"UNRESOLVED_ITEM: {unresolved}")
    except (ApiError, ListIncomplete) as unread:
        # Could not look is not nothing there: announced when it has been looked for.
        return Acted(journal=step.journal, result="could not look", due_at=_later(core, unread), reason=str(unread))


async def _create(step: Step) -> Acted:
    core, journal, rma = step.core, step.journal, step.observation.rma
    assert rma is not None
    looked_at = step.observation.read_from or core.now()  # the look-up by key was part of the observation
    draft = await _prepare(step)
    if isinstance(draft, Acted):
        return draft
    await step.still_as_observed()

    was = journal.create
    bounds = core.settings.bound
    if was.phase == "sending" and was.began_at is not None and looked_at <= was.began_at + bounds:
        return Acted(journal=journal, result="in doubt", due_at=was.began_at + bounds + timedelta(seconds=1))
    at = core.now()
    attempt = was.attempt + 1
    sending = attrs.evolve(
        was,
        phase="sending",
        attempt=attempt,
        original_id=core.original_id(step.return_id),
        began_at=at,
        looked_at=looked_at,
        lines=draft.lines,
        tracking=rma.tracking,
        problem=None,
    )
    journal = attrs.evolve(journal, create=sending)
    intent = Intent(kind="create", ordinal=attempt, at=at)
    try:
        await step.commit(journal, intent, note="create.sent")
    except IntentExists:
        # The row is there though the journal knows nothing of it: an earlier send is in doubt. Never a second one now.
        return Acted(journal=journal, result="in doubt", due_at=at + bounds + timedelta(seconds=1))
    try:
        made = await _send_once(core, core.whiplash, create_consumer_return(draft), at)
    except NOT_MADE as refusal:
        journal = attrs.evolve(journal, create=attrs.evolve(was, problem=None))
        await step.commit(journal, withdraw=intent, note="create.withdrawn")
        return Acted(journal=journal, result="not made", due_at=_later(core, refusal), reason=str(refusal))
    except Conflict:
        # Whiplash refuses a repeated original_id: it is there. The next look finds and adopts it.
        return Acted(journal=journal, result="exists", due_at=core.now() + SETTLE_AFTER)
    except ApiError as refusal:
        if _in_doubt(refusal):
            return Acted(journal=journal, result="unknown", due_at=at + bounds + timedelta(seconds=1), reason=str(refusal))
        journal = attrs.evolve(journal, create=attrs.evolve(sending, phase="refused", problem=f"REFUSED: {refusal}", problem_at=core.now()))
        return Acted(journal=journal, result="refused", due_at=core.now() + core.settings.recheck, reason=str(refusal))
    return _made(step, made, sending, adopted=False, result="created")


async def _adopt(step: Step, row: ConsumerReturn) -> Acted:
    core, rma = step.core, step.observation.rma
    # Of two returns of one order that found it at the same time, the first has it: one parcel is never two returns' goods.
    owner = await Store(lambda: core.ledger.put_first(rma_key(row.id), str(step.return_id)))
    if owner != str(step.return_id):
        raise LookAgain
    create = attrs.evolve(step.journal.create, lines={}, tracking=rma.tracking if rma else None, problem=None)
    return _made(step, row, create, adopted=True, result="adopted")


def _made(step: Step, row: ConsumerReturn, create: Create, *, adopted: bool, result: str) -> Acted:
    core = step.core
    at = core.now()
    done = attrs.evolve(create, phase="done", original_id=None, done_at=at, consumer_return_id=row.id, adopted=adopted, verified=False)
    journal = attrs.evolve(step.journal, create=done)
    return Acted(journal=journal, result=result, due_at=at + core.settings.lag + timedelta(seconds=1))


async def _problem(step: Step, problem: str) -> Acted:
    core = step.core
    was = step.journal.create
    since = was.problem_at if was.problem == problem else core.now()
    journal = attrs.evolve(step.journal, create=attrs.evolve(was, problem=problem, problem_at=since))
    return Acted(journal=journal, result="held back", due_at=core.now() + core.settings.recheck, reason=problem)


# ----------------------------------------------------------------------------------------------- process, flag


async def _process(step: Step, action: Process) -> Acted:
    core, journal = step.core, step.journal
    was = journal.process
    await step.own_the_goods()
    step.recently_read()
    at = core.now()
    sending = attrs.evolve(was, phase="sending", sends=was.sends + 1, began_at=at, settled_at=None, evidence=action.evidence, reason=None)
    journal = attrs.evolve(journal, process=sending)
    intent = Intent(kind="process", ordinal=sending.sends, at=at, evidence=action.evidence)
    try:
        await step.commit(journal, intent, note="process.sent")
    except IntentExists:
        return Acted(journal=journal, result="in doubt", due_at=at + SETTLE_AFTER)
    try:
        # The details are copied to the return's timeline: https://docs.loopreturns.com/api-reference/latest/return-actions/process-return
        trace = {"source": core.settings.note_prefix, "send": sending.sends, "evidence": action.evidence[:16]}
        await _send_once(core, core.loop, process_return(step.return_id, trace), at)
    except NOT_MADE as refusal:
        journal = attrs.evolve(journal, process=was)
        await step.commit(journal, withdraw=intent, note="process.withdrawn")
        return Acted(journal=journal, result="not made", due_at=_later(core, refusal), reason=str(refusal))
    except ActionRefused as refusal:
        return await _refused(step, journal, refusal)
    except ApiError as refusal:
        if _in_doubt(refusal):
            return Acted(journal=journal, result="unknown", due_at=core.now() + SETTLE_AFTER, reason=str(refusal))
        refused = attrs.evolve(sending, phase="refused", settled_at=core.now(), reason=str(refusal))
        return Acted(
            journal=attrs.evolve(journal, process=refused), result="refused", due_at=core.now() + SETTLE_AFTER, reason=str(refusal)
        )
    accepted = attrs.evolve(sending, phase="accepted")
    return Acted(journal=attrs.evolve(journal, process=accepted), result="accepted", due_at=core.now() + SETTLE_AFTER)


async def _refused(step: Step, journal: Journal, refusal: ActionRefused) -> Acted:
    """A refused process whose return is closed and processed is ours that got through; learn() confirms it by that.

    After an answer that is no clear refusal it may be queued by now though the return reads open: that stays a doubt.
    """
    core = step.core
    phase = "sending" if refusal.maybe_applied else "refused"
    try:
        rma = to_rma(await core.loop.perform(get_return(step.return_id)))
        if rma.state == "closed" and rma.was_processed:
            phase = "accepted"
    except ApiError:
        phase = "sending"
    result = "unknown" if phase == "sending" else phase
    process = attrs.evolve(journal.process, phase=phase, reason=str(refusal), settled_at=core.now() if phase == "refused" else None)
    return Acted(journal=attrs.evolve(journal, process=process), result=result, due_at=core.now() + SETTLE_AFTER, reason=str(refusal))


async def _flag(step: Step, action: Flag) -> Acted:
    core, journal = step.core, step.journal
    if core.settings.notes and action.note:
        await _note(core, step.return_id, action.note)
        await step.still_as_observed()
    was = journal.flag
    step.recently_read()
    at = core.now()
    sending = attrs.evolve(was, phase="sending", sends=was.sends + 1, began_at=at, settled_at=None, evidence=action.evidence, reason=None)
    flagged = tuple(sorted({*journal.flagged, *action.keys}))
    before = journal
    journal = attrs.evolve(journal, flag=sending, flagged=flagged, flag_evidence=action.evidence)
    intent = Intent(kind="flag", ordinal=sending.sends, at=at, evidence=action.evidence)
    try:
        await step.commit(journal, intent, note="flag.sent")
    except IntentExists:
        return Acted(journal=journal, result="in doubt", due_at=at + SETTLE_AFTER)
    try:
        await _send_once(core, core.loop, flag_return(step.return_id), at)
    except NOT_MADE as refusal:
        await step.commit(before, withdraw=intent, note="flag.withdrawn")
        return Acted(journal=before, result="not made", due_at=_later(core, refusal), reason=str(refusal))
    except ApiError as refusal:
        if _in_doubt(refusal):
            answered = str(refusal) if isinstance(refusal, ActionRefused) else None
            journal = attrs.evolve(journal, flag=attrs.evolve(sending, reason=answered))
            return Acted(journal=journal, result="unknown", due_at=core.now() + SETTLE_AFTER, reason=str(refusal))
        # Surely not made: the findings are not remembered as flagged, but this same flag is not tried again either.
        refused = attrs.evolve(sending, phase="refused", settled_at=core.now(), reason=str(refusal))
        journal = attrs.evolve(before, flag=refused)
        return Acted(journal=journal, result="refused", due_at=core.now() + core.settings.recheck, reason=str(refusal))
    accepted = attrs.evolve(sending, phase="accepted")
    return Acted(journal=attrs.evolve(journal, flag=accepted), result="accepted", due_at=core.now() + SETTLE_AFTER)


async def _note(core: Core, return_id: int, text: str) -> None:
    """Write a note unless it stands there already. A note that cannot be written does not keep a return from its flag."""
    try:
        if any(" ".join((note.content or "").split()) == " ".join(text.split()) for note in await core.loop.perform(get_notes(return_id))):
            return
        await core.loop.perform(add_note(return_id, text), once=True)
    except ApiError as refusal:
        core.tell("action", "note", return_id=return_id, result=f"not written: {type(refusal).__name__}")


# ---------------------------------------------------------------------------------------------- update, delete


async def _update(step: Step, action: UpdateRma) -> Acted:
    core, journal = step.core, step.journal
    changes: dict[str, Any] = {k: v for k, v in (("tracking", action.tracking), ("carrier", action.carrier)) if v is not None}
    at = core.now()
    await step.commit(journal)  # the lease is still ours: an older label must not be written over a newer one
    try:
        await _send_once(core, core.whiplash, update_consumer_return(action.consumer_return_id, changes), at)
    except ApiError as refusal:
        # Sending the same values again changes nothing, so a doubt needs no protocol here.
        passing = isinstance(refusal, NOT_MADE) or _in_doubt(refusal)
        due_at = _later(core, refusal) if passing else core.now() + core.settings.recheck
        return Acted(journal=journal, result="not made" if passing else "refused", due_at=due_at, reason=str(refusal))
    journal = attrs.evolve(journal, create=attrs.evolve(journal.create, tracking=action.tracking))
    return Acted(journal=journal, result="updated", due_at=core.now() + core.settings.lag)


async def _delete(step: Step, action: DeleteRma) -> Acted:
    core, journal = step.core, step.journal
    try:
        row = await core.whiplash.perform(get_consumer_return(action.consumer_return_id))
    except ApiError as unread:
        if isinstance(unread, NotFound) and unread.certain:
            return Acted(journal=journal, result="gone", due_at=core.now() + core.settings.lag)
        return Acted(journal=journal, result="could not look", due_at=_later(core, unread), reason=str(unread))
    if not untouched(receipt_of(core, journal, row)):
        # The search that the plan was made on runs behind; soon it shows that somebody has the box in hand.
        return Acted(journal=journal, result="held back", due_at=core.now() + core.settings.lag)
    at = core.now()
    intent = Intent(kind=f"delete/{action.consumer_return_id}", ordinal=1, at=at)
    try:
        await step.commit(journal, intent, note="delete.sent")
    except IntentExists:
        return Acted(journal=journal, result="in doubt", due_at=at + core.settings.recheck)
    try:
        await _send_once(core, core.whiplash, delete_consumer_return(action.consumer_return_id), at)
    except NOT_MADE as refusal:
        await step.commit(journal, withdraw=intent, note="delete.withdrawn")
        return Acted(journal=journal, result="not made", due_at=_later(core, refusal), reason=str(refusal))
    except NotFound:
        pass
    except ApiError as refusal:
        return Acted(journal=journal, result="unknown", due_at=at + core.settings.recheck, reason=str(refusal))
    return Acted(journal=journal, result="deleted", due_at=core.now() + core.settings.lag)


def _later(core: Core, refusal: ApiError | ListIncomplete) -> datetime:
    """When to try again what was surely not made: soon where it passes by itself, as the vendor asks; later where somebody must act."""
    soon = SETTLE_AFTER if isinstance(refusal, PASSING) else AFTER_LOCKED_OUT
    wait = timedelta(seconds=getattr(refusal, "retry_after", None) or 0)
    return core.now() + min(max(wait, soon), core.settings.recheck)
