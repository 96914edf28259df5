"""Two policies over the same history: which decisions change, in count and money."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from reconciliation_pairs import NOW, consumer_return, loop_line, loop_row, paid, received, return_, when, whiplash_line, whiplash_row

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.matching import Policy, Verdict
from loop_whiplash.planning.model import Observation
from loop_whiplash.reconciliation import Cell, ReplayCase, history_of, replay
from loop_whiplash.returns import to_receipt, to_rma

STRICT, LENIENT = Policy(), Policy(min_condition="damaged")


def damaged(return_id: int, **changes: Any) -> tuple[Any, Any]:
    """A return whose one unit came damaged."""
    row = {**loop_row(return_id), **changes}
    return row, [whiplash_row(return_id, **received(3, good=0, damaged=1))]


def good(return_id: int, **changes: Any) -> tuple[Any, Any]:
    """A return whose one unit came in good condition."""
    return {**loop_row(return_id), **changes}, [whiplash_row(return_id, **received(3))]


def test_the_decisions_that_change_are_told_in_count_and_money() -> None:
    result = replay([damaged(1), damaged(2, return_total="5.50"), good(3, currency="USD")], STRICT, LENIENT)
    assert result.cases == 3
    assert result.transitions == {
        (Verdict.FLAG, Verdict.PROCESS): Cell(count=2, money={"EUR": Decimal("45.50")}),
        (Verdict.PROCESS, Verdict.PROCESS): Cell(count=1, money={"USD": Decimal("40.00")}),
    }
    assert [(change.return_id, change.before, change.after, change.money) for change in result.changes] == [
        (1, Verdict.FLAG, Verdict.PROCESS, Decimal("40.00")), (2, Verdict.FLAG, Verdict.PROCESS, Decimal("5.50")),
    ]  # fmt: skip
    assert "amaged" in result.changes[0].before_says


def test_the_same_policy_changes_nothing() -> None:
    result = replay([damaged(1), good(2)], STRICT, Policy())
    assert result.changes == ()
    assert (result.sooner, result.later) == (0, 0)


def test_what_was_decided_long_ago_is_judged_as_if_it_were_open() -> None:
    processed, flagged = good(1, **paid(2)), damaged(2, state="review")
    result = replay([processed, flagged, damaged(3)], STRICT, LENIENT)
    assert (Verdict.NO_ACTION, Verdict.NO_ACTION) not in result.transitions
    assert result.agreement == {
        ("after", Verdict.PROCESS, "flagged"): 1, ("after", Verdict.PROCESS, "processed"): 1, ("after", Verdict.PROCESS, "undecided"): 1,
        ("before", Verdict.FLAG, "flagged"): 1, ("before", Verdict.FLAG, "undecided"): 1, ("before", Verdict.PROCESS, "processed"): 1,
    }  # fmt: skip


def test_a_decision_to_wait_is_followed_to_its_end() -> None:
    short = loop_row(1, line_items=[loop_line("1"), loop_line("2")]), [whiplash_row(1, **received(30))]
    sooner = Policy(short_grace_single=timedelta(days=1))
    result = replay([short], STRICT, sooner)
    assert set(result.transitions) == {(Verdict.FLAG, Verdict.FLAG)}
    assert (result.sooner, result.later) == (1, 0)
    asked_early = replay([short], STRICT, sooner, at=when(30))
    assert set(asked_early.transitions) == {(Verdict.WAIT, Verdict.WAIT)}


def test_cases_come_in_every_shape_that_history_is_kept_in() -> None:
    loop, whiplash = return_(1), consumer_return(1, **received(3, good=0, damaged=1))
    rma, receipt = to_rma(loop), to_receipt(whiplash)
    shapes: list[Any] = [
        damaged(1),
        (loop, [whiplash]),
        (rma, (receipt,)),
        ReplayCase(rma=rma, receipts=[receipt]),
        Observation(return_id=1, rma=rma, receipts=(receipt,)),
    ]
    for shape in shapes:
        result = replay([shape], STRICT, LENIENT)
        assert [(change.return_id, change.before, change.after) for change in result.changes] == [(1, Verdict.FLAG, Verdict.PROCESS)]


def test_two_exports_become_history() -> None:
    loop = [loop_row(1), return_(2), to_rma(return_(3))]
    whiplash = [whiplash_row(number, **received(3, good=0, damaged=1)) for number in (1, 2, 4)]
    result = replay(history_of(loop, whiplash), STRICT, LENIENT)
    assert [change.return_id for change in result.changes] == [1, 2]
    assert result.skipped == 1


def test_what_was_never_counted_is_left_out_and_said() -> None:
    result = replay([(loop_row(1), []), (loop_row(2), [whiplash_row(2)]), good(3)], STRICT, LENIENT)
    assert (result.cases, result.skipped) == (1, 2)
    assert "left out" in result.to_text()


def test_a_bad_case_stops_no_other() -> None:
    unknown = Observation(return_id=9, rma=None)
    dateless = {"id": 4, "line_items": [loop_line("1")]}, [{"id": 5, "return_items": [whiplash_line(1, good=1)]}]
    result = replay([({"id": 1, "line_items": [{"line_item_id": 1, "price": "x"}]}, []), unknown, dateless, damaged(2), 7], STRICT, LENIENT)  # type: ignore[list-item]
    assert [change.return_id for change in result.changes] == [2]
    assert len(result.problems) == 4
    assert "not judged" in result.to_text()


def test_wrong_arguments_are_said() -> None:
    with pytest.raises(ConfigurationError, match="two policies"):
        replay([], STRICT, "strict")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="time zone"):
        replay([], STRICT, LENIENT, at=datetime(2026, 1, 1))


def test_the_result_as_text_and_as_plain_data() -> None:
    result = replay([damaged(1), good(2)], STRICT, LENIENT)
    text = result.to_text()
    assert "FLAG      -> PROCESS" in text
    assert "return 1  FLAG -> PROCESS  40.00 EUR  (in Loop: undecided)" in text
    data = json.loads(json.dumps(result.to_dict()))
    assert data["changes"][0]["money"] == "40.00"
    assert {"before": "FLAG", "after": "PROCESS", "count": 1, "money": {"EUR": "40.00"}} in data["transitions"]
    assert "and 1 more" in replay([damaged(1), damaged(2)], STRICT, LENIENT).to_text(changes=1)


def test_a_matcher_of_ones_own_judges_both() -> None:
    from loop_whiplash.matching import match

    asked: list[Policy] = []

    def mine(rma: Any, receipts: Any, *, policy: Policy, at: datetime) -> Any:
        asked.append(policy)
        return match(rma, receipts, policy=policy, at=at)

    replay([good(1)], STRICT, LENIENT, matcher=mine, at=NOW)
    assert asked == [STRICT, LENIENT]
