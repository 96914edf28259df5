"""What an integration refuses to be made of: each mistake of a first hour is met when it is made, and says what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from loop_whiplash import (
    AsyncIntegration,
    AsyncLoopClient,
    AsyncWhiplashClient,
    ConfigurationError,
    Integration,
    LoopClient,
    MemoryLedger,
    Settings,
    WhiplashClient,
)
from loop_whiplash.simulator import World

SETTINGS = Settings(start=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def clients() -> dict[str, Any]:
    world = World(seed=1)
    return {
        "loop": LoopClient("key", transport=world.loop_transport()),
        "whiplash": WhiplashClient("token", transport=world.whiplash_transport()),
        "async loop": AsyncLoopClient("key", transport=world.async_loop_transport()),
        "async whiplash": AsyncWhiplashClient("token", transport=world.async_whiplash_transport()),
    }


@pytest.mark.parametrize(
    ("kind", "loop", "whiplash", "said"),
    [
        (Integration, "async loop", "whiplash", "Integration cannot work with AsyncLoopClient; that is for AsyncIntegration"),
        (Integration, "loop", "async whiplash", "Integration cannot work with AsyncWhiplashClient; that is for AsyncIntegration"),
        (AsyncIntegration, "loop", "async whiplash", "AsyncIntegration cannot work with LoopClient; that is for Integration"),
        (AsyncIntegration, "async loop", "whiplash", "AsyncIntegration cannot work with WhiplashClient; that is for Integration"),
    ],
)
def test_clients_of_the_other_colour_are_refused(clients: dict[str, Any], kind: Any, loop: str, whiplash: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        kind(clients[loop], clients[whiplash], ledger=MemoryLedger(), settings=SETTINGS)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("ledger", "returns.db", r'ledger must be a ledger, such as SQLiteLedger\("returns.db"\); it is a str'),
        ("ledger", MemoryLedger, "it is the class MemoryLedger"),
        ("settings", None, r"settings must be Settings\(start=…\); read from a file: Settings.from_toml\(…\); it is None"),
        ("settings", {"start": "2026-12-01T00:00:00Z"}, "it is a dict"),
        ("policy", {"under_units": 1}, r"policy must be Policy\(…\); read from a file: Policy.from_toml\(…\); it is a dict"),
        ("matcher", "match", r"matcher must be called like match: matcher\(rma, receipts, \*, policy, at\); it is a str"),
        ("matcher", lambda rma, receipts: None, "matcher must be called like match"),
    ],
)
def test_a_thing_of_another_kind_is_refused(clients: dict[str, Any], name: str, wrong: Any, said: str) -> None:
    given: dict[str, Any] = {"ledger": MemoryLedger(), "settings": SETTINGS, name: wrong}
    with pytest.raises(ConfigurationError, match=said):
        Integration(clients["loop"], clients["whiplash"], **given)


def test_clients_of_the_other_system_are_refused(clients: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="loop must be a client of Loop; it is a WhiplashClient"):
        Integration(clients["whiplash"], clients["loop"], ledger=MemoryLedger(), settings=SETTINGS)


def test_without_start_it_is_refused_and_an_example_given(clients: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Settings\(start=…\) is required.*datetime\("):
        Integration(clients["loop"], clients["whiplash"], ledger=MemoryLedger(), settings=Settings())
