# ruff: noqa: F401, F811 - a fixture is imported by its name
"""Eight worker processes on one PostgreSQL, faults on the network, webhooks lost and repeated, workers killed at random.

The world and both fakes live in this process; the workers speak HTTP to them. Real processes give no exact replay, so the
seed decides what happens in the world and who is killed when, and the machine decides who is quicker. What can be seen from
outside is checked: P1 to P4, P6 to P8, P12. (P5, P9, P10 and P11 are the simulator's and the ledgers' own tests.)

``LOOP_WHIPLASH_WORKERS=600`` lets new shops open for so many seconds; the suite takes one.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from shops import Died, Shop, Worker

from loop_whiplash.simulator import Message, SimulatedReturn
from postgres_server import postgres

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

WORKERS = 8
#: Seconds. The world's clock jumps by a time-out for each request that is lost, so the bounds are wider than the defaults.
SETTINGS = {"pause": 600.0, "effect": 1200.0, "lag": 600.0, "lease": 900.0}
SECONDS = float(os.environ.get("LOOP_WHIPLASH_WORKERS", "0"))

FATES = ("exact", "exact", "exact", "damaged", "short", "half", "wrong", "paid by hand", "cancelled", "cleared", "unknown", "never sent")


class Company:
    """Eight workers who do what is due together, some of whom are killed meanwhile."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.dice = shop, random.Random(f"company {seed}")
        self.workers = [shop.hire() for _ in range(WORKERS)]
        self.killed = 0
        self.replies = 0

    def work(self, *, kill: bool) -> None:
        """Deliver what the vendors send and work until nothing is due. Who dies is replaced at once."""
        for message in self._messages():
            self._settle(message, self.shop.hand_over(message, self.dice.choice(self.workers)))
        stop = threading.Event()
        threads = [threading.Thread(target=self._drive, args=(place,), daemon=True) for place in range(WORKERS)]
        killer = threading.Thread(
            target=self._kill, args=(stop, self.replies, [self.dice.randrange(WORKERS) for _ in range(2)]), daemon=True
        )
        for thread in threads:
            thread.start()
        if kill:
            killer.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "a worker hangs"
        stop.set()
        if kill:
            killer.join()
        self.shop.let_leases_run_out()

    def _messages(self) -> Iterator[Message]:
        while (message := self.shop.world.outbox.take()) is not None:
            yield message

    def _settle(self, message: Message, status: int) -> None:
        if status == 0:
            self._replace_the_dead()
        self.shop.world.outbox.settle(message, status)

    def _drive(self, place: int) -> None:
        while True:
            try:
                done = self.workers[place].ask("run", limit=3)["done"]
            except Died:
                self.workers[place] = self.shop.hire()
                continue
            self.replies += 1
            if not done:
                return

    def _kill(self, stop: threading.Event, began: int, after: list[int]) -> None:
        """Kill somebody after so many answers: each worker gives one at least, however quick the machine is."""
        for answers in sorted(after):
            while self.replies - began < answers and not stop.is_set():
                time.sleep(0.001)
            self.workers[self.dice.randrange(WORKERS)].kill()
            self.killed += 1
            if self.dice.random() < 0.3:
                self.shop.let_leases_run_out()  # also those of workers who are alive and do not know it

    def _replace_the_dead(self) -> None:
        for place, worker in enumerate(self.workers):
            if not worker.is_alive():
                self.workers[place] = self.shop.hire()


class Season:
    """Two dozen returns, each with a fate, over ten days of faults and four quiet ones."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.seed = shop, seed
        self.dice = random.Random(f"season {seed}")
        self.company = Company(shop, seed)
        self.fates: list[tuple[str, SimulatedReturn]] = []

    def run(self) -> None:
        world = self.shop.world
        self._faults()
        for hour in range(0, 240, 6):
            if len(self.fates) < 24:
                self._submit(FATES[len(self.fates) % len(FATES)])
            for fate, ret in self.fates:
                self._happen(fate, ret)
            self.company.work(kill=hour % 12 == 0)
            if hour % 24 == 18:
                self._sweep()
            world.clock.advance(hours=6)
        world.network.quiet()
        world.network.webhooks.quiet()
        for hour in range(0, 96, 6):
            self.company.work(kill=False)
            if hour % 24 == 18:
                self._sweep()
            world.clock.advance(hours=6)
        self.company.work(kill=False)

    def _faults(self) -> None:
        world = self.shop.world
        world.network.drop(0.04).lose_replies(0.04).reset(0.03).late_effect(0.02).cut_bodies(0.02).lie(0.01).duplicate(0.05)
        world.network.refuse(429, 0.03).refuse(500, 0.02).refuse(503, 0.02)
        world.network.webhooks.drop(0.2).duplicate(0.2, 3).reorder()
        world.loop.manners.failing = 0.1
        world.loop.manners.hidden_flags = 0.2
        world.whiplash.manners.lag = (0.0, 300.0)

    def _submit(self, fate: str) -> None:
        lines: int | list[str] = 1 if fate == "wrong" else self.dice.choice((1, 2, 3))
        if fate == "unknown":
            lines = [self.shop.world.catalogue.add_variant(sku=f"NOBODY-KNOWS-{len(self.fates)}", items=0).sku]
        self.fates.append((fate, self.shop.world.shopper.submit_return(lines, in_whiplash=fate != "unknown")))

    def _happen(self, fate: str, ret: SimulatedReturn) -> None:
        """The next thing in a return's life, now and then."""
        world = self.shop.world
        if self.dice.random() < 0.4 or fate == "never sent":
            return
        with world.lock:
            if ret.labels[0].status == "new":
                world.carrier.scan(ret, "pre_transit")
            elif fate == "cancelled":
                world.people.cancel(ret)
            elif fate == "cleared" and ret.flagged:
                world.people.clear_flag(ret)
            elif (notices := world.warehouse.rmas(ret)) and notices[0].status < 300:
                self._count(fate, ret)
                if fate == "paid by hand":
                    world.people.process(ret)

    def _count(self, fate: str, ret: SimulatedReturn) -> None:
        warehouse = self.shop.world.warehouse
        if fate in ("damaged", "cleared"):
            warehouse.receive(ret, damaged=1)
        elif fate == "short":
            warehouse.receive(ret, short=1)
        elif fate == "half":
            warehouse.receive(ret, half=self.dice.random() < 0.5)
        elif fate == "wrong":
            other = next(
                each.sku for each in self.shop.world.catalogue.variants if each.sku and each.sku not in ret.skus and self._once(each.sku)
            )
            warehouse.receive(ret, substitute={ret.skus[0]: other})
        else:
            warehouse.receive(ret)

    def _once(self, sku: str) -> bool:
        return len(self.shop.world.catalogue.items_of(sku)) == 1

    def _sweep(self) -> None:
        try:
            self.company.dice.choice(self.company.workers).ask("sweep")
        except Died:
            self.company._replace_the_dead()


def wrong(season: Season) -> list[str]:
    """Every promise that was broken, as the world knows the truth."""
    shop, truth = season.shop, season.shop.world.truth
    found: list[str] = []
    for fate, ret in season.fates:

        def say(what: str, fate: str = fate, ret: SimulatedReturn = ret) -> None:
            found.append(f"{what}: {fate}, {ret}, journal {shop.journal(ret)}, breaks {sorted(shop.breaks(ret))}")

        made = [each for each in truth.made if each.return_id == ret.id and each.by == "api"]
        sent = truth.processes(ret.id)
        shipped = ret.labels[0].status != "new"
        if shop.lost(ret.id):
            say("P1: an acknowledged webhook is gone")
        if shipped and fate != "cancelled" and len(truth.live_rmas(ret.id)) != 1 and not shop.breaks(ret):
            say("P2: neither one RMA nor a break")
        if len(made) > 1:
            say(f"P3: {len(made)} RMAs were made")
        if len(sent) > 1 or sum(each.by == "api" for each in truth.released if each.return_id == ret.id) > 1:
            say("P4: processed more than once")
        if sent and shop.journal(ret).get("process", {}).get("phase") not in ("confirmed", "failed") and not shop.breaks(ret):
            say("P4: a process neither confirmed nor a break")
        case = shop.ledger.case(ret.id)
        if case is None or (case.due_at is None and ret.state not in ("closed", "cancelled")):
            say("P6: nobody will look at it again")
        if ret.id in {deed.return_id for deed in truth.deeds if deed.by == "api" and deed.what in ("cancel", "close", "remove", "edit")}:
            say("something was done that is never done")
        if len(truth.flags(ret.id)) > 1:
            say("P12: flagged more than once")
        for deed in sent:
            if deed.flagged and not truth.flags(ret.id):
                say("P12: processed in a review that was not ours")
        if fate in ("damaged", "wrong", "unknown", "never sent") and truth.paid(ret.id, by="api"):
            say("money was released for goods that did not come back well")
        if fate == "exact" and not ret.was_processed and not shop.breaks(ret):
            say("P8: a good return was left behind")
    if truth.deleted:
        found.append(f"P7: {len(truth.deleted)} RMAs were deleted")
    overdue = shop.ledger.stats(at=shop.world.clock.now())
    if overdue["leased"]:
        found.append(f"a lease is left: {overdue}")
    return found


@contextmanager
def season(folder: Path, ledger: str, where: str, seed: int) -> Iterator[Season]:
    shop = Shop(folder, ledger, where, seed=seed, settings=SETTINGS, rate_limits=(20_000, 400))
    try:
        yield Season(shop, seed)
    finally:
        shop.close()


@pytest.mark.parametrize("ledger", ["sqlite", "postgres"])
def test_eight_workers_killed_at_random_keep_every_promise(ledger: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    began, seed = time.monotonic(), 1
    while True:
        folder = tmp_path / str(seed)
        folder.mkdir()
        where = str(folder / "ledger.db") if ledger == "sqlite" else request.getfixturevalue("postgres")
        with season(folder, ledger, where, seed) as now:
            now.run()
            assert wrong(now) == [], f"seed {seed}"
            assert now.company.killed >= 10
            assert sum(now.shop.world.truth.faults.values()) > 50
            assert sum(fate == "exact" and ret.was_processed for fate, ret in now.fates) >= 3
        if time.monotonic() - began >= SECONDS:
            break
        seed += 1
        if ledger == "postgres":
            import psycopg

            with psycopg.connect(where) as connection:
                connection.execute("TRUNCATE lw_cases, lw_journals, lw_events, lw_intents, lw_facts")
