"""Storage that is too old, cannot keep its word, or breaks in the middle of giving up: each is told, and got over where it can be."""

from __future__ import annotations

import logging
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from benches import LEASE, START, hint

import loop_whiplash.ledger
from loop_whiplash.errors import ConfigurationError, LedgerUnavailable
from loop_whiplash.ledger import SQLiteLedger


def answers(monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]) -> None:
    """From now on SQLite answers these statements so: with a statement to run instead, or an error."""
    connect = sqlite3.connect

    class Odd(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            answer = wanted.get(sql, sql)
            if isinstance(answer, Exception):
                raise answer
            return super().execute(answer, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Odd, **options))


def test_an_old_sqlite_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"3\.35 or later"):
        SQLiteLedger(path)


@pytest.mark.parametrize(
    ("asked", "told", "sentence"),
    [("PRAGMA journal_mode = WAL", "SELECT 'delete'", "write-ahead log"), ("PRAGMA synchronous", "SELECT 1", "write through to the disk")],
)
def test_a_disk_that_cannot_keep_the_promise_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, told: str, sentence: str
) -> None:
    answers(monkeypatch, {asked: told})
    with pytest.raises(LedgerUnavailable, match=sentence):
        SQLiteLedger(path)


def test_a_connection_that_cannot_even_roll_back_is_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: dict[str, Any] = {}
    answers(monkeypatch, wanted)
    ledger = SQLiteLedger(path)
    wanted |= {"COMMIT": sqlite3.OperationalError("disk I/O error"), "ROLLBACK": sqlite3.OperationalError("disk I/O error")}
    with pytest.raises(LedgerUnavailable):
        ledger.accept_many([(hint(1), START)])
    wanted.clear()
    assert ledger.case(1) is None
    ledger.accept(hint(2), due_at=START)
    assert [claim.return_id for claim in ledger.claim_due(at=START, limit=5, lease=LEASE)] == [2]
    ledger.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_forks_goes_on_and_so_does_its_child(path: Path) -> None:
    ledger = SQLiteLedger(path)
    ledger.put("who", "parent")
    child = os.fork()
    if child == 0:
        try:
            ledger.put("child", ledger.get("who"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert ledger.get("child") == "parent"
    ledger.accept(hint(1), due_at=START)
    ledger.close()


def test_nothing_is_warned_of_where_nothing_is_wrong(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        SQLiteLedger(path).close()
        SQLiteLedger(path).close()
    assert caplog.records == []


def test_the_room_lists_what_it_holds_and_nothing_else() -> None:
    assert set(loop_whiplash.ledger.__all__) <= set(dir(loop_whiplash.ledger))
    with pytest.raises(AttributeError):
        loop_whiplash.ledger.RedisLedger  # noqa: B018
