"""The main job, end to end through the public face, against both fakes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from house import House

from loop_whiplash import Verdict


def test_an_exact_return_is_processed_once(house: House) -> None:
    ret = house.announced(2)
    assert house.rmas(ret) == 1
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert ret.was_processed
    assert len(house.world.truth.processes(ret.id)) == 1
    case = house.integration.case(ret.id)
    assert case is not None
    assert case.breaks == ()
    assert case.journal.process.phase == "confirmed"


def test_a_short_return_is_flagged_after_its_grace_and_not_before(house: House) -> None:
    ret = house.announced(2)
    house.world.warehouse.receive(ret, short=1)
    house.run(hours=12)
    assert not ret.flagged
    case = house.integration.case(ret.id)
    assert case is not None
    assert case.decision is not None
    assert case.decision.verdict is Verdict.WAIT
    house.run(days=14)
    assert ret.flagged
    assert not ret.was_processed
    assert f"Missing: 1 × {ret.skus[1]}" in ret.notes[0]


def test_a_damaged_unit_is_flagged_within_a_day(house: House) -> None:
    ret = house.announced(1)
    house.world.warehouse.receive(ret, damaged=1)
    house.run(days=1)
    assert ret.flagged
    assert len(house.world.truth.flags(ret.id)) == 1


def test_a_wrong_item_with_the_right_count_is_flagged_and_named(house: House) -> None:
    ret = house.announced(1)
    other = next(
        v.sku for v in house.world.catalogue.variants if v.sku and v.sku not in ret.skus and len(house.world.catalogue.items_of(v.sku)) == 1
    )
    house.world.warehouse.receive(ret, substitute={ret.skus[0]: other})
    house.run(days=15)
    assert ret.flagged
    case = house.integration.case(ret.id)
    assert case is not None
    assert case.decision is not None
    assert other in case.decision.explain()


def test_a_half_counted_parcel_waits_and_is_then_processed(house: House) -> None:
    ret = house.announced(2)
    notice = house.world.warehouse.receive(ret, half=True)
    house.run(hours=6)
    assert not ret.flagged
    assert not ret.was_processed
    house.world.warehouse.receive(notice)
    house.run(days=1)
    assert ret.was_processed


def test_a_webhook_that_never_came_is_found_by_the_sweep(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret = house.world.shopper.submit_return(1)
    house.world.carrier.scan(ret, "pre_transit")
    house.world.clock.advance(hours=20)
    report = house.integration.sweep()
    assert report.complete
    assert house.rmas(ret) == 1
    assert [found.return_id for found in report.breaks if found.code == "WEBHOOK_MISSED"] == [ret.id]
    house.world.warehouse.receive(ret)
    house.world.clock.advance(days=1)
    house.integration.sweep()
    house.run(hours=3)
    assert ret.was_processed
    assert len(house.world.truth.processes(ret.id)) == 1


def test_a_return_without_a_label_gets_its_rma_within_three_days(build: Callable[..., House]) -> None:
    house = build(webhooks=False)
    ret = house.world.shopper.submit_return(1, label=False)
    for _ in range(3):
        house.world.clock.advance(days=1)
        house.integration.sweep()
        house.run()
    assert house.rmas(ret) == 1 or house.codes(ret.id)


def test_a_storm_of_duplicates_makes_one_rma_and_one_process(house: House) -> None:
    house.world.network.webhooks.duplicate(1.0)
    ret = house.world.shopper.submit_return(2)
    for status in ("pre_transit", "in_transit", "out_for_delivery", "delivered"):
        house.world.carrier.scan(ret, status)
        house.run(hours=2)
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert house.rmas(ret) == 1
    assert len(house.world.truth.processes(ret.id)) == 1
    assert ret.was_processed


def test_a_person_who_processes_first_is_not_followed(house: House) -> None:
    ret = house.announced(1)
    house.world.people.process(ret)
    house.run(minutes=10)  # Loop only queues it; until it is done the return still reads open
    house.world.warehouse.receive(ret)
    house.run(days=3)
    assert [deed.by for deed in house.world.truth.done("process", ret.id)] == ["person"]


def test_a_flag_a_person_cleared_is_not_raised_again(house: House) -> None:
    ret = house.announced(1)
    house.world.warehouse.receive(ret, damaged=1)
    house.run(days=1)
    assert ret.flagged
    house.world.people.clear_flag(ret)
    house.run(days=5)
    assert not ret.flagged
    assert len(house.world.truth.flags(ret.id)) == 1


def test_a_held_return_is_left_alone_until_it_is_released(house: House) -> None:
    ret = house.announced(1)
    house.integration.hold(ret.id, by="ana")
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert not ret.was_processed
    assert house.integration.case(ret.id).held
    house.integration.release(ret.id, by="ana")
    house.run(hours=2)
    assert ret.was_processed


def test_returns_created_before_start_are_never_acted_on(build: Callable[..., House]) -> None:
    late = build()
    late.integration = late.open({"start": late.start + timedelta(days=30)})
    ret = late.world.shopper.submit_return(1)
    late.world.carrier.scan(ret, "pre_transit")
    late.run(days=1)
    late.integration.sweep()
    assert late.rmas(ret) == 0


def test_shadow_mode_acts_on_nothing_and_remembers_what_it_would_have_done(build: Callable[..., House]) -> None:
    house = build(settings={"mode": "shadow"})
    ret = house.announced(1)
    assert house.rmas(ret) == 0
    case = house.integration.case(ret.id)
    assert case is not None
    assert [entry["action"] for entry in case.journal.shadow] == ["CreateRma"]
    assert case.journal.create.phase == "none"


def test_an_unknown_sku_holds_back_that_return_only(house: House) -> None:
    bad = house.world.shopper.submit_return(1, in_whiplash=False)
    good = house.world.shopper.submit_return(1)
    sku = bad.skus[0]
    for item in house.world.catalogue.items_of(sku):
        house.world.catalogue.items.remove(item)
    for ret in (bad, good):
        house.world.carrier.scan(ret, "pre_transit")
    house.run(hours=2)
    assert house.codes(bad.id) == ["UNRESOLVED_ITEM"]
    assert house.rmas(good) == 1
    case = house.integration.case(bad.id)
    assert case is not None
    assert sku in case.breaks[0].reason
