"""Celery as it runs for real: Redis as broker, PostgreSQL as ledger, the sweep on beat; and everything that can go is shot on the way."""

# ruff: noqa: F811 - a fixture is imported by its name
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from example_hosts import EXAMPLES, environment, running, stop, tick, until, world_now

from loop_whiplash import Integration, LoopClient, PostgresLedger, Settings, WhiplashClient
from loop_whiplash.simulator import Message, World
from postgres_server import postgres  # noqa: F401

HERE = Path(__file__).resolve().parent
RETURNS = 16


@pytest.fixture
def redis_socket() -> Iterator[str]:
    """A redis-server of our own on a Unix socket; it keeps nothing on disk."""
    pytest.importorskip("redis", reason="the redis client is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="lw-redis-", dir="/tmp") as folder:
        socket = f"{folder}/redis.sock"
        server = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: os.path.exists(socket), "redis-server listening")
            yield socket
        finally:
            server.terminate()
            server.wait(timeout=10)


def worker(name: str) -> tuple[str, ...]:
    options = ("--concurrency", "2", "--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--hostname", f"{name}@here")
    return ("-m", "celery", "--app", "quick_celery", "worker", *options)


def front_of(world: World, loop_url: str, whiplash_url: str, ledger: PostgresLedger) -> Integration:
    """The web application: takes webhooks in, and does nothing else."""
    return Integration(
        LoopClient(world.api_key, base_url=loop_url),
        WhiplashClient(world.token, customer_id=world.customer_id, base_url=whiplash_url),
        ledger=ledger,
        settings=Settings(start=world.clock.now() - timedelta(days=1)),
        loop_secrets=[world.loop_secret],
        whiplash_secrets=[world.whiplash_secret],
    )


def test_nothing_is_lost_when_workers_die_and_the_queue_is_wiped(tmp_path: Path, postgres: str, redis_socket: str) -> None:
    celery = pytest.importorskip("celery")
    psutil = pytest.importorskip("psutil")
    import redis

    world = world_now()
    world.loop.manners.rate_limit, world.whiplash.manners.rate_limit = 100_000, 10_000
    queue = celery.Celery(broker=f"redis+socket://{redis_socket}")
    with world.serve() as fakes, ExitStack() as stack:
        env = environment(world, fakes, tmp_path, DATABASE_URL=postgres, REDIS_URL=f"redis+socket://{redis_socket}")
        env["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        ledger = stack.enter_context(closing(PostgresLedger(postgres)))
        front = front_of(world, fakes.loop_url, fakes.whiplash_url, ledger)
        rets = [world.shopper.submit_return(1) for _ in range(RETURNS)]
        unheard = {ret.id for ret in rets[::4]}  # of every fourth no webhook arrives at all

        def web(message: Message) -> int:
            reply = (front.handle_loop if message.system == "loop" else front.handle_whiplash)(message.body, message.headers)
            if reply.return_id is not None:
                queue.send_task("celery_app.advance", [reply.return_id])
            return reply.status

        world.outbox.fate = lambda message: [] if any(str(number).encode() in message.body for number in unheard) else [0]
        for ret in rets:
            world.carrier.scan(ret, "pre_transit")
        tick(world)
        assert {each.status for each in world.deliver(web)} == {200}

        beat = ("-m", "celery", "--app", "quick_celery", "beat", "--schedule", str(tmp_path / "beat"), "--loglevel", "WARNING")
        with running(*beat, env=env, log=tmp_path / "beat.log"), running(*worker("first"), env=env, log=tmp_path / "first.log") as first:
            until(lambda: len(world.truth.made) >= 4, "the first RMAs")
            stop(first, signal.SIGKILL)
            redis.Redis(unix_socket_path=redis_socket).flushall()
            second = stack.enter_context(running(*worker("second"), env=env, log=tmp_path / "second.log"))
            until(lambda: tick(world) and all(world.truth.rmas(ret.id) for ret in rets), "an RMA for every return")
            for ret in rets:
                world.warehouse.receive(ret)
            tick(world)
            assert {each.status for each in world.deliver(web)} == {200}
            until(lambda: len(world.truth.done("process")) >= 2, "the first payments")
            for child in psutil.Process(second.pid).children():
                child.kill()

            def settled() -> bool:
                """Paid; or a break says that it is in doubt, and a person who has looked sends it again."""
                tick(world)
                for ret in rets:
                    case = None if ret.was_processed else front.case(ret.id)
                    if case and any(found.code == "ACTION_UNCONFIRMED" for found in case.breaks) and not world.truth.processes(ret.id):
                        front.retry(ret.id, by="pat")
                return all(ret.was_processed for ret in rets)

            until(settled, "every return being paid out")
            stop(second, signal.SIGKILL)

    assert [len(world.truth.rmas(ret.id)) for ret in rets] == [1] * RETURNS
    assert [len(world.truth.processes(ret.id)) for ret in rets] == [1] * RETURNS


def test_celery_says_what_is_not_set(tmp_path: Path) -> None:
    pytest.importorskip("celery")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "LOOP_API_KEY": "key", "GO_LIVE": "2026-12-01"}
    done = subprocess.run(
        [sys.executable, "-c", "import celery_app"], cwd=EXAMPLES, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "set LOOP_SECRETS, WHIPLASH_TOKEN" in done.stderr
    assert "REDIS_URL" in done.stderr
