"""One return on the long way: both sides' word, `plan`, and what follows from its answer for a report.

`plan` says what to do. A report only shows, so what would be done stands in it as a break that heals. And what rests on
something that is *not* there is left out where that side was not read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from loop_whiplash.loop.models import Return
from loop_whiplash.matching.decision import Decision, Matcher, Verdict
from loop_whiplash.matching.plugged import ask
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.breaks import NAMED, missed_webhook, open_break
from loop_whiplash.planning.model import EMPTY, Break, CreateRma, Flag, Journal, Observation, Plan, Process
from loop_whiplash.planning.plan import plan
from loop_whiplash.planning.settings import Settings
from loop_whiplash.planning.situation import Situation
from loop_whiplash.returns import to_rma, with_item_ids
from loop_whiplash.returns.model import Receipt, Rma
from loop_whiplash.whiplash.models import ConsumerReturnStatus

from .case import view_case
from .report import COUNTED_ONLY
from .rows import problem_of
from .stored_cases import StoredCases

__all__ = ["Judge", "personal_of", "unexpected"]

#: What is concluded from the absence of an RMA, of a count, or of lines.
_FROM_ABSENCE = frozenset(
    {"MISSING_IN_WMS", "UNRESOLVED_ITEM", "PAID_NOT_RECEIVED", "DELIVERED_NOT_RECEIVED", "IN_TRANSIT_STALE", "ITEMS_DRIFT"}
)

#: What only Whiplash knows of, where Loop knows no return.
_OF_WHIPLASH = frozenset({"ORPHAN_IN_WMS", "DUPLICATE_IN_WMS"})

_TO_CREATE = (
    "Nothing where the integration runs: it finds an RMA under key, order or tracking, or makes one. Else announce the goods by hand."
)
_TO_PROCESS = "Nothing where the integration runs: it processes it. Else process it in Loop."
_TO_FLAG = "Nothing where the integration runs: it flags it. Else look at it in Loop."
#: So many texts and amounts are known at a time, to be shared by the breaks that say the same.
_AT_MOST = 50_000


class Judge:
    """Judges returns one by one and keeps their breaks and cases. `whiplash_whole` is set once that side was read."""

    def __init__(
        self,
        *,
        policy: Policy,
        settings: Settings,
        journals: Mapping[int, Journal | Mapping[str, Any]] | None,
        matcher: Matcher | None,
        at: datetime,
    ) -> None:
        if matcher is None:
            from loop_whiplash.matching import match

            matcher = match
        self.policy: Policy = policy
        self.settings: Settings = settings
        self.matcher: Matcher = matcher
        self.at: datetime = at
        self.journals: Mapping[int, Journal | Mapping[str, Any]] = journals or {}
        self.whiplash_whole = True
        self.found: dict[int, tuple[Break, ...]] = {}
        self.cases: StoredCases = StoredCases()
        self.gone: set[int] = set()
        self._texts: dict[str, str] = {}
        self._amounts: dict[str, Decimal] = {}

    def owners(self) -> dict[int, int]:
        """Consumer return id → the return whose journal names it."""
        owners: dict[int, int] = {}
        for return_id in self.journals:
            try:
                journal = self.journal(return_id)
            except Exception:  # noqa: S112 - said when this return is judged # nosec B112
                continue
            made = journal.create.consumer_return_id
            owners.update(dict.fromkeys(journal.attached if made is None else (made, *journal.attached), return_id))
        return owners

    def journal(self, return_id: int) -> Journal:
        """What is remembered of a return; the empty journal where that is nothing."""
        stored = self.journals.get(return_id)
        if stored is None:
            return EMPTY
        return stored if isinstance(stored, Journal) else Journal.from_dict(stored)

    # --------------------------------------------------------------------------------------------------- one return

    def judge(
        self,
        return_id: int,
        rma: Rma | Return | None,
        receipts: Callable[[Journal], Iterable[Receipt]],
        *,
        loop_problem: str | None = None,
        whiplash_problems: Iterable[str] = (),
        personal: Mapping[str, str] | None = None,
    ) -> bool:
        """Find what is wrong with one return, and keep it. Gives whether goods were counted. Never raises for a bad return."""
        self.forget(return_id)
        try:
            journal = self.journal(return_id)
            expected = to_rma(rma) if isinstance(rma, Return) else rma
            observation = Observation(
                return_id=return_id,
                rma=with_item_ids(expected, journal.create.lines) if expected is not None and journal.create.lines else expected,
                receipts=sorted(receipts(journal), key=lambda receipt: receipt.id),
                loop_read=loop_problem is None,
                whiplash_read=not whiplash_problems,
                problems=tuple(f"UNREADABLE: {problem}" for problem in ([loop_problem] if loop_problem else whiplash_problems)),
            )
            self._judge(observation, journal, personal_of(rma) if isinstance(rma, Return) else personal or {})
            return any(receipt.units for receipt in observation.receipts)
        except Exception as broken:
            reason = f"It could not be judged: {problem_of(broken)}."
            self.found[return_id] = (self._unreadable(return_id, reason),)
            return False

    def _judge(self, observation: Observation, journal: Journal, personal: Mapping[str, str]) -> None:
        return_id = observation.return_id
        planned = plan(observation, journal, policy=self.policy, settings=self.settings, at=self.at, matcher=self.matcher)
        breaks = [*planned.breaks, *self._intended(planned, observation, journal)]
        if not self.whiplash_whole:
            breaks = [_undecided(found) for found in breaks if found.code not in _FROM_ABSENCE]
        elif journal.create.consumer_return_id is not None and not observation.receipts and observation.rma is not None:
            self.gone.add(return_id)
        if observation.rma is None and observation.loop_read and observation.receipts:
            breaks = list(self._of_nobody(breaks, observation))
        if breaks:
            self.found[return_id] = tuple([self._shared(found) for found in breaks])
            self._keep(observation, planned, personal)

    def _intended(self, planned: Plan, observation: Observation, journal: Journal) -> Iterable[Break]:
        """What plan would do, as a break that heals, unless it stands among the breaks already."""
        action, codes = planned.action, {found.code for found in planned.breaks}
        why = " ".join(planned.reasons[:1])
        if isinstance(action, CreateRma) and codes.isdisjoint(("MISSING_IN_WMS", "UNRESOLVED_ITEM")):
            since = self._situation(observation, journal).eligible_since
            yield self._heals("MISSING_IN_WMS", since, why, _TO_CREATE, observation, journal)
        elif isinstance(action, Process | Flag) and "RECEIVED_NOT_ACTIONED" not in codes:
            since = self._situation(observation, journal).counted_at or self.at
            if isinstance(action, Process):
                why, step = f"To be processed: {why}", _TO_PROCESS
            else:
                why, step = f"To be flagged: {why.removeprefix('Flag: ')}", _TO_FLAG
            yield self._heals("RECEIVED_NOT_ACTIONED", since, why, step, observation, journal)

    def _situation(self, observation: Observation, journal: Journal) -> Situation:
        return Situation(observation, journal, policy=self.policy, settings=self.settings, at=self.at, matcher=self.matcher)

    def _heals(self, code: str, since: datetime | None, reason: str, step: str, observation: Observation, journal: Journal) -> Break:
        found = open_break(
            code,
            at=self.at,
            since=since,
            return_id=observation.return_id,
            rma=observation.rma,
            receipts=observation.receipts,
            journal=journal,
            reason=reason,
            next_step=step,
            heals=True,
        )
        return attrs.evolve(found, owner="machine")

    def _of_nobody(self, breaks: list[Break], observation: Observation) -> Iterable[Break]:
        """Loop knows no such return; a delivery that nobody announced is an unexpected one, whatever its key says."""
        goods = [receipt for receipt in observation.receipts if receipt.status == ConsumerReturnStatus.UNEXPECTED]
        if goods:
            return [unexpected(goods[0], at=self.at, reason=f"Its key names return {observation.return_id}, which Loop does not know.")]
        reason = f"It names return {observation.return_id}, which is not among Loop's."
        return [
            attrs.evolve(found, return_id=None, reason=reason if found.code == "ORPHAN_IN_WMS" else found.reason)
            if found.code in _OF_WHIPLASH
            else found
            for found in breaks
        ]

    def unreadable_too(self, return_id: int, what: str) -> None:
        """A version of a return could not be read, though another was judged."""
        self.found[return_id] = (*self.found.get(return_id, ()), self._unreadable(return_id, what))

    def _unreadable(self, return_id: int, reason: str) -> Break:
        return open_break("UNREADABLE", at=self.at, return_id=return_id, reason=reason, loop_read=False, whiplash_read=False)

    def missed(self, return_id: int) -> tuple[str | None, Break | None]:
        """Who found a return first, by its journal, and the break where that was a sweep."""
        try:
            journal = self.journal(return_id)
        except Exception:
            return None, None
        return journal.found_by, missed_webhook(return_id, journal, at=self.at)

    def _shared(self, found: Break) -> Break:
        """The same break; what is equal in many of them is held once."""
        if len(self._texts) > _AT_MOST:
            self._texts.clear()
            self._amounts.clear()
        same = self._texts.setdefault
        return attrs.evolve(
            found,
            money=None if found.money is None else self._amounts.setdefault(str(found.money), found.money),
            currency=None if found.currency is None else same(found.currency, found.currency),
            next_step=same(found.next_step, found.next_step),
            loop_says=same(found.loop_says, found.loop_says),
            reason=same(found.reason, found.reason),
        )

    # ------------------------------------------------------------------------------------------------------- cases

    def _keep(self, observation: Observation, planned: Plan, personal: Mapping[str, str]) -> None:
        if all(found.code in COUNTED_ONLY for found in self.found[observation.return_id]):
            return
        known = observation.rma is not None or not observation.loop_read
        case = view_case(
            return_id=observation.return_id if known else None,
            rma=observation.rma,
            receipts=observation.receipts,
            loop_read=observation.loop_read,
            decision=self._decision(observation, planned),
            reasons=planned.reasons,
            personal=personal,
        )
        key = observation.return_id if known or not observation.receipts else f"rma-{observation.receipts[0].id}"
        self.cases.put(key, case)

    def _decision(self, observation: Observation, planned: Plan) -> Decision | None:
        if planned.decision is not None or observation.rma is None or not any(receipt.units for receipt in observation.receipts):
            return planned.decision
        decision = ask(self.matcher, observation.rma, observation.receipts, policy=self.policy, at=self.at)
        return decision if decision.verdict is Verdict.NO_ACTION else None

    def keep_stranger(self, receipt: Receipt) -> None:
        """The case of goods of no return."""
        self.cases.put(f"rma-{receipt.id}", view_case(return_id=None, rma=None, receipts=(receipt,)))

    def forget(self, return_id: int) -> None:
        """Take back what was found on an older version of a return."""
        if self.found.pop(return_id, None) is not None:
            self.cases.drop(return_id)
            self.gone.discard(return_id)


def unexpected(receipt: Receipt, *, at: datetime, reason: str = "", candidates: Iterable[int] = ()) -> Break:
    """Goods of no return; `candidates`: returns of its tracking number."""
    likely = or_list(candidates)
    step = f"Its tracking number is that of return {likely}: attach() it there if the goods are." if likely else None
    since = receipt.arrived_at or receipt.created_at
    reason = reason or f"Status {receipt.status}, {len(receipt.units)} counted, and it names no return."
    return open_break("UNEXPECTED_RETURN", at=at, since=since, receipts=(receipt,), reason=reason, next_step=step)


def or_list(ids: Iterable[int]) -> str:
    """The ids, smallest first and the first few only: ``3 or 7 or 12 or …``; empty for none."""
    known = sorted(ids)
    return " or ".join([*map(str, known[:NAMED]), *(["…"] if len(known) > NAMED else [])])


def _undecided(found: Break) -> Break:
    """Goods were counted, that is sure; what follows from it is not, before all of them are known."""
    if found.code != "RECEIVED_NOT_ACTIONED":
        return found
    reason = "Goods were counted and the return is open."
    return attrs.evolve(
        found, reason=reason, next_step="Nothing is decided before Whiplash was read whole.", owner="engineering", heals=False
    )


def personal_of(row: Return) -> Mapping[str, str]:
    """Name, e-mail and status page of the shopper, where there are any; shown only in a report that is asked for them."""
    name = " ".join(part for part in (row.customer_first_name, row.customer_last_name) if part) or (
        row.address.name if row.address else None
    )
    said = {"name": name, "e-mail": row.customer_email or row.customer, "status page": row.status_page_url}
    return {what: text for what, text in said.items() if text}
