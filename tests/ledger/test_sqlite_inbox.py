"""What comes in on SQLite is one row, filed among cases and events by whoever looks next: nobody who looks can tell that it is."""

from __future__ import annotations

import contextlib
import itertools
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from benches import LEASE, START, at, hint

from loop_whiplash import IntentExists, LeaseLost, LedgerUnavailable
from loop_whiplash.ledger import Claim, Event, Intent, SQLiteLedger, sqlite

SECRET = b"jane.doe@example.com"
INTENT = Intent(kind="process", ordinal=1, at=START)


@pytest.fixture
def other(path: Path) -> Iterator[SQLiteLedger]:
    """As another process has it: with connections of its own."""
    other = SQLiteLedger(path, busy_timeout=0.1)
    other.stats(at=START)  # connected
    yield other
    other.close()


def inbox(path: Path) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT COUNT(*) FROM lw_inbox").fetchone()
    connection.close()
    return int(count)


@attrs.define
class Statements:
    """Calls `before` before, and `after` after, each statement of connections made from now on."""

    before: Callable[[str], None] = lambda sql: None
    after: Callable[[str], None] = lambda sql: None

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connect, statements = sqlite3.connect, self

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
                statements.before(sql)
                cursor = super().execute(sql, *values)
                statements.after(sql)
                return cursor

        monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Watched, **options))


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch, other: SQLiteLedger) -> Statements:
    """Those of `ledger`; `other` is connected before."""
    statements = Statements()
    statements.watch(monkeypatch)
    return statements


# ---------------------------------------------------------------------------------------------------- who sees what


def test_what_comes_in_is_one_row_until_somebody_looks(path: Path, statements: Statements, ledger: SQLiteLedger) -> None:
    written: list[str] = []
    ledger.get("connected")
    statements.before = written.append
    ledger.accept(hint(7, b"x"), due_at=at(5))
    assert [sql.split()[:3] for sql in written] == [["INSERT", "INTO", "lw_inbox"]]
    assert inbox(path) == 1

    assert ledger.case(7).due_at == at(5)
    assert inbox(path) == 0


def settled(ledger: SQLiteLedger) -> None:
    """Return 7 has a break and nothing to do, its event is old; return 9 has one that is read."""
    for return_id in (7, 9):
        ledger.accept(hint(return_id, b"old", minutes=-90), due_at=START)
        (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
        summary = {"breaks": [{"code": "X"}]}
        ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary=summary, at=START)


#: Each looks at cases or events, and so must see what came in just before: a word on return 7, and one that names no return.
LOOKS: dict[str, Callable[[SQLiteLedger], object]] = {
    "case": lambda ledger: ledger.case(7).due_at == START,
    "history": lambda ledger: [event.body for event in ledger.history(7)] == [b"old", b"new"],
    "unread": lambda ledger: [event.body for event in ledger.unread(7)] == [b"new"],
    "asides": lambda ledger: [event.body for event in ledger.asides()] == [b"aside"],
    "open_cases": lambda ledger: [row.return_id for row in ledger.open_cases()] == [7],
    "cases_with_breaks": lambda ledger: [row.due_at for row in ledger.cases_with_breaks()] == [START, None],
    "stats": lambda ledger: (found := ledger.stats(at=START))["due"] == found["open"] == found["asides"] == 1 and found["events"] == 4,
    "claim": lambda ledger: [event.body for event in ledger.claim(7, at=START, lease=LEASE).unread] == [b"new"],
    "claim_due": lambda ledger: [claim.return_id for claim in ledger.claim_due(at=START, limit=9, lease=LEASE)] == [7],
    # The aside, and what return 9 has; 7 is open again.
    "expire": lambda ledger: ledger.expire(before=at(10)) == 2 and [event.body for event in ledger.history(7)] == [b"", b"new"],
}


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks_sees_what_another_process_took_in(ledger: SQLiteLedger, other: SQLiteLedger, look: str) -> None:
    settled(ledger)
    other.accept_many([(hint(7, b"new"), START), (hint(None, b"aside"), None)])
    assert LOOKS[look](ledger)


def test_whoever_looks_files_what_came_in_for_other_shops_too(path: Path) -> None:
    acme, emca = SQLiteLedger(path, shop="acme"), SQLiteLedger(path, shop="emca")
    for ledger, body in ((acme, b"a"), (emca, b"b"), (acme, b"c")):
        ledger.accept(hint(7, body), due_at=START)

    assert [event.body for event in emca.history(7)] == [b"b"]
    assert inbox(path) == 0
    assert [event.body for event in acme.history(7)] == [b"a", b"c"]
    assert [len(ledger.claim_due(at=START, limit=9, lease=LEASE)) for ledger in (acme, emca)] == [1, 1]
    acme.close()
    emca.close()


def test_a_full_inbox_is_filed_in_the_order_it_came(path: Path, ledger: SQLiteLedger) -> None:
    for number in range(900):
        ledger.accept(hint(1 + number % 90, b"%d" % (number % 450), minutes=number), due_at=at(number))

    assert inbox(path) == 900
    assert ledger.stats(at=START)["events"] == 450
    for return_id in (1, 90):
        whole = [(event.body, event.count, event.at) for event in ledger.unread(return_id)]
        assert whole == [(b"%d" % (number - 450), 2, at(number)) for number in range(449 + return_id, 900, 90)]
    assert ledger.case(90).due_at == at(89)
    newest = max(event.seq for return_id in range(1, 91) for event in ledger.unread(return_id))
    assert newest == 900  # each got its own, those that were repetitions too
    ledger.accept(hint(), due_at=START)
    assert ledger.unread(7)[-1].seq > newest


def test_a_settled_return_is_open_again_when_something_comes_in(ledger: SQLiteLedger) -> None:
    ledger.accept(hint(7, b"one"), due_at=START)
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary={"breaks": [{"code": "X"}]}, at=START)
    assert ledger.cases_with_breaks()[0].due_at is None
    ledger.accept(hint(7, b"two", minutes=-90), due_at=at(1))

    assert ledger.expire(before=at(-10)) == 0  # what is open is not deleted
    ledger.accept(hint(7, b"three"), due_at=at(0))
    assert ledger.cases_with_breaks()[0].due_at == START
    assert [event.body for event in ledger.history(7)] == [b"one", b"two", b"three"]


def test_what_is_forgotten_is_not_in_the_inbox_either(path: Path, ledger: SQLiteLedger) -> None:
    ledger.accept(hint(7, SECRET * 100), due_at=START)
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    ledger.accept(hint(7, SECRET * 200), due_at=START)
    ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary={}, at=START)
    ledger.forget(7)
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary={}, at=START)
    ledger.forget(7)

    assert [each.name for each in path.parent.iterdir() if SECRET in each.read_bytes()] == []


def test_a_return_that_is_only_in_the_inbox_can_be_forgotten(ledger: SQLiteLedger) -> None:
    ledger.accept(hint(7, SECRET), due_at=START)
    ledger.forget(7)
    assert [event.body for event in ledger.unread(7)] == [SECRET]  # a word is never lost before a plan has taken it in
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    ledger.finish(claim, journal={}, read_to=claim.unread[-1].seq, due_at=None, summary={}, at=START)
    assert [event.body for event in ledger.history(7)] == [b""]


# ---------------------------------------------------------------------------------------------------- numbers


def test_no_number_is_given_twice_whatever_was_deleted_in_between(ledger: SQLiteLedger, other: SQLiteLedger) -> None:
    given = []
    for _ in range(4):
        for each in (ledger, other, ledger):  # the same event: it is moved to the end
            each.accept(hint(None), due_at=None)
            given.append(other.asides()[0].seq)
        assert ledger.expire(before=at(1)) == 1  # the newest of all, and the only one
    assert given == sorted(set(given))


def test_numbers_go_on_where_sqlite_has_forgotten_how_far_it_was(path: Path, ledger: SQLiteLedger) -> None:
    """As after a recovery from a damaged file, which may bring back the rows and not that."""
    for number in range(3):
        ledger.accept(hint(7, b"%d" % number), due_at=START)
    before = [event.seq for event in ledger.unread(7)]
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM sqlite_sequence")
    connection.close()

    ledger.accept(hint(7, b"3"), due_at=START)
    after = ledger.unread(7)
    assert [event.body for event in after] == [b"0", b"1", b"2", b"3"]
    assert [event.seq for event in after[:3]] == before
    assert after[3].seq > before[-1]


def test_a_step_of_ours_comes_after_what_had_come_in_before_it(ledger: SQLiteLedger, other: SQLiteLedger) -> None:
    claim = claimed(ledger)
    for number in range(3):
        other.accept(hint(7, b"%d" % number), due_at=START)
        ledger.commit(claim, journal={}, events=[Event(kind=f"step.{number}", return_id=7, at=START)])
    other.accept(hint(7, b"last"), due_at=START)
    ledger.finish(claim, journal={}, read_to=0, due_at=None, summary={}, at=START, events=[Event(kind="step.end", return_id=7, at=START)])

    told = [event.body.decode() or event.kind for event in ledger.history(7)]
    assert told == ["{}", "0", "step.0", "1", "step.1", "2", "step.2", "last", "step.end"]
    assert [event.body for event in ledger.unread(7)] == [b"0", b"1", b"2", b"last"]


# ---------------------------------------------------------------------------------------------------- a worker in the middle


def claimed(ledger: SQLiteLedger) -> Claim:
    """Return 7, with all it had taken into its journal."""
    ledger.accept(hint(7), due_at=START)
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    assert ledger.commit(claim, journal={}, read_to=claim.unread[-1].seq)
    return claim


def crowd(ledger: SQLiteLedger, waiting: int) -> None:
    """So many rows wait."""
    ledger.accept_many([(hint(100 + number), at(60)) for number in range(waiting)])


@pytest.mark.parametrize("waiting", [0, 1, 199, 200, 450])
def test_a_hold_that_was_stored_before_the_last_moment_stops_the_action(
    statements: Statements, ledger: SQLiteLedger, other: SQLiteLedger, waiting: int
) -> None:
    """Another process stores it just before any of the transactions of the commit: what is decided there, it has seen."""
    claim, read_to = claimed(ledger), 0
    for moment in itertools.count():
        crowd(other, waiting)
        begins, held = itertools.count(), []

        def before(sql: str, begins: Iterator[int] = begins, moment: int = moment, held: list[int] = held) -> None:
            if sql == "BEGIN IMMEDIATE" and next(begins) == moment:
                other.accept(hint(7, b"%d" % moment, kind="person.hold"), due_at=START)
                held.append(moment)

        statements.before = before
        allowed = ledger.commit(claim, journal={}, read_to=read_to, intent=INTENT)
        statements.before = lambda sql: None
        if not held:  # the commit had no more transactions than that
            break
        assert not allowed
        hold = ledger.unread(7)[-1]
        assert (hold.kind, hold.body) == ("person.hold", b"%d" % moment)
        read_to = hold.seq
    assert allowed
    assert moment == 1 + waiting // sqlite.AT_ONCE


@pytest.mark.parametrize("waiting", [0, 200])
def test_what_comes_in_at_the_last_moment_makes_the_return_due_again(
    statements: Statements, ledger: SQLiteLedger, other: SQLiteLedger, waiting: int
) -> None:
    claim = claimed(ledger)
    crowd(other, waiting)
    begins = itertools.count()

    def before(sql: str) -> None:
        if sql == "BEGIN IMMEDIATE" and next(begins) == waiting // sqlite.AT_ONCE:
            other.accept(hint(7, b"late"), due_at=at(50))

    statements.before = before
    ledger.finish(claim, journal={}, read_to=0, due_at=None, summary={}, at=START)
    statements.before = lambda sql: None
    assert next(begins) == 1 + waiting // sqlite.AT_ONCE
    assert (ledger.case(7).due_at, [event.body for event in ledger.unread(7)]) == (START, [b"late"])


@pytest.mark.parametrize("waiting", [3, 450])
def test_a_worker_that_is_refused_loses_nothing_of_what_waits(ledger: SQLiteLedger, other: SQLiteLedger, waiting: int) -> None:
    claim = claimed(ledger)
    assert ledger.commit(claim, journal={}, intent=INTENT)
    stale = attrs.evolve(claim, fence=claim.fence - 1)
    crowd(other, waiting)
    with pytest.raises(LeaseLost):
        ledger.commit(stale, journal={})
    with pytest.raises(IntentExists):
        ledger.commit(claim, journal={}, intent=INTENT)
    with pytest.raises(LeaseLost):
        ledger.finish(stale, journal={}, read_to=0, due_at=None, summary={}, at=START)

    assert ledger.stats(at=START)["events"] == 1 + waiting
    assert {event.count for number in range(waiting) for event in other.unread(100 + number)} == {1}


def _busy() -> Exception:
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode, busy.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
    return busy


TROUBLES: dict[str, Callable[[], BaseException]] = {
    "interrupted": KeyboardInterrupt,
    "out of memory": MemoryError,
    "another process is in the way": _busy,
    "the disk failed": lambda: sqlite3.OperationalError("disk I/O error"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_filing_that_is_cut_short_anywhere_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, when: str
) -> None:
    monkeypatch.setattr(sqlite, "AT_ONCE", 2)
    monkeypatch.setattr(sqlite, "BREATH", 0)
    statements = Statements()
    statements.watch(monkeypatch)
    for place in itertools.count():
        ledger = SQLiteLedger(tmp_path / f"{place}.db", busy_timeout=0.2)
        claim = claimed(ledger)
        for body in (b"0", b"1", b"2", b"3", b"0"):
            ledger.accept(hint(8, body), due_at=START)
        left = itertools.count(place, -1)

        def cut(sql: str, left: Iterator[int] = left) -> None:
            if sql != "ROLLBACK" and next(left) == 0 and not (when == "after" and sql == "COMMIT" and trouble != "interrupted"):
                raise TROUBLES[trouble]()  # noqa: RSE102 - some are functions

        setattr(statements, when, cut)
        with contextlib.suppress(KeyboardInterrupt, MemoryError, LedgerUnavailable):
            ledger.commit(claim, journal={"done": True}, intent=INTENT)
        setattr(statements, when, lambda sql: None)

        told = [(event.body, event.count) for event in ledger.unread(8)]
        assert told == [(b"1", 1), (b"2", 1), (b"3", 1), (b"0", 2)], place
        acted, allowed = ledger.case(7).journal == {"done": True}, False
        with contextlib.suppress(IntentExists):
            allowed = ledger.commit(claim, journal={"done": True}, intent=INTENT)
        assert allowed is not acted, place
        ledger.close()
        if next(left) > 0:
            break
    assert place > 15


def test_what_is_stored_after_an_interrupt_that_was_interrupted_is_stored(
    path: Path, statements: Statements, ledger: SQLiteLedger, other: SQLiteLedger
) -> None:
    """Control-C twice: the second when the first is about to undo what was begun. A webhook is not to join what nobody ends."""
    claim = claimed(ledger)

    def interrupt(sql: str) -> None:
        if sql in ("COMMIT", "ROLLBACK"):
            raise KeyboardInterrupt

    statements.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        ledger.commit(claim, journal={"half": "done"})
    statements.before = lambda sql: None

    ledger.accept(hint(7, b"stored"), due_at=START)
    assert [event.body for event in other.unread(7)] == [b"stored"]
    assert other.case(7).journal == {}


# ---------------------------------------------------------------------------------------------------- who waits for whom


def test_bodies_of_megabytes_are_filed_a_few_at_a_time(path: Path, statements: Statements, ledger: SQLiteLedger) -> None:
    """A webhook may have five: two hundred of them at once would be a gigabyte in memory, and all others would wait."""
    for number in range(5):
        ledger.accept(hint(7, b"%d" % number * 900_000), due_at=START)
    found: list[int] = []
    statements.before = lambda sql: found.append(inbox(path)) if sql == "BEGIN IMMEDIATE" else None
    assert [len(event.body) for event in ledger.unread(7)] == [900_000] * 5
    assert found == [5, 3, 1]

    ledger.accept(hint(7, b"x" * 4_900_000), due_at=START)
    ledger.accept(hint(7, b"y"), due_at=START)
    found.clear()
    (claim,) = ledger.claim_due(at=START, limit=1, lease=LEASE)
    assert [len(event.body) for event in claim.unread] == [900_000] * 5 + [4_900_000, 1]
    assert found == [2, 1]


@pytest.mark.parametrize("look", ["case", "claim"])
def test_another_process_comes_to_its_turn_while_a_long_inbox_is_filed(
    path: Path, monkeypatch: pytest.MonkeyPatch, ledger: SQLiteLedger, other: SQLiteLedger, look: str
) -> None:
    settled(ledger)
    other.accept_many([(hint(7, b"new"), START), (hint(None, b"aside"), None)])
    crowd(other, 450)
    naps: list[float] = []  # of the other process, which waits for a lock that somebody has
    monkeypatch.setattr(time, "sleep", naps.append)
    with sqlite3.connect(path, isolation_level=None) as busy:
        busy.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable):
            other.put("x", "y")
        busy.execute("ROLLBACK")
    busy.close()
    breaths: list[float] = []

    def breathe(seconds: float) -> None:
        breaths.append(seconds)
        other.put("webhook", "stored")

    monkeypatch.setattr(time, "sleep", breathe)
    assert LOOKS[look](ledger)
    assert len(breaths) == 2
    assert min(breaths) > max(naps)


@pytest.mark.parametrize("look", LOOKS)
def test_who_cannot_file_what_waits_says_so_and_never_that_nothing_is_there(
    path: Path, ledger: SQLiteLedger, other: SQLiteLedger, look: str
) -> None:
    settled(ledger)
    other.accept_many([(hint(7, b"new"), START), (hint(None, b"aside"), None)])
    busy = sqlite3.connect(path, isolation_level=None)
    busy.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerUnavailable, match=r"SQLITE_BUSY.*another process kept it locked"):
        LOOKS[look](ledger)
    assert ledger.get("fact") is None  # a fact waits for nobody
    busy.execute("ROLLBACK")
    busy.close()
    assert LOOKS[look](ledger)


@pytest.mark.parametrize("look", ["case", "claim", "stats"])
def test_on_a_full_disk_what_waits_is_told_as_that_and_filed_when_there_is_room(
    path: Path, ledger: SQLiteLedger, other: SQLiteLedger, look: str
) -> None:
    settled(ledger)
    other.accept_many([(hint(7, b"new"), START), (hint(None, b"aside"), None)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("ledger.db-wal").stat().st_size, hard))
    try:
        with pytest.raises(LedgerUnavailable, match=r"SQLITE_(FULL|IOERR).*the disk"):
            LOOKS[look](ledger)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert LOOKS[look](ledger)


def test_what_waits_in_a_ledger_that_was_closed_is_there_for_the_next(path: Path, ledger: SQLiteLedger) -> None:
    ledger.accept(hint(7, b"new"), due_at=START)
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        ledger.case(7)
    with pytest.raises(LedgerUnavailable, match="closed"):
        ledger.accept(hint(8), due_at=START)
    heir = SQLiteLedger(path)
    assert [event.body for event in heir.unread(7)] == [b"new"]
    assert [row.return_id for row in heir.open_cases()] == [7]
    heir.close()
