"""Many seeds, over several processes: each run whole, and some of them twice."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import attrs

from .checker import Violation
from .laws import check_hints, check_ledgers
from .run import Run, Shape

__all__ = ["Result", "run_seed", "run_seeds"]

#: Every so many seeds the same seed is run again on an SQLite ledger (P11), and with its hints in another order (P5).
TWICE = 25
#: Lines of a trace that are shown where a seed fails.
SHOWN = 60
CHUNK = 5


@attrs.frozen(kw_only=True)
class Result:
    """What came of one seed. `trace`: the last lines about the first return that went wrong; empty where none did."""

    seed: int
    steps: int
    families: tuple[str, ...]
    faults: Counter[str]
    violations: tuple[Violation, ...]
    trace: tuple[str, ...] = ()


def run_seed(seed: int, faults: tuple[str, ...], shape: Shape | None = None) -> Result:
    """One seed, whole. `shape`: how large; as the seed draws it by default, and then some seeds are run twice."""
    run = Run(seed, faults, shape=shape).all()
    run.close()
    found = list(run.violations)
    if shape is None and seed % TWICE == 0:
        found += check_ledgers(seed, faults)
    if shape is None and seed % TWICE == TWICE // 2:
        found += check_hints(seed)
    trace = tuple(_about(run.driver.lines, found[0].return_id))[-SHOWN:] if found else ()
    return Result(
        seed=seed,
        steps=run.driver.steps,
        families=run.families,
        faults=run.world.truth.faults,
        violations=tuple(found),
        trace=trace,
    )


def _about(lines: Iterable[str], return_id: int | None) -> Iterator[str]:
    """The lines that concern one return: those that name it, and what the flows that work on it do."""
    name, busy = str(return_id or ""), set[str]()
    for line in lines:
        who = line.split(" ", 2)[2].split("#")[0] if "#" in line else ""
        if name in line:
            busy.add(who)
            yield line
        elif "ledger leases" in line:
            busy.clear()
        elif who in busy or "crashes" in line or "pauses" in line or " world: " in line:
            yield line


def run_seeds(first: int, least: int, faults: tuple[str, ...], workers: int, until: float | None) -> Iterator[Result]:
    """Seeds from `first` on: at least so many, and more until that time of `time.monotonic`."""

    def wanted(seed: int) -> bool:
        return seed < first + least or (until is not None and time.monotonic() < until)

    if workers == 1:
        for seed in itertools.takewhile(wanted, itertools.count(first)):
            yield run_seed(seed, faults)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        for at in itertools.takewhile(wanted, itertools.count(first, CHUNK)):
            stop = at + CHUNK if until is not None else min(at + CHUNK, first + least)
            waiting.append(pool.submit(_some, range(at, stop), faults))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        for rest in waiting:
            yield from rest.result()


def _some(seeds: range, faults: tuple[str, ...]) -> list[Result]:
    logging.getLogger("loop_whiplash").setLevel(logging.CRITICAL)
    return [run_seed(seed, faults) for seed in seeds]
