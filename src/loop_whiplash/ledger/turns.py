"""A lock that is handed over in the order in which it was asked for."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType

__all__ = ["Turns"]


class Turns:
    """First come, first served.

    A `threading.Lock` goes to whoever grabs it first, which is nearly always the thread that has just given it back: a
    busy writer would keep all others waiting for as long as it is busy.

    Raises `TimeoutError` when `timeout` seconds pass before our turn.
    """

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._door = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.pass_on()

    def take(self) -> None:
        """Wait for our turn."""
        with self._door:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        ours = False
        try:
            ours = mine.acquire(timeout=self._timeout)
        finally:  # a time-out, or an interrupt while waiting
            if not ours:
                self._leave(mine)
        if not ours:
            raise TimeoutError

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def _leave(self, mine: threading.Lock) -> None:
        with self._door:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        self.pass_on()  # it was handed to us just as we gave up

    def pass_on(self) -> None:
        """Let the next one in."""
        with self._door:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
