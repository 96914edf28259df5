"""Create at most once: what lies between the look-up and the intent counts too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from house import House, loses_reply

from loop_whiplash import ConfigurationError, Integration, LoopClient, MemoryLedger, Settings, WhiplashClient
from loop_whiplash.http.flow import Interrupted, Reply, Request
from loop_whiplash.simulator import World

LAST_TYPE = "ConsumerReturn"


class Whiplash:
    """Whiplash as this worker sees it: a create whose reply is lost takes effect late; a look-up by key is followed by a pause."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.inner = house.world.whiplash_transport()
        self.effect_after: float | None = None
        self.pause_after_look_up = timedelta(0)

    def send(self, request: Request) -> Reply:
        clock = self.house.world.clock
        if request.method == "POST" and request.path == "/consumer_returns" and self.effect_after is not None:
            clock.after(self.effect_after, lambda: self.house.world.answer("whiplash", request) and None)
            self.effect_after = None
            raise Interrupted("timed out", timed_out=True)
        reply = self.inner.send(request)
        if self.pause_after_look_up and request.path == "/originators" and request.params["originated_type"] == LAST_TYPE:
            clock.advance(seconds=self.pause_after_look_up.total_seconds())
            self.pause_after_look_up = timedelta(0)
        return reply


def test_a_pause_between_look_up_and_intent_does_not_make_the_look_up_younger() -> None:
    house = House()
    world, settings = house.world, Settings(start=house.world.clock.now())
    ends = {"clock": world.clock.now, "sleep": world.clock.sleep}
    whiplash = Whiplash(house)
    integration = Integration(
        LoopClient(world.api_key, transport=world.loop_transport(), **ends),  # type: ignore[arg-type]
        WhiplashClient(world.token, customer_id=world.customer_id, transport=whiplash, **ends),  # type: ignore[arg-type]
        ledger=house.ledger,
        settings=settings,
        clock=world.clock.now,
    )
    ret = world.shopper.submit_return(1, label=False, in_whiplash=False)
    world.clock.advance(days=4)
    whiplash.effect_after = (settings.pause + settings.effect).total_seconds()  # as late as D allows
    first: Any = integration.advance(ret.id)
    assert (first.action, first.result) == ("CreateRma", "unknown")
    # The second look begins before the effect, and its worker is paused until after the bound.
    world.clock.advance(seconds=(settings.pause + settings.effect).total_seconds() / 2)
    whiplash.pause_after_look_up = settings.lease - timedelta(minutes=1)
    integration.advance(ret.id)
    world.clock.advance(hours=1)
    assert len(world.truth.rmas(ret.id)) == 1
    for _ in range(5):
        integration.advance(ret.id)
        world.clock.advance(hours=1)
    assert len(world.truth.rmas(ret.id)) == 1


def test_a_client_that_waits_longer_than_a_request_may_take_is_refused() -> None:
    world = World()
    loop, whiplash = LoopClient("key", transport=world.loop_transport()), WhiplashClient("token", transport=world.whiplash_transport())
    settings = Settings(start=world.clock.now(), effect=timedelta(seconds=30))
    Integration(loop, whiplash, ledger=MemoryLedger(), settings=settings)
    with pytest.raises(ConfigurationError, match="longer than Settings"):
        Integration(loop, whiplash.with_options(timeout=31), ledger=MemoryLedger(), settings=settings)


def test_a_create_in_doubt_is_looked_for_under_the_name_it_was_sent_with() -> None:
    """Whatever prefix is set since. Nothing else tells this one: no label, and no order that Whiplash knows."""
    house = House(settings={"original_id_prefix": "old-"})
    ret = house.world.shopper.submit_return(1, label=False, in_whiplash=False)
    house.world.clock.advance(days=2)
    house.fault("whiplash", "POST", "/consumer_returns", loses_reply)
    house.integration.advance(ret.id)
    house.integration = house.open({"original_id_prefix": "new-"})
    house.run(days=1)
    assert house.rmas(ret) == 1
    (made,) = house.world.truth.rmas(ret.id)
    house.world.warehouse.receive(house.world.whiplash.notice(made))
    house.run(minutes=10)  # its webhook is known to be for this return, though its name says nothing any more
    assert ret.was_processed


@pytest.mark.parametrize("found", ["by its reply", "by its name"])
def test_an_rma_of_ours_is_nobody_elses_when_the_prefix_changes(found: str) -> None:
    house = House(settings={"original_id_prefix": "old-"})
    first = house.world.shopper.submit_return(1, label=False)
    second = house.world.shopper.submit_return(first.skus, order=first.order, label=False)
    house.integration.hold(second.id)
    if found == "by its name":
        house.fault("whiplash", "POST", "/consumer_returns", loses_reply)
    house.run(days=2)
    house.integration = house.open({"original_id_prefix": "new-"})
    house.integration.release(second.id)
    house.run(days=1)
    assert (house.rmas(first), house.rmas(second)) == (1, 1)
    assert house.case(second).journal.create.adopted is False
