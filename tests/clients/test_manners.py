"""Hooks, options, raw replies, closing, tenants, requests nobody wrote a method for, and the rate as the clients keep it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from both_colours import AsyncScript, Colour, Script, Time, reply

from loop_whiplash.errors import ActionRefused, ConfigurationError, NotFound, OutcomeUnknown, ServerError
from loop_whiplash.http.auth import Bearer
from loop_whiplash.http.flow import NotSent, Reply
from loop_whiplash.http.hooks import Attempt
from loop_whiplash.http.limit import RateLimit, Unlimited
from loop_whiplash.http.retry import Retry
from loop_whiplash.loop import calls
from loop_whiplash.loop.client import AsyncLoopClient, LoopClient
from loop_whiplash.simulator import World
from loop_whiplash.whiplash.client import AsyncWhiplashClient, WhiplashClient

RETURN = [{"id": 5, "state": "open", "line_items": []}]


# ----------------------------------------------------------------------------------------------------------- hooks


def test_each_attempt_is_told(colour: Colour, time: Time) -> None:
    told: list[Attempt] = []
    script = Script(
        NotSent(), reply(503, b"", x_request_id="r-1"), reply(200, RETURN, x_ratelimit_remaining="298", x_loop_api_version="2026-07")
    )
    colour.loop(script, time=time, hooks=[told.append]).call(lambda c: c.returns.get(5))
    assert [(each.number, each.status, each.failure, each.retry_in) for each in told] == [
        (1, None, "not sent", 0.5),
        (2, 503, None, 1.0),
        (3, 200, None, None),
    ]
    last = told[2]
    assert (last.system, last.method, last.path, last.remaining, last.api_version) == (
        "loop",
        "GET",
        "/warehouse/return/details",
        298,
        "2026-07",
    )
    assert told[1].request_id == "r-1"
    assert last.at == time.now()
    assert last.at.tzinfo is not None
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        last.status = 1  # type: ignore[misc]


def test_a_hook_that_raises_stops_nothing(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    told: list[Attempt] = []

    def raises(attempt: Attempt) -> None:
        raise RuntimeError("mine")

    assert colour.loop(Script(reply(200, RETURN)), hooks=[raises, told.append]).call(lambda c: c.returns.get(5)).id == 5
    assert len(told) == 1
    assert "a hook raised" in caplog.text


def test_waiting_for_the_rate_limit_is_told(colour: Colour, time: Time) -> None:
    told: list[Attempt] = []
    limiter = RateLimit(1, 2.0, slack=0.0, clock=lambda: time.now().timestamp())
    loop = colour.loop(Script(reply(200, RETURN), reply(200, RETURN)), time=time, hooks=[told.append], limiter=limiter)
    for _ in range(2):
        loop.call(lambda c: c.returns.get(5))
    assert [each.waited for each in told] == [0.0, 2.0]


# --------------------------------------------------------------------------------------------- replies and options


def test_the_raw_replies_are_within_reach(colour: Colour, time: Time) -> None:
    script = Script(reply(503, b"", x_request_id="r-1"), reply(200, RETURN, x_request_id="r-2"), reply(200, RETURN))
    loop, other = colour.loop(script, time=time), colour.loop(Script(reply(200, RETURN)))

    async def use_async(c: Any) -> tuple[list[Reply], list[Reply]]:
        with c.replies() as replies, c.replies() as again, other.client.replies() as of_other:
            await c.returns.get(5)
        assert again == replies
        await c.returns.get(5)
        return replies, of_other

    def use(c: Any) -> tuple[list[Reply], list[Reply]]:
        with c.replies() as replies, c.replies() as again, other.client.replies() as of_other:
            c.returns.get(5)
        assert again == replies
        c.returns.get(5)
        return replies, of_other

    replies, of_other = loop.call(use_async if colour.is_async else use)
    assert [(each.status, each.request_id) for each in replies] == [(503, "r-1"), (200, "r-2")]
    assert replies[-1].json() == RETURN
    assert of_other == []


def test_replies_of_another_thread_are_not_ours() -> None:
    client = LoopClient("key", transport=Script(answer=lambda request: reply(200, RETURN)))
    with client.replies() as replies:
        thread = threading.Thread(target=lambda: client.returns.get(5))
        thread.start()
        thread.join()
    assert replies == []


def test_options_for_some_calls(colour: Colour, time: Time) -> None:
    script = Script(reply(200, RETURN), reply(503, b""), reply(200, RETURN))
    loop = colour.loop(script, time=time)
    patient = loop.client.with_options(timeout=90.0, connect_timeout=9.0, retry=Retry(attempts=1), headers={"X-Trace": "t"})
    assert loop.call(lambda c: c.returns.get(5), patient).id == 5
    assert (script.last.timeout, script.last.connect_timeout, script.last.headers["X-Trace"]) == (90.0, 9.0, "t")
    with pytest.raises(ServerError):
        loop.call(lambda c: c.returns.get(5), patient)
    loop.call(lambda c: c.returns.get(5))
    assert (script.last.timeout, script.last.headers.get("X-Trace")) == (30.0, None)
    assert patient.session.limiter is loop.client.session.limiter


@pytest.mark.parametrize("wrong", [{"time_out": 3}, {"timeout": 0}, {"timeout": float("inf")}, {"timeout": None}, {"connect_timeout": -1}])
def test_options_that_cannot_work(colour: Colour, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        colour.loop(Script()).client.with_options(**wrong)
    if "time_out" not in wrong:
        with pytest.raises(ConfigurationError):
            colour.loop(Script(), **wrong)


def test_a_clock_without_a_zone_is_refused(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match="naive"):
        colour.loop(Script(), clock=lambda: datetime(2026, 3, 2))


def test_time_outs_are_finite_by_default(colour: Colour) -> None:
    script = Script(reply(200, RETURN))
    colour.loop(script).call(lambda c: c.returns.get(5))
    assert (script.last.timeout, script.last.connect_timeout) == (30.0, 5.0)


# --------------------------------------------------------------------------------------------------------- closing


def test_a_transport_handed_in_is_never_closed() -> None:
    script = Script()
    with LoopClient("key", transport=script), WhiplashClient("token", transport=script):
        pass

    async def use() -> None:
        async with AsyncLoopClient("key", transport=AsyncScript(script)), AsyncWhiplashClient("token", transport=AsyncScript(script)):
            pass

    asyncio.run(use())
    assert not script.closed


def test_our_own_is_closed_once_and_derived_clients_close_nothing(colour: Colour) -> None:
    loop = colour.loop()
    other = loop.client.with_options(timeout=3)
    loop.call(lambda c: c.close(), other)
    assert not loop.client.session.transport.closed
    loop.close()
    loop.close()
    assert loop.client.session.transport.closed
    with pytest.raises(Exception, match="closed") as caught:
        loop.call(lambda c: c.returns.get(5))
    assert caught.value.maybe_applied is False


# --------------------------------------------------------------------------------------------------------- tenants


def test_two_tenants_share_nothing(colour: Colour) -> None:
    first, second = Script(reply(200, RETURN, x_loop_api_version="2026-10")), Script(reply(200, RETURN))
    one, two = colour.loop(first, key="key-1"), colour.loop(second, key="key-2")
    one.call(lambda c: c.returns.get(5))
    two.call(lambda c: c.returns.get(5))
    assert (first.last.headers["X-Authorization"], second.last.headers["X-Authorization"]) == ("key-1", "key-2")
    assert one.client.session.limiter is not two.client.session.limiter
    assert (one.client.session.api_version, two.client.session.api_version) == ("2026-10", None)


def test_a_bearer_that_is_kept_fresh_elsewhere(colour: Colour) -> None:
    tokens = iter(["old", "old", "new", "new"])
    current = {"token": "old"}

    def token() -> str:
        current["token"] = next(tokens, "new")
        return current["token"]

    script = Script(reply(401, b""), reply(200, {"id": 1}))
    whiplash = colour.whiplash(script, token=Bearer(token))
    with pytest.raises(Exception, match="401"):
        whiplash.call(lambda c: c.me())  # asked again, it gave the same token: nothing else to try
    script.outcomes.insert(0, reply(401, b""))
    tokens = iter(["old", "new", "new"])
    assert whiplash.call(lambda c: c.me()).id == 1
    assert script.last.headers["Authorization"] == "Bearer new"


# -------------------------------------------------------------------------------------------- requests of any kind


def test_any_endpoint_can_be_reached_with_the_same_safety(colour: Colour, time: Time) -> None:
    script = Script(
        reply(503, b""), reply(200, {"data": [{"amount": 1.25}]}), reply(503, b""), reply(200, {"error": {"code": "NOT_FOUND"}})
    )
    loop = colour.loop(script, time=time)
    found = loop.call(lambda c: c.request("GET", "/label-requests", params={"limit": "50"}))
    assert isinstance(found, Reply)
    assert str(found.json()["data"][0]["amount"]) == "1.25"
    with pytest.raises(OutcomeUnknown):
        loop.call(lambda c: c.request("POST", "/labels", json={"carrier": "UPS"}))
    with pytest.raises(NotFound):
        loop.call(lambda c: c.request("POST", "/labels", json={}))


def test_a_post_can_be_declared_repeatable(colour: Colour, time: Time) -> None:
    script = Script(reply(503, b""), reply(200, {"ok": 1}))
    assert colour.whiplash(script, time=time).call(lambda c: c.request("POST", "/x", json={}, repeatable=True)).status == 200


def test_a_refusal_under_200_is_one_there_too(colour: Colour) -> None:
    with pytest.raises(ActionRefused):
        colour.loop(Script(reply(200, {"errors": {"code": "UNPROCESSABLE_RETURN"}}))).call(lambda c: c.request("POST", "/x"))


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example/",
        "/../../oauth",
        "/a/../b",
        "label-requests",
        "",
        "/a?b=c",
        "/a#b",
        "/a b",
        "/a\r\nHost: evil",
        "/\\evil",
        "/a//b",
        "/./a",
        None,
    ],
)
def test_a_path_cannot_leave_the_base_url(colour: Colour, path: Any) -> None:
    script = Script()
    with pytest.raises(ConfigurationError):
        colour.loop(script).call(lambda c: c.request("GET", path))
    assert script.requests == []


def test_a_call_of_the_other_system_is_refused(colour: Colour) -> None:
    whiplash = colour.whiplash(Script())
    with pytest.raises(ConfigurationError, match="Loop"):
        whiplash.call(lambda c: c.run(c.session.perform(calls.get_return(5))))


# ------------------------------------------------------------------------------------------------------- the rates


def test_3000_calls_keep_loops_limit_in_a_simulated_shop(colour: Colour) -> None:
    world = World(seed=3)
    transport = world.async_loop_transport() if colour.is_async else world.loop_transport()
    time: dict[str, Any] = {"clock": world.clock.now, "sleep": world.clock.sleep_async if colour.is_async else world.clock.sleep}
    loop = colour.loop(key=world.api_key, transport=transport, **time)
    began = world.clock.now()

    async def many(c: Any) -> None:
        for _ in range(3000):
            await c.webhooks.list()

    if colour.is_async:
        loop.call(many)
    else:
        for _ in range(3000):
            loop.client.webhooks.list()
    minutes = (world.clock.now() - began).total_seconds() / 60
    assert world.truth.over_limit["loop"] == 0
    assert world.truth.calls["loop", "GET", "/webhooks"] == 3000
    assert (3000 - 300) / (minutes * 300) >= 0.95


def test_threads_that_share_a_client_keep_whiplashs_limit_together() -> None:
    places: list[float] = []
    lock = threading.Lock()

    class Placed(RateLimit):
        def reserve(self) -> float:
            delay = super().reserve()
            with lock:
                places.append(delay)
            return delay

    client = WhiplashClient(
        "token",
        transport=Script(answer=lambda request: reply(200, {"count": 1})),
        limiter=Placed(10, 1.0, clock=lambda: 0.0),
        sleep=lambda seconds: None,
    )
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: client.items.count(), range(400))) == {1}
    placed = sorted(places)
    assert len(placed) == 400
    for first, last in zip(placed, placed[10:], strict=False):
        assert last - first >= 1.0


def test_a_limiter_that_waits_for_a_disk_is_asked_off_the_event_loop(colour: Colour) -> None:
    threads: set[str] = set()

    class OnDisk(Unlimited):
        blocking = True

        def reserve(self) -> float:
            threads.add(threading.current_thread().name)
            return 0.0

    colour.loop(Script(reply(200, RETURN)), limiter=OnDisk()).call(lambda c: c.returns.get(5))
    assert (threads == {"MainThread"}) is not colour.is_async


# ---------------------------------------------------------------------------------------------- methods and people


def test_methods_show_the_vendors_page_and_their_own_parameters() -> None:
    client, same = LoopClient("key", transport=Script()), AsyncLoopClient("key", transport=AsyncScript(Script()))
    for returns in (client.returns, same.returns):
        assert "docs.loopreturns.com" in (returns.process.__doc__ or "")
        assert str(inspect.signature(returns.process)).startswith("(return_id")
        assert str(inspect.signature(returns.list)).startswith("(start")
        assert returns.process.__name__ == "process_return"
        shown = type(returns).process
        assert shown.__doc__ == returns.process.__doc__
        assert shown.__signature__ == inspect.signature(returns.process)


def test_both_colours_have_the_same_methods() -> None:
    for one, other in ((LoopClient, AsyncLoopClient), (WhiplashClient, AsyncWhiplashClient)):
        groups = set(one.__annotations__)
        assert groups == set(other.__annotations__)
        made, same = one("k", transport=Script()), other("k", transport=AsyncScript(Script()))
        for group in groups:
            assert [name for name in dir(getattr(made, group)) if not name.startswith("__")] == [
                name for name in dir(getattr(same, group)) if not name.startswith("__")
            ]


def test_the_version_in_force_is_learnt_from_replies(colour: Colour) -> None:
    loop = colour.loop(Script(reply(200, RETURN, x_loop_api_version="2026-07")))
    assert loop.client.session.api_version is None
    loop.call(lambda c: c.returns.get(5))
    assert loop.client.session.api_version == "2026-07"
    assert loop.client.session.now() <= datetime.now(UTC)
