"""The laws of the matcher, for a matcher of one's own: `check_matcher`.

The laws are those that `match` itself is held to. They are tried on plain random returns, without Hypothesis: an
integrator's test environment needs nothing more than this package, a run is the same everywhere, and a seed says all
about it. What is lost, shrinking, is made up for by taking units and receipts away while the law stays broken.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import product
from random import Random
from typing import Any

import attrs

from loop_whiplash.errors import ConfigurationError, LoopWhiplashError, PolicyError
from loop_whiplash.matching import Decision, Matcher, Policy, Verdict
from loop_whiplash.matching.plugged import SHAPE, ask, is_matcher
from loop_whiplash.redaction import kind_of
from loop_whiplash.returns.model import ExpectedUnit, ReceivedUnit

from .cases import MatcherCase, T, random_case, with_something_unknown

__all__ = ["LAWS", "LawBroken", "check_matcher"]

_RANK = {Verdict.FLAG: 0, Verdict.WAIT: 1, Verdict.NO_ACTION: 2, Verdict.PROCESS: 3}
Law = Callable[[Matcher, MatcherCase, Random], str | None]
"""Says how it is broken, or None."""
_KINDS = ("line_id", "item_id", "sku", "barcode", "variant_id")


class LawBroken(LoopWhiplashError, AssertionError):
    """A matcher broke a law.

    Attributes:
        law: its number. case: the smallest case found that breaks it, to be passed to the matcher in a test of its own.
    """

    def __init__(self, law: int, said: str, case: MatcherCase, seed: int) -> None:
        super().__init__(
            f"law {law} ({LAWS[law][0]}) is broken: {said}\n"
            f"rma = {case.rma!r}\nreceipts = {list(case.receipts)!r}\npolicy = {case.policy!r}\nat = {case.at!r}\n(seed {seed})"
        )
        self.law: int = law
        self.case: MatcherCase = case


def check_matcher(
    matcher: Matcher, *, policy: Policy | None = None, cases: int = 200, seed: int = 0, without: Collection[int] = ()
) -> Mapping[Verdict, int]:
    """Try the thirteen laws on `cases` random returns; a matcher that keeps them all is safe to plug in.

    `policy`: judged by, the default one if None; of its profiles the one for each return. `without`: numbers of laws that
    are not meant to hold, e.g. ``[12]`` for a matcher that knows some SKUs by name. The same seed tries the same cases.

    Returns:
        how often each verdict was met, so that a test can tell that all were.

    Raises:
        LawBroken: (an `AssertionError`) a law does not hold; it shows the smallest case that was found.
        ConfigurationError: it is no matcher or returns no `Decision`, `without` names no law, or `cases` is less than 1.

    >>> from loop_whiplash import match
    >>> sorted(verdict.value for verdict in check_matcher(match, cases=60))
    ['FLAG', 'NO_ACTION', 'PROCESS', 'WAIT']
    """
    if not is_matcher(matcher):
        raise ConfigurationError(f"check_matcher() tries what can be called like {SHAPE}; it got {kind_of(matcher)}")
    strange = set(without) - set(LAWS)
    if strange or cases < 1:
        raise ConfigurationError(
            f"check_matcher(): laws have the numbers 1 to {len(LAWS)}, and it takes a case at least; "
            f"got without={without!r}, cases={cases!r}"
        )
    random, met = _dice(seed), Counter[Verdict]()
    for _ in range(cases):
        case = random_case(random, policy or Policy())
        own = random.randrange(1 << 32)
        met[_asked(matcher, case).verdict] += 1
        for law, (_, check) in LAWS.items():
            broken = partial(_broken, check, matcher, own)
            if law not in without and broken(case):
                smallest, said = _smallest(case, broken)
                raise LawBroken(law, said, smallest, seed)
    return met


def _dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311


def _broken(check: Law, matcher: Matcher, seed: int, case: MatcherCase) -> str | None:
    return check(matcher, case, _dice(seed))


def _smallest(case: MatcherCase, broken: Callable[[MatcherCase], str | None]) -> tuple[MatcherCase, str]:
    """Take away whatever can be taken away with the law still broken."""
    said = broken(case) or ""
    while True:
        for smaller in _smaller(case):
            still = broken(smaller)
            if still:
                case, said = smaller, still
                break
        else:
            return case, said


def _smaller(case: MatcherCase) -> Iterator[MatcherCase]:
    """Without a receipt, a line, a unit, or a line and a unit at once."""
    for place in range(len(case.receipts)):
        yield attrs.evolve(case, receipts=case.receipts[:place] + case.receipts[place + 1 :])
    fewer_lines = [case.rma.units[:place] + case.rma.units[place + 1 :] for place in range(len(case.rma.units))]
    fewer_units = [
        (
            *case.receipts[:place],
            attrs.evolve(receipt, units=receipt.units[:number] + receipt.units[number + 1 :]),
            *case.receipts[place + 1 :],
        )
        for place, receipt in enumerate(case.receipts)
        for number in range(len(receipt.units))
    ]
    for lines in fewer_lines:
        yield attrs.evolve(case, rma=attrs.evolve(case.rma, units=lines))
    for receipts in fewer_units:
        yield attrs.evolve(case, receipts=receipts)
    for lines, receipts in product(fewer_lines, fewer_units):
        yield attrs.evolve(case, rma=attrs.evolve(case.rma, units=lines), receipts=receipts)


def _asked(matcher: Matcher, case: MatcherCase, **change: Any) -> Decision:
    case = attrs.evolve(case, **change)
    return ask(matcher, case.rma, case.receipts, policy=case.policy, at=case.at)


def _outcome(decision: Decision) -> tuple[Any, ...]:
    return decision.verdict, decision.deadline, decision.turns_into


def _plain(decision: Decision) -> str:
    return json.dumps(decision.to_dict(), sort_keys=True)


def _codes(decision: Decision) -> list[str]:
    return [finding.code for finding in decision.findings]


def _final(decision: Decision) -> list[Any]:
    return [finding for finding in decision.findings if finding.blocking and not finding.curable]


# ------------------------------------------------------------------------------------------------------------ the laws


def _order(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    units, receipts = list(case.rma.units), []
    random.shuffle(units)
    for receipt in case.receipts:
        counted = list(receipt.units)
        random.shuffle(counted)
        receipts.append(attrs.evolve(receipt, units=counted))
    random.shuffle(receipts)
    shuffled = _asked(matcher, case, rma=attrs.evolve(case.rma, units=units), receipts=tuple(receipts))
    return None if _plain(shuffled) == _plain(_asked(matcher, case)) else "in another order it says something else"


def _duplicates(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    dated = tuple(attrs.evolve(receipt, updated_at=T) for receipt in case.receipts)
    older = [attrs.evolve(receipt, updated_at=T - timedelta(days=1), units=receipt.units[1:], final=not receipt.final) for receipt in dated]
    many = [*dated, *dated, *older]
    random.shuffle(many)
    once, twice = _asked(matcher, case, receipts=dated), _asked(matcher, case, receipts=tuple(many))
    return None if _plain(once) == _plain(twice) else "receipts told twice, or in an older version too, change it"


def _split(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    parts = []
    for receipt in case.receipts:
        for place, unit in enumerate(receipt.units or (None,)):
            parts.append(attrs.evolve(receipt, id=receipt.id * 1000 + place, units=() if unit is None else (unit,)))
    whole, split = _asked(matcher, case), _asked(matcher, case, receipts=tuple(parts))
    same = _outcome(whole) == _outcome(split) and whole.pairs == split.pairs and set(_codes(whole)) == set(_codes(split))
    return None if same else "the same units on receipts of their own change it"


def _conservation(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    decision = _asked(matcher, case)
    lines = [pair.line_id for pair in decision.pairs] + [*decision.unpaired_expected, *decision.left_out]
    units = [unit for pair in decision.pairs for unit in (pair.received_id, *pair.also)] + [*decision.unpaired_received]
    if sorted(lines) != sorted(unit.line_id for unit in case.rma.units):
        return f"it accounts for the lines {sorted(lines)}"
    if sorted(units) != sorted(unit.id for receipt in case.receipts for unit in receipt.units):
        return f"it accounts for the units {sorted(units)}"
    return None


def _nothing_beyond(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    decision, policy = _asked(matcher, case), case.policy
    if decision.verdict is not Verdict.PROCESS:
        return None
    if any(finding.blocking for finding in decision.findings):
        return f"PROCESS beside {', '.join(_codes(decision))}"
    missing, extra = len(decision.unpaired_expected), len(decision.unpaired_received)
    if missing and policy.under_units is None and policy.under_value is None:
        return f"PROCESS with {missing} missing"
    if policy.under_units is not None and missing > policy.under_units:
        return f"PROCESS with {missing} missing"
    strict = policy.unexpected == "flag" and policy.over_units is None and policy.over_value is None
    if extra and strict:
        return f"PROCESS with {extra} too many"
    lines, units = _by_id(case)
    for pair in decision.pairs:
        if not pair.identifier.startswith(("bundle:", "substitute:")):
            edge = _edge(lines[pair.line_id], units[pair.received_id])
            if edge is None or edge[1]:
                return f"PROCESS although line {pair.line_id} and unit {pair.received_id} disagree"
    return None


def _tightening(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    before = _asked(matcher, case).verdict
    for name, value in _tighter(case.policy):
        try:
            stricter = attrs.evolve(case.policy, **{name: value})
        except PolicyError:
            continue  # it would contradict another setting
        after = _asked(matcher, case, policy=stricter).verdict
        if _RANK[after] > _RANK[before]:
            return f"with {name}={value!r} it says {after.value}, without {before.value}"
    return None


def _tighter(policy: Policy) -> Iterator[tuple[str, Any]]:
    for units, value in (("under_units", "under_value"), ("over_units", "over_value")):
        allowed, worth = getattr(policy, units), getattr(policy, value)
        if allowed:
            yield units, allowed - 1
        if worth:
            yield value, worth / 2
        if allowed is not None and worth is None:
            yield value, Decimal(7)
    yield "unexpected", "flag"
    yield "min_condition", "good"
    yield "match_level", 4
    yield "review_above_value", Decimal(4) if policy.review_above_value is None else policy.review_above_value / 2
    yield "short_grace_multi", policy.short_grace_single
    yield "unfinished_grace", policy.unfinished_grace / 2


def _cure(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    decision = _asked(matcher, case)
    blocking = [finding for finding in decision.findings if finding.blocking]
    received = {unit.id for receipt in case.receipts for unit in receipt.units}
    only_short = {finding.code for finding in blocking} <= {"SHORT", "NOTHING_COUNTED"}
    if decision.verdict is not Verdict.WAIT or not only_short or any(received & set(finding.units) for finding in blocking):
        return None
    lines, _ = _by_id(case)
    missing = tuple(
        ReceivedUnit(id=f"m{line}", line_id=line, condition="good", **{kind: getattr(lines[line], kind) for kind in _KINDS[1:]})
        for line in decision.unpaired_expected
    )
    kept = [receipt for receipt in case.receipts if receipt.units or receipt.final]
    last = max([receipt.received_at for receipt in kept if receipt.received_at], default=T)
    template = kept[0] if kept else attrs.evolve(case.receipts[0], final=True, status=None) if case.receipts else None
    if template is None:
        return None
    late = attrs.evolve(template, id=4444, units=missing, received_at=last, return_id=case.rma.return_id)
    after = max(last, case.at) + case.policy.settle_window
    cured = _asked(matcher, case, receipts=(*kept, late), at=after)
    return None if cured.verdict is Verdict.PROCESS else f"with all missing units counted it says {cured.verdict.value}"


def _deadline(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    decision = _asked(matcher, case)
    if decision.verdict is not Verdict.WAIT:
        return None if decision.deadline is None else f"{decision.verdict.value} with a deadline"
    if decision.deadline is None or decision.deadline.utcoffset() is None or decision.deadline <= case.at:
        return f"WAIT with the deadline {decision.deadline!r}"
    if decision.turns_into not in (Verdict.FLAG, Verdict.PROCESS):
        return f"WAIT that turns into {decision.turns_into!r}"
    then = _asked(matcher, case, at=decision.deadline).verdict
    return None if then is decision.turns_into else f"at its deadline it says {then.value}, not {decision.turns_into.value}"


def _same_bytes(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    first = _asked(matcher, case)
    copied = _asked(
        matcher, case, rma=attrs.evolve(case.rma), receipts=tuple(attrs.evolve(receipt) for receipt in case.receipts),
        policy=Policy.from_dict(case.policy.to_dict()),
    )  # fmt: skip
    return None if _plain(first) == _plain(copied) and first.explain() == copied.explain() else "asked twice it answers twice"


def _flag_names(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    times = [receipt.received_at for receipt in case.receipts if receipt.received_at]
    if len(times) < len(case.receipts):
        return None  # where no time is known a return is flagged for that alone
    # A time ahead is no evidence, and what is within an allowed shortage may be beyond it for a smaller return.
    at, policy = max([case.at, *times]), attrs.evolve(case.policy, under_units=None, under_value=None)
    decision = _asked(matcher, case, at=at, policy=policy)
    if decision.verdict is not Verdict.FLAG:
        return None
    final = _final(decision)
    if not final:
        return "FLAG without a final, blocking finding"
    named = {unit for finding in final for unit in finding.units}
    if not named and case.rma.units:
        return f"{', '.join(finding.code for finding in final)} name no unit"
    receipts = [
        attrs.evolve(receipt, units=tuple(unit for unit in receipt.units if unit.id not in named)) for receipt in case.receipts
    ]  # fmt: skip
    units = tuple(unit for unit in case.rma.units if unit.line_id not in named)
    rest = _asked(
        matcher, case, at=at, policy=policy, rma=attrs.evolve(case.rma, units=units, total=None),
        receipts=tuple(receipt for receipt in receipts if receipt.units or receipt.final),
    )  # fmt: skip
    return None if rest.verdict is not Verdict.FLAG else f"without {', '.join(sorted(named))} it still says FLAG: {_codes(rest)}"


def _unknown(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    for _ in range(4):
        strange = with_something_unknown(random, case)
        decision = _asked(matcher, strange)
        if Verdict.PROCESS in (decision.verdict, decision.turns_into):
            odd = [strange.rma.state, *(one.status for one in strange.receipts), *(unit.outcome for unit in strange.rma.units)]
            odd += [unit.condition for one in strange.receipts for unit in one.units]
            return f"PROCESS with a value nobody knows among state, statuses, outcomes and conditions: {odd}"
    return None


def _renaming(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    def renamed(sku: str) -> str:
        return f"x-{sku}-y"

    def again(unit: Any) -> Any:
        return attrs.evolve(unit, sku=None if unit.sku is None else renamed(unit.sku))

    policy = attrs.evolve(
        case.policy,
        bundles={renamed(whole): {renamed(part): count for part, count in parts.items()} for whole, parts in case.policy.bundles.items()},
        substitute_skus={renamed(sku): tuple(map(renamed, others)) for sku, others in case.policy.substitute_skus.items()},
    )
    other = _asked(
        matcher, case, policy=policy, rma=attrs.evolve(case.rma, units=tuple(map(again, case.rma.units))),
        receipts=tuple(attrs.evolve(receipt, units=tuple(map(again, receipt.units))) for receipt in case.receipts),
    )  # fmt: skip
    decision = _asked(matcher, case)
    same = _outcome(other) == _outcome(decision) and _codes(other) == _codes(decision)
    return None if same else f"with other SKUs it says {other.verdict.value}, not {decision.verdict.value}"


def _optimum(matcher: Matcher, case: MatcherCase, random: Random) -> str | None:
    decision = _asked(matcher, case)
    lines, units = _by_id(case)
    pairs = [pair for pair in decision.pairs if not pair.identifier.startswith(("bundle:", "substitute:"))]
    edges = [_edge(lines[pair.line_id], units[pair.received_id]) for pair in pairs]
    if None in edges:
        return "it pairs units whose strongest identifier disagrees"
    tiers = sum(edge[0] for edge in edges if edge)
    most, lowest = _best([unit for unit in case.rma.units if unit.line_id not in decision.left_out], list(units.values()))
    return None if (len(edges), tiers) == (most, lowest) else f"{len(edges)} pairs of tiers {tiers}; {most} of {lowest} are possible"


def _by_id(case: MatcherCase) -> tuple[dict[str, ExpectedUnit], dict[str, ReceivedUnit]]:
    return {unit.line_id: unit for unit in case.rma.units}, {unit.id: unit for receipt in case.receipts for unit in receipt.units}


def _edge(expected: ExpectedUnit, received: ReceivedUnit) -> tuple[int, int] | None:
    """(tier, conflicts) of a possible pair. Said a second time, so that what is checked does not check itself."""
    both = [(tier, getattr(expected, kind), getattr(received, kind)) for tier, kind in enumerate(_KINDS)]
    shared = [(tier, one == other) for tier, one, other in both if one is not None and other is not None]
    if not shared or not shared[0][1]:
        return None
    return shared[0][0], sum(not agrees for _, agrees in shared)


def _best(expected: list[ExpectedUnit], received: list[ReceivedUnit]) -> tuple[int, int]:
    """(most pairs, lowest total tier), by trying everything."""

    @cache
    def rest(row: int, taken: int) -> tuple[int, int]:
        if row == len(expected):
            return 0, 0
        best = rest(row + 1, taken)
        for column, unit in enumerate(received):
            edge = _edge(expected[row], unit)
            if edge is not None and not taken >> column & 1:
                fewer, tiers = rest(row + 1, taken | 1 << column)
                best = min(best, (fewer - 1, tiers + edge[0]))
        return best

    fewer, tiers = rest(0, 0)
    return -fewer, tiers


LAWS: Mapping[int, tuple[str, Law]] = {
    1: ("order does not matter", _order),
    2: ("duplicates do not matter", _duplicates),
    3: ("two on one receipt are one and one", _split),
    4: ("every unit appears exactly once", _conservation),
    5: ("PROCESS leaves nothing beyond tolerance and no conflict", _nothing_beyond),
    6: ("a tighter policy is never more permissive", _tightening),
    7: ("the missing units cure what only misses units", _cure),
    8: ("every WAIT ends by its deadline", _deadline),
    9: ("same input, same bytes out", _same_bytes),
    10: ("a FLAG names the units without which it would be none", _flag_names),
    11: ("unknown values never lead to PROCESS", _unknown),
    12: ("renaming SKUs changes nothing", _renaming),
    13: ("most pairs, by the strongest identifiers", _optimum),
}
