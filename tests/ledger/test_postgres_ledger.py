# ruff: noqa: F401, F811 - a fixture is imported by its name
"""What is special about a server: connections that are lost, roles that may not, several workers that begin at once."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from benches import LEASE, START, at, command, environment, hint, together

from loop_whiplash import ConfigurationError, LedgerError, LedgerUnavailable
from loop_whiplash.ledger import Event, Intent, PostgresLedger
from loop_whiplash.ledger.statements import VERSION
from postgres_server import postgres

psycopg = pytest.importorskip("psycopg", reason="psycopg 3 is not installed")

Admin = psycopg.Connection[tuple[object, ...]]
SECRET = "jane.doe@example.com"
DOCS = Path(__file__).parent.parent.parent / "docs" / "ledgers.md"


@pytest.fixture
def ledger(postgres: str) -> Iterator[PostgresLedger]:
    ledger = PostgresLedger(postgres, lock_timeout=0.3)
    yield ledger
    ledger.close()


@pytest.fixture
def admin(postgres: str) -> Iterator[Admin]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


def end_sessions(admin: Admin) -> None:
    """As a restart of the server does."""
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'loop-whiplash'")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline


# ---------------------------------------------------------------------------------------------------- connections


def test_a_lost_connection_is_made_again(ledger: PostgresLedger, admin: Admin) -> None:
    ledger.accept(hint(1), due_at=START)
    end_sessions(admin)

    ledger.accept(hint(2), due_at=START)
    assert [row.return_id for row in ledger.open_cases()] == [1, 2]


def test_a_server_that_is_not_there_is_unavailable_and_named_without_the_password() -> None:
    ledger = PostgresLedger("host=127.0.0.1 port=1 user=worker password=hunter2 dbname=returns connect_timeout=2")

    with pytest.raises(LedgerUnavailable, match="cannot be reached") as failed:
        ledger.accept(hint(), due_at=START)
    assert failed.value.status_hint == 503
    assert "hunter2" not in str(failed.value)
    assert "\n" not in str(failed.value)
    ledger.close()


def test_a_dsn_whose_variable_is_not_set_is_told() -> None:
    with pytest.raises(ConfigurationError, match="dsn must be text; got None: is its environment variable set"):
        PostgresLedger(None)  # type: ignore[arg-type]


def test_a_connection_lost_in_the_middle_of_a_transaction_is_begun_again(
    ledger: PostgresLedger, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.put("connected", "yes")
    execute, cut = psycopg.Connection.execute, ["lw_events"]

    def execute_and_lose(self: object, sql: object, *args: object, **options: object) -> object:
        if cut and cut[0] in str(sql):
            cut.clear()
            end_sessions(admin)
        return execute(self, sql, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute_and_lose)
    ledger.accept(hint(), due_at=START)
    assert [event.count for event in ledger.history(7)] == [1]


def test_a_connection_lost_while_it_commits_leaves_it_open_and_says_so(
    ledger: PostgresLedger, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.accept(hint(), due_at=START)
    claim = ledger.claim(7, at=START, lease=LEASE)
    execute, cut = psycopg.Connection.execute, [b"COMMIT"]

    def commit_and_lose(self: object, sql: object, *args: object, **options: object) -> object:
        if cut and sql == cut[0]:
            cut.clear()
            execute(self, sql, *args, **options)
            end_sessions(admin)
            raise psycopg.OperationalError("the answer never came")
        return execute(self, sql, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", commit_and_lose)
    intent = Intent(kind="create", ordinal=1, at=START)
    with pytest.raises(LedgerUnavailable, match="may or may not have been stored"):
        ledger.commit(claim, journal={"phase": "sending"}, read_to=claim.unread[-1].seq, intent=intent)
    assert ledger.case(7).journal == {"phase": "sending"}  # whoever goes on finds the intent, and does not send


def test_a_row_somebody_keeps_is_given_up_on(ledger: PostgresLedger, admin: Admin) -> None:
    ledger.accept(hint(7), due_at=START)
    with admin.transaction():
        admin.execute("SELECT 1 FROM lw_cases FOR UPDATE")
        with pytest.raises(LedgerUnavailable, match="LockNotAvailable"):
            ledger.accept(hint(7, b"other"), due_at=START)
        assert ledger.claim_due(at=START, limit=5, lease=LEASE) == []  # a claim steps over it
        ledger.accept(hint(8), due_at=START)  # and other returns go on

    ledger.accept(hint(7, b"other"), due_at=START)
    assert len(ledger.claim_due(at=START, limit=5, lease=LEASE)) == 2


def test_a_deadlock_is_got_over(ledger: PostgresLedger, admin: Admin, postgres: str) -> None:
    patient = PostgresLedger(postgres)
    patient.accept_many([(hint(1), START), (hint(2), START)])
    admin.execute("SET deadlock_timeout = '10s'")  # so that it is the ledger's transaction that is undone
    with admin.transaction():
        admin.execute("SELECT 1 FROM lw_cases WHERE return_id = 2 FOR UPDATE")
        worker = threading.Thread(target=lambda: patient.accept_many([(hint(1, b"x"), START), (hint(2, b"x"), START)]))
        worker.start()
        until(lambda: admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall())
        admin.execute("SELECT 1 FROM lw_cases WHERE return_id = 1 FOR UPDATE")
    worker.join(timeout=30)

    assert [len(patient.history(return_id)) for return_id in (1, 2)] == [2, 2]
    patient.close()


def test_each_thread_has_its_connection_and_leaves_none_behind(ledger: PostgresLedger, admin: Admin) -> None:
    def count() -> int:
        return admin.execute("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'loop-whiplash'").fetchone()[0]

    ledger.put("mine", "1")
    together(*[lambda: ledger.put("theirs", "1")] * 5)
    until(lambda: count() == 1)  # the server takes a moment to see that they are gone
    ledger.close()
    until(lambda: count() == 0)


def test_forked_workers_have_connections_of_their_own(postgres: str) -> None:
    done = subprocess.run(
        command("forking.py", "postgres", postgres), env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------------------------------------------- the schema


def test_workers_that_begin_at_once_make_the_tables_once(postgres: str) -> None:
    ledgers = [PostgresLedger(postgres) for _ in range(8)]
    together(*[lambda ledger=ledger: ledger.accept(hint(), due_at=START) for ledger in ledgers])

    assert [event.count for event in ledgers[0].history(7)] == [8]
    for ledger in ledgers:
        ledger.close()


def test_a_newer_ledger_asks_for_an_upgrade(ledger: PostgresLedger, admin: Admin, postgres: str) -> None:
    ledger.put("made", "yes")
    admin.execute("UPDATE lw_schema SET version = 999")

    with pytest.raises(LedgerError, match=r"999.*upgrade") as refused:
        PostgresLedger(postgres).get("made")
    assert not isinstance(refused.value, LedgerUnavailable)


def test_an_older_ledger_is_brought_up(ledger: PostgresLedger, admin: Admin, postgres: str) -> None:
    ledger.accept(hint(), due_at=START)
    admin.execute("UPDATE lw_schema SET version = 1")

    newer = PostgresLedger(postgres)
    assert len(newer.unread(7)) == 1
    assert admin.execute("SELECT version FROM lw_schema").fetchall() == [(VERSION,)]
    newer.close()


def test_shops_share_a_database_and_nothing_else(postgres: str) -> None:
    acme, other = PostgresLedger(postgres, shop="acme"), PostgresLedger(postgres, shop="o'ther")
    for ledger in (acme, other):
        ledger.accept(hint(body=ledger.shop.encode()), due_at=START)
        ledger.accept(hint(None), due_at=None)
        assert len(ledger.claim_due(at=START, limit=9, lease=LEASE)) == 1
    assert acme.expire(before=at(1)) == 1
    assert [event.body for event in other.history(7)] == [b"o'ther"]
    assert len(other.asides()) == 1
    acme.close()
    other.close()


def worker_role(admin: Admin, postgres: str) -> str:
    schema = admin.execute("SELECT current_schema()").fetchone()[0]
    admin.execute("DROP ROLE IF EXISTS worker")
    admin.execute("CREATE ROLE worker LOGIN")
    admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO worker")
    return postgres.replace("user=tester", "user=worker")


def test_a_worker_needs_no_more_than_the_grants_of_the_page(
    ledger: PostgresLedger,
    admin: Admin,
    postgres: str,
) -> None:
    ledger.put("made", "by the owner")
    dsn = worker_role(admin, postgres)
    grants = re.search(r"```sql\n(-- grants.*?)```", DOCS.read_text(), re.DOTALL).group(1)
    admin.execute(grants)

    worker = PostgresLedger(dsn)
    worker.accept(hint(), due_at=START)
    (claim,) = worker.claim_due(at=START, limit=1, lease=LEASE)
    intent = Intent(kind="create", ordinal=1, at=START)
    assert worker.commit(claim, journal={}, read_to=claim.unread[-1].seq, intent=intent)
    assert worker.commit(claim, journal={}, withdraw=intent, events=[Event(kind="step.x", return_id=7, at=START)])
    worker.finish(claim, journal={}, read_to=0, due_at=None, summary={}, at=START)
    worker.forget(7)
    assert worker.expire(before=at(1)) == 2
    worker.put("k", "v")
    worker.put("k", None)
    assert worker.stats(at=START)["cases"] == 1
    worker.close()


@pytest.mark.parametrize("made", [True, False])
def test_a_worker_that_may_not_is_told_what_to_do(
    ledger: PostgresLedger,
    admin: Admin,
    postgres: str,
    made: bool,
) -> None:
    if made:
        ledger.put("made", "by the owner")
    worker = PostgresLedger(worker_role(admin, postgres))
    with pytest.raises(LedgerError, match=r"owner.*grant"):
        worker.accept(hint(), due_at=START)
    worker.close()


# ---------------------------------------------------------------------------------------------------- durability, words


def test_a_role_that_does_not_wait_for_the_disk_is_made_to(
    admin: Admin,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    execute = psycopg.Connection.execute

    def looking(self: Admin, sql: object, *args: object, **options: object) -> object:
        if "INSERT INTO lw_events" in str(sql):
            seen.append(execute(self, "SHOW synchronous_commit").fetchone()[0])
        return execute(self, sql, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", looking)
    for setting, expected in (("off", "on"), ("local", "local")):
        seen.clear()
        ledger = PostgresLedger(postgres.replace("options='", f"options='-c synchronous_commit={setting} "))
        ledger.accept(hint(), due_at=START)
        assert seen == [expected]
        ledger.close()


def test_the_server_of_these_tests_writes_through(ledger: PostgresLedger, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ledger.put("k", "v")
    assert "fsync" not in caplog.text


@pytest.mark.parametrize("dsn", ["host = = hunter2", "postgresql://u:hunter2@[broken/db", "hunter2"])
def test_a_dsn_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="connection string") as refused:
        PostgresLedger(dsn)
    assert "hunter2" not in str(refused.value)


def test_errors_never_quote_what_was_stored(ledger: PostgresLedger, admin: Admin) -> None:
    ledger.put("made", "yes")
    admin.execute(f"ALTER TABLE lw_events ADD CONSTRAINT broken CHECK (source <> '{SECRET}')")

    with pytest.raises(LedgerUnavailable, match="CheckViolation") as failed:
        ledger.accept(Event(kind="k", return_id=7, at=START, source=SECRET), due_at=START)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__
    assert SECRET not in str(failed.value)
    assert ledger.case(7) is None


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"loop-whiplash\[postgres\]"):
        PostgresLedger("dbname=returns")
