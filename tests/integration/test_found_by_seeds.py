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
