"""What a sweep costs: the number of calls by the formula of docs/explanation/sweep-cost.md, and the number that was made.

`python tests/integration/test_sweep_cost.py 20000` prints both for as many open returns over 30 days.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from house import House

STATES = ("open", "review", "expired", "cancelled", "closed")
PAGE, WHIPLASH_PAGE, COUNTED_FROM, KEYS, IDS = 500, 250, 25, 50, 100
SECOND, CLOCKS = timedelta(seconds=1), timedelta(minutes=5)


# ------------------------------------------------------------------------------------------------------- the formula


def windows(times: list[datetime], start: datetime, end: datetime) -> int:
    """Calls for one state: one, or one more than those for its two halves where it holds more than a page."""
    held = sum(start <= time.replace(microsecond=0) <= end for time in times)
    if held <= PAGE or end - start <= SECOND:
        return 1
    middle = start + max(SECOND, ((end - start) / 2) // SECOND * SECOND)
    return 1 + windows(times, start, middle) + windows(times, middle, end)


def listed(house: House, by: str, since: datetime, began: datetime) -> int:
    """Calls of one list of Loop: all states, and all once more for what changed while they were read."""
    calls = 0
    for state in STATES:
        times = [getattr(ret, by) for ret in house.world.loop.returns.values() if ret.state == state]
        calls += windows(times, since.replace(microsecond=0), _up(began) + 2 * CLOCKS)
    return calls + len(STATES)


def _up(time: datetime) -> datetime:
    return time if time.microsecond == 0 else time.replace(microsecond=0) + SECOND


def paged(rows: int) -> int:
    """Calls of one list of Whiplash: its pages, the last one not full, and the count where that is not plain from the first."""
    return 1 if rows < COUNTED_FROM else rows // WHIPLASH_PAGE + 2


def keyed(returns: int, with_rma: bool) -> int:
    """Calls to search for the keys of so many returns: fifty a time, the resource and originators of two types."""
    batches = [min(KEYS, returns - start) for start in range(0, returns, KEYS)]
    return sum(paged(batch if with_rma else 0) + 2 for batch in batches)


# What one action takes on each side, besides: reading the return again, its RMA by key, and what the action itself asks for.
CREATE = Counter({"loop": 2, "whiplash": 8})
PROCESS = Counter({"loop": 2, "whiplash": 4})
FLAG = Counter({"loop": 5, "whiplash": 4})


def measured(house: House) -> Counter[str]:
    return Counter(system for system, _, _ in house.calls)


def keeps_the_limits(house: House) -> None:
    truth = house.world.truth
    assert not truth.over_limit
    assert truth.busiest["loop"] <= 300
    assert truth.busiest["whiplash"] <= 10


# ------------------------------------------------------------------------------------------------------ new returns


def new_returns(count: int) -> tuple[Counter[str], Counter[str], House]:
    """So many new returns in a day; the formula, what was measured, and the house."""
    house = House(webhooks=False)
    house.integration.sweep()
    for _ in range(count):
        house.world.clock.advance(seconds=86_000 / count)
        house.shipped(1)
    house.world.clock.advance_to(house.start + timedelta(hours=25))
    house.calls.clear()
    began, since = house.world.clock.now(), house.start - timedelta(hours=48)
    lists = listed(house, "updated_at", since, began)
    report = house.integration.sweep()
    assert report.complete
    assert report.actions == ({"CreateRma": count} if count else {})
    formula = Counter({"loop": lists + 1, "whiplash": 2 * paged(0) + keyed(count, with_rma=False)})
    for system, calls in CREATE.items():
        formula[system] += calls * count
    return formula, measured(house), house


@pytest.mark.parametrize("count", [0, 1, 60])
def test_the_new_returns_of_a_day(count: int) -> None:
    formula, calls, house = new_returns(count)
    assert calls == formula
    keeps_the_limits(house)


def test_five_hundred_new_returns_in_a_day() -> None:
    formula, calls, house = new_returns(500)
    assert calls == formula == {"loop": 10 + 1 + 2 * 500, "whiplash": 2 + 10 * 3 + 8 * 500}
    keeps_the_limits(house)
    assert [len(house.world.truth.rmas(number)) for number in house.world.loop.returns] == [1] * 500


def test_a_day_on_which_everything_is_counted_costs_a_process_each() -> None:
    house = House(webhooks=False)
    returns = [house.shipped(1) for _ in range(30)]
    house.integration.sweep()
    house.world.clock.advance(days=5)
    house.integration.sweep()
    for ret in returns:
        house.world.warehouse.receive(ret)
    house.world.clock.advance(days=3)
    house.calls.clear()
    assert house.integration.sweep().actions == {"Process": 30}
    # In Loop none has changed: they are listed by creation, which takes fewer calls than thirty.
    assert measured(house) == {
        "loop": 10 + 10 + 1 + PROCESS["loop"] * 30,
        "whiplash": paged(30) + 1 + keyed(30, with_rma=True) + PROCESS["whiplash"] * 30,
    }


def acted(house: House, ret: Any) -> Counter[str]:
    """The calls of one look at one return, with what is done about it."""
    house.calls.clear()
    outcome = house.integration.advance(ret.id)
    assert outcome.status == "acted"
    return measured(house)


def test_what_each_action_costs() -> None:
    house = House(webhooks=False)
    with_order, without = house.shipped(1), house.shipped(1, in_whiplash=False)
    assert acted(house, with_order) == CREATE
    assert acted(house, without) == CREATE  # items by SKU and by barcode, instead of the order's parts and RMAs
    house.world.clock.advance(hours=1)
    house.world.warehouse.receive(with_order)
    house.world.warehouse.receive(without, damaged=1)
    assert acted(house, with_order) == PROCESS
    assert acted(house, without) == FLAG


# ------------------------------------------------------------------------------------------------------ open returns


def open_returns(count: int, days: int = 30) -> tuple[Counter[str], Counter[str], House]:
    """So many open returns over so many days, announced; a sweep, and another one five days after it, which is measured."""
    house = House(webhooks=False)
    world = house.world
    world.outbox.lost = True
    items: dict[str, Any] = {}
    for _ in range(count):
        world.clock.advance(seconds=days * 86_400 / count)
        ret = world.shopper.submit_return(1, label=False)
        label = world.shopper.buy_label(ret.id, status="in_transit")
        sku = ret.skus[0]
        item = items.get(sku) or items.setdefault(sku, world.catalogue.items_of(sku)[0])
        line = world.whiplash.new_line(item, 1)
        world.whiplash.create(lines=[line], return_id=ret.id, status=100, original_id=str(ret.id), tracking=label.tracking)
    assert house.integration.sweep().complete
    last = house.integration.health().last_complete_sweep
    world.clock.advance(days=5)
    house.calls.clear()
    began, since = world.clock.now(), last - timedelta(hours=48)
    report = house.integration.sweep()
    assert report.complete
    assert report.actions == {}
    assert report.flow is not None
    assert report.flow.returns == count
    missing = sum(ret.updated_at < since for ret in world.loop.returns.values())
    oldest = min(ret.created_at for ret in world.loop.returns.values())
    by_creation = listed(house, "created_at", oldest - timedelta(hours=48), began)
    loop = listed(house, "updated_at", since, began) + min(missing, by_creation)
    changed = sum(notice.updated_at >= since for notice in world.whiplash.notices())
    formula = Counter({"loop": loop + 1, "whiplash": paged(changed) + paged(0) + keyed(count, with_rma=True)})
    return formula, measured(house), house


@pytest.mark.parametrize("count", [10, 120])
def test_open_returns_over_thirty_days(count: int) -> None:
    formula, calls, house = open_returns(count)
    assert calls == formula
    keeps_the_limits(house)


if __name__ == "__main__":
    number = int(sys.argv[1])
    expected, made, that = open_returns(number)
    keeps_the_limits(that)
    print(f"{number:,} open returns over 30 days: formula {dict(expected)}, measured {dict(made)}")
    print(f"at the limits that takes {math.ceil(made['loop'] / 300)} min of Loop and {math.ceil(made['whiplash'] / 600)} min of Whiplash")
