# ruff: noqa: F401 - a fixture is imported by its name
"""Threads on one ledger: each return is worked on by one of them at a time, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from benches import BENCHES, LEASE, Bench, at, bench_for, hint, together

from loop_whiplash import IntentExists
from loop_whiplash.ledger import Intent
from loop_whiplash.ledger.turns import Turns
from postgres_server import postgres


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from bench_for(request)


def test_no_return_has_two_owners(bench: Bench) -> None:
    bench.ledger.accept_many([(hint(return_id), at(0)) for return_id in range(1, 61)])
    owned: Counter[int] = Counter()

    def work() -> None:
        while claims := bench.ledger.claim_due(at=at(1), limit=4, lease=LEASE):
            for claim in claims:
                owned[claim.return_id] += 1
                bench.done(claim)

    together(*[work] * 6)
    assert owned == Counter(range(1, 61))
    assert bench.ledger.open_cases() == []


def test_one_of_many_who_claim_the_same_return_gets_it(bench: Bench) -> None:
    got: list[object] = []
    together(*[lambda: got.append(bench.ledger.claim(7, at=at(0), lease=LEASE))] * 8)

    assert len(got) == 8
    assert sum(claim is not None for claim in got) == 1


def test_one_of_many_who_would_store_a_fact_first_is_and_all_are_told_who(bench: Bench) -> None:
    told: list[str] = []
    together(*[lambda name=name: told.append(bench.ledger.put_first("owner", name)) for name in "abcdefgh"])
    assert told == [bench.ledger.get("owner")] * 8


def test_hints_that_come_while_a_return_is_worked_on_are_all_seen(bench: Bench) -> None:
    """Whoever finishes says how far it has read; what was on its way then must be seen by the next."""
    seen: list[bytes] = []
    bodies = [b"%d/%d" % (thread, number) for thread in range(4) for number in range(30)]
    done = threading.Event()

    def send(thread: int) -> None:
        for number in range(30):
            bench.ledger.accept(hint(7, b"%d/%d" % (thread, number)), due_at=at(0))

    def work() -> None:
        while not done.is_set() or bench.ledger.unread(7):
            for claim in bench.ledger.claim_due(at=at(0), limit=1, lease=LEASE):
                seen.extend(event.body for event in claim.unread)
                bench.done(claim)

    def senders() -> None:
        try:
            together(*[lambda thread=thread: send(thread) for thread in range(4)])
        finally:
            done.set()

    together(senders, work)
    assert sorted(seen) == sorted(bodies)


def test_only_one_of_many_is_allowed_the_action(bench: Bench) -> None:
    claim = bench.claimed()
    outcomes: Counter[str] = Counter()

    def intend() -> None:
        try:
            intent = Intent(kind="process", ordinal=1, at=at(0))
            outcomes[str(bench.ledger.commit(claim, journal={}, read_to=claim.unread[-1].seq, intent=intent))] += 1
        except IntentExists:
            outcomes["exists"] += 1

    together(*[intend] * 8)
    assert outcomes == {"True": 1, "exists": 7}


def test_sweeps_that_overlap_do_not_stop_each_other(bench: Bench) -> None:
    """Two sweeps that meet the same returns in another order would wait for each other crosswise."""
    forward = [(hint(return_id if return_id % 5 else None, b"%d" % return_id), at(0)) for return_id in range(1, 101)]

    def sweep(events: list[object]) -> None:
        for _ in range(5):
            bench.ledger.accept_many(events)

    together(*[lambda events=events: sweep(events) for events in (forward, forward[::-1], forward, forward[::-1])])
    stats = bench.ledger.stats(at=at(0))
    assert (stats["cases"], stats["asides"], stats["events"]) == (80, 20, 100)
    assert {event.count for event in bench.ledger.asides()} == {20}


def test_a_turn_comes_after_those_who_asked_before_and_no_later() -> None:
    turns, asked, had = Turns(timeout=10), threading.Event(), threading.Event()
    taken_since = 0

    def greedy() -> None:
        nonlocal taken_since
        while not had.is_set():
            with turns:
                taken_since += asked.is_set()

    def patient() -> None:
        asked.set()
        with turns:
            had.set()

    together(greedy, patient)
    # It may be at its turn, and once more before the other has spoken; a plain lock gives it thousands.
    assert taken_since < 1000


def test_turns_are_in_the_order_of_asking_and_end_in_time() -> None:
    turns = Turns(timeout=0.01)
    with turns, pytest.raises(TimeoutError):
        turns.take()
    with turns:  # whoever gave up is not waited for
        pass
    patient, order, waiting = Turns(timeout=10), [], []
    patient.take()

    def ask(number: int) -> None:
        waiting.append(number)
        with patient:
            order.append(number)

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        while patient.waiting <= number:
            pass
    patient.pass_on()
    for thread in threads:
        thread.join()
    assert order == waiting == [0, 1, 2, 3, 4]
