"""The daily backup and more: read both sides, then let every return that may need it take the same road as a webhook.

A sweep plans on the rows it has read; whatever is to be *done* is planned again on a fresh read of that one return, and
where somebody else has looked at a return since the sweep read it, theirs is the newer word. Its watermark moves only
after a pass in which both sides were read whole. A crash loses nothing: progress is a fact in the ledger, and the next
sweep goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import CaseRow, Event
from loop_whiplash.planning.model import EMPTY, Journal
from loop_whiplash.reconciliation import Report
from loop_whiplash.reconciliation.judge import Judge
from loop_whiplash.returns.model import Receipt

from .account import Tally, goods_of_nobody, report_of
from .core import Core
from .reading import known_cases, read_both
from .sides import OVERLAP, Both, Known
from .work import Sighting, advance

__all__ = ["Progress", "sweep"]

WATERMARK, CURRENT, LAST, ASN_DAY = "sweep/watermark", "sweep/current", "sweep/last_complete", "sweep/asn"
STRANGERS, COUNTS, SCOPE = "sweep/strangers", "sweep/counts", "sweep/scope"
#: Progress is written after so many returns.
EVERY = 200
#: A sweep that broke off is gone on with for so long; after that a new one begins.
RESUME_FOR = timedelta(hours=24)
#: So many goods of nobody are looked at again in the next sweep.
MOST_STRANGERS = 1000


@attrs.frozen(kw_only=True)
class Progress:
    """What a progress callback is told: `stage` (``loop``, ``whiplash``, ``returns``), `done`, and `total` where it is known."""

    stage: str
    done: int
    total: int | None = None


@attrs.frozen(kw_only=True)
class _Run:
    """One sweep. `started`: when it began, or the one it goes on with. `done_to`: the last return that one had done."""

    started: datetime
    done_to: int
    tally: Tally
    since: datetime
    last: datetime | None


async def sweep(core: Core, *, progress: Callable[[Progress], None] | None = None, dry_run: bool = False) -> Report:
    """Read both sides, advance all that needs it, and report every break. `dry_run`: plan, but write and do nothing."""
    tell = progress or (lambda _: None)
    if core.settings.start is None:
        raise ConfigurationError("Settings.start is required to sweep: returns created before it are reported, never acted on")
    run = await _begin(core, dry_run)
    today = core.now().date().isoformat()
    asn = await Store(lambda: core.ledger.get(ASN_DAY)) != today
    strangers = await Store(lambda: json.loads(core.ledger.get(STRANGERS) or "[]"))
    both = await read_both(
        core,
        since=run.since,
        known=await known_cases(core),
        strangers=strangers,
        asn=asn,
        told=lambda stage, done: tell(Progress(stage=stage, done=done)),
    )
    judge = None
    if dry_run:
        judge = Judge(policy=core.policy, settings=core.settings, journals=_journals(both), matcher=core.matcher, at=core.now())
    ids = both.ids
    for number, return_id in enumerate(ids, 1):
        if judge is not None:
            _judge(both, judge, run.tally, return_id)
        elif return_id > run.done_to:
            await _one(core, both, run.tally, return_id)
        if number % EVERY == 0 and both.complete and not dry_run:
            current = {"started": run.started.isoformat(), "done_to": return_id, "tally": run.tally.to_dict(), "scope": _scope(core)}
            await _remember(core, {CURRENT: json.dumps(current)})
        tell(Progress(stage="returns", done=number, total=len(ids)))
    previous = await Store(lambda: core.ledger.get(COUNTS))
    report = await report_of(core, both, run.tally, judge=judge, last=run.last, previous=previous)
    if not dry_run:
        await _end(core, run, both, report, today if asn else None)
    core.tell(
        "sweep", "complete" if report.complete else "incomplete", rows=sum(side.rows for side in report.sides), breaks=len(report.breaks)
    )
    return report


# ------------------------------------------------------------------------------------------- beginning and end


async def _begin(core: Core, dry_run: bool) -> _Run:
    """When this sweep began, from where it reads, and what one that broke off has done, if it is not too old."""

    def read() -> _Run:
        now = core.now()
        facts = {key: core.ledger.get(key) for key in (WATERMARK, CURRENT, LAST, SCOPE)}
        mark, last = (datetime.fromisoformat(text) if text else None for text in (facts[WATERMARK], facts[LAST]))
        scope = _scope(core)
        begin = mark if mark is not None and facts[SCOPE] == scope else core.settings.start or now
        since = min(begin, now) - OVERLAP  # a clock may have been set back
        current = json.loads(facts[CURRENT] or "null") if not dry_run else None
        if current is not None and current.get("scope") != scope:
            current = None
        if current is not None and now - (started := datetime.fromisoformat(current["started"])) < RESUME_FOR:
            tally = Tally.from_dict(current.get("tally", {}), last, started)
            return _Run(started=min(started, now), done_to=int(current["done_to"]), tally=tally, since=since, last=last)
        return _Run(started=now, done_to=0, tally=Tally(since=last, until=now), since=since, last=last)

    return await Store(read)


def _scope(core: Core) -> str:
    """Which returns are ours. Those that were not are settled: where this has changed, only a list from the beginning shows them."""
    start = core.settings.start
    return json.dumps({"start": start and start.astimezone(UTC).isoformat(), "destinations": sorted(core.settings.destinations)})


async def _end(core: Core, run: _Run, both: Both, report: Report, asn_day: str | None) -> None:
    """What the next sweep needs. The watermark moves, and never back, only after a pass in which both sides were read whole.

    A Loop that shows no return at all may be another shop's, where ours has too few to be missed: then it stays.
    """
    facts: dict[str, str | None] = {CURRENT: None}
    if both.complete:
        started = run.started.isoformat()
        facts |= {LAST: started, COUNTS: json.dumps(report.counts)}
        facts |= {WATERMARK: started, SCOPE: _scope(core)} if both.loop.rows else {}
        facts[STRANGERS] = json.dumps([receipt.id for receipt in goods_of_nobody(core, both)][-MOST_STRANGERS:])
    if asn_day is not None and both.loop.complete:
        facts[ASN_DAY] = asn_day
    await _remember(core, facts)
    if both.complete:
        await Store(lambda: core.ledger.expire(before=core.now() - core.settings.keep_events))


async def _remember(core: Core, facts: dict[str, str | None]) -> None:
    def write() -> None:
        for key, value in facts.items():
            core.ledger.put(key, value)

    await Store(write)


# --------------------------------------------------------------------------------------------------- one return


async def _one(core: Core, both: Both, tally: Tally, return_id: int) -> None:
    """Let one return take its road, on what was read of it."""
    case = await Store(lambda: core.ledger.case(return_id))
    before = after = Known.of(case).journal if case is not None else EMPTY
    action = None
    if case is None or not _overtaken(case, both):  # else another worker has looked since, at fresher rows than ours
        if both.observation(return_id, before) is None:
            tally.unjudged += 1
            return
        hint = Event(kind="sweep.hint", return_id=return_id, at=core.now(), body=_found(both.receipts(return_id)))
        sighting = Sighting(began=both.began, view=lambda journal: both.observation(return_id, journal), hint=hint)
        outcome = await advance(core, return_id, seen=sighting)
        action = outcome.action
        if action is not None and outcome.status == "acted" and core.live:
            tally.actions[action] += 1
        if outcome.journal is None:
            return
        after = outcome.journal
    tally.count(both, return_id, before, after, action, core.now())
    if not core.live:
        tally.compare(both, return_id, after)


def _overtaken(case: CaseRow, both: Both) -> bool:
    return bool(case.summary) and case.updated_at > both.began


def _found(receipts: tuple[Receipt, ...]) -> bytes:
    """What of this return a sweep has found: it, and the receipt where goods were counted."""
    counted = any(receipt.units or receipt.final for receipt in receipts)
    return json.dumps({"side": "both" if counted else "loop"}).encode()


# ------------------------------------------------------------------------------------------------------ dry run


def _journals(both: Both) -> dict[int, Journal | dict[str, object]]:
    return {return_id: dict(known.stored) for return_id, known in both.known.items()}


def _judge(both: Both, judge: Judge, tally: Tally, return_id: int) -> None:
    """What would be done about one return, as a break that heals, and what is wrong with it."""
    loop, whiplash = both.loop, both.whiplash
    if both.observation(return_id, EMPTY) is None:
        tally.unjudged += 1
        return
    rma = loop.rmas.get(return_id)
    judge.judge(
        return_id,
        rma,
        lambda _: both.receipts(return_id),
        loop_problem=loop.unreadable.get(return_id) if rma is None else None,
        whiplash_problems=[whiplash.unreadable[return_id]] if return_id in whiplash.unreadable else (),
        personal=loop.people.get(return_id),
    )
