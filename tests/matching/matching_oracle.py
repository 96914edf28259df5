"""What the assignment must be, said a second time: by trying everything, from the units as they were given.

It shares no code with the matcher. Identifiers are compared as they stand, so cases for it carry none that normalising
would change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import combinations, permutations
from typing import NamedTuple

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

KINDS = ("line_id", "item_id", "sku", "barcode", "variant_id")


class Best(NamedTuple):
    """`pairs` maps line id to received id."""

    count: int
    tiers: int
    conflicts: int
    pairs: dict[str, str]


def edge(expected: ExpectedUnit, received: ReceivedUnit) -> tuple[int, int] | None:
    """(tier, conflicts), or None: the strongest identifier that both carry decides."""
    shared = [
        (tier, getattr(expected, kind) == getattr(received, kind))
        for tier, kind in enumerate(KINDS)
        if getattr(expected, kind) is not None and getattr(received, kind) is not None
    ]
    if not shared or not shared[0][1]:
        return None
    return shared[0][0], sum(not agrees for _, agrees in shared)


def in_canonical_order(expected: Sequence[ExpectedUnit]) -> list[ExpectedUnit]:
    """Cheapest first, unknown values last, then by line id as a number."""
    return sorted(expected, key=lambda unit: (unit.value is None, unit.value or Decimal(0), int(unit.line_id)))


def counted_in_canonical_order(received: Sequence[ReceivedUnit]) -> list[ReceivedUnit]:
    """Good ones first, then by condition and id; the ids of cases are of one length."""
    return sorted(received, key=lambda unit: (unit.condition != "good", unit.condition or "", unit.id))


def best(expected: Sequence[ExpectedUnit], received: Sequence[ReceivedUnit]) -> Best:
    """Every partial assignment there is: most pairs, lowest tiers, fewest conflicts, then the first in canonical order."""
    rows, columns = in_canonical_order(expected), counted_in_canonical_order(received)
    edges = [[edge(row, column) for column in columns] for row in rows]
    alone = len(columns)

    @cache
    def rest(row: int, taken: int) -> tuple[int, int, int, tuple[int, ...]]:
        if row == len(rows):
            return 0, 0, 0, ()
        count, tiers, conflicts, places = rest(row + 1, taken)
        found = [(count, tiers, conflicts, (alone, *places))]
        for column, cost in enumerate(edges[row]):
            if cost is not None and not taken >> column & 1:
                count, tiers, conflicts, places = rest(row + 1, taken | 1 << column)
                found.append((count - 1, tiers + cost[0], conflicts + cost[1], (column, *places)))
        return min(found)

    count, tiers, conflicts, places = rest(0, 0)
    return Best(-count, tiers, conflicts, {rows[row].line_id: columns[place].id for row, place in enumerate(places) if place < alone})


def best_by_listing(expected: Sequence[ExpectedUnit], received: Sequence[ReceivedUnit]) -> tuple[int, int, int]:
    """The same figures once more, by listing every assignment: what guards the guard."""
    found = [(0, 0, 0)]
    for size in range(1, min(len(expected), len(received)) + 1):
        for rows in combinations(expected, size):
            for columns in permutations(received, size):
                costs = [edge(row, column) for row, column in zip(rows, columns, strict=True)]
                if None not in costs:
                    known = [cost for cost in costs if cost is not None]
                    found.append((-size, sum(tier for tier, _ in known), sum(conflict for _, conflict in known)))
    count, tiers, conflicts = min(found)
    return -count, tiers, conflicts


def verdict(rma: Rma, receipts: Sequence[Receipt], at: datetime) -> str:
    """The verdict under the default policy, for returns in a known state whose receipts have times and known statuses."""
    if rma.state in ("closed", "cancelled"):
        return "NO_ACTION"
    received = [unit for receipt in receipts for unit in receipt.units]
    if not received:
        finals = [receipt.received_at for receipt in receipts if receipt.final]
        times = [receipt.received_at for receipt in receipts if not receipt.final]
        if not rma.units:
            return "NO_ACTION"
        if times:
            until = max(time for time in times if time) + timedelta(days=7)
        elif finals:
            until = max(time for time in finals if time) + timedelta(days=3)
        else:
            if rma.created_at is None:
                return "FLAG"
            until = rma.created_at + timedelta(days=30)
        return "WAIT" if at < until else "FLAG"
    found = best(rma.units, received)
    exact = found.count == len(rma.units) == len(received) and not found.conflicts and all(unit.condition != "damaged" for unit in received)
    open_ = [receipt.received_at for receipt in receipts if not receipt.final]
    if open_:
        return "WAIT" if at < min(time for time in open_ if time) + timedelta(days=7) else "FLAG"
    if exact:
        return "PROCESS"
    only_short = found.count == len(received) and not found.conflicts and all(unit.condition != "damaged" for unit in received)
    counted = max(receipt.received_at for receipt in receipts if receipt.received_at)
    return "WAIT" if only_short and at < counted + timedelta(days=3) else "FLAG"
