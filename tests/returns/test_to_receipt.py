"""A consumer return, as what was counted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixture_files import fixture
from loop_whiplash import ConsumerReturn, ConsumerReturnStatus, ExpectedUnit, Receipt, Rma, to_consumer_return, to_receipt
from loop_whiplash.returns import MAX_UNITS, MAX_UNITS_PER_LINE, with_item_ids


def receipt(*lines: dict[str, Any], line_map: dict[str, tuple[str, ...]] | None = None, prefix: str = "", **fields: Any) -> Receipt:
    rows = [{"id": number, "item_id": 10 + number, **line} for number, line in enumerate(lines, start=1)]
    payload = {"id": 9, "status": 300, "return_items": rows, **fields}
    return to_receipt(ConsumerReturn.from_dict(payload), line_map=line_map, original_id_prefix=prefix)


def test_the_whole_receipt() -> None:
    found = to_receipt(ConsumerReturn.from_dict(fixture("consumer_return")))
    assert (found.id, found.return_id, found.original_id, found.status, found.final) == (73104, 88031207, "88031207", 300, True)
    assert found.received_at == found.completed_at == datetime(2026, 2, 17, 16, 2, 40, tzinfo=UTC)
    assert found.arrived_at == datetime(2026, 2, 17, 14, 30, tzinfo=UTC)
    assert (found.order_id, found.warehouse_id, found.tracking) == (91000377, 3, "3SLWX0099417")
    assert [(unit.id, unit.sku, unit.item_id, unit.condition) for unit in found.units] == [
        ("90211/1", "SOCK-M-38", 3301, "good"),
        ("90211/2", "SOCK-M-38", 3301, "damaged"),
        ("90212/1", "BELT-TAN-90", 3302, "good"),
    ]
    assert [(line.id, line.quantity, line.quantity_good, line.quantity_damaged) for line in found.lines] == [
        (90211, 2, 1, 1),
        (90212, 1, 1, 0),
    ]
    assert found.problems == ()


# --------------------------------------------------------------------------------------------------------- finality


@pytest.mark.parametrize("status", [25, 50, 80, 100, 105, 150, 200, 250, 310, None])
def test_only_a_completed_count_is_final(status: int | None) -> None:
    assert not receipt({"quantity": 1, "quantity_good": 1}, status=status).final
    assert receipt({"quantity": 1, "quantity_good": 1}, status=300).final


def test_completed_without_a_count_is_no_proof_of_an_empty_parcel() -> None:
    # The published Completed record counts nothing.
    found = receipt({"quantity": 1, "quantity_good": 0, "quantity_damaged": 0})
    assert (found.final, found.units, len(found.lines)) == (False, (), 1)


def test_which_statuses_are_final_can_be_chosen() -> None:
    row = ConsumerReturn.from_dict({"id": 9, "status": 200, "return_items": [{"id": 1, "quantity_good": 1}]})
    assert to_receipt(row, final_statuses=(ConsumerReturnStatus.PROCESSING,)).final
    assert not to_receipt(row, final_statuses=()).final


def test_when_it_was_received_is_completion_else_arrival_else_not_known() -> None:
    arrived, completed = "2026-02-17T09:30:00.000-05:00", "2026-02-18T09:30:00.000-05:00"
    assert receipt(arrived_at=arrived, completed_at=completed).received_at == datetime(2026, 2, 18, 14, 30, tzinfo=UTC)
    assert receipt(arrived_at=arrived).received_at == datetime(2026, 2, 17, 14, 30, tzinfo=UTC)
    assert receipt(updated_at=arrived).received_at is None


# ---------------------------------------------------------------------------------------------------- whose it is


@pytest.mark.parametrize(
    ("original_id", "prefix", "return_id"),
    [
        ("7", "", 7),
        ("shop-7", "shop-", 7),
        ("7", "shop-", None),
        ("shop-7", "", None),
        ("RMA 7", "", None),
        ("0", "", None),
        ("", "", None),
        (7, "", 7),
        ("٧", "", None),
        ("7" * 19, "", None),
        ("7\n", "", None),
    ],
)
def test_whose_return_it_is_stands_in_the_original_id(original_id: object, prefix: str, return_id: int | None) -> None:
    assert receipt(originator={"original_id": original_id}, prefix=prefix).return_id == return_id


def test_one_without_an_originator_is_nobodys() -> None:
    found = receipt({"quantity_good": 1}, originator=None)
    assert (found.return_id, found.original_id) == (None, None)


# -------------------------------------------------------------------------------------------------------- the line map


def test_one_line_of_an_item_tells_the_unit_of_it() -> None:
    found = receipt({"quantity_good": 1}, line_map={"11": ("L1",)})
    assert [unit.line_id for unit in found.units] == ["L1"]


def test_as_many_units_as_lines_tell_them_all() -> None:
    found = receipt({"quantity_good": 1, "quantity_damaged": 1}, line_map={"11": ("L1", "L2")})
    assert [(unit.line_id, unit.condition) for unit in found.units] == [("L1", "good"), ("L2", "damaged")]


def test_fewer_units_than_lines_tell_none_and_one_too_many_tells_the_first() -> None:
    assert [unit.line_id for unit in receipt({"quantity_good": 1}, line_map={"11": ("L1", "L2")}).units] == [None]
    assert [unit.line_id for unit in receipt({"quantity_good": 2}, line_map={"11": ("L1",)}).units] == ["L1", None]
    assert [unit.line_id for unit in receipt({"quantity_good": 1}, line_map={"99": ("L1",)}).units] == [None]


def test_an_item_counted_on_two_lines_is_one_item() -> None:
    found = receipt({"item_id": 11, "quantity_good": 1}, {"item_id": 11, "quantity_good": 1}, line_map={"11": ("L1", "L2")})
    assert [unit.line_id for unit in found.units] == ["L1", "L2"]


def test_what_was_announced_comes_back_as_the_same_items() -> None:
    rma = Rma(return_id=7, units=tuple(ExpectedUnit(line_id=str(n), sku=sku) for n, sku in enumerate("AAB")))
    draft = to_consumer_return(rma, item_ids={"A": 11, "B": 12})
    assert [unit.item_id for unit in with_item_ids(rma, draft.lines).units] == [11, 11, 12]
    assert with_item_ids(rma, {"x": ("1",), "12": ()}) == rma
    counted = receipt({"item_id": 11, "quantity_good": 2}, {"item_id": 12, "quantity_good": 1}, line_map=dict(draft.lines))
    assert [unit.line_id for unit in counted.units] == ["0", "1", "2"]


# ---------------------------------------------------------------------------------------------------- what is odd


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"quantity_good": -1}, "less than nothing"),
        ({"quantity_good": 1, "quantity_damaged": -1}, "less than nothing"),
        ({"quantity_good": MAX_UNITS_PER_LINE, "quantity_damaged": 1}, "more than 10,000"),
        ({"quantity_good": 2**31 - 1}, "more than 10,000"),
    ],
)
def test_an_absurd_count_makes_no_units_and_is_told(line: dict[str, Any], said: str) -> None:
    found = receipt(line, {"quantity_good": 1})
    assert [unit.id for unit in found.units] == ["2/1"]
    assert said in found.problems[0]
    assert "line 1" in found.problems[0]


def test_a_receipt_of_more_than_a_truck_makes_no_more_units() -> None:
    found = receipt(*[{"quantity_good": MAX_UNITS_PER_LINE} for _ in range(500)])
    assert len(found.units) == MAX_UNITS
    assert "more than 20,000 units" in found.problems[0]
    assert len(found.lines) == 500


def test_a_line_listed_twice_is_counted_once_and_told_when_it_differs() -> None:
    same = receipt({"id": 5, "item_id": 11, "quantity_good": 1}, {"id": 5, "item_id": 11, "quantity_good": 1})
    assert ([unit.id for unit in same.units], same.problems) == (["5/1"], ())
    other = receipt({"id": 5, "item_id": 11, "quantity_good": 1}, {"id": 5, "item_id": 11, "quantity_good": 2})
    assert "listed twice" in other.problems[0]


@pytest.mark.parametrize("lines", [None, ...])
def test_a_record_that_came_without_its_lines_says_so(lines: object) -> None:
    payload: dict[str, Any] = {"id": 9, "status": 300} | ({} if lines is ... else {"return_items": lines})
    found = to_receipt(ConsumerReturn.from_dict(payload))
    assert (found.units, found.final) == ((), False)
    assert "without its lines" in found.problems[0]
    assert to_receipt(ConsumerReturn.from_dict({"id": 9, "return_items": []})).problems == ()


def test_an_unexpected_item_is_a_unit_like_any_other() -> None:
    found = receipt(
        {"item_id": 999, "sku": "STRANGER", "quantity": 0, "quantity_good": 1}, {"item_id": None, "sku": None, "quantity_good": 1}
    )
    assert [(unit.item_id, unit.sku) for unit in found.units] == [(999, "STRANGER"), (None, None)]


@settings(max_examples=80, deadline=None)
@given(counts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=5))
def test_every_counted_unit_appears_exactly_once_in_its_condition(counts: list[tuple[int, int]]) -> None:
    found = receipt(*[{"quantity_good": good, "quantity_damaged": damaged} for good, damaged in counts])
    assert len({unit.id for unit in found.units}) == len(found.units)
    assert sum(unit.condition == "good" for unit in found.units) == sum(good for good, _ in counts)
    assert sum(unit.condition == "damaged" for unit in found.units) == sum(damaged for _, damaged in counts)
    for number, (good, damaged) in enumerate(counts, start=1):
        assert sum(unit.id.startswith(f"{number}/") for unit in found.units) == good + damaged
    shuffled = receipt(
        *reversed([{"id": n, "item_id": 10 + n, "quantity_good": g, "quantity_damaged": d} for n, (g, d) in enumerate(counts, start=1)])
    )
    assert shuffled == found
