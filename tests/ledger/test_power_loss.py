"""The power goes at every write, sync and truncation in turn: what was acknowledged is there, what was not is whole or absent."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crash_script import START, STEPS, day, picture

from loop_whiplash import LedgerUnavailable, LoopWhiplashError
from loop_whiplash.ledger import SQLiteLedger, sqlite

pytest.importorskip("apsw", reason="apsw is not installed")

import lost_power

_numbers = itertools.count(1)


class Machine:
    """A ledger on a disk that can lose its power."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, files: dict[str, Any] | None = None, edit: Callable[[str], str] = str
    ) -> None:
        self.disk = lost_power.Disk(f"lost-power-{next(_numbers)}", files)
        self.path = folder / "ledger.db"
        self._connection: lost_power.Connection | None = None
        patch.setattr(sqlite3, "connect", self._connect)
        patch.setattr(sqlite, "AT_ONCE", 2)  # so that what waits is filed in several transactions, with a loss between two
        self._edit = edit
        self.ledger = SQLiteLedger(self.path, clock=lambda: START)

    def _connect(self, path: str, **options: Any) -> Any:
        if self._connection is None:
            self._connection = lost_power.Connection(path, self.disk, self._edit)
        return self._connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        assert self._connection is not None
        return self._connection.execute(sql).fetchall()

    def picture(self) -> str:
        self.ledger.asides()  # whoever looks files what is in the inbox
        return picture(self.rows)

    def off(self) -> None:
        self.ledger.close()
        if self._connection is not None:
            self._connection.really_close()
        self.disk.unregister()


def losses() -> Iterator[Callable[[], bool]]:
    """What reaches the disk of what was not synced: nothing, everything, some sectors."""
    yield lambda: False
    yield lambda: True
    for seed in (1, 2):
        dice = random.Random(seed)
        yield lambda dice=dice: dice.random() < 0.5


def expected(folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """The picture after each step, undisturbed."""
    machine = Machine(folder, patch)
    pictures = [machine.picture(), *(machine.picture() for _ in day(machine.ledger))]
    machine.off()
    assert len(pictures) == STEPS + 1
    return pictures


def violations(folder: Path, patch: pytest.MonkeyPatch, edit: Callable[[str], str] = str) -> tuple[int, list[str]]:
    """How often the power went, and what was wrong after."""
    pictures, after = expected(folder, patch), []
    machine = Machine(folder, patch, edit=edit)
    done = [0]

    def before(what: str) -> None:
        after.extend((done[0], what, machine.disk.after_power_loss(keep)) for keep in losses())

    machine.disk.before = before
    for _ in day(machine.ledger):
        done[0] += 1
    before("the end")
    machine.off()
    wrong = []
    for acknowledged, what, files in after:
        found, problem = None, ""
        try:
            heir = Machine(folder, patch, files)
            if heir.rows("PRAGMA integrity_check") != [("ok",)]:
                problem = "corrupt"
            found = heir.picture()
            heir.off()
        except (LoopWhiplashError, sqlite3.Error) as failed:
            problem = str(failed)
        if problem or found not in pictures[acknowledged : acknowledged + 2]:
            wrong.append(f"after {acknowledged} steps, power lost before '{what}': {problem or found}")
    return len(after), wrong


@pytest.mark.parametrize("checkpoint", [2000, 3], ids=["as it is", "with a checkpoint in nearly every step"])
def test_no_power_loss_loses_or_halves_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: int) -> None:
    times, wrong = violations(
        tmp_path, monkeypatch, lambda sql: sql.replace("wal_autocheckpoint = 2000", f"wal_autocheckpoint = {checkpoint}")
    )

    assert wrong == []
    assert times > 400


def test_a_ledger_that_does_not_sync_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend = {"PRAGMA synchronous = FULL": "PRAGMA synchronous = NORMAL", "PRAGMA synchronous": "SELECT 2"}

    _, wrong = violations(tmp_path, monkeypatch, lambda sql: pretend.get(sql, sql))

    assert any("after 15 steps" in each for each in wrong)


def test_a_ledger_that_cannot_sync_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LedgerUnavailable, match="write through"):
        Machine(tmp_path, monkeypatch, edit=lambda sql: "PRAGMA synchronous = NORMAL" if sql == "PRAGMA synchronous = FULL" else sql)


def test_a_ledger_that_cannot_keep_a_log_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LedgerUnavailable, match="write-ahead log"):
        Machine(tmp_path, monkeypatch, edit=lambda sql: "PRAGMA journal_mode = DELETE" if "journal_mode" in sql else sql)
