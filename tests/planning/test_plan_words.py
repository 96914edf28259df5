"""What a plan says beside what it does: labels that are none, flags of ours in every phase, drift in units, and times without a zone."""

from __future__ import annotations

import pytest
from planning_stories import DAY, HOUR, NOW, announced, counted, evolve, flagged, made, planned, rma, says, units

from loop_whiplash.planning import Flag, Process
from loop_whiplash.planning.model import Journal
from loop_whiplash.returns.model import ReceiptLine


@pytest.mark.parametrize("word", ["n/a", "N/A", " ", "", "no_label", "voided", "Cancelled", "canceled"])
def test_a_label_that_is_none_does_not_announce_goods(word: str) -> None:
    plan = planned(rma(label_statuses=(word,), created_at=NOW - HOUR, updated_at=NOW - HOUR, label_updated_at=None))
    assert plan.action is None
    assert plan.rule == "not yet eligible"
    beside = planned(rma(label_statuses=("new", word), label_updated_at=None))
    assert beside.reasons == ("Its label is new; announced from pre_transit on.",), "it does not stand in the way of one that tells"


@pytest.mark.parametrize("phase", ["sending", "accepted", "confirmed", "cleared"])
def test_a_flag_of_ours_in_any_phase_asks_for_new_evidence(phase: str) -> None:
    """Also where an old journal holds no evidence of the flag."""
    journal = evolve(flagged(phase, ago=5 * DAY), flag_evidence=None)
    plan = planned(rma(updated_at=NOW - 4 * DAY), counted(), journal=journal, decision=says("PROCESS", evidence=""))
    assert not isinstance(plan.action, Process)


def test_several_lines_of_one_sku_add_up_before_anybody_speaks_of_drift() -> None:
    twice = tuple(evolve(unit, sku="SKU-1") for unit in units(2))
    lines = tuple(ReceiptLine(id=number, item_id=51, sku="SKU-1", quantity=1) for number in (1, 2))
    plan = planned(rma(units=twice), announced(lines=lines), journal=Journal(create=made()))
    assert "ITEMS_DRIFT" not in [found.code for found in plan.breaks]
    more = planned(rma(units=twice), announced(lines=lines[:1]), journal=Journal(create=made()))
    assert "ITEMS_DRIFT" in [found.code for found in more.breaks]


def test_times_are_told_in_utc_wherever_the_machine_stands(far_from_utc: None) -> None:
    waiting = planned(rma(), counted(), decision=says("WAIT", deadline=NOW + HOUR))
    assert waiting.reasons == ("The matcher waits until 2025-06-15 13:00 UTC.",)


def test_what_is_sent_says_why_and_when_to_look_again() -> None:
    plan = planned(rma(), counted(), journal=Journal(create=made()), decision="PROCESS")
    assert isinstance(plan.action, Process)
    assert all(isinstance(reason, str) and reason for reason in plan.reasons)
    assert plan.next_check_at is not None
    flag = planned(rma(), counted(), journal=Journal(create=made()), decision=says("FLAG"))
    assert isinstance(flag.action, Flag)
