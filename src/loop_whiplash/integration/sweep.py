"""The daily backup and more: read both sides, then let every return that may need it take the same road as a webhook.

A sweep plans on the rows it has read; whatever is to be *done* is planned again on a fresh read of that one return.
Its watermark moves only after a pass in which both sides were read whole. A crash loses nothing: progress is a fact in
the ledger, and the next sweep goes on from there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import attrs

from loop_whiplash.errors import ApiError, ConfigurationError
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import CaseRow, Event
from loop_whiplash.loop.calls import get_asn
from loop_whiplash.planning import learn, plan
from loop_whiplash.planning.breaks import missed_webhook, open_break
from loop_whiplash.planning.model import EMPTY, Break, Journal, Observation
from loop_whiplash.reconciliation import Report, SideReport
from loop_whiplash.returns.model import Rma

from .core import Core, Outcome
from .observe import receipts_of, rma_of
from .sides import OVERLAP, UNEXPECTED, OpenCase, Side, open_cases, read_loop, read_whiplash
from .summary import break_from_dict
from .work import advance

__all__ = ["Progress", "sweep"]

WATERMARK, CURRENT, LAST, ASN_DAY = "sweep/watermark", "sweep/current", "sweep/last_complete", "sweep/asn"
#: Progress is written after so many returns.
EVERY = 200
#: A sweep that broke off is gone on with for so long; after that a new one begins.
RESUME_FOR = timedelta(hours=24)


@attrs.frozen(kw_only=True)
class Progress:
    """What a progress callback is told: `stage` (``loop``, ``whiplash``, ``returns``), `done`, and `total` where it is known."""

    stage: str
    done: int
    total: int | None = None


@attrs.define(kw_only=True)
class _Tally:
    """What a sweep counts while it works."""

    outcomes: Counter[str] = attrs.field(factory=Counter)
    actions: Counter[str] = attrs.field(factory=Counter)
    captured: int = 0
    missed: dict[int, Break] = attrs.field(factory=dict)
    agreement: Counter[str] = attrs.field(factory=Counter)
    breaks: list[Break] = attrs.field(factory=list)


async def sweep(core: Core, *, progress: Callable[[Progress], None] | None = None, dry_run: bool = False) -> Report:
    """Read both sides, advance all that needs it, and report every break. `dry_run`: plan, but write and do nothing."""
    tell = progress or (lambda _: None)
    if core.settings.start is None:
        raise ConfigurationError("Settings.start is required to sweep: returns created before it are reported, never acted on")
    started, done_to = await _begin(core, dry_run)
    since = await _since(core, started)
    known = await open_cases(core)
    loop = await read_loop(core, since, started, known, lambda n: tell(Progress(stage="loop", done=n)))
    wanted = sorted({*loop.rmas, *known})
    whiplash = await read_whiplash(core, since, started, wanted, known, lambda n: tell(Progress(stage="whiplash", done=n)))
    ids = sorted({*wanted, *whiplash.receipts})
    tally = _Tally()
    for number, return_id in enumerate(ids, 1):
        if return_id > done_to:
            await _one(core, return_id, _seen(core, return_id, loop, whiplash), loop, whiplash, tally, known, dry_run)
        if number % EVERY == 0 and not dry_run:
            await _remember(core, CURRENT, json.dumps({"started": started.isoformat(), "done_to": return_id}))
        tell(Progress(stage="returns", done=number, total=len(ids)))
    await _second_opinion(core, started, loop, tally, dry_run)
    if not dry_run:
        await _remember(core, CURRENT, None)
        if loop.complete and whiplash.complete:
            await _remember(core, WATERMARK, started.isoformat())
            await _remember(core, LAST, started.isoformat())
    report = await _report(core, loop, whiplash, tally, dry_run)
    core.tell("sweep", "complete" if report.complete else "incomplete", rows=loop.rows + whiplash.rows, breaks=len(report.breaks))
    return report


async def _begin(core: Core, dry_run: bool) -> tuple[datetime, int]:
    """When this sweep began, and the last return it has done: those of one that broke off, if it is not too old."""
    now = core.now()
    stored = await Store(lambda: core.ledger.get(CURRENT))
    if stored and not dry_run:
        current = json.loads(stored)
        if now - datetime.fromisoformat(current["started"]) < RESUME_FOR:
            return datetime.fromisoformat(current["started"]), int(current["done_to"])
    return now, 0


async def _since(core: Core, started: datetime) -> datetime:
    mark = await Store(lambda: core.ledger.get(WATERMARK))
    start = core.settings.start or started
    return (datetime.fromisoformat(mark) if mark else min(start, started)) - OVERLAP


async def _remember(core: Core, key: str, value: str | None) -> None:
    await Store(lambda: core.ledger.put(key, value))


def _seen(core: Core, return_id: int, loop: Side, whiplash: Side) -> Callable[[Journal], Observation] | None:
    """What the rows say of one return; None when one of the sides was not read whole, so that it is read by id."""
    if not (loop.complete and whiplash.complete) or (return_id not in loop.rmas and return_id not in loop.absent):
        return None
    rows = whiplash.receipts.get(return_id, {}).values()
    rma = loop.rmas.get(return_id)
    return lambda journal: Observation(
        return_id=return_id, rma=rma_of(journal, rma) if rma else None, receipts=receipts_of(core, journal, rows)
    )


async def _one(
    core: Core,
    return_id: int,
    seen: Callable[[Journal], Observation] | None,
    loop: Side,
    whiplash: Side,
    tally: _Tally,
    known: dict[int, OpenCase],
    dry_run: bool,
) -> None:
    if not loop.complete and (return_id in loop.absent or return_id not in loop.rmas):
        return  # could not look: nothing is concluded, and nothing is asked one by one of a side that does not answer
    if not whiplash.complete and not whiplash.rows:
        return
    if dry_run:
        await _dry(core, return_id, seen, tally)
        return
    hint = Event(kind="sweep.hint", return_id=return_id, at=core.now())
    outcome = await advance(core, return_id, seen=seen, hint=hint)
    tally.outcomes[outcome.status] += 1
    if outcome.action and outcome.status == "acted":
        tally.actions[outcome.action] += 1
    _count_capture(tally, outcome, known, loop.rmas.get(return_id), core.now())
    _count_agreement(tally, outcome, loop)


async def _dry(core: Core, return_id: int, seen: Callable[[Journal], Observation] | None, tally: _Tally) -> None:
    row = await Store(lambda: core.ledger.case(return_id))
    journal = Journal.from_dict(row.journal) if row else EMPTY
    if seen is None:
        return
    at, observation = core.now(), seen(journal)
    journal = learn(journal, observation, at=at, settings=core.settings)
    planned = plan(observation, journal, policy=core.policy, settings=core.settings, at=at, matcher=core.matcher)
    tally.breaks.extend(planned.breaks)
    tally.actions[type(planned.action).__name__] += planned.action is not None


def _count_capture(tally: _Tally, outcome: Outcome, known: dict[int, OpenCase], rma: Rma | None, at: datetime) -> None:
    """A return that only the sweep found, though it had something to do, was missed by the webhooks."""
    journal = outcome.journal
    if journal is None or (journal.create.phase == "none" and outcome.action != "CreateRma"):
        return
    if journal.found_by == "webhook":
        tally.captured += 1
    elif outcome.return_id not in known:
        found = missed_webhook(outcome.return_id, journal, at=at, rma=rma)
        if found is not None:
            tally.missed[outcome.return_id] = found


def _count_agreement(tally: _Tally, outcome: Outcome, loop: Side) -> None:
    """In shadow mode: what we would have done, against what really happened, as far as Loop shows it."""
    journal, rma = outcome.journal, loop.rmas.get(outcome.return_id)
    if journal is None or rma is None or not journal.shadow:
        return
    ours = journal.shadow[-1]["action"]
    if ours not in ("Process", "Flag"):
        return
    real = "processed" if rma.state == "closed" and rma.was_processed else "flagged" if rma.state == "review" else "undecided"
    tally.agreement[f"{ours.lower()}/{real}"] += 1


async def _second_opinion(core: Core, started: datetime, loop: Side, tally: _Tally, dry_run: bool) -> None:
    """Once a day the ASN of the day before, as Loop's own integration pulls it (https://help.loopreturns.com/article/131).

    Its rows name lines, not returns; each line that no return of this sweep holds is a gap worth a word.
    """
    day = started.date().isoformat()
    if await Store(lambda: core.ledger.get(ASN_DAY)) == day:
        return
    try:
        rows = await core.loop.perform(get_asn(started - timedelta(days=1), started))
    except ApiError as unread:
        loop.problems.append(f"the ASN could not be read, which is a second opinion only: {unread}")
        return
    lines = {unit.line_id for rma in loop.rmas.values() for unit in rma.units}
    unknown = sorted({row.order_name or row.return_line_item_id or "?" for row in rows if row.return_line_item_id not in lines})
    if unknown and loop.complete:
        loop.problems.append(f"the ASN names {len(unknown)} lines that no return of the list holds, e.g. of order {unknown[0]}")
    if not dry_run:
        await _remember(core, ASN_DAY, day)


async def _report(core: Core, loop: Side, whiplash: Side, tally: _Tally, dry_run: bool) -> Report:
    at = core.now()
    breaks = list(tally.breaks) if dry_run else await _stored_breaks(core)
    for side in (loop, whiplash):
        if not side.complete:
            breaks.append(open_break("SOURCE_INCOMPLETE", at=at, reason=f"{side.name}: {'; '.join(side.problems[:3])}"))
    for row in whiplash.strangers.values():
        if row.status == UNEXPECTED:
            found = open_break("UNEXPECTED_RETURN", at=at, since=row.arrived_at or row.created_at, receipts=receipts_of(core, EMPTY, [row]))
            breaks.append(found)
    breaks.extend(tally.missed.values())
    breaks.extend(await Store(lambda: _unreadable(core)))
    return Report(
        at=at,
        breaks=tuple(breaks),
        sides=tuple(_side(side) for side in (loop, whiplash)),
        captured=tally.captured,
        missed=len(tally.missed),
        actions=dict(tally.actions),
        agreement=dict(tally.agreement),
    )


def _side(side: Side) -> SideReport:
    return SideReport(
        name=side.name, complete=side.complete, rows=side.rows, since=side.since, until=side.until, problems=tuple(side.problems)
    )


def _unreadable(core: Core) -> list[Break]:
    return [
        open_break(
            "UNREADABLE",
            at=aside.at,
            reason=f"A webhook of {aside.source} could not be read and was kept aside as event {aside.seq}.",
        )
        for aside in core.ledger.asides(limit=100)
        if aside.kind == "unreadable"
    ]


async def _stored_breaks(core: Core) -> list[Break]:
    found: list[Break] = []
    after = 0
    while True:
        page: list[CaseRow] = await Store(partial(core.ledger.cases_with_breaks, after=after, limit=1000))
        found.extend(break_from_dict(each) for row in page for each in row.summary.get("breaks", ()))
        if len(page) < 1000:
            return found
        after = page[-1].return_id
