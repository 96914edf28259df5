"""Random returns to try a matcher on: reused and missing identifiers, several parcels, surplus, damage, and values nobody knows.

Plain `random.Random`, so that nothing but this package is needed and a seed says everything about a case.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import attrs

from loop_whiplash.matching import Policy
from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

__all__ = ["MatcherCase", "T", "random_case", "with_something_unknown"]

T = datetime(2026, 1, 1, 12, tzinfo=UTC)
_DAY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class MatcherCase:
    """What a matcher is asked: a return, its receipts, a policy without profiles, and a time."""

    rma: Rma
    receipts: tuple[Receipt, ...]
    policy: Policy
    at: datetime


def random_case(random: Random, policy: Policy) -> MatcherCase:
    """A return of up to four units: half of them nearly right, half of them anything."""
    skus = ["A", "B", "C"]
    skus += [sku for parent, parts in policy.bundles.items() for sku in (parent, *parts)]
    skus += [sku for wanted, others in policy.substitute_skus.items() for sku in (wanted, *others)]
    carried = [kind for kind in ("item_id", "sku", "barcode", "variant_id") if random.random() < 0.6] or ["sku"]

    def ids(drop: float) -> dict[str, Any]:
        pools = {"item_id": (1, 2, 3), "sku": skus, "barcode": ("b1", "b2"), "variant_id": ("v1", "v2")}
        found = {kind: random.choice(pools[kind]) for kind in carried if random.random() >= drop}
        return {**found, "product_id": random.choice((None, "p1", "p2"))}

    right = random.random() < 0.5
    expected = [
        ExpectedUnit(
            line_id=str(line),
            value=random.choice((Decimal(5), Decimal(5), Decimal(20), None)),
            outcome=random.choice((None, "refund", "exchange", "default")) if right or random.random() < 0.9 else "keep",
            **ids(0.0 if right else 0.4),
        )
        for line in range(1, random.randint(1 if right else 0, 4) + 1)
    ]
    received = _received(random, expected, ids, right)
    receipts = _receipts(random, received, policy, right)
    rma = Rma(
        return_id=501,
        units=tuple(expected),
        state=random.choice(("open", "open", "open", "review", "expired")),
        outcome=random.choice((None, "refund")),
        created_at=T - 20 * _DAY,
        trackings=random.choice(((), ("1Z1",), ("1Z1", "1Z2"))),
        currency=policy.currency or "USD",
    )
    at = T + timedelta(hours=random.randint(-200, 600))
    return MatcherCase(rma=rma, receipts=receipts, policy=policy.choose(rma), at=at)


def _received(random: Random, expected: list[ExpectedUnit], ids: Any, right: bool) -> list[ReceivedUnit]:
    """What came of it. A return that is right has at most one thing amiss."""
    kinds = ("item_id", "sku", "barcode", "variant_id", "product_id")
    named = random.random() < 0.4
    units: list[ReceivedUnit] = []
    for place, unit in enumerate(expected):
        twin = {kind: getattr(unit, kind) for kind in kinds if right or random.random() < 0.8}
        line = unit.line_id if named and random.random() < 0.5 else None
        units.append(ReceivedUnit(id=f"u{place}", line_id=line, condition=random.choice(("good", "good", None)), **twin))
    if right and random.random() < 0.5:
        amiss = random.choice(("short", "short", "over", "damaged", "other"))
        if amiss == "short":
            units.pop()
        elif amiss == "damaged":
            units[0] = attrs.evolve(units[0], condition="damaged")
        else:
            extra = units[0] if amiss == "over" else ReceivedUnit(id="", sku="STRANGE", condition="good")
            units.append(attrs.evolve(extra, id="u9", line_id=None))
    elif not right:
        units = [attrs.evolve(unit, condition=random.choice((unit.condition, "damaged"))) for unit in units if random.random() < 0.7]
        strays = [ReceivedUnit(id=f"x{n}", condition="good", line_id=random.choice((None, "1", "9")), **ids(0.4)) for n in range(2)]
        units += strays[: random.randint(0, 2)]
    return units


def _receipts(random: Random, units: list[ReceivedUnit], policy: Policy, right: bool) -> tuple[Receipt, ...]:
    parcels = random.choice((1, 1, 2, 3))
    warehouse = policy.warehouses[0] if policy.warehouses else None
    receipts = []
    for number in range(parcels):
        mine = tuple(units[number::parcels])
        final = right or random.random() < 0.75
        if mine or random.random() < 0.5:
            status = random.choice((None, policy.final_statuses[0])) if final else random.choice((None, 200, 150, 100))
            time = T + timedelta(hours=random.randint(-100, 100)) if right or random.random() < 0.9 else None
            receipts.append(
                Receipt(id=number + 1, units=mine, final=final, status=status, received_at=time, warehouse_id=warehouse, return_id=501)
            )
    return tuple(receipts)


def with_something_unknown(random: Random, case: MatcherCase) -> MatcherCase:
    """The same case with one value in it that is none anybody knows."""
    rma, receipts = case.rma, list(case.receipts)
    counted = [number for number, one in enumerate(receipts) if one.units]
    place = random.choice(["state", *(["outcome"] if rma.units else []), *(["status", "condition"] if counted else [])])
    if place == "state":
        return attrs.evolve(case, rma=attrs.evolve(rma, state=random.choice(("paused", "", "OPEN"))))
    if place == "outcome":
        first = attrs.evolve(rma.units[0], outcome=random.choice(("barter", "refund+barter")))
        return attrs.evolve(case, rma=attrs.evolve(rma, units=(first, *rma.units[1:])))
    number = random.choice(counted)
    if place == "status":
        receipts[number] = attrs.evolve(receipts[number], status=random.choice((0, 7, 310, 999)))
    else:
        first_unit = attrs.evolve(receipts[number].units[0], condition=random.choice(("worn", "Good", "")))
        receipts[number] = attrs.evolve(receipts[number], units=(first_unit, *receipts[number].units[1:]))
    return attrs.evolve(case, receipts=tuple(receipts))
