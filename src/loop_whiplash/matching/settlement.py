"""Who settles whom, whatever the time: pairs, full sets for bundles, accepted substitutes, and what the rest looks like.

First the optimum over identifiers (`assign`). Then, only of what is left and in this order: full sets for bundles,
substitutes the policy accepts, and explanations, which never pair anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from loop_whiplash.returns.model import ExpectedUnit, Receipt, ReceivedUnit, Rma

from .assignment import MAX_SIDE, Assignment, assign
from .decision import Pair, make_pair
from .identifiers import TEXTS, TIERS, Ids, carried, compare, label, plain_text
from .optimum import lexicographic
from .policy import Policy

__all__ = ["Settlement", "in_order", "line_order", "outcome_of", "received_in_order", "settle", "worth"]


@attrs.define
class Settlement:
    """Both sides in canonical order; every number is a place in `expected` or `received`.

    `by`: expected → (received places, how). `disagreeing`: of those, the expected ones whose pair disagrees on a weaker
    identifier. `partial`: a bundle → the components that came, not a full set.
    `instead`: expected → the received unit that seems to have come in its place. `short`, `leftover`: the others.
    """

    expected: list[ExpectedUnit]
    received: list[ReceivedUnit]
    expected_ids: list[Ids]
    received_ids: list[Ids]
    left_out: list[ExpectedUnit]
    assignment: Assignment
    by: dict[int, tuple[tuple[int, ...], str]] = attrs.field(factory=dict)
    disagreeing: list[int] = attrs.field(factory=list)
    partial: dict[int, tuple[int, ...]] = attrs.field(factory=dict)
    instead: dict[int, int] = attrs.field(factory=dict)
    short: list[int] = attrs.field(factory=list)
    leftover: list[int] = attrs.field(factory=list)

    def pairs(self) -> tuple[Pair, ...]:
        pairs = [
            make_pair(self.expected[row].line_id, self.received[columns[0]].id, how, tuple([self.received[c].id for c in columns[1:]]))
            for row, (columns, how) in self.by.items()
        ]
        return tuple(sorted(pairs, key=line_order))

    def unpaired(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        used = {column for columns, _ in self.by.values() for column in columns}
        missing = sorted([unit for row, unit in enumerate(self.expected) if row not in self.by], key=line_order)
        left = [unit.id for column, unit in enumerate(self.received) if column not in used]
        return tuple([unit.line_id for unit in missing]), tuple(left)


def line_order(item: ExpectedUnit | Pair) -> tuple[int, str]:
    """How lines are listed: by their ids, as numbers would be."""
    return len(item.line_id), item.line_id


def worth(unit: ExpectedUnit) -> Decimal | None:
    """What *process* releases for it; a number that is none reads None, one below zero reads zero."""
    if unit.value is None or not unit.value.is_finite():
        return None
    return max(unit.value, Decimal(0))


def settle(rma: Rma, receipts: Sequence[Receipt], policy: Policy) -> Settlement:
    """`receipts`: one version of each."""
    expected, left_out = _split(rma, policy)
    expected = in_order(expected)
    received = received_in_order([unit for receipt in receipts for unit in receipt.units])
    ignore_case = policy.compiled.ignore_case
    expected_ids = [carried(unit, ignore_case) for unit in expected]
    received_ids = [carried(unit, ignore_case) for unit in received]
    assignment = assign(expected_ids, received_ids)
    result = Settlement(expected, received, expected_ids, received_ids, left_out, assignment)
    for row, column in assignment.pairs:
        edge = compare(expected_ids[row], received_ids[column])
        assert edge is not None  # `assign` pairs no others
        tier, conflicts = edge
        result.by[row] = (column,), f"{TIERS[tier]}:{expected_ids[row][tier]}"
        if conflicts:
            result.disagreeing.append(row)
    blocked_rows = {row for rows, _ in assignment.ambiguous for row in rows}
    blocked = {column for _, columns in assignment.ambiguous for column in columns}
    used = {column for column in assignment.column_of if column is not None}
    rows = [row for row in range(len(expected)) if row not in result.by and row not in blocked_rows]
    columns = [column for column in range(len(received)) if column not in used and column not in blocked]
    if rows and columns:
        # A unit that names a line settles that line or none.
        naming = [column for column in columns if received_ids[column][0] is not None]
        free = [column for column in columns if received_ids[column][0] is None]
        rows, free = _full_sets(result, rows, free, policy)
        rows, free = _substitutes(result, rows, free, policy)
        rows, columns = _explain(result, rows, sorted([*naming, *free]))
    result.short, result.leftover = rows, columns
    return result


def _split(rma: Rma, policy: Policy) -> tuple[list[ExpectedUnit], list[ExpectedUnit]]:
    expected: list[ExpectedUnit] = []
    left_out: list[ExpectedUnit] = []
    ours = {plain_text(destination) for destination in policy.destinations}
    for unit in rma.units:
        kept = outcome_of(unit, rma) in policy.keep_item_outcomes
        if ours and not kept:
            destination = plain_text(unit.destination_id) or plain_text(rma.destination_id)
            kept = destination is not None and destination not in ours
        (left_out if kept else expected).append(unit)
    return expected, in_order(left_out)


def outcome_of(unit: ExpectedUnit, rma: Rma) -> str | None:
    """A line's own outcome; ``default`` means the return's."""
    outcome = TEXTS[unit.outcome]
    return TEXTS[rma.outcome] if outcome is None or outcome == "default" else outcome


def in_order(units: list[ExpectedUnit]) -> list[ExpectedUnit]:
    """Canonical: the least valuable first, so that what stays without a partner is the dearest; then by line id."""
    if len(units) < 2:
        return units
    if len({unit.line_id for unit in units}) < len(units):
        units = sorted(units, key=repr)

    def key(unit: ExpectedUnit) -> tuple[bool, Decimal, int, str]:
        value = worth(unit)
        return value is None, value or Decimal(0), len(unit.line_id), unit.line_id

    return sorted(units, key=key)


def received_in_order(units: list[ReceivedUnit]) -> list[ReceivedUnit]:
    """Canonical: good ones first, then by id."""
    if len(units) < 2:
        return units
    if len({unit.id for unit in units}) < len(units):
        units = sorted(units, key=repr)
    return sorted(units, key=lambda unit: (unit.condition != "good", unit.condition or "", len(unit.id), unit.id))


def _full_sets(result: Settlement, rows: list[int], columns: list[int], policy: Policy) -> tuple[list[int], list[int]]:
    bundles = policy.compiled.bundles
    parents = [row for row in rows if result.expected_ids[row][2] in bundles]
    if not parents:
        return rows, columns
    parts: dict[str | None, list[int]] = {}
    for column in columns:
        parts.setdefault(result.received_ids[column][2], []).append(column)
    # Small sets first: they leave most for the others.
    used: set[int] = set()
    parents.sort(key=lambda row: (sum(bundles[result.expected_ids[row][2]].values()), row))
    for whole in (True, False):
        for row in parents:
            needs = bundles[result.expected_ids[row][2]]
            if row in result.by or (whole and any(len(parts.get(part, ())) < count for part, count in needs.items())):
                continue
            taken = []
            for part in needs:
                have = parts.get(part, [])
                taken += have[: needs[part]]
                parts[part] = have[needs[part] :]
            used.update(taken)
            if whole:
                result.by[row] = tuple(sorted(taken)), f"bundle:{result.expected_ids[row][2]}"
            elif taken:
                result.partial[row] = tuple(sorted(taken))
    done = result.by.keys() | result.partial.keys()
    return [row for row in rows if row not in done], [column for column in columns if column not in used]


def _substitutes(result: Settlement, rows: list[int], columns: list[int], policy: Policy) -> tuple[list[int], list[int]]:
    if policy.substitutes == "never":
        return rows, columns
    listed = policy.substitutes == "listed"
    found = _listed(result, rows, columns, policy) if listed else _same_product(result, rows, columns)
    for row, column in found.items():
        result.by[row] = (column,), f"substitute:{(label(result.received[column]) or '').split(':', 1)[-1]}"
    used = set(found.values())
    return [row for row in rows if row not in found], [column for column in columns if column not in used]


def _listed(result: Settlement, rows: list[int], columns: list[int], policy: Policy) -> dict[int, int]:
    listed = policy.compiled.substitutes
    rows = [row for row in rows if result.expected_ids[row][2] in listed]
    wanted = {sku for row in rows for sku in listed[result.expected_ids[row][2]]}
    columns = [column for column in columns if result.received_ids[column][2] in wanted]
    if len(rows) > MAX_SIDE or len(columns) > MAX_SIDE:
        return {}
    costs: list[list[int | None]] = [
        [0 if result.received_ids[column][2] in listed[result.expected_ids[row][2]] else None for column in columns] for row in rows
    ]
    return {row: columns[place] for row, place in zip(rows, lexicographic(costs), strict=True) if place is not None}


def _same_product(result: Settlement, rows: list[int], columns: list[int]) -> dict[int, int]:
    free: dict[str, list[int]] = {}
    for column in reversed(columns):
        product = plain_text(result.received[column].product_id)
        if product is not None:
            free.setdefault(product, []).append(column)
    found = {}
    for row in rows:
        product = plain_text(result.expected[row].product_id)
        if product is not None and free.get(product):
            found[row] = free[product].pop()
    return found


def _explain(result: Settlement, rows: list[int], columns: list[int]) -> tuple[list[int], list[int]]:
    result.instead = _same_product(result, rows, columns)
    used = set(result.instead.values())
    return [row for row in rows if row not in result.instead], [column for column in columns if column not in used]
