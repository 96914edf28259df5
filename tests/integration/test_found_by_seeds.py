"""What the hostile simulator has found, each told as a short story."""

from __future__ import annotations

from datetime import timedelta

from house import House


def test_a_parcel_of_another_return_of_the_order_is_not_taken_for_this_ones() -> None:
    # Seed 102 of all faults: two returns of one order with equal lines; the goods of the second came unannounced, were adopted
    # by the first, which has no label, and paid for it.
    house = House(webhooks=False, settings={"unlabelled_after": timedelta(0)})
    first = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False)
    second = house.world.shopper.submit_return(["SLATE-BOOT-M"], order=first.order)
    house.world.warehouse.receive_unexpected(["SLATE-BOOT-M"], tracking=second.labels[0].tracking, order_id=first.order.whiplash_id)
    house.world.carrier.scan(second, "delivered")
    house.integration.sweep()
    house.integration.hold(second.id)
    house.run(days=3)
    assert not first.was_processed
    house.integration.release(second.id)
    house.run(days=1)
    assert (first.was_processed, second.was_processed) == (False, True)


def test_a_create_whose_reply_was_lost_is_judged_by_the_same_evidence_before_and_after_it_is_known() -> None:
    # Seed 552: the first look at an RMA in doubt knew no Loop lines of it, the next one did; that read as a correction.
    house = House(webhooks=False)
    ret = house.world.shopper.submit_return(2)
    house.world.carrier.scan(ret, "delivered")
    house.world.network.in_doubt(1.0, within=0.0)
    while not house.rmas(ret):
        house.integration.sweep()
        house.world.clock.advance(minutes=20)
    house.world.network.quiet()
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert ret.was_processed
    assert house.codes(ret.id) == []


def test_a_count_is_seen_at_once_though_search_lags() -> None:
    # Seed 107957: search showed the count of before a correction, and the return was paid on it.
    house = House()
    ret = house.announced(2)
    house.world.whiplash.manners.lag = (240.0, 240.0)
    house.world.warehouse.receive(ret)
    for _ in range(4):
        house.world.deliver(house.integration)
        house.integration.run_due()
        house.world.clock.advance(seconds=45)
    assert ret.was_processed
    other = house.announced(1)
    house.run(hours=1)
    notice = house.world.warehouse.receive(other, complete=False)
    house.world.clock.advance(minutes=10)
    house.world.warehouse.complete(notice)
    house.world.warehouse.reopen(notice)
    house.world.warehouse.recount(notice, {other.skus[0]: (0, 0)})
    house.run(hours=1)
    assert not other.was_processed


def test_an_rma_met_for_the_first_time_is_counted_as_it_is_and_not_as_search_shows_it() -> None:
    # Not found by a seed: the first look at an RMA that others made under our id took search's word for its count.
    house = House(webhooks=False)
    ret = house.world.shopper.submit_return(["SLATE-BOOT-M"])
    item = house.world.catalogue.items_of("SLATE-BOOT-M")[0]
    line = house.world.whiplash.new_line(item, 1)
    made = house.world.whiplash.create(lines=[line], return_id=ret.id, status=100, original_id=str(ret.id))
    notice = house.world.warehouse.receive(made)
    house.world.clock.advance(hours=1)
    house.world.whiplash.manners.lag = (240.0, 240.0)
    house.world.warehouse.reopen(notice)
    house.world.warehouse.recount(notice, {"SLATE-BOOT-M": (0, 1)})  # it is damaged after all
    house.world.warehouse.complete(notice)
    house.world.clock.advance(seconds=60)
    house.integration.advance(ret.id)
    house.run(days=1)
    assert (ret.was_processed, ret.flagged) == (False, True)


def test_a_parcel_without_a_name_is_nobodys_where_two_returns_of_its_order_have_its_lines() -> None:
    # Seed 318885: the first was paid by Loop itself, the second adopted its parcel and was paid for the same goods.
    house = House(webhooks=False, settings={"unlabelled_after": timedelta(0)})
    first = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False)
    second = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False, order=first.order)
    parcel = house.world.warehouse.receive_unexpected(["SLATE-BOOT-M"], order_id=first.order.whiplash_id)
    house.integration.sweep()
    house.run(days=3)
    assert (first.was_processed, second.was_processed) == (False, False)
    assert house.rmas(first) == house.rmas(second) == 0
    assert f"return {second.id} of the same order" in house.broken(first, "DUPLICATE_IN_WMS").reason
    house.integration.attach(second.id, parcel.id, by="ana")
    house.run(days=1)
    assert (first.was_processed, second.was_processed) == (False, True)


def test_a_return_of_the_order_whose_lines_are_left_out_may_be_the_one_that_is_meant() -> None:
    house = House(webhooks=False, settings={"unlabelled_after": timedelta(0)})
    first = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False)
    other = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False, order=first.order)
    assert other.id % 2 == 0  # the fake leaves the lines of even ids out
    house.world.loop.manners.unreadable.add(other.id)
    house.world.warehouse.receive_unexpected(["SLATE-BOOT-M"], order_id=first.order.whiplash_id)
    house.integration.sweep()
    house.run(days=3)
    assert not first.was_processed


def test_a_parcel_without_a_name_is_adopted_where_only_one_return_of_its_order_can_be_meant() -> None:
    house = House(webhooks=False, settings={"unlabelled_after": timedelta(0)})
    gone = house.world.shopper.submit_return(["SLATE-BOOT-M", "MOSS-PARKA-S"], label=False)
    house.world.people.cancel(gone)
    ret = house.world.shopper.submit_return(["SLATE-BOOT-M"], label=False, order=gone.order)
    house.world.shopper.submit_return(["MOSS-PARKA-S"], label=False, order=gone.order)
    house.world.warehouse.receive_unexpected(["SLATE-BOOT-M"], order_id=gone.order.whiplash_id)
    house.integration.sweep()
    house.run(days=3)
    assert ret.was_processed


def test_a_key_of_another_shop_moves_no_watermark_where_few_returns_are_known() -> None:
    # Seed 313078: a list without a row passed for a quiet shop, and what had been submitted before was never read.
    house = House(webhooks=False)
    house.announced(1)
    house.integration.sweep()
    missed = house.world.shopper.submit_return(1)
    house.world.carrier.scan(missed, "delivered")
    house.world.clock.advance(days=3)
    house.world.loop.manners.another_shop = True
    house.integration.sweep()
    house.world.loop.manners.another_shop = False
    house.integration.sweep()
    assert house.rmas(missed) == 1
