"""`check()`: everything that can be tried before going live, each with what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from house import House, answers

from loop_whiplash import (
    Check,
    Integration,
    LedgerUnavailable,
    LoopClient,
    MemoryLedger,
    Settings,
    WhiplashClient,
    sign_loop,
    sign_whiplash,
)
from loop_whiplash.simulator import World

LOOP_URL, WHIPLASH_URL = "https://receiver.example/loop", "https://receiver.example/whiplash"


def checks(house: House, **urls: str) -> dict[str, Check]:
    found = house.integration.check(**urls)
    assert all(isinstance(each, Check) for each in found)
    assert all(each.ok or each.status == "unknown" or each.what_to_do for each in found)
    return {each.name: each for each in found}


def dated(house: House, **skew: float) -> None:
    """Both systems say what time it is."""

    def does(request: Any, send: Any) -> Any:
        reply = send(request)
        time = house.world.clock.now() + timedelta(**skew)
        return attrs.evolve(reply, headers={**reply.headers, "date": f"{time:%a, %d %b %Y %H:%M:%S} GMT"})

    for system in ("loop", "whiplash"):
        house.fault(system, "GET", "/", does, times=1000)


def test_where_all_is_well_all_is_ok(house: House) -> None:
    dated(house, seconds=20)
    house.announced(1)
    found = checks(house, loop_url=LOOP_URL, whiplash_url=WHIPLASH_URL)
    assert {name: each.status for name, each in found.items() if not each.ok} == {}
    assert found["loop.api_version"].detail == "2026-07"
    assert found["loop.clock"].detail == "clocks differ by 20 s"
    assert found["loop.secrets"].detail.startswith("secret 1 of 1 matched the webhook of 2026-03-02T09:00")
    assert not [call for call in house.calls if call[1] not in ("GET", "POST") or ("webhook" in call[2] and call[1] != "GET")]


def test_a_wrong_key_is_said_with_what_loop_answers_for_a_missing_scope_too(house: House) -> None:
    house.fault("loop", "GET", "/", answers(401, {"message": "Unauthenticated."}), times=99)
    found = checks(house)
    for name, scope in (("loop.credentials", "Returns"), ("loop.webhooks", "Developer Tools")):
        assert found[name].status == "failed"
        assert f"has the scope {scope}: Loop answers 401 for a missing scope too" in found[name].what_to_do
    assert found["whiplash.credentials"].ok


def test_a_wrong_token_and_a_missing_scope_are_said(house: House) -> None:
    house.fault("whiplash", "GET", "/consumer_returns", answers(401, {"message": "unauthorized"}), times=9)
    house.fault("whiplash", "GET", "/notification", answers(403, {"message": "forbidden"}), times=9)
    found = checks(house)
    assert {name: each.status for name, each in found.items() if name.startswith("whiplash") and "secrets" not in name} == {
        "whiplash.credentials": "failed", "whiplash.webhooks": "failed",
    }  # fmt: skip
    house.faults.clear()
    for path in ("/items", "/me"):
        house.fault("whiplash", "GET", path, answers(403, {"message": "forbidden"}), times=9)
    found = checks(house)
    assert (found["whiplash.items"].status, found["whiplash.orders"].status, found["whiplash.user"].status) == ("failed", "ok", "unknown")


def test_a_start_that_is_still_to_come_is_told(build: Callable[..., House]) -> None:
    house = build()
    assert checks(house)["settings.start"].ok
    later = house.world.clock.now() + timedelta(days=30)
    found = checks(build(settings={"start": later}))["settings.start"]
    assert (found.status, found.detail) == ("warning", f"{later:%Y-%m-%d %H:%M} UTC is still to come")
    assert "begin no later than now" in found.what_to_do


def test_a_wrong_customer_is_told_by_the_argument_it_came_in(house: House) -> None:
    house.fault("whiplash", "GET", "/consumer_returns", answers(404, {"error": "not found"}), times=9)
    assert "Check customer_id and base_url of the WhiplashClient" in checks(house)["whiplash.credentials"].what_to_do


def test_a_system_that_does_not_answer_is_said(house: House) -> None:
    house.fault("whiplash", "GET", "/", answers(503), times=99)
    found = checks(house)
    assert found["whiplash.credentials"].status == "failed"
    assert "run check() again" in found["whiplash.credentials"].what_to_do


@pytest.mark.parametrize(
    ("base_url", "said", "status", "words"),
    [
        ("https://loop.example/api/2026-07", "2026-07", "ok", "2026-07"),
        ("https://loop.example/api/v1", "2026-07", "warning", "v1 is 2026-07 today"),
        ("https://loop.example/api/latest/", "2026-07", "warning", "latest is 2026-07 today"),
        ("https://loop.example/api/2026-01", "2026-07", "warning", "2026-01 is asked for, 2026-07 answers"),
        ("https://loop.example/api/2026-07", "", "warning", "does not say"),
        ("", "2026-07", "ok", "2026-07"),
    ],
)
def test_the_version_of_the_api_is_one_that_stays(base_url: str, said: str, status: str, words: str) -> None:
    class Transport:
        def __init__(self, world: World, system: str) -> None:
            self.base_url = base_url
            self._world, self._system = world, system

        def send(self, request: Any) -> Any:
            reply = self._world.send(self._system, request)
            headers = {name: value for name, value in reply.headers.items() if name != "x-loop-api-version"}
            return attrs.evolve(reply, headers={**headers, **({"x-loop-api-version": said} if said else {})})

        def close(self) -> None:
            """Nothing to give back."""

    world = World()
    integration = Integration(
        LoopClient(world.api_key, transport=Transport(world, "loop"), clock=world.clock.now, sleep=world.clock.sleep),
        WhiplashClient(
            world.token,
            customer_id=world.customer_id,
            transport=Transport(world, "whiplash"),
            clock=world.clock.now,
            sleep=world.clock.sleep,
        ),
        ledger=MemoryLedger(clock=world.clock.now),
        settings=Settings(start=world.clock.now()),
        clock=world.clock.now,
    )
    (found,) = (each for each in integration.check() if each.name == "loop.api_version")
    assert (found.status, words in found.detail) == (status, True)


@pytest.mark.parametrize(("skew", "status"), [(60.0, "ok"), (-60.0, "ok"), (600.0, "warning"), (-600.0, "warning")])
def test_clocks_that_differ_are_said(house: House, skew: float, status: str) -> None:
    dated(house, seconds=skew)
    found = checks(house)
    assert (found["loop.clock"].status, found["whiplash.clock"].status) == (status, status)
    assert status == "ok" or "NTP" in found["loop.clock"].what_to_do


@pytest.mark.parametrize("said", ["", "yesterday"])
def test_where_no_time_is_said_the_clock_is_not_known(house: House, said: str) -> None:
    def does(request: Any, send: Any) -> Any:
        reply = send(request)
        headers = {name: value for name, value in reply.headers.items() if name != "date"}
        return attrs.evolve(reply, headers={**headers, **({"date": said} if said else {})})

    house.fault("loop", "GET", "/", does, times=99)
    assert checks(house)["loop.clock"].status == "unknown"


def test_the_clock_of_the_ledger_is_compared_too(build: Callable[..., House]) -> None:
    world = World()
    house = build(world=world, ledger=MemoryLedger(clock=lambda: world.clock.now() + timedelta(hours=1)))
    assert checks(house)["ledger"].status == "warning"


def test_a_ledger_that_cannot_be_written_is_said(build: Callable[..., House]) -> None:
    class Full(MemoryLedger):
        def put(self, key: str, value: str | None) -> None:
            raise LedgerUnavailable("the disk is full")

    assert checks(build(ledger=Full()))["ledger"].status == "failed"


# --------------------------------------------------------------------------------------------------- subscriptions


def test_a_loop_subscription_that_is_missing_off_or_elsewhere_is_said(house: House) -> None:
    hooks = {hook.trigger: hook for hook in house.world.loop.subscriptions}
    hooks["label.updated"].status = "inactive"
    hooks["return.closed"].url = "https://elsewhere.example"
    house.world.loop.subscriptions.remove(hooks["return.processing.failed"])
    house.world.loop.subscriptions.remove(hooks["return.updated"])
    found = checks(house, loop_url=LOOP_URL)
    said = {
        name.removeprefix("loop.webhook."): (each.status, each.detail) for name, each in found.items() if name.startswith("loop.webhook.")
    }
    assert said == {
        "return.created": ("ok", ""),
        "return.updated": ("warning", "no subscription"),
        "return.closed": ("warning", "it points elsewhere"),
        "label.created": ("ok", ""),
        "label.updated": ("failed", "it is there, but inactive"),
        "return.processing.failed": ("failed", "no subscription"),
    }
    assert LOOP_URL in found["loop.webhook.return.closed"].what_to_do


def test_a_whiplash_subscription_that_is_missing_or_switched_off_is_said(house: House) -> None:
    hooks = {hook.event: hook for hook in house.world.whiplash.subscriptions}
    hooks["consumer_return.completed"].active = False
    hooks["consumer_return.status_changed"].endpoint = "https://elsewhere.example"
    found = checks(house, whiplash_url=WHIPLASH_URL)
    assert found["whiplash.webhook.consumer_return.completed"].status == "failed"
    assert "100 failures" in found["whiplash.webhook.consumer_return.completed"].what_to_do
    assert found["whiplash.webhook.consumer_return.status_changed"].status == "warning"
    assert checks(house)["whiplash.webhook.consumer_return.status_changed"].ok


# --------------------------------------------------------------------------------------------------------- secrets


def test_without_a_secret_no_webhook_is_accepted(build: Callable[..., House]) -> None:
    house = build(loop_secrets=[], whiplash_secrets=[])
    found = checks(house)
    assert (found["loop.secrets"].status, found["whiplash.secrets"].status) == ("failed", "failed")


def hooked(house: House, secret: str) -> int:
    body = json.dumps({"topic": "label", "trigger": "label.updated", "return_id": 4711}).encode()
    status: int = house.integration.handle_loop(body, sign_loop(body, secret)).status
    return status


def test_secrets_are_tried_by_the_webhooks_that_come(build: Callable[..., House]) -> None:
    house = build(loop_secrets=["new", "old"])

    def said() -> tuple[str, str]:
        found = checks(house)["loop.secrets"]
        return found.status, found.detail

    assert said() == ("unknown", "no webhook has come yet")
    assert hooked(house, "elsewhere") == 401
    assert said()[0] == "failed"
    assert "none of the 2 secrets" in said()[1]
    house.world.clock.advance(minutes=5)
    assert hooked(house, "old") == 200
    assert said()[0] == "ok"
    assert said()[1].startswith("secret 2 of 2")
    house.world.clock.advance(minutes=5)
    assert hooked(house, "new") == 200
    assert said()[1].startswith("secret 1 of 2")
    house.world.clock.advance(hours=2)
    assert hooked(house, "elsewhere") == 401
    assert said()[0] == "warning"
    assert "elsewhere" not in said()[1]


def test_forged_webhooks_make_the_ledger_write_once_an_hour(build: Callable[..., House]) -> None:
    writes: list[str] = []

    class Counting(MemoryLedger):
        def put(self, key: str, value: str | None) -> None:
            writes.append(key)
            super().put(key, value)

    world = World()
    house = build(world=world, ledger=Counting(clock=world.clock.now))
    for _ in range(100):
        hooked(house, "forged")
        house.integration.handle_whiplash(b"{}", sign_whiplash(b"{}", "forged"))
    assert sorted(writes) == ["webhook/loop/refused", "webhook/whiplash/refused"]
    house.world.clock.advance(hours=2)
    hooked(house, "forged")
    assert len(writes) == 3


# --------------------------------------------------------------------------------------------- Loop's own automation


def test_returns_that_were_paid_before_anything_was_counted_are_suspected_of_loops_own_automation(house: House) -> None:
    ours = house.announced(1)
    house.world.warehouse.receive(ours)
    house.run(days=1)
    house.world.people.close(house.announced(1))  # by hand, and paid for by nobody
    house.run(hours=1)
    assert checks(house)["loop.automatic_processing"].ok
    house.world.loop.manners.process_on_scan = "in_transit"
    ret = house.announced(1)
    house.world.carrier.scan(ret, "in_transit")
    house.run(hours=1)
    assert ret.was_processed
    found = checks(house)["loop.automatic_processing"]
    assert found.status == "warning"
    assert f"e.g. return {ret.id}" in found.detail
    assert "Switch off" in found.what_to_do
