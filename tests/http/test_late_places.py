"""A place within the rate limit is used at its time or not at all: processes are stopped, and tokens renewed, while flows wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from loop_whiplash import WhiplashClient
from loop_whiplash.http.flow import Flow, Reply, Request, Send, Sleep, Store
from loop_whiplash.http.session import Session
from loop_whiplash.whiplash.calls import get_consumer_return

START = datetime(2026, 3, 2, tzinfo=UTC)


class Slow:
    """Signs after a wait, as one does who renews a token first; all who wait are let go at once."""

    async def headers(self, session: Session) -> Mapping[str, str]:
        await Sleep(3.0)
        return {}

    async def refused(self, session: Session, sent: Mapping[str, str]) -> bool:
        return False


class Stopped:
    """Drives many flows on a clock of its own; everything that sleeps is woken together, `late` seconds after the last was to wake."""

    def __init__(self) -> None:
        self.now = START
        self.sent: list[float] = []

    def send(self, request: Request) -> Reply:
        raise AssertionError("only this driver sends")

    def run(self, flows: list[Flow[Any]], late: float) -> None:
        waiting: list[tuple[Flow[Any], object]] = [(flow, None) for flow in flows]
        while waiting:
            asleep, longest = [], 0.0
            for flow, answer in waiting:
                left = self._go(flow, answer)
                if left is not None:
                    asleep.append((flow, None))
                    longest = max(longest, left)
            self.now += timedelta(seconds=longest + late)
            late *= 0.5
            waiting = asleep

    def _go(self, flow: Flow[Any], answer: object) -> float | None:
        while True:
            try:
                step = flow.send(answer)
            except StopIteration:
                return None
            answer = None
            match step:
                case Sleep(seconds):
                    return seconds
                case Store(transaction):
                    answer = transaction()
                case Send():
                    self.sent.append((self.now - START).total_seconds())
                    answer = Reply(status=200, body=b'{"id": 5, "return_items": []}')


def most_in_a_second(sent: list[float]) -> int:
    return max(sum(begin <= at < begin + 1 for at in sent) for begin in sent)


def sends(auth: Any, late: float) -> list[float]:
    driver = Stopped()
    client = WhiplashClient(auth, transport=driver, clock=lambda: driver.now)
    driver.run([client.session.perform(get_consumer_return(5)) for _ in range(35)], late)
    assert len(driver.sent) == 35
    return driver.sent


def test_a_process_that_was_stopped_does_not_send_all_it_had_places_for_at_once() -> None:
    assert most_in_a_second(sends("token", late=20.0)) <= 10


def test_who_waited_for_a_token_does_not_use_places_that_have_gone_by() -> None:
    assert most_in_a_second(sends(Slow(), late=0.0)) <= 10
