"""Token stores: one place a token, one who refreshes, and a file nobody else can read."""

from __future__ import annotations

import os
import stat
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from loop_whiplash import ConfigurationError, MemoryTokenStore, SQLiteTokenStore, Token, TokenStore

FIRST = Token(access_token="a", refresh_token="r", expires_at=datetime(2026, 3, 2, tzinfo=UTC), scope="user_manage")
SECOND = Token(access_token="b")


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> TokenStore:
    return MemoryTokenStore(clock=clock) if request.param == "memory" else SQLiteTokenStore(tmp_path / "t.db", clock=clock)


def test_a_token_is_replaced_only_where_it_still_is_the_one(store: TokenStore) -> None:
    assert store.load() is None
    assert store.save(FIRST, replaces=None)
    assert store.load() == FIRST
    assert not store.save(SECOND, replaces=None)
    assert not store.save(SECOND, replaces=SECOND)
    assert store.load() == FIRST
    assert store.save(SECOND, replaces=FIRST)
    assert store.load() == SECOND


def test_one_claim_at_a_time_that_lapses(store: TokenStore, clock: Clock) -> None:
    assert store.claim(10)
    assert not store.claim(10)
    clock.at += 9.9
    assert not store.claim(10)
    clock.at += 0.1
    claim = store.claim(10)
    assert claim
    store.release(claim)
    assert store.claim(10)


def test_of_many_threads_one_gets_the_claim(store: TokenStore) -> None:
    got: list[str | None] = []
    threads = [threading.Thread(target=lambda: got.append(store.claim(60))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(None) == 7


def test_a_claim_that_lapsed_is_not_given_back_for_another(store: TokenStore, clock: Clock) -> None:
    lapsed = store.claim(10)
    assert lapsed
    clock.at += 11
    assert store.claim(10)  # by another thread, of one store or of two
    store.release(lapsed)
    assert not store.claim(10)


def test_two_stores_on_one_file_see_the_same_token(tmp_path: Path) -> None:
    one, other = SQLiteTokenStore(tmp_path / "t.db"), SQLiteTokenStore(str(tmp_path / "t.db"))
    assert one.save(FIRST, replaces=None)
    assert other.load() == FIRST
    assert not other.save(SECOND, replaces=None)


def test_accounts_in_one_file_share_nothing(tmp_path: Path) -> None:
    one, other = SQLiteTokenStore(tmp_path / "t.db", account="shop-1"), SQLiteTokenStore(tmp_path / "t.db", account="shop-2")
    assert one.save(FIRST, replaces=None)
    assert other.load() is None
    assert one.claim(60)
    assert other.claim(60)


def test_times_are_kept_in_utc(tmp_path: Path) -> None:
    store = SQLiteTokenStore(tmp_path / "t.db")
    token = Token(access_token="a", expires_at=datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=2))))
    assert store.save(token, replaces=None)
    found = store.load()
    assert found == token
    assert found is not None
    assert str(found.expires_at) == "2026-03-02 08:00:00+00:00"


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SQLiteTokenStore(tmp_path / "t.db").save(FIRST, replaces=None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "t.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_file_that_no_other_process_sees_is_no_shared_store(path: Any) -> None:
    with pytest.raises(ConfigurationError, match="MemoryTokenStore"):
        SQLiteTokenStore(path)


def test_a_token_knows_its_time_zone_and_prints_no_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        Token(access_token="a", expires_at=datetime(2026, 3, 2))
    secret = Token(access_token="s3cret-a", refresh_token="s3cret-r")
    stores = (MemoryTokenStore(secret), SQLiteTokenStore(tmp_path / "t.db"))
    for value in (secret, *stores):
        assert "s3cret" not in repr(value) + str(value)
