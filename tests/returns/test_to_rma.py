"""A Loop return, as what is expected back."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixture_files import fixture
from loop_whiplash import ExpectedUnit, Return, Rma, to_rma


def rma_of(*lines: dict[str, Any], **fields: Any) -> Rma:
    rows = [{"line_item_id": number, "returned_at": "2026-02-11 09:14:05", **line} for number, line in enumerate(lines, start=1)]
    return to_rma(Return.from_dict({"id": 7, "state": "open", "line_items": rows, **fields}))


def test_one_line_is_one_unit() -> None:
    rma = to_rma(Return.from_dict(fixture("return_list_row")))
    assert (rma.return_id, rma.state, rma.currency, rma.order_name) == (88031207, "open", "EUR", "#20417")
    assert [(unit.line_id, unit.sku) for unit in rma.units] == [
        ("310044101", "SOCK-M-38"),
        ("310044102", "SOCK-M-38"),
        ("310044103", "BELT-TAN-90"),
    ]
    unit = rma.units[0]
    assert (unit.barcode, unit.variant_id, unit.product_id, unit.item_id) == ("4006381333931", "445120044101", "6120045588101", None)
    assert (unit.reason, unit.destination_id) == ("Too small around the foot", "4410")


def test_list_details_and_webhook_expect_the_same_units() -> None:
    listed, detailed = (to_rma(Return.from_dict(each)) for each in (fixture("return_list_row"), fixture("return_details")[0]))
    assert listed.units == detailed.units
    assert (listed.tracking, listed.carrier, listed.label_statuses) == (detailed.tracking, detailed.carrier, detailed.label_statuses)
    # A webhook gives no outcome of the return and no destination; what is owed for a line is in the line.
    sent = to_rma(Return.from_dict(fixture("return_webhook")))
    assert [unit.line_id for unit in sent.units] == [unit.line_id for unit in listed.units]
    assert sent.sender == detailed.sender or sent.sender == "Robin Jansen"


# ------------------------------------------------------------------------------------------------- removed, kept


def test_removed_lines_are_left_out() -> None:
    zeroed = {"price": "0.00", "discount": "0.00", "tax": "0.00", "refund": "0.00", "returned_at": None}
    assert [unit.line_id for unit in rma_of({"price": "5.00"}, zeroed, {"price": "6.00"}).units] == ["1", "3"]


@pytest.mark.parametrize(
    "kept",
    [
        {"price": "0.00", "refund": "0.00"},  # a gift, given for nothing, and really on its way
        {"price": "5.00", "refund": "0.00", "returned_at": None},  # not returned yet, and worth something
        {"returned_at": None},  # a webhook that gives no amounts says nothing of removal
        {"price": "0.00", "returned_at": "some day"},  # a time that cannot be read is no sign of removal
    ],
)
def test_what_only_looks_removed_stays(kept: dict[str, Any]) -> None:
    assert len(rma_of(kept).units) == 1


def test_a_return_whose_lines_were_all_removed_expects_nothing() -> None:
    rma = rma_of({"price": "0.00", "returned_at": None}, return_total="0.00")
    assert (rma.units, rma.total) == ((), Decimal("0.00"))


def test_a_return_that_is_kept_has_no_label_and_expects_its_units_all_the_same() -> None:
    rma = rma_of({"sku": "A"}, label_status="N/A", tracking_number="N/A", carrier="N/A", labels=[], label_updated_at="N/A")
    assert (rma.label_statuses, rma.trackings, rma.tracking, rma.carrier, rma.label_updated_at) == ((), (), None, None, None)
    assert len(rma.units) == 1
    assert rma_of({"sku": "A"}, label_status="no_label").label_statuses == ()


# --------------------------------------------------------------------------------------------------------- parcels


def test_several_labels_are_several_parcels() -> None:
    rma = rma_of(
        {},
        {},
        carrier="UPS",
        tracking_number="1Z1",
        label_status="in_transit",
        label_updated_at="2026-02-12 10:00:00",
        labels=[
            {"status": "in_transit", "updated_at": "2026-02-12T10:00:00Z", "carrier": "UPS", "tracking_number": "1Z1", "line_items": [1]},
            {"status": "delivered", "updated_at": "2026-02-14T10:00:00Z", "carrier": "FedEx", "tracking_number": 77, "line_items": ["2"]},
        ],
    )
    assert rma.trackings == ("1Z1", "77")
    assert (rma.tracking, rma.carrier) == ("77", "FedEx")  # the newest
    assert rma.label_statuses == ("in_transit", "delivered")
    assert rma.label_updated_at == datetime(2026, 2, 14, 10, tzinfo=UTC)


def test_a_re_issued_label_takes_the_place_of_one_that_failed() -> None:
    failed = {"status": "failure", "updated_at": "2026-02-20T10:00:00Z", "carrier": "UPS", "tracking_number": "OLD"}
    issued = {"status": "pre_transit", "updated_at": "2026-02-12T10:00:00Z", "carrier": None, "tracking_number": "NEW"}
    rma = rma_of({}, carrier="USPS", tracking_number="OLD", labels=[failed, issued])
    assert (rma.tracking, rma.carrier, rma.trackings) == ("NEW", "USPS", ("OLD", "NEW"))
    assert rma_of({}, labels=[failed]).tracking == "OLD"


def test_labels_name_their_lines() -> None:
    return_ = Return.from_dict({"id": 7, "line_items": [{"line_item_id": 1}], "labels": [{"line_items": [1, "2"]}, {"line_items": None}]})
    assert [label.line_items for label in return_.labels] == [("1", "2"), ()]


# ----------------------------------------------------------------------------------------------------------- money


@pytest.mark.parametrize(
    ("outcome", "line", "value"),
    [
        ("refund", {"price": "20.00", "discount": "2.00", "tax": "1.50", "refund": "17.00"}, "17.00"),  # the handling fee is off
        (None, {"price": "20.00", "refund": "17.00"}, "17.00"),
        ("exchange", {"price": "20.00", "discount": "2.00", "tax": "1.50", "refund": "0.00"}, "19.50"),
        ("exchange+refund", {"price": "20.00", "discount": "0.00", "tax": "0.00", "refund": "3.00"}, "20.00"),
        ("credit", {"price": "20.00", "discount": None, "tax": None, "refund": "0.00"}, "20.00"),
        ("refund", {"price": "20.00", "refund": "0.00"}, "20.00"),
        ("refund", {"refund": "4.00"}, "4.00"),
        ("refund", {"price": "-5.00"}, None),
        ("refund", {}, None),
    ],
)
def test_the_value_of_a_unit_is_what_processing_releases_for_it(outcome: str | None, line: dict[str, Any], value: str | None) -> None:
    (unit,) = rma_of(line, outcome=outcome).units
    assert unit.value == (None if value is None else Decimal(value))


def test_a_line_may_have_an_outcome_of_its_own() -> None:
    units = rma_of({"outcome": "default"}, {"outcome": "credit"}, {"outcome": None}, outcome="refund").units
    assert [unit.outcome for unit in units] == ["refund", "credit", "refund"]


def test_currency_and_total_are_the_returns() -> None:
    assert rma_of({"price": "5.00"}, currency="JPY", return_total="70.78").currency == "JPY"
    assert rma_of({"price": "5.00"}, return_total="70.78").total == Decimal("70.78")
    assert rma_of({"price": "5.00"}, {"price": "6.50"}).total == Decimal("11.50")
    assert rma_of({"price": "5.00"}, {}).total is None  # a sum of which a part is not known is not known
    assert rma_of({}).total is None


def test_the_total_is_never_less_than_what_loop_pays_out() -> None:
    # Shipping that is paid back, and a bonus on store credit, come on top of what the goods were worth.
    assert rma_of({"price": "95.00"}, return_total="95.00", refund="104.90").total == Decimal("104.90")
    assert rma_of({"price": "95.00"}, return_total="95.00", refund="40.00", gift_card="66.00").total == Decimal("106.00")
    assert rma_of({"price": "95.00"}, refund="104.90").total == Decimal("104.90")
    # What goes out as goods is in return_total, not in refund; a fee taken off is not paid out, and what came back was worth it.
    assert rma_of({"price": "156.00"}, return_total="164.58", refund="63.30", exchange_total="101.28").total == Decimal("164.58")
    assert rma_of({"price": "50.00"}, return_total="50.00", refund="45.00", handling_fee="5.00").total == Decimal("50.00")
    assert rma_of({"price": "50.00"}, {}, refund="70.00").total is None


# ------------------------------------------------------------------------------------------------------- the rest


def test_when_value_was_released_is_the_earliest_time() -> None:
    times = {"return_processed": None, "refund_processed": "2026-03-02 10:00:00", "gift_card_processed": "2026-03-01T10:00:00Z"}
    assert rma_of({}, outcomes_processed_at=times).released_at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert rma_of({}, outcomes_processed_at=None).released_at is None


def test_who_sends_it_how_and_where_to() -> None:
    assert rma_of({}, customer_first_name="Robin", customer_last_name="Jansen").sender == "Robin Jansen"
    assert rma_of({}, address={"name": "A Recipient"}).sender == "A Recipient"
    assert rma_of({}, customer="robin@example.org").sender is None  # an e-mail is no name
    assert rma_of({}, return_method={"method_type": "drop_off", "provider": "happy_returns"}).method == "drop_off"
    assert rma_of({}, return_method={"provider": "happy_returns"}).method == "happy_returns"
    assert rma_of({"consolidation_destination_id": 9}, destination_id=4410).units[0].destination_id == "9"
    assert "Robin" not in repr(rma_of({}, customer_first_name="Robin"))


def test_an_unknown_state_stays_what_it_is() -> None:
    assert rma_of({}, state="partial").state == "partial"
    assert to_rma(Return.from_dict({"id": 7})).state == "unknown"


def test_an_rma_is_a_plain_frozen_value() -> None:
    rma = to_rma(Return.from_dict(fixture("return_list_row")))
    assert pickle.loads(pickle.dumps(rma)) == rma
    assert Rma(return_id=1, units=[ExpectedUnit(line_id="1")]).units == (ExpectedUnit(line_id="1"),)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(removed=st.lists(st.booleans(), max_size=8))
def test_every_live_line_is_expected_exactly_once_and_no_other(removed: list[bool]) -> None:
    zeroed = {"price": "0.00", "discount": "0.00", "tax": "0.00", "refund": "0.00", "returned_at": None}
    rma = rma_of(*[zeroed if gone else {"price": "1.00"} for gone in removed])
    assert [unit.line_id for unit in rma.units] == [str(place) for place, gone in enumerate(removed, start=1) if not gone]
