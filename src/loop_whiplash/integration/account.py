"""What a sweep counts while it works, and the report it makes of it.

The breaks of a report are those that stand in the ledger, whoever found them; rows that the sweep has just read stand
behind them as cases, with what the ledger remembers of each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import attrs

from loop_whiplash.http.flow import Store
from loop_whiplash.ledger.protocol import CaseRow, Event
from loop_whiplash.matching.decision import Decision
from loop_whiplash.planning.breaks import missed_webhook, open_break
from loop_whiplash.planning.model import Break, Journal
from loop_whiplash.reconciliation import Flow, HistoryEntry, Report, view_case
from loop_whiplash.reconciliation.judge import Judge, unexpected
from loop_whiplash.reconciliation.stored_cases import StoredCases
from loop_whiplash.returns.model import Receipt
from loop_whiplash.whiplash.models import ConsumerReturnStatus

from .core import Core
from .sides import Both
from .summary import UNREADABLE, break_from_dict, break_to_dict, breaks_of

__all__ = ["Tally", "goods_of_nobody", "report_of"]


@attrs.define(kw_only=True)
class Tally:
    """What a sweep counts. Webhooks that told first count once: in the sweep that begins next after them, `since` … `until`."""

    since: datetime | None = None
    until: datetime | None = None
    captured: int = 0
    missed: list[Break] = attrs.field(factory=list)
    actions: Counter[str] = attrs.field(factory=Counter)
    agreement: Counter[str] = attrs.field(factory=Counter)
    unjudged: int = 0

    def count(self, both: Both, return_id: int, before: Journal, after: Journal, action: str | None, at: datetime) -> None:
        """Did a webhook tell of this return, and of its receipt, before this sweep found them? Only where there was something to do."""
        rma, receipts = both.loop.rmas.get(return_id), both.receipts(return_id)
        if after.create.phase == "none" and action != "CreateRma" and not receipts:
            return
        counted = min((seen.counted_at for seen in after.seen.values() if seen.counted_at is not None), default=None)
        self.captured += after.found_by == "webhook" and self._lately(after.first_seen_at)
        self.captured += after.receipt_found_by == "webhook" and self._lately(counted)
        fresh = attrs.evolve(
            after,
            found_by=after.found_by if before.found_by is None else None,
            receipt_found_by=after.receipt_found_by if before.receipt_found_by is None else None,
        )
        found = missed_webhook(return_id, fresh, at=at, rma=rma, receipts=receipts)
        if found is not None:
            self.missed.append(found)

    def _lately(self, time: datetime | None) -> bool:
        return time is not None and (self.since is None or time > self.since) and (self.until is None or time <= self.until)

    def compare(self, both: Both, return_id: int, journal: Journal) -> None:
        """In shadow mode: what we would have done, against what really happened, as far as Loop shows it."""
        rma = both.loop.rmas.get(return_id)
        ours = journal.shadow[-1]["action"] if journal.shadow else None
        if rma is None or ours not in ("Process", "Flag"):
            return
        real = "processed" if rma.state == "closed" and rma.was_processed else "flagged" if rma.state == "review" else "undecided"
        self.agreement[f"{ours.lower()}/{real}"] += 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` reads them back."""
        return {
            "captured": self.captured,
            "missed": [break_to_dict(found) for found in self.missed],
            "actions": dict(self.actions),
            "agreement": dict(self.agreement),
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any], since: datetime | None, until: datetime | None) -> Tally:
        """What `to_dict` gave."""
        return cls(
            since=since,
            until=until,
            captured=said.get("captured", 0),
            missed=[break_from_dict(found) for found in said.get("missed", ())],
            actions=Counter(said.get("actions", {})),
            agreement=Counter(said.get("agreement", {})),
        )


async def report_of(core: Core, both: Both, tally: Tally, *, judge: Judge | None, last: datetime | None, previous: str | None) -> Report:
    """The report. `judge`: of a dry run. `last`: when the last whole sweep began; `previous`: its counts of breaks, as JSON."""
    at = core.now()
    if judge is not None:
        breaks, cases = [found for each in judge.found.values() for found in each], judge.cases
    else:
        breaks, cases = await _stored(core, both)
    for side in (both.loop, both.whiplash):
        if not side.complete:
            reason = f"{side.name}: {'; '.join(side.problems[:3])}"
            breaks.append(open_break("SOURCE_INCOMPLETE", at=at, since=last, reason=reason))
    owners = _by_tracking(both)
    for receipt in goods_of_nobody(core, both):
        breaks.append(unexpected(receipt, at=at, candidates=owners.get(receipt.tracking or "", ())))
        cases.put(f"rma-{receipt.id}", view_case(return_id=None, rma=None, receipts=(receipt,)))
    breaks += [*tally.missed, *await Store(lambda: list(_unreadable(core)))]
    return Report(
        at=at,
        breaks=breaks,
        sides=(both.loop.report(), both.whiplash.report()),
        flow=_flow(both),
        cases=cases,
        captured=tally.captured,
        missed=len(tally.missed),
        actions=dict(tally.actions),
        agreement=dict(tally.agreement),
        unjudged=tally.unjudged,
        previous=json.loads(previous) if previous else None,
    )


def goods_of_nobody(core: Core, both: Both) -> Iterator[Receipt]:
    """Consumer returns of which goods came and that no return of this shop, or of another one, claims."""
    for _, receipt in sorted(both.whiplash.strangers.items()):
        claimed = bool(core.settings.original_id_prefix and receipt.original_id)
        if receipt.status == ConsumerReturnStatus.UNEXPECTED or (receipt.units and not claimed):
            yield receipt


def _by_tracking(both: Both) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for return_id, rma in both.loop.rmas.items():
        for tracking in rma.trackings:
            found.setdefault(tracking, []).append(return_id)
    return found


def _flow(both: Both) -> Flow:
    announced = received = decided = 0
    for return_id, rma in both.loop.rmas.items():
        receipts = both.whiplash.receipts.get(return_id, {}).values()
        announced += bool(receipts)
        received += any(receipt.units for receipt in receipts)
        decided += rma.state != "open" or rma.was_processed is True
    return Flow(returns=len(both.loop.rmas), announced=announced, received=received, decided=decided)


async def _stored(core: Core, both: Both) -> tuple[list[Break], StoredCases]:
    """The breaks that stand in the ledger, and a case for each return that has one."""
    breaks: list[Break] = []
    cases = StoredCases()
    after = 0
    while page := await Store(partial(_page, core, after)):
        for row, history in page:
            try:
                breaks += breaks_of(row.summary)
                decision = Decision.from_dict(row.summary["decision"]) if row.summary.get("decision") else None
            except UNREADABLE:
                reason = "What was stored of its last look cannot be read: another release of this library wrote it, or it is damaged."
                breaks.append(open_break("UNREADABLE", at=core.now(), return_id=row.return_id, reason=reason))
                decision = None
            cases.put(
                row.return_id,
                view_case(
                    return_id=row.return_id,
                    rma=both.loop.rmas.get(row.return_id),
                    receipts=both.receipts(row.return_id),
                    loop_read=both.loop.complete,
                    decision=decision,
                    reasons=row.summary.get("reasons", ()),
                    history=history,
                    personal=both.loop.people.get(row.return_id),
                ),
            )
        after = page[-1][0].return_id
    return breaks, cases


def _page(core: Core, after: int) -> list[tuple[CaseRow, list[HistoryEntry]]]:
    return [(row, _history(core, row)) for row in core.ledger.cases_with_breaks(after=after, limit=500)]


def _history(core: Core, row: CaseRow) -> list[HistoryEntry]:
    return [HistoryEntry(at=event.at, what=_sentence(event), source="ledger") for event in core.ledger.history(row.return_id)]


def _sentence(event: Event) -> str:
    system, _, what = event.kind.partition(".")
    times = f" ({event.count} times)" if event.count > 1 else ""
    if event.kind == "loop.processing_failed":
        return f"Loop said that processing failed{times}."
    if what == "hint":
        return f"A {system.capitalize()} webhook came{times}: {event.source}."
    if system == "person":
        return f"{event.source or 'Somebody'} said {what}(){times}."
    if event.kind == "step.acted":
        said = json.loads(event.body) if event.body else {}
        return f"{said.get('action', 'An action')}: {event.source}{'; ' if said.get('reason') else '.'}{said.get('reason') or ''}"
    if system == "step":
        action, _, step = what.partition(".")
        return f"The {action.partition('/')[0]} was {step}."
    return f"A webhook came that could not be read{times}."


def _unreadable(core: Core) -> Iterator[Break]:
    for aside in core.ledger.asides(limit=100):
        system, _, what = aside.kind.partition(".")
        if what == "unreadable":
            reason = f"A webhook of {system.capitalize()} was kept aside as event {aside.seq}: {aside.source}"
            yield open_break("UNREADABLE", at=aside.at, reason=reason)
