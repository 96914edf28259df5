"""How many returns a minute the Celery example takes in and pays out, with one worker process and with two.

    python benchmarks/celery_workers.py --returns 60

Real Redis, real PostgreSQL, both fakes over sockets. First without waiting for the vendors' rate limits, which shows what the machine and
the ledger allow; then keeping to them, which is what production sees: there the limits, not the workers, say how fast it can be.
"""

# ruff: noqa: E402 - the helpers of the tests are put on the path first
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "examples")]

from celery import Celery
from example_hosts import EXAMPLES, environment, running, tick, until, world_now
from test_celery import front_of, worker

from loop_whiplash import PostgresLedger
from loop_whiplash.simulator import Message
from postgres_server import server


def measured(dsn: str, socket: str, folder: Path, *, returns: int, workers: int, app: str) -> float:
    """Returns a minute, from their webhooks to their payment."""
    world = world_now()
    world.loop.manners.rate_limit, world.whiplash.manners.rate_limit = 100_000, 10_000
    queue = Celery(broker=f"redis+socket://{socket}")
    with world.serve() as fakes, ExitStack() as stack:
        ledger = stack.enter_context(closing(PostgresLedger(dsn)))
        front = front_of(world, fakes.loop_url, fakes.whiplash_url, ledger)
        env = environment(world, fakes, folder, DATABASE_URL=dsn, REDIS_URL=f"redis+socket://{socket}", PROCESSES=str(workers))
        env["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES), str(ROOT / "tests/examples"), *filter(None, [os.environ.get("PYTHONPATH")])])

        def web(message: Message) -> int:
            reply = (front.handle_loop if message.system == "loop" else front.handle_whiplash)(message.body, message.headers)
            queue.send_task("celery_app.advance", [reply.return_id])
            return reply.status

        def each(command: tuple[str, ...]) -> tuple[str, ...]:
            one = tuple("1" if before == "--concurrency" else word for before, word in zip(("", *command), command, strict=False))
            return tuple(app if word == "quick_celery" else word for word in one)

        ready = world.shopper.submit_return(1)
        world.carrier.scan(ready, "pre_transit")
        for number in range(workers):
            stack.enter_context(running(*each(worker(f"w{number}")), env=env, log=folder / f"w{number}.log"))
        world.deliver(web)
        until(lambda: world.truth.rmas(ready.id), "the workers being up")
        time.sleep(3 * workers)
        rets = [world.shopper.submit_return(1) for _ in range(returns)]
        for ret in rets:
            world.carrier.scan(ret, "pre_transit")
        tick(world)
        began = time.monotonic()
        world.deliver(web)
        until(lambda: tick(world) and all(world.truth.rmas(ret.id) for ret in rets), "RMAs", patience=600)
        for ret in rets:
            world.warehouse.receive(ret)
        tick(world)
        world.deliver(web)
        until(lambda: tick(world) and len(world.truth.done("process")) >= returns, "payments", patience=600)
        return returns / (time.monotonic() - began) * 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--returns", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import psycopg

    dsn, found = server(), {}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for app, title in (("quick_celery", "no limits"), ("celery_app", "the vendors' limits")):
            for workers in (1, 2):
                schema = f"bench_{app}_{workers}"
                with psycopg.connect(dsn, autocommit=True) as admin:
                    admin.execute(f"CREATE SCHEMA {schema}")
                place = Path(folder) / schema
                place.mkdir()
                socket = f"{place}/redis.sock"
                command = [shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", socket, "--save", ""]
                redis = subprocess.Popen([*command, "--dir", str(place)], stdout=subprocess.DEVNULL)
                try:
                    until(lambda socket=socket: os.path.exists(socket), "redis-server listening")
                    spot = f"{dsn} options='-c search_path={schema}'"
                    pace = measured(spot, socket, place, returns=options.returns, workers=workers, app=app)
                finally:
                    redis.terminate()
                    redis.wait(timeout=10)
                found[f"{title}, {workers}"] = round(pace, 1)
                if not options.json:
                    print(f"{title:<22} {workers} worker{'s' if workers > 1 else ' '}   {pace:7.0f} returns a minute", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
