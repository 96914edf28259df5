"""What is special about a file: who may read it, what is not a ledger, who waits for whom, and what happens when the disk fails."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import resource
import sqlite3
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import attrs
import pytest
from benches import LEASE, START, at, command, environment, hint

from loop_whiplash import ConfigurationError, LedgerError, LedgerUnavailable
from loop_whiplash.http.flow import AsyncDriver, Store
from loop_whiplash.ledger import Intent, SQLiteLedger
from loop_whiplash.ledger.sqlite import WORDS
from loop_whiplash.ledger.statements import MIGRATIONS, SET_VERSION, Statements

SECRET = b"jane.doe@example.com"


# ---------------------------------------------------------------------------------------------------- the file


def test_only_its_owner_may_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = SQLiteLedger(path)
        ledger.accept(hint(), due_at=START)
    finally:
        os.umask(before)

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    ledger.close()


def test_a_file_that_others_may_read_is_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.touch(mode=0o600)
    SQLiteLedger(path).close()
    assert caplog.records == []

    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        SQLiteLedger(path).close()
    assert "chmod 600" in caplog.text


@pytest.mark.parametrize("wrong", ["", ":memory:", "file:x.db?mode=memory", b"bytes.db"])
def test_a_ledger_on_disk_needs_a_file(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="MemoryLedger"):
        SQLiteLedger(wrong)


def test_a_path_whose_variable_is_not_set_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"such as 'returns\.db'; got None: is its environment variable set"):
        SQLiteLedger(None)  # type: ignore[arg-type]


def test_what_may_not_be_written_says_what_is_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SQLiteLedger(path).close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda at, **options: connect(f"file:{at}?mode=ro", uri=True, **options))
    with pytest.raises(LedgerUnavailable, match=r"READONLY.*this user must be allowed to write the file and its directory"):
        SQLiteLedger(path).put("watermark", "2026")


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no directory .*missing"):
        SQLiteLedger(tmp_path / "missing" / "ledger.db")


def test_what_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    leads_nowhere = tmp_path / "ledger.db"
    leads_nowhere.symlink_to(tmp_path / "gone" / "ledger.db")
    with pytest.raises(LedgerUnavailable, match="cannot be made: No such file"):
        SQLiteLedger(leads_nowhere)


def test_a_file_of_another_kind_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to be looked at as one" * 20)
    with pytest.raises(LedgerUnavailable, match=r"SQLITE_NOTADB.*give the ledger a file of its own"):
        SQLiteLedger(path)


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(LedgerError, match="not a ledger"):
        SQLiteLedger(path)
    assert path.read_bytes() == before


def test_a_newer_ledger_asks_for_an_upgrade(path: Path) -> None:
    SQLiteLedger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE lw_schema SET version = 999")
    connection.close()

    with pytest.raises(LedgerError, match=r"999.*upgrade loop-whiplash") as refused:
        SQLiteLedger(path)
    assert not isinstance(refused.value, LedgerUnavailable)  # to try again would not help


def test_a_ledger_of_the_first_version_is_brought_up(path: Path) -> None:
    connection = sqlite3.connect(path)
    for sql in (*MIGRATIONS[0], SET_VERSION[1]):
        connection.execute(WORDS.fill(sql), {"version": 1})
    statements = Statements.in_words(WORDS)
    row = {"shop": "", "return_id": 7, "at": 1, "due_at": 1, "times": 1, "kind": "loop.hint", "source": "", "body": b"{}"}
    connection.execute(statements.bring_forward, row)
    connection.execute(statements.append, {**row, "digest": b"d"})
    connection.commit()
    connection.close()

    ledger = SQLiteLedger(path)
    ledger.accept(hint(7, b"new"), due_at=START)
    assert [event.body for event in ledger.unread(7)] == [b"{}", b"new"]
    ledger.close()


def test_what_was_stored_is_there_for_the_next_process(path: Path) -> None:
    first = SQLiteLedger(path, shop="acme")
    first.accept(hint(), due_at=at(5))
    first.close()

    second = SQLiteLedger(path, shop="acme")
    assert second.case(7).due_at == at(5)
    second.close()


def test_shops_share_a_file_and_nothing_else(path: Path) -> None:
    acme, other = SQLiteLedger(path, shop="acme"), SQLiteLedger(path, shop="o'ther")
    intent = Intent(kind="create", ordinal=1, at=START)
    for ledger in (acme, other):
        ledger.accept(hint(body=ledger.shop.encode()), due_at=START)
        ledger.accept(hint(None), due_at=None)
        ledger.put("mark", ledger.shop)
        (claim,) = ledger.claim_due(at=START, limit=9, lease=LEASE)
        assert ledger.commit(claim, journal={}, intent=intent, read_to=claim.unread[-1].seq)
    acme.forget(7)

    assert [event.body for event in other.history(7)] == [b"o'ther"]
    assert (acme.get("mark"), other.get("mark")) == ("acme", "o'ther")
    assert acme.expire(before=at(1)) == 1
    assert other.stats(at=START)["events"] == 2
    acme.close()
    other.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_was_taken_away_is_not_written_to(path: Path, ledger: SQLiteLedger, how: str) -> None:
    ledger.accept(hint(), due_at=START)
    path.rename(path.with_suffix(".old"))
    if how == "replaced":
        path.touch()

    with pytest.raises(LedgerUnavailable, match="removed or replaced"):
        ledger.accept(hint(8), due_at=START)


# ---------------------------------------------------------------------------------------------------- writers


def test_another_writer_is_waited_for_and_then_given_up_on(path: Path, ledger: SQLiteLedger) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerUnavailable, match="SQLITE_BUSY") as busy:
        ledger.accept(hint(), due_at=START)
    assert busy.value.status_hint == 503
    assert ledger.case(7) is None  # readers are not kept waiting

    other.execute("COMMIT")
    other.close()
    ledger.accept(hint(), due_at=START)
    assert ledger.case(7) is not None


def test_forked_workers_share_the_file(path: Path) -> None:
    done = subprocess.run(
        command("forking.py", "sqlite", str(path)), env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_an_event_loop_uses_it_from_its_threads(path: Path) -> None:
    ledger = SQLiteLedger(path)  # with the patience it has by default: a hundred threads take turns

    async def story() -> None:
        driver = AsyncDriver()

        async def webhook(return_id: int) -> int:
            return await Store(lambda: ledger.accept(hint(return_id), due_at=START))

        await asyncio.gather(*(driver.run(webhook(return_id)) for return_id in range(1, 101)))

    asyncio.run(story())
    assert len(ledger.claim_due(at=START, limit=200, lease=LEASE)) == 100
    ledger.close()


def test_an_interrupt_leaves_nothing_locked_and_nothing_half_done(path: Path) -> None:
    interrupt = [False]

    def clock() -> datetime:
        if interrupt[0]:
            interrupt[0] = False
            raise KeyboardInterrupt
        return START

    ledger = SQLiteLedger(path, clock=clock)
    ledger.accept(hint(), due_at=START)
    interrupt[0] = True
    with pytest.raises(KeyboardInterrupt):
        ledger.claim_due(at=START, limit=1, lease=LEASE)
    assert len(ledger.claim_due(at=START, limit=1, lease=LEASE)) == 1
    ledger.close()


# ---------------------------------------------------------------------------------------------------- failures


def test_a_full_disk_stores_nothing_and_is_got_over(path: Path, ledger: SQLiteLedger) -> None:
    ledger.accept(hint(1), due_at=START)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("ledger.db-wal").stat().st_size + 8192, hard))
    try:
        with pytest.raises(LedgerUnavailable, match=r"SQLITE_(FULL|IOERR)"):
            ledger.accept(hint(2, SECRET * 10_000), due_at=START)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert ledger.case(2) is None
    ledger.accept(hint(2), due_at=START)
    assert [row.return_id for row in ledger.open_cases()] == [1, 2]


@pytest.mark.parametrize("table", ["lw_inbox", "lw_events"])
def test_errors_never_quote_what_was_stored(path: Path, ledger: SQLiteLedger, table: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, '{SECRET.decode()}'); END")
    connection.close()

    with pytest.raises(LedgerUnavailable) as failed:
        ledger.accept(hint(7, SECRET), due_at=START)
        ledger.case(7)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert SECRET.decode() not in str(failed.value)

    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER broken")
        assert connection.execute("SELECT COUNT(*) FROM lw_cases").fetchone() == (0,)  # made before the event was refused, undone with it
    connection.close()
    assert (ledger.case(7) is None) is (table == "lw_inbox")  # what could not be filed is not lost


def test_what_was_forgotten_is_not_in_the_files(path: Path, ledger: SQLiteLedger) -> None:
    claim_body = SECRET * 3000
    ledger.accept(hint(7, claim_body), due_at=START)
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary={"reasons": [SECRET.decode()]}, at=START)
    assert any(SECRET in each.read_bytes() for each in path.parent.iterdir())

    ledger.forget(7)

    assert [each.name for each in path.parent.iterdir() if SECRET in each.read_bytes()] == []


# ---------------------------------------------------------------------------------------------------- speed


def test_no_statement_reads_a_whole_table(path: Path) -> None:
    SQLiteLedger(path).close()
    connection = sqlite3.connect(path)
    statements = attrs.asdict(Statements.in_words(WORDS))
    counting = {name for name in statements if name.startswith("count_")} | {"version"}
    for name, sql in statements.items():
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(re.findall(r":([a-z_]+)", sql), 1))]
        scans = [step for step in plan if step.startswith("SCAN lw_") or step.endswith("(shop=?)")]
        assert name in counting or not scans, (name, plan)
        assert name not in IN_ORDER or not any("TEMP B-TREE" in step for step in plan), (name, plan)
    connection.close()


#: What comes in pages or picks the first few must find them in order, not sort all there are.
IN_ORDER = ("lease_due", "open_cases", "cases_with_breaks")


def test_opening_does_not_import_the_other_drivers() -> None:
    program = "import sys; from loop_whiplash.ledger import SQLiteLedger; print([m for m in ('psycopg', 'httpx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
