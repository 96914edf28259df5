"""What another policy would have decided on last quarter's returns, before it goes live.

Every return is judged twice on the same evidence, as if nobody had decided it yet. A decision to wait is followed to its
deadline, so that what is compared is where each policy ends up, and when.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import attrs

from loop_whiplash.errors import ConfigurationError, DecodeError
from loop_whiplash.loop.models import Return
from loop_whiplash.matching.decision import Decision, Matcher, Verdict
from loop_whiplash.matching.plugged import ask
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.breaks import worth
from loop_whiplash.planning.model import Observation
from loop_whiplash.planning.settings import Settings
from loop_whiplash.returns import return_id_of, to_receipt, to_rma
from loop_whiplash.returns.model import Receipt, Rma
from loop_whiplash.whiplash.models import ConsumerReturn

from .report import Cell
from .rows import problem_of
from .wording import amount, amounts, count_of

__all__ = ["Change", "Replay", "ReplayCase", "history_in", "history_of", "replay"]

#: No policy has more deadlines one after the other than this.
_STEPS = 16


def _receipts(values: Iterable[Receipt]) -> tuple[Receipt, ...]:
    return tuple(values)


def _changes(values: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(values)


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class ReplayCase:
    """One return of history: what was expected, and all that was counted in the end."""

    rma: Rma
    receipts: tuple[Receipt, ...] = attrs.field(default=(), converter=_receipts)


@attrs.frozen(kw_only=True)
class Change:
    """One return that two policies decide differently.

    `before` and `after`: the verdict each comes to; `before_at`, `after_at`: when, UTC; `before_says`, `after_says`: why,
    in one line. `money` is what *process* releases. `happened`: ``processed``, ``flagged`` or ``undecided``, as far as Loop shows it.
    """

    return_id: int
    before: Verdict
    after: Verdict
    before_at: datetime
    after_at: datetime
    before_says: str = ""
    after_says: str = ""
    money: Decimal | None = None
    currency: str | None = None
    order_name: str | None = None
    happened: str = "undecided"


@attrs.frozen(kw_only=True)
class Replay:
    """What came of it.

    Attributes:
        cases: returns that were judged. skipped: returns of which nothing was ever counted.
        transitions: (verdict before, verdict after) → count and money, equal verdicts too.
        changes: the returns whose verdict differs, the largest amounts first.
        sooner, later: returns with the same verdict at another time. problems: returns that could not be judged, and why.
        agreement: (``before`` or ``after``, verdict, what happened) → count: how each policy compares with what people did.
    """

    cases: int = 0
    skipped: int = 0
    transitions: Mapping[tuple[Verdict, Verdict], Cell] = attrs.field(factory=dict)
    changes: tuple[Change, ...] = attrs.field(default=(), converter=_changes)
    sooner: int = 0
    later: int = 0
    agreement: Mapping[tuple[str, Verdict, str], int] = attrs.field(factory=dict)
    problems: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def to_text(self, *, changes: int = 50) -> str:
        """Plain lines: the transitions in count and money, then the first `changes` returns that change."""
        return "\n".join(_lines(self, changes)) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; amounts are decimal text, times ISO 8601."""
        return {
            "cases": self.cases,
            "skipped": self.skipped,
            "transitions": [
                {
                    "before": before,
                    "after": after,
                    "count": cell.count,
                    "money": {currency: f"{money:f}" for currency, money in cell.money.items()},
                }
                for (before, after), cell in self.transitions.items()
            ],
            "changes": [_plain(change) for change in self.changes],
            "sooner": self.sooner,
            "later": self.later,
            "agreement": [
                {"policy": which, "verdict": verdict, "happened": what, "count": count}
                for (which, verdict, what), count in self.agreement.items()
            ],
            "problems": list(self.problems),
        }


def replay(
    cases: Iterable[
        ReplayCase | Observation | tuple[Return | Rma | Mapping[str, Any], Iterable[ConsumerReturn | Receipt | Mapping[str, Any]]]
    ],
    policy_a: Policy,
    policy_b: Policy,
    *,
    at: datetime | None = None,
    settings: Settings | None = None,
    matcher: Matcher | None = None,
) -> Replay:
    """Judge every return of `cases` by both policies and say which decisions change, in count and money. Pure.

    A case is a `ReplayCase`, an `Observation`, or a pair of a return and its consumer returns, as models or as the vendors'
    JSON objects; `history_of` makes them of two exports, `history_in` of what a ledger stores. Each is judged as if it
    were open and unpaid. `at` None: from the time its last goods were counted, following every deadline to where the
    policy ends up; a time: as asked then.

    Raises:
        ConfigurationError: a policy is no `Policy`, or `at` has no time zone. A bad return is told in `problems`.
    """
    for policy in (policy_a, policy_b):
        if not isinstance(policy, Policy):
            raise ConfigurationError(f"replay() takes two policies; it got a {type(policy).__name__}")
    if at is not None and at.utcoffset() is None:
        raise ConfigurationError("replay(at=…) must be a datetime with a time zone")
    if matcher is None:
        from loop_whiplash.matching import match

        matcher = match
    prefix = (settings or Settings()).original_id_prefix
    tally = _Tally()
    for number, each in enumerate(cases, 1):
        try:
            before, after = (_case(each, policy, prefix) for policy in (policy_a, policy_b))
            if not any(receipt.units or receipt.final for receipt in before.receipts):
                tally.skipped += 1
                continue
            one = _ends_up(before, policy_a, at, matcher)
            other = _ends_up(after, policy_b, at, matcher)
        except Exception as broken:
            tally.problems.append(f"case {number}: {problem_of(broken)}")
            continue
        tally.take(before.rma, one, other)
    return tally.result()


def history_of(
    returns: Iterable[Return | Rma | Mapping[str, Any]],
    consumer_returns: Iterable[ConsumerReturn | Mapping[str, Any]],
    *,
    settings: Settings | None = None,
) -> Iterator[tuple[Return | Rma | Mapping[str, Any], list[ConsumerReturn | Mapping[str, Any]]]]:
    """Each return with its consumer returns, for `replay`; the consumer returns are held in memory.

    Raises `DecodeError` for a consumer return that cannot be read.
    """
    prefix = (settings or Settings()).original_id_prefix
    by_return: dict[int, dict[int, ConsumerReturn | Mapping[str, Any]]] = {}
    for row in consumer_returns:
        read = row if isinstance(row, ConsumerReturn) else ConsumerReturn.from_dict(row)
        return_id = return_id_of(read.originator.original_id if read.originator is not None else None, prefix)
        if return_id is not None:
            by_return.setdefault(return_id, {})[read.id] = read
    for each in returns:
        decoded = Return.from_dict(each) if isinstance(each, Mapping) else each
        yield decoded, list(by_return.get(decoded.return_id if isinstance(decoded, Rma) else decoded.id, {}).values())


class Told(Protocol):
    """What is read of a ledger's event."""

    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> bytes: ...


def history_in(events: Iterable[Told]) -> tuple[Return, list[ConsumerReturn]] | None:
    """One return as its webhooks told it, for `replay`: give it the `history` of a case, oldest first.

    The last word counts, about the return and about each of its consumer returns. None where no webhook told of its
    lines: label webhooks carry none, what a sweep found is not stored, and `forget` deletes bodies. A body that cannot be
    read is passed over.
    """
    told: Return | None = None
    counted: dict[int, ConsumerReturn] = {}
    for event in events:
        try:
            said = json.loads(event.body) if event.body else None
            if not isinstance(said, dict):
                continue
            if event.kind == "loop.hint" and said.get("topic") == "return":
                told = Return.from_dict(said)
            elif event.kind == "whiplash.hint" and "consumer_return" in said:
                row = ConsumerReturn.from_dict(said["consumer_return"])
                counted[row.id] = row
        except (ValueError, RecursionError, DecodeError):
            continue
    return None if told is None else (told, list(counted.values()))


def _case(given: Any, policy: Policy, prefix: str) -> ReplayCase:
    if isinstance(given, ReplayCase):
        return given
    if isinstance(given, Observation):
        if given.rma is None:
            raise ConfigurationError(f"return {given.return_id}: Loop did not know it")
        return ReplayCase(rma=given.rma, receipts=given.receipts)
    expected, counted = given
    if isinstance(expected, Mapping):
        expected = Return.from_dict(expected)
    return ReplayCase(
        rma=expected if isinstance(expected, Rma) else to_rma(expected),
        receipts=[_receipt(row, policy, prefix) for row in counted],
    )


def _receipt(row: Any, policy: Policy, prefix: str) -> Receipt:
    if isinstance(row, Receipt):
        return row
    read = row if isinstance(row, ConsumerReturn) else ConsumerReturn.from_dict(row)
    return to_receipt(read, final_statuses=policy.final_statuses, original_id_prefix=prefix)


def _ends_up(case: ReplayCase, policy: Policy, at: datetime | None, matcher: Matcher) -> tuple[Decision, datetime]:
    """The decision a policy comes to, and when."""
    undecided = attrs.evolve(case.rma, state="open", was_processed=None, released_at=None)
    now = at if at is not None else _counted_at(case)
    decision = ask(matcher, undecided, case.receipts, policy=policy, at=now)
    for _ in range(_STEPS if at is None else 0):
        if decision.verdict is not Verdict.WAIT or decision.deadline is None or decision.deadline <= now:
            break
        now = decision.deadline
        decision = ask(matcher, undecided, case.receipts, policy=policy, at=now)
    return decision, now


def _counted_at(case: ReplayCase) -> datetime:
    times = [
        time
        for receipt in case.receipts
        for time in (receipt.completed_at or receipt.received_at or receipt.updated_at,)
        if time is not None
    ]
    times = times or [time for time in (case.rma.updated_at, case.rma.created_at) if time is not None]
    if not times:
        raise ConfigurationError(f"return {case.rma.return_id} has no date at all; give replay(at=…)")
    return max(times)


@attrs.define
class _Tally:
    cases: int = 0
    skipped: int = 0
    sooner: int = 0
    later: int = 0
    counts: Counter[tuple[Verdict, Verdict]] = attrs.field(factory=Counter)
    money: dict[tuple[Verdict, Verdict], dict[str, Decimal]] = attrs.field(factory=dict)
    agreement: Counter[tuple[str, Verdict, str]] = attrs.field(factory=Counter)
    changes: list[Change] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)

    def take(self, rma: Rma, before: tuple[Decision, datetime], after: tuple[Decision, datetime]) -> None:
        (one, one_at), (other, other_at) = before, after
        move = (one.verdict, other.verdict)
        value, happened = worth(rma), _happened(rma)
        self.cases += 1
        self.counts[move] += 1
        self.agreement["before", one.verdict, happened] += 1
        self.agreement["after", other.verdict, happened] += 1
        if value is not None:
            sums = self.money.setdefault(move, {})
            sums[rma.currency or ""] = sums.get(rma.currency or "", Decimal(0)) + value
        if one.verdict is other.verdict:
            self.sooner += other_at < one_at
            self.later += other_at > one_at
            return
        self.changes.append(
            Change(
                return_id=rma.return_id,
                before=one.verdict,
                after=other.verdict,
                before_at=one_at,
                after_at=other_at,
                before_says=one.headline,
                after_says=other.headline,
                money=value,
                currency=rma.currency,
                order_name=rma.order_name,
                happened=happened,
            )
        )

    def result(self) -> Replay:
        return Replay(
            cases=self.cases,
            skipped=self.skipped,
            transitions={
                move: Cell(count=count, money=dict(sorted(self.money.get(move, {}).items()))) for move, count in sorted(self.counts.items())
            },
            changes=sorted(self.changes, key=lambda change: (-(change.money or Decimal(0)), change.return_id)),
            sooner=self.sooner,
            later=self.later,
            agreement=dict(sorted(self.agreement.items())),
            problems=self.problems,
        )


def _happened(rma: Rma) -> str:
    if rma.was_processed or rma.released_at is not None:
        return "processed"
    return "flagged" if rma.state == "review" else "undecided"


def _plain(change: Change) -> dict[str, Any]:
    return attrs.asdict(change, value_serializer=lambda _, __, value: _text(value))


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.value if isinstance(value, Verdict) else value


def _lines(result: Replay, changes: int) -> Iterator[str]:
    yield f"{count_of(result.cases, 'return')} judged by both policies; {count_of(len(result.changes), 'decision')} would change"
    if result.skipped:
        yield f"{count_of(result.skipped, 'return')} left out: nothing was ever counted of them"
    for (before, after), cell in result.transitions.items():
        mark = "  " if before is after else "->"
        yield f"  {before.value:<9} {mark} {after.value:<9} {cell.count:>8,}  {amounts(cell.money)}"
    if result.sooner or result.later:
        yield f"Same verdict at another time: {result.sooner:,} sooner, {result.later:,} later"
    for change in result.changes[:changes]:
        money = amount(change.money, change.currency)
        yield f"return {change.return_id}  {change.before.value} -> {change.after.value}  {money}  (in Loop: {change.happened})"
        yield f"    before: {change.before_says}"
        yield f"    after:  {change.after_says}"
    if len(result.changes) > changes:
        yield f"… and {len(result.changes) - changes:,} more"
    for problem in result.problems[:changes]:
        yield f"not judged: {problem}"
