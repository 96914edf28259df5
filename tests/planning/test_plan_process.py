"""At most one process that may have taken effect, and its effect is confirmed or a break."""

from __future__ import annotations

import pytest
from planning_stories import DAY, HOUR, MINUTE, NOW, announced, closed, counted, evolve, flagged, planned, rma, says, sent

from loop_whiplash.planning import Journal, Process, Settings
from loop_whiplash.planning.breaks import BREAKS
from loop_whiplash.planning.model import Act
from loop_whiplash.returns.model import ReceivedUnit


@pytest.mark.parametrize("phase", ["sending", "accepted"])
@pytest.mark.parametrize("state", ["open", "review", "partial", "expired"])
def test_a_process_in_doubt_is_read_back_and_nothing_else_is_done(phase: str, state: str) -> None:
    for ago, ahead in ((MINUTE, 15 * MINUTE), (HOUR, HOUR), (10 * HOUR, 10 * HOUR), (13 * HOUR, 11 * HOUR), (23 * HOUR, HOUR)):
        plan = planned(rma(state=state), counted(), journal=Journal(process=sent(phase, ago=ago)))
        assert (plan.row, plan.action, plan.breaks) == (3, None, ())
        assert plan.next_check_at == NOW + ahead


def test_past_its_time_an_unseen_effect_is_a_break() -> None:
    plan = planned(rma(), counted(), journal=Journal(process=sent("accepted", ago=DAY)))
    (found,) = plan.breaks
    assert (plan.row, plan.action, plan.next_check_at) == (3, None, NOW + 12 * HOUR)
    assert plan.reasons == ("A process was sent and its effect was not seen in time; a person's turn.",)
    assert (found.code, found.since, found.heals) == ("ACTION_UNCONFIRMED", NOW - DAY, False)
    assert found.reason == "Loop accepted the process; its effect has not been seen in 1 day, 0:00:00."
    (found,) = planned(rma(), counted(), journal=Journal(process=sent("sending", ago=DAY))).breaks
    assert found.reason == "A process was sent and its reply was lost; its effect has not been seen in 1 day, 0:00:00."
    assert planned(rma(), counted(), journal=Journal(process=sent(ago=DAY - MINUTE))).breaks == ()
    longer = Settings(confirm_by=2 * DAY)
    assert planned(rma(), counted(), journal=Journal(process=sent(ago=DAY)), settings=longer).breaks == ()


def test_an_answer_that_was_neither_yes_nor_no_is_told_at_once() -> None:
    odd = Journal(process=sent("sending", reason="502"))
    plan = planned(rma(), counted(), journal=odd)
    (found,) = plan.breaks
    assert (plan.row, plan.action, plan.next_check_at) == (3, None, NOW + HOUR)
    assert (found.code, found.since) == ("ACTION_UNCONFIRMED", NOW - HOUR)
    assert found.reason == "A process was sent; the answer: 502; its effect has not been seen."
    (found,) = planned(rma(), counted(), journal=Journal(process=sent("sending", ago=DAY, reason="502"))).breaks
    assert found.reason == "A process was sent; the answer: 502; its effect has not been seen in 1 day, 0:00:00."
    assert planned(rma(), counted(), journal=Journal(process=sent("accepted", reason="502"))).breaks == ()


def test_past_its_time_in_review_it_failed() -> None:
    (found,) = planned(rma(state="review"), counted(), journal=Journal(process=sent(ago=DAY))).breaks
    assert (found.code, found.since) == ("PROCESSING_FAILED", NOW - DAY)
    assert found.reason == "A process was sent, and Loop moved the return to review."


def test_a_process_without_a_beginning_is_overdue() -> None:
    (found,) = planned(rma(), counted(), journal=Journal(process=Act(phase="sending", sends=1))).breaks
    assert (found.code, found.since) == ("ACTION_UNCONFIRMED", NOW)


def test_a_process_in_doubt_is_looked_for_even_where_loop_knows_no_such_return() -> None:
    assert planned(None, counted(), journal=Journal(process=sent())).row == 3


@pytest.mark.parametrize("phase", ["sending", "accepted", "refused", "failed"])
def test_closed_and_processed_settles_it(phase: str) -> None:
    for paid in (closed(), closed(was_processed=None), closed(released_at=None), closed(was_processed=False)):
        plan = planned(paid, counted(), journal=Journal(process=sent(phase, evidence="e-now")), decision="NO_ACTION")
        assert (plan.rule, plan.next_check_at) == ("processed, counted", None)


def test_closed_by_hand_is_no_effect_of_ours_once_its_time_is_over() -> None:
    by_hand = rma(state="closed", was_processed=False)
    assert planned(by_hand, counted(), journal=Journal(process=sent(ago=DAY - MINUTE))).row == 3
    late = Journal(process=sent(ago=DAY))
    assert planned(by_hand, counted(), journal=late).rule == "over unpaid, goods counted"
    assert planned(by_hand, counted(), journal=late, settings=Settings(confirm_by=2 * DAY)).row == 3
    assert planned(rma(state="cancelled"), announced(), journal=Journal(process=sent(ago=DAY))).row == 5
    unsaid = rma(state="closed", was_processed=None)
    assert planned(unsaid, counted(), journal=Journal(process=sent(ago=DAY))).breaks[0].code == "ACTION_UNCONFIRMED"


@pytest.mark.parametrize("phase", ["refused", "failed"])
def test_refused_or_failed_is_a_persons_turn_whatever_the_state_and_verdict(phase: str) -> None:
    journal = Journal(process=sent(phase, settled_at=None))
    for state in ("open", "review", "partial"):
        for verdict in ("PROCESS", "FLAG", "NO_ACTION"):
            plan = planned(rma(state=state), counted(), journal=journal, decision=verdict)
            assert (plan.row, plan.action) == (14, None)
            assert [found.code for found in plan.breaks] == ["PROCESSING_FAILED"]
            assert plan.breaks[0].since == NOW - HOUR
            assert plan.breaks[0].reason == "Loop said: nothing"


def test_a_failure_still_shows_while_the_matcher_waits() -> None:
    journal = Journal(process=sent("failed", reason="no stock"))
    plan = planned(rma(), counted(), journal=journal, decision=says("WAIT", deadline=NOW + DAY))
    assert plan.rule == "verdict WAIT"
    assert [found.code for found in plan.breaks] == ["PROCESSING_FAILED"]


def test_its_own_break_stands_before_what_else_is_wrong() -> None:
    journal = Journal(process=sent("failed"), since={"state:review": NOW - 9 * DAY})
    plan = planned(rma(state="review"), counted(), journal=journal, decision="PROCESS")
    assert [found.code for found in plan.breaks] == ["PROCESSING_FAILED", "REVIEW_STALE"]


def test_sent_counts_until_a_person_allows_one_more() -> None:
    once = Journal(process=Act(phase="none", sends=1))
    spent = planned(rma(), counted(), journal=once, decision="PROCESS")
    assert (spent.rule, [found.code for found in spent.breaks]) == ("PROCESS, sent before", ["RECEIVED_NOT_ACTIONED"])
    assert planned(rma(), counted(), journal=evolve(once, allowed_sends=2), decision="PROCESS").action == Process(evidence="e-now")
    twice = Journal(process=Act(phase="none", sends=2), allowed_sends=2)
    assert planned(rma(), counted(), journal=twice, decision="PROCESS").action is None


def test_a_retry_that_cannot_be_sent_yet_is_not_forgotten() -> None:
    journal = Journal(process=Act(phase="none", sends=1), allowed_sends=2, failed_at=NOW - DAY)
    reason = "A process of ours came to nothing; a person allowed one more, and it has not been sent yet."
    plan = planned(rma(state="review"), counted(), journal=journal, decision="PROCESS")
    assert (plan.row, plan.action) == (15, None)
    assert plan.reasons == ("A person allowed one more process, and nothing is sent to a return in review.",)
    (found,) = plan.breaks
    assert (found.code, found.since, found.reason) == ("PROCESSING_FAILED", NOW - DAY, reason)
    assert found.next_step == "Set the return back to open in Loop, and it is sent once more; or process it there by hand."
    held = planned(rma(), counted(), journal=evolve(journal, held_by="kim", held_at=NOW), decision="PROCESS")
    (found,) = held.breaks
    assert (held.rule, found.code, found.since, found.reason) == ("held by a person", "PROCESSING_FAILED", NOW - DAY, reason)
    assert found.next_step == BREAKS["PROCESSING_FAILED"].next_step
    refused = Journal(process=sent("none", ago=HOUR), allowed_sends=2)  # a refusal tells nothing of a failure
    (found,) = planned(rma(state="review"), counted(), journal=refused, decision="PROCESS").breaks
    assert found.since == NOW - HOUR
    assert planned(rma(state="open"), counted(), journal=journal, decision="PROCESS").action == Process(evidence="e-now")


def test_value_that_loop_released_is_never_released_again() -> None:
    for released in (rma(was_processed=True), rma(released_at=NOW - DAY), rma(was_processed=None, released_at=NOW)):
        for journal in (Journal(), flagged("cleared"), Journal(allowed_sends=5)):
            plan = planned(released, counted(), journal=journal, decision="PROCESS")
            assert (plan.action, plan.rule) == (None, "PROCESS, value released already")
    assert planned(rma(was_processed=None), counted(), decision="PROCESS").action == Process(evidence="e-now")
    in_review = planned(
        rma(state="review", was_processed=True),
        counted(),
        journal=flagged(answered=True),
        settings=Settings(allow_process_from_review=True),
        decision="PROCESS",
    )
    assert in_review.action is None


def test_an_unknown_state_is_never_processed() -> None:
    for state in ("partial", "processing", "processed", "", "OPENED"):
        for verdict in ("PROCESS", "FLAG", "NO_ACTION"):
            assert planned(rma(state=state), counted(), decision=verdict).action is None


def test_an_unknown_state_waits_and_then_is_a_break() -> None:
    journal = Journal(since={"state:partial": NOW - DAY + MINUTE})
    plan = planned(rma(state="Partial"), counted(), journal=journal, decision="PROCESS")
    assert (plan.row, plan.breaks, plan.next_check_at) == (16, (), NOW + MINUTE)
    assert plan.reasons == ("Loop says 'partial', which is not a state we know.",)
    (found,) = planned(rma(state="partial"), counted(), journal=Journal(since={"state:partial": NOW - DAY}), decision="PROCESS").breaks
    assert (found.code, found.since) == ("RECEIVED_NOT_ACTIONED", NOW - DAY)
    (found,) = planned(rma(state="partial")).breaks
    assert (found.code, found.since) == ("MISSING_IN_WMS", NOW - 2 * DAY)
    undated = rma(state="partial", updated_at=None, created_at=None)
    assert planned(undated, counted(), decision="PROCESS").next_check_at == NOW + 12 * HOUR


def test_the_state_is_read_without_regard_to_spelling() -> None:
    assert planned(rma(state=" Open "), counted(), decision="PROCESS").action == Process(evidence="e-now")
    for word in ("needs review", "needs_review", "Review"):
        assert planned(rma(state=word), counted(), decision="PROCESS").row == 15


def test_a_wait_ends_at_its_deadline() -> None:
    def wait(**facts: object) -> object:
        return planned(rma(), counted(), decision=says("WAIT", **facts))  # type: ignore[arg-type]

    assert wait(deadline=NOW + DAY).next_check_at == NOW + 12 * HOUR  # type: ignore[attr-defined]
    assert wait(deadline=NOW + MINUTE).next_check_at == NOW + MINUTE  # type: ignore[attr-defined]
    assert wait(deadline=NOW + MINUTE).breaks == ()  # type: ignore[attr-defined]
    for facts in ({}, {"deadline": NOW}, {"deadline": NOW - DAY}):
        plan = wait(**facts)
        assert plan.next_check_at == NOW + 12 * HOUR  # type: ignore[attr-defined]
        (found,) = plan.breaks  # type: ignore[attr-defined]
        assert (found.code, found.since) == ("RECEIVED_NOT_ACTIONED", NOW - HOUR)
        assert found.reason == "The matcher waits without a deadline that is still to come."
        assert plan.reasons == (found.reason,)  # type: ignore[attr-defined]


def test_what_cannot_be_read_is_never_processed_but_may_be_flagged() -> None:
    torn = counted(problems=("$.a: no", "$.b: no"))
    plan = planned(rma(), torn, decision="PROCESS")
    assert (plan.action, plan.breaks[0].reason) == (None, "$.a: no; $.b: no")
    assert planned(rma(state="review"), torn, decision="PROCESS").rule == "receipt not readable whole"
    flag = planned(rma(), torn, decision=says("FLAG"))
    assert flag.row == 18
    assert [found.code for found in flag.breaks] == ["UNREADABLE"]


def test_a_unit_without_any_identifier_is_an_unknown_item() -> None:
    bare = ReceivedUnit(id="900/1", condition="good")
    (found,) = planned(
        rma(), counted(units=(bare, evolve(bare, id="900/2"), evolve(bare, id="900/3", barcode="4006381333931"))), decision="PROCESS"
    ).breaks
    assert (found.code, found.since) == ("UNKNOWN_ITEM", NOW - HOUR)
    assert found.reason == "Counted without any identifier: 900/1, 900/2."
    for name in ("line_id", "sku", "barcode", "variant_id", "product_id"):
        assert planned(rma(), counted(units=(evolve(bare, **{name: "x"}),)), decision="PROCESS").breaks == ()
    assert planned(rma(), counted(units=(evolve(bare, item_id=5),)), decision="PROCESS").breaks == ()
