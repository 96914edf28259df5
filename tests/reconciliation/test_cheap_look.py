"""The cheap look must never differ from the long way: a row that is mapped already always takes the long way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconciliation_pairs import NOW, ago, loop_line, loop_row, paid, received, whiplash_line, whiplash_row

from loop_whiplash.loop.models import Return
from loop_whiplash.matching import Policy
from loop_whiplash.planning import Settings
from loop_whiplash.reconciliation import reconcile
from loop_whiplash.returns import to_receipt, to_rma
from loop_whiplash.whiplash.models import ConsumerReturn

# Around every limit: 7, 14 and 21 days, now, and the far past.
DAYS = (-1, 0.5, 6.999, 7, 7.001, 13.999, 14.001, 20.999, 21, 21.001, 45, 200)
TIMES = (*map(ago, DAYS), None)
LABELS = ("in_transit", "pre_transit", "delivered", "Delivered", "N/A", "no_label", "error", None)
SKUS = ("BOOT-M", "boot-m", "SOCK", " SOCK", "", None)
NO_TIMES = dict.fromkeys(("return_processed", "refund_processed", "gift_card_processed", "exchange_processed"))

#: Field → what it may become. A healthy pair is bent in up to three of these.
LOOP: dict[str, tuple[Any, ...]] = {
    "state": ("open", "closed", "review", "cancelled", "expired", "OPEN", "needs review", "weird", None),
    "was_processed": (True, False, None),
    "label_status": LABELS,
    "label_updated_at": TIMES,
    "created_at": TIMES,
    "updated_at": TIMES,
    "outcomes_processed_at": (None, *({**NO_TIMES, name: ago(day)} for name in NO_TIMES for day in (2, 20.999, 21.001))),
    "labels": (
        [],
        *([{"status": status, "updated_at": time, "tracking_number": "T"}] for status in LABELS for time in (ago(4), ago(14.001), None)),
    ),
    "line_items": (
        [],
        *([loop_line("1", sku)] for sku in SKUS),
        *([loop_line("1", sku), loop_line("2", other)] for sku in SKUS for other in SKUS),
        [loop_line("1", returned_at=None, price="0.00", refund="0.00"), loop_line("2")],
        [loop_line("1", returned_at=None, price="0.00", refund="0.00")],
        [loop_line("1"), loop_line("2", "SOCK"), loop_line("3")],
        [loop_line("1"), loop_line("2", "SOCK"), loop_line("3", "SOCK")],
        [loop_line("1"), loop_line("2", "SOCK", returned_at=None, price="0.00", refund="0.00"), loop_line("3")],
    ),
}
WHIPLASH: dict[str, tuple[Any, ...]] = {
    "status": (50, 150, 200, 250, 300, 25, 105, 999, None),
    "arrived_at": TIMES,
    "delivered_at": TIMES,
    "completed_at": TIMES,
    "return_items": (
        [],
        None,
        *([whiplash_line(1, sku)] for sku in SKUS),
        *([whiplash_line(1, sku), whiplash_line(2, other)] for sku in SKUS for other in SKUS),
        *([whiplash_line(1, quantity=quantity)] for quantity in (0, 2, -1, 10**6)),
        *([whiplash_line(1, quantity=1, good=good, damaged=damaged)] for good, damaged in ((1, 0), (0, 1), (2, 0), (-1, 0), (10**6, 0))),
        [whiplash_line(1), whiplash_line(1)],
        [whiplash_line(1), whiplash_line(1, "SOCK")],
        [whiplash_line(1, quantity=2), whiplash_line(2, "SOCK")],
    ),
}
HEALTHY: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
    (loop_row(7), whiplash_row(7)),
    (loop_row(7, state="review"), whiplash_row(7)),
    (
        loop_row(7, line_items=[loop_line("1"), loop_line("2", "SOCK"), loop_line("3")]),
        whiplash_row(7, return_items=[whiplash_line(1, "SOCK"), whiplash_line(2, quantity=2)]),
    ),
    (loop_row(7, **paid(2)), whiplash_row(7, **received(3))),
    (loop_row(7, **paid(2)), whiplash_row(7)),
    (loop_row(7, **paid(2)), None),
    (loop_row(7, state="expired"), whiplash_row(7)),
    (loop_row(7, state="cancelled"), None),
    (loop_row(7, label_updated_at=ago(10), labels=[], created_at=ago(12)), whiplash_row(7)),
    (loop_row(7, created_at=ago(30), updated_at=ago(25)), whiplash_row(7)),
)
#: Pairs one bend away from being healthy, or from being broken otherwise.
BROKEN: tuple[tuple[dict[str, Any], dict[str, Any] | None], ...] = (
    (loop_row(7, **paid(2, was_processed=False, outcomes_processed_at=None)), whiplash_row(7, **received(3))),
    (loop_row(7, **paid(30, was_processed=False, outcomes_processed_at=None)), whiplash_row(7)),
    (loop_row(7, **paid(30)), whiplash_row(7)),
    (loop_row(7), whiplash_row(7, **received(3))),
    (loop_row(7, state="cancelled"), whiplash_row(7)),
    (loop_row(7), None),
)
BENT = [
    (side, name, value)
    for side, fields in (("loop", LOOP), ("whiplash", WHIPLASH))
    for name, values in fields.items()
    for value in values
]  # fmt: skip


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    loop, whiplash = draw(st.sampled_from(HEALTHY + BROKEN))
    bends = [("loop", name) for name in LOOP] + ([("whiplash", name) for name in WHIPLASH] if whiplash else [])
    for side, name in draw(st.lists(st.sampled_from(bends), max_size=3, unique=True)):
        if side == "loop":
            loop = {**loop, name: draw(st.sampled_from(LOOP[name]))}
        else:
            whiplash = {**(whiplash or {}), name: draw(st.sampled_from(WHIPLASH[name]))}
    rows = [] if whiplash is None else [whiplash]
    if draw(st.integers(0, 19)) == 0:
        rows.append(whiplash_row(7, 12))
    return loop, rows


def _same(loop: dict[str, Any], whiplash: list[dict[str, Any]], chosen: Settings) -> None:
    row, rows = Return.from_dict(loop), [ConsumerReturn.from_dict(each) for each in whiplash]
    quick = reconcile([row], rows, policy=Policy(), at=NOW, settings=chosen)
    slow = reconcile([to_rma(row)], map(to_receipt, rows), policy=Policy(), at=NOW, settings=chosen)
    assert quick.breaks == slow.breaks
    assert quick.flow == slow.flow
    assert quick.cases.keys() == slow.cases.keys()


@pytest.mark.parametrize("pair", HEALTHY + BROKEN)
def test_one_bend_never_shows_in_one_of_both_ways_only(pair: tuple[dict[str, Any], dict[str, Any] | None]) -> None:
    loop, whiplash = pair
    for side, name, value in BENT:
        if side == "loop":
            _same({**loop, name: value}, [whiplash] if whiplash else [], Settings())
        elif whiplash:
            _same(loop, [{**whiplash, name: value}], Settings())


@settings(max_examples=400, deadline=None)
@given(pair=pairs(), start=st.sampled_from([None, None, 2, 60]), ours=st.booleans())
def test_a_decoded_row_and_a_mapped_one_get_the_same_answer(
    pair: tuple[dict[str, Any], list[dict[str, Any]]], start: int | None, ours: bool
) -> None:
    chosen = Settings(start=None if start is None else NOW - timedelta(days=start), destinations=("42",) if ours else ("43",))
    _same(*pair, chosen)


@pytest.mark.parametrize("pair", HEALTHY)
def test_each_of_these_pairs_is_healthy(pair: tuple[dict[str, Any], dict[str, Any] | None]) -> None:
    loop, whiplash = pair
    assert not reconcile([loop], [whiplash] if whiplash else [], policy=Policy(), at=NOW).breaks


@settings(max_examples=300, deadline=None)
@given(pair=pairs())
def test_what_is_remembered_of_an_rma_is_all_that_judging_it_needs(pair: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    rma, row = to_rma(Return.from_dict(pair[0])), ConsumerReturn.from_dict((pair[1] or [whiplash_row(7)])[0])
    compact = reconcile([rma], [row], policy=Policy(), at=NOW)
    whole = reconcile([rma], [to_receipt(row)], policy=Policy(), at=NOW)
    assert compact.breaks == whole.breaks
    assert dict(compact.cases) == dict(whole.cases)
