"""Every mistake that a first evening holds says what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loop_whiplash import (
    ConfigurationError,
    Integration,
    LoopClient,
    MemoryLedger,
    Settings,
    SQLiteLedger,
    WhiplashClient,
    to_receipt,
    to_rma,
)

START = Settings(start=datetime(2026, 12, 1, tzinfo=UTC))


def integration(settings: Settings = START, **options: object) -> Integration:
    return Integration(LoopClient("key"), WhiplashClient("token"), ledger=MemoryLedger(), settings=settings, **options)  # type: ignore[arg-type]


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "no key": (lambda: LoopClient(""), "API key is empty"),
    "a key whose variable is not set": (lambda: LoopClient(None), "API key as text, .* got None: is its environment variable set"),  # type: ignore[arg-type]
    "a token whose variable is not set": (lambda: WhiplashClient(None), "access token as text, .* got None"),  # type: ignore[arg-type]
    "no version in the address of Loop": (lambda: LoopClient("key", base_url="https://api.loopreturns.com"), "lacks the version path"),
    "no version in that of Whiplash": (lambda: WhiplashClient("token", base_url="https://www.getwhiplash.com/"), "lacks the version path"),
    "no scheme": (lambda: LoopClient("key", base_url="api.loopreturns.com/api/v1"), "https://host/path"),
    "a customer's name for its id": (lambda: WhiplashClient("token", customer_id="Acme"), "customer_id is a whole number, such as 24"),
    "no start": (lambda: integration(Settings()), r"Settings\(start=…\) is required"),
    "a start without zone": (lambda: Settings.from_dict({"start": "2026-12-01"}), "time zone"),
    "a start in words": (lambda: Settings.from_dict({"start": "tomorrow"}), "ISO 8601"),
    "one secret for a list": (lambda: integration(loop_secrets="secret"), "loop_secrets is a list of secrets"),
    "no secret": (lambda: integration().handle_loop(b"{}", {}), "loop secrets is empty"),
    "an empty secret": (lambda: integration(loop_secrets=[""]).handle_loop(b"{}", {}), "is its environment variable set"),
    "a parsed body": (lambda: integration(loop_secrets=["s"]).handle_loop({}, {}), "raw bytes of the request"),  # type: ignore[arg-type]
    "a payload for a return": (lambda: to_rma({"id": 7}), r"of a payload, Return.from_dict\(\) makes one; it got a dict"),  # type: ignore[arg-type]
    "a payload for a count": (lambda: to_receipt({"id": 7}), r"ConsumerReturn.from_dict\(\) makes one; it got a dict"),  # type: ignore[arg-type]
    "a directory that is not there": (lambda: SQLiteLedger("/nowhere/returns.db"), "there is no directory /nowhere"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_says_what_to_do(mistake: str) -> None:
    make, says = MISTAKES[mistake]
    with pytest.raises(ConfigurationError, match=says):
        make()


def test_a_directory_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name the file in it"):
        SQLiteLedger(tmp_path)


def test_blanks_around_a_number_from_the_environment_do_no_harm() -> None:
    assert WhiplashClient("token", customer_id=" 24\n").session.headers["X-Customer-Id"] == "24"
