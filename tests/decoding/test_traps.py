"""What the two systems are really like, one trap a test: each payload here is of a shape that one of them sends."""

from __future__ import annotations

import contextlib
import json
import time
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixture_files import fixture
from loop_whiplash import AsnRow, ConsumerReturn, DecodeError, Destination, Item, NotFound, Order, Return
from loop_whiplash.decoding import MAX_DEPTH
from loop_whiplash.loop.models import Condition, LineItem, Refund, decode_details


def a_return(**fields: Any) -> Return:
    return Return.from_dict({"id": 7, "state": "open", **fields})


def a_line(**fields: Any) -> LineItem:
    return a_return(line_items=[{"line_item_id": 1, **fields}]).line_items[0]


# ----------------------------------------------------------------------------------------- list and details differ


def test_list_and_details_give_the_same_return() -> None:
    listed, detailed = Return.from_dict(fixture("return_list_row")), Return.from_dict(fixture("return_details")[0])
    only_one_side_says = {
        "edited_at",
        "order_number",
        "provider_order_number",
        "order_id",
        "customer_email",
        "customer_first_name",
        "customer_last_name",
        "exchange",
    }
    only_details_say = {"line_item_title", "variant_title"}

    def shown(value: Any) -> Any:
        import attrs

        return {
            name: [
                {key: each for key, each in attrs.asdict(line, recurse=False).items() if key not in {"raw", *only_details_say}}
                for line in found
            ]
            if name == "line_items"
            else found
            for name, found in attrs.asdict(value, recurse=False).items()
            if name not in {"raw", *only_one_side_says}
        }

    assert shown(listed) == shown(detailed)
    assert listed.line_items[0].return_reason == detailed.line_items[0].return_reason == "Too small around the foot"
    assert listed.labels == detailed.labels


def test_order_id_is_always_loops_own_and_none_where_details_give_the_shops() -> None:
    assert Return.from_dict(fixture("return_list_row")).order_id == "55120398"
    detailed = Return.from_dict(fixture("return_details")[0])
    assert (detailed.order_id, detailed.provider_order_id) == (None, "5300118822671")
    # Without the shop's order id nothing says which of the two it is; lists and webhooks mean Loop's.
    assert a_return(order_id=144300576).order_id == "144300576"


def test_a_webhook_gives_the_return_of_the_list() -> None:
    listed, sent = Return.from_dict(fixture("return_list_row")), Return.from_dict(fixture("return_webhook"))
    for name in ("id", "state", "created_at", "order_id", "provider_order_id", "line_items", "exchanges", "labels", "refund", "currency"):
        assert getattr(sent, name) == getattr(listed, name), name
    assert sent.address is not None
    assert (sent.address.zip, sent.address.country_code) == ("3511", "NL")  # a number in the message
    assert sent.refunds == (Refund(gateway="shopify_payments", amount=Decimal(20), currency="EUR", provider_refund_id="8812"),)


def test_details_are_an_array_of_one_or_an_object_or_an_error_under_200() -> None:
    row = fixture("return_details")[0]
    assert decode_details([row]) == decode_details(row)
    for nothing in ([], {"error": {"message": "No return found with this ID."}}, {"errors": "x"}, {"message": "No return found"}):
        with pytest.raises(NotFound):
            decode_details(nothing)
    for unreadable in (None, "true", True, 5, {}, [None], {"state": "open"}):
        with pytest.raises(DecodeError):
            decode_details(unreadable)


def test_needs_review_is_spelt_in_several_ways() -> None:
    for spelt in ("review", "needs review", "needs_review", "Needs Review"):
        assert a_return(state=spelt).state == "review"


def test_an_unknown_state_stays_as_text_and_equals_no_known_one() -> None:
    state = a_return(state="partial").state
    assert state == "partial"
    assert state not in ("open", "closed", "cancelled", "expired", "review")


# ------------------------------------------------------------------------------------------------------- sentinels


@pytest.mark.parametrize("nothing", [None, "", "N/A"])
def test_no_sentinel_reaches_a_caller(nothing: str | None) -> None:
    found = a_return(
        carrier=nothing,
        tracking_number=nothing,
        label_status=nothing,
        label_updated_at=nothing,
        label_rate=nothing,
        outcome=nothing,
        destination_id=nothing,
        order_number=nothing,
        refund=nothing,
        was_processed=nothing,
        return_method=nothing,
        labels=nothing,
        line_items=[
            {
                "line_item_id": 1,
                "sku": nothing,
                "barcode": nothing,
                "return_comment": nothing,
                "exchange_variant": nothing,
                "condition": nothing,
            }
        ],
        exchange_order_id=nothing,
        address=nothing,
        exchanges=nothing,
        outcomes_processed_at=nothing,
    )
    for name in (
        "carrier",
        "tracking_number",
        "label_status",
        "label_updated_at",
        "label_rate",
        "outcome",
        "destination_id",
        "order_number",
        "refund",
        "was_processed",
        "return_method",
        "address",
        "outcomes_processed_at",
    ):
        assert getattr(found, name) is None, name
    assert (found.labels, found.exchanges, found.exchange_order_id) == ((), (), ())
    line = found.line_items[0]
    assert (line.sku, line.barcode, line.return_comment, line.exchange_variant, line.condition) == (None,) * 5


def test_a_shopper_may_write_words_that_contain_a_sentinel() -> None:
    assert a_line(return_comment="N/A, see photo").return_comment == "N/A, see photo"
    assert a_line(sku="0").sku == "0"
    assert a_line(sku=0).sku == "0"
    assert a_line(sku=" ").sku == " "


# ------------------------------------------------------------------------------------------------------------ money


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("69.95", "69.95"),
        ("0.00", "0.00"),
        ("-12.50", "-12.50"),
        (20, "20"),
        ("1e3", None),
        ("12,50", None),
        ("1 000.00", None),
        ("NaN", None),
        ("Infinity", None),
        ("0x10", None),
        (True, None),
        ([], None),
        ({}, None),
        ("١٢.٠٠", None),
        ("1_0.00", None),
        ("5", "5"),
        ("ab", None),
        ("9" * 16, None),
        ("69.955", "69.955"),
        (".50", "0.50"),
    ],
)
def test_money_is_a_decimal_or_an_error(written: object, read: str | None) -> None:
    if read is None:
        with pytest.raises(DecodeError, match=r"\$\.refund: not a decimal"):
            a_return(refund=written)
    else:
        assert a_return(refund=written).refund == Decimal(read)
        assert isinstance(a_return(refund=written).refund, Decimal)


def test_money_never_passes_through_a_float() -> None:
    for written in ("0.1", "1234567890123.45", "8.35", "0.30000000000000004"[:10], "69.95"):
        body = b'{"id": 1, "refund": %s}' % written.encode()
        assert str(Return.from_json(body).refund) == written
    # A float that Python code hands in reads as the amount it was written as.
    assert a_return(refund=8.35).refund == Decimal("8.35")


def test_label_rates_are_whole_cents() -> None:
    found = a_return(label_rate=1093, labels=[{"rate": 1093}, {"rate": "1093"}, {"rate": 10.5}])
    assert found.label_rate == 1093
    assert [label.rate for label in found.labels] == [1093, 1093, None]


# ----------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-05-27T16:30:36+00:00", datetime(2026, 5, 27, 16, 30, 36, tzinfo=UTC)),
        ("2026-05-27 16:30:36", datetime(2026, 5, 27, 16, 30, 36, tzinfo=UTC)),
        ("2019-04-01T12:00:00.000Z", datetime(2019, 4, 1, 12, tzinfo=UTC)),
        ("2019-04-01T12:00:00Z", datetime(2019, 4, 1, 12, tzinfo=UTC)),
        ("2026-03-13T11:39:21.000-04:00", datetime(2026, 3, 13, 15, 39, 21, tzinfo=UTC)),
        ("2026-03-13T11:39:21-04:00", datetime(2026, 3, 13, 15, 39, 21, tzinfo=UTC)),
        ("2026-03-13", datetime(2026, 3, 13, tzinfo=UTC)),
        ("20260313T113921Z", datetime(2026, 3, 13, 11, 39, 21, tzinfo=UTC)),
        ("2024-03-19dT00:00:00", None),  # the documentation's own slip
        ("May 27, 2026", None),
        ("27/05/2026", None),
        ("10", None),
        ("now", None),
        (1748363436, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-02-30 10:00:00", None),
        ("2026-05-27 16:30", datetime(2026, 5, 27, 16, 30, tzinfo=UTC)),
    ],
)
def test_times_are_aware_and_utc_and_never_guessed(written: object, read: datetime | None) -> None:
    found = a_return(created_at=written)
    assert found.created_at == read
    assert read is None or (found.created_at is not None and found.created_at.tzinfo is UTC)
    assert found.raw["created_at"] == written  # one odd date hides no return, and is not lost


# ------------------------------------------------------------------------------------------------------------- ids


def test_ids_are_safe_beyond_fifty_three_bits() -> None:
    body = b'{"id": 1, "provider_order_id": 900296080790990848, "line_items": [{"line_item_id": "1", "variant_id": 894572213405216768}]}'
    found = Return.from_json(body)
    assert (found.provider_order_id, found.line_items[0].variant_id) == ("900296080790990848", "894572213405216768")


@pytest.mark.parametrize("written", [110139337, "110139337", " 110139337 ", "110139337.0", 110139337.0])
def test_a_return_id_is_a_number_however_it_is_written(written: object) -> None:
    assert Return.from_dict({"id": written}).id == 110139337


@pytest.mark.parametrize("written", [None, "", "N/A", 0, -5, "x", True, 1.5, [], {}, "1_000", "٣"])
def test_a_return_without_a_readable_id_is_an_error(written: object) -> None:
    with pytest.raises(DecodeError) as caught:
        Return.from_dict({"id": written})
    assert caught.value.problems[0].startswith("$.id: ")


def test_a_line_without_an_id_is_an_error_that_names_its_place() -> None:
    with pytest.raises(DecodeError) as caught:
        a_return(line_items=[{"line_item_id": 1}, {"sku": "A"}, {"line_item_id": [], "price": "x"}, "line"])
    assert caught.value.problems == (
        "$.line_items[1].line_item_id: missing",
        "$.line_items[2].line_item_id: not an id but an array",
        "$.line_items[2].price: not a decimal but text",
        "$.line_items[3]: not an object but text",
    )
    assert "Return 7" in str(caught.value)


def test_destination_ids_are_text_whether_number_or_text() -> None:
    assert a_return(destination_id=42792).destination_id == a_return(destination_id="42792").destination_id == "42792"
    assert Destination.from_dict({"id": 4410, "enabled": True}).id == "4410"


# ------------------------------------------------------------------------------------------------------ flags, counts


@pytest.mark.parametrize("written", ["false", "true", 0, 1, "no", []])
def test_whether_money_went_out_is_true_or_false_or_an_error(written: object) -> None:
    with pytest.raises(DecodeError, match="was_processed: not true or false"):
        a_return(was_processed=written)
    with pytest.raises(DecodeError, match="refund_before_inspection"):
        a_return(refund_before_inspection=written)
    assert a_return(multi_currency=written).multi_currency is None  # nothing hangs on this one


@pytest.mark.parametrize(
    ("written", "read"),
    [(2, 2), ("2", 2), (2.0, 2), (None, 0), ("", 0), (-1, -1), (5.9, None), ("2.5", None), (True, None), (2**31, None), ("two", None)],
)
def test_counts_are_whole_or_an_error(written: object, read: int | None) -> None:
    payload = {"id": 9, "return_items": [{"id": 1, "quantity_good": written}]}
    if read is None:
        with pytest.raises(DecodeError, match=r"return_items\[0\]\.quantity_good"):
            ConsumerReturn.from_dict(payload)
    else:
        assert ConsumerReturn.from_dict(payload).return_items[0].quantity_good == read


def test_a_sku_that_is_a_number_is_its_digits_and_one_that_is_null_is_none() -> None:
    assert a_line(sku=4006381333931).sku == "4006381333931"
    assert a_line(sku=None).sku is None  # never "None", which would match another "None"
    with pytest.raises(DecodeError, match="sku: not text"):
        a_line(sku=["A"])


# ------------------------------------------------------------------------------------------------- shapes of nesting


def test_an_array_that_php_wrote_as_an_object_is_read_in_order() -> None:
    found = a_return(line_items={"0": {"line_item_id": 1}, "2": {"line_item_id": 3}})
    assert [line.line_item_id for line in found.line_items] == ["1", "3"]
    with pytest.raises(DecodeError, match=r"\$\.line_items: not an array but an object"):
        a_return(line_items={"a": {}})
    with pytest.raises(DecodeError, match=r"\$\.line_items\[2\]\.line_item_id: missing"):
        a_return(line_items={"0": {"line_item_id": 1}, "2": {}})


def test_removed_lines_linger_and_stay_readable() -> None:
    line = a_line(price="0.00", discount="0.00", tax="0.00", refund="0.00", returned_at=None)
    assert (line.price, line.returned_at) == (Decimal("0.00"), None)


def test_the_grade_of_an_item_is_text_or_an_object_by_api_version() -> None:
    before = a_line(condition={"condition_category": "grade_b", "note": "N/A"}).condition
    after = a_line(condition={"condition_category": {"subject": "Item condition grade", "title": "Grade B", "grade": "grade_b"}}).condition
    assert before is not None
    assert after is not None
    assert (before.condition_category, before.subject, before.note) == ("grade_b", None, None)
    assert (after.condition_category, after.subject, after.title) == ("grade_b", "Item condition grade", "Grade B")
    own = Condition.from_dict({"condition_category": {"subject": "Smell", "title": "Smoke", "grade": None}})
    assert (own.condition_category, own.subject) == ("Smoke", "Smell")


def test_a_return_method_is_an_object_today_and_was_text_in_2022() -> None:
    today = a_return(return_method={"provider": "happy_returns", "method_type": "drop_off", "state": "new", "rma_id": "HRX1"}).return_method
    assert today is not None
    assert (today.provider, today.method_type, today.rma_id) == ("happy_returns", "drop_off", "HRX1")
    then = a_return(return_method="in_store").return_method
    assert then is not None
    assert then.method_type == "in_store"
    assert a_return(return_method=[1]).return_method is None


def test_what_is_only_for_people_hides_nothing_when_it_is_odd() -> None:
    found = a_return(
        carrier={"name": "UPS"},
        order_name=["#1"],
        labels=[{"status": "delivered"}, "x", None, 5],
        address=[],
        outcomes_processed_at="soon",
    )
    assert (found.carrier, found.order_name, found.address, found.outcomes_processed_at) == (None,) * 4
    assert [label.status for label in found.labels] == ["delivered"]
    assert found.raw["carrier"] == {"name": "UPS"}


def test_several_exchange_orders_are_an_array_and_one_may_be_text() -> None:
    assert a_return(exchange_order_name=["EXC-1", "EXC-2"], exchange_order_id=[12, "13"]).exchange_order_id == ("12", "13")
    assert a_return(exchange_order_name="EXC-1").exchange_order_name == ("EXC-1",)
    assert a_return(exchange_order_id=None).exchange_order_id == ()


# -------------------------------------------------------------------------------------------------------- whiplash


def test_a_consumer_return_of_the_published_shape() -> None:
    found = ConsumerReturn.from_dict(fixture("consumer_return"))
    assert (found.id, found.status, found.carrier) == (73104, 300, "PostNL")
    assert found.eta == datetime(2026, 2, 18, 5, tzinfo=UTC)
    assert found.originator is not None
    assert (found.originator.original_id, found.originator.originated_type) == ("88031207", "Shipnotice")
    assert [(line.quantity, line.quantity_good, line.quantity_damaged) for line in found.return_items] == [(2, 1, 1), (1, 1, 0)]
    assert found.return_items[0].lot_numbers == ("L-7A",)  # declared as numbers
    assert found.order is not None
    assert (found.order.tracking, found.order.calculated_time_limit) == (("3SOUT001",), "30")  # declared as text


def test_every_field_but_the_id_may_be_null_or_absent() -> None:
    whole = fixture("consumer_return")
    nulled = dict.fromkeys(whole) | {"id": 73104}
    assert ConsumerReturn.from_dict(nulled) == ConsumerReturn.from_dict({"id": 73104})
    assert ConsumerReturn.from_dict({"id": "73104"}).return_items == ()


def test_money_numbers_and_text_come_in_each_others_place() -> None:
    assert Item.from_dict({"id": 1, "price": 82.5, "quantity": "7", "scancode": 4006381333931}) == Item.from_dict(
        {"id": "1", "price": "82.5", "quantity": 7, "scancode": "4006381333931"}
    )
    assert Order.from_dict({"id": 1, "tracking": "1Z", "proto_originator_id": 55}).tracking == ("1Z",)


def test_an_unknown_status_is_a_number_like_any_other() -> None:
    assert ConsumerReturn.from_dict({"id": 1, "status": 460}).status == 460
    assert ConsumerReturn.from_dict({"id": 1, "status": {"code": 300}}).status is None


def test_a_broken_originator_is_an_error_because_it_says_whose_return_it_is() -> None:
    with pytest.raises(DecodeError, match=r"\$\.originator\.original_id"):
        ConsumerReturn.from_dict({"id": 1, "originator": {"original_id": ["88031207"]}})
    with pytest.raises(DecodeError, match=r"\$\.originator: not an object"):
        ConsumerReturn.from_dict({"id": 1, "originator": 5})


def test_an_asn_row_knows_no_return() -> None:
    row = AsnRow.from_dict({"id": 5, "return_line_item_id": "71", "order_name": "#1", "purchase_price": "9.90", "state": "needs review"})
    assert (row.id, row.return_line_item_id, row.purchase_price, row.state) == ("5", "71", Decimal("9.90"), "review")
    assert not hasattr(row, "return_id")


# ------------------------------------------------------------------------------------------- from bytes, and errors


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"null", b"true", b'"x"', b"\xff\xfe", b'{"id": NaN}', b'{"id": 1, "x": "\\ud800"}', b"<html>"]
)
def test_bytes_that_hold_no_return_are_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        Return.from_json(body)


def test_depth_is_bounded_and_brackets_in_text_do_not_count() -> None:
    deep = b'{"id": 1, "x": ' + b"[" * 100 + b"]" * 100 + b"}"
    with pytest.raises(DecodeError, match="nested deeper than 64"):
        Return.from_json(deep)
    with pytest.raises(DecodeError):
        Return.from_json(b"[" * 1_000_000)
    wide = json.dumps({"id": 1, "x": [[1]] * 100, "note": "[" * 500 + '\\"{'}).encode()
    assert Return.from_json(wide).id == 1


NESTED = st.recursive(
    st.none() | st.text(alphabet='a"\\[]{}', max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(alphabet='"\\[{', max_size=3), inner, max_size=2),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=NESTED, depth=st.integers(50, 75))
def test_depth_is_counted_outside_texts_only(value: Any, depth: int) -> None:
    def deepest(each: Any) -> int:
        inner = each.values() if isinstance(each, dict) else each if isinstance(each, list) else None
        return 0 if inner is None else 1 + max(map(deepest, inner), default=0)

    payload: Any = value
    for _ in range(depth):
        payload = [payload, '"[\\']
    payload = {"id": 1, "x": payload}
    body = json.dumps(payload).encode()
    if deepest(payload) > MAX_DEPTH:
        with pytest.raises(DecodeError, match="nested deeper"):
            Return.from_json(body)
    else:
        assert Return.from_json(body).id == 1


@pytest.mark.parametrize(
    "text",
    [b'"' + b"x" * 3_000_000 + b'"', b'"' + b'\\"' * 1_500_000, b'"' * 3_000_000, b'"x\\' * 1_000_000, b'"' + b"\\" * 3_000_001],
    ids=range(5),
)
def test_a_long_text_costs_one_pass_and_no_memory(text: bytes) -> None:
    body = b'{"id": 1, "deep": [' + b"[1]," * 40 + b'0], "x": ' + text + b"}"
    tracemalloc.start()
    began = time.process_time()
    with contextlib.suppress(DecodeError):
        assert Return.from_json(body).id == 1
    spent, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 5
    assert peak < 20 * len(body)


def test_an_error_counts_what_it_does_not_list_and_quotes_nothing() -> None:
    secret = "s3cret-status-page"
    with pytest.raises(DecodeError) as caught:
        a_return(line_items=[{"line_item_id": secret, "price": secret, "sku": [secret]} for _ in range(5)])
    assert len(caught.value.problems) == 10
    assert "and 5 more" in str(caught.value)
    assert secret not in str(caught.value) + repr(caught.value) + " ".join(caught.value.problems)


def test_a_payload_with_very_many_problems_is_described_by_a_hundred() -> None:
    with pytest.raises(DecodeError, match="and many more") as caught:
        a_return(line_items=[{}] * 100_000)
    assert len(caught.value.problems) == 100
    found = a_return(labels=[*[5] * 1000, {"status": "delivered"}])  # and where an entry is only for people, no other is lost
    assert [label.status for label in found.labels] == ["delivered"]


def test_from_dict_takes_an_object_and_nothing_else() -> None:
    for wrong in (None, [], "x", 5, True, object(), [("id", 1)]):
        with pytest.raises(DecodeError, match="not an object"):
            Return.from_dict(wrong)  # type: ignore[arg-type]
