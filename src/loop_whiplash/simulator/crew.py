"""Who runs the library in a simulated shop: workers, a receiver of webhooks, a nightly sweep, and a desk for people's words.

Each is a process of its own on one ledger, with clients of its own; one that crashed is started again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loop_whiplash.http.limit import RateLimit
from loop_whiplash.integration.core import Core
from loop_whiplash.integration.inbox import WebhookReply, receiving
from loop_whiplash.integration.sweep import sweep
from loop_whiplash.integration.work import advance, run_due
from loop_whiplash.loop.client import RATE as LOOP_RATE
from loop_whiplash.loop.client import LoopClient
from loop_whiplash.matching import match
from loop_whiplash.matching.decision import Matcher
from loop_whiplash.matching.policy import Policy
from loop_whiplash.planning.settings import Settings
from loop_whiplash.reconciliation import Report
from loop_whiplash.whiplash.client import RATE as WHIPLASH_RATE
from loop_whiplash.whiplash.client import WhiplashClient
from loop_whiplash.whiplash.oauth import OAuth

from .driver import Driver, Worker
from .record import Record, Watched
from .webhooks import Message

if TYPE_CHECKING:
    from datetime import datetime

    from .world import World

__all__ = ["Crew"]

FAR = timedelta(days=10_000)


class Crew:
    """The library's processes.

    Attributes:
        policy: what those that are started from now on judge by. auth: how Whiplash is signed for: a token, or OAuth.
        poll: the longest a worker rests while something is due (seconds). away: nobody works on what is due.
    """

    def __init__(
        self,
        world: World,
        driver: Driver,
        ledger: Watched,
        record: Record,
        *,
        settings: Settings,
        policy: Policy,
        auth: str | OAuth,
        workers: int = 2,
        matcher: Matcher = match,
    ) -> None:
        self.world: World = world
        self.driver: Driver = driver
        self.ledger: Watched = ledger
        self.record: Record = record
        self.settings: Settings = settings
        self.policy: Policy = policy
        self.auth: str | OAuth = auth
        self.poll: float = 60.0
        self.away = False
        self._matcher = record.matcher(matcher)
        self._rng = world.random("crew")
        seconds = lambda: world.clock.now().timestamp()  # noqa: E731
        self._loop_limit = RateLimit(*LOOP_RATE, clock=seconds)
        self._whiplash_limit = RateLimit(*WHIPLASH_RATE, clock=seconds)
        self._cores: dict[str, Core] = {}
        self._next: dict[str, datetime] = {}
        self.workers: list[Worker] = [Worker(f"worker {number}") for number in range(1, workers + 1)]
        self.web: Worker = Worker("web")
        self.cron: Worker = Worker("cron")
        self.desk: Worker = Worker("desk")
        for worker in (*self.workers, self.web, self.cron, self.desk):
            worker.died = lambda worker=worker: self._died(worker)  # type: ignore[misc]
        record.accepting.append(lambda event: self.wake())

    # ---------------------------------------------------------------------------------------------- processes

    def core(self, worker: Worker) -> Core:
        """What the flows of this process share; made anew when it is started again."""
        if worker.name not in self._cores:
            self._cores[worker.name] = self._make()
        return self._cores[worker.name]

    def _make(self) -> Core:
        world = self.world
        clock, random = world.clock.now, world.random(f"client {len(self._cores)} {self._rng.random()}").random
        loop = LoopClient(world.api_key, transport=world.loop_transport(), clock=clock, random=random, limiter=self._loop_limit)
        whiplash = WhiplashClient(
            self.auth,
            customer_id=world.customer_id,
            transport=world.whiplash_transport(),
            clock=clock,
            random=random,
            limiter=self._whiplash_limit,
        )
        return Core(
            loop=loop.session,
            whiplash=whiplash.session,
            ledger=self.ledger,
            settings=self.settings,
            policy=self.policy,
            matcher=self._matcher,
            clock=clock,
            loop_secrets=[world.loop_secret],
            whiplash_secrets=[world.whiplash_secret],
        )

    def _died(self, worker: Worker) -> None:
        self._cores.pop(worker.name, None)
        self._next.pop(worker.name, None)
        self._rest(worker, self._rng.random() * self.driver.pace.away)

    def change_policy(self, policy: Policy) -> None:
        """All processes are started again with another policy, between two flows or in the middle of them."""
        self.policy = policy
        for worker in (*self.workers, self.web, self.cron, self.desk):
            if worker.tasks:
                self.driver.crash(worker)
            self._cores.pop(worker.name, None)

    # ------------------------------------------------------------------------------------------- what is due

    def wake(self) -> None:
        """Something came in: whoever rests looks soon."""
        if self.away:
            return
        for worker in self.workers:
            if not worker.tasks:
                self._rest(worker, self._rng.random() * min(self.poll, 5.0))

    def _rest(self, worker: Worker, seconds: float) -> None:
        if worker not in self.workers:
            return
        at = self.world.clock.now() + timedelta(seconds=seconds)
        known = self._next.get(worker.name)
        if known is None or at < known:
            self._next[worker.name] = at
            self.world.clock.at(at, lambda: self._look(worker, at))

    def _look(self, worker: Worker, at: datetime) -> None:
        if self._next.get(worker.name) != at:
            return
        del self._next[worker.name]
        if worker.tasks or self.away:
            return
        due = self._due()
        if due is None or due > self.world.clock.now():
            self._again(worker)
            return
        limit = self._rng.randint(1, 5)
        self.driver.start(worker, "run_due", run_due(self.core(worker), limit), lambda done, error: self._again(worker, idle=not done))

    def _due(self) -> datetime | None:
        due: datetime | None = self.ledger.ledger.stats(at=self.world.clock.now() + FAR)["oldest_due_at"]
        return due

    def _again(self, worker: Worker, *, idle: bool = False) -> None:
        due = self._due()
        # What is due and was not to be had is leased by another, maybe one that died: it is not asked for all the time.
        rest = 1.0 + self._rng.random() * (5.0 * self.poll if idle else self.poll)
        if due is not None and due > self.world.clock.now():
            rest += (due - self.world.clock.now()).total_seconds()
        elif due is None:
            rest += 3600.0
        self._rest(worker, rest)

    # ------------------------------------------------------------------------------------------ what comes in

    def deliver(self) -> None:
        """Hand every webhook that is due to the receiver."""
        while (message := self.world.outbox.take()) is not None:
            self._receive(message)

    def _receive(self, message: Message) -> None:
        began = self.world.clock.now()
        settled = False

        def settle(status: int) -> None:
            nonlocal settled
            if not settled:
                settled = True
                self.world.outbox.settle(message, status)

        def done(result: WebhookReply | None, error: Exception | None) -> None:
            self.record.reply(message, result, error, began)
            lost = self.world.network.loses_replies(self._rng)
            settle(0 if lost else result.status if result else 500)

        flow = receiving(self.core(self.web), message.system, message.body, message.headers)
        self.driver.start(self.web, f"receive {message.topic}", flow, done)
        # A receiver that crashed, or is stopped for long, never answers: the sender gives it half a minute.
        self.world.clock.after(30.0, lambda: settle(0))

    def sweep(self, done: Callable[[Report | None], None] = lambda report: None) -> None:
        """Begin a sweep."""

        def ended(report: Report | None, error: Exception | None) -> None:
            if report is not None:
                self.record.reports.append((report.complete, tuple(sorted(each.code for each in report.breaks))))
            done(report)

        if not self.cron.tasks:
            self.driver.start(self.cron, "sweep", sweep(self.core(self.cron)), ended)

    def say(self, what: Callable[..., Any], return_id: int, *facts: Any, **more: Any) -> None:
        """A person says something about a return: `what` is one of `people`'s flows."""
        self.driver.start(self.desk, f"{what.__name__} {return_id}", what(self.core(self.desk), return_id, *facts, **more))

    def advance(self, return_id: int) -> None:
        """A task queue calls `advance` for a return, due or not, on some worker."""
        worker = self.workers[self._rng.randrange(len(self.workers))]
        self.driver.start(worker, f"advance {return_id}", advance(self.core(worker), return_id))
