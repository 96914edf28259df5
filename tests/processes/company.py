"""Eight workers of one shop who do what is due together, some of whom are killed meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

from shops import Died, Shop

from loop_whiplash.simulator import Message

__all__ = ["WORKERS", "Company"]

WORKERS = 8


class Company:
    """Eight workers who do what is due together, some of whom are killed meanwhile."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop, self.dice = shop, random.Random(f"company {seed}")
        self.workers = [shop.hire() for _ in range(WORKERS)]
        self.killed = 0
        self.replies = 0

    def work(self, *, kill: bool) -> list[Message]:
        """Deliver what the vendors send and work until nothing is due; gives what was delivered. Who dies is replaced at once."""
        messages = []
        for message in self._messages():
            messages.append(message)
            self._settle(message, self.shop.hand_over(message, self.dice.choice(self.workers)))
        stop = threading.Event()
        threads = [threading.Thread(target=self._drive, args=(place,), daemon=True) for place in range(WORKERS)]
        killer = threading.Thread(
            target=self._kill, args=(stop, self.replies, [self.dice.randrange(WORKERS) for _ in range(2)]), daemon=True
        )
        for thread in threads:
            thread.start()
        if kill:
            killer.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive(), "a worker hangs"
        stop.set()
        if kill:
            killer.join()
        self.shop.let_leases_run_out()
        return messages

    def _messages(self) -> Iterator[Message]:
        while (message := self.shop.world.outbox.take()) is not None:
            yield message

    def _settle(self, message: Message, status: int) -> None:
        if status == 0:
            self.replace_the_dead()
        self.shop.world.outbox.settle(message, status)

    def _drive(self, place: int) -> None:
        while True:
            try:
                done = self.workers[place].ask("run", limit=3)["done"]
            except Died:
                self.workers[place] = self.shop.hire()
                continue
            self.replies += 1
            if not done:
                return

    def _kill(self, stop: threading.Event, began: int, after: list[int]) -> None:
        """Kill somebody after so many answers: each worker gives one at least, however quick the machine is."""
        for answers in sorted(after):
            while self.replies - began < answers and not stop.is_set():
                time.sleep(0.001)
            self.workers[self.dice.randrange(WORKERS)].kill()
            self.killed += 1
            if self.dice.random() < 0.3:
                self.shop.let_leases_run_out()  # also those of workers who are alive and do not know it

    def replace_the_dead(self) -> None:
        """Hire somebody in the place of each who was killed."""
        for place, worker in enumerate(self.workers):
            if not worker.is_alive():
                self.workers[place] = self.shop.hire()
