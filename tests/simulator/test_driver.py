"""The third driver: many flows on one virtual clock, a request under way while others act, crashes that clean nothing up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from loop_whiplash.http.flow import Interrupted, Reply, Request, Send, Sleep, Store
from loop_whiplash.simulator import Driver, Pace, World
from loop_whiplash.simulator.driver import Worker

EVEN = Pace(slow=0.0)


def details(world: World, return_id: int) -> Send:
    params = {"return_id": str(return_id)}
    request = Request(method="GET", path="/warehouse/return/details", params=params, headers={"X-Authorization": world.api_key})
    return Send(request, world.loop_transport())


def go_on(driver: Driver, **time: float) -> None:
    driver.run_until(driver.world.clock.now() + timedelta(**time))


def test_flows_wait_on_the_virtual_clock_side_by_side() -> None:
    driver, said = Driver(World(), pace=EVEN), list[str]()

    async def flow(name: str, seconds: float) -> str:
        await Sleep(seconds)
        said.append(name)
        return name

    results = list[Any]()
    for name, seconds in (("later", 3600.0), ("sooner", 60.0)):
        driver.start(Worker(name), name, flow(name, seconds), lambda result, error: results.append((result, error)))
    go_on(driver, minutes=30)
    assert said == ["sooner"]
    go_on(driver, minutes=31)
    assert results == [("sooner", None), ("later", None)]


def test_others_act_while_a_request_is_under_way() -> None:
    world = World()
    ret = world.shopper.submit_return(1)
    world.network.delay(4.0, 4.0)
    driver, order = Driver(world, pace=EVEN), list[str]()

    async def asks() -> None:
        reply = await details(world, ret.id)
        order.append(f"answered {reply.status}")

    async def stores() -> None:
        await Store(lambda: order.append("stored"))

    driver.start(Worker("one"), "asks", asks())
    driver.start(Worker("two"), "stores", stores())
    go_on(driver, seconds=6)
    assert order == ["stored"]
    go_on(driver, seconds=6)
    assert order == ["stored", "answered 200"]


def test_a_lost_reply_is_a_time_out_after_the_effect() -> None:
    world = World()
    ret = world.shopper.submit_return(1)
    world.network.in_doubt(1.0, within=10.0)
    driver, ends = Driver(world, pace=EVEN), list[Exception | None]()

    async def flags() -> Reply:
        path = f"/warehouse/return/{ret.id}/flag"
        return await Send(Request(method="POST", path=path, headers={"X-Authorization": world.api_key}), world.loop_transport())

    for number in range(30):
        driver.start(Worker(f"w{number}"), "flags", flags(), lambda result, error: ends.append(error))
    go_on(driver, minutes=5)
    assert len(ends) == 30
    assert any(isinstance(error, Interrupted) and error.timed_out for error in ends)
    arrived = world.truth.done("flag", ret.id)
    assert 0 < len(arrived) < 30, "some had their effect, some had none, and nobody can tell which"


def test_a_crash_drops_every_flow_of_its_worker_and_cleans_nothing_up() -> None:
    driver, cleaned, died = Driver(World(), pace=EVEN), list[str](), list[str]()
    worker = Worker("one", died=lambda: died.append("one"))

    async def flow() -> None:
        try:
            await Sleep(60.0)
        finally:
            cleaned.append("finally")

    for _ in range(2):
        driver.start(worker, "waits", flow())
    go_on(driver, seconds=1)
    driver.crash(worker)
    go_on(driver, hours=1)
    assert (worker.tasks, cleaned, died) == ({}, [], ["one"])


def test_a_paused_worker_stands_still_and_the_others_do_not() -> None:
    driver, done = Driver(World(), pace=EVEN), list[str]()

    async def steps(name: str) -> None:
        for _ in range(3):
            await Sleep(1.0)
        done.append(name)

    stopped = Worker("stopped")
    driver.start(stopped, "steps", steps("stopped"))
    driver.start(Worker("other"), "steps", steps("other"))
    stopped.stopped_until = driver.world.clock.now() + timedelta(hours=2)
    go_on(driver, hours=1)
    assert done == ["other"]
    go_on(driver, hours=2)
    assert done == ["other", "stopped"]


def test_awaiting_anything_else_is_a_mistake() -> None:
    class Else:
        def __await__(self) -> Any:
            yield "something else"

    async def flow() -> None:
        await Else()

    driver, ends = Driver(World(), pace=EVEN), list[Exception | None]()
    driver.start(Worker("one"), "wrong", flow(), lambda result, error: ends.append(error))
    go_on(driver, seconds=1)
    with pytest.raises(TypeError, match="only Send, Store and Sleep, not str"):
        raise ends[0] or AssertionError("it ended well")
