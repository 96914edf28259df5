"""Most returns are clean, and cost next to nothing: they are seen to be clean, and no search is begun for them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from matching_cases import T, count, expect, receipt, rma

from loop_whiplash.matching import Decision, Policy, Verdict, match
from loop_whiplash.returns.model import Receipt, ReceiptLine, Rma

A, B, C = expect(1, "A"), expect(2, "B"), expect(3, "C")
a, b, c = count("u1", "A"), count("u2", "B"), count("u3", "C")
FULL: dict[str, Any] = {"item_id": 5, "sku": "A", "barcode": "036000291452", "variant_id": "v"}
FULL_6 = {**FULL, "item_id": 6}


class Searched(Exception):
    """The long way was taken."""


@pytest.fixture
def no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(*_: object) -> None:
        raise Searched

    monkeypatch.setattr("loop_whiplash.matching.matcher.settle", settle)


CLEAN: dict[str, tuple[Rma, Receipt]] = {
    "one": (rma(A), receipt(a)),
    "several": (rma(A, B, C), receipt(a, b, c)),
    "counted in another order": (rma(A, B, C), receipt(c, a, b)),
    "two of a kind": (rma(A, B, expect(3, "A")), receipt(a, b, count("u3", "A"))),
    "not graded": (rma(A, B), receipt(count("u1", "A", None), b)),
    "in review": (rma(A, state="review"), receipt(a)),
    "expired": (rma(A, state="expired"), receipt(a)),
    "not processed": (rma(A, was_processed=False), receipt(a)),
    "status 300": (rma(A), receipt(a, status=300)),
    "its own return": (rma(A), receipt(a, return_id=501)),
    "lines without a count": (rma(A), receipt(a, lines=[ReceiptLine(id=5), ReceiptLine(id=6, quantity_good=1)])),
    "when nobody knows": (rma(A, created_at=None), receipt(a, at=None)),
    "an outcome": (rma(expect(1, "A", outcome="exchange+refund")), receipt(a)),
    "the return's outcome": (rma(expect(1, "A", outcome="default"), B, outcome="credit"), receipt(a, b)),
    "by line": (rma(A, B), receipt(count("u1", line_id="1"), count("u2", line_id="2"))),
    "by line and SKU": (rma(A, B), receipt(count("u2", "B", line_id="2"), count("u1", "A", line_id="1"))),
    "by item": (rma(expect(1, item_id=5)), receipt(count("u1", item_id=5))),
    "by barcode, written otherwise": (rma(expect(1, barcode="036000291452")), receipt(count("u1", barcode="0036000291452"))),
    "by variant": (
        rma(expect(1, variant_id=" v "), expect(2, variant_id="w")),
        receipt(count("u1", variant_id="v"), count("u2", variant_id="w")),
    ),
    "by everything": (rma(expect(1, **FULL), expect(2, **FULL_6)), receipt(count("u1", **FULL_6), count("u2", **FULL))),
    "trimmed": (rma(expect(1, " A")), receipt(count("u1", "A "))),
    "what only one side carries": (
        rma(expect(1, "A", barcode="x"), expect(2, "B", barcode="y")),
        receipt(count("u1", "A", item_id=1), count("u2", "B", item_id=2)),
    ),
    "what some of one side carry": (rma(A, expect(2, "B", barcode="y")), receipt(a, count("u2", "B", item_id=2))),
}


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("as_one", [list, tuple])
def test_a_clean_return_is_seen_without_a_search(name: str, as_one: Any) -> None:
    expected, counted = CLEAN[name]
    decision = match(expected, as_one([counted]), at=T)
    assert (decision.verdict, decision.findings) == (Verdict.PROCESS, ())
    assert len(decision.pairs) == len(expected.units)


@pytest.mark.usefixtures("no_search")
def test_it_is_seen_under_any_policy_that_asks_only_whether_it_is_exact() -> None:
    for policy in (
        Policy(match_level=3), Policy(under_units=1, over_units=1), Policy(min_condition="damaged"), Policy(unexpected="accept"),
        Policy(bundles={"K": {"A": 1}}), Policy(final_statuses=[250, 300]), Policy(substitutes="same_product"),
    ):  # fmt: skip
        assert match(rma(A, B), [receipt(a, b)], policy=policy, at=T).verdict is Verdict.PROCESS
    lower = receipt(count("u1", "b"), count("u2", "a"))
    decision = match(rma(A, B), [lower], policy=Policy(sku_case="ignore"), at=T)
    assert [(pair.line_id, pair.received_id, pair.identifier) for pair in decision.pairs] == [("1", "u2", "sku:a"), ("2", "u1", "sku:b")]


def long_way(expected: Rma, counted: Receipt, **more: Any) -> Decision:
    """Two equal receipts are one, and are looked at in full."""
    return match(expected, [counted, counted], at=T, **more)


@pytest.mark.parametrize("name", CLEAN)
def test_both_ways_say_the_same(name: str) -> None:
    expected, counted = CLEAN[name]
    assert match(expected, [counted], at=T) == long_way(expected, counted)


def test_equal_units_are_paired_in_canonical_order() -> None:
    expected = rma(expect(1, "A", value=Decimal(9)), expect(2, "A", value=Decimal(5)), expect(3, "B"), expect(4, "A"))
    counted = receipt(count("u4", "A", None), count("u3", "B"), count("u2", "A"), count("u1", "A"))
    decision = match(expected, [counted], at=T)
    assert [(pair.line_id, pair.received_id) for pair in decision.pairs] == [("1", "u2"), ("2", "u1"), ("3", "u3"), ("4", "u4")]
    assert decision == long_way(expected, counted)


def test_equal_units_are_equal_however_their_skus_are_written() -> None:
    expected, counted = rma(A, B, expect(3, "a")), receipt(count("u1", "a"), count("u2", "b"), count("u3", "A"))
    policy = Policy(sku_case="ignore")
    decision = match(expected, [counted], policy=policy, at=T)
    assert [(pair.line_id, pair.received_id) for pair in decision.pairs] == [("1", "u1"), ("2", "u2"), ("3", "u3")]
    assert decision == long_way(expected, counted, policy=policy)


DOUBTS: Sequence[tuple[Rma, Receipt]] = [
    (rma(A, B), receipt(a)),
    (rma(A), receipt(a, b)),
    (rma(A), receipt(b)),
    (rma(A, B), receipt(a, count("u2", "A"))),
    (rma(A), receipt(count("u1", "A", "damaged"))),
    (rma(A), receipt(count("u1", "A", "worn"))),
    (rma(A, B), receipt(a, count("u1", "B"))),
    (rma(A, expect(" 1", "B")), receipt(a, b)),
    (rma(A), receipt(a, final=False)),
    (rma(A), receipt(a, status=200)),
    (rma(A), receipt(a, problems=["odd"])),
    (rma(A), receipt(a, return_id=502)),
    (rma(A), receipt(a, lines=[ReceiptLine(id=5, quantity_good=-1)])),
    (rma(A), receipt(a, lines=[ReceiptLine(id=5, quantity_damaged=-1)])),
    (rma(A, was_processed=True), receipt(a)),
    (rma(A, state="closed"), receipt(a)),
    (rma(A, state="paused"), receipt(a)),
    (rma(expect(1, "A", outcome="keep")), receipt(a)),
    (rma(expect(1, "A", outcome="barter")), receipt(a)),
    (rma(A, outcome="barter"), receipt(a)),
    (rma(expect(1, "A", outcome=" default "), outcome="barter"), receipt(a)),
    (rma(expect(1, "A", outcome="default"), outcome="refund+barter"), receipt(a)),
    (rma(expect(1, "A", barcode="x")), receipt(count("u1", "A", barcode="y"))),
    (rma(expect(1, "A", barcode="x"), expect(2, "A", barcode="y")), receipt(count("u1", "A", barcode="x"), count("u2", "A", barcode="z"))),
    (rma(expect(1, "A", barcode="x"), B), receipt(count("u1", "A", barcode="x"), b)),
    (rma(expect(1)), receipt(count("u1"))),
    (rma(expect(1, "N/A")), receipt(count("u1", "N/A"))),
    (rma(), receipt()),
]


@pytest.mark.parametrize("case", DOUBTS)
def test_whatever_is_in_doubt_goes_the_long_way(case: tuple[Rma, Receipt], no_search: None) -> None:
    with pytest.raises(Searched):
        # A return that is over is not searched at all; where it is read, it is.
        match(*[case[0], [case[1]]], at=T).pairs  # type: ignore[arg-type]  # noqa: B018


@pytest.mark.parametrize("case", DOUBTS)
def test_whatever_is_in_doubt_gets_one_answer(case: tuple[Rma, Receipt]) -> None:
    expected, counted = case
    assert match(expected, [counted], at=T) == long_way(expected, counted)
    for policy in (Policy(warehouses=[1]), Policy(require_grading=True), Policy(match_level=3, days_late_warn=1)):
        assert match(expected, [counted], policy=policy, at=T) == long_way(expected, counted, policy=policy)
