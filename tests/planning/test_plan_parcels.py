"""From announced to counted, and after the return is over: late parcels, late money, labels, lines, and what comes too late."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from planning_stories import DAY, EMPTY, HOUR, MADE, MINUTE, NOW, announced, closed, counted, evolve, made, planned, rma, says, sent, units

from loop_whiplash.planning import Journal, Plan, Settings, UpdateRma
from loop_whiplash.returns.model import Rma

SECOND = timedelta(seconds=1)


def codes(plan: Plan) -> list[str]:
    return [found.code for found in plan.breaks]


# ------------------------------------------------------------------------------------------------------ under way


@pytest.mark.parametrize("statuses", [("new",), ("pre_transit",), ("in_transit",), ("out_for_delivery",), ("error",), ()])
def test_no_scan_for_days_is_a_break(statuses: tuple[str, ...]) -> None:
    def story(ago: timedelta) -> Plan:
        return planned(rma(label_statuses=statuses, label_updated_at=NOW - ago, created_at=NOW - 40 * DAY), announced())

    early = story(14 * DAY - MINUTE)
    assert (codes(early), early.next_check_at) == ([], NOW + MINUTE)
    (found,) = story(14 * DAY).breaks
    assert (found.code, found.since) == ("IN_TRANSIT_STALE", NOW - 14 * DAY)
    assert found.reason == "No scan since 2025-06-01 12:00 UTC."
    assert story(14 * DAY).next_check_at == NOW + 12 * HOUR


def test_without_a_scan_the_creation_counts() -> None:
    (found,) = planned(rma(label_updated_at=None, created_at=NOW - 14 * DAY), announced()).breaks
    assert (found.code, found.since) == ("IN_TRANSIT_STALE", NOW - 14 * DAY)


def test_delivered_and_not_counted_is_a_break() -> None:
    def story(ago: timedelta) -> Plan:
        return planned(rma(label_statuses=("in_transit", "delivered"), label_updated_at=NOW - ago), announced())

    early = story(7 * DAY - MINUTE)
    assert (codes(early), early.next_check_at) == ([], NOW + MINUTE)
    (found,) = story(7 * DAY).breaks
    assert (found.code, found.since) == ("DELIVERED_NOT_RECEIVED", NOW - 7 * DAY)
    assert found.reason == "The parcel was delivered by 2025-06-08 12:00 UTC; nothing has been counted."
    assert codes(story(20 * DAY)) == ["DELIVERED_NOT_RECEIVED"]
    assert codes(planned(rma(label_statuses=("delivered",), label_updated_at=None, created_at=NOW - 7 * DAY), announced())) == [
        "DELIVERED_NOT_RECEIVED"
    ]


@pytest.mark.parametrize("name", ["delivered_at", "arrived_at"])
def test_whiplash_too_can_say_that_it_was_delivered(name: str) -> None:
    (found,) = planned(rma(label_updated_at=NOW), announced(**{name: NOW - 7 * DAY})).breaks
    assert (found.code, found.since) == ("DELIVERED_NOT_RECEIVED", NOW - 7 * DAY)
    earlier = planned(rma(label_statuses=("delivered",), label_updated_at=NOW - DAY), announced(**{name: NOW - 8 * DAY}))
    assert earlier.breaks[0].since == NOW - 8 * DAY


def test_limits_are_settings() -> None:
    slow = Settings(in_transit_stale_after=20 * DAY, delivered_not_received_after=10 * DAY)
    assert codes(planned(rma(label_updated_at=NOW - 15 * DAY), announced(), settings=slow)) == []
    assert codes(planned(rma(label_statuses=("delivered",), label_updated_at=NOW - 9 * DAY), announced(), settings=slow)) == []


def test_money_released_before_inspection_is_chased_though_the_return_is_open() -> None:
    def story(ago: timedelta, **facts: object) -> Plan:
        return planned(rma(label_updated_at=NOW, **{"released_at": NOW - ago, **facts}), announced())

    early = story(21 * DAY - MINUTE)
    assert (codes(early), early.next_check_at) == ([], NOW + MINUTE)
    (found,) = story(21 * DAY).breaks
    assert (found.code, found.since, found.money) == ("PAID_NOT_RECEIVED", NOW - 21 * DAY, Decimal("20.00"))
    assert found.reason == "Loop released value by 2025-05-25 12:00 UTC; no goods have been counted."
    assert codes(story(DAY, released_at=None, was_processed=True, updated_at=NOW - 22 * DAY)) == ["PAID_NOT_RECEIVED"]
    assert codes(planned(rma(label_updated_at=NOW, updated_at=NOW - 22 * DAY), announced())) == []


def test_the_first_of_several_limits_is_the_next_look() -> None:
    facts = {"label_updated_at": NOW - 14 * DAY + HOUR, "created_at": NOW - 40 * DAY, "released_at": NOW - 21 * DAY + 2 * HOUR}
    assert planned(rma(**facts), announced()).next_check_at == NOW + HOUR
    facts["released_at"] = NOW - 21 * DAY + MINUTE
    assert planned(rma(**facts), announced()).next_check_at == NOW + MINUTE
    facts["label_updated_at"] = NOW - 14 * DAY  # that limit is here, and does not hide the one to come
    assert planned(rma(**facts), announced()).next_check_at == NOW + MINUTE


def test_a_fresh_rma_is_read_again_after_the_lag() -> None:
    fresh = Journal(create=made(done_at=NOW - MINUTE, verified=False))
    assert planned(rma(), announced(), journal=fresh).next_check_at == NOW + 4 * MINUTE + SECOND
    verified = Journal(create=made(done_at=NOW - MINUTE))
    assert planned(rma(), announced(), journal=verified).next_check_at == NOW + 12 * HOUR
    undated = Journal(create=made(done_at=None, verified=False))
    assert planned(rma(), announced(), journal=undated).next_check_at == NOW + 12 * HOUR


def test_lines_that_changed_since_are_a_break() -> None:
    (found,) = planned(rma(units=units(2), updated_at=NOW - 3 * DAY), announced()).breaks
    assert (found.code, found.since) == ("ITEMS_DRIFT", NOW - 3 * DAY)
    assert found.reason == "Loop has 2 units, Whiplash was told of 1"
    (found,) = planned(rma(units=units(2)), announced(), journal=Journal(since={"ITEMS_DRIFT": NOW - DAY})).breaks
    assert found.since == NOW - DAY


# --------------------------------------------------------------------------------------------------- another label


def test_another_label_is_told_to_whiplash() -> None:
    journal = Journal(create=made())
    again = rma(tracking="TRACK-2", carrier="DHL")
    plan = planned(again, announced(), journal=journal)
    assert plan.action == UpdateRma(consumer_return_id=900, tracking="TRACK-2", carrier="DHL")
    assert plan.reasons == ("Loop issued another label.",)
    assert planned(evolve(again, state="review"), announced(), journal=journal).action is not None
    late = planned(evolve(again, label_updated_at=NOW - 14 * DAY), announced(), journal=journal)
    assert (late.action, codes(late)) == (plan.action, ["IN_TRANSIT_STALE"]), "what is wrong is told all the same"
    first = Journal(create=made(tracking=None))
    assert planned(rma(), announced(tracking=None), journal=first).action == UpdateRma(
        consumer_return_id=900, tracking="TRACK-1", carrier="UPS"
    )


def test_no_update_where_there_is_nothing_to_tell_or_no_right_to() -> None:
    journal = Journal(create=made())
    again = rma(tracking="TRACK-2")
    for quiet in (
        planned(rma(), announced(), journal=journal),
        planned(rma(tracking=None), announced(), journal=journal),
        planned(again, announced(tracking="TRACK-2"), journal=journal),
        planned(again, announced(), journal=Journal(create=made(tracking="TRACK-2"))),
        planned(again, announced(), journal=Journal()),
        planned(again, announced(901), journal=journal),
        planned(again, announced(), journal=evolve(journal, attached=(900,))),
        planned(again, announced(status=150), journal=journal),
        planned(again, announced(arrived_at=NOW), journal=journal),
        planned(evolve(again, state="partial"), announced(), journal=journal),
        planned(again, announced(), journal=evolve(journal, held_by="Ann")),
        planned(again, announced(), journal=journal, settings=Settings(start=NOW)),
    ):
        assert quiet.action is None
        assert quiet.row in (10, 12)


@pytest.mark.parametrize("status", [50, 80, 85, 86, 100, 105])
def test_untouched_statuses_can_still_be_told(status: int) -> None:
    assert planned(rma(tracking="T2"), announced(status=status), journal=Journal(create=made())).action is not None


@pytest.mark.parametrize("status", [25, 150, 200, 250, 300, 999, None])
def test_all_other_statuses_count_as_touched(status: int | None) -> None:
    assert planned(rma(tracking="T2"), announced(status=status), journal=Journal(create=made())).action is None


# ------------------------------------------------------------------------------------------------- paid, and over


def test_paid_and_never_counted_is_a_break_after_its_time() -> None:
    def story(paid: Rma, *receipts: object, **more: object) -> Plan:
        return planned(paid, *receipts, **more)  # type: ignore[arg-type]

    for receipts in ((), (announced(),), (counted(units=()),)):
        early = story(closed(released_at=NOW - 21 * DAY + MINUTE), *receipts)
        assert (early.breaks, early.next_check_at) == ((), NOW + MINUTE)
        late = story(closed(released_at=NOW - 21 * DAY), *receipts)
        (found,) = late.breaks
        assert (found.code, found.since) == ("PAID_NOT_RECEIVED", NOW - 21 * DAY)
        assert found.reason == "Loop released the value by 2025-05-25 12:00 UTC; no goods have been counted."
        assert late.reasons == ("Paid, and the goods never came.",)
        assert late.next_check_at == NOW + 7 * DAY
    assert story(closed(), announced(), settings=Settings(paid_not_received_after=7 * DAY)).reasons == (
        "Paid; the goods are awaited until 2025-06-21 12:00 UTC.",
    )


def test_when_it_was_paid_is_as_near_as_loop_dates_it() -> None:
    def since(paid: Rma, journal: Journal = EMPTY) -> list[datetime | None]:
        return [found.since for found in planned(paid, journal=journal).breaks]

    assert since(closed(released_at=None, updated_at=NOW - 30 * DAY)) == [NOW - 30 * DAY]
    assert since(closed(released_at=None, updated_at=None, created_at=NOW - 31 * DAY)) == [NOW - 31 * DAY]
    undated = closed(released_at=None, updated_at=None, created_at=None)
    assert since(undated, Journal(since={"state:closed": NOW - 29 * DAY})) == [NOW - 29 * DAY]
    assert since(undated) == []


def test_a_return_that_is_over_is_looked_at_less_and_less() -> None:
    for ago, ahead in ((HOUR, 12 * HOUR), (DAY, DAY), (5 * DAY, 5 * DAY), (9 * DAY, 7 * DAY)):
        assert planned(closed(released_at=NOW - ago), announced()).next_check_at == NOW + ahead


def test_closed_without_a_word_on_processing_counts_as_paid() -> None:
    assert planned(closed(was_processed=None, released_at=None), counted()).rule == "processed, counted"
    assert planned(closed(was_processed=False, released_at=NOW), counted()).rule == "processed, counted"
    assert planned(closed(was_processed=False, released_at=None), counted()).rule == "over unpaid, goods counted"
    assert planned(rma(was_processed=None), announced()).rule == "RMA, nothing counted"


def test_what_was_never_to_come_to_us_is_settled_with_its_payment() -> None:
    before = Settings(start=NOW)
    assert planned(closed(), settings=before).rule == "processed, nothing was to come"
    assert planned(closed(), announced(), settings=before).rule == "processed, never counted"
    assert planned(closed(), settings=Settings(destinations=("D2",))).rule == "processed, nothing was to come"
    assert planned(closed()).rule == "processed, never counted"


def test_a_count_that_changes_after_our_process_is_a_break() -> None:
    def story(phase: str, evidence: str | None, now: str, **facts: object) -> Plan:
        journal = Journal(process=sent(phase, evidence=evidence))  # type: ignore[arg-type]
        return planned(closed(), counted(**facts), journal=journal, decision=says("NO_ACTION", evidence=now))

    assert story("confirmed", "e-1", "e-1").rule == "processed, counted"
    assert story("confirmed", "e-1", "e-2").breaks[0].since == NOW
    assert story("confirmed", "e-1", "e-2", updated_at=NOW - DAY).breaks[0].since == NOW - DAY
    assert story("accepted", "e-1", "e-2").rule == "processed by us, changed since"
    assert story("confirmed", None, "e-2").rule == "processed, counted"
    assert story("confirmed", "", "e-2").rule == "processed, counted"
    assert story("confirmed", "e-1", "").rule == "processed, counted"
    assert story("none", "e-1", "e-2").rule == "processed by us, changed since"
    assert planned(closed(), counted(), journal=Journal(process=sent("none", sends=0))).rule == "processed, counted"


# ----------------------------------------------------------------------------------------- over without being paid


@pytest.mark.parametrize("state", ["cancelled", "expired", "closed"])
def test_goods_for_a_return_that_is_over_and_unpaid(state: str) -> None:
    plan = planned(rma(state=state), counted(), counted(901, received_at=NOW - DAY), journal=Journal(attached=(901,)))
    (found,) = plan.breaks
    assert (plan.row, found.code, found.since, plan.next_check_at) == (7, "RECEIVED_AFTER_CLOSE", NOW - DAY, NOW + DAY)
    assert plan.reasons == (f"It is {state}, and goods came.",)


def test_what_came_dates_from_its_first_count() -> None:
    """Neither from a parcel that came and was not counted, nor only from a count that is final."""
    uncounted = announced(901, received_at=NOW - 5 * DAY)
    for first in (counted(), counted(final=False), counted(units=())):
        plan = planned(rma(), first, uncounted, journal=Journal(attached=(901,)), decision="NO_ACTION")
        assert [(found.code, found.since) for found in plan.breaks] == [("RECEIVED_NOT_ACTIONED", NOW - HOUR)]


@pytest.mark.parametrize("state", ["cancelled", "expired", "closed"])
def test_without_goods_it_is_watched_to_a_horizon(state: str) -> None:
    over = rma(state=state, updated_at=NOW - 90 * DAY)
    done = planned(over)
    assert (done.row, done.next_check_at, done.breaks) == (7, None, ())
    assert done.reasons == (f"It is {state}, and no goods came within 90 days, 0:00:00.",)
    almost = planned(evolve(over, updated_at=NOW - 90 * DAY + MINUTE))
    assert almost.next_check_at == NOW + MINUTE
    assert planned(rma(state=state, updated_at=NOW - 20 * DAY)).next_check_at == NOW + 7 * DAY
    assert planned(over, settings=Settings(watch_for=100 * DAY)).next_check_at == NOW + 7 * DAY
    touched = announced(status=200)
    assert planned(rma(state=state), touched).rule == "over unpaid, no goods"


def test_before_start_and_counted_is_reported_only() -> None:
    settings = Settings(start=MADE + SECOND)
    assert planned(rma(), counted(), settings=settings).row == 9
    assert planned(rma(), announced(), settings=settings).row == 12
    assert planned(rma(), counted(units=()), settings=settings).row == 9
