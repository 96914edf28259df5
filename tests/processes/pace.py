"""The clock by which worker processes wait: it stands still while anybody works, and when all wait it moves to the first who goes on.

Workers wait for a place within a rate limit, and before they try again. On this clock a minute of waiting takes no time, and
no time passes between a request's leaving and its arrival, however slow the machine: who counts at the door counts exactly.

It is kept in a file: the time, then for each seat whose it is and until when he waits.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import struct
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["SEATS", "Pace"]

SEATS = 24
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WORKING, WITH_NOTHING_TO_DO = 0, 2**62
_SEAT = struct.Struct("=qq")


class Pace:
    """One process's view of it. `seat`: where it says until when it waits; None for who only looks on."""

    def __init__(self, path: Path, seat: int | None = None, *, begins: datetime | None = None) -> None:
        if begins is not None:
            path.write_bytes(struct.pack("=q", (begins - EPOCH) // timedelta(microseconds=1)) + bytes(SEATS * _SEAT.size))
        self._file = path.open("r+b")  # opened by each process for itself: a lock is the file's that was opened
        self._memory = mmap.mmap(self._file.fileno(), 0)
        self._seat = seat
        self._pid = os.getpid()
        self.rest()

    def microseconds(self) -> int:
        """The time, since 1970."""
        now: int = struct.unpack_from("=q", self._memory)[0]
        return now

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return EPOCH + timedelta(microseconds=self.microseconds())

    def seconds(self) -> float:
        """The time, since 1970."""
        return self.now().timestamp()

    def work(self) -> None:
        """I am working: time stands still."""
        self._sit(WORKING)

    def rest(self) -> None:
        """I have nothing to do: time need not wait for me."""
        self._sit(WITH_NOTHING_TO_DO)

    def sleep(self, seconds: float) -> None:
        """Wait until so many seconds have gone by here."""
        until = self.microseconds() + math.ceil(seconds * 1e6)
        self._sit(until)
        while self.microseconds() < until:
            self._move()
            time.sleep(0.0003)
        self.work()

    def _sit(self, until: int) -> None:
        if self._seat is not None:
            _SEAT.pack_into(self._memory, 8 + self._seat * _SEAT.size, self._pid, until)

    def _move(self) -> None:
        """When all wait, move to when the first of them goes on. Who has died waits for nothing."""
        with suppress(BlockingIOError):  # another is at it
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                now, waits = self.microseconds(), []
                for seat in range(SEATS):
                    place = 8 + seat * _SEAT.size
                    pid, until = _SEAT.unpack_from(self._memory, place)
                    if pid and until <= now:  # at work, or about to be
                        if _is_alive(pid):
                            return
                        _SEAT.pack_into(self._memory, place, 0, 0)
                    elif pid:
                        waits.append(until)
                struct.pack_into("=q", self._memory, 0, min(waits))
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Look no longer."""
        self._memory.close()
        self._file.close()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
