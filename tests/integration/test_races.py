"""Two workers on one ledger, leases that run out at the worst moment, and words that come in while a worker is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from house import House, answers

from loop_whiplash import Decision, LedgerUnavailable, MemoryLedger, Policy, Receipt, Rma, Verdict, match
from loop_whiplash.ledger.protocol import Intent
from loop_whiplash.simulator import World


class Watched(MemoryLedger):
    """A ledger with somebody at the door: what happens just before and just after each of its steps."""

    def __init__(self, world: World) -> None:
        super().__init__(clock=world.clock.now)
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def _step(self, name: str, step: Callable[[], Any]) -> Any:
        if name in self.before:
            self.before.pop(name)()
        result = step()
        if name in self.after:
            self.after.pop(name)()
        return result

    def commit(self, claim: Any, *, intent: Any = None, withdraw: Any = None, **options: Any) -> bool:
        name = "intent" if intent is not None else "withdraw"
        return bool(self._step(name, lambda: super(Watched, self).commit(claim, intent=intent, withdraw=withdraw, **options)))

    def finish(self, claim: Any, **options: Any) -> None:
        self._step("finish", lambda: super(Watched, self).finish(claim, **options))


class Two(House):
    """A house with a second worker."""

    def __init__(self, *, world: World | None = None, **options: Any) -> None:
        world = world or World(seed=5)
        self.watched = Watched(world)
        super().__init__(world=world, ledger=self.watched, **options)
        self.other = self.open(options.get("settings", {}))

    def posts(self, path: str) -> int:
        return sum(method == "POST" and path in called for _, method, called in self.calls)

    def handed_over(self) -> None:
        """The lease runs out, and the other worker takes the return."""
        self.world.clock.advance(minutes=11)
        self.other.run_due()


@pytest.fixture
def house() -> Two:
    return Two()


def counted(house: House) -> Any:
    ret = house.announced(1)
    house.world.warehouse.receive(ret)
    house.world.deliver(house.integration)
    return ret


def test_a_lease_that_ran_out_between_plan_and_intent_sends_nothing(house: Two) -> None:
    ret = counted(house)
    house.watched.before["intent"] = house.handed_over
    outcomes = house.integration.run_due()
    assert [(outcome.status, outcome.action) for outcome in outcomes] == [("busy", None)]
    assert house.posts("/process") == 1
    house.run(days=2)
    assert ret.was_processed
    assert house.posts("/process") == 1
    assert house.codes(ret.id) == []


@pytest.mark.parametrize("minutes", [3, 11])
@pytest.mark.parametrize("what", ["create", "process", "flag"])
def test_a_worker_that_paused_after_its_intent_sends_nothing(house: Two, what: str, minutes: int) -> None:
    path = "/consumer_returns" if what == "create" else f"/{what}"
    if what == "create":
        ret = house.shipped(1)
        house.world.deliver(house.integration)
    else:
        ret = house.announced(1)
        house.world.warehouse.receive(ret, damaged=int(what == "flag"))
        house.world.deliver(house.integration)
    sent_before = house.posts(path)
    house.watched.after["intent"] = lambda: house.world.clock.advance(minutes=minutes)
    house.integration.run_due()
    assert house.posts(path) == sent_before
    house.run(days=1 if what == "create" else 3)
    truth = house.world.truth
    if what == "create":
        assert house.rmas(ret) == 1
    elif minutes == 3:  # the lease still stood: the intent was withdrawn, and it was sent again
        assert len(truth.done(what, ret.id)) == 1
    else:  # nobody can know: it is never sent again by itself
        assert truth.done(what, ret.id) == []
        assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]


@pytest.mark.parametrize("what", ["create", "process"])
def test_a_clock_in_a_local_zone_is_no_shorter_pause_when_summer_time_ends(what: str) -> None:
    # In Berlin 03:00 becomes 02:00: half an hour after 02:45 the wall says 02:15, and the difference of the two is minus 30 minutes.
    world = World(seed=5, start=datetime(2026, 10, 24, 12, tzinfo=UTC))
    berlin = ZoneInfo("Europe/Berlin")
    house = Two(world=world, clock=lambda: world.clock.now().astimezone(berlin), settings={"lease": timedelta(hours=2)})
    ret = house.announced(1) if what == "process" else house.shipped(1)
    world.clock.advance_to(datetime(2026, 10, 25, 0, 45, tzinfo=UTC))
    if what == "process":
        world.warehouse.receive(ret)
    world.deliver(house.integration)
    house.calls.clear()
    house.watched.after["intent"] = lambda: world.clock.advance(minutes=30)
    house.integration.run_due()
    assert house.posts("/consumer_returns" if what == "create" else "/process") == 0


@pytest.mark.parametrize("what", ["create", "process"])
def test_a_lease_that_ran_out_after_the_send_loses_only_the_answer(house: Two, what: str) -> None:
    ret = house.shipped(1) if what == "create" else counted(house)
    house.world.deliver(house.integration)
    house.watched.before["finish"] = house.handed_over
    (outcome,) = house.integration.run_due()
    assert outcome.status == "busy"
    house.run(days=1)
    assert house.rmas(ret) == 1
    assert house.posts("/process") == (0 if what == "create" else 1)
    assert house.codes(ret.id) == []
    if what == "process":
        assert ret.was_processed


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_worker_that_paused_writes_no_older_label_over_a_newer_one(house: Two, step: str) -> None:
    ret = house.announced(1)
    house.world.shopper.buy_label(ret.id)

    def meanwhile() -> None:
        house.world.clock.advance(minutes=1)
        house.world.shopper.buy_label(ret.id)
        house.handed_over()

    getattr(house.watched, step)["withdraw"] = meanwhile  # just before, and just after, it makes sure that the return is still its own
    house.integration.advance(ret.id)
    house.run(days=1)
    assert len(ret.labels) == 3
    assert [notice.tracking for notice in house.world.whiplash.notices()] == [ret.labels[-1].tracking]


@pytest.mark.parametrize("what", ["process", "flag"])
def test_a_worker_that_paused_before_its_intent_reads_again(what: str) -> None:
    """The lease still stands, and nobody told us: what was read nine minutes ago is not what is paid on."""
    pauses: list[Callable[[], object]] = []

    def slow(rma: Rma, receipts: Sequence[Receipt], *, policy: Policy, at: datetime) -> Decision:
        decision = match(rma, receipts, policy=policy, at=at)
        if pauses and decision.verdict in (Verdict.PROCESS, Verdict.FLAG):
            pauses.pop()()
        return decision

    house = Two(webhooks=False, matcher=slow, settings={"notes": False})
    ret = house.shipped(1)
    house.integration.advance(ret.id)
    house.world.warehouse.receive(ret, damaged=int(what == "flag"))
    house.world.clock.advance(hours=1)

    def paused() -> None:
        house.world.clock.advance(minutes=9)
        house.world.warehouse.recount(ret, {ret.skus[0]: (0, 1) if what == "process" else (1, 0)})

    pauses.append(paused)
    house.integration.advance(ret.id)
    assert house.posts("/process") == int(what == "flag")
    assert house.posts("/flag") == int(what == "process")


def test_a_return_another_worker_has_is_not_touched(house: Two) -> None:
    ret = counted(house)
    seen: list[str] = []
    house.before.append(lambda system, request: seen.append(house.other.advance(ret.id).status) if not seen else None)
    house.integration.run_due()
    assert seen == ["busy"]
    assert house.posts("/process") == 1


def test_a_webhook_between_plan_and_intent_makes_the_plan_again(house: Two) -> None:
    ret = counted(house)

    def recounted() -> None:
        notice = house.world.warehouse.reopen(ret)
        house.world.warehouse.recount(notice, {ret.skus[0]: (0, 1)})
        house.world.warehouse.complete(ret)
        house.world.deliver(house.integration)

    house.watched.before["intent"] = recounted
    (outcome,) = house.integration.run_due()
    assert (outcome.action, outcome.result) == ("Flag", "accepted")
    assert not house.world.truth.processes(ret.id)


def test_where_something_keeps_coming_in_it_is_left_for_a_while(house: Two) -> None:
    ret = counted(house)

    def again() -> None:
        house.integration.hold(ret.id, by=str(house.world.clock.now()))
        house.integration.release(ret.id, by=str(house.world.clock.now()))
        house.watched.before["intent"] = again
        house.world.clock.advance(seconds=1)

    house.watched.before["intent"] = again
    (outcome,) = house.integration.run_due(limit=1)
    assert outcome.status == "again"
    assert house.posts("/process") == 0
    house.watched.before.clear()
    house.run(hours=1)
    assert ret.was_processed


def test_what_changed_in_loop_while_items_were_looked_up_is_announced_as_it_is_now(house: Two) -> None:
    ret = house.shipped(2)
    house.world.deliver(house.integration)

    def edit(system: str, request: Any) -> None:
        if request.path == "/orders":
            house.before.clear()
            house.world.people.remove_line(ret, 0)

    house.before.append(edit)
    house.integration.run_due()
    (made,) = house.world.warehouse.rmas(ret)
    assert sum(line.quantity for line in made.lines) == 1


def test_a_person_who_pays_between_two_reads_is_not_followed(house: Two) -> None:
    ret = counted(house)

    def pay(system: str, request: Any) -> None:
        if system == "whiplash":  # Whiplash is read first, Loop last
            house.before.clear()
            house.world.people.process(ret)
            house.world.clock.advance(minutes=2)

    house.before.append(pay)
    house.integration.run_due()
    assert house.posts("/process") == 0
    assert house.case(ret).due_at is None


@pytest.mark.parametrize("what", ["create", "process", "flag"])
def test_where_the_row_of_an_intent_stands_nothing_is_sent_whatever_the_journal_says(house: Two, what: str) -> None:
    """As after a journal that was put back from a backup."""
    ret = house.shipped(1) if what == "create" else house.announced(1)
    if what != "create":
        house.world.warehouse.receive(ret, damaged=int(what == "flag"))
    now = house.world.clock.now
    claim = house.ledger.claim(ret.id, at=now(), lease=timedelta(minutes=1))
    house.ledger.commit(claim, journal=claim.journal, intent=Intent(kind=what, ordinal=1, at=now()))
    house.ledger.finish(claim, journal=claim.journal, read_to=0, due_at=now(), summary={}, at=now())
    path = "/consumer_returns" if what == "create" else f"/{what}"
    before = house.posts(path)
    house.world.deliver(house.integration)
    (outcome,) = house.integration.run_due()
    assert outcome.result == "in doubt"
    house.run(days=3)
    if what == "create":  # after the bounds it cannot be on its way any more, and is looked for once again
        assert house.rmas(ret) == 1
    else:
        assert house.posts(path) == before
        assert house.codes(ret.id) == ["ACTION_UNCONFIRMED"]


def test_a_return_that_cannot_be_read_again_just_before_a_create_is_looked_at_anew(house: Two) -> None:
    ret = house.shipped(1)
    house.world.deliver(house.integration)
    asked: list[str] = []

    def the_second_look_fails(system: str, request: Any) -> None:
        if request.path.endswith("/details"):
            asked.append(request.path)
            if len(asked) == 2:
                house.fault("loop", "GET", "/details", answers(500), times=4)

    house.before.append(the_second_look_fails)
    (outcome,) = house.integration.run_due(limit=1)
    assert (outcome.result, house.rmas(ret)) == ("created", 1)
    assert len(asked) == 1 + 4 + 1 + 1  # read; not read again in four tries; read anew; read again


# ------------------------------------------------------------------------------------------------------- poison


def test_a_journal_of_a_newer_version_is_set_aside_and_never_written_over(house: Two) -> None:
    bad, good = house.shipped(1), house.shipped(1)
    house.world.deliver(house.integration)
    claim = house.ledger.claim(bad.id, at=house.world.clock.now(), lease=timedelta(minutes=1))
    later = {"version": 99, "surprise": True}
    house.ledger.finish(claim, journal=later, read_to=0, due_at=house.world.clock.now(), summary={}, at=house.world.clock.now())
    house.run(days=1)
    assert house.rmas(good) == 1
    row = house.ledger.case(bad.id)
    assert row.journal == later
    assert [found["code"] for found in row.summary["breaks"]] == ["UNREADABLE"]
    report = house.integration.sweep()
    assert report.complete
    assert (report.counts["UNREADABLE"], house.rmas(bad)) == (1, 0)


def test_a_word_is_kept_for_the_version_that_can_read_the_journal(house: Two) -> None:
    # Two releases side by side: the older one gets hold of a journal that the newer one has written, and of what a person said since.
    ret = counted(house)
    ledger, now = house.ledger, house.world.clock.now
    ours = dict(ledger.case(ret.id).journal)

    def written(journal: dict[str, Any]) -> None:
        claim = ledger.claim(ret.id, at=now(), lease=timedelta(minutes=1))
        ledger.finish(claim, journal=journal, read_to=0, due_at=now(), summary={}, at=now())

    written({**ours, "version": 99})
    house.integration.hold(ret.id, by="ana")
    outcomes = house.integration.run_due()
    assert [(outcome.return_id, outcome.status) for outcome in outcomes] == [(ret.id, "error")]  # once, and not over and over
    assert ledger.case(ret.id).due_at == now() + timedelta(hours=1)
    assert [event.kind for event in ledger.unread(ret.id)][-1] == "person.hold"
    written(ours)
    house.run(days=1)
    assert house.case(ret).held
    assert not ret.was_processed


def test_what_cannot_be_read_in_the_ledger_is_said_in_the_report_and_stops_no_sweep(house: Two) -> None:
    bad, now = house.announced(1), house.world.clock.now
    claim = house.ledger.claim(bad.id, at=now(), lease=timedelta(minutes=1))
    summary = {"breaks": [{"code": "ITEMS_DRIFT", "money": "12,50"}]}
    journal = house.ledger.case(bad.id).journal

    def meanwhile(system: str, request: Any) -> None:  # a newer release looks at it while the sweep reads
        house.before.clear()
        house.ledger.finish(claim, journal=journal, read_to=0, due_at=now(), summary=summary, at=now() + timedelta(seconds=1))

    house.before.append(meanwhile)
    report = house.integration.sweep()
    (found,) = (found for found in report.breaks if found.return_id == bad.id)
    assert (found.code, report.complete) == ("UNREADABLE", True)


def test_what_an_earlier_look_stored_and_nobody_can_read_stops_nothing(house: Two) -> None:
    bad, good = house.shipped(1), house.shipped(1)
    now = house.world.clock.now
    claim = house.ledger.claim(bad.id, at=now(), lease=timedelta(minutes=1))
    summary = {"breaks": [{"code": "ITEMS_DRIFT", "money": "12,50"}]}  # not a number that this release can read
    house.ledger.finish(claim, journal={"version": 1}, read_to=0, due_at=now(), summary=summary, at=now())
    house.world.deliver(house.integration)
    outcomes = house.integration.run_due()
    assert {outcome.return_id: outcome.status for outcome in outcomes} == {bad.id: "acted", good.id: "acted"}
    assert (house.rmas(bad), house.rmas(good), house.codes(bad.id)) == (1, 1, [])


def test_one_return_that_cannot_even_be_set_aside_stops_no_other(house: Two) -> None:
    bad, good = house.shipped(1), house.shipped(1)
    house.world.deliver(house.integration)
    finish = house.watched.finish

    def breaks(claim: Any, **options: Any) -> None:
        if claim.return_id == bad.id:
            raise RuntimeError("a mistake in somebody's ledger")
        finish(claim, **options)

    house.watched.finish = breaks  # type: ignore[method-assign]
    outcomes = house.integration.run_due()
    assert {outcome.return_id: outcome.status for outcome in outcomes} == {bad.id: "error", good.id: "acted"}
    house.watched.finish = finish  # type: ignore[method-assign]
    house.run(days=1)
    assert (house.rmas(bad), house.rmas(good)) == (1, 1)


def test_a_ledger_that_fails_is_said_and_nothing_is_sent_twice_when_it_is_back(house: Two) -> None:
    ret = counted(house)

    def broken() -> None:
        raise LedgerUnavailable("the disk is full")

    house.watched.before["finish"] = broken
    with pytest.raises(LedgerUnavailable):
        house.integration.run_due()
    house.run(days=1)
    assert ret.was_processed
    assert house.posts("/process") == 1


def test_a_failing_webhook_handler_of_ones_own_hook_is_no_reason_to_lose_a_webhook() -> None:
    def hook(happening: Any) -> None:
        raise RuntimeError

    house = House(hooks=[hook])
    ret = house.announced(1)
    assert house.rmas(ret) == 1


def test_work_is_taken_the_longest_due_first_and_no_more_than_asked_for() -> None:
    house = House()
    returns = []
    for _ in range(25):
        returns.append(house.shipped(1))
        house.world.deliver(house.integration)
        house.world.clock.advance(minutes=1)
    assert [outcome.return_id for outcome in house.integration.run_due(limit=12)] == [ret.id for ret in returns[:12]]
    assert [outcome.return_id for outcome in house.integration.run_due()] == [ret.id for ret in returns[12:]]
    assert house.integration.run_due() == []
