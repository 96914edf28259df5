"""observe → plan → act → record, for one claimed return.

Everything that may stop one return stops only that one: whatever is raised while it is worked on is recorded on its
case, the lease is given back, and it is due again later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import attrs

from loop_whiplash.errors import LeaseLost, LedgerUnavailable, LoopWhiplashError
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import Claim, Event
from loop_whiplash.planning import fold, learn, plan
from loop_whiplash.planning.breaks import open_break
from loop_whiplash.planning.model import Action, Break, Journal, Observation, Plan
from loop_whiplash.redaction import raised

from .act import Acted, LookAgain, act, rehearse
from .core import SETTLE_AFTER, Core, Outcome, log
from .inbox import rma_key
from .observe import observe
from .summary import UNREADABLE, breaks_of, summary_of

__all__ = ["Sighting", "advance", "run_due", "work"]

#: How often one advance looks again because something came in between plan and intent.
LOOKS = 3
#: How many returns are leased at a time; small, so that a slow network does not outlive the lease.
BATCH = 10
#: When a return that raised is tried again.
AFTER_ERROR = timedelta(hours=1)

View = Callable[[Journal], Observation | None]


@attrs.frozen(kw_only=True)
class Sighting:
    """What a sweep has read of one return since `began`: planned on, never acted upon without reading again.

    `view` gives it once the journal (and so the line map) is at hand, or None; `hint` is folded in beside the stored events.
    """

    began: datetime
    view: View
    hint: Event


async def advance(core: Core, return_id: int, *, seen: Sighting | None = None) -> Outcome:
    """Work on one return now, whether it is due or not."""
    at = core.now()
    claim = await Store(lambda: core.ledger.claim(return_id, at=at, lease=core.settings.lease))
    if claim is None:
        return Outcome(return_id=return_id, status="busy", reasons=("another worker has this return now",))
    return await work(core, claim, seen=seen)


async def run_due(core: Core, limit: int = 100) -> list[Outcome]:
    """Work on up to `limit` returns whose time has come, the longest due first."""
    outcomes: list[Outcome] = []
    while len(outcomes) < limit:
        claims = await Store(
            partial(core.ledger.claim_due, at=core.now(), limit=min(BATCH, limit - len(outcomes)), lease=core.settings.lease)
        )
        if not claims:
            break
        outcomes += [await work(core, claim) for claim in claims]
    return outcomes


async def work(core: Core, claim: Claim, *, seen: Sighting | None = None) -> Outcome:
    """Work on one claimed return and give the lease back."""
    try:
        return await _work(core, claim, seen)
    except LeaseLost:
        return Outcome(return_id=claim.return_id, status="busy", reasons=("the lease ran out; another worker goes on",))
    except LedgerUnavailable:
        raise
    except Exception as broken:
        log.error("return %s could not be worked on; it is tried again in an hour: %s", claim.return_id, raised(broken))
        return await _set_aside(core, claim, broken)


async def _work(core: Core, claim: Claim, seen: Sighting | None) -> Outcome:
    journal = Journal.from_dict(claim.journal)
    unread, read_to = claim.unread, 0
    view: View | None = None
    hints: tuple[Event, ...] = ()
    if seen is not None:
        hints = (seen.hint,)
        view = None if await Store(partial(_overtaken, core, claim, journal, seen.began)) else seen.view
    for _ in range(LOOKS):
        journal = _fold(core, journal, (*unread, *hints))
        read_to = max((event.seq for event in unread), default=read_to)
        observation = view(journal) if view is not None else None
        if observation is not None:
            after, planned = _plan(core, journal, observation)
        if observation is None or (planned.action is not None and core.live):
            observation = await observe(core, claim.return_id, journal)
            after, planned = _plan(core, journal, observation)
        view, hints, journal = None, (), after
        if planned.action is None:
            return await _record(core, claim, journal, planned, read_to, observation=observation)
        acted: Acted | None
        try:
            if core.live:
                acted = await act(core, claim, journal, observation, planned.action, read_to)
            else:
                acted = await rehearse(core, claim, journal, observation, planned.action, read_to)
        except LookAgain:
            unread = tuple(event for event in await Store(lambda: core.ledger.unread(claim.return_id)) if event.seq > read_to)
            continue
        if acted is None:
            return await _record(core, claim, _shadow(core, journal, planned), planned, read_to, observation=observation)
        reasons = (*planned.reasons, acted.reason) if acted.reason else planned.reasons
        planned = attrs.evolve(planned, breaks=_plan_only(core, acted.journal, observation).breaks, reasons=reasons)
        return await _record(core, claim, acted.journal, planned, read_to, acted, observation=observation)
    planned = Plan(next_check_at=core.now() + SETTLE_AFTER, reasons=("something kept coming in between plan and action; due again soon",))
    return await _record(core, claim, journal, planned, read_to, again=True)


def _overtaken(core: Core, claim: Claim, journal: Journal, began: datetime) -> bool:
    """Has anything come in, or has anybody looked or acted, that rows read since `began` may not show? Whiplash's search lags."""
    since = began - core.settings.lag
    if any(event.at > since for event in claim.unread):
        return True
    if journal.create.phase == "sending" or {journal.process.phase, journal.flag.phase} & {"sending", "accepted"}:
        return True
    case = None if claim.is_new else core.ledger.case(claim.return_id)
    return case is not None and case.updated_at > since


def _fold(core: Core, journal: Journal, events: tuple[Event, ...]) -> Journal:
    for event in events:
        journal = fold(journal, event, settings=core.settings)
    return journal


def _fold_readable(core: Core, stored: dict[str, Any], events: Sequence[Event]) -> dict[str, Any]:
    """Take in each event that can be taken in: a person's word must not be lost because another event is poison."""
    for event in events:
        try:
            stored = fold(Journal.from_dict(stored), event, settings=core.settings).to_dict()
        except Exception as poison:
            log.error("event %s of return %s could not be read; it stays in the history: %s", event.seq, event.return_id, raised(poison))
    return stored


def _plan(core: Core, journal: Journal, observation: Observation) -> tuple[Journal, Plan]:
    journal = learn(journal, observation, at=core.now(), settings=core.settings)
    return journal, _plan_only(core, journal, observation)


def _plan_only(core: Core, journal: Journal, observation: Observation) -> Plan:
    return plan(observation, journal, policy=core.policy, settings=core.settings, at=core.now(), matcher=core.matcher)


def _shadow(core: Core, journal: Journal, planned: Plan) -> Journal:
    """Write down what would have been done; it never counts as an intent later."""
    assert planned.action is not None
    entry = {"at": core.now().isoformat(), "action": type(planned.action).__name__, "evidence": getattr(planned.action, "evidence", "")}
    last = journal.shadow[-1] if journal.shadow else None
    if last is not None and (last["action"], last["evidence"]) == (entry["action"], entry["evidence"]):
        return journal
    return attrs.evolve(journal, shadow=(*journal.shadow, entry))


async def _record(
    core: Core,
    claim: Claim,
    journal: Journal,
    planned: Plan,
    read_to: int,
    acted: Acted | None = None,
    *,
    observation: Observation | None = None,
    again: bool = False,
) -> Outcome:
    """Write it all down and give the lease back. Where a side was not seen, what was wrong before is not over."""
    at, seen = core.now(), observation
    looked = seen is not None and seen.loop_read and seen.whiplash_read
    made_at = seen.rma.created_at if seen is not None and seen.rma is not None else None
    due_at: datetime | None = planned.next_check_at if acted is None else acted.due_at
    if planned.action is not None and acted is None:
        due_at = due_at or at + core.settings.recheck  # shadow: an action stays planned
    name = type(planned.action).__name__ if planned.action else None
    result = acted.result if acted else "shadow" if name else None
    events = [_step(claim.return_id, at, planned.action, acted)] if planned.action and acted else []
    breaks = await Store(
        lambda: _finish(
            core,
            claim,
            journal.to_dict(),
            planned,
            read_to=read_to,
            due_at=due_at,
            at=at,
            events=events,
            looked=looked,
            made_at=made_at,
        )
    )
    if name is not None:
        core.tell("action", name, return_id=claim.return_id, result=result or "")
    _tell_breaks(core, claim.return_id, *breaks)
    status = "again" if again else "acted" if acted else "done" if due_at is None else "waiting"
    return Outcome(
        return_id=claim.return_id,
        status=status,
        action=name,
        result=result,
        decision=planned.decision,
        breaks=breaks[1],
        reasons=planned.reasons,
        next_check_at=due_at,
        journal=journal,
    )


def _finish(
    core: Core,
    claim: Claim,
    journal: Mapping[str, Any],
    planned: Plan,
    *,
    read_to: int,
    due_at: datetime | None,
    at: datetime,
    looked: bool,
    events: Sequence[Event] = (),
    made_at: datetime | None = None,
) -> tuple[tuple[Break, ...], tuple[Break, ...]]:
    """In one go: what was wrong before, whose its RMA is, the new record, and what is wrong now."""
    made = journal.get("create", {}).get("consumer_return_id")
    if made is not None and made != claim.journal.get("create", {}).get("consumer_return_id"):
        core.ledger.put_first(rma_key(made), str(claim.return_id))
    case = core.ledger.case(claim.return_id)
    told = case.summary if case is not None else {}
    try:
        before = breaks_of(told)
    except UNREADABLE as unreadable:
        # Another release wrote it, or it is damaged: it is written anew, and keeps nothing from being done.
        said = "what was wrong with return %s when it was last looked at cannot be read; it is forgotten: %s"
        log.error(said, claim.return_id, raised(unreadable))
        told, before = {}, ()
    if not looked:
        known = {found.code for found in planned.breaks} | {"SOURCE_INCOMPLETE"}
        planned = attrs.evolve(planned, breaks=(*planned.breaks, *(found for found in before if found.code not in known)))
    summary = summary_of(planned, at, made_at.isoformat() if made_at is not None else told.get("made_at"))
    # Where events stay unread the ledger makes it due at `at`, so that is when to look again.
    kept_unread = due_at if due_at is not None and any(event.seq > read_to for event in claim.unread) else None
    core.ledger.finish(claim, journal=journal, read_to=read_to, due_at=due_at, summary=summary, at=kept_unread or at, events=events)
    return before, planned.breaks


def _step(return_id: int, at: datetime, action: Action, acted: Acted) -> Event:
    said = {"action": type(action).__name__, "result": acted.result, "reason": acted.reason}
    return Event(kind="step.acted", return_id=return_id, at=at, body=json.dumps(said).encode(), source=acted.result)


def _tell_breaks(core: Core, return_id: int, before: tuple[Break, ...], after: tuple[Break, ...]) -> None:
    was, now = ({found.code: found for found in breaks} for breaks in (before, after))
    for code, found in now.items():
        if code not in was:
            core.tell("break.opened", code, return_id=return_id, result="heals" if found.heals else "open", owner=found.owner)
    for code, found in was.items():
        if code not in now:
            core.tell("break.closed", code, return_id=return_id, result="over", owner=found.owner)


async def _set_aside(core: Core, claim: Claim, broken: Exception) -> Outcome:
    """Give the lease of a return that raised back, with a break that says so."""
    at = core.now()
    what = str(broken) if isinstance(broken, LoopWhiplashError) else type(broken).__name__
    found = open_break(
        "UNREADABLE",
        at=at,
        return_id=claim.return_id,
        reason=f"working on it raised: {what}",
        next_step="Read the log of this return; it is tried again every hour.",
        loop_read=False,
        whiplash_read=False,
    )
    planned = Plan(breaks=(found,), next_check_at=at + AFTER_ERROR, reasons=(found.reason,))

    def give_back() -> tuple[tuple[Break, ...], tuple[Break, ...]]:
        # The stored journal, not the claimed one: an intent may have been committed since, and must never be unwritten.
        case = core.ledger.case(claim.return_id)
        stored = dict(case.journal) if case else dict(claim.journal)
        # And of its events those alone that are not in it: a retry() taken in twice would allow one more process.
        read_to = max((event.seq for event in claim.unread), default=0)
        try:
            Journal.from_dict(stored)
        except LoopWhiplashError:
            read_to = 0  # a newer release wrote it: what people said since is kept for whoever can read both
        stored = _fold_readable(core, stored, [event for event in core.ledger.unread(claim.return_id) if event.seq <= read_to])
        return _finish(core, claim, stored, planned, read_to=read_to, due_at=planned.next_check_at, at=at, looked=False)

    breaks: tuple[tuple[Break, ...], tuple[Break, ...]] = (), ()
    try:
        breaks = await Store(give_back)
    except LeaseLost:
        return Outcome(return_id=claim.return_id, status="busy", reasons=("the lease ran out; another worker goes on",))
    except LedgerUnavailable:
        raise
    except Exception as again:
        said = "return %s could not even be set aside; it is taken up again when its lease runs out: %s"
        log.error(said, claim.return_id, raised(again))
    _tell_breaks(core, claim.return_id, *breaks)
    return Outcome(
        return_id=claim.return_id,
        status="error",
        breaks=breaks[1],
        reasons=planned.reasons,
        next_check_at=planned.next_check_at,
        error=what,
    )
