"""What those who watch are told: each webhook, each action, each break once when it opens and once when it closes."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest
from house import House

from loop_whiplash import Happening
from loop_whiplash.testing import sign_loop


class Watch(list[Happening]):
    """A hook that keeps what it is told."""

    def __call__(self, happening: Happening) -> None:
        self.append(happening)

    def of(self, kind: str) -> list[tuple[str, int | None, str]]:
        return [(each.name, each.return_id, each.result) for each in self if each.kind == kind]


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_webhooks_and_actions_are_told_with_their_result(watch: Watch) -> None:
    house = House(hooks=[watch])
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.run(days=1)
    assert watch.of("action") == [("CreateRma", ret.id, "created"), ("Process", ret.id, "accepted")]
    assert {name for name, _, _ in watch.of("webhook")} == {"loop", "whiplash"}
    assert {result for _, _, result in watch.of("webhook")} == {"200"}
    assert all(each.at.tzinfo is not None for each in watch)


def test_a_break_is_told_when_it_opens_and_when_it_closes_and_not_in_between(watch: Watch) -> None:
    house = House(hooks=[watch])
    ret = house.announced(1)
    house.run(days=20)
    assert watch.of("break.opened") == [("IN_TRANSIT_STALE", ret.id, "open")]
    assert watch.of("break.closed") == []
    house.world.warehouse.receive(ret)
    house.run(days=2)
    assert watch.of("break.closed") == [("IN_TRANSIT_STALE", ret.id, "over")]
    assert len(watch.of("break.opened")) == 1


def test_what_is_held_back_is_told_at_once(watch: Watch) -> None:
    house = House(hooks=[watch])
    ret = house.world.shopper.submit_return(1, in_whiplash=False)
    house.world.catalogue.items.clear()
    house.world.carrier.scan(ret, "pre_transit")
    house.run()
    assert watch.of("action") == [("CreateRma", ret.id, "held back")]
    assert watch.of("break.opened") == [("UNRESOLVED_ITEM", ret.id, "heals")]


def test_what_was_wrong_is_not_over_because_a_side_could_not_be_read(watch: Watch) -> None:
    house = House(hooks=[watch])
    ret = house.announced(1)
    house.run(days=20)
    opened = house.integration.case(ret.id)
    assert opened is not None
    house.world.network.only("whiplash").refuse(503, 1.0)
    house.run(days=2)
    assert house.codes(ret.id) == ["IN_TRANSIT_STALE", "SOURCE_INCOMPLETE"]
    case = house.integration.case(ret.id)
    assert case is not None
    assert {found.since for found in case.breaks if found.code == "IN_TRANSIT_STALE"} == {found.since for found in opened.breaks}
    assert watch.of("break.closed") == []
    house.world.network.quiet()
    house.run(days=2)
    assert watch.of("break.closed") == [("SOURCE_INCOMPLETE", ret.id, "over")]


def test_what_was_wrong_is_not_over_because_working_on_it_raised(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    broken: list[bool] = []

    def matcher(*args: Any, **options: Any) -> Any:
        from loop_whiplash import match

        if broken:
            raise ValueError("ann@example.org")
        return match(*args, **options)

    house = House(hooks=[watch], matcher=matcher)
    ret = house.announced(2)
    house.world.warehouse.receive(ret, short=1)
    house.run(days=5)
    assert ret.flagged
    house.run(days=10)
    assert house.codes(ret.id) == ["REVIEW_STALE"]
    broken.append(True)
    house.run(days=1)
    assert house.codes(ret.id) == ["REVIEW_STALE", "UNREADABLE"]
    case = house.integration.case(ret.id)
    assert case is not None
    assert "ValueError" in next(found.reason for found in case.breaks if found.code == "UNREADABLE")
    assert not any("ann@example.org" in found.reason for found in case.breaks)
    assert f"return {ret.id} could not be worked on; it is tried again in an hour: ValueError at " in caplog.text
    assert "in matcher" in caplog.text  # where, so that it can be mended
    assert "ann@example.org" not in caplog.text  # and not what it said
    broken.clear()
    house.run(hours=2)
    assert watch.of("break.closed") == [("UNREADABLE", ret.id, "over")]


def test_a_hook_that_raises_stops_nothing(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    def bad(happening: Happening) -> None:
        try:
            raise RuntimeError("ann@example.org")
        except RuntimeError as first:
            raise ValueError("bob@example.org") from first

    house = House(hooks=[bad, watch])
    ret = house.announced(1)
    assert house.rmas(ret) == 1
    assert watch.of("action") == [("CreateRma", ret.id, "created")]
    assert "RuntimeError at " in caplog.text
    assert "; then ValueError at " in caplog.text
    assert "@example.org" not in caplog.text


def test_a_hook_of_the_async_front_is_called_on_its_event_loop() -> None:
    """So it may start a task or set an event, though what is stored is stored on another thread."""
    started: list[tuple[str, str, bool]] = []

    async def task() -> None: ...

    def hook(happening: Happening) -> None:
        asyncio.get_running_loop().create_task(task())
        started.append((happening.kind, happening.result, threading.current_thread() is threading.main_thread()))

    house = House(colour="async", hooks=[hook])
    house.announced(1)
    assert house.integration.handle_loop(b"{", sign_loop(b"{", house.world.loop_secret)).status == 202
    assert house.integration.handle_loop(b"{}", sign_loop(b"{}", "wrong")).status == 401
    assert set(started) == {("webhook", "200", True), ("action", "created", True), ("webhook", "202", True), ("webhook", "401", True)}


def test_a_sweep_is_told_once(watch: Watch) -> None:
    house = House(hooks=[watch], webhooks=False)
    house.world.shopper.submit_return(1)
    house.world.clock.advance(hours=1)
    house.integration.sweep()
    assert watch.of("sweep") == [("complete", None, "")]
    sweep = next(each for each in watch if each.kind == "sweep")
    assert sweep.facts["rows"] == 1
    assert sweep.at - house.world.clock.now() <= timedelta(0)
