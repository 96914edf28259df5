"""`integration.health()`: is it being worked on, is anything in doubt, do webhooks arrive, when was the last whole sweep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loop_whiplash import Health, Integration
from loop_whiplash.http.flow import Interrupted
from loop_whiplash.simulator import World
from loop_whiplash.testing import sign_loop


@pytest.fixture
def world(loop_whiplash_world: World) -> World:
    return loop_whiplash_world


@pytest.fixture
def integration(loop_whiplash_integration: Integration) -> Integration:
    return loop_whiplash_integration


def worry(health: Health, word: str) -> bool:
    assert health.ok == (not health.reasons)
    return any(word in reason for reason in health.reasons)


def test_all_is_well_after_a_whole_sweep_and_until_two_days_later(world: World, integration: Integration) -> None:
    assert worry(integration.health(), "sweep()")
    integration.sweep()
    health = integration.health()
    assert health.ok
    assert health.last_complete_sweep is not None
    assert world.clock.now() - health.last_complete_sweep < timedelta(minutes=5)
    world.clock.advance(days=2, minutes=10)
    assert worry(integration.health(), "sweep()")


def test_a_sweep_that_could_not_read_a_side_is_not_a_whole_one(world: World, integration: Integration) -> None:
    world.network.only("whiplash").refuse(503, 1.0)
    world.shopper.submit_return(1)
    assert not integration.sweep().complete
    health = integration.health()
    assert health.last_complete_sweep is None
    assert worry(health, "end complete")


def test_what_is_due_is_counted_and_a_worker_that_stands_still_is_noticed(world: World, integration: Integration) -> None:
    integration.sweep()
    for _ in range(3):
        world.shopper.submit_return(1)
    world.deliver(integration)
    health = integration.health()
    assert (health.cases, health.open, health.due) == (3, 3, 3)
    assert health.oldest_due_at is not None
    assert not worry(health, "run_due()")
    world.clock.advance(hours=13)
    assert worry(integration.health(), "run_due()")
    integration.run_due()
    assert integration.health().due == 0


def test_an_action_whose_effect_is_not_seen_is_counted_until_it_is(world: World, integration: Integration) -> None:
    integration.sweep()
    ret = world.shopper.submit_return(1)
    world.carrier.scan(ret, "pre_transit")
    world.outbox.drop_all()
    answer = world.answer

    def mute(system: str, request: Any) -> Any:
        """Whiplash makes the RMA, and nobody hears of it."""
        reply = answer(system, request)
        if (system, request.method) == ("whiplash", "POST"):
            raise Interrupted("timed out", timed_out=True)
        return reply

    world.answer = mute  # type: ignore[method-assign]
    assert integration.advance(ret.id).result == "unknown"
    health = integration.health()
    assert health.unknown_outcomes == 1
    assert worry(health, "take effect")
    world.run(integration, work=integration.run_due, hours=1)
    assert integration.health().ok
    assert len(world.truth.rmas(ret.id)) == 1


def test_the_capture_rate_is_the_share_that_webhooks_told_of_first(world: World, integration: Integration) -> None:
    assert integration.health().capture_rate is None
    heard, unheard = world.shopper.submit_return(1), world.shopper.submit_return(1)
    world.outbox.fate = lambda message: [] if str(unheard.id).encode() in message.body else [0.0]
    world.outbox.drop_all()
    for ret in (heard, unheard):
        world.carrier.scan(ret, "pre_transit")
    world.run(integration, work=integration.run_due, hours=1)
    assert integration.health().capture_rate == 1.0
    integration.sweep()
    assert integration.health().capture_rate == 0.5


def test_breaks_are_counted_by_code_and_webhooks_kept_aside(world: World, integration: Integration) -> None:
    for _ in range(2):
        world.carrier.scan(world.shopper.submit_return(1), "pre_transit")
    world.run(integration, work=integration.run_due, days=16)
    assert integration.handle_loop(b"[]", sign_loop(b"[]", world.loop_secret)).status == 202
    health = integration.health()
    assert health.breaks == {"IN_TRANSIT_STALE": 2}
    assert health.asides == 1
