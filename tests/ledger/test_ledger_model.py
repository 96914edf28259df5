"""Any sequence of calls gives the same on every ledger as on a model that a reader can check by eye."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from benches import LEASE, START, Clock, at
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from loop_whiplash import IntentExists, LeaseLost
from loop_whiplash.ledger import Claim, Event, Intent, Ledger, MemoryLedger, PostgresLedger, SQLiteLedger, sqlite
from postgres_server import NoPostgres, server

RETURNS = st.integers(1, 4)
MINUTES = st.integers(0, 60)
DUE = st.none() | MINUTES
BODIES = st.sampled_from([b"a", b"b"])
KINDS = st.sampled_from(["loop.hint", "person.hold"])
INTENTS = st.builds(
    lambda kind, ordinal: Intent(kind=kind, ordinal=ordinal, at=START), st.sampled_from(["create", "process"]), st.integers(1, 2)
)


#: A case of which nothing is known but when it came.
NEW: dict[str, Any] = {"fence": 0, "until": None, "journal": None, "summary": {}, "forgotten": False}


class Refused:
    """What a call raised, comparable with what the model expects."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Refused) and self.kind is other.kind

    def __repr__(self) -> str:
        return f"raised {self.kind.__name__}"

    __hash__ = None  # type: ignore[assignment]


class LedgerMachine(RuleBasedStateMachine):
    """`claims[return]` are the claims ever given, oldest first, one per ledger each; old ones are used on purpose.

    Looking may change what is stored: SQLite then files what came in. So half of the runs look after every step, and half when it comes up.
    """

    def ledgers(self, clock: Clock, folder: Path) -> dict[str, Ledger]:
        return {"memory": MemoryLedger(clock=clock), "sqlite": SQLiteLedger(folder / "ledger.db", clock=clock)}

    def move_leases(self, by: timedelta) -> None:
        self.clock.move(by)

    @initialize(watched=st.booleans())
    def start(self, watched: bool) -> None:
        self.watched = watched
        self.clock = Clock()
        self.folder = tempfile.TemporaryDirectory()
        self.all = self.ledgers(self.clock, Path(self.folder.name))
        self.now = START
        self.events: list[dict[str, Any]] = []  # return_id, kind, body, at, count, unread, seqs (by ledger, once seen)
        self.cases: dict[int, dict[str, Any]] = {}  # due, created, updated and what is in NEW
        self.intents: set[tuple[int, str, int]] = set()
        self.claims: dict[int, list[dict[str, Claim]]] = {}

    def teardown(self) -> None:
        if hasattr(self, "all"):
            try:
                self.look()
            finally:
                for ledger in self.all.values():
                    ledger.close()
                self.folder.cleanup()

    # ------------------------------------------------------------------------------------------------ both at once

    def everywhere(self, expected: Any, call: Callable[[str, Ledger], Any]) -> dict[str, Any]:
        answers = {}
        for name, ledger in self.all.items():
            try:
                answers[name] = call(name, ledger)
            except (LeaseLost, IntentExists) as refused:
                answers[name] = Refused(type(refused))
        if expected is not NotImplemented:
            assert answers == dict.fromkeys(self.all, expected)
        return answers

    def unread(self, return_id: int) -> list[dict[str, Any]]:
        return [event for event in self.events if event["return_id"] == return_id and event["unread"]]

    @staticmethod
    def seen(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those whose numbers a claim or a look has told: a worker can have taken in no others."""
        return [event for event in events if event["seqs"]]

    def leased(self, return_id: int) -> bool:
        until = self.cases[return_id]["until"]
        return until is not None and until > self.now

    def owned(self, return_id: int, which: int) -> bool:
        case = self.cases[return_id]
        return which == len(self.claims[return_id]) - 1 and case["until"] is not None and case["until"] > self.now

    # ------------------------------------------------------------------------------------------------ rules

    @rule(return_id=st.none() | RETURNS, kind=KINDS, body=BODIES, minutes=MINUTES, due=DUE)
    def accept(self, return_id: int | None, kind: str, body: bytes, minutes: int, due: int | None) -> None:
        event = Event(kind=kind, return_id=return_id, at=at(minutes), body=body)
        due_at = None if due is None else at(due)
        if return_id is not None:
            case = self.cases.setdefault(return_id, {"due": None, "created": at(minutes), "updated": at(minutes), **NEW})
            case["due"] = min((each for each in (case["due"], due_at) if each is not None), default=None)
        same = [e for e in self.events if e["unread"] and (e["return_id"], e["kind"], e["body"]) == (return_id, kind, body)]
        count = 1
        for each in same:
            self.events.remove(each)
            count += each["count"]
        told = {"return_id": return_id, "kind": kind, "body": body, "at": at(minutes), "count": count, "unread": True, "seqs": {}}
        self.events.append(told)
        self.everywhere(None, lambda _, ledger: ledger.accept(event, due_at=due_at))

    @rule(minutes=MINUTES, limit=st.integers(1, 3))
    def claim_due(self, minutes: int, limit: int) -> None:
        due = sorted(
            (case["due"], return_id)
            for return_id, case in self.cases.items()
            if case["due"] is not None and case["due"] <= at(minutes) and not self.leased(return_id)
        )[:limit]
        answers = self.everywhere(NotImplemented, lambda _, ledger: ledger.claim_due(at=at(minutes), limit=limit, lease=LEASE))
        for claims in answers.values():
            assert [claim.return_id for claim in claims] == [return_id for _, return_id in due]
        for place, (_, return_id) in enumerate(due):
            self.took(return_id, {name: claims[place] for name, claims in answers.items()})

    @rule(return_id=RETURNS, minutes=MINUTES)
    def claim(self, return_id: int, minutes: int) -> None:
        case = self.cases.get(return_id)
        busy = case is not None and self.leased(return_id)
        answers = self.everywhere(None if busy else NotImplemented, lambda _, ledger: ledger.claim(return_id, at=at(minutes), lease=LEASE))
        if busy:
            return
        new = {"due": at(minutes), "created": at(minutes), "updated": at(minutes), **NEW}
        case = self.cases.setdefault(return_id, new)
        case["due"] = at(minutes) if case["due"] is None else min(case["due"], at(minutes))
        self.took(return_id, answers)

    def took(self, return_id: int, claims: dict[str, Claim]) -> None:
        case = self.cases[return_id]
        case["fence"] += 1
        case["until"] = self.now + LEASE
        self.claims.setdefault(return_id, []).append(claims)
        for name, claim in claims.items():
            assert (claim.return_id, claim.fence, claim.is_new) == (return_id, case["fence"], case["journal"] is None), name
            assert claim.journal == (case["journal"] or {})
            self.compare(name, claim.unread, self.unread(return_id))

    @rule(
        data=st.data(),
        take=st.integers(0, 3),
        intent=st.none() | INTENTS,
        withdraw=st.none() | INTENTS,
        stale=st.booleans(),
        step=st.booleans(),
    )
    def commit(self, data: st.DataObject, take: int, intent: Intent | None, withdraw: Intent | None, stale: bool, step: bool) -> None:
        if not self.claims:
            return
        return_id, which = self.pick(data, stale)
        unread = self.unread(return_id)
        journal, taken = {"n": len(self.events), "who": which}, self.seen(unread)[:take]
        rows = {name: (return_id, each.kind, each.ordinal) for name, each in (("in", intent), ("out", withdraw)) if each is not None}
        if not self.owned(return_id, which):
            expected: Any = Refused(LeaseLost)
        elif intent is not None and len(taken) < len(unread):
            expected = False
        elif intent is not None and rows["in"] in self.intents - {rows.get("out")}:
            expected = Refused(IntentExists)
        else:
            expected = True
            self.intents.discard(rows.get("out"))
            self.intents |= {rows["in"]} if intent else set()
            self.cases[return_id]["journal"] = journal
            self.read(return_id, taken)
        events = [Event(kind="step.x", return_id=return_id, at=START)] if step else []

        def call(name: str, ledger: Ledger) -> bool:
            read_to = max((event["seqs"][name] for event in taken), default=0)
            claim = self.claims[return_id][which][name]
            return ledger.commit(claim, journal=journal, read_to=read_to, intent=intent, withdraw=withdraw, events=events)

        self.everywhere(expected, call)
        if expected is True:
            self.stepped(return_id, events)

    @rule(data=st.data(), take=st.integers(0, 3), due=DUE, minutes=MINUTES, stale=st.booleans(), breaks=st.booleans(), step=st.booleans())
    def finish(self, data: st.DataObject, take: int, due: int | None, minutes: int, stale: bool, breaks: bool, step: bool) -> None:
        if not self.claims:
            return
        return_id, which = self.pick(data, stale)
        unread = self.unread(return_id)
        taken = self.seen(unread)[:take]
        journal, summary = {"n": len(self.events), "f": which}, {"breaks": ["b"] if breaks else []}
        events = [Event(kind="step.y", return_id=return_id, at=START)] if step else []
        owned = self.owned(return_id, which)

        def call(name: str, ledger: Ledger) -> None:
            read_to = max((event["seqs"][name] for event in taken), default=0)
            claim, due_at = self.claims[return_id][which][name], None if due is None else at(due)
            ledger.finish(claim, journal=journal, read_to=read_to, due_at=due_at, summary=summary, at=at(minutes), events=events)

        self.everywhere(None if owned else Refused(LeaseLost), call)
        if owned:
            self.read(return_id, taken)
            self.stepped(return_id, events)
            due_at = at(minutes) if len(unread) > len(taken) else None if due is None else at(due)
            self.cases[return_id].update(journal=journal, summary=summary, due=due_at, until=None, updated=at(minutes))

    @rule(minutes=st.sampled_from([1, 5, 10, 11]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.move_leases(timedelta(minutes=minutes))

    @rule(minutes=MINUTES)
    def expire(self, minutes: int) -> None:
        gone = [e for e in self.events if e["at"] < at(minutes) and (e["return_id"] is None or self.cases[e["return_id"]]["due"] is None)]
        self.events = [event for event in self.events if event not in gone]
        for event in self.events:
            if event["at"] < at(minutes) and event["return_id"] is not None and not event["unread"]:
                event["body"] = b""
        self.everywhere(len(gone), lambda _, ledger: ledger.expire(before=at(minutes)))

    @rule(return_id=RETURNS)
    def forget(self, return_id: int) -> None:
        if return_id in self.cases:
            self.cases[return_id].update(summary={}, forgotten=True)
            for event in self.events:
                if event["return_id"] == return_id and not event["unread"]:
                    event["body"] = b""
        self.everywhere(None, lambda _, ledger: ledger.forget(return_id))

    def pick(self, data: st.DataObject, stale: bool) -> tuple[int, int]:
        return_id = data.draw(st.sampled_from(sorted(self.claims)))
        given = len(self.claims[return_id])
        return return_id, data.draw(st.integers(0, given - 1)) if stale else given - 1

    def read(self, return_id: int, taken: list[dict[str, Any]]) -> None:
        for event in taken:
            event["unread"] = False
            if self.cases[return_id]["forgotten"]:
                event["body"] = b""

    def stepped(self, return_id: int, events: list[Event]) -> None:
        for event in events:
            self.events.append(
                {"return_id": return_id, "kind": event.kind, "body": b"", "at": START, "count": 1, "unread": False, "seqs": {}}
            )

    # ------------------------------------------------------------------------------------------------ what is seen

    def compare(self, name: str, found: Sequence[Event], expected: list[dict[str, Any]]) -> None:
        """The events of a return: the same, in the same order, with rising numbers that stay as they were first seen."""
        shown = [(event.return_id, event.kind, event.body, event.at, event.count) for event in found]
        assert shown == [(each["return_id"], each["kind"], each["body"], each["at"], each["count"]) for each in expected], name
        numbers = [event.seq for event in found]
        assert numbers == sorted(set(numbers)), name
        assert numbers == [each["seqs"].setdefault(name, number) for each, number in zip(expected, numbers, strict=True)], name

    @invariant()
    def watch(self) -> None:
        if hasattr(self, "all") and self.watched:
            self.look()

    @rule()
    def look(self) -> None:
        """All show what the model knows."""
        for name, ledger in self.all.items():
            for return_id in range(1, 5):
                case, row = self.cases.get(return_id), ledger.case(return_id)
                assert (row is None) == (case is None), name
                if row is None or case is None:
                    continue
                assert row.due_at == case["due"], name
                assert (row.created_at, row.updated_at) == (case["created"], case["updated"]), name
                assert row.leased == self.leased(return_id), name
                assert (row.journal, row.summary) == (case["journal"] or {}, case["summary"]), name
                self.compare(name, ledger.history(return_id), [event for event in self.events if event["return_id"] == return_id])
                self.compare(name, ledger.unread(return_id), self.unread(return_id))
            self.compare(name, ledger.asides()[::-1], [event for event in self.events if event["return_id"] is None])
            assert [row.return_id for row in ledger.open_cases()] == sorted(
                r for r, case in self.cases.items() if case["due"] is not None
            ), name
            assert [row.return_id for row in ledger.cases_with_breaks()] == sorted(
                r for r, case in self.cases.items() if case["summary"].get("breaks")
            ), name
            assert ledger.stats(at=at(30)) == self.numbers(at(30)), name

    def numbers(self, moment: datetime) -> dict[str, Any]:
        due = [case["due"] for case in self.cases.values() if case["due"] is not None and case["due"] <= moment]
        return {
            "cases": len(self.cases),
            "open": sum(case["due"] is not None for case in self.cases.values()),
            "due": len(due),
            "leased": sum(self.leased(return_id) for return_id in self.cases),
            "oldest_due_at": min(due, default=None),
            "asides": sum(event["return_id"] is None for event in self.events),
            "events": len(self.events),
        }


MODEST = settings(max_examples=70, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_memory_and_sqlite_behave_as_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "AT_ONCE", 2)  # so that what waits is filed in several transactions
    monkeypatch.setattr(sqlite, "BREATH", 0)
    run_state_machine_as_test(LedgerMachine, settings=MODEST)


def test_postgres_behaves_as_the_model() -> None:
    psycopg = pytest.importorskip("psycopg")
    try:
        dsn = server()
    except NoPostgres as reason:
        pytest.skip(str(reason))
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA model")
        where = f"{dsn} options='-c search_path=model'"
        numbers = iter(range(10**6))

        class PostgresMachine(LedgerMachine):
            def ledgers(self, clock: Clock, folder: Path) -> dict[str, Ledger]:
                self.shop = f"shop {next(numbers)}"
                return {"postgres": PostgresLedger(where, shop=self.shop)}

            def move_leases(self, by: timedelta) -> None:
                admin.execute("UPDATE model.lw_cases SET lease_until = lease_until - %s WHERE shop = %s", (by, self.shop))

        try:
            run_state_machine_as_test(PostgresMachine, settings=settings(MODEST, max_examples=10))
        finally:
            admin.execute("DROP SCHEMA model CASCADE")
