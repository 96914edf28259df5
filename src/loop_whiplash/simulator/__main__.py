"""Run the library in hostile worlds and hold it to what it promises: ``python -m loop_whiplash.simulator --seeds 1000 --faults all``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence

from loop_whiplash.errors import ConfigurationError

from .faults import FAMILIES, families
from .run import Run
from .seeds import Result, run_seeds

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Gives 0 when every promise held, 1 when one was broken, 2 for arguments that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m loop_whiplash.simulator", description="Hold the library to its promises in hostile worlds."
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run, at least (100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--faults", default="all", help=f"all, none, or some of: {', '.join(FAMILIES)}")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (as many as there are processors)")
    parser.add_argument("--seconds", type=float, default=None, help="go on with further seeds until so many seconds have passed")
    parser.add_argument("--trace", type=int, metavar="SEED", help="run this one seed and print everything that happens in it")
    given = parser.parse_args(arguments)
    if given.seeds < 1 and given.seconds is None:
        parser.error("--seeds is at least 1: no run holds nothing to anything")
    logging.getLogger("loop_whiplash").setLevel(logging.CRITICAL)
    try:
        faults = families(given.faults)
    except ConfigurationError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    if given.trace is not None:
        return _trace(given.trace, faults)
    for stop in (signal.SIGINT, signal.SIGTERM):  # a shell's background job is born deaf to the first
        signal.signal(stop, signal.default_int_handler)
    return _run(given.first, max(0, given.seeds), faults, max(1, given.workers), given.seconds)


def _trace(seed: int, faults: tuple[str, ...]) -> int:
    run = Run(seed, faults).all()
    run.close()
    for line in run.driver.lines:
        print(line)
    for violation in run.violations:
        print(f"BROKEN {violation}")
    print(f"seed {seed}: {run.driver.steps} steps, digest {run.driver.digest()}")
    return 1 if run.violations else 0


def _run(first: int, least: int, faults: tuple[str, ...], workers: int, seconds: float | None) -> int:
    began, steps, done = time.monotonic(), 0, 0
    progress = _Progress(least)
    struck, strikes, broken = Counter[str](), Counter[str](), list[Result]()
    try:
        for result in run_seeds(first, least, faults, workers, None if seconds is None else began + seconds):
            done += 1
            steps += result.steps
            struck.update(result.families)
            strikes.update(result.faults)
            if result.violations:
                broken.append(result)
                _show(result, given=",".join(faults))
            progress.show(done, steps, len(broken))
    except KeyboardInterrupt:
        print("stopped; what was run by then:")
    progress.end()
    took = time.monotonic() - began
    print(
        f"{done:,} seeds, {steps:,} steps, {took:.0f} s ({1000 * took / max(1, done):.0f} ms a seed), {len(broken)} with a broken promise"
    )
    print("seeds by family of faults: " + (", ".join(f"{name} {struck[name]:,}" for name in FAMILIES if struck[name]) or "none"))
    print("faults that struck: " + (", ".join(f"{name} {count:,}" for name, count in sorted(strikes.items())) or "none"))
    if broken:
        print("seeds with a broken promise: " + ", ".join(str(result.seed) for result in broken))
    return 1 if broken else 0


def _show(result: Result, given: str) -> None:
    print(f"\nseed {result.seed} breaks a promise, with {', '.join(result.families) or 'no faults'}:")
    for violation in result.violations:
        print(f"  {violation}")
    print("  the steps that led there:")
    for line in result.trace:
        print(f"    {line}")
    print(f"  all of it: python -m loop_whiplash.simulator --faults {given or 'none'} --trace {result.seed}", flush=True)


class _Progress:
    """One line on the standard error: rewritten on a terminal, else written every ten seconds."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._live = sys.stderr.isatty()
        self._began = self._shown = time.monotonic()
        self._line = ""

    def show(self, done: int, steps: int, broken: int) -> None:
        now = time.monotonic()
        self._line = f"{done:,} seeds of {max(done, self._least):,}, {steps:,} steps, {broken} broken, {now - self._began:.0f} s"
        if self._live:
            print(f"\r{self._line}", end="", file=sys.stderr, flush=True)
        elif now - self._shown >= 10:
            self._shown = now
            print(self._line, file=sys.stderr, flush=True)

    def end(self) -> None:
        print("\r" * self._live + self._line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
