"""Holding, acknowledging, and what holds for every plan: evidence times, when it is looked at again, the default matcher."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from planning_stories import DAY, HOUR, MINUTE, NOW, POLICY, SHORT, announced, counted, evolve, planned, rma, says, sent

from loop_whiplash.matching.decision import Decision
from loop_whiplash.planning import Acknowledged, Journal, Observation, Seen, Settings, plan
from loop_whiplash.returns.model import Receipt, Rma


def test_what_a_person_holds_is_not_touched() -> None:
    held = Journal(held_by="Ann", held_at=NOW)
    for story in (
        planned(rma(), journal=held),
        planned(rma(), announced(), journal=held),
        planned(rma(), counted(), journal=held, decision="PROCESS"),
        planned(rma(), counted(), journal=held, decision=says("FLAG", findings=(SHORT,))),
        planned(rma(tracking="T2"), announced(), journal=held),
    ):
        assert (story.row, story.action, story.breaks, story.next_check_at) == (10, None, (), NOW + 12 * HOUR)
        assert story.reasons == ("Waiting for a person.", "Ann holds it; nothing is done until release().")


def test_what_is_held_for_days_is_a_break() -> None:
    held = Journal(held_by="Ann", held_at=NOW - 7 * DAY)
    (found,) = planned(rma(), counted(), journal=held).breaks
    assert (found.code, found.since, found.next_step) == ("REVIEW_STALE", NOW - 7 * DAY, "release() it, or decide it in Loop.")
    assert found.reason == "Ann has been holding it since 2025-06-08 12:00 UTC."
    assert planned(rma(), counted(), journal=evolve(held, held_at=NOW - 7 * DAY + MINUTE)).breaks == ()
    assert planned(rma(), counted(), journal=evolve(held, held_at=None)).breaks == ()
    assert planned(rma(), counted(), journal=Journal(held_at=NOW - 9 * DAY), decision="PROCESS").breaks == ()


def test_what_is_wrong_still_shows_while_held() -> None:
    journal = Journal(held_by="Ann", process=sent("failed", reason="no stock"))
    assert [found.code for found in planned(rma(), counted(), journal=journal).breaks] == ["PROCESSING_FAILED"]


def test_an_acknowledged_break_is_still_reported_marked_so_until_its_date() -> None:
    word = Acknowledged(until=NOW + MINUTE, by="Ann", note="on it")
    journal = Journal(acknowledged={"RECEIVED_AFTER_CLOSE": word})
    (found,) = planned(rma(state="expired"), counted(), journal=journal).breaks
    assert found.acknowledged == word
    over = Journal(acknowledged={"RECEIVED_AFTER_CLOSE": evolve(word, until=NOW)})
    (found,) = planned(rma(state="expired"), counted(), journal=over).breaks
    assert found.acknowledged is None
    other = Journal(acknowledged={"ORPHAN_IN_WMS": word})
    (found,) = planned(rma(state="expired"), counted(), journal=other).breaks
    assert found.acknowledged is None


def asked_with(receipt: Receipt, journal: Journal) -> Receipt:
    seen: list[Sequence[Receipt]] = []

    def matcher(rma: Rma, receipts: Sequence[Receipt], *, policy: object, at: datetime) -> Decision:
        assert policy is POLICY
        assert at == NOW
        seen.append(receipts)
        return says("PROCESS")

    observation = Observation(return_id=7, rma=rma(), receipts=(receipt,))
    plan(observation, journal, policy=POLICY, settings=Settings(), at=NOW, matcher=matcher)
    (receipts,) = seen  # asked exactly once
    return receipts[0]


def test_a_receipt_that_whiplash_does_not_date_is_dated_by_when_we_first_saw_it() -> None:
    seen = Journal(seen={"900": Seen(counted_at=NOW - 3 * DAY, final_at=NOW - DAY)})
    undated = counted(received_at=None)
    assert asked_with(undated, seen) == evolve(undated, received_at=NOW - DAY)
    half = counted(received_at=None, final=False)
    assert asked_with(half, seen) == evolve(half, received_at=NOW - 3 * DAY)
    only = Journal(seen={"900": Seen(counted_at=NOW - 3 * DAY)})
    assert asked_with(undated, only).received_at == NOW - 3 * DAY
    assert asked_with(counted(), seen).received_at == NOW - HOUR
    assert asked_with(undated, Journal()).received_at is None
    assert asked_with(undated, Journal(seen={"900": Seen()})).received_at is None
    assert asked_with(undated, Journal(seen={"901": Seen(counted_at=NOW)})).received_at is None


def test_what_we_saw_later_than_whiplash_dates_it_is_not_overdue() -> None:
    old = counted(received_at=NOW - 9 * DAY)
    assert [found.code for found in planned(rma(), old, decision="PROCESS").breaks] == ["RECEIVED_NOT_ACTIONED"]
    just_seen = Journal(seen={"900": Seen(counted_at=NOW, final_at=NOW)})
    assert planned(rma(), old, journal=just_seen, decision="PROCESS").breaks == ()
    undated = Journal(seen={"900": Seen(counted_at=NOW - 9 * DAY, final_at=NOW - DAY)})
    (found,) = planned(rma(), counted(received_at=None), journal=undated, decision="PROCESS").breaks
    assert found.since == NOW - DAY


def test_no_look_is_further_ahead_than_recheck_while_a_return_is_open() -> None:
    for recheck in (timedelta(seconds=1), HOUR, 3 * DAY):
        settings = Settings(recheck=recheck)
        for story in (
            planned(rma(), announced(), settings=settings),
            planned(rma(label_updated_at=NOW), settings=settings),
            planned(rma(), counted(), settings=settings, decision="PROCESS"),
            planned(rma(), counted(), settings=settings, decision="NO_ACTION"),
            planned(rma(), counted(), settings=settings, journal=Journal(process=sent())),
            planned(rma(), announced(), announced(901), settings=settings),
        ):
            assert story.next_check_at is not None
            assert NOW < story.next_check_at <= NOW + recheck


def test_the_default_matcher_is_ours() -> None:
    from loop_whiplash.matching import Policy

    result = plan(Observation(return_id=7, rma=rma(), receipts=(counted(),)), Journal(), policy=Policy(), settings=Settings(), at=NOW)
    assert result.decision is not None
    assert result.decision.verdict.value in ("PROCESS", "WAIT")
