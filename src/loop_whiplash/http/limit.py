"""Keep to a vendor's rate limit instead of running into it.

A *limiter* hands out places in time. `reserve` takes the next free place at once and says how far off it is; the flow
sleeps that long. Nobody holds a lock while waiting, so one limiter serves threads and tasks alike, and one that keeps
its places in a file or a server serves several processes.

`RateLimit` remembers when the last `limit` places were: the next one is free when the oldest is `per` seconds gone. So
in every stretch of `per` seconds there are at most `limit` requests, wherever the vendor's own window begins. Requests
arrive later than they are sent, and not all equally late; `slack` widens the stretch by a few per cent so that a slow
first request and a fast last one do not meet in one window.

Others may spend the same key. What the vendor says is left (``x-ratelimit-remaining``) lowers our idea of what is free,
never raises it; a 429 holds everybody back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from loop_whiplash.errors import ConfigurationError

__all__ = ["Limiter", "RateLimit", "Unlimited"]

#: A vendor's ``Retry-After`` holds everybody back for at most this long (seconds); then it is asked again.
LONGEST_HOLD = 3600.0


@runtime_checkable
class Limiter(Protocol):
    """Hands out places in time. All seconds are from now; all methods may be called from any thread.

    `blocking` is True when the methods wait for a disk or a network; they are then called off the event loop.
    """

    blocking: bool

    def reserve(self) -> float:
        """Take the next free place; seconds until it comes. A place that is not used is lost, which is safe."""
        ...

    def held(self) -> float:
        """Seconds for which nobody may send, because the vendor said so; 0.0 when all may."""
        ...

    def learn(self, *, remaining: int | None = None, refused: bool = False, retry_after: float | None = None) -> None:
        """What a reply said: how many requests are left, that one was refused with 429, and how long to wait."""
        ...


class RateLimit:
    """At most `limit` requests in any `per` seconds. Safe to share between threads, tasks and clients.

    Args:
        limit: requests. per: seconds. slack: share by which the stretch is widened (0.03 = 3 %).
        clock: seconds, never going back; `time.monotonic` by default.
    """

    blocking = False

    def __init__(self, limit: int, per: float, *, slack: float = 0.03, clock: Callable[[], float] = time.monotonic) -> None:
        if limit < 1 or not per > 0 or not 0 <= slack < 1:
            raise ConfigurationError("a rate limit is at least 1 request per more than 0 seconds, with a slack of at least 0 and below 1")
        self.limit = limit
        self.per = per
        self._stretch = per * (1 + slack)
        self._clock = clock
        self._lock = threading.Lock()
        self._places: deque[float] = deque(maxlen=limit)
        self._held_until = float("-inf")
        self._refusals = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.limit}, {self.per})"

    def reserve(self) -> float:
        with self._lock:
            now = self._clock()
            place = max(now, self._held_until)
            if len(self._places) == self.limit:
                place = max(place, self._places[0] + self._stretch)
            if self._places:
                place = max(place, self._places[-1])
            self._places.append(place)
            return place - now

    def held(self) -> float:
        with self._lock:
            return max(0.0, self._held_until - self._clock())

    def learn(self, *, remaining: int | None = None, refused: bool = False, retry_after: float | None = None) -> None:
        with self._lock:
            now = self._clock()
            if refused:
                self._hold(now, retry_after)
                return
            self._refusals = 0
            if remaining is None:
                return
            free = self.limit - sum(1 for place in self._places if place > now - self._stretch)
            # Somebody else has taken the difference; when, we do not know: now is the safe answer.
            self._insert(now, free - max(0, remaining))

    def state(self) -> tuple[tuple[float, ...], float, int]:
        """Its places, until when it is held, and how often it was refused in a row: what `restore` takes."""
        with self._lock:
            return tuple(self._places), self._held_until, self._refusals

    def restore(self, places: Iterable[float], *, held_until: float, refusals: int) -> None:
        """Go on from a `state` of before, or of another process."""
        with self._lock:
            self._places = deque(places, maxlen=self.limit)
            self._held_until, self._refusals = held_until, refusals

    def _insert(self, place: float, times: int) -> None:
        later = [each for each in self._places if each > place]
        for _ in later:
            self._places.pop()
        self._places.extend([place] * times)
        self._places.extend(later)

    def _hold(self, now: float, retry_after: float | None) -> None:
        if retry_after is None:
            if self._held_until > now:
                return  # one of several that were under way when the first was refused
            # Neither vendor documents a Retry-After. A Loop engineer's sample waits 5 s; double it while refused, up to the whole stretch.
            self._refusals += 1
            retry_after = min(self._stretch, max(1.0, self._stretch / 12) * 2 ** min(self._refusals - 1, 10))
        self._held_until = max(self._held_until, now + min(retry_after, LONGEST_HOLD))


class Unlimited:
    """No limit of our own; the vendor's still holds."""

    blocking = False

    def reserve(self) -> float:
        return 0.0

    def held(self) -> float:
        return 0.0

    def learn(self, *, remaining: int | None = None, refused: bool = False, retry_after: float | None = None) -> None:
        return None
