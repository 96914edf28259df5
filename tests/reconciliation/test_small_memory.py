"""What is remembered is small, and says the same as what was read."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from reconciliation_pairs import NOW, loop_row, whiplash_row

from loop_whiplash.loop.models import Return
from loop_whiplash.matching import Policy
from loop_whiplash.reconciliation import reconcile
from loop_whiplash.reconciliation.case import case_from_dict, case_to_dict
from loop_whiplash.reconciliation.compact import seconds_of, time_of
from loop_whiplash.reconciliation.memory import Memory
from loop_whiplash.reconciliation.stored_cases import StoredCases
from loop_whiplash.whiplash.models import ConsumerReturn

RETURNS = 10_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40) | st.integers(-(2**62), 2**62), st.binary(max_size=40)), max_size=200))
def test_the_memory_is_a_dictionary(steps: list[tuple[int, bytes]]) -> None:
    memory, expected = Memory(), dict[int, bytes]()
    for return_id, record in steps:
        memory.put(memory.number(return_id), record)
        expected[return_id] = record
    assert list(memory) == list(expected)
    assert len(memory) == len(expected)
    assert {return_id: memory.record(memory.find(return_id)) for return_id in expected} == expected
    assert memory.find(2**62 + 1) == -1


def test_records_of_any_size_are_given_back() -> None:
    memory, sizes = Memory(), [0, 1, 2**20 - 2, 2**20 - 1, 2**20, 3 * 2**20, 5]
    for return_id, size in enumerate(sizes):
        memory.put(memory.number(return_id), bytes([return_id]) * size)
    assert [memory.record(memory.find(return_id)) for return_id in range(len(sizes))] == [bytes([i]) * size for i, size in enumerate(sizes)]


@given(st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_times_come_back_to_the_microsecond(time: Any) -> None:
    assert time_of(seconds_of(time)) == time


def test_cases_come_back_as_they_were() -> None:
    from report_samples import case

    stored = StoredCases()
    stored.put(1, case())
    stored.put("rma-9", case(9))
    assert stored[1] == case()
    assert list(stored) == [1, "rma-9"]
    assert case_from_dict(case_to_dict(case(), personal=True)) == case()
    for number in range(17_500):  # more words than are numbered
        stored.put(number, case_from_dict({**case_to_dict(case()), "headline": f"words {number}"}))
    assert [stored[number].headline for number in (0, 17_000, 17_499)] == ["words 0", "words 17000", "words 17499"]


def test_a_reconciliation_adds_at_most_250_bytes_a_return() -> None:
    def loop(number: int) -> Return:
        broken = {"state": "cancelled"} if number % 50 == 0 else {}
        return Return.from_dict({**loop_row(1), "id": 10**8 + number, "tracking_number": f"3SLWX{number:010}", **broken})

    def whiplash(number: int) -> ConsumerReturn:
        own = {"id": 10**6 + number, "originator": {"original_id": str(10**8 + number)}, "tracking": f"3SLWX{number:010}"}
        return ConsumerReturn.from_dict({**whiplash_row(1), **own})

    returns, consumer_returns = [loop(number) for number in range(RETURNS)], [whiplash(number) for number in range(RETURNS)]
    reconcile(returns[:100], consumer_returns[:100], policy=Policy(), at=NOW)  # so that code and caches are not counted
    gc.collect()
    tracemalloc.start()
    report = reconcile(returns, consumer_returns, policy=Policy(), at=NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(report.breaks) == RETURNS / 50
    assert peak / RETURNS <= 250
