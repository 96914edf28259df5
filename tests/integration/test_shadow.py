"""Shadow mode: it plans and records and acts on nothing, says how it agrees with what happened, and leaves no intent behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from house import House

from loop_whiplash import Happening, Policy, replay, sign_loop
from loop_whiplash.ledger.protocol import Event
from loop_whiplash.reconciliation import history_in


@pytest.fixture
def shadow(build: Callable[..., House]) -> House:
    return build(settings={"mode": "shadow"})


def announced_by_others(house: House, lines: int = 1) -> Any:
    """A return whose RMA somebody else has made, as Loop's own integration would."""
    ret = house.world.shopper.submit_return(lines)
    house.world.warehouse.announce(ret)
    house.world.carrier.scan(ret, "pre_transit")
    return ret


def notice(house: House, ret: Any) -> Any:
    """The RMA that somebody made."""
    (found,) = (each for each in house.world.whiplash.notices() if each.tracking == ret.labels[0].tracking)
    return found


def test_nothing_is_ever_sent_to_either_system(shadow: House) -> None:
    good, bad, new = shadow.shipped(1), shadow.shipped(1), shadow.shipped(1)
    for ret, damaged in ((good, 0), (bad, 1)):
        item = shadow.world.catalogue.items_of(ret.skus[0])[0]
        made = shadow.world.whiplash.create(
            lines=[shadow.world.whiplash.new_line(item, 1)], return_id=ret.id, status=100, original_id=str(ret.id)
        )
        shadow.world.warehouse.receive(made, damaged=damaged)
    shadow.run(days=2)
    shadow.integration.sweep()
    assert {method for _, method, _ in shadow.calls} == {"GET"}
    assert [shadow.case(ret).journal.shadow[-1]["action"] for ret in (good, bad, new)] == ["Process", "Flag", "CreateRma"]


def test_what_would_have_been_done_is_written_down_once_and_told(build: Callable[..., House]) -> None:
    told: list[Happening] = []
    house = build(settings={"mode": "shadow"}, hooks=[told.append])
    ret = house.shipped(1)
    house.run(days=3)
    assert [entry["action"] for entry in house.case(ret).journal.shadow] == ["CreateRma"]
    assert {(each.name, each.result) for each in told if each.kind == "action"} == {("CreateRma", "shadow")}
    (outcome,) = [house.integration.advance(ret.id)]
    assert (outcome.status, outcome.action, outcome.result) == ("waiting", "CreateRma", "shadow")
    assert outcome.next_check_at is not None


def test_it_leaves_no_intent_and_nothing_in_doubt(shadow: House) -> None:
    ret = shadow.shipped(1)
    shadow.run(days=1)
    journal = shadow.case(ret).journal
    assert (journal.create.phase, journal.create.attempt, journal.process.sends, journal.flag.sends) == ("none", 0, 0, 0)
    assert not [event for event in shadow.case(ret).history if event.kind.startswith("step.")]
    assert shadow.integration.health().unknown_outcomes == 0


@pytest.mark.parametrize("damaged", [0, 1])
def test_once_it_is_live_a_shadow_counts_for_nothing(shadow: House, damaged: int) -> None:
    new = shadow.shipped(1)
    counted = shadow.shipped(1)
    item = shadow.world.catalogue.items_of(counted.skus[0])[0]
    made = shadow.world.whiplash.create(
        lines=[shadow.world.whiplash.new_line(item, 1)], return_id=counted.id, status=100, original_id=str(counted.id)
    )
    shadow.world.warehouse.receive(made, damaged=damaged)
    shadow.run(days=2)
    assert len(shadow.case(counted).journal.shadow) == 1
    shadow.integration = shadow.open({"mode": "live"})
    shadow.run(days=1)
    assert shadow.rmas(new) == 1
    assert (counted.was_processed, counted.flagged) == (not damaged, bool(damaged))
    assert len(shadow.world.truth.done("flag" if damaged else "process", counted.id)) == 1


def test_what_was_flagged_in_shadow_was_never_flagged(shadow: House) -> None:
    ret = announced_by_others(shadow)
    shadow.world.warehouse.receive(notice(shadow, ret), damaged=1)
    shadow.run(days=1)
    shadow.integration = shadow.open({"mode": "live"})
    shadow.run(days=1)
    journal = shadow.case(ret).journal
    assert ret.flagged
    assert len(journal.flagged) == 1
    assert journal.flag.phase == "confirmed"


def test_the_sweep_says_how_it_agrees_with_what_really_happened(shadow: House) -> None:
    agreed, flagged, paid_anyway, undecided = (announced_by_others(shadow) for _ in range(4))
    shadow.run(hours=1)
    for ret, damaged in ((agreed, 0), (flagged, 1), (paid_anyway, 1), (undecided, 0)):
        shadow.world.warehouse.receive(notice(shadow, ret), damaged=damaged)
    shadow.run(days=1)
    for ret in (agreed, paid_anyway):
        shadow.world.people.process(ret)
    shadow.world.people.flag(flagged)
    shadow.world.clock.advance(hours=1)
    report = shadow.integration.sweep()
    assert report.agreement == {"process/processed": 1, "flag/flagged": 1, "flag/processed": 1, "process/undecided": 1}
    assert report.actions == {}
    assert "flag/processed" in report.to_json()


def test_a_live_sweep_compares_nothing(house: House) -> None:
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert house.integration.sweep().agreement == {}


def test_breaks_are_shown_in_shadow_mode_too(build: Callable[..., House]) -> None:
    house = build(settings={"mode": "shadow"}, policy=Policy())
    ret = house.shipped(1)
    house.run(days=3)
    report = house.integration.sweep()
    (found,) = (each for each in report.breaks if each.code == "MISSING_IN_WMS")
    assert (found.return_id, found.since) == (ret.id, house.start)
    assert timedelta(days=3) <= report.at - found.since < timedelta(days=3, minutes=1)


def test_an_rma_that_others_made_is_known_and_what_could_not_be_made_is_said(shadow: House) -> None:
    theirs = announced_by_others(shadow)
    shadow.world.catalogue.add_variant(sku="NOWHERE", items=0)
    unknown = shadow.shipped(["NOWHERE"], in_whiplash=False)
    shadow.run(hours=1)
    journal = shadow.case(theirs).journal
    assert (journal.create.phase, journal.create.adopted, journal.create.attempt) == ("done", True, 0)
    assert shadow.codes(theirs.id) == []
    assert shadow.codes(unknown.id) == ["UNRESOLVED_ITEM"]
    assert {method for _, method, _ in shadow.calls} == {"GET"}


# ------------------------------------------------------------------------------------------------- stored history


def test_what_the_ledger_stores_is_replayed_under_another_policy(house: House) -> None:
    returns = [house.announced(1) for _ in range(3)]
    for damaged, ret in enumerate(returns[:2]):
        house.world.warehouse.receive(ret, damaged=damaged)
    house.run(days=1)
    house.integration.handle_loop(b"{", sign_loop(b"{", house.world.loop_secret))
    stored = [history_in(house.case(ret).history) for ret in returns]
    assert all(told is not None for told in stored)
    result = replay([told for told in stored if told is not None], Policy(), Policy(min_condition="damaged"))
    assert (result.cases, result.skipped) == (2, 1)
    (change,) = result.changes
    assert (change.return_id, change.before, change.after) == (returns[1].id, "FLAG", "PROCESS")
    assert change.money == returns[1].now.value


def test_what_no_webhook_told_is_no_history(house: House) -> None:
    ret = house.announced(1)
    labels_only = [event for event in house.case(ret).history if not event.source.startswith("return ")]
    assert {event.source for event in labels_only} >= {"label label.updated", "consumer_return.created"}
    poison = [Event(kind="loop.hint", return_id=1, at=house.start, body=body) for body in (b"[", b"[1]", b"\xff", b'{"topic": "return"}')]
    assert history_in([*labels_only, *poison]) is None
    house.integration.forget(ret.id)
    assert history_in(house.case(ret).history) is None
