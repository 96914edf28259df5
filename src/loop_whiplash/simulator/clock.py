"""Virtual time: a clock that moves only when told to, and what is due to happen on the way.

Everything in the simulated world that takes time (a label that expires, a refund that is processed, a search index
that lags) is put on this one list, so that one seed gives one history.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from loop_whiplash.errors import ConfigurationError

__all__ = ["BEGINNING", "Clock"]

BEGINNING = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
"""When every world begins, unless it is told otherwise: a Monday, 09:00 UTC."""


class Clock:
    """Virtual time in UTC.

    ``clock.now`` fits wherever the library takes ``clock=``, ``clock.sleep`` (seconds) wherever it takes ``sleep=``.

    >>> clock = Clock()
    >>> clock.advance(days=1, hours=2)
    >>> clock.now().isoformat()
    '2026-03-03T11:00:00+00:00'
    """

    def __init__(self, start: datetime = BEGINNING, *, lock: threading.RLock | None = None) -> None:
        if start.tzinfo is None:
            raise ConfigurationError("a clock starts at a datetime with a time zone, e.g. datetime.now(UTC)")
        self._now = start.astimezone(UTC)
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = 0
        self._lock = lock if lock is not None else threading.RLock()

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return self._now

    def at(self, when: datetime, happening: Callable[[], None]) -> None:
        """Let something happen at `when` (at once on the next move, if that is past). Equal times happen in the order they were put."""
        with self._lock:
            self._order += 1
            heapq.heappush(self._due, (when, self._order, happening))

    def after(self, seconds: float, happening: Callable[[], None]) -> None:
        """`at`, so many seconds from now."""
        self.at(self._now + timedelta(seconds=seconds), happening)

    def next_at(self) -> datetime | None:
        """When the next thing is due to happen, or None."""
        return self._due[0][0] if self._due else None

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move on, letting happen what is due on the way, each at its own time."""
        self.advance_to(self._now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds))

    def advance_to(self, when: datetime) -> None:
        """Move on to `when`; a time that is past moves nothing."""
        with self._lock:
            while self._due and self._due[0][0] <= when:
                at, _, happening = heapq.heappop(self._due)
                self._now = max(self._now, at)
                happening()
            self._now = max(self._now, when)

    def sleep(self, seconds: float) -> None:
        """`advance`, for who waits: seconds."""
        self.advance(seconds=max(0.0, seconds))

    async def sleep_async(self, seconds: float) -> None:
        """`sleep`, awaited."""
        self.sleep(seconds)
