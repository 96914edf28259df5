"""An RMA, as the body that announces it to Whiplash."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixture_files import fixture
from loop_whiplash import ConfigurationError, ExpectedUnit, Return, Rma, UnresolvedItems, to_consumer_return, to_rma


def rma(*units: tuple[str, str | None], **fields: Any) -> Rma:
    return Rma(return_id=7, units=tuple(ExpectedUnit(line_id=line, sku=sku) for line, sku in units), **fields)


def test_the_whole_body() -> None:
    expected = to_rma(Return.from_dict(fixture("return_details")[0]))
    draft = to_consumer_return(
        expected,
        item_ids={"SOCK-M-38": 3301, "310044103": 3302},
        order_id=91000377,
        warehouse_id=3,
        return_actions={"exchange+refund": "exchange"},
        eta=datetime(2026, 2, 18, 1, 0, tzinfo=timezone(timedelta(hours=1))),
    )
    assert draft.to_dict() == {
        "order_id": 91000377,
        "warehouse_id": 3,
        "sender": "Robin Jansen",
        "requires_label": False,
        "eta": "2026-02-18T01:00:00+01:00",
        "carrier": "PostNL",
        "tracking": "3SLWX0099417",
        "reference": "#20417",
        "originator_attributes": {"original_id": "88031207"},
        "shipnotice_items_attributes": [
            {"item_id": 3301, "quantity": 2, "return_action": "exchange", "description": "Too small around the foot"},
            {"item_id": 3302, "quantity": 1, "return_action": "exchange", "description": "Wrong colour on the pictures"},
        ],
    }
    assert draft.lines == {"3301": ("310044101", "310044102"), "3302": ("310044103",)}
    assert json.loads(json.dumps(draft.to_dict())) == draft.to_dict()


def test_units_of_one_item_are_one_line_with_a_quantity_wherever_they_stand() -> None:
    draft = to_consumer_return(rma(("1", "A"), ("2", "B"), ("3", "A")), item_ids={"A": 10, "B": 20})
    assert [(line["item_id"], line["quantity"]) for line in draft["shipnotice_items_attributes"]] == [(10, 2), (20, 1)]
    assert draft.lines == {"10": ("1", "3"), "20": ("2",)}


def test_two_skus_of_one_item_are_one_line() -> None:
    draft = to_consumer_return(rma(("1", "A"), ("2", "A-OLD")), item_ids={"A": 10, "A-OLD": 10})
    assert draft.lines == {"10": ("1", "2")}


def test_a_line_id_wins_over_a_sku() -> None:
    assert to_consumer_return(rma(("1", "A"), ("2", "A")), item_ids={"A": 10, "1": 11}).lines == {"11": ("1",), "10": ("2",)}
    assert to_consumer_return(rma(("1", "A")), item_ids={1: 11, "A": 10}).lines == {"11": ("1",)}  # type: ignore[dict-item]


def test_a_sku_that_reads_like_another_units_line_id_is_not_taken_for_it() -> None:
    with pytest.raises(UnresolvedItems) as caught:
        to_consumer_return(rma(("1", "2"), ("2", "B")), item_ids={"2": 20})
    assert caught.value.line_ids == ("1",)


def test_an_item_that_is_known_already_needs_no_map() -> None:
    known = attrs.evolve(rma(), units=(ExpectedUnit(line_id="1", item_id=77),))
    assert to_consumer_return(known, item_ids={}).lines == {"77": ("1",)}


def test_units_without_an_item_are_all_named() -> None:
    with pytest.raises(UnresolvedItems) as caught:
        to_consumer_return(rma(("1", "A"), ("2", None), ("3", "C"), ("4", "D")), item_ids={"A": 10, "C": 0, "D": True})
    error = caught.value
    assert error.line_ids == ("2", "3", "4")
    assert (error.reasons["2"], error.reasons["3"]) == ("no SKU", "0 is no Whiplash item id")
    assert error.return_id == 7
    assert "return 7" in str(error)
    with pytest.raises(UnresolvedItems, match="no Whiplash item for SKU X"):
        to_consumer_return(rma(("1", "X")), item_ids={})
    with pytest.raises(UnresolvedItems, match="no units"):
        to_consumer_return(rma(), item_ids={})


def test_a_bundle_is_announced_as_the_item_it_was_sold_as() -> None:
    # How a returned bundle is counted is not documented; its parts are not guessed.
    assert to_consumer_return(rma(("1", "GIFT-SET")), item_ids={"GIFT-SET": 500}).lines == {"500": ("1",)}


def test_actions_by_outcome_and_one_for_those_that_differ() -> None:
    units = tuple(
        ExpectedUnit(line_id=str(n), sku=sku, outcome=outcome)
        for n, (sku, outcome) in enumerate([("A", "refund"), ("A", "credit"), ("B", "credit"), ("C", None)])
    )
    draft = to_consumer_return(
        Rma(return_id=7, units=units), item_ids={"A": 1, "B": 2, "C": 3}, return_actions={"refund": "refund", "credit": "credit"}
    )
    assert [line["return_action"] for line in draft["shipnotice_items_attributes"]] == [
        "no_action_required",
        "credit",
        "no_action_required",
    ]


def test_reasons_are_the_description_in_few_enough_characters() -> None:
    units = tuple(ExpectedUnit(line_id=str(n), sku="A", reason=reason) for n, reason in enumerate(["Too small", "Too small", "Torn", None]))
    draft = to_consumer_return(Rma(return_id=7, units=units), item_ids={"A": 1})
    assert draft["shipnotice_items_attributes"][0]["description"] == "Too small; Torn"
    assert to_consumer_return(rma(("1", "A")), item_ids={"A": 1})["shipnotice_items_attributes"][0]["description"] == "No reason given"
    long = Rma(return_id=7, units=(ExpectedUnit(line_id="1", sku="A", reason="x" * 1000),))
    assert len(to_consumer_return(long, item_ids={"A": 1})["shipnotice_items_attributes"][0]["description"]) == 255


def test_a_draft_is_a_frozen_mapping_without_what_is_not_known() -> None:
    draft = to_consumer_return(rma(("1", "A")), item_ids={"A": 10}, original_id="shop-7")
    assert sorted(draft) == ["originator_attributes", "requires_label", "shipnotice_items_attributes"]
    assert len(draft) == 3
    assert draft["originator_attributes"] == {"original_id": "shop-7"}
    for missing in ("order_id", "lines", "status", "nonsense"):
        with pytest.raises(KeyError):
            draft[missing]
        assert missing not in draft
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        draft.order_id = 5  # type: ignore[misc]
    draft["shipnotice_items_attributes"][0]["quantity"] = 99
    draft["originator_attributes"]["original_id"] = "changed"
    assert draft["shipnotice_items_attributes"][0]["quantity"] == 1
    assert draft["originator_attributes"] == {"original_id": "shop-7"}
    for travelled in (pickle.loads(pickle.dumps(draft)), copy.deepcopy(draft)):
        assert travelled.to_dict() == draft.to_dict()
        assert travelled.lines == draft.lines
    assert "Robin" not in repr(to_consumer_return(rma(("1", "A"), sender="Robin"), item_ids={"A": 1}))


def test_an_eta_has_a_time_zone() -> None:
    with pytest.raises(ConfigurationError, match="aware"):
        to_consumer_return(rma(("1", "A")), item_ids={"A": 1}, eta=datetime(2026, 2, 18))
    assert to_consumer_return(rma(("1", "A")), item_ids={"A": 1}, eta=datetime(2026, 2, 18, tzinfo=UTC)).eta == "2026-02-18T00:00:00+00:00"


@settings(max_examples=80, deadline=None)
@given(
    skus=st.lists(st.sampled_from("ABCD"), min_size=1, max_size=12), items=st.fixed_dictionaries({sku: st.integers(1, 3) for sku in "ABCD"})
)
def test_every_unit_is_announced_exactly_once(skus: list[str], items: dict[str, int]) -> None:
    expected = rma(*[(str(number), sku) for number, sku in enumerate(skus, start=1)])
    draft = to_consumer_return(expected, item_ids=items)
    lines = {line["item_id"]: line["quantity"] for line in draft["shipnotice_items_attributes"]}
    assert len(lines) == len(draft["shipnotice_items_attributes"])
    assert sum(lines.values()) == len(skus)
    for unit in expected.units:
        assert unit.line_id in draft.lines[str(items[unit.sku or ""])]
    assert {int(item): len(line_ids) for item, line_ids in draft.lines.items()} == lines
