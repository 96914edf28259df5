"""What people say: each word is stored first, obeyed from then on, and stands in the history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from house import House

from loop_whiplash import ConfigurationError, Verdict, match


def test_a_return_nobody_has_met_has_no_case(house: House) -> None:
    assert house.integration.case(4711) is None


def test_a_case_tells_its_history_its_last_decision_and_why(house: House) -> None:
    ret = house.announced(2)
    house.world.warehouse.receive(ret, short=1)
    house.run(hours=2)
    case = house.case(ret)
    assert case.return_id == ret.id
    assert case.decision is not None
    assert case.decision.verdict is Verdict.WAIT
    assert case.reasons[0].startswith("The matcher waits until")
    assert {event.kind for event in case.history} == {"loop.hint", "whiplash.hint", "step.create.sent", "step.acted"}
    assert [event.seq for event in case.history] == sorted(event.seq for event in case.history)
    assert case.looked_at is not None
    assert case.due_at is not None
    assert case.looked_at <= house.world.clock.now() < case.due_at
    assert not case.held


def test_a_hold_is_obeyed_and_shown_from_the_moment_it_is_said(house: House) -> None:
    ret = house.announced(1)
    house.integration.hold(ret.id, by="ana", note="asks the shopper")
    case = house.case(ret)
    assert case.held
    assert (case.journal.held_by, case.journal.hold_note) == ("ana", "asks the shopper")
    house.world.warehouse.receive(ret)
    house.run(days=9)
    assert not ret.was_processed
    assert "ana has been holding it" in house.broken(ret, "REVIEW_STALE").reason
    house.integration.release(ret.id, by="bob")
    house.run(hours=1)
    assert ret.was_processed
    assert [(event.kind, event.source) for event in house.case(ret).history if event.kind.startswith("person.")] == [
        ("person.hold", "ana"), ("person.release", "bob"),
    ]  # fmt: skip


def test_a_hold_keeps_goods_from_being_announced_too(house: House) -> None:
    ret = house.shipped(1)
    house.integration.hold(ret.id, by="ana")
    house.run(days=2)
    assert house.rmas(ret) == 0
    house.integration.release(ret.id)
    house.run(hours=1)
    assert house.rmas(ret) == 1


def test_an_acknowledged_break_stays_and_is_marked_until_its_date(house: House) -> None:
    ret = house.announced(1)
    house.run(days=20)
    until = house.world.clock.now() + timedelta(days=3)
    assert house.integration.sweep().exit_code() == 1
    house.integration.acknowledge(ret.id, "IN_TRANSIT_STALE", until, "ana", note="the carrier is searching")
    house.run(hours=1)
    found = house.broken(ret, "IN_TRANSIT_STALE")
    assert found.acknowledged is not None
    assert (found.acknowledged.until, found.acknowledged.by, found.acknowledged.note) == (until, "ana", "the carrier is searching")
    report = house.integration.sweep()
    assert report.exit_code() == 0
    assert report.counts == {"IN_TRANSIT_STALE": 1}
    house.run(days=4)
    assert house.broken(ret, "IN_TRANSIT_STALE").acknowledged is None
    assert house.integration.sweep().exit_code() == 1


def test_what_cannot_be_acknowledged_is_refused_with_what_can(house: House) -> None:
    until = datetime(2026, 12, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="the codes are ACTION_UNCONFIRMED"):
        house.integration.acknowledge(7, "LATE", until, "ana")
    for bad in (until.replace(tzinfo=None), "2026-12-01", None):
        with pytest.raises(ConfigurationError, match="with a time zone"):
            house.integration.acknowledge(7, "REVIEW_STALE", bad, "ana")
    with pytest.raises(ConfigurationError, match="which is over"):
        house.integration.acknowledge(7, "REVIEW_STALE", house.start, "ana")


def test_a_parcel_that_is_attached_counts_for_its_return(house: House) -> None:
    ret = house.announced(2)
    notice = house.world.warehouse.receive(ret, short=1)
    other = house.world.warehouse.receive_unexpected([ret.skus[1]])
    house.run(hours=1)
    assert not ret.was_processed
    house.integration.attach(ret.id, other.id, by="ana")
    house.run(hours=2)
    assert ret.was_processed
    assert notice.id != other.id
    assert house.case(ret).journal.attached == (other.id,)


def test_what_whiplash_says_of_an_attached_parcel_goes_to_its_return(house: House) -> None:
    ret = house.announced(2)
    house.world.warehouse.receive(ret, short=1)
    other = house.world.warehouse.receive_unexpected([ret.skus[1]], complete=False)
    house.integration.attach(ret.id, other.id)
    house.run(hours=2)
    assert not ret.was_processed
    house.world.warehouse.complete(house.world.whiplash.notice(other.id))
    house.run()  # by its webhook, not by the next look
    house.run(minutes=5)
    assert ret.was_processed


@pytest.mark.parametrize("number", [0, -1, True, "7", None, 1.0])
def test_a_word_about_no_return_is_refused(house: House, number: Any) -> None:
    for say in (house.integration.hold, house.integration.release, house.integration.retry):
        with pytest.raises(ConfigurationError, match="positive int"):
            say(number)
    with pytest.raises(ConfigurationError, match="consumer return"):
        house.integration.attach(7, number)


def test_what_is_personal_is_forgotten_and_what_guards_against_paying_twice_stays(house: House) -> None:
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert any(ret.order.email.encode() in event.body for event in house.case(ret).history)
    house.integration.forget(ret.id)
    case = house.case(ret)
    assert all(event.body == b"" for event in case.history)
    assert (case.decision, case.breaks, case.reasons) == (None, (), ())
    assert case.journal.process.phase == "confirmed"
    house.integration.retry(ret.id)
    house.run(days=1)
    assert len(house.world.truth.processes(ret.id)) == 1


def test_to_forget_what_was_never_met_changes_nothing(house: House) -> None:
    house.integration.forget(4711)
    assert house.integration.case(4711) is None


def test_a_word_that_was_said_is_not_lost_though_working_on_the_return_raises(build: Callable[..., House]) -> None:
    broken: list[bool] = []

    def matcher(*args: Any, **options: Any) -> Any:
        if broken:
            raise RuntimeError
        return match(*args, **options)

    house = build(matcher=matcher)
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    broken.append(True)
    until = house.world.clock.now() + timedelta(days=9)
    house.integration.acknowledge(ret.id, "POST_ACTION_CORRECTION", until, "ana")
    (outcome,) = house.integration.run_due()
    assert (outcome.status, outcome.error) == ("error", "RuntimeError")
    assert house.ledger.unread(ret.id) == []
    assert house.case(ret).journal.acknowledged.keys() == {"POST_ACTION_CORRECTION"}
    assert house.case(ret).due_at == house.world.clock.now() + timedelta(hours=1)
