"""Bad input is a clear error or a finding, and never leads to PROCESS."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from matching_cases import DAY, T, count, expect, receipt, rma

from loop_whiplash import ConsumerReturn, Return, to_receipt, to_rma
from loop_whiplash.errors import ConfigurationError, LoopWhiplashError
from loop_whiplash.matching import Decision, Policy, Verdict, match
from loop_whiplash.returns.model import Receipt, Rma

A = expect(1, "A")
a = count("u1", "A")
EVERYTHING_GOES = Policy(
    match_level=3, under_units=9, over_units=9, unexpected="accept", substitutes="same_product", min_condition="damaged"
)  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"at": datetime(2026, 1, 1)}, "match(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC); it is datetime.datetime("),
        ({"at": "2026-01-01"}, "match(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC); it is '2026-01-01'"),
        ({"at": None}, "match(at=…) must be a datetime with a time zone, e.g. datetime.now(UTC); it is None"),
        ({"rma": {"id": 501}}, "match() takes an Rma, made by to_rma(), first; it got a dict"),
        ({"rma": None}, "match() takes an Rma, made by to_rma(), first; it got a NoneType"),
        ({"receipts": receipt(a)}, "match() takes a sequence of Receipt second; it got a Receipt"),
        ({"receipts": {77: receipt(a)}}, "match() takes a sequence of Receipt second; it got a dict"),
        ({"receipts": "77"}, "match() takes a sequence of Receipt second; it got a str"),
        ({"receipts": b"77"}, "match() takes a sequence of Receipt second; it got a bytes"),
        ({"receipts": None}, "match() takes a sequence of Receipt second; it got a NoneType"),
        ({"receipts": [{"id": 77}]}, "receipts must hold Receipt values, made by to_receipt(); found a dict"),
        ({"receipts": [receipt(a), None]}, "receipts must hold Receipt values, made by to_receipt(); found a NoneType"),
        ({"policy": {"match_level": 4}}, "match(policy=…) must be a Policy; it is a dict"),
        ({"policy": None}, "match(policy=…) must be a Policy; it is a NoneType"),
    ],
)
def test_an_argument_of_another_kind_is_told(arguments: Mapping[str, Any], said: str) -> None:
    given = {"rma": rma(A), "receipts": [receipt(a)], "at": T, **arguments}
    with pytest.raises(ConfigurationError) as caught:
        match(given.pop("rma"), given.pop("receipts"), **given)
    assert isinstance(caught.value, LoopWhiplashError)
    assert str(caught.value).startswith(said)


def never_pays(expected: Rma, *receipts: Receipt) -> Decision:
    """Under no policy, and at no time."""
    for policy in (Policy(), EVERYTHING_GOES, attrs.evolve(EVERYTHING_GOES, settle_window=DAY)):
        for at in (T, T + 2 * DAY, T + 400 * DAY):
            decision = match(expected, receipts, policy=policy, at=at)
            assert Verdict.PROCESS not in (decision.verdict, decision.turns_into)
    return match(expected, receipts, at=T)


@pytest.mark.parametrize(
    "bad",
    [
        (rma(A), [receipt(a, return_id=502)]),
        (rma(A), [receipt(a), receipt(receipt_id=78, return_id=502)]),
        (rma(A), [receipt(a, problems=["line 5 is listed twice"])]),
        (rma(A, A), [receipt(a, count("u2", "A"))]),
        (rma(A, expect("1 ", "A")), [receipt(a, count("u2", "A"))]),
        (rma(A, expect(2, "A")), [receipt(a, a)]),
        (rma(A, expect(2, "A")), [receipt(a), receipt(a, receipt_id=78)]),
        (rma(A, state="paused"), [receipt(a)]),
        (rma(A, state=""), [receipt(a)]),
        (rma(A, state="Open"), [receipt(a)]),
        (rma(A), [receipt(a, status=999)]),
        (rma(A), [receipt(a, final=False)]),
        (rma(A), [receipt(count("u1", "A", "GOOD"))]),
        (rma(A), [receipt(count("u1", "A", ""))]),
        (rma(expect(1, "A", outcome="barter")), [receipt(a)]),
        (rma(expect(1, "A", outcome="N/A"), outcome="barter"), [receipt(a)]),
        (rma(expect(1, "A", outcome=" default "), outcome="barter"), [receipt(a)]),
        (rma(expect(1, "A", outcome="refund+"), outcome="refund"), [receipt(a)]),
        (rma(A), [receipt(a, count("u2"))]),
        (rma(A), [receipt(a, count("u2", "A", line_id="9"))]),
        (rma(expect(1)), [receipt(count("u1"))]),
        (rma(expect(1, "N/A")), [receipt(count("u1", "N/A"))]),
        (rma(expect(1, "A", barcode="x")), [receipt(count("u1", "A", barcode="y"))]),
        (rma(A), [receipt()]),
        (rma(A), [receipt(), receipt(receipt_id=78)]),
        (rma(A), []),
        (rma(), [receipt()]),
        (rma(), []),
        (rma(A, state="closed"), [receipt(a)]),
        (rma(A, was_processed=True), [receipt(a)]),
    ],
)
def test_what_is_not_in_order_never_pays(bad: tuple[Rma, list[Receipt]]) -> None:
    expected, receipts = bad
    never_pays(expected, *receipts)


def test_a_crowd_of_look_alikes_never_pays() -> None:
    expected = rma(*[expect(n, "A" if n % 2 else None, barcode="b") for n in range(1, 66)])
    counted = receipt(*[count(f"u{n}", "A" if n % 3 else None, barcode="b") for n in range(65)])
    assert never_pays(expected, counted).verdict is Verdict.FLAG


# ------------------------------------------------------------------------------------------- from what vendors send


def consumer_return(**row: Any) -> Receipt:
    items = row.pop("items", [{"id": 5, "sku": "A", "quantity": 1, "quantity_good": 1, "quantity_damaged": 0}])
    return to_receipt(
        ConsumerReturn.from_dict({"id": 77, "status": 300, "completed_at": "2026-01-01T12:00:00Z", "return_items": items, **row})
    )


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([{"id": 5, "sku": "A", "quantity_good": -1, "quantity_damaged": 2}], "counts less than nothing"),
        ([{"id": 5, "sku": "A", "quantity_good": 1, "quantity_damaged": -1}], "counts less than nothing"),
        ([{"id": 5, "sku": "A", "quantity_good": 1_000_000_000, "quantity_damaged": 0}], "more than 10,000"),
        ([{"id": 5, "sku": "A", "quantity_good": 1}, {"id": 5, "sku": "A", "quantity_good": 2}], "is listed twice"),
    ],
)
def test_an_absurd_count_is_a_finding(items: list[dict[str, Any]], problem: str) -> None:
    decision = never_pays(rma(A), consumer_return(items=items), receipt(a, receipt_id=78))
    (finding,) = [finding for finding in decision.findings if finding.code == "INVALID_RECEIPT"][:1]
    assert problem in finding.message
    assert Verdict.FLAG in (
        decision.verdict,
        decision.turns_into,
    )  # where nothing else was counted the box counts as open: whoever counted may correct it


def test_a_whole_and_good_one_pays() -> None:
    assert match(rma(A), [consumer_return()], at=T).verdict is Verdict.PROCESS


def loop_return(*lines: dict[str, Any], **row: Any) -> Rma:
    return to_rma(Return.from_dict({"id": 501, "state": "open", "outcome": "refund", "currency": "USD", "line_items": list(lines), **row}))


def test_a_line_without_a_price_leaves_the_total_unknown() -> None:
    """A sum without it would pass below a limit that the whole does not."""
    dear = loop_return({"line_item_id": 1, "sku": "A", "price": "90.00"}, {"line_item_id": 2, "sku": "B"})
    assert dear.total is None
    decision = match(dear, [receipt(a, count("u2", "B"))], policy=Policy(review_above_value=100), at=T)
    assert [finding.code for finding in decision.findings] == ["VALUE_UNKNOWN"]
    assert loop_return({"line_item_id": 1, "sku": "A", "price": "90.00"}).total == Decimal("90.00")
    assert loop_return().total is None


def test_amounts_of_another_currency_are_not_compared() -> None:
    expected = loop_return({"line_item_id": 1, "sku": "A", "price": "90.00"}, currency="JPY")
    decision = match(expected, [receipt(a)], policy=Policy(currency="USD", review_above_value=100), at=T)
    assert [finding.code for finding in decision.findings] == ["CURRENCY_MISMATCH"]


def test_removed_lines_are_not_expected() -> None:
    kept = {"line_item_id": 1, "sku": "A", "price": "9.00", "returned_at": "2026-01-01 10:00:00"}
    removed = {"line_item_id": 2, "sku": "B", "price": "0.00", "refund": "0.00", "returned_at": None}
    assert match(loop_return(kept, removed), [receipt(a)], at=T).verdict is Verdict.PROCESS


def test_data_that_is_bad_never_raises() -> None:
    odd = datetime.min.replace(tzinfo=UTC)
    decision = match(
        rma(expect(" ", " ", value=Decimal("NaN"), outcome="+"), expect("", "\x00"), state="\ud800", created_at=odd, total=Decimal("sNaN")),
        [receipt(count("", "\ud800", "\x00"), count("", item_id=-1), at=odd, status=-1, problems=[""])],
        policy=Policy(review_above_value=1, days_late_flag=1, settle_window=DAY),
        at=datetime.max.replace(tzinfo=UTC),
    )
    assert decision.verdict is Verdict.FLAG
    assert decision.note()
    assert decision.explain()
    assert decision.fingerprint
