"""One budget for several processes: the same places, holds and lessons as one limiter in one process has."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_whiplash import ConfigurationError, ConnectionFailed, Limiter, LoopClient, RateLimit, SharedRateLimit
from loop_whiplash.http.flow import Reply, Request


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def test_it_is_a_limiter_that_waits_for_a_disk(tmp_path: Path) -> None:
    limiter = SharedRateLimit(tmp_path / "limits.db", 10, 1)
    assert isinstance(limiter, Limiter)
    assert limiter.blocking
    assert repr(limiter).endswith("limits.db', 10, 1, budget='default')")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 40)),
        st.tuples(st.just("left"), st.integers(0, 4)),
        st.tuples(st.just("refused"), st.integers(0, 30)),
        st.tuples(st.just("refused without a word"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_two_that_share_a_file_do_as_one_alone_does(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    clock, path = Clock(), tmp_path_factory.mktemp("limits") / "l.db"
    alone = RateLimit(4, 10, clock=clock)
    shared = [SharedRateLimit(path, 4, 10, clock=clock) for _ in range(2)]
    for number, (step, amount) in enumerate(steps):
        one = shared[number % 2]
        if step == "reserve":
            assert one.reserve() == alone.reserve()
        elif step == "wait":
            clock.at += amount / 4
        elif step == "left":
            one.learn(remaining=amount)
            alone.learn(remaining=amount)
        else:
            after = float(amount) if step == "refused" else None
            one.learn(refused=True, retry_after=after)
            alone.learn(refused=True, retry_after=after)
        assert shared[0].held() == shared[1].held() == alone.held()


def test_budgets_in_one_file_are_apart(tmp_path: Path) -> None:
    clock = Clock()
    one, other = (SharedRateLimit(tmp_path / "l.db", 1, 60, budget=name, clock=clock) for name in ("loop/shop-1", "loop/shop-2"))
    assert one.reserve() == 0
    assert other.reserve() == 0
    assert one.reserve() > 59
    other.learn(refused=True, retry_after=30)
    assert one.held() == 0


def test_threads_share_it_too(tmp_path: Path) -> None:
    clock, waits = Clock(), list[float]()
    limiter = SharedRateLimit(tmp_path / "l.db", 5, 10, slack=0, clock=clock)
    threads = [threading.Thread(target=lambda: waits.extend(limiter.reserve() for _ in range(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == [0.0] * 5 + [10.0] * 5 + [20.0] * 5 + [30.0] * 5


def test_processes_keep_the_limit_together_and_use_it(tmp_path: Path) -> None:
    limit, per, each = 20, 5.0, 50
    command = [sys.executable, str(Path(__file__).with_name("sharing_worker.py")), str(tmp_path / "l.db"), str(limit), str(per), str(each)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        places = sorted(float(line) for worker in workers for line in worker.communicate(timeout=60)[0].split())
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert len(places) == 2 * each
    assert all(after - before >= per for before, after in zip(places, places[limit:], strict=False))
    assert len(places) * per / limit / (places[-1] - places[0] + per) >= 0.95


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_file_that_no_other_process_sees_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="use RateLimit"):
        SharedRateLimit(path, 10, 1)


def test_a_limit_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        SharedRateLimit(tmp_path / "l.db", 0, 1)
    assert not (tmp_path / "l.db").exists()


def test_a_file_that_cannot_be_read_sends_nothing(tmp_path: Path) -> None:
    path, sent = tmp_path / "l.db", list[Request]()
    limiter = SharedRateLimit(path, 10, 1)
    path.write_bytes(b"not a database, " * 100)

    class Carrier:
        def send(self, request: Request) -> Reply:
            sent.append(request)
            return Reply(status=200)

    with pytest.raises(ConnectionFailed, match="nothing was sent") as caught:
        LoopClient("key", transport=Carrier(), limiter=limiter).returns.get(5)
    assert sent == []
    assert not caught.value.maybe_applied


def test_on_an_event_loop_it_is_asked_in_a_thread(tmp_path: Path) -> None:
    from loop_whiplash import AsyncLoopClient

    class Carrier:
        async def send(self, request: Request) -> Reply:
            return Reply(status=200, body=b'[{"id": 5}]', headers={"x-ratelimit-remaining": "1"})

    clock = Clock()
    limiter = SharedRateLimit(tmp_path / "l.db", 300, 60, clock=clock)

    async def sleep(seconds: float) -> None:
        clock.at += seconds

    async def main() -> list[int]:
        loop = AsyncLoopClient("key", transport=Carrier(), limiter=limiter, sleep=sleep)
        return [found.id for found in await asyncio.gather(*(loop.returns.get(5) for _ in range(3)))]

    assert asyncio.run(main()) == [5, 5, 5]
    assert limiter.reserve() > 0 or limiter.reserve() > 0  # the reply said that others have spent the rest
