"""Receipts are snapshots; and deadlines run from what happened, never from the time of asking."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import attrs
import pytest
from matching_cases import DAY, T, count, expect, receipt, rma

from loop_whiplash.matching import Decision, Policy, Verdict, match
from loop_whiplash.returns.model import Receipt

HOUR = timedelta(hours=1)
A, B = expect(1, "A"), expect(2, "B")
a, b = count("u1", "A"), count("u2", "B")
LAST = datetime.max.replace(tzinfo=UTC)


def judged(*receipts: Receipt, at: datetime = T, **policy: Any) -> Decision:
    return match(rma(A, B), receipts, policy=Policy(**policy), at=at)


def same_in_any_order(*receipts: Receipt) -> Decision:
    (decision,) = {judged(*some) for some in permutations(receipts)}
    return decision


# ----------------------------------------------------------------------------------------------------------- snapshots


def test_a_newer_version_of_a_receipt_replaces_the_older() -> None:
    older = receipt(a, updated_at=T - HOUR)
    assert same_in_any_order(older, receipt(a, b, updated_at=T)).verdict is Verdict.PROCESS
    assert same_in_any_order(older, receipt(updated_at=T)).unpaired_received == ()
    # An hour later in Tokyo, an hour earlier by the sun.
    tokyo = timezone(9 * HOUR)
    assert same_in_any_order(older, receipt(a, b, updated_at=T.astimezone(tokyo))).verdict is Verdict.PROCESS
    naive = (T - 2 * HOUR).replace(tzinfo=None)
    assert same_in_any_order(older, receipt(a, b, updated_at=naive)).verdict is Verdict.WAIT


def test_a_version_with_a_time_is_newer_than_one_without() -> None:
    assert same_in_any_order(receipt(a), receipt(a, b, updated_at=T - 900 * DAY)).verdict is Verdict.PROCESS
    assert same_in_any_order(receipt(a, b), receipt(a, updated_at=T - 900 * DAY)).verdict is Verdict.WAIT


def test_of_two_versions_of_one_time_the_one_that_is_not_final_counts() -> None:
    decision = same_in_any_order(receipt(a, b, updated_at=T), receipt(a, b, final=False, status=200, updated_at=T))
    assert [finding.code for finding in decision.findings] == ["RECEIPT_NOT_FINAL"]
    assert same_in_any_order(receipt(a, b), receipt(a)).verdict == same_in_any_order(receipt(a), receipt(a, b)).verdict


def test_a_receipt_told_twice_counts_once() -> None:
    whole = receipt(a, b)
    assert judged(whole, whole, attrs.evolve(whole)) == judged(whole)


def test_parcels_add_up() -> None:
    decision = same_in_any_order(receipt(a), receipt(b, receipt_id=78))
    assert decision.verdict is Verdict.PROCESS
    assert [(pair.line_id, pair.received_id) for pair in decision.pairs] == [("1", "u1"), ("2", "u2")]


def test_an_rma_that_is_only_announced_says_nothing_of_what_came() -> None:
    assert judged(receipt(a, b), receipt(receipt_id=78, final=False, status=100, at=None)).verdict is Verdict.PROCESS


def test_final_is_what_says_so_itself_and_has_a_final_status() -> None:
    assert judged(receipt(a, b, status=300)).verdict is Verdict.PROCESS
    assert judged(receipt(a, b, status=None)).verdict is Verdict.PROCESS
    assert judged(receipt(a, b, status=200)).verdict is Verdict.WAIT
    assert judged(receipt(a, b, status=300, final=False)).verdict is Verdict.WAIT
    assert judged(receipt(a, b, status=250), final_statuses=[250, 300]).verdict is Verdict.PROCESS
    still_known = judged(receipt(a, b, status=300), final_statuses=[250])
    assert (still_known.verdict, [finding.code for finding in still_known.findings]) == (Verdict.WAIT, ["RECEIPT_NOT_FINAL"])
    # A status the policy calls final is one it knows.
    assert judged(receipt(a, b, status=777), final_statuses=[300, 777]).findings == ()


@pytest.mark.parametrize("status", [150, 200, 250, 300, 999])
def test_an_empty_box_in_hand_keeps_the_others_waiting(status: int) -> None:
    decision = judged(receipt(a, b), receipt(receipt_id=78, final=False, status=status))
    codes = [finding.code for finding in decision.findings]
    assert codes == ["UNKNOWN_VALUE", "RECEIPT_NOT_FINAL"] if status == 999 else codes == ["RECEIPT_NOT_FINAL"]


@pytest.mark.parametrize("status", [25, 50, 80, 85, 86, 100, 105, None])
def test_an_empty_box_under_way_does_not(status: int | None) -> None:
    assert judged(receipt(a, b), receipt(receipt_id=78, final=False, status=status, at=None)).verdict is Verdict.PROCESS


def test_an_empty_box_without_a_status_is_in_hand_once_it_was_received() -> None:
    assert judged(receipt(a, b), receipt(receipt_id=78, final=False)).verdict is Verdict.WAIT


# ----------------------------------------------------------------------------------------------------------- deadlines


def test_a_deadline_does_not_move_with_the_time_of_asking() -> None:
    one_short = receipt(a)
    for hours in (-20, 0, 1, 71):
        decision = judged(one_short, at=T + hours * HOUR)
        assert (decision.verdict, decision.deadline, decision.turns_into) == (Verdict.WAIT, T + 3 * DAY, Verdict.FLAG)
    after = judged(one_short, at=T + 3 * DAY)
    assert (after.verdict, after.deadline, after.turns_into) == (Verdict.FLAG, None, None)


def test_a_deadline_is_in_utc_whatever_is_asked_in() -> None:
    berlin = timezone(HOUR)
    decision = judged(receipt(a, at=T.astimezone(berlin)), at=T.astimezone(berlin))
    assert decision.deadline == T + 3 * DAY
    assert decision.deadline.tzinfo is UTC
    assert judged(receipt(a, at=T.replace(tzinfo=None))) == judged(receipt(a))


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set here")
def test_a_time_without_a_zone_is_utc_wherever_the_process_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert judged(receipt(a, at=T.replace(tzinfo=None))).deadline == T + 3 * DAY
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_grace_of_a_short_return_runs_from_its_last_count() -> None:
    assert judged(receipt(a), receipt(receipt_id=78, at=T + 10 * HOUR), at=T + DAY).deadline == T + 10 * HOUR + 3 * DAY


@pytest.mark.parametrize("known", [{"trackings": ["1Z1", "1Z2"]}, {"label_statuses": ["delivered", "in_transit"]}])
def test_several_labels_make_the_grace_longer(known: dict[str, Any]) -> None:
    assert match(rma(A, B, **known), [receipt(a)], at=T).deadline == T + 7 * DAY


def test_another_rma_under_way_makes_the_grace_longer_and_one_that_came_does_not() -> None:
    assert judged(receipt(a), receipt(receipt_id=78, final=False, status=100, at=None)).deadline == T + 7 * DAY
    assert judged(receipt(a), receipt(receipt_id=78, at=T)).deadline == T + 3 * DAY
    assert match(rma(A, B, trackings=["1Z1"], label_statuses=["delivered"]), [receipt(a)], at=T).deadline == T + 3 * DAY


def test_everything_waits_for_an_open_box_but_not_for_ever() -> None:
    box = receipt(a, count("u9", "Z"), final=False, status=200)
    decision = judged(box)
    assert (decision.verdict, decision.deadline) == (Verdict.WAIT, T + 7 * DAY)
    assert {finding.until for finding in decision.findings} == {T + 7 * DAY}
    assert judged(box, at=T + 7 * DAY).verdict is Verdict.FLAG


def test_the_first_box_that_stays_open_too_long_ends_the_wait() -> None:
    assert judged(receipt(a, final=False), receipt(b, receipt_id=78, final=False, at=T + DAY), at=T + DAY).deadline == T + 7 * DAY
    assert judged(receipt(a, final=False), receipt(b, receipt_id=78, final=False, at=None)).verdict is Verdict.FLAG


def test_an_open_box_without_a_time_counts_from_the_others() -> None:
    assert judged(receipt(a), receipt(receipt_id=78, final=False, status=200, at=None)).deadline == T + 7 * DAY
    assert judged(receipt(a, at=None), receipt(receipt_id=78, final=False, status=200, at=None)).verdict is Verdict.FLAG


def test_nothing_arrives_until_a_grace_from_the_creation_of_the_return() -> None:
    assert judged().deadline == T + 20 * DAY
    assert judged(receipt(final=False, status=100, at=None)).deadline == T + 20 * DAY
    assert judged(arrival_grace=12 * DAY).deadline == T + 2 * DAY
    assert judged(at=T + 20 * DAY).verdict is Verdict.FLAG
    assert match(rma(A, created_at=None), [], at=T).verdict is Verdict.FLAG
    assert match(rma(A, created_at=T + 2 * DAY), [], at=T).verdict is Verdict.FLAG
    assert match(rma(A, created_at=T + DAY), [], at=T).deadline == T + 31 * DAY


def test_a_box_in_the_warehouse_gives_the_time_instead() -> None:
    opened = [receipt(final=False, status=150), receipt(receipt_id=78, final=False, status=200, at=T - DAY)]
    assert judged(*opened).deadline == T + 7 * DAY
    assert judged(receipt(final=False, status=150, at=None)).deadline == T + 20 * DAY


def test_while_nothing_is_counted_nothing_is_final() -> None:
    for amiss in ({"return_id": 502}, {"problems": ("$.x is odd",)}):
        decision = judged(receipt(final=False, status=100, at=None, **amiss))
        assert (decision.verdict, decision.deadline) == (Verdict.WAIT, T + 20 * DAY)


def test_a_time_far_ahead_is_no_evidence() -> None:
    """A slip of a year would wait for a year."""
    assert judged(receipt(a, at=T + DAY)).deadline == T + 4 * DAY
    assert judged(receipt(a, at=T + DAY + timedelta(microseconds=1))).verdict is Verdict.FLAG
    assert judged(receipt(a, final=False, at=T + 365 * DAY)).verdict is Verdict.FLAG
    slip = receipt(receipt_id=78, final=False, status=200, at=T + 365 * DAY)
    assert judged(receipt(a), slip).deadline == T + 7 * DAY
    assert judged(slip).deadline == T + 20 * DAY


def test_a_deadline_once_given_stays_when_a_time_ahead_comes_near() -> None:
    ahead = receipt(receipt_id=78, final=False, status=200, at=T + 4 * DAY)
    assert judged(ahead).deadline == judged(ahead, at=T + 4 * DAY).deadline == T + 11 * DAY
    assert judged(receipt(a), ahead).deadline == judged(receipt(a), ahead, at=T + 4 * DAY).deadline == T + 11 * DAY
    before = receipt(final=False, status=150, at=T - 2 * DAY)
    assert judged(before, ahead).deadline == judged(before, ahead, at=T + 3 * DAY).deadline == T + 11 * DAY
    farther = receipt(receipt_id=79, final=False, status=200, at=T + 12 * DAY)
    assert judged(before, ahead, farther).deadline == T + 19 * DAY
    too_far = receipt(receipt_id=79, final=False, status=200, at=T + 12 * DAY + timedelta(microseconds=1))
    assert judged(before, ahead, too_far).deadline == T + 11 * DAY


def test_a_receipt_that_settles_is_then_judged() -> None:
    rests: dict[str, Any] = {"settle_window": 12 * HOUR}
    exact, short = receipt(a, b), receipt(a)
    decision = judged(exact, **rests)
    assert (decision.verdict, decision.deadline, decision.turns_into) == (Verdict.WAIT, T + 12 * HOUR, Verdict.PROCESS)
    assert judged(exact, at=T + 12 * HOUR, **rests).verdict is Verdict.PROCESS
    # Nothing is flagged while it settles, and what is short waits for its own grace.
    damaged = receipt(count("u1", "A", "damaged"), b)
    assert [(finding.code, finding.until) for finding in judged(damaged, **rests).findings] == [
        ("CONDITION_BELOW_MIN", T + 12 * HOUR),
        ("SETTLING", T + 12 * HOUR),
    ]
    assert judged(damaged, **rests).turns_into is Verdict.FLAG
    assert judged(damaged, at=T + 12 * HOUR, **rests).verdict is Verdict.FLAG
    assert (judged(short, **rests).deadline, judged(short, **rests).turns_into) == (T + 3 * DAY, Verdict.FLAG)
    # While a box is open, or nothing was counted, there is nothing to settle.
    codes = [finding.code for finding in judged(exact, receipt(receipt_id=78, final=False, status=200), **rests).findings]
    assert codes == ["RECEIPT_NOT_FINAL"]
    assert [finding.code for finding in judged(receipt(), **rests).findings] == ["NOTHING_COUNTED"]


def test_what_nobody_expected_settles_to_nothing() -> None:
    decision = match(rma(), [receipt(a)], policy=Policy(settle_window=HOUR, unexpected="accept"), at=T)
    assert (decision.verdict, [finding.code for finding in decision.findings]) == (Verdict.NO_ACTION, ["NOTHING_EXPECTED", "UNEXPECTED"])


def test_a_grade_may_come_later_and_a_state_may_become_known() -> None:
    ungraded = receipt(count("u1", "A", None), b)
    assert judged(ungraded, require_grading=True, grading_grace=5 * DAY).deadline == T + 5 * DAY
    assert judged(ungraded, require_grading=True, at=T + 3 * DAY).verdict is Verdict.FLAG
    paused = rma(A, state="paused")
    assert match(paused, [receipt(a)], policy=Policy(unknown_grace=2 * DAY), at=T).deadline == T + 2 * DAY
    assert match(paused, [receipt(a)], at=T + 3 * DAY).verdict is Verdict.FLAG
    assert match(paused, [receipt(a, at=None)], at=T).verdict is Verdict.FLAG


def test_the_first_of_several_deadlines_is_the_one_that_counts() -> None:
    decision = judged(receipt(count("u1", "A", None)), require_grading=True, grading_grace=2 * DAY)
    assert {finding.code: finding.until for finding in decision.findings} == {"SHORT": T + 3 * DAY, "CONDITION_UNKNOWN": T + 2 * DAY}
    assert decision.deadline == T + 2 * DAY


def test_time_does_not_overflow() -> None:
    end = judged(receipt(a, at=LAST), at=LAST - HOUR)
    assert (end.verdict, end.deadline) == (Verdict.WAIT, LAST)
    assert judged(receipt(a, b), at=LAST).verdict is Verdict.PROCESS
    begin = datetime.min.replace(tzinfo=UTC)
    assert match(rma(A, created_at=begin), [receipt(a, at=begin)], policy=Policy(days_late_flag=366), at=begin).verdict is Verdict.PROCESS


def test_an_empty_box_and_one_that_is_open_wait_for_the_open_one() -> None:
    opened = receipt(receipt_id=78, final=False, status=200, at=T + DAY)
    decision = judged(receipt(), opened)
    assert (decision.verdict, decision.deadline) == (Verdict.WAIT, T + 8 * DAY)
    assert decision.findings[0].message.startswith("2 units expected, none counted; the box is in the warehouse.")


def test_once_an_empty_box_was_counted_what_is_final_is_final() -> None:
    assert judged(receipt(return_id=502)).verdict is Verdict.FLAG
    assert judged(receipt(return_id=502, at=None)).verdict is Verdict.FLAG
    assert judged(receipt(at=None)).verdict is Verdict.FLAG


def test_each_open_box_has_an_end_of_its_own() -> None:
    decision = judged(receipt(a, final=False), receipt(b, receipt_id=78, final=False, at=T + DAY), at=T + DAY)
    assert {finding.identifier: finding.until for finding in decision.findings} == {"receipt:77": T + 7 * DAY, "receipt:78": T + 8 * DAY}
