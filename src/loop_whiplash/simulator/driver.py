"""The third driver of flows: many at once, step by step, on the virtual clock, all drawn from one seed.

Every `Send`, `Store` and `Sleep` of every flow is one step, and between any two steps of a flow the others go on. A
request is under way while others act. A *worker* is one process: it can be paused for any time, longer than its leases
too, and it crashes by dropping its flows, which is exactly what a power cut leaves of them. Waiting moves only the
virtual clock. What happened is kept as lines of text; one seed gives the same lines, byte for byte.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from loop_whiplash.http.flow import Flow, Interrupted, NotSent, Reply, Request, Send, Sleep, Store

from .world import World

__all__ = ["Driver", "Pace", "Task", "Worker"]

Heard = Reply | NotSent | Interrupted


@attrs.define(kw_only=True)
class Pace:
    """How evenly workers run.

    Attributes:
        slow: share of steps that take up to `slowest` seconds; all others take milliseconds.
        pause, longest_pause: share of steps before which the whole worker stops, and for how long at most (seconds).
        crash: share of steps before which the worker dies; crash_sending: share of requests that act, with which their worker dies.
        away: seconds until it is started again, at most.
    """

    slow: float = 0.02
    slowest: float = 5.0
    pause: float = 0.0
    longest_pause: float = 1800.0
    crash: float = 0.0
    crash_sending: float = 0.0
    away: float = 600.0


@attrs.define(eq=False)
class Task:
    """One flow, run by one worker. `facts` is for who watches: what this flow has been told."""

    number: int
    name: str
    worker: Worker
    flow: Flow[Any]
    done: Callable[[Any, Exception | None], None]
    facts: dict[Any, Any] = attrs.field(factory=dict)
    dropped: bool = False

    def __str__(self) -> str:
        return f"{self.worker.name}/{self.name}#{self.number}"


@attrs.define(eq=False)
class Worker:
    """One process. `died` is called when it crashes; whoever started it starts it again."""

    name: str
    died: Callable[[], None] = lambda: None
    tasks: dict[int, Task] = attrs.field(factory=dict)
    stopped_until: datetime | None = None


class Driver:
    """Runs flows against a world.

    Attributes:
        pace: how evenly; change it as you like. lines: what happened, in order. steps: how many steps were performed.
        faults: crashes and pauses, counted. sent: told of every request as it leaves, and of what its flow heard.
    """

    def __init__(self, world: World, *, pace: Pace | None = None) -> None:
        self.world = world
        self.pace: Pace = pace or Pace()
        self.lines: list[str] = []
        self.steps: int = 0
        self.sending: Callable[[Task, str, Request], None] = lambda task, system, request: None
        self.arriving: Callable[[Task, str, Request], None] = lambda task, system, request: None
        self.heard: Callable[[Task, str, Request, Heard], None] = lambda task, system, request, outcome: None
        self._rng = world.random("driver")
        self._numbers = 0
        self._dead: list[Flow[Any]] = []

    # ------------------------------------------------------------------------------------------------- running

    def start(self, worker: Worker, name: str, flow: Flow[Any], done: Callable[[Any, Exception | None], None] | None = None) -> Task:
        """Begin a flow; `done` is told its result or what it raised. Nobody is told of a flow that was dropped."""
        self._numbers += 1
        task = Task(self._numbers, name, worker, flow, done or (lambda result, error: None))
        worker.tasks[task.number] = task
        self.say(f"{task} begins")
        self._later(task, None, None)
        return task

    def run_until(self, end: datetime, *, idle: Callable[[], None] | None = None) -> None:
        """Let everything happen that is due by `end`. `idle` is called after each move of the clock, and delivers what webhooks are due."""
        clock = self.world.clock
        while True:
            post = self.world.outbox.next_at() if idle is not None else None
            following = min(filter(None, (clock.next_at(), post)), default=None)
            if following is None or following > end:
                clock.advance_to(end)
                return
            clock.advance_to(following)
            if idle is not None:
                idle()

    def crash(self, worker: Worker) -> None:
        """The process dies: none of its flows goes on, and nothing of them is cleaned up."""
        self.say(f"{worker.name} crashes with {len(worker.tasks)} flows")
        self.world.truth.faults["crash"] += 1
        for task in worker.tasks.values():
            task.dropped = True
            self._dead.append(task.flow)  # kept, so that no clean-up of Python's runs either
        worker.tasks.clear()
        worker.stopped_until = None
        worker.died()

    def close(self) -> None:
        """Let go of all flows that were dropped."""
        for flow in self._dead:
            flow.close()
        self._dead.clear()

    # -------------------------------------------------------------------------------------------------- steps

    def _later(self, task: Task, answer: Any, error: Exception | None, after: float = 0.0) -> None:
        rng, pace = self._rng, self.pace
        takes = rng.random() * (pace.slowest if pace.slow and rng.random() < pace.slow else 0.004)
        self.world.clock.after(after + takes, lambda: self._resume(task, answer, error))

    def _resume(self, task: Task, answer: Any, error: Exception | None) -> None:
        if task.dropped:
            return
        worker, now, pace = task.worker, self.world.clock.now(), self.pace
        if worker.stopped_until is not None:
            if now < worker.stopped_until:
                self.world.clock.at(worker.stopped_until, lambda: self._resume(task, answer, error))
                return
            worker.stopped_until = None
        if pace.crash and self._rng.random() < pace.crash:
            self.crash(worker)
            return
        if pace.pause and self._rng.random() < pace.pause:
            seconds = pace.longest_pause ** self._rng.random()
            worker.stopped_until = now + timedelta(seconds=seconds)
            self.world.truth.faults["pause"] += 1
            self.say(f"{worker.name} pauses for {seconds:.0f} s")
            self.world.clock.at(worker.stopped_until, lambda: self._resume(task, answer, error))
            return
        self.steps += 1
        try:
            step = task.flow.send(answer) if error is None else task.flow.throw(error)
        except StopIteration as stop:
            self._ended(task, stop.value, None)
            return
        except Exception as raised:
            self._ended(task, None, raised)
            return
        self._perform(task, step)

    def _ended(self, task: Task, result: Any, error: Exception | None) -> None:
        del task.worker.tasks[task.number]
        self.say(f"{task} ends{'' if error is None else f' with {type(error).__name__}: {error}'}")
        task.done(result, error)

    def _perform(self, task: Task, step: object) -> None:
        match step:
            case Send(request, transport):
                self._send(task, getattr(transport, "system", "?"), request)
            case Store(transaction):
                answer, error = None, None
                try:
                    answer = transaction()
                except Exception as raised:
                    error = raised
                self._later(task, answer, error)
            case Sleep(seconds):
                self._later(task, None, None, after=max(0.0, seconds))
            case _:
                wrong = TypeError(f"a flow awaits only Send, Store and Sleep, not {type(step).__name__}")
                self._later(task, None, wrong)

    def _send(self, task: Task, system: str, request: Request) -> None:
        self.say(f"{task} sends {system} {request.method} {request.path} {_query(request)}")
        self.sending(task, system, request)

        def heard(outcome: Heard) -> None:
            if task.dropped:
                return
            self.say(f"{task} hears {_short(outcome)}")
            self.heard(task, system, request, outcome)
            if isinstance(outcome, Reply):
                self._later(task, outcome, None)
            else:
                self._later(task, None, outcome)

        self.world.begin(system, request, heard, arriving=lambda: self.arriving(task, system, request))
        if request.method != "GET" and self.pace.crash_sending and self._rng.random() < self.pace.crash_sending:
            self.crash(task.worker)

    # -------------------------------------------------------------------------------------------------- the trace

    def say(self, line: str) -> None:
        """Add a line to the trace."""
        self.lines.append(f"{self.world.clock.now():%m-%d %H:%M:%S.%f} {line}")

    def digest(self) -> str:
        """A hash of all that happened so far."""
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=16).hexdigest()


def _query(request: Request) -> str:
    said = " ".join(f"{name}={value}" for name, value in request.params.items())
    body = f"{len(request.body)} bytes {zlib.crc32(request.body):08x}" if request.body else ""
    return f"{said} {body}".strip()


def _short(outcome: Heard) -> str:
    if isinstance(outcome, Reply):
        return f"{outcome.status}, {len(outcome.body)} bytes {zlib.crc32(outcome.body):08x}"
    return f"{type(outcome).__name__}: {outcome}"
