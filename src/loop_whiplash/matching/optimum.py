"""The cheapest assignment of rows to columns, most pairs first: successive shortest paths with potentials.

Rows are added one at a time. From the new row a Dijkstra search over reduced costs looks for the cheapest way either
to a free column, or to leave some row on the way without a column (each row has a private "unpaired" place for that,
dearer than any pair). The potentials keep all reduced costs at or above zero, so every step is exact. Costs are whole
numbers of any size; no floats.

Ahuja, Magnanti, Orlin, *Network Flows* (1993), section 12.4; Jonker and Volgenant, Computing 38 (1987).
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cheapest", "lexicographic"]


def cheapest(costs: Sequence[Sequence[int | None]], unpaired: Sequence[int]) -> list[int | None]:
    """For each row its column, or None. `costs[row][column]` is None where the two may not pair.

    >>> cheapest([[1, 2], [1, None]], [100, 100])
    [1, 0]
    """
    if not costs:
        return []
    width = len(costs[0])
    row_price = [0] * len(costs)
    column_price = [0] * width
    column_of: dict[int, int] = {}
    row_of: dict[int, int] = {}
    for start in range(len(costs)):
        distance: list[int | None] = [None] * width
        came_from = [start] * width
        waiting = list(range(width))
        visited: list[tuple[int, int, int]] = []  # row, column that led to it, distance
        row, travelled = start, 0
        best_end, end_row = unpaired[start], start
        end_column: int | None = None
        while True:
            base = travelled - row_price[row]
            if base + unpaired[row] < best_end:
                best_end, end_row = base + unpaired[row], row
            line = costs[row]
            nearest: int | None = None
            nearest_column = -1
            for column in waiting:
                cost = line[column]
                known = distance[column]
                if cost is not None:
                    reach = base + cost - column_price[column]
                    if known is None or reach < known:
                        distance[column] = known = reach
                        came_from[column] = row
                if known is not None and (nearest is None or known < nearest):
                    nearest, nearest_column = known, column
            if nearest is None or nearest >= best_end:
                break
            holder = row_of.get(nearest_column)
            if holder is None:
                best_end, end_row, end_column = nearest, came_from[nearest_column], nearest_column
                break
            waiting.remove(nearest_column)
            visited.append((holder, nearest_column, nearest))
            row, travelled = holder, nearest
        row_price[start] = best_end
        for holder, column, far in visited:
            row_price[holder] += best_end - far
            column_price[column] -= best_end - far
        # Walk back: each row on the path takes the column that led to the row before, down to the new row, which had none.
        row, given = end_row, end_column
        while True:
            freed = column_of.pop(row, None)
            if given is not None:
                column_of[row], row_of[given] = given, row
            if freed is None:
                break
            row, given = came_from[freed], freed
    return [column_of.get(row) for row in range(len(costs))]


def lexicographic(costs: Sequence[Sequence[int | None]]) -> list[int | None]:
    """Most pairs, then the lowest sum of `costs`, then the first row takes the first column it can, and so on.

    The last rule makes the optimum unique, so that the same input always gives the same pairs. It is carried in the
    low digits of the costs: one digit a row in base (columns + 1), the first row's the most significant.

    >>> lexicographic([[0, 0], [0, 0]])
    [0, 1]
    """
    if not costs:
        return []
    height, width = len(costs), len(costs[0])
    base = width + 1
    ties = base**height
    weights = [base ** (height - 1 - row) for row in range(height)]
    dearest = max((cost for line in costs for cost in line if cost is not None), default=0)
    alone = (height * dearest + 1) * ties
    exact = [
        [None if cost is None else cost * ties + column * weight for column, cost in enumerate(line)]
        for line, weight in zip(costs, weights, strict=True)
    ]
    return cheapest(exact, [alone + width * weight for weight in weights])
