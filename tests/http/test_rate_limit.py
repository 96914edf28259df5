"""Limits are kept, not hit: on a virtual clock, by many threads and tasks, and whatever the vendor says is left."""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop_whiplash.errors import ConfigurationError
from loop_whiplash.http.limit import Limiter, RateLimit, Unlimited


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Sliding:
    """A vendor that counts every stretch of `per` seconds."""

    def __init__(self, limit: int, per: float) -> None:
        self.limit, self.per = limit, per
        self.at: deque[float] = deque()
        self.refused = 0

    def take(self, now: float) -> int | None:
        """What is left, or None: refused."""
        while self.at and now - self.at[0] >= self.per:
            self.at.popleft()
        if len(self.at) >= self.limit:
            self.refused += 1
            return None
        self.at.append(now)
        return self.limit - len(self.at)


class Fixed(Sliding):
    """A vendor whose windows begin at fixed times."""

    def take(self, now: float) -> int | None:
        window = now // self.per
        if not self.at or self.at[-1] // self.per != window:
            self.at.clear()
        return super().take(now) if len(self.at) < self.limit else self._no()

    def _no(self) -> None:
        self.refused += 1


@pytest.mark.parametrize(("limit", "per"), [(300, 60.0), (10, 1.0)])
@pytest.mark.parametrize("vendor", [Sliding, Fixed])
@pytest.mark.parametrize("offset", [0.0, 0.37, 0.99])
def test_3000_calls_keep_the_limit_and_use_it(limit: int, per: float, vendor: type[Sliding], offset: float) -> None:
    clock = Seconds()
    clock.now += offset * per
    limiter, server = RateLimit(limit, per, clock=clock), vendor(limit, per)
    began = clock.now
    for _ in range(3000):
        clock.now += limiter.reserve()
        left = server.take(clock.now)
        assert left is not None
        limiter.learn(remaining=left)
    assert server.refused == 0
    # The first `limit` may go at once; the rest at the allowed rate.
    assert (3000 - limit) / ((clock.now - began) * limit / per) >= 0.95


def test_requests_that_arrive_with_unequal_delay_are_not_refused() -> None:
    clock = Seconds()
    limiter, server = RateLimit(10, 1.0, clock=clock), Sliding(10, 1.0)
    arrivals: list[float] = []
    for number in range(500):
        clock.now += limiter.reserve()
        arrivals.append(clock.now + (0.03 if number % 7 == 0 else 0.0))
    for at in sorted(arrivals):
        server.take(at)
    assert server.refused == 0


@settings(max_examples=100)
@given(
    limit=st.integers(1, 20),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("call"), st.floats(0, 3)),
            st.tuples(st.just("left"), st.integers(-5, 30)),
            st.tuples(st.just("refused"), st.floats(0, 30)),
        ),
        max_size=80,
    ),
)
def test_no_stretch_ever_holds_more_than_the_limit(limit: int, steps: list[tuple[str, float]]) -> None:
    clock = Seconds()
    limiter = RateLimit(limit, 10.0, clock=clock)
    places: list[float] = []
    for what, value in steps:
        if what == "call":
            clock.now += value
            delay = limiter.reserve()
            assert delay >= 0
            places.append(clock.now + delay)
        elif what == "left":
            limiter.learn(remaining=int(value))
        else:
            limiter.learn(refused=True, retry_after=value or None)
    assert places == sorted(places)
    for first, last in zip(places, places[limit:], strict=False):
        assert last - first >= 10.0 * 1.03 - 1e-6


def test_others_who_spend_the_key_are_noticed() -> None:
    clock = Seconds()
    limiter = RateLimit(10, 1.0, slack=0.0, clock=clock)
    assert limiter.reserve() == 0.0
    limiter.learn(remaining=2)
    assert [limiter.reserve(), limiter.reserve()] == [0.0, 0.0]
    assert limiter.reserve() == pytest.approx(1.0)


def test_what_is_left_never_raises_the_limit() -> None:
    clock = Seconds()
    limiter = RateLimit(2, 1.0, slack=0.0, clock=clock)
    limiter.reserve(), limiter.reserve()
    limiter.learn(remaining=299)
    assert limiter.reserve() == pytest.approx(1.0)


def test_a_refusal_holds_everybody_back_as_long_as_it_says() -> None:
    clock = Seconds()
    limiter = RateLimit(10, 1.0, clock=clock)
    limiter.learn(refused=True, retry_after=5.0)
    assert limiter.held() == 5.0
    assert limiter.reserve() == 5.0
    clock.now += 5.0
    assert limiter.held() == 0.0


def test_a_refusal_that_says_nothing_holds_longer_each_time_up_to_the_stretch() -> None:
    clock = Seconds()
    limiter = RateLimit(300, 60.0, slack=0.0, clock=clock)
    holds = []
    for _ in range(6):
        limiter.learn(refused=True)
        limiter.learn(refused=True)  # another of those under way at the same time
        holds.append(limiter.held())
        clock.now += limiter.held()
    assert holds == pytest.approx([5, 10, 20, 40, 60, 60])
    limiter.learn(remaining=100)
    limiter.learn(refused=True)
    assert limiter.held() == pytest.approx(5)


def test_a_retry_after_of_years_does_not_lock_a_process_for_years() -> None:
    clock = Seconds()
    limiter = RateLimit(10, 1.0, clock=clock)
    limiter.learn(refused=True, retry_after=1e9)
    assert limiter.held() <= 3600


def test_threads_share_one_limiter() -> None:
    clock = Seconds()
    limiter = RateLimit(50, 10.0, slack=0.0, clock=clock)
    barrier = threading.Barrier(8)

    def take() -> list[float]:
        barrier.wait()
        return [limiter.reserve() for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        delays = sorted(delay for future in [pool.submit(take) for _ in range(8)] for delay in future.result())
    assert len(delays) == 400
    assert delays == pytest.approx([10.0 * (number // 50) for number in range(400)])


def test_tasks_share_one_limiter() -> None:
    clock = Seconds()
    limiter = RateLimit(10, 1.0, slack=0.0, clock=clock)
    sent: list[float] = []
    due: list[tuple[float, int, asyncio.Event]] = []

    async def sleep(seconds: float, number: int) -> None:
        event = asyncio.Event()
        heapq.heappush(due, (clock.now + seconds, number, event))
        await event.wait()

    async def one(number: int) -> None:
        delay = limiter.reserve()
        if delay:
            await sleep(delay, number)
        sent.append(clock.now)

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(one(number)) for number in range(100)]
        await asyncio.sleep(0)
        while due:
            clock.now, _, event = heapq.heappop(due)
            event.set()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
    for first, last in zip(sent, sent[10:], strict=False):
        assert last - first >= 1.0 - 1e-9


@pytest.mark.parametrize("wrong", [(0, 1.0, 0.0), (1, 0.0, 0.0), (1, float("nan"), 0.0), (1, 1.0, -0.1), (1, 1.0, 1.0)])
def test_a_limit_that_cannot_work(wrong: tuple[int, float, float]) -> None:
    with pytest.raises(ConfigurationError):
        RateLimit(wrong[0], wrong[1], slack=wrong[2])


def test_unlimited_is_a_limiter_too() -> None:
    for limiter in (Unlimited(), RateLimit(1, 1.0)):
        assert isinstance(limiter, Limiter)
    limiter = Unlimited()
    limiter.learn(refused=True)
    assert (limiter.reserve(), limiter.held()) == (0.0, 0.0)
