"""Which received unit settles which expected unit: the optimum, found piece by piece.

Most pairs, then the lowest total tier, then the fewest conflicts, then canonical order. Both sides come in canonical
order, so a unit is its place in its list and "canonical order" means: the first expected unit takes the first received
unit it can have in any optimum, and so on. That makes the answer unique.

Three short cuts are taken, and no others, because the relation is not transitive and the obvious ones lose pairs:

* a *clean* group, where each kind of identifier is carried by every unit of both sides or by no unit of one side, and
  what is carried agrees as a multiset: equal units pair in order;
* a *block*, where every expected unit may pair with every received one at the same tier and the same number of
  conflicts: they pair in order;
* when every expected unit has a line id of its own, the received units that carry one can go nowhere else.

What is left falls into connected components, found through an index of identifier values, and each is solved exactly,
up to `MAX_SIDE` units a side. A larger one is left alone and reported: never a guess, and never slow.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .identifiers import Ids, compare, conflicting
from .optimum import lexicographic

__all__ = ["MAX_SIDE", "Assignment", "assign"]

MAX_SIDE = 64
_SMALL = 6  # up to here, comparing all with all costs less than any short cut
_TIERS_PER_CONFLICT = 1 << 20  # one tier step is dearer than all conflicts a component can have (64 pairs × 4)


@attrs.define
class Assignment:
    """Places in the two lists that were passed to `assign`.

    `column_of[i]` is the received unit of expected unit i. `linked`: received units that might have paired with
    somebody. `ambiguous`: components over the cap, as (expected, received) places; nothing in them is paired.
    """

    column_of: list[int | None]
    linked: set[int]
    ambiguous: list[tuple[list[int], list[int]]]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return [(row, column) for row, column in enumerate(self.column_of) if column is not None]


def assign(expected: Sequence[Ids], received: Sequence[Ids]) -> Assignment:
    """The optimum, for two lists in canonical order."""
    result = Assignment([None] * len(expected), set(), [])
    rows, columns = list(range(len(expected))), list(range(len(received)))
    if not rows or not columns:
        return result
    if len(rows) <= _SMALL and len(columns) <= _SMALL:
        _solve(expected, received, rows, columns, result)
        return result
    if _pair_if_clean(expected, received, rows, columns, result):
        return result
    rows, columns = _settle_by_line(expected, received, rows, columns, result)
    for some_rows, some_columns in _components(expected, received, rows, columns):
        result.linked.update(some_columns)
        if _pair_if_clean(expected, received, some_rows, some_columns, result) or _pair_if_block(
            expected, received, some_rows, some_columns, result
        ):
            continue
        if len(some_rows) > MAX_SIDE or len(some_columns) > MAX_SIDE:
            result.ambiguous.append((some_rows, some_columns))
        else:
            _solve(expected, received, some_rows, some_columns, result)
    return result


def _shared_kinds(expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int]) -> list[int]:
    """The kinds that some unit carries on each side: the others can make no difference."""
    return [
        kind
        for kind in range(5)
        if any(expected[row][kind] is not None for row in rows) and any(received[column][kind] is not None for column in columns)
    ]


def _pair_if_clean(expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int], result: Assignment) -> bool:
    if len(rows) != len(columns):
        return False
    kinds = _shared_kinds(expected, received, rows, columns)
    if not kinds:
        return False
    free: dict[tuple[str | int | None, ...], list[int]] = {}
    for column in reversed(columns):
        key = tuple([received[column][kind] for kind in kinds])
        if None in key:
            return False
        free.setdefault(key, []).append(column)
    chosen = {}
    for row in rows:
        same = free.get(tuple([expected[row][kind] for kind in kinds]))
        if not same:
            return False
        chosen[row] = same.pop()
    for row, column in chosen.items():
        result.column_of[row] = column
    result.linked.update(columns)
    return True


def _pair_if_block(expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int], result: Assignment) -> bool:
    shown = _shared_kinds(expected, received, rows, columns)
    left = {tuple([expected[row][kind] for kind in shown]): row for row in rows}
    right = {tuple([received[column][kind] for kind in shown]): column for column in columns}
    if len(left) * len(right) > MAX_SIDE * MAX_SIDE:
        return False
    first = compare(expected[rows[0]], received[columns[0]])
    if first is None:
        return False
    for row in left.values():
        for column in right.values():
            if compare(expected[row], received[column]) != first:
                return False
    for row, column in zip(rows, columns, strict=False):
        result.column_of[row] = column
    return True


def _settle_by_line(
    expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int], result: Assignment
) -> tuple[list[int], list[int]]:
    """A received unit with a line id may pair with that line only, and no other tier is lower: the line takes its best."""
    row_of = {expected[row][0]: row for row in rows}
    if len(row_of) != len(rows) or None in row_of:
        return rows, columns
    best: dict[int, tuple[int, int]] = {}
    others = []
    for column in columns:
        line = received[column][0]
        if line is None:
            others.append(column)
            continue
        row = row_of.get(line)
        if row is not None:
            result.linked.add(column)
            found = len(list(conflicting(expected[row], received[column]))), column
            best[row] = min(best.get(row, found), found)
    for row, (_, column) in best.items():
        result.column_of[row] = column
    return [row for row in rows if row not in best], others


def _components(expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int]) -> list[tuple[list[int], list[int]]]:
    """Connected components of the "may pair" relation that have both sides, each in canonical order.

    Expected units are filed under (kind, value) and, within, under the set of *stronger* kinds they carry. A received
    unit may pair at that kind with all of a file whose stronger kinds it does not share, and with no other; so whole
    files are joined, and no pair is ever looked at.
    """
    index: dict[tuple[int, object], dict[int, list[int]]] = {}
    for row in rows:
        stronger = 0
        for kind, value in enumerate(expected[row]):
            if value is not None:
                index.setdefault((kind, value), {}).setdefault(stronger, []).append(row)
                stronger |= 1 << kind
    parent = list(range(len(expected) + len(received)))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    joined: set[tuple[int, object, int]] = set()
    offset = len(expected)
    for column in columns:
        stronger = 0
        for kind, value in enumerate(received[column]):
            if value is None:
                continue
            for carried, file in index.get((kind, value), {}).items():
                if carried & stronger:
                    continue
                parent[root(offset + column)] = root(file[0])
                if (kind, value, carried) not in joined:
                    joined.add((kind, value, carried))
                    for row in file[1:]:
                        parent[root(row)] = root(file[0])
            stronger |= 1 << kind
    members: dict[int, tuple[list[int], list[int]]] = {}
    for row in rows:
        members.setdefault(root(row), ([], []))[0].append(row)
    for column in columns:
        members.setdefault(root(offset + column), ([], []))[1].append(column)
    return [both for both in members.values() if both[0] and both[1]]


def _solve(expected: Sequence[Ids], received: Sequence[Ids], rows: list[int], columns: list[int], result: Assignment) -> None:
    edges = {}
    for row in rows:
        wanted = expected[row]
        for column in columns:
            edge = compare(wanted, received[column])
            if edge is not None:
                edges[row, column] = edge[0] * _TIERS_PER_CONFLICT + edge[1]
    linked = {column for _, column in edges}
    result.linked |= linked
    if len({row for row, _ in edges}) == len(edges) == len(linked):
        # Blocks of one and one: there is nothing to choose.
        for row, column in edges:
            result.column_of[row] = column
        return
    costs = [[edges.get((row, column)) for column in columns] for row in rows]
    for row, place in zip(rows, lexicographic(costs), strict=True):
        if place is not None:
            result.column_of[row] = columns[place]
