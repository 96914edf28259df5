"""One run: a shop, its storm, the calm after it, and the years after that. One seed is one run, byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from loop_whiplash.http.flow import Reply, Request
from loop_whiplash.ledger.memory import MemoryLedger
from loop_whiplash.ledger.protocol import Ledger
from loop_whiplash.matching import Policy, match
from loop_whiplash.matching.decision import Matcher
from loop_whiplash.planning.settings import Settings
from loop_whiplash.reconciliation import Report

from .checker import Violation, check_calm, check_years, watch
from .crew import Crew
from .driver import Driver, Heard, Pace, Task
from .faults import FAMILIES, POLICIES, draw, families
from .life import Habits, Life
from .record import Acted, Look, Record, Watched
from .world import World

__all__ = ["Run", "Shape"]

DAY = 86_400.0
#: What a POST or a DELETE of ours does, by how its path ends.
_DEEDS = {"process": "process", "flag": "flag", "consumer_returns": "create"}

#: Returns, days of storm, and whether anybody sweeps, as a seed draws them.
_SHAPES = (
    *(((1, 1), 0.3, False),) * 3,
    *(((1, 1), 1.0, True),) * 3,
    *(((1, 2), 1.0, True),) * 2,
    ((1, 3), 2.0, True),
    ((2, 4), 3.0, True),
)


@attrs.frozen(kw_only=True)
class Shape:
    """How large a run is. Most worlds are small: what is wrong shows in small ones too, and many of them are seen in the same time.

    Attributes:
        returns: how many, least and most. days: of storm. workers: processes that work on what is due.
        years: whether the clock jumps on for years in the end, to see that nothing waits for ever.
        sweeps: whether anybody sweeps. Without, a run is short, and only what needs no sweep is held to (P2 is not).
    """

    returns: tuple[int, int] = (1, 3)
    days: float = 2.0
    workers: int = 2
    years: bool = True
    sweeps: bool = True

    @classmethod
    def drawn(cls, rng: random.Random) -> Shape:
        """The shape of one seed."""
        returns, days, sweeps = rng.choice(_SHAPES)
        return cls(returns=returns, days=days, workers=rng.choice((1, 2, 2, 3)), years=sweeps and rng.random() < 0.25, sweeps=sweeps)


class Run:
    """A run of one seed. `storm`, `calm` and `years` are its three parts; `all` runs them.

    Attributes:
        world, driver, crew, life, ledger, record: who takes part. settings: those of the integration.
        within_bounds: P, D and L hold. longest_lag: by how many seconds Whiplash's search may run behind in the storm.
           families: the faults that strike. swept: a whole sweep came through in the calm.
        mended: what is put right when the storm ends. policies: all that were in force. violations: what `all` found.
    """

    def __init__(
        self,
        seed: int,
        faults: str | tuple[str, ...] = "all",
        *,
        shape: Shape | None = None,
        settings: dict[str, Any] | None = None,
        matcher: Matcher = match,
        ledger: Callable[[World], Ledger] | None = None,
    ) -> None:
        self.seed = seed
        self.world: World = World(seed=seed, variants=12)
        self.shape: Shape = shape or Shape.drawn(self.world.random("shape"))
        rng = self.world.random("run")
        self.families: tuple[str, ...] = draw(families(faults), rng)
        self.within_bounds = True
        self.longest_lag: float = 0.0
        self.swept: bool = False
        self.violations: list[Violation] = []
        self.mended: list[Callable[[], None]] = []
        self.settings: Settings = Settings(**{**self._drawn(rng), **(settings or {})})
        self.policies: list[Policy] = [rng.choice(POLICIES) if rng.random() < 0.3 else POLICIES[0]]
        self.matcher = matcher
        self.driver: Driver = Driver(self.world, pace=Pace(slow=rng.choice((0.0, 0.05, 0.3))))
        self.record: Record = Record(self.world)
        store = ledger(self.world) if ledger else MemoryLedger(clock=self.world.clock.now)
        self.ledger: Watched = Watched(store, self.record, self.world.random("storage"), say=self.driver.say)
        self.life: Life = Life(self.world, Habits(returns=self.shape.returns, days=self.shape.days), self.driver.say)
        self.crew: Crew = Crew(
            self.world,
            self.driver,
            self.ledger,
            self.record,
            settings=self.settings,
            policy=self.policies[0],
            auth=self.world.token,
            workers=self.shape.workers,
            matcher=matcher,
        )
        self.driver.sending, self.driver.arriving, self.driver.heard = self._sending, self._arriving, self._heard
        self._random = rng

    def _drawn(self, rng: Any) -> dict[str, Any]:
        """Settings that differ from seed to seed; all within what the documentation allows."""
        return {
            "start": self.world.clock.now(),
            "create_on": rng.choice(("pre_transit", "pre_transit", "in_transit")),
            "unlabelled_after": rng.choice((None, timedelta(0), timedelta(hours=12))),
            "original_id_prefix": rng.choice(("", "loop-")),
            "pause": timedelta(minutes=rng.choice((1, 2))),
            "effect": timedelta(minutes=rng.choice((2, 5))),
            "lag": timedelta(minutes=rng.choice((2, 5))),
            "confirm_by": timedelta(hours=rng.choice((6, 24))),
            "recreate": rng.choice(("after_bounds", "after_bounds", "never")),
            "allow_process_from_review": rng.random() < 0.3,
            "delete_orphans": rng.random() < 0.3,
            "delete_duplicates": rng.random() < 0.3,
            "notes": rng.random() < 0.5,
            "lease": timedelta(minutes=rng.choice((3, 10))),
            "recheck": timedelta(hours=rng.choice((6, 24, 48))),
            "eta": rng.choice((None, timedelta(days=7))),
            "watch_for": timedelta(days=21),
        }

    # ---------------------------------------------------------------------------------------------- the parts

    def all(self) -> Run:
        """The whole run, and what is wrong with it."""
        watch(self)
        self.storm()
        self.calm()
        self.violations = check_calm(self)
        if self.shape.years and not self.violations:
            self.years()
            self.violations = check_years(self)
        return self

    @property
    def lateness(self) -> timedelta:
        """How old what is acted upon can be: what a read may have missed, and the longest a worker may take from there."""
        return timedelta(seconds=self.longest_lag) + self.settings.lease + self.settings.bound

    @property
    def exact(self) -> bool:
        """Every policy of this run pays only for exactly what was announced, in good condition."""
        return all(policy.match_level == 4 for policy in self.policies)

    def storm(self) -> None:
        """The days in which everything goes wrong."""
        for name in self.families:
            FAMILIES[name](self, self._random)
        self.longest_lag = self.world.whiplash.manners.lag[1]
        self.driver.say(f"seed {self.seed}, faults: {', '.join(self.families) or 'none'}")
        self.life.begin()
        rng = self._random
        at = rng.random() * DAY * 0.3
        while self.shape.sweeps and at < self.shape.days * DAY:
            self.during(at, "it is time to sweep", self.crew.sweep)
            at += (0.1 + 0.3 * rng.random()) * DAY
        self.crew.wake()
        self._pass(days=self.shape.days)

    def calm(self) -> None:
        """The storm is over: a whole sweep, its in-doubt waits, and the time in which an action must show its effect."""
        self.driver.say("the storm is over")
        self.life.ended = True
        world, manners = self.world, self.world.loop.manners
        world.network.quiet()
        world.network.webhooks.quiet()
        world.outbox.lost = False
        self.ledger.failing = self.driver.pace.crash = self.driver.pace.crash_sending = self.driver.pace.pause = 0.0
        manners.failing = manners.refuse = manners.hidden_flags = 0.0
        manners.processing_takes = (5.0, 60.0)
        world.whiplash.manners.lag = (0.0, min(world.whiplash.manners.lag[1], self.settings.lag.total_seconds() * 0.5))
        for mend in self.mended:
            mend()
        self._pass(hours=12)  # what was on its way arrives, and what was told to wait has waited
        for _ in range(4):
            if not self.shape.sweeps or self._sweep_whole():
                break
            self._pass(hours=2)
        self._pass(seconds=(2 * self.settings.bound + self.settings.confirm_by).total_seconds() + 7200.0)

    def _sweep_whole(self) -> bool:
        ended: list[Report | None] = []
        self.crew.sweep(ended.append)
        for _ in range(48):
            self._pass(minutes=10)
            if ended:
                break
        report = ended[0] if ended else None
        self.swept = report is not None and report.complete
        return self.swept

    def years(self) -> None:
        """The clock jumps, again and again: nobody looked for weeks, then there is time for a few looks."""
        for days in (4, 11, 30, 400):
            self.driver.say(f"{days} days go by")
            self.crew.away = True
            self._pass(days=days)
            self.crew.away = False
            self.crew.wake()
            self._pass(seconds=(self.settings.confirm_by + self.settings.bound).total_seconds() + 3 * 3600.0)

    # -------------------------------------------------------------------------------------------------- inside

    def during(self, seconds: float, what: str, happening: Callable[[], object]) -> None:
        """Let something happen so many seconds from now, unless the storm is over by then."""

        def happens() -> None:
            if not self.life.ended:
                self.driver.say(f"world: {what}")
                happening()

        self.world.clock.after(seconds, happens)

    def _pass(self, **time: float) -> None:
        self.driver.run_until(self.world.clock.now() + timedelta(**time), idle=self.crew.deliver)

    def close(self) -> None:
        """Let go of what is still under way."""
        for worker in (*self.crew.workers, self.crew.web, self.crew.cron, self.crew.desk):
            worker.died = lambda: None
            self.driver.crash(worker)
        self.driver.close()

    # -------------------------------------------------------------------------------------- what flows say and hear

    def _sending(self, task: Task, system: str, request: Request) -> None:
        self.record.spend(system, request)
        what = "delete" if request.method == "DELETE" else _DEEDS.get(request.path.rsplit("/", 1)[-1]) if request.method == "POST" else None
        if what is None:
            return
        digits = [part for part in request.path.split("/") if part.isdigit()]
        return_id = int(digits[0]) if digits and system == "loop" else None
        look = task.facts.get(("look", return_id))
        self.record.acted.append(Acted(what=what, return_id=return_id, at=self.world.clock.now(), worker=str(task), look=look))

    def _arriving(self, task: Task, system: str, request: Request) -> None:
        return_id = _asked_for(request)
        ret = self.world.loop.returns.get(return_id) if return_id is not None else None
        if ret is not None:
            flags = [deed for deed in self.world.truth.deeds if deed.return_id == ret.id and deed.what == "flag" and deed.accepted]
            by_us = bool(flags) and flags[-1].by == "api"
            task.facts["answered", ret.id] = Look(at=self.world.clock.now(), state=ret.state, flagged=ret.flagged, by_us=by_us)

    def _heard(self, task: Task, system: str, request: Request, outcome: Heard) -> None:
        return_id = _asked_for(request)
        if return_id is not None and isinstance(outcome, Reply) and outcome.status == 200:
            task.facts["look", return_id] = task.facts.get(("answered", return_id))


def _asked_for(request: Request) -> int | None:
    """The return whose details are asked for by id."""
    if request.method != "GET" or not request.path.endswith("/details"):
        return None
    said = request.params.get("return_id", "")
    return int(said) if said.isdigit() else None
