"""Runs the examples under their real hosts: free ports, bounded waits, and a world that both fakes of live in."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loop_whiplash.simulator import SimulatedReturn, World

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until(found: Callable[[], Any], what: str, *, patience: float = PATIENCE) -> Any:
    """Wait until something holds, and give it."""
    end = time.monotonic() + patience
    while True:
        if value := found():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {patience:.0f} s")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(0.5)
        return one.connect_ex(("127.0.0.1", port)) == 0


def world_now(seed: int = 3) -> World:
    """A world whose clock begins now and whose Loop pays out within a second, for hosts that live in real time."""
    world = World(seed=seed, start=datetime.now(UTC).replace(microsecond=0))
    world.loop.manners.processing_takes = (0.2, 0.8)
    return world


def environment(world: World, fakes: Any, folder: Path, **more: str) -> dict[str, str]:
    """What the examples read. Coverage and the import path of the tests go along; nothing else of ours does."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PYTHON", "COV", "LANG", "TMP"))}
    return kept | {
        "HOME": str(folder),
        "LOOP_API_KEY": world.api_key,
        "LOOP_URL": fakes.loop_url,
        "LOOP_SECRETS": f"{world.loop_secret},an-older-secret",
        "WHIPLASH_TOKEN": world.token,
        "WHIPLASH_CUSTOMER": str(world.customer_id),
        "WHIPLASH_URL": fakes.whiplash_url,
        "WHIPLASH_SECRETS": world.whiplash_secret,
        "RETURNS_DB": str(folder / "returns.db"),
        "GO_LIVE": (world.clock.now() - timedelta(days=1)).isoformat(),
        **more,
    }


def shops_toml(folder: Path, worlds: Mapping[str, World], fakes: Mapping[str, Any]) -> Path:
    """The configuration of `several_shops.py`: one shop a world."""
    path = folder / "shops.toml"
    path.write_text(
        "".join(
            f"""
[shops.{name}]
loop_api_key = "{world.api_key}"
loop_url = "{fakes[name].loop_url}"
loop_secrets = ["{world.loop_secret}"]
whiplash_token = "{world.token}"
whiplash_url = "{fakes[name].whiplash_url}"
whiplash_customer = {world.customer_id}
whiplash_secrets = ["{world.whiplash_secret}"]
ledger = "{folder}/returns.db"
[shops.{name}.settings]
start = "2020-01-01T00:00:00+00:00"
"""
            for name, world in worlds.items()
        ),
        encoding="utf-8",
    )
    return path


@contextmanager
def running(*command: str, env: dict[str, str], log: Path, port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process in `examples/`; with `port`, ready when it listens there. Its output is shown when it dies early."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=EXAMPLES,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        if port is not None:
            until(lambda: process.poll() is not None or listens(port), f"{command} listening")
        if process.poll() is not None:
            raise AssertionError(f"{command} ended with {process.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """End a process and its children, politely first."""
    for each in (how, signal.SIGKILL):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, each)
            try:
                process.wait(timeout=8)
            except subprocess.TimeoutExpired:
                continue
    process.wait(timeout=5)


def tool(*names: str) -> str | None:
    """A program on this machine, in the usual places and Debian's."""
    for name in names:
        if found := shutil.which(name):
            return found
        for place in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True):
            return str(place)
    return None


def tell_two_returns(world: World, urls: dict[str, str]) -> tuple[SimulatedReturn, SimulatedReturn]:
    """One exact and one damaged return, from label to count, webhooks delivered; the host must process one and flag the other."""
    exact, damaged = world.shopper.submit_return(2), world.shopper.submit_return(1)
    for ret in (exact, damaged):
        world.carrier.scan(ret, "pre_transit")
    deliver(world, urls)
    for ret in (exact, damaged):
        until(lambda ret=ret: world.truth.rmas(ret.id), f"an RMA for return {ret.id}")
    world.warehouse.receive(exact)
    world.warehouse.receive(damaged, damaged=1)
    deliver(world, urls)
    until(lambda: tick(world) and exact.was_processed, f"return {exact.id} being processed")
    until(lambda: tick(world) and damaged.flagged, f"return {damaged.id} being flagged")
    return exact, damaged


def deliver(world: World, urls: dict[str, str]) -> None:
    """All webhooks, each answered with 200."""
    tick(world)
    answers = [each.status for each in world.deliver(urls)]
    assert answers, "no webhook was sent"
    assert set(answers) == {200}, answers


def tick(world: World) -> bool:
    """The world's clock follows the real one, so that what Loop has queued gets done."""
    with world.lock:
        world.clock.advance_to(max(world.clock.now(), datetime.now(UTC)))
    return True


def agree(world: World, exact: SimulatedReturn, damaged: SimulatedReturn) -> None:
    """The world's own record: one RMA each, one process, one flag."""
    truth = world.truth
    assert [len(truth.rmas(ret.id)) for ret in (exact, damaged)] == [1, 1]
    assert [len(truth.processes(ret.id)) for ret in (exact, damaged)] == [1, 0]
    assert [len(truth.flags(ret.id)) for ret in (exact, damaged)] == [0, 1]
    assert truth.paid(exact.id) > 0
    assert truth.paid(damaged.id) == 0
