"""`health()`: numbers to watch, from the ledger alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from house import House, vanishes

from loop_whiplash import Health, sign_loop


def health(house: House) -> Health:
    found = house.integration.health()
    assert isinstance(found, Health)
    assert found.at == house.world.clock.now()
    assert found.ok is not bool(found.reasons)
    return found


def test_an_empty_ledger_has_never_been_swept(house: House) -> None:
    found = health(house)
    assert (found.cases, found.open, found.due, found.asides, found.unknown_outcomes) == (0, 0, 0, 0, 0)
    assert (found.oldest_due_at, found.capture_rate, found.last_complete_sweep) == (None, None, None)
    assert found.breaks == {}
    assert found.reasons == ("no whole sweep in the last two days: is sweep() being called, and does it end complete?",)


def test_nothing_is_asked_of_either_system(house: House) -> None:
    house.announced(1)
    house.calls.clear()
    health(house)
    assert house.calls == []


def test_where_all_runs_all_is_well(house: House) -> None:
    house.announced(1)
    house.integration.sweep()
    found = health(house)
    assert found.ok
    assert (found.cases, found.open) == (1, 1)
    assert found.last_complete_sweep == house.world.clock.now()
    house.run(days=3)
    assert not health(house).ok


def test_a_sweep_that_was_not_whole_does_not_count(house: House) -> None:
    house.integration.sweep()
    whole = health(house).last_complete_sweep
    house.run(days=3)
    house.world.network.only("whiplash").refuse(503, 1.0)
    house.integration.sweep()
    house.world.network.quiet()
    assert health(house).last_complete_sweep == whole


def test_what_is_due_and_not_worked_on_is_counted_and_in_the_end_said(house: House) -> None:
    house.integration.sweep()
    ret = house.world.shopper.submit_return(1)
    house.world.deliver(house.integration)
    since = house.world.clock.now()
    found = health(house)
    assert (found.due, found.oldest_due_at, found.ok) == (1, since, True)
    house.world.clock.advance(hours=13)
    found = health(house)
    assert found.oldest_due_at == since
    assert "is run_due() being called?" in found.reasons[0]
    house.integration.run_due()
    assert health(house).ok
    assert house.case(ret).due_at is not None


@pytest.mark.parametrize(("system", "path"), [("whiplash", "/consumer_returns"), ("loop", "/process"), ("loop", "/flag")])
def test_sent_actions_whose_effect_is_not_seen_are_unknown_outcomes(house: House, system: str, path: str) -> None:
    house.integration.sweep()
    house.fault(system, "POST", path, vanishes)
    ret = house.shipped(1)
    house.run(hours=1 if system == "loop" else 0)
    if system == "loop":
        house.world.warehouse.receive(ret, damaged=1 if path == "/flag" else 0)
        house.run()
    found = health(house)
    assert found.unknown_outcomes == 1
    assert "1 sent actions" in found.reasons[0]


def test_the_capture_rate_is_the_share_of_returns_that_a_webhook_told_of_first(house: House) -> None:
    for _ in range(3):
        house.announced(1)
    assert health(house).capture_rate == 1.0
    house.world.outbox.lost = True
    house.shipped(1)
    house.world.shopper.submit_return(1)  # nothing is to be done about it yet
    house.world.clock.advance(hours=1)
    house.integration.sweep()
    assert health(house).capture_rate == 0.75


def test_open_breaks_are_counted_by_code_and_webhooks_kept_aside_by_number(house: House) -> None:
    house.announced(1)
    house.announced(1)
    house.run(days=20)
    house.integration.handle_loop(b"{", sign_loop(b"{", house.world.loop_secret))
    found = health(house)
    assert found.breaks == {"IN_TRANSIT_STALE": 2}
    assert found.asides == 1


def test_a_ledger_of_many_cases_is_read_to_its_end(build: Callable[..., House]) -> None:
    house = build()
    from loop_whiplash.ledger.protocol import Event

    at = house.world.clock.now()
    house.ledger.accept_many([(Event(kind="loop.hint", return_id=number, at=at), at + timedelta(days=1)) for number in range(1, 2502)])
    found = health(house)
    assert (found.cases, found.open, found.due) == (2501, 2501, 0)
