"""A date that lies years ahead is a slip of somebody's keyboard: nothing waits until then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from planning_stories import DAY, NOW, announced, closed, counted, rma

from loop_whiplash import Policy
from loop_whiplash.planning import Journal, Observation, Plan, Settings, learn, plan
from loop_whiplash.returns.model import Receipt, Rma

FAR = datetime(2099, 1, 1, tzinfo=UTC)
SETTINGS = Settings()


def walked(rma: Rma, *receipts: Receipt, days: int = 70) -> Plan:
    """What is said at last, where each look is taken when the one before asked for it, and nothing changes but the time."""
    journal, at, end = Journal(), NOW, NOW + days * DAY
    observation = Observation(return_id=7, rma=rma, receipts=receipts)
    while True:
        journal = learn(journal, observation, at=at, settings=SETTINGS)
        said = plan(observation, journal, policy=Policy(), settings=SETTINGS, at=at)
        if said.next_check_at is None or said.next_check_at > end or said.action is not None:
            return said
        at = said.next_check_at


def codes(said: Plan) -> list[str]:
    return [found.code for found in said.breaks]


@pytest.mark.parametrize("name", ["created_at", "label_updated_at"])
def test_a_parcel_without_a_scan_is_missed_whatever_date_its_label_has(name: str) -> None:
    assert codes(walked(rma(**{name: FAR}), announced())) == ["IN_TRANSIT_STALE"]


@pytest.mark.parametrize("name", ["delivered_at", "arrived_at"])
def test_a_parcel_that_is_delivered_in_the_far_future_is_missed_too(name: str) -> None:
    assert codes(walked(rma(), announced(status=150, **{name: FAR}))) in (["IN_TRANSIT_STALE"], ["DELIVERED_NOT_RECEIVED"])


def test_a_return_made_in_the_far_future_is_announced_all_the_same() -> None:
    said = walked(rma(created_at=FAR, label_statuses=(), label_updated_at=None, tracking=None))
    assert type(said.action).__name__ == "CreateRma"


def test_what_was_paid_in_the_far_future_is_missed_as_from_when_it_was_seen_paid() -> None:
    assert codes(walked(closed(released_at=FAR), announced())) == ["PAID_NOT_RECEIVED"]


def test_a_short_receipt_of_the_far_future_waits_no_longer_than_its_grace() -> None:
    one_of_two = rma(units=(*rma().units, *rma(units=[unit.__class__(line_id="L2", sku="SKU-2") for unit in rma().units]).units))
    assert type(walked(one_of_two, counted(received_at=FAR)).action).__name__ == "Flag"


def test_clocks_that_differ_by_hours_are_no_slip() -> None:
    soon = NOW + timedelta(hours=5)
    said = plan(
        Observation(return_id=7, rma=rma(label_updated_at=soon), receipts=[announced()]),
        Journal(),
        policy=Policy(),
        settings=SETTINGS,
        at=NOW,
    )
    assert said.breaks == ()
